"""The status socket: every figure is provoked and seen to change, INFO says the same, hostile requests hurt nobody; and
the dry run, which asks it whom staged files would cut off."""
import contextlib
import copy
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import time

import pytest

from support import stack as support
from support.certificates import Certificates, serial
from support.resp import Closed, Raw
from support.stack import CORE_USER, GATEWAY_USER, am_root, ensure_user, free_port, wait_until


def ask(path, data, timeout=10):
    """ask sends bytes to a status socket and returns all that it answers."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(str(path))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            s.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            return b"".join(iter(lambda: s.recv(1 << 16), b""))


def get(stack, path="/status"):
    """get returns (code, headers, body)."""
    answer = ask(stack.gateway.status_socket, f"GET {path} HTTP/1.1\r\nHost: cofre\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    assert int(headers["Content-Length"]) == len(body)
    return int(lines[0].split()[1]), headers, body.decode()


def status(stack):
    code, headers, body = get(stack)
    assert code == 200 and headers["Content-Type"] == "application/json"
    return json.loads(body)


def sessions(stack):
    return [json.loads(line) for line in get(stack, "/sessions")[2].splitlines()]


def becomes(stack, **expected):
    """becomes waits until the status says so; a double underscore goes into an object."""
    def found():
        now = status(stack)
        seen = {k: now[k.split("__")[0]].get(k.split("__")[1], 0) if "__" in k else now[k] for k in expected}
        becomes.seen = seen
        return seen == expected and now
    try:
        return wait_until(found, 5, str(expected))
    except AssertionError as e:
        raise AssertionError(f"{e}; it is {becomes.seen}") from None


@pytest.fixture(scope="module")
def module_stack(stage, pg, certs, database):
    """One stack with a status socket and two workers for the tests that only look, or compare before and after."""
    stack = support.Stack(stage.folder("status"), pg, certs, database, status=True,
                          gateway_options=("--workers", "2", "--handshake-timeout", "0.5"))
    stage.on_exit(stack.stop)
    return stack.start()


@pytest.fixture
def new_stack(new_stack, database):
    return functools.partial(new_stack, database=database, status=True)


@pytest.fixture
def served(module_stack):
    becomes(module_stack, connections=0)
    return module_stack


def knock(stack, data=b"", context=None):
    """knock tries a handshake that fails, or sends something else."""
    with contextlib.suppress(ssl.SSLError, ConnectionError, Closed), socket.create_connection(("127.0.0.1", stack.port)) as s:
        s.settimeout(5)
        if context:
            with Raw(context.wrap_socket(s, server_hostname="localhost")) as r:
                r.ask("PING")
        else:
            s.sendall(data)
            s.recv(100)


def test_what_it_is(served):
    now = status(served)
    assert now["pid"] == served.gateway.pid and now["workers"] == 2 and now["state"] == "serving"
    assert now["listeners"] == [f"127.0.0.1:{served.port}"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", now["version"])
    assert 0 <= now["uptime_seconds"] < 600
    files = {os.path.basename(f["path"]): f["sha256"] for f in now["files"]}
    assert files == {name: hashlib.sha256((served.gateway.secrets / name).read_bytes()).hexdigest()
                     for name in ("server.crt", "ca.crt")}
    assert now["max_connections"] == 10000 and now["idle_timeout_seconds"] == 0


def test_handshakes_and_sessions(served, certs):
    before = status(served)
    old, new = served.context(version=ssl.TLSVersion.TLSv1_2), served.context(version=ssl.TLSVersion.TLSv1_3)
    with Raw(served.tls(context=old)) as a, Raw(served.tls(context=new)) as b, Raw(served.tls(context=new)) as c:
        for r in (a, b, c):
            assert r.ask("PING") == "PONG"
        now = becomes(served, connections=3, handshaking=0, sessions_tls_1_2=1, sessions_tls_1_3=2)
        assert now["handshakes_full"] == before["handshakes_full"] + 3
        assert list(now["sessions_by_issuer"].values()) == [3]
        with socket.create_connection(("127.0.0.1", served.port)):
            becomes(served, connections=4, handshaking=1)
        session = a.sock.session
    becomes(served, connections=0, sessions_tls_1_2=0, sessions_tls_1_3=0, sessions_by_issuer={})
    with socket.create_connection(("127.0.0.1", served.port)) as s, \
            Raw(old.wrap_socket(s, server_hostname="localhost", session=session)) as r:
        assert r.ask("PING") == "PONG" and r.sock.session_reused
        now = becomes(served, handshakes_resumed=before["handshakes_resumed"] + 1)
    assert now["requests"] == before["requests"] + 4
    assert now["bytes_in"] > before["bytes_in"] and now["bytes_out"] > before["bytes_out"]


def test_the_histogram_counts_every_handshake_once(served):
    with served.raw() as r:
        assert r.ask("PING") == "PONG"
    histogram = status(served)["handshake_usec"]
    count, total = histogram.pop("count"), histogram.pop("sum")
    now = status(served)
    assert count == now["handshakes_full"] + now["handshakes_resumed"] > 0
    counts = [histogram[bound] for bound in sorted(histogram, key=int)]
    assert counts == sorted(counts) and counts[-1] <= count and counts[0] < count  # nobody's took 250 µs
    assert total / count > 250
    with socket.create_connection(("127.0.0.1", served.port)) as s:  # 0.2 s of it are the client's
        time.sleep(0.2)
        with served.context().wrap_socket(s, server_hostname="localhost"):
            pass
    later = status(served)["handshake_usec"]
    assert later["count"] == count + 1 and later["sum"] >= total + 200000
    assert later["100000"] == histogram["100000"] and later["10000000"] == histogram["10000000"] + 1


def test_refusals_by_reason(served, certs, stage):
    stranger = Certificates(stage.folder("stranger") / "certs").client("stranger")
    certs.client("elapsed", "--not-before", "2020-01-01", "--not-after", "2020-02-01")
    other = served.context(None)
    other.load_cert_chain(str(stranger.cert), str(stranger.key))
    unbelieving = ssl.create_default_context()
    unbelieving.maximum_version = ssl.TLSVersion.TLSv1_2
    for reason, act in {
        "unknown_issuer": lambda: knock(served, context=other),
        "expired": lambda: knock(served, context=served.context("elapsed")),
        "no_certificate": lambda: knock(served, context=served.context(None)),
        "not_tls": lambda: knock(served, b"*1\r\n$4\r\nPING\r\n"),
        "by_client": lambda: knock(served, context=unbelieving),
    }.items():
        before = status(served)["refused"]
        act()
        after = becomes(served, **{f"refused__{reason}": before[reason] + 1})["refused"]
        assert {k: v for k, v in after.items() if v != before[k]} == {reason: before[reason] + 1}
    late = status(served)["handshakes_timed_out"]
    with socket.create_connection(("127.0.0.1", served.port)) as s:
        assert s.recv(1) == b""
        becomes(served, handshakes_timed_out=late + 1)


def test_who_ends_first(served, certs):
    """The nearest end of a live session's certificate, which goes when its session does."""
    certs.client("brief", "--days", "2")
    with served.raw() as long:
        assert long.ask("PING") == "PONG"
        assert status(served)["client_ends_seconds"] > 3 * 86400
        with served.raw("brief") as r:
            assert r.ask("PING") == "PONG"
            assert 86400 < status(served)["client_ends_seconds"] <= 2 * 86400
        wait_until(lambda: status(served)["client_ends_seconds"] > 3 * 86400, 5, "the next one's end to be told")
    wait_until(lambda: "client_ends_seconds" not in status(served), 5, "nobody's end to be told")


def test_sessions_one_by_one(served, certs):
    assert sessions(served) == []
    with served.raw() as a, served.raw("bob", version=ssl.TLSVersion.TLSv1_2) as b:
        assert a.ask("PING") == b.ask("PING") == "PONG"
        found = {s["identity"]: s for s in sessions(served)}
        assert set(found) == {"cn:alice", "cn:bob"}
        for name, raw in (("alice", a), ("bob", b)):
            one, pair = found[f"cn:{name}"], certs.client(name)
            assert one["peer"] == "%s:%d" % raw.sock.getsockname() and not one["resumed"]
            assert one["tls"] == raw.sock.version() and one["cipher"]
            assert one["serial"].upper().lstrip("0") == serial(pair.cert).lstrip("0")
            der = ssl.PEM_cert_to_DER_cert(pair.cert.read_text().partition("-----BEGIN")[2].join(["-----BEGIN", ""]))
            assert one["fingerprint"] == hashlib.sha256(der).hexdigest()
            assert abs(one["since"] - time.time()) < 30 and one["not_after"] >= one["trusted_until"] > time.time()
            assert one["path"].startswith("ca:") and "Cofre" in one["issuer"]
        assert found["cn:alice"]["path"].split(".")[-2] != found["cn:alice"]["path"].split(".")[0]
    becomes(served, connections=0)
    assert sessions(served) == []


def test_many_sessions_of_all_workers(served):
    context = served.context()
    with contextlib.ExitStack() as stack:
        raws = [stack.enter_context(Raw(served.tls(context=context))) for _ in range(300)]
        assert raws[-1].ask("PING") == "PONG"
        found = wait_until(lambda: len(s := sessions(served)) == 300 and s, 5, "all to be listed")
        assert {s["peer"] for s in found} == {"%s:%d" % r.sock.getsockname() for r in raws}
        assert list(status(served)["sessions_by_issuer"].values()) == [300]


SAMPLE = re.compile(r'([a-z_:][a-z0-9_:]*)(\{(?:[a-z0-9_]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (-?[0-9.e+]+|\+Inf|NaN)')


def prometheus(text):
    """prometheus parses the text format strictly: every sample belongs to the family whose head came last."""
    samples, family, kind, heads = {}, None, None, set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in heads and len(line.split()) > 3
            heads.add(family)
        elif line.startswith("# TYPE "):
            assert line.split()[2] == family
            kind = line.split()[3]
        else:
            assert SAMPLE.fullmatch(line), line
            name, labels, value = SAMPLE.fullmatch(line).groups()
            allowed = [family + end for end in ("_bucket", "_sum", "_count")] if kind == "histogram" else [family]
            assert name in allowed and (kind != "counter" or name.endswith("_total")), line
            assert (name, labels) not in samples
            samples[name, labels] = float(value)
    return samples


def test_prometheus_says_the_same(served):
    with served.raw() as r:
        assert r.ask("PING") == "PONG"
        code, headers, body = get(served, "/metrics")
        now = status(served)
    assert code == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = prometheus(body)
    for name in ("connections", "sessions_tls_1_3", "trust_generation", "max_connections"):
        assert samples[f"cofre_gateway_{name}", None] == now[name]
    for name in ("accepted", "handshakes_full", "requests", "bytes_in", "bytes_out"):
        assert samples[f"cofre_gateway_{name}_total", None] == now[name]
    for reason, count in now["refused"].items():
        assert samples["cofre_gateway_refused_total", f'{{reason="{reason}"}}'] == count
    assert samples["cofre_gateway_handshake_usec_bucket", '{le="+Inf"}'] == now["handshake_usec"]["count"]
    assert samples["cofre_gateway_handshake_usec_bucket", '{le="5000"}'] == now["handshake_usec"]["5000"]
    assert len([k for k in samples if k[0] == "cofre_gateway_file_info"]) == len(now["files"])
    assert sum(v for k, v in samples.items() if k[0] == "cofre_gateway_sessions") == 1


def test_info_knows_of_no_end_where_there_is_nobody(served):
    """Also of a worker that had a client before: what is no more is not told for ever."""
    with contextlib.ExitStack() as stack:
        for _ in range(8):  # on both workers
            assert stack.enter_context(served.raw()).ask("PING") == "PONG"
        a = stack.enter_context(served.raw())
        wait_until(lambda: b"gateway_client_ends_seconds" in a.ask("INFO", "tls"), 5, "INFO to tell")
    becomes(served, connections=0)
    served.certs.client("brief", "--days", "2")
    with served.raw("brief") as b:
        def told():
            found = re.search(rb"gateway_client_ends_seconds:(\d+)", b.ask("INFO", "tls"))
            return found and int(found.group(1)) <= 2 * 86400
        wait_until(told, 5, "the one who is there to be told alone")


def test_info_says_the_same(served, certs):
    certs.client("elapsed", "--not-before", "2020-01-01", "--not-after", "2020-02-01")
    knock(served, context=served.context("elapsed"))
    with served.raw() as a, served.raw("bob", version=ssl.TLSVersion.TLSv1_2) as b:
        assert a.ask("PING") == b.ask("PING") == "PONG"

        def same():
            """Workers report once a second: when nothing moves, all is the same but times."""
            info = dict(line.split(":", 1) for line in a.ask("INFO", "tls").decode().splitlines() if ":" in line)
            now = status(served)
            flat = {k: v for k, v in now.items() if isinstance(v, int) and k not in ("pid", "workers", "uptime_seconds")}
            flat |= {f"refused_{k}": v for k, v in now["refused"].items()}
            flat |= {f"handshake_usec_{k}" if k in ("sum", "count") else f"handshake_usec_le_{k}": v
                     for k, v in now["handshake_usec"].items()}
            same.different = {k: (v, info.get(f"gateway_{k}")) for k, v in flat.items()
                              if not (abs(v - int(info.get(f"gateway_{k}", -9))) <= 2 if k.endswith("ends_seconds")
                                      else str(v) == info.get(f"gateway_{k}"))}
            return set(same.different) <= {"requests", "bytes_in", "bytes_out"}  # asking moves these
        try:
            wait_until(same, 5, "INFO to say the same", 0.2)
        except AssertionError:
            raise AssertionError(same.different) from None
        info = a.ask("INFO", "tls").decode()
        for name in ("server_certificate_ends_seconds", "ca_ends_seconds", "client_ends_seconds"):
            assert int(re.search(rf"gateway_{name}:(\d+)", info).group(1)) > 86400  # the least, not the sum
        assert int(re.search(r"gateway_server_certificate_ends_seconds:(\d+)", info).group(1)) < 400 * 86400
        assert "gateway_trust_generation:1\r" in info


def test_reload_and_eviction(new_stack, stage):
    own = Certificates(stage.folder("own") / "certs")
    stack = new_stack(certs=own)
    other = Certificates(stage.folder("other") / "certs")
    ca = stack.gateway.secrets / "ca.crt"
    stack.gateway.put(own.ca.read_bytes() + other.ca.read_bytes(), "ca.crt")
    stack.gateway.signal(signal.SIGHUP)
    now = becomes(stack, trust_generation=2)
    assert hashlib.sha256(ca.read_bytes()).hexdigest() in [f["sha256"] for f in now["files"]]
    context = stack.context(None)
    context.load_cert_chain(*map(str, other.client("carol")))
    with stack.raw() as a, Raw(stack.tls(context=context)) as c:
        assert a.ask("PING") == c.ask("PING") == "PONG"
        assert sorted(becomes(stack, connections=2)["sessions_by_issuer"].values()) == [1, 1]
        stack.gateway.put(own.ca.read_bytes(), "ca.crt")
        stack.gateway.signal(signal.SIGUSR1)  # one of two is more than --max-evict
        becomes(stack, trust_generation=3, closed_untrusted=1)
        assert c.at_end() and a.ask("PING") == "PONG"


def test_whatever_else_goes_wrong_is_counted(new_stack, certs):
    stack = new_stack(gateway_options=("--max-connections", "3"))
    becomes(stack, connections=0)
    certs.client("fleeting", "--not-after", "+3 seconds")
    with stack.raw("fleeting") as brief, stack.raw() as a, stack.raw() as b:
        assert brief.ask("PING") == a.ask("PING") == b.ask("PING") == "PONG"
        now = becomes(stack, connections=3, turned_away=0, protocol_errors=0, tryagain=0, closed_expired=0, link_losses=0)
        knock(stack, context=stack.context())
        becomes(stack, turned_away=1)
        b.send_bytes(b"*1\r\n:1\r\n")
        assert b.read().startswith("ERR Protocol error") and b.at_end()
        becomes(stack, protocol_errors=1)
        stack.core.kill()
        becomes(stack, link_losses=now["workers"])
        assert a.ask("PING").startswith("TRYAGAIN")
        becomes(stack, tryagain=1)
        becomes(stack, closed_expired=1)
        stack.core.start()
        a.served()


# Hostile and broken clients of the socket

@pytest.mark.parametrize("request_bytes, code", [
    (b"GET /status HTTP/1.0\r\n\r\n", b"200"),
    (b"GET /status HTTP/1.1\nHost: x\n\n", b"200"),
    (b"GET /status?a=b HTTP/1.1\r\n\r\n", b"200"),
    (b"GET /status HTTP/1.1\r\nContent-Length: 99999\r\n\r\n", b"200"),
    (b"GET /status HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n", b"200"),
    (b"GET / HTTP/1.1\r\n\r\n", b"404"),
    (b"GET /status/ HTTP/1.1\r\n\r\n", b"404"),
    (b"GET /../status HTTP/1.1\r\n\r\n", b"404"),
    (b"POST /status HTTP/1.1\r\n\r\n", b"405"),
    (b"DELETE /sessions HTTP/1.1\r\n\r\n", b"405"),
    (b"GET /takeover HTTP/1.1\r\n\r\n", b"404"),
    (b"GET /status HTTP/2.0\r\n\r\n", b"400"),
    (b"GET  /status HTTP/1.1\r\n\r\n", b"400"),
    (b"GET status HTTP/1.1\r\n\r\n", b"400"),
    (b"get /status HTTP/1.1\r\n\r\n", b"400"),
    (b"GET /sta\0tus HTTP/1.1\r\n\r\n", b"400"),
    (b"\r\n\r\n", b"400"),
    (b"\x16\x03\x01\x02\x00\x01", b"400"),
    (b"*1\r\n$4\r\nPING\r\n", b"400"),
    (b"GET /" + b"a" * 8192, b"431"),
    (b"GET /status HTTP/1.1\r\n" + b"X: y\r\n" * 2000, b"431"),
    (b"", None),
])
def test_requests(served, request_bytes, code):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(served.gateway.status_socket))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            s.sendall(request_bytes)
        if not request_bytes:
            s.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = b"".join(iter(lambda: s.recv(1 << 16), b""))
    assert answer.split(b" ")[1] == code if code else answer == b""


def test_a_request_in_pieces(served):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(served.gateway.status_socket))
        for byte in b"GET /status HTTP/1.1\r\nHost: cofre\r\n\r\n":
            s.sendall(bytes([byte]))
        assert s.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")


def test_slow_clients_hold_nobody_up(served):
    """Silent ones, and such as ask for much and do not read: others are answered, and so are the gateway's clients."""
    with contextlib.ExitStack() as stack:
        context = served.context()
        for _ in range(100):
            stack.enter_context(Raw(served.tls(context=context)))
        r = stack.enter_context(served.raw())
        for n in range(100):
            s = stack.enter_context(socket.socket(socket.AF_UNIX))
            s.connect(str(served.gateway.status_socket))
            s.sendall(b"GET /sessions HTTP/1.1\r\n\r\n" if n % 2 else b"GET /st")
            if n % 10 == 0:
                began = time.monotonic()
                assert status(served)["pid"] == served.gateway.pid and r.ask("PING") == "PONG"
                assert time.monotonic() - began < 2
    becomes(served, connections=0)


# The socket in the file system

def test_only_its_user_may_ask(served):
    found = os.stat(served.gateway.status_socket)
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600
    if not am_root():
        return
    import pwd
    assert found.st_uid == pwd.getpwnam(GATEWAY_USER).pw_uid
    # Its directory is closed to others; so the mode is shown where others could come.
    os.chmod(served.gateway.secrets, 0o711)
    try:
        script = f"import socket; socket.socket(socket.AF_UNIX).connect({str(served.gateway.status_socket)!r})"
        done = subprocess.run(["setpriv", "--reuid", ensure_user(CORE_USER), "--clear-groups", "/usr/bin/python3", "-c", script],
                              capture_output=True, text=True, cwd="/")
        assert "PermissionError" in done.stderr
    finally:
        os.chmod(served.gateway.secrets, 0o700)


def test_stale_live_and_foreign_files(new_stack, stage):
    stack = new_stack()
    path = stack.gateway.status_socket
    stack.gateway.kill()
    assert path.exists()
    stack.gateway.start()  # what a dead process left is replaced
    assert status(stack)["pid"] == stack.gateway.pid

    def second():
        argv = list(stack.gateway.argv)
        argv[argv.index("--listen") + 1] = f"127.0.0.1:{free_port()}"
        process = support.Process(argv, stack.directory / "second.log", ensure_user(GATEWAY_USER))
        process.start(wait=False)
        return process.popen.wait(20), process.since_start()

    code, said = second()  # a living one's is not
    assert code == 2 and "another process listens there" in said and "--takeover" in said
    assert status(stack)["pid"] == stack.gateway.pid
    assert stack.gateway.stop() == 0 and not path.exists()
    path.write_text("precious")
    code, said = second()
    assert code == 2 and "is no socket" in said and path.read_text() == "precious"
    path.unlink()
    stack.gateway.start()


def test_curl(served):
    curl = subprocess.run(["curl", "-fsS", "--unix-socket", served.gateway.status_socket, "http://cofre/status"],
                          capture_output=True, text=True, timeout=20)
    assert curl.returncode == 0, curl.stderr
    assert json.loads(curl.stdout)["pid"] == served.gateway.pid


# The dry run

def dry_run(stack, **staged):
    """dry_run judges staged files (ca=PATH, crl=PATH): the exit code, and what was said."""
    argv = list(stack.gateway.argv)
    for option, value in staged.items():
        name = {"ca": "--client-ca", "crl": "--crl", "status": "--status", "pin": "--client-pin"}[option]
        if name in argv:
            argv[argv.index(name) + 1] = str(value)
        else:
            argv += [name, str(value)]
    as_user = ["--reuid", GATEWAY_USER, "--regid", GATEWAY_USER, "--clear-groups"] if am_root() else []
    done = subprocess.run(["setpriv", *as_user, "--", *map(str, argv), "--check"], capture_output=True, text=True, cwd="/",
                          timeout=30)
    return done.returncode, done.stdout, done.stderr


def test_dry_run(new_stack, stage, certs):
    stack = new_stack()
    other = Certificates(stage.folder("dry") / "certs")
    put = stack.gateway.put
    none = put(other.ca.read_bytes(), "staged-none.crt")
    both = put(certs.ca.read_bytes() + other.ca.read_bytes(), "staged-both.crt")
    code, out, err = dry_run(stack, ca=none)
    assert code == 0 and "0 of 0 sessions (0.0 %)" in out, (out, err)
    pair = certs.client("mallory")
    with stack.raw() as a, stack.raw() as b, stack.raw("bob") as c, stack.raw("mallory") as d:
        assert all(r.ask("PING") == "PONG" for r in (a, b, c, d))
        code, out, err = dry_run(stack, ca=both)
        assert code == 0 and "0 of 4 sessions (0.0 %) would be cut, of 0 of 3 identities" in out, (out, err)
        code, out, err = dry_run(stack, ca=none)
        assert code == 1 and "4 of 4 sessions (100.0 %) would be cut, of 3 of 3 identities" in out, (out, err)
        assert re.search(r"would be cut: cn:alice serial=\w+: .+ \(2 sessions\)", out)
        own = copy.copy(certs)  # so that she is revoked only here
        own.directory = shutil.copytree(certs.directory, stage.folder("dry-own") / "certs")
        own.run("revoke", "mallory")
        crl = put((own.directory / "ca.crl").read_bytes(), "staged.crl")
        code, out, err = dry_run(stack, crl=crl)
        assert code == 1 and "1 of 4 sessions (25.0 %) would be cut, of 1 of 3 identities" in out, (out, err)
        assert re.search(rf"would be cut: cn:mallory serial=0*{serial(pair.cert).lower().lstrip('0')}: .*revoked.* \(1 session\)", out)
        assert all(r.ask("PING") == "PONG" for r in (a, b, c, d))  # it was only a question
    code, out, err = dry_run(stack, status="/nonexistent/status.sock")
    assert code == 2 and "/nonexistent/status.sock" in err
    code, out, err = dry_run(stack, ca=put(b"rubbish", "staged-bad.crt"))
    assert code == 2 and "staged-bad.crt" in err
