"""The audit log: complete records of each kind, in a file or a table, never a value; and what happens when it cannot be written."""
import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from datetime import datetime, timezone

import pytest

from support import stack as support
from support.resp import Closed, Error
from support.stack import CORE_USER, am_root, wait_until
from test_options import refused

MARKER = "XyZzYvAlUeMaRkEr"


@pytest.fixture
def log(stage):
    """Where the core writes its audit log."""
    return stage.folder("audit") / "log"


def records(path, event=None):
    """records reads the file: every line must be a whole record of JSON."""
    text = path.read_bytes()
    assert text == b"" or text.endswith(b"\n")
    found = [json.loads(line) for line in text.decode().splitlines()]
    for r in found:
        at = datetime.strptime(r["time"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
        assert abs(at.timestamp() - time.time()) < 600 and re.search(r"\.\d{3}Z$", r["time"]) and list(r)[:2] == ["time", "event"]
    return [r for r in found if event in (None, r["event"])]


def written(path):
    """written returns (command, db, key) of each recorded write."""
    return [(r["command"], r["db"], r.get("key", r.get("key_hex"))) for r in records(path, "write")]


# --- a file ---------------------------------------------------------------------------------------------------------


def test_a_connections_life(new_stack, log):
    stack = new_stack(core_options=("--audit-file", log))
    with stack.raw("bob") as r:
        r.ask("CLIENT", "SETNAME", "x")
        peer = "{}:{}".format(*r.sock.getsockname())
        r.ask("QUIT")
    wait_until(lambda: [d for d in records(log, "disconnect") if d["peer"] == peer], 10, "the disconnect")
    connect, = (c for c in records(log, "connect") if c["peer"] == peer)
    disconnect, = (c for c in records(log, "disconnect") if c["peer"] == peer)
    pair = stack.certs.client("bob")
    text = support.subprocess.run(["openssl", "x509", "-in", pair.cert, "-noout", "-serial", "-fingerprint", "-sha256", "-enddate"],
                                  capture_output=True, text=True, check=True).stdout
    serial, fingerprint, ends = (line.split("=", 1)[1] for line in text.splitlines())
    assert connect["identity"] == disconnect["identity"] == "cn:bob" and connect["session"] == disconnect["session"]
    assert connect["serial"].upper() == serial and connect["fingerprint"].upper() == fingerprint.replace(":", "")
    assert connect["issuer"].startswith("CN=Cofre CA ") and connect["tls"] == "TLSv1.3" and connect["cipher"].startswith("TLS_")
    assert connect["certificate_ends"] == datetime.strptime(ends, "%b %d %H:%M:%S %Y GMT").strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert connect["connected_at"] == disconnect["connected_at"] and disconnect["commands"] == 2 and disconnect["reason"]
    start, = records(log, "start")
    assert start["writes"] is False and start["required"] is False and re.fullmatch("[0-9a-f]{40}", start["run"])
    assert stack.core.stop() == 0
    stop, = records(log, "stop")
    assert stop["run"] == start["run"] and stop["reason"] == "SIGTERM"
    assert records(log, "write") == []


def test_why_a_client_was_closed(new_stack, log):
    """The gateway's reasons, and the core's own, down to its end."""
    stack = new_stack(core_options=("--audit-file", log), gateway_options=("--idle-timeout", "1.5"))
    [stack.certs.client(name) for name in ("idler", "broken", "stays")]
    with stack.raw("idler") as idler, stack.raw("broken") as broken:
        assert idler.ask("PING") == "PONG"
        broken.send_bytes(b"*1\r\n$nonsense\r\n")
        broken.read()
        with pytest.raises((Closed, OSError)):
            idler.read()
    reasons = wait_until(lambda: (r := {d["identity"]: d["reason"] for d in records(log, "disconnect")}).keys() >= {"cn:idler", "cn:broken"} and r,
                         10, "the reasons")
    assert reasons["cn:idler"] == "idle for too long" and reasons["cn:broken"].startswith("Protocol error")
    with stack.raw("stays") as r:
        r.ask("PING")
        stack.core.stop()
    ends = [d for d in records(log, "disconnect") if d["identity"] == "cn:stays"]
    assert len(ends) == 1 and ends[0]["reason"] == "the core stops" and records(log)[-1]["event"] in ("disconnect", "stop")


def test_administrators_commands(new_stack, log):
    stack = new_stack(core_options=("--audit-file", log))
    with stack.raw() as r:
        r.ask("CONFIG", "SET", "slowlog-max-len", "64", "requirepass", MARKER)
        r.ask("CONFIG", "SET", "requirepass", "", "slowlog-max-len", "64")
        r.ask("CONFIG", "SET", "slowlog-max-len", "64", "latency-tracking", "yes")
        r.ask_all([("CONFIG", "GET", "*"), ("INFO",), ("SLOWLOG", "GET"), ("KEYS", "*"), ("GET", "k")])
        r.ask_all([("FLUSHDB",), ("SELECT", "3"), ("FLUSHALL", "ASYNC"), ("SLOWLOG", "RESET"), ("LATENCY", "RESET", "turn")])
        r.ask_all([("MULTI",), ("CONFIG", "RESETSTAT"), ("FLUSHDB",), ("EXEC",)])
    found = [(a["command"], a["db"], a.get("args"), a["failed"]) for a in records(log, "admin")]
    assert found == [
        ("config|set", 0, None, True), ("config|set", 0, ["requirepass", "(redacted)", "slowlog-max-len", "64"], False),
        ("config|set", 0, ["slowlog-max-len", "64", "latency-tracking", "yes"], False),
        ("flushdb", 0, [], False), ("flushall", 3, ["ASYNC"], False), ("slowlog|reset", 3, [], False),
        ("latency|reset", 3, [], False), ("config|resetstat", 3, [], False), ("flushdb", 3, [], False)]
    assert MARKER not in log.read_text()


@pytest.mark.skipif(not am_root(), reason="needs another user of this machine")
def test_a_stranger_at_the_socket(new_stack, log):
    stack = new_stack(core_options=("--audit-file", log))
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(stack.core.socket))
        s.settimeout(5)
        assert s.recv(100) == b""
    found, = wait_until(lambda: records(log, "refused"), 5, "the record")
    assert found["uid"] == os.getuid() and found["pid"] == os.getpid() and found["reason"]


def test_writes_are_recorded_by_key(new_stack, log):
    """What has changed a key, in order, once it is certain; what has changed nothing is not there."""
    stack = new_stack(core_options=("--audit-file", log, "--audit-writes"))
    with stack.raw() as r:
        r.ask_all([("SET", "a", "1"), ("GET", "a"), ("SETNX", "a", "2"), ("SETNX", "b", "2"), ("DEL", "nothing", "b", "gone"),
                   ("MSET", "c", "1", "d", "1"), ("INCR", "a"), ("INCR", "d"), ("EXPIRE", "a", "100"), ("PERSIST", "a"),
                   ("PERSIST", "a"), ("GETEX", "a"), ("GETEX", "a", "EX", "5"), ("APPEND", "b", "x"), ("INCR", "b"),
                   ("RENAME", "b", "e"), ("RENAME", "nothing", "e"), ("COPY", "e", "f", "DB", "2"), ("GETDEL", "e")])
        r.ask_all([("SELECT", "1"), ("MULTI",), ("SET", "t", "1"), ("GET", "t"), ("INCR", "t"), ("EXEC",), ("WATCH", "t")])
        with stack.raw() as other:
            other.ask_all([("SELECT", "1"), ("SET", "t", "2")])
        r.ask_all([("MULTI",), ("SET", "never", "1"), ("EXEC",)])
        r.ask("SET", b"\xff\0bin", "v")
        r.ask("SET", 'quote"\\\n', "v")
    found = written(log)
    assert found == [
        ("set", 0, "a"), ("setnx", 0, "b"), ("del", 0, "b"), ("mset", 0, "c"), ("mset", 0, "d"), ("incr", 0, "a"), ("incr", 0, "d"),
        ("expire", 0, "a"), ("persist", 0, "a"), ("getex", 0, "a"), ("append", 0, "b"), *sorted([("rename", 0, "b"), ("rename", 0, "e")],
        key=[x for x in found if x[0] == "rename"].index), ("copy", 2, "f"), ("getdel", 0, "e"),
        ("set", 1, "t"), ("incr", 1, "t"), ("set", 1, "t"), ("set", 1, "ff0062696e"), ("set", 1, 'quote"\\\n')]
    for w in records(log, "write"):
        assert w["identity"] == "cn:alice" and w["session"] > 0 and w["peer"]


def test_the_revision_that_was_replaced(new_stack, log):
    stack = new_stack(core_options=("--audit-file", log, "--audit-writes"))
    with stack.raw() as r:
        r.ask("SET", "k", "1")
        revision = int(stack.sql("SELECT revision FROM cofre.entry"))
        r.ask("INCR", "k")
        r.ask("SETNX", "new", "1")
        later = int(stack.sql("SELECT revision FROM cofre.entry WHERE key = 'k'"))
        r.ask_all([("DEL", "k"), ("SETNX", "k", "v")])
    found = [w.get("replaced_revision") for w in records(log, "write")]
    assert found[:3] == [None, revision, 0] and later > revision and found[3] == later


def write_commands(r):
    """write_commands returns the names of all commands that write."""
    return sorted(row[0].decode() for row in r.ask("COMMAND") if "write" in row[2])


# arguments of what the general shapes below do not reach
SHAPES = {
    "set": [("k", MARKER), ("k", MARKER, "EX", "100", "GET"), (MARKER + "-as-a-key", "v")],
    "setex": [("k", "100", MARKER)], "psetex": [("k", "100000", MARKER)], "setrange": [("k", "3", MARKER)],
    "mset": [("k", MARKER, "l", MARKER)], "msetnx": [("m1", MARKER, "m2", MARKER)], "copy": [("k", "copied")],
    "rename": [("k", "k2")], "renamenx": [("k", "k3")], "expire": [("k", "100")], "pexpire": [("k", "100000")],
    "flushall": [], "flushdb": [],
}


def test_no_value_is_ever_in_it(new_stack, log):
    """A value goes through every write command there is, in every place that takes one, failing and not, and in none of the records."""
    stack = new_stack(core_options=("--audit-file", log, "--audit-writes"))
    with stack.raw() as r:
        names = write_commands(r)
        assert len(names) >= 25
        for name in names:
            shapes = SHAPES.get(name, [("k",), ("k", MARKER), ("k", "1", MARKER), ("k", MARKER, "1"), ("k", "0", MARKER, "REPLACE"),
                                       ("k", "IFEQ", MARKER), ("1", "k", MARKER), ("or", "k", "l"), ("k", MARKER, "l", MARKER)])
            for shape in shapes:
                if MARKER + "-as-a-key" not in shape:
                    r.ask("SET", "k", MARKER)
                    r.ask(name, *shape)
                    r.ask_all([("MULTI",), (name, *shape), ("EXEC",)])
        r.ask_all([("GET", "k"), ("ECHO", MARKER), ("AUTH", MARKER, MARKER), (MARKER, MARKER), ("SET", "k" * 3000, MARKER)])
        for command in (("PUBLISH", "c", MARKER), ("CLIENT", "SETNAME", MARKER), ("DEBUG", MARKER, MARKER), ("RESTORE", "k", "0", MARKER)):
            r.ask(*command)
    assert len(records(log, "write")) > 60 and MARKER not in log.read_text()
    assert MARKER.encode() not in stack.core.text()


def test_mode_and_rotation(new_stack, log):
    stack = new_stack(core_options=("--audit-file", log, "--audit-writes"))
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    done, count = threading.Event(), 0
    rotated = [log]

    def load():
        nonlocal count
        with stack.raw() as r:
            while not done.is_set():
                count += r.ask_all([("INCR", "n")] * 20)[-1] > 0 and 20

    thread = threading.Thread(target=load)
    thread.start()
    for n in range(1, 6):
        time.sleep(0.1)
        aside = log.with_name(f"log.{n}")
        log.rename(aside)
        rotated.append(aside)
        stack.core.signal(signal.SIGHUP)
        wait_until(log.exists, 5, "the new file")
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
    done.set()
    thread.join(30)
    wait_until(lambda: sum(len(records(p, "write")) for p in rotated) == count, 5, "every write to be in one of the files")
    assert all(records(p) for p in rotated[1:]) and stack.core.running
    numbers = [r["session"] for p in rotated for r in records(p, "write")]
    assert len(set(numbers)) == 1


def test_a_rotation_that_cannot_be(new_stack, log):
    """The new file cannot be opened: the old one stays in use, and the log says so."""
    stack = new_stack(core_options=("--audit-file", log, "--audit-writes"))
    aside = log.with_name("aside")
    log.rename(aside)
    log.mkdir()
    stack.core.signal(signal.SIGHUP)
    stack.core.logged("the audit file cannot be opened anew")
    with stack.raw() as r:
        r.ask("SET", "k", "v")
    assert ("set", 0, "k") in written(aside)


def limit_size(core, size):
    """limit_size lets no file of the core grow beyond so many bytes: as good as a full disk, and can be undone."""
    as_its_user = ["setpriv", "--reuid", core.user, "--regid", core.user, "--clear-groups", "--"] if am_root() else []
    subprocess.run([*as_its_user, "prlimit", "--pid", str(core.pid), f"--fsize={size}:"], check=True)


@pytest.mark.parametrize("is_required", [True, False], ids=["required", "not required"])
def test_a_disk_that_is_full(new_stack, log, is_required):
    options = ("--audit-required",) if is_required else ()
    stack = new_stack(core_options=("--audit-file", log, "--audit-writes", *options))
    with stack.raw() as r, stack.raw() as multi:
        r.ask_all([("SET", f"k{n}", "v") for n in range(50)])
        multi.ask_all([("MULTI",), ("SET", "queued", "v")])
        assert config_of(r, "cofre-audit-required") == ("yes" if is_required else "no")
        limit_size(stack.core, log.stat().st_size + 50)
        assert r.ask("SET", "last", "v") == "OK"  # nobody knows yet
        wait_until(lambda: figures(r)["audit_state"] == "failing", 5, "it to fail")
        stack.core.logged("the audit log cannot be written")
        if is_required:
            refusal = "MISCONF the audit log cannot be written, and so no key either: File too large"
            assert r.ask("SET", "refused", "v") == r.ask("FLUSHALL") == refusal
            assert multi.ask("EXEC") == "EXECABORT Transaction discarded because of: " + refusal
            assert r.ask("GET", "last") == b"v" and r.ask("GET", "queued") is None
            assert r.ask_all([("MULTI",), ("GET", "last"), ("EXEC",)])[-1] == [b"v"]
        else:
            assert r.ask("SET", "meanwhile", "v") == "OK" and multi.ask("EXEC") == ["OK"]
        limit_size(stack.core, "unlimited")
        wait_until(lambda: figures(r)["audit_state"] == "ok", 5, "it to heal")
        assert r.ask("SET", "after", "v") == "OK"
    names = [w[2] for w in written(log)]
    assert names == [f"k{n}" for n in range(50)] + ["last"] + ([] if is_required else ["meanwhile", "queued"]) + ["after"]


def config_of(r, name):
    return r.ask("CONFIG", "GET", name)[1].decode()


def figures(r):
    return dict(line.split(":", 1) for line in r.ask("INFO", "cofre").decode().split("\r\n") if ":" in line)


# --- the table ------------------------------------------------------------------------------------------------------


def rows(stack, event="%"):
    found = stack.sql(f"SELECT record FROM cofre.audit WHERE event LIKE '{event}' ORDER BY core, number")
    return [json.loads(line) for line in found.splitlines()]


def test_table(new_stack):
    stack = new_stack(core_options=("--audit", "table", "--audit-writes"))
    with stack.raw("bob") as r:
        r.ask_all([("SET", f"k{n}", MARKER) for n in range(1200)])
        r.ask("CONFIG", "SET", "slowlog-max-len", "128")
        wait_until(lambda: len(rows(stack, "write")) == 1200, 10, "the records")
    assert [w["key"] for w in rows(stack, "write")] == [f"k{n}" for n in range(1200)]
    assert rows(stack, "admin")[0]["args"] == ["slowlog-max-len", "128"]
    stack.core.stop()  # writes what waits, the ends of sessions included
    kinds = [r["event"] for r in rows(stack)]
    assert kinds[0] == "start" and set(kinds) == {"start", "connect", "write", "admin", "disconnect", "stop"}
    assert kinds.count("connect") == kinds.count("disconnect")
    assert stack.sql("SELECT count(*) FROM cofre.audit WHERE record LIKE '%" + MARKER + "%'") == "0"
    assert stack.sql("SELECT count(*) FROM cofre.audit WHERE at <> (extract(epoch FROM (record::jsonb->>'time')::timestamptz) * 1000)::bigint") == "0"


def test_table_over_lost_connections(new_stack):
    """However often connections break, each record is there once."""
    stack = new_stack(core_options=("--audit", "table", "--audit-writes"))
    count = 0
    with stack.raw() as r:
        for _ in range(6):
            for _ in range(20):
                count += sum(reply == "OK" for reply in r.ask_all([("SET", f"k{n}", "v") for n in range(10)]))
                time.sleep(0.01)
            stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        wait_until(lambda: figures(r)["audit_records_waiting"] == "0" and figures(r)["audit_state"] == "ok", 15, "the last of them")
        assert figures(r)["audit_records_lost"] == "0"
    assert count == 1200 and len(rows(stack, "write")) == 1200
    assert stack.sql("SELECT count(*) = max(number) + 1 FROM cofre.audit") == "t"


def test_a_table_that_cannot_be_written(new_stack, pg):
    stack = new_stack(core_options=("--audit", "table", "--audit-writes", "--audit-required"))
    with stack.raw() as r:
        assert r.ask("SET", "k", "v") == "OK"
        stack.sql("ALTER TABLE cofre.audit RENAME TO elsewhere")
        r.ask("SET", "k", "w")
        wait_until(lambda: isinstance(r.ask("SET", "k", "x"), Error), 5, "writes to be refused", 0.1)
        assert str(r.ask("SET", "k", "x")).startswith("MISCONF the audit log cannot be written") and r.ask("GET", "k") is not None
        stack.core.logged('the audit log cannot be written.*"?relation')
        stack.sql("ALTER TABLE cofre.elsewhere RENAME TO audit")
        wait_until(lambda: r.ask("SET", "k", "y") == "OK", 10, "writes to be taken", 0.1)


def test_a_role_that_may_only_add_is_enough(new_stack, pg):
    """Append-only for the core's own role: it can neither change nor take away what it has recorded."""
    stack = new_stack(core_options=("--audit", "table", "--audit-writes"))
    stack.sql("ALTER TABLE cofre.audit OWNER TO postgres; GRANT INSERT ON cofre.audit TO cofre")
    with stack.raw() as r:
        r.ask("SET", "k", "v")
        wait_until(lambda: rows(stack, "write"), 10, "the record")
        assert figures(r)["audit_state"] == "ok"
    assert stack.sql("SELECT has_table_privilege('cofre', 'cofre.audit', 'UPDATE') OR has_table_privilege('cofre', 'cofre.audit', 'DELETE')") == "f"


def test_a_schema_of_version_1_is_migrated(new_stack):
    stack = new_stack(core_options=("--audit", "table"))
    with stack.raw() as r:
        r.ask("SET", "k", "v")
    stack.stop()
    stack.sql("DROP TABLE cofre.audit; UPDATE cofre.schema SET version = 1")
    refused(stack.core.argv, "version 1", "version 2", "--create-schema", user=CORE_USER)
    stack.core.create_schema()
    assert stack.sql("SELECT version FROM cofre.schema") == "2" and stack.sql("SELECT count(*) FROM cofre.audit") == "0"
    stack.core.start()
    stack.gateway.start()
    wait_until(stack.alive, 15, "to be served")
    with stack.raw() as r:
        assert r.ask("GET", "k") == b"v"
    wait_until(lambda: rows(stack, "connect"), 10, "a record")


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options, words", [
    (["--audit", "file"], ["--audit-file PATH is missing"]),
    (["--audit", "elsewhere"], ["--audit", "none.*file.*table"]),
    (["--audit", "table", "--audit-file", "/tmp/x"], ["--audit-file is for --audit file"]),
    (["--audit-writes"], ["--audit-writes", "--audit-file PATH or --audit table"]),
    (["--audit-required"], ["--audit-required"]),
    (["--audit-file", "/nonexistent/log"], ["/nonexistent/log", "No such file"]),
    (["--audit-file", "/dev/null"], ["/dev/null", "not a regular file"]),
    (["--audit-file", "/"], ["--audit-file /"]),
], ids=lambda x: " ".join(x)[:30])
def test_options_that_cannot_be(stage, pg, options, words):
    core = support.Core(stage.folder("options"), pg.conninfo(pg.create_database()))
    refused([*core.argv, *options], *words, user=CORE_USER)
