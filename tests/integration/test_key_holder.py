"""The private keys are in a process of their own: what only it has, what the gateway cannot do, and that clients notice nothing."""
import concurrent.futures
import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import struct
import time
from pathlib import Path

import pytest

from support import inject
from support import stack as support
from support.certificates import openssl, serial
from support.endpoint import HOST
from support.stack import CORE_USER, GATEWAY_USER, am_root, wait_until

needs_root = pytest.mark.skipif(not am_root(), reason="several users and another process's memory need root")
needs_injection = pytest.mark.skipif(not inject.AVAILABLE, reason="made for x86-64, as root")

CAP_DAC_READ_SEARCH = 2
EACCES, EPERM = 13, 1


def holder_of(gateway):
    """holder_of returns the pid of the gateway's key holder, None when it has none."""
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
    return int(children[0]) if children else None


def alive(pid):
    """alive: there, and not only as a zombie that nobody has waited for."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def status(pid, field):
    return re.search(rf"^{field}:[ \t]*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.M).group(1)


def memory_has(pid, needles):
    """memory_has searches all of a process's memory; what it returns says what was found where."""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            first, last = (int(x, 16) for x in line.split()[0].split("-"))
            if line.split()[1][0] != "r" or last - first > 1 << 30:
                continue
            with contextlib.suppress(OSError, OverflowError):
                memory.seek(first)
                text = memory.read(last - first)
                found = [n for n in range(len(needles)) if needles[n] in text]
                if found:
                    return f"{found} in {line}"
    return None


def secrets_of(key):
    """secrets_of returns what only the owner of a private key has, in the forms that a program may have it in."""
    text = openssl("pkey", "-in", key, "-noout", "-text")
    field = re.search(r"(?:priv|prime1):\s*((?:[0-9a-f]{2}:?\s*)+)", text).group(1)
    number = bytes.fromhex(re.sub(r"[:\s]", "", field)).lstrip(b"\0")
    lines = [n for n in key.read_bytes().splitlines() if len(n) == 64]  # PEM; an EC key's second line is public
    return [number, number[::-1], *lines[:1]]


@contextlib.contextmanager
def standing_still(pid):
    """standing_still stops a process, all of its threads, until the block ends; go() lets it on before."""
    def stopped():
        return all((task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
                   for task in Path(f"/proc/{pid}/task").iterdir())

    def go():
        os.kill(pid, signal.SIGCONT)

    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(stopped, 10, "it to stand still")
        yield go
    finally:
        go()


KINDS = ["--p256", "--ed25519", "--rsa"]


@pytest.fixture(scope="module")
def servers(certs):
    """A server certificate of each kind of key."""
    for kind in KINDS:
        certs.run("server", f"server{kind}", "localhost", "127.0.0.1", kind)
    return {kind: certs.pair(f"server{kind}") for kind in KINDS}


# ---- signing ----

@pytest.mark.asan
@pytest.mark.parametrize("kind", KINDS)
def test_handshakes_and_where_the_key_is(new_stack, servers, kind):
    stack = new_stack(server=servers[kind])
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for _ in range(3):
            with stack.tls(version=version) as sock:
                assert sock.getpeercert()["serialNumber"] == serial(servers[kind].cert)
        with stack.raw(version=version) as r:
            assert r.ask("PING") == "PONG"
    if am_root():
        secrets = secrets_of(servers[kind].key)
        assert memory_has(holder_of(stack.gateway), secrets)
        assert not memory_has(stack.gateway.pid, secrets)


@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_without_a_holder_the_gateway_has_it(new_stack, servers, kind):
    """What the test above looks for would be found."""
    stack = new_stack(server=servers[kind], gateway_options=["--key-holder", "off"])
    assert holder_of(stack.gateway) is None
    assert memory_has(stack.gateway.pid, secrets_of(servers[kind].key))


def test_two_hundred_at_once(new_stack):
    stack = new_stack()
    contexts = [stack.context(version=v) for v in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
    plain = [socket.create_connection((HOST, stack.port), timeout=30) for _ in range(200)]

    def shake(n):
        with contexts[n % 2].wrap_socket(plain[n], server_hostname="localhost") as sock:
            sock.sendall(b"PING\r\n")
            return sock.recv(100)

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        assert set(pool.map(shake, range(200))) == {b"+PONG\r\n"}
    assert not re.search("(?i)handshake failed|refused", stack.gateway.since_start())


def client_hello(stack):
    """client_hello returns the first bytes of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = stack.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.asan
def test_clients_that_leave_or_stay_while_it_signs(new_stack):
    """The holder stands still: some clients leave meanwhile, by a close or a reset; the others are served after it."""
    stack = new_stack(gateway_options=["--handshake-timeout", 20])
    before = stack.raw()
    with standing_still(holder_of(stack.gateway)) as go:
        for n in range(60):
            with socket.create_connection((HOST, stack.port)) as s:
                s.sendall(client_hello(stack))
                if n % 3 == 1:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif n % 3 == 2:
                    s.sendall(b"more than a client has to say")
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            waiting = [pool.submit(lambda: stack.raw().ask("PING")) for _ in range(20)]
            wait_until(lambda: info(before, "gateway_handshaking") >= 20, 10, "handshakes to wait for signatures")
            assert before.ask("PING") == "PONG", "who is in is served all the while"
            assert not any(w.done() for w in waiting)
            go()
            assert [w.result(20) for w in waiting] == ["PONG"] * 20
    wait_until(lambda: info(before, "gateway_handshaking") == 0, 10, "nothing to be left of those that went")
    assert stack.gateway.running and stack.alive()


def info(raw, name):
    """info returns a number of INFO's, which workers send once a second."""
    found = re.search(rf"^{name}:(\d+)", raw.ask("INFO", "everything").decode(), re.M)
    return int(found.group(1)) if found else 0


def test_a_handshake_waits_no_longer_than_it_may(new_stack):
    stack = new_stack(gateway_options=["--handshake-timeout", 1])
    with standing_still(holder_of(stack.gateway)):
        with socket.create_connection((HOST, stack.port), timeout=10) as s:
            s.sendall(client_hello(stack))
            started = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                assert s.recv(1) == b""
            assert time.monotonic() - started < 5
    assert wait_until(stack.alive, 10, "the gateway to serve again")


# ---- files ----

def served_serial(stack):
    with stack.tls() as sock:
        return sock.getpeercert()["serialNumber"]


def test_reloads_under_handshakes(new_stack, certs):
    """New pairs come while clients shake hands without pause: each is served whole, under one pair or the other."""
    stack = new_stack()
    for name in ("red", "black"):
        certs.run("server", name, "localhost", "127.0.0.1")
    pairs = [certs.pair("red"), certs.pair("black")]
    load = stack.benchmark("-t", "get", "-n", "1000000", "-c", "16", "-k", "0", "-q")
    try:
        for n in range(30):
            stack.gateway.install(pairs[n % 2])
            stack.gateway.signal(signal.SIGHUP)
            wait_until(lambda: served_serial(stack) == serial(pairs[n % 2].cert), 5, f"the certificate of reload {n}",
                       0.005)
            assert load.poll() is None, load.communicate()
    finally:
        load.terminate()
    out, err = load.communicate(timeout=10)
    assert "rror" not in out + err, (out[-500:], err)
    assert not re.search("handshake failed", stack.gateway.since_start())


@needs_root
def test_a_key_in_the_certificates_file(new_stack, servers):
    """One file with both, and no --key: the certificate goes to the gateway, the key does not."""
    pair = servers["--p256"]
    stack = new_stack(server=pair)
    assert stack.gateway.stop() == 0
    at = stack.gateway.argv.index("--key")
    del stack.gateway.argv[at:at + 2]
    stack.gateway.put(pair.cert.read_bytes() + pair.key.read_bytes(), "server.crt")
    stack.gateway.start()
    assert served_serial(stack) == serial(pair.cert)
    assert memory_has(holder_of(stack.gateway), secrets_of(pair.key))
    assert not memory_has(stack.gateway.pid, secrets_of(pair.key))


@needs_root
def test_a_key_that_was_replaced_is_forgotten(new_stack, servers):
    stack = new_stack(server=servers["--p256"])
    holder, former = holder_of(stack.gateway), secrets_of(servers["--p256"].key)
    assert memory_has(holder, former)
    stack.gateway.install(servers["--rsa"])
    stack.gateway.signal(signal.SIGHUP)
    wait_until(lambda: served_serial(stack) == serial(servers["--rsa"].cert), 5, "the new certificate")
    assert memory_has(holder, secrets_of(servers["--rsa"].key))
    wait_until(lambda: not memory_has(holder, former), 5, "the former key to be forgotten", 0.2)
    assert not memory_has(stack.gateway.pid, secrets_of(servers["--rsa"].key))


@pytest.fixture
def as_root(stage, pg, certs):
    """as_root(directory of the files, …) starts the gateway as root, to become its user."""
    started = []

    def start(server, *options):
        stack = support.Stack(stage.folder("asroot"), pg, certs, core_options=["--user", CORE_USER],
                              gateway_options=["--user", GATEWAY_USER, *options])
        stack.core.create_schema()
        for process in stack.processes():
            process.user = None
        for name, path in (("--cert", server.cert), ("--key", server.key)):
            stack.gateway.argv[stack.gateway.argv.index(name) + 1] = path
        started.append(stack)
        stack.core.start()
        stack.gateway.start()
        wait_until(stack.alive, 10, "the gateway to serve")
        return stack

    yield start
    for stack in started:
        stack.stop()


class Certbot:
    """certbot's layout, for root alone: live/NAME/*.pem are links to ../../archive/NAME/*N.pem."""

    def __init__(self, directory):
        self.number = 0
        self.live, self.archive = directory / "live" / "example", directory / "archive" / "example"
        for path in (directory, self.live.parent, self.archive.parent, self.live, self.archive):
            path.mkdir(mode=0o700)
        self.cert, self.key = self.live / "fullchain.pem", self.live / "privkey.pem"

    def renew(self, pair):
        self.number += 1
        for link, source in ((self.cert, pair.cert), (self.key, pair.key)):
            file = self.archive / f"{link.stem}{self.number}.pem"
            shutil.copy(source, file)
            file.chmod(0o600)
            fresh = link.with_suffix(".new")
            fresh.symlink_to(Path("../../archive/example") / file.name)
            fresh.rename(link)
        return self


@needs_root
@pytest.mark.asan
def test_files_that_only_root_can_read(as_root, stage, servers):
    """Started as root, the gateway becomes its user; the holder stays who can read the keys, and can do nothing else."""
    files = Certbot(stage.folder("etc") / "letsencrypt").renew(servers["--p256"])
    stack = as_root(files)
    user = str(pwd.getpwnam(GATEWAY_USER).pw_uid)
    holder = holder_of(stack.gateway)
    assert stack.gateway.status("Uid").split() == [user] * 4 and int(stack.gateway.status("CapEff"), 16) == 0
    assert status(holder, "Uid").split() == ["0"] * 4
    for field in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status(holder, field), 16) == 1 << CAP_DAC_READ_SEARCH, field
    assert int(status(holder, "CapAmb"), 16) == 0 and status(holder, "NoNewPrivs") == "1"

    for kind in ("--ed25519", "--rsa", "--p256"):
        files.renew(servers[kind])
        stack.gateway.signal(signal.SIGHUP)
        wait_until(lambda: served_serial(stack) == serial(servers[kind].cert), 5, f"the renewed certificate, {kind}")
        assert not memory_has(stack.gateway.pid, secrets_of(servers[kind].key))
    assert "ermission denied" not in stack.gateway.since_start()


# ---- what the gateway cannot do ----

@needs_injection
def test_the_gateway_cannot_reach_the_keys(new_stack):
    """Asked of the kernel by the gateway itself, under its own uid, which owns the files."""
    stack = new_stack()
    holder = holder_of(stack.gateway)
    key, ca = stack.gateway.secrets / "server.key", stack.gateway.secrets / "ca.crt"
    with inject.Injected(holder) as process:
        assert process.open(key) > 2, "it is a good path, and the holder reads it"
        assert process.open(stack.gateway.secrets / "new", inject.O_CREAT_WRONLY) == -EACCES
    with inject.Injected(stack.gateway.pid) as process:
        for path in (key, ca, "/etc/passwd", f"/proc/{holder}/mem", f"/proc/self/root{key}",
                     f"/proc/{holder}/root{key}", stack.gateway.secrets):
            assert process.open(path) == -EACCES, path
        assert process.open(stack.gateway.secrets / "new", inject.O_CREAT_WRONLY) == -EACCES
        assert process.call(inject.PTRACE, 16, holder, 0, 0) == -EPERM
        assert process.call(inject.PROCESS_VM_READV, holder, 0, 0, 0, 0, 0) in (0, -EPERM)
    assert stack.alive()


@needs_injection
def test_what_keeps_it_from_them_is_seen(new_stack):
    """With --key-holder off the same question has another answer: so the one above means something."""
    stack = new_stack(gateway_options=["--key-holder", "off"])
    with inject.Injected(stack.gateway.pid) as process:
        assert process.open(stack.gateway.secrets / "server.key") > 2
    assert stack.alive()


@needs_injection
def test_the_gateway_can_open_no_way_out(new_stack):
    """No TCP connection of its own and no signal to others (where the kernel's Landlock has these: 6.7, 6.12)."""
    stack = new_stack()
    version = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
    address = struct.pack("=H", socket.AF_INET) + struct.pack("!H", stack.port) + socket.inet_aton(HOST) + bytes(8)
    with inject.Injected(stack.gateway.pid) as process:
        fd = process.call(inject.SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0)
        assert fd > 2
        if version >= (6, 7):
            assert process.call(inject.CONNECT, fd, address, len(address)) == -EACCES
        if version >= (6, 12):
            assert process.call(inject.KILL, holder_of(stack.gateway), 0) == -EPERM
    assert stack.alive()


NO_LANDLOCK = """
import ctypes, os, struct, sys
ENOSYS, CREATE_RULESET = 38, 444
code = b"".join(struct.pack("=HBBI", *row) for row in ((0x20, 0, 0, 0), (0x15, 0, 1, CREATE_RULESET),
                                                       (6, 0, 0, 0x50000 | ENOSYS), (6, 0, 0, 0x7fff0000)))
text = ctypes.create_string_buffer(code)
program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(text)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_kernel_without_landlock_is_warned_of(stage, pg, certs):
    """As before Linux 5.13: a seccomp filter makes this kernel one."""
    stack = support.Stack(stage.folder("old"), pg, certs)
    stack.gateway.argv = ["/usr/bin/python3", "-c", NO_LANDLOCK, *stack.gateway.argv]
    try:
        stack.start()
        assert len(re.findall("warning cofre-gateway: .*Landlock", stack.gateway.since_start())) == 1
        assert holder_of(stack.gateway) and stack.alive()
    finally:
        stack.stop()


def test_what_the_holder_has(new_stack):
    """No socket but those to the gateway, a name of its own, no core dump."""
    stack = new_stack()
    holder = holder_of(stack.gateway)
    assert Path(f"/proc/{holder}/comm").read_text().strip() == "cofre-keys"
    assert Path(f"/proc/{holder}/cmdline").read_bytes().strip(b"\0") == b"cofre-keys"
    assert Path(f"/proc/{stack.gateway.pid}/comm").read_text().strip() == "cofre-gateway"
    listening = {line.split()[9] for table in ("tcp", "tcp6")
                 for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]}
    links = [os.readlink(fd) for fd in Path(f"/proc/{holder}/fd").iterdir()]
    assert not any((m := re.match(r"socket:\[(\d+)\]", link)) and m.group(1) in listening for link in links), links
    assert not [link for link in links if link.endswith((".key", ".crt"))]
    if am_root():
        for pid in (holder, stack.gateway.pid):
            assert Path(f"/proc/{pid}/mem").stat().st_uid == 0, "not dumpable: its /proc files are root's"


# ---- ends ----

def test_without_its_holder_the_gateway_ends(new_stack):
    """It says so, delivers what is under way, closes cleanly, and its status tells the supervisor."""
    stack = new_stack()
    with stack.raw() as held:
        assert held.ask("SET", "k", "v") == "OK"
        os.kill(holder_of(stack.gateway), signal.SIGKILL)
        held.sock.settimeout(10)
        assert held.sock.recv(100) == b"", "close_notify, not a reset"
    assert stack.gateway.popen.wait(10) == 1
    stack.gateway.logged(r"error cofre-gateway: .*key holder.*signal 9", 1)
    stack.gateway.start()
    assert stack.alive()


@needs_root
@pytest.mark.parametrize("other_user", [False, True])
def test_the_holder_goes_with_the_gateway(new_stack, as_root, stage, servers, other_user):
    if other_user:
        stack = as_root(Certbot(stage.folder("etc") / "letsencrypt").renew(servers["--p256"]))
    else:
        stack = new_stack()
    holder = holder_of(stack.gateway)
    assert alive(holder)
    stack.gateway.kill()
    wait_until(lambda: not alive(holder), 1, "the holder to end")


def test_a_signal_to_all_of_them_is_the_gateways(new_stack):
    """As systemd and terminals send it: the holder signs on until the gateway has drained."""
    stack = new_stack()
    holder = holder_of(stack.gateway)
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGINT, signal.SIGTERM):
        os.kill(holder, number)
    assert stack.alive()
    os.kill(stack.gateway.pid, signal.SIGTERM)
    assert stack.gateway.popen.wait(10) == 0
    wait_until(lambda: not alive(holder), 1, "the holder to end")


@pytest.mark.parametrize("what", ["missing", "empty", "of another"])
def test_a_bad_key_at_the_start(stage, certs, what):
    """One line and exit 2, as ever, whoever reads the files."""
    gateway = support.Gateway(stage.folder("bad"), "/nonexistent", certs)
    key = gateway.secrets / "server.key"
    {"missing": key.unlink, "empty": lambda: key.write_bytes(b""),
     "of another": lambda: key.write_bytes(certs.client("bob").key.read_bytes())}[what]()
    gateway.start(wait=False)
    assert gateway.popen.wait(10) == 2
    lines = gateway.since_start().splitlines()
    assert len(lines) == 1 and "server.key" in lines[0], lines
