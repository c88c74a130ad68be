"""A gateway is replaced by another under load, started by a service manager, watched by it, and stopped: nobody who had
a connection, or asked for one, is refused or reset."""
import contextlib
import ctypes
import errno
import functools
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from support.resp import Raw, encode
from support.stack import CORE_USER, GATEWAY_USER, HOST, Process, am_root, ensure_user, free_port, wait_until

READY = r"\bready\b"


def successor(stack, number, *options, replace=(), env=None):
    """successor makes the gateway that will take over: the same arguments, and these."""
    argv = list(stack.gateway.argv)
    for option, value in replace:
        argv[argv.index(option) + 1] = value
    return Process([*argv, "--takeover", *options], stack.directory / f"gateway-next{number}.log",
                   ensure_user(GATEWAY_USER), READY, env)


def ended(process, timeout=20):
    """ended waits for a process that was replaced, and returns its exit code."""
    return wait_until(lambda: not process.running, timeout, "the old gateway to end") and process.popen.returncode


def status(stack):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(stack.gateway.status_socket))
        s.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: s.recv(1 << 16), b""))
    return json.loads(answer.partition(b"\r\n\r\n")[2])


class Knockers:
    """Threads that connect, ask once, and leave, again and again; every failure is kept."""

    def __init__(self, stack, count=4):
        self.stack, self.stop, self.done, self.errors = stack, False, 0, []
        self.context = stack.context("alice")
        self.threads = [threading.Thread(target=self._knock) for _ in range(count)]

    def _knock(self):
        while not self.stop:
            try:
                with self.stack.tls(context=self.context, timeout=20) as sock:
                    sock.sendall(encode("PING"))
                    reply = sock.recv(100)
                    assert reply == b"+PONG\r\n", reply
                    self.done += 1
            except Exception as e:  # noqa: BLE001: whatever it is, it must not be
                self.errors.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        wait_until(lambda: self.done > 5 or self.errors, 10, "the first to get in")
        return self

    def __exit__(self, *_):
        self.stop = True
        for t in self.threads:
            t.join(30)


@pytest.fixture
def new_stack(new_stack, database):
    return functools.partial(new_stack, database=database)


@pytest.fixture
def stack(new_stack):
    return new_stack(status=True, gateway_options=("--workers", "2", "--drain-timeout", "5"))


def test_several_takeovers_under_a_storm_of_connections(stack):
    """Other numbers of workers, too: fewer and more sockets than workers."""
    old, processes = stack.gateway, []
    with Knockers(stack) as knockers:
        for number, workers in enumerate(["2", "1", "4", "3"]):
            with stack.raw() as held:
                assert held.ask("SET", "takeover", number) == "OK"
                fresh = successor(stack, number, replace=[("--workers", workers)])
                processes.append(fresh.start())
                before = knockers.done
                for _ in range(20):  # the session that was there goes on, as long as it has something to say
                    assert held.ask("GET", "takeover") == str(number).encode()
                    time.sleep(0.01)
                assert held.at_end(10), "a session that is quiet is ended, cleanly"
            assert ended(old) == 0 and status(stack)["pid"] == fresh.pid
            assert status(stack)["workers"] == int(workers)
            wait_until(lambda: knockers.done > before + 10, 10, "the new one to serve")
            old = fresh
    assert not knockers.errors, (len(knockers.errors), knockers.done, knockers.errors[:5])
    stack.gateway.popen = None
    assert old.stop() == 0
    assert not stack.gateway.status_socket.exists()


@pytest.mark.skipif(not am_root(), reason="needs two users")
def test_gateways_that_root_starts_for_a_user(stack):
    """Both begin as root and become the user: the sockets are asked for as root, the status path is put in place as the user."""
    assert stack.gateway.stop() == 0
    old = None
    with contextlib.ExitStack() as running:
        for number in range(3):
            argv = [*stack.gateway.argv, "--user", GATEWAY_USER, *(["--takeover"] if old else [])]
            fresh = Process(argv, stack.directory / f"gateway-root{number}.log", None, READY)
            running.callback(fresh.stop)
            if old:
                with Knockers(stack, 2) as knockers:
                    fresh.start()
                    assert ended(old) == 0
                assert not knockers.errors
            else:
                fresh.start()
            assert status(stack)["pid"] == fresh.pid
            assert stack.gateway.status_socket.owner() == GATEWAY_USER
            old = fresh


def test_there_is_nobody_to_take_over_from(stack):
    assert stack.gateway.stop() == 0
    fresh = successor(stack, 1).start()
    fresh.logged("no gateway to take over from")
    assert stack.alive() and status(stack)["pid"] == fresh.pid
    assert fresh.stop() == 0


def goes_on(stack, held):
    """goes_on: the old gateway is there as before, at its status path, too."""
    assert held.ask("PING") == "PONG" and stack.alive()
    now = status(stack)
    assert (now["pid"], now["state"]) == (stack.gateway.pid, "serving")


@pytest.mark.parametrize("what, said", {
    "its core is away": "no core answers",
    "a file is bad": "No such file",
    "an address is taken": "ddress already in use",
}.items())
def test_a_successor_that_cannot_start_changes_nothing(stack, what, said):
    with contextlib.ExitStack() as held, stack.raw() as r:
        taken = held.enter_context(socket.create_server((HOST, 0))).getsockname()[1]
        replace, options = {
            "its core is away": ([("--core", stack.directory / "nobody.sock")], ()),
            "a file is bad": ([("--cert", "/nonexistent/server.crt")], ()),
            "an address is taken": ((), ("--listen", f"{HOST}:{taken}")),
        }[what]
        fresh = successor(stack, 1, *options, replace=replace).start(wait=False)
        with Knockers(stack, 2) as knockers:
            assert fresh.popen.wait(20) == 2
        assert said in fresh.since_start(), fresh.since_start()
        assert not knockers.errors
        goes_on(stack, r)


def test_a_successor_that_dies_before_it_is_ready(stack):
    """It has the sockets by then; who takes over after it succeeds."""
    lost = successor(stack, 1, replace=[("--core", stack.directory / "nobody.sock")]).start(wait=False)
    stack.gateway.logged(f"handing over to another gateway pid={lost.pid}")
    second = successor(stack, 2).start(wait=False)  # one at a time
    assert second.popen.wait(20) == 2 and "does not hand over now (503)" in second.since_start()
    lost.kill()
    stack.gateway.logged("has gone away before it was ready")
    with stack.raw() as r:
        goes_on(stack, r)
    third = successor(stack, 3).start()
    assert ended(stack.gateway) == 0 and stack.alive()
    assert third.stop() == 0


@pytest.mark.skipif(not am_root(), reason="needs two users")
def test_another_user_is_refused(stack):
    """Even one who could reach the socket: both ask the kernel who it is."""
    other = ensure_user(CORE_USER)
    os.chmod(stack.gateway.secrets, 0o755)
    os.chmod(stack.gateway.status_socket, 0o777)
    script = f"""import socket
s = socket.socket(socket.AF_UNIX)
s.connect({str(stack.gateway.status_socket)!r})
s.sendall(b"POST /takeover HTTP/1.1\\r\\n\\r\\n")
print(s.recv(1000))"""
    done = subprocess.run(["setpriv", "--reuid", other, "--clear-groups", "/usr/bin/python3", "-c", script],
                          capture_output=True, text=True, cwd="/", timeout=20)
    assert "403 Forbidden" in done.stdout, done
    stack.gateway.logged("another user may not take over")
    # And a gateway takes nothing over from a stranger, who would get its clients' certificates at least.
    trap = stack.directory / "trap.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(trap))
        s.listen()
        os.chmod(trap, 0o777)
        os.chown(trap, *[__import__("pwd").getpwnam(other).pw_uid] * 2)
        strange = subprocess.Popen(["setpriv", "--reuid", other, "--clear-groups", "/usr/bin/python3", "-c", f"""import socket
s = socket.socket(socket.AF_UNIX)
s.bind({str(trap) + "2"!r})
__import__("os").chmod({str(trap) + "2"!r}, 0o777)
s.listen()
print("listening", flush=True)
s.accept()[0].recv(1)"""], stdout=subprocess.PIPE, text=True, cwd="/")
        assert strange.stdout.readline() == "listening\n"
        fresh = successor(stack, 1, replace=[("--status", str(trap) + "2")]).start(wait=False)
        assert fresh.popen.wait(20) == 2 and "is another user" in fresh.since_start()
        strange.kill()
        strange.wait()
        strange.stdout.close()


def test_addresses_that_differ(new_stack):
    """An address that the new one does not listen on is closed, a new one is opened."""
    gone, kept, added = free_port(), free_port(), free_port()
    stack = new_stack(status=True, port=kept, gateway_options=("--workers", "2", "--listen", f"{HOST}:{gone}"))
    assert stack.alive()
    fresh = successor(stack, 1, replace=[("--listen", f"{HOST}:{kept}")])
    fresh.argv[fresh.argv.index(f"{HOST}:{gone}")] = f"{HOST}:{added}"
    fresh.start()
    assert ended(stack.gateway) == 0
    assert set(status(stack)["listeners"]) == {f"{HOST}:{kept}", f"{HOST}:{added}"}
    assert stack.alive()
    with stack.tls(port=added):
        pass
    assert refused(gone)
    assert fresh.stop() == 0


def test_a_gateway_that_stops_hands_nothing_over(stack):
    held = stack.raw()
    assert held.ask("PING") == "PONG"
    stack.core.signal(signal.SIGSTOP)
    try:
        held.send("PING")
        stack.gateway.signal(signal.SIGTERM)
        wait_until(lambda: status(stack)["state"] == "draining", 5, "the old one to drain")
        fresh = successor(stack, 1).start(wait=False)
        assert fresh.popen.wait(20) == 2 and "does not hand over now" in fresh.since_start()
    finally:
        stack.core.signal(signal.SIGCONT)
    assert held.read() == "PONG" and held.at_end()


# Stopping

def stands_still(pid):
    return all(Path(f"/proc/{pid}/task/{t}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
               for t in os.listdir(f"/proc/{pid}/task"))


def client_hello(context):
    """client_hello returns the first bytes of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def test_who_waits_in_the_queue_when_it_stops_is_told(new_stack):
    """While the process stands still, clients connect and begin their handshakes: more than it accepts in one turn of its
    loop. Stopping, it accepts them all."""
    stack = new_stack(gateway_options=("--workers", "1"))
    results = []

    def come():
        try:
            context = stack.context()
            plain = socket.create_connection((HOST, stack.port), timeout=20)
            with context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as sock:
                results.append(sock.recv(1))  # b"": a close_notify
        except Exception as e:  # noqa: BLE001
            results.append(repr(e))

    context = stack.context()  # makes alice's certificate
    assert context and stack.alive()
    stack.gateway.signal(signal.SIGSTOP)
    wait_until(lambda: stands_still(stack.gateway.pid), 5, "all threads to stand still")
    crowd = [socket.create_connection((HOST, stack.port), timeout=20) for _ in range(300)]
    threads = [threading.Thread(target=come) for _ in range(5)]
    for t in threads:
        t.start()
    try:
        for s in crowd:
            s.sendall(client_hello(context))
        wait_until(lambda: queued(stack.port) == 305, 5, "all to be in the queue")
        stack.gateway.signal(signal.SIGTERM)
    finally:
        stack.gateway.signal(signal.SIGCONT)
    assert all(s.recv(1) == b"\x16" for s in crowd), "everybody gets a ServerHello"
    for t in threads:
        t.join(20)
    assert results == [b""] * 5, "whoever goes on gets a session, and is told that it ends"
    for s in crowd:
        s.close()
    assert stack.gateway.stop() == 0


def queued(port):
    """queued counts connections that nobody has accepted: a listening socket's receive queue."""
    lines = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    return sum(int(line.split()[1]) for line in lines.splitlines())


def refused(port):
    with contextlib.suppress(ConnectionResetError), contextlib.closing(socket.socket()) as s:
        return s.connect_ex((HOST, port)) == errno.ECONNREFUSED


def test_replies_under_way_are_delivered_when_it_stops(stack):
    with stack.raw() as idle, stack.raw() as busy:
        assert idle.ask("PING") == busy.ask("PING") == "PONG"
        before = status(stack)["requests"]
        stack.core.signal(signal.SIGSTOP)
        try:
            busy.send_bytes(b"".join(encode("INCR", "stopping") for _ in range(50)))
            wait_until(lambda: status(stack)["requests"] == before + 50, 5, "the gateway to have read them")
            stack.gateway.signal(signal.SIGTERM)
            assert idle.at_end(), "who waits for nothing is told at once"
            wait_until(lambda: refused(stack.port), 5, "both workers to listen no more")
            assert stack.gateway.running
        finally:
            stack.core.signal(signal.SIGCONT)
        first = busy.read()
        assert [busy.read() for _ in range(49)] == list(range(first + 1, first + 50))
        assert busy.at_end()
    assert stack.gateway.stop() == 0


def test_a_deadline_ends_the_stopping(new_stack):
    stack = new_stack(gateway_options=("--drain-timeout", "0.5"))
    with stack.raw() as r:
        assert r.ask("PING") == "PONG"
        stack.core.signal(signal.SIGSTOP)
        try:
            r.send("PING")
            began = time.monotonic()
            stack.gateway.signal(signal.SIGTERM)
            assert ended(stack.gateway) == 0 and 0.2 < time.monotonic() - began < 5
        finally:
            stack.core.signal(signal.SIGCONT)
    stack.gateway.logged("drain timeout: closing clients that are not finished clients=1")


# The service manager

class Manager:
    """What systemd is to the gateway: a datagram socket, and what came there."""

    def __init__(self, directory):
        self.path = directory / "notify.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.path.chmod(0o777)
        self.socket.setblocking(False)
        self.messages = []

    def collect(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.messages.append(dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines()))
        return self.messages

    def hears(self, timeout=10, **fields):
        """hears waits for a message with these fields, and forgets what came before."""
        def found():
            for at, message in enumerate(self.collect()):
                if fields.items() <= message.items():
                    self.messages = self.messages[at + 1:]
                    return message
        return wait_until(found, timeout, f"{fields} among {self.messages}")


@pytest.fixture
def manager(stage):
    manager = Manager(stage.folder("manager"))
    yield manager
    manager.socket.close()


def test_the_manager_is_told(new_stack, manager):
    stack = new_stack(status=True, env={"NOTIFY_SOCKET": str(manager.path)})
    ready = manager.hears(READY="1")
    assert ready["MAINPID"] == str(stack.gateway.pid) and ready["STATUS"]
    before = time.monotonic()
    stack.gateway.signal(signal.SIGHUP)
    reloading = manager.hears(RELOADING="1")
    assert before <= int(reloading["MONOTONIC_USEC"]) / 1e6 <= time.monotonic()
    manager.hears(READY="1")
    stack.gateway.put(b"rubbish", "ca.crt")  # a bad set, too, is the end of a reload
    stack.gateway.signal(signal.SIGHUP)
    manager.hears(RELOADING="1")
    manager.hears(READY="1")
    fresh = successor(stack, 1, env={"NOTIFY_SOCKET": str(manager.path)})
    stack.gateway.put(stack.certs.ca.read_bytes(), "ca.crt")
    fresh.start()
    assert manager.hears(MAINPID=str(fresh.pid))
    assert ended(stack.gateway) == 0
    fresh.signal(signal.SIGTERM)
    manager.hears(STOPPING="1")
    assert ended(fresh) == 0
    assert not any("WATCHDOG" in m for m in manager.collect())


PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 17, 0x4206, 0x4207, 0x40000000


@contextlib.contextmanager
def frozen_workers(pid):
    """frozen_workers stops every thread of a process but the main one, as a debugger does."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    frozen = []
    try:
        for tid in [int(t) for t in os.listdir(f"/proc/{pid}/task") if int(t) != pid]:
            if libc.ptrace(PTRACE_SEIZE, tid, None, None) != 0:
                pytest.skip(f"no debugging here: {os.strerror(ctypes.get_errno())}")
            frozen.append(tid)
            assert libc.ptrace(PTRACE_INTERRUPT, tid, None, None) == 0
            os.waitpid(tid, WALL)
        yield
    finally:
        for tid in frozen:
            libc.ptrace(PTRACE_DETACH, tid, None, None)


def test_the_watchdog_is_fed_while_all_workers_live(new_stack, manager):
    stack = new_stack(status=True, gateway_options=("--workers", "2"),
                      env={"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "300000"})
    for _ in range(3):
        manager.hears(WATCHDOG="1")
    with frozen_workers(stack.gateway.pid):
        time.sleep(0.3)  # one may be under way
        manager.collect().clear()
        time.sleep(0.9)
        assert not any("WATCHDOG" in m for m in manager.collect()), "a gateway that hangs would not be restarted"
        # The main loop is well meanwhile; who asks for the status is put off, not kept for ever.
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(0.3)
            s.connect(str(stack.gateway.status_socket))
            s.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            with pytest.raises(TimeoutError):
                s.recv(1)
    manager.hears(WATCHDOG="1")
    assert stack.alive() and status(stack)["pid"] == stack.gateway.pid


class Activated(Process):
    """A gateway with inherited descriptors: each is 3 and up, as sd_listen_fds(3) says."""

    def __init__(self, stack, sockets, *argv, names="front", count=None):
        lines = [f"exec {3 + n}<&{s.fileno() + 100}" for n, s in enumerate(sockets)]
        for s in sockets:
            os.dup2(s.fileno(), s.fileno() + 100)
        self.passed = [s.fileno() + 100 for s in sockets]
        script = "; ".join([*lines, *[f"exec {fd}<&-" for fd in self.passed if fd > 3 + len(sockets)],
                            'LISTEN_PID=$$; export LISTEN_PID; exec "$@"'])
        super().__init__(["bash", "-c", script, "bash", *argv], stack.directory / "activated.log", ensure_user(GATEWAY_USER), READY,
                         {"LISTEN_FDS": str(len(sockets) if count is None else count), "LISTEN_FDNAMES": names})

    def start(self, wait=True, timeout=30):
        command = ["setpriv", "--pdeathsig", "KILL"]
        if am_root():
            command += ["--reuid", self.user, "--regid", self.user, "--clear-groups"]
        self.started_at = 0
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen([*command, "--", *self.argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                          env={**os.environ, **self.env}, pass_fds=self.passed)
        for fd in self.passed:
            os.close(fd)
        if wait:
            self.wait_ready(timeout)
        return self


def without(argv, option):
    at = argv.index(option)
    return argv[:at] + argv[at + 2:]


def test_socket_activation(stack):
    """The manager's sockets, --listen is not needed; who came before the start is served; the sockets outlive us."""
    assert stack.gateway.stop() == 0
    with socket.create_server((HOST, stack.port)) as one, socket.create_server((HOST, 0)) as other:
        early = socket.create_connection((HOST, stack.port), timeout=20)
        gateway = Activated(stack, [one, other], *without(stack.gateway.argv, "--listen")).start()
        with Raw(stack.context().wrap_socket(early, server_hostname="localhost")) as r:
            assert r.ask("PING") == "PONG"
        assert set(status(stack)["listeners"]) == {f"{HOST}:{stack.port}", f"{HOST}:{other.getsockname()[1]}"}
        assert all(stack.alive() for _ in range(5))
        with stack.tls(port=other.getsockname()[1]):
            pass
        assert gateway.stop() == 0
        late = socket.create_connection((HOST, stack.port), timeout=20)  # waits for the next one
        gateway = Activated(stack, [one], *without(stack.gateway.argv, "--listen")).start()
        with Raw(stack.context().wrap_socket(late, server_hostname="localhost")) as r:
            assert r.ask("PING") == "PONG"
        assert gateway.stop() == 0


def test_sockets_that_are_none(stack):
    assert stack.gateway.stop() == 0
    argv = without(stack.gateway.argv, "--listen")
    for family, kind, listens in ((socket.AF_INET, socket.SOCK_DGRAM, False), (socket.AF_INET, socket.SOCK_STREAM, False),
                                  (socket.AF_UNIX, socket.SOCK_STREAM, True)):
        with socket.socket(family, kind) as s:
            if listens:
                s.bind("")  # some abstract name
                s.listen()
            gateway = Activated(stack, [s], *argv).start(wait=False)
            assert gateway.popen.wait(20) == 2
            assert 'descriptor 3 ("front") of LISTEN_FDS is no listening TCP socket' in gateway.since_start()
    for count in ("many", "-1", "99999"):
        gateway = Activated(stack, [], *argv, count=count).start(wait=False)
        assert gateway.popen.wait(20) == 2 and "sd_listen_fds" in gateway.since_start()
    stack.gateway.start()
