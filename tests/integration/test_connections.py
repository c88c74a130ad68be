"""CLIENT, MONITOR, RESET, QUIT and COMMAND: what they show is so, what they do to others is done once, nothing is lost."""
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
import redis

from support.resp import Closed, Error, encode
from support.stack import wait_until
from support.tunnel import Tunnel


@pytest.fixture
def ours(request):
    """ours skips what Redis 7.0 does not have, or does otherwise."""
    if request.config.getoption("--against-redis"):
        pytest.skip("not in Redis 7.0")


def fields(line):
    """fields of one line of CLIENT LIST."""
    return dict(pair.split("=", 1) for pair in line.decode().split())


def listed(r, *args):
    return [fields(line) for line in r.ask("CLIENT", "LIST", *args).splitlines()]


def me(r):
    return r.ask("CLIENT", "ID")


def ended(r, timeout=10):
    """ended: the other side has closed it, after whatever it sent before."""
    r.sock.settimeout(timeout)
    try:
        while True:
            r.read()
    except (Closed, ssl.SSLError):
        return True
    except socket.timeout:
        return False


# --- CLIENT LIST, INFO --------------------------------------------------------------------------

REDIS_FIELDS = ("id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll "
                "omem tot-mem events cmd user redir resp").split()


def test_fields(stack):
    with stack.raw() as r:
        info = fields(r.ask("CLIENT", "INFO"))
        assert list(info)[:len(REDIS_FIELDS)] == REDIS_FIELDS
        assert info["cmd"] == "client|info" and info["qbuf"] == "26" and info["argv-mem"] == "10" and info["resp"] == "2"
        assert info["laddr"] == f"127.0.0.1:{stack.port}" and info["addr"].startswith("127.0.0.1:")
        r.ask("SELECT", 3), r.ask("HELLO", 3, "SETNAME", "bob"), r.ask("MULTI"), r.ask("SET", "k", "v")
        with stack.raw() as other:
            line, = listed(other, "ID", info["id"])
        assert (line["db"], line["name"], line["resp"], line["multi"], line["flags"]) == ("3", "bob", "3", "1", "x")
        assert line["multi-mem"] == str(len(encode("SET", "k", "v"))) or line["multi-mem"] != "0"


def test_what_only_we_show(stack, ours):
    with stack.raw("bob", version=ssl.TLSVersion.TLSv1_2) as r:
        r.ask_all([("CLIENT", "SETINFO", "lib-name", "tester"), ("CLIENT", "SETINFO", "LIB-VER", "1.2")])
        info = fields(r.ask("CLIENT", "INFO"))
        assert info["identity"] == info["user"] == "cn:bob" and info["tls"] == "TLSv1.2" and "GCM" in info["cipher"]
        assert int(info["cert-expires"]) > time.time() and re.fullmatch("[0-9a-f]+", info["cert-serial"].lower())
        assert (info["lib-name"], info["lib-ver"]) == ("tester", "1.2")


def test_each_filter(stack, ours):
    with stack.raw() as a, stack.raw() as b, stack.raw("bob") as c:
        ids = {x: me(x) for x in (a, b, c)}
        a.ask_all([("CLIENT", "SETNAME", "aa"), ("SELECT", 5), ("CLIENT", "SETINFO", "lib-name", "lib")])
        address = {x: listed(a, "ID", ids[x])[0]["addr"] for x in ids}
        now = time.time()

        def found(*args):
            return {int(line["id"]) for line in listed(a, *args)} & set(ids.values())
        everyone = set(ids.values())
        assert found() == everyone == found("TYPE", "normal") and found("type", "pubsub") == set()
        assert found("TYPE", "replica") == found("TYPE", "master") == set()
        assert [int(x["id"]) for x in listed(a, "ID", ids[c], ids[a], ids[a], 1 << 60)] == [ids[c], ids[a], ids[a]]
        assert found("USER", "cn:bob") == {ids[c]} and found("USER", "cn:alice") == {ids[a], ids[b]}
        assert found("ADDR", address[b]) == {ids[b]} and found("ADDR", "127.0.0.1:1") == set()
        assert found("LADDR", f"127.0.0.1:{stack.port}") == everyone == found("IP", "127.0.0.1")
        assert found("SKIPME", "yes") == everyone - {ids[a]} and found("SKIPME", "no") == everyone
        assert found("NAME", "aa") == {ids[a]} and found("NAME", "") >= {ids[b], ids[c]}
        assert found("DB", 5) == {ids[a]} == found("LIB-NAME", "lib") and found("LIB-VER", "x") == set()
        assert found("ID", ids[a], ids[b], "USER", "cn:bob") == set()
        assert found("ID", ids[c], "USER", "cn:bob", "TYPE", "normal") == {ids[c]}
        wait_until(lambda: time.time() - now > 2.1, 5)
        with stack.raw() as young:
            assert me(young) not in found("MAXAGE", 2) | {0} and found("MAXAGE", 2) == everyone
            assert found("IDLE", 2) == {ids[b], ids[c]} and found("MAXAGE", 1000) == set()


@pytest.mark.parametrize("command,error", [
    ("LIST FOO", "syntax error"), ("LIST TYPE", "syntax error"), ("LIST TYPE x", "Unknown client type 'x'"),
    ("LIST ID", "syntax error"), ("LIST ID x", "Invalid client ID"), ("LIST ID 1 x", "Invalid client ID"),
    ("KILL ID x", "client-id should be greater than 0"), ("KILL ID 0", "client-id should be greater than 0"),
    ("KILL ID 5 x", "syntax error"), ("KILL TYPE x", "Unknown client type 'x'"), ("KILL USER no-one", "No such user 'no-one'"),
    ("KILL SKIPME maybe", "syntax error"), ("KILL x", "No such client"), ("KILL FOO bar", "syntax error"),
    ("PAUSE x", "timeout is not an integer or out of range"), ("PAUSE -1", "timeout is negative"),
    ("PAUSE 1 FOO", "CLIENT PAUSE mode must be WRITE or ALL"), ("REPLY x", "syntax error"), ("NO-EVICT x", "syntax error"),
    ("UNBLOCK x", "value is not an integer or out of range"),
    ("UNBLOCK 1 x", "CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
    ("PAUSE 1 WRITE x", "unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP.")])
def test_wrong_arguments(stack, command, error):
    with stack.raw() as r:
        assert r.ask("CLIENT", *command.split()) == "ERR " + error and r.ask("PING") == "PONG"


def test_wrong_numbers(stack, ours):
    with stack.raw() as r:
        assert r.ask("CLIENT", "LIST", "MAXAGE", "0") == "ERR maxage should be greater than 0"
        assert r.ask("CLIENT", "KILL", "MAXAGE", "x") == "ERR maxage is not an integer or out of range"
        assert r.ask("CLIENT", "LIST", "IDLE", "-1") == "ERR idle should be at least 0"


# --- CLIENT KILL --------------------------------------------------------------------------------

def test_kill_others(stack):
    with stack.raw() as r, stack.raw() as a, stack.raw() as b, stack.raw("bob") as c:
        ids = {x: me(x) for x in (a, b, c)}
        address = listed(r, "ID", ids[a])[0]["addr"]
        assert r.ask("CLIENT", "KILL", address) == "OK" and ended(a)
        assert r.ask("CLIENT", "KILL", address) == "ERR No such client"
        assert r.ask("CLIENT", "KILL", "ID", ids[a]) == 0 and r.ask("CLIENT", "KILL", "ID", ids[b]) == 1 and ended(b)
        assert r.ask_all([("CLIENT", "KILL", "ID", ids[c]), ("CLIENT", "KILL", "ID", ids[c])]) == [1, 0] and ended(c)
        assert {int(x["id"]) for x in listed(r)} & set(ids.values()) == set()


def test_kill_by_user_and_age(stack, ours):
    with stack.raw() as r, stack.raw("carol") as a, stack.raw("carol") as b:
        me(a), me(b)
        assert r.ask("CLIENT", "KILL", "USER", "cn:carol", "MAXAGE", 1000) == 0
        assert r.ask("CLIENT", "KILL", "USER", "cn:carol", "SKIPME", "no") == 2 and ended(a) and ended(b)
        assert r.ask("CLIENT", "KILL", "USER", "cn:carol") == "ERR No such user 'cn:carol'"


def test_kill_oneself(stack):
    """The reply comes, and what was in flight before it; what came behind it is not carried out."""
    with stack.raw() as r, stack.raw() as other:
        mine = me(r)
        assert r.ask("CLIENT", "KILL", "ID", mine) == 0
        r.send_bytes(b"".join([encode("SET", "k", 1), encode("CLIENT", "KILL", "ID", mine, "SKIPME", "no"),
                               encode("SET", "k", 2)]))
        assert [r.read(), r.read()] == ["OK", 1] and ended(r) and other.ask("GET", "k") == b"1"


def test_kill_in_a_transaction(stack):
    """It is done once the transaction is, and the transaction's own reply comes first."""
    with stack.raw() as r, stack.raw() as a:
        victim, mine = me(a), me(r)
        r.ask("WATCH", "k"), a.ask("SET", "k", 0), r.ask("MULTI"), r.ask("CLIENT", "KILL", "ID", victim)
        assert r.ask("EXEC") == ("null array",) and a.ask("PING") == "PONG"
        replies = r.ask_all([("MULTI",), ("CLIENT", "KILL", "ID", victim), ("INCR", "k"),
                             ("CLIENT", "KILL", "ID", mine, "SKIPME", "no"), ("EXEC",)])
        assert replies[-1] == [1, 1, 1] and ended(a) and ended(r)


def test_killed_clients_start_nothing_more(stack):
    """A long pipeline is cut where the kill found it: a prefix of it took effect, and nothing after the connection's end."""
    with stack.raw() as r, stack.raw() as a:
        victim = me(a)
        a.send_bytes(b"".join(encode("INCR", "n") for _ in range(5000)))
        assert r.ask("CLIENT", "KILL", "ID", victim) == 1 and ended(a)
        settled = wait_until(lambda: (x := r.ask("GET", "n")) == (time.sleep(0.2), r.ask("GET", "n"))[1] and (x or b"0"), 10)
        assert 0 <= int(settled) <= 5000


# --- switches -----------------------------------------------------------------------------------

def test_switches(stack, ours):
    with stack.raw() as r:
        assert r.ask("CLIENT", "NO-EVICT", "on") == "OK" and fields(r.ask("CLIENT", "INFO"))["flags"] == "e"
        assert r.ask("CLIENT", "NO-TOUCH", "ON") == "OK" and fields(r.ask("CLIENT", "INFO"))["flags"] == "eT"
        assert r.ask("CLIENT", "NO-EVICT", "off") == "OK" and fields(r.ask("CLIENT", "INFO"))["flags"] == "T"
        assert r.ask("CLIENT", "UNBLOCK", me(r)) == 0 and r.ask("CLIENT", "UNBLOCK", 1, "ERROR") == 0


def test_reply_modes_in_pipelines(stack, request):
    with stack.raw() as r:
        def sent(*commands):
            r.send_bytes(b"".join(encode(*c.split()) for c in commands))
        sent("CLIENT REPLY SKIP", "SET k 1", "GET k")
        assert r.read() == b"1"
        sent("CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "INCR k")
        assert r.read() == 2
        sent("CLIENT REPLY SKIP", "NOSUCH", "GET k")
        assert r.read() == b"2"
        sent("CLIENT REPLY SKIP", "CLIENT REPLY ON", "GET k")
        assert [r.read(), r.read()] == ["OK", b"2"]
        sent("CLIENT REPLY OFF", "INCR k", "NOSUCH", "GET", "MULTI", "INCR k", "EXEC", "CLIENT REPLY SKIP", "SCAN 0",
             "CLIENT REPLY ON", "GET k")
        assert [r.read(), r.read()] == ["OK", b"4"]
        sent("CLIENT REPLY SKIP", "MULTI", "INCR k", "EXEC")
        assert [r.read(), r.read()] == ["QUEUED", [5]]
        sent("WATCH k", "CLIENT REPLY SKIP", "WATCH k", "UNWATCH")
        assert [r.read(), r.read()] == ["OK", "OK"]
        sent("CLIENT REPLY OFF", *["SET k x"] * 20000, "GET k", "CLIENT REPLY ON", "PING")  # over every mark of the gateway
        assert [r.read(), r.read()] == ["OK", "PONG"]
        sent("CLIENT REPLY OFF", "SET k bye", "QUIT")
        assert request.config.getoption("--against-redis") or ended(r)  # Redis waits for a reply to have been written
    with stack.raw() as r:
        assert r.ask("GET", "k") == b"bye"


def test_a_session_without_replies_ends_with_the_core(new_stack, ours):
    """What the gateway would have to answer for it must not be answered; with replies on again, it is like any other."""
    stack = new_stack()
    with stack.raw() as off, stack.raw() as on, stack.raw() as monitor:
        for r in (off, on):
            r.send_bytes(encode("CLIENT", "REPLY", "OFF") + encode("SET", "k", 1))
        monitor.ask("MONITOR")
        assert on.ask("CLIENT", "REPLY", "ON") == "OK"
        with stack.raw() as r:
            assert wait_until(lambda: r.ask("GET", "k") == b"1")
        stack.core.kill()
        assert ended(off) and ended(monitor)
        stack.core.start()
        assert wait_until(lambda: on.ask("GET", "k") == b"1")


# --- CLIENT PAUSE -------------------------------------------------------------------------------

def took(r, *command):
    start = time.monotonic()
    return r.ask(*command), time.monotonic() - start


def test_pause_all(stack):
    with stack.raw() as r, stack.raw() as a:
        assert r.ask("CLIENT", "PAUSE", 600) == "OK"
        assert a.ask("GET") == "ERR wrong number of arguments for 'get' command" and a.ask("NOSUCH").startswith("ERR unknown")
        reply, seconds = took(a, "PING")
        assert reply == "PONG" and 0.3 < seconds < 5


def test_pause_can_be_ended(stack, ours):
    with stack.raw() as r, stack.raw() as a, stack.raw() as b:
        r.ask("CLIENT", "PAUSE", 60000, "ALL")
        a.send("PING")
        assert r.ask("CLIENT", "UNPAUSE") == "OK" and a.read() == "PONG" and b.ask("PING") == "PONG"


@pytest.mark.parametrize("command,held", [
    ("GET k", False), ("PING", False), ("CLIENT LIST", False), ("WATCH k", False), ("MULTI", False), ("DBSIZE", False),
    ("SET k v", True), ("DEL k", True), ("FLUSHALL", True), ("EXPIRE k 100", True)])
def test_pause_of_writes(stack, command, held):
    with stack.raw() as r, stack.raw() as a:
        a.ask("SET", "k", "old")
        r.ask("CLIENT", "PAUSE", 60000, "WRITE")
        try:
            a.send(*command.split())
            if held:
                mine = wait_until(lambda: [x for x in listed(r) if x["flags"] == "b"])
                assert len(mine) == 1 and r.ask("GET", "k") == b"old"
                assert r.ask("CLIENT", "UNPAUSE") == "OK"
            a.read()
        finally:
            r.ask("CLIENT", "UNPAUSE")
        assert wait_until(lambda: not [x for x in listed(r) if "b" in x["flags"]])


def test_pause_and_transactions(stack):
    """A transaction is held at its EXEC; a pause that one begins, begins at its end."""
    with stack.raw() as r, stack.raw() as a, stack.raw() as b:
        a.ask_all([("MULTI",), ("SET", "k", 1)])
        b.ask_all([("MULTI",), ("GET", "k")])
        assert r.ask_all([("MULTI",), ("CLIENT", "PAUSE", 60000, "WRITE"), ("SET", "k", 0), ("EXEC",)])[-1] == ["OK", "OK"]
        assert b.ask("EXEC") == [b"0"]
        a.send("EXEC")
        assert wait_until(lambda: [x for x in listed(r) if "b" in x["flags"]]) and r.ask("GET", "k") == b"0"
        assert r.ask("CLIENT", "UNPAUSE") == "OK" and a.read() == ["OK"]


def test_pauses_add_up(stack):
    with stack.raw() as r, stack.raw() as a:
        r.ask_all([("CLIENT", "PAUSE", 900, "WRITE"), ("CLIENT", "PAUSE", 1, "ALL")])
        reply, seconds = took(a, "PING")  # the later end, the stricter kind
        assert reply == "PONG" and seconds > 0.4


def test_pause_under_load(stack):
    """Eight writers pipeline numbered writes through ten pauses: each is carried out once, in order, and answered."""
    failures, stop = [], threading.Event()

    def write(name):
        try:
            with stack.raw() as r:
                n = 0
                while not stop.is_set():
                    batch = [x for i in range(20) for x in (("INCR", name), ("APPEND", f"log:{name}", f"{n + i + 1},"))]
                    replies = r.ask_all(batch)
                    assert replies[::2] == list(range(n + 1, n + 21)), (name, n, replies)
                    n += 20
                assert r.ask("GET", f"log:{name}") == "".join(f"{i + 1}," for i in range(n)).encode()
        except Exception as e:  # noqa: BLE001
            failures.append(repr(e))
    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(8)]
    [t.start() for t in threads]
    with stack.raw() as r:
        for n in range(10):
            r.ask("CLIENT", "PAUSE", 60, "WRITE" if n % 2 else "ALL")
            time.sleep(0.1)
            if n % 3 == 0:
                r.ask("CLIENT", "PAUSE", 10000, "WRITE")
                before = wait_until(lambda: (x := r.ask("GET", "w0")) == (time.sleep(0.1), r.ask("GET", "w0"))[1] and x)
                time.sleep(0.1)
                assert r.ask("GET", "w0") == before
                r.ask("CLIENT", "UNPAUSE")
    stop.set()
    [t.join(60) for t in threads]
    assert not failures, failures


def test_a_paused_client_may_leave(stack):
    """Its command is not carried out, as nobody waits for it any more."""
    with stack.raw() as r:
        r.ask("CLIENT", "PAUSE", 60000, "WRITE")
        a = stack.raw()
        a.send("SET", "k", 1)
        assert wait_until(lambda: [x for x in listed(r) if "b" in x["flags"]])
        r.ask("CLIENT", "KILL", "ID", [x["id"] for x in listed(r) if "b" in x["flags"]][0])
        assert ended(a)
        a.close()
        assert wait_until(lambda: not [x for x in listed(r) if "b" in x["flags"]])
        assert r.ask("CLIENT", "UNPAUSE") == "OK" and r.ask("GET", "k") is None


@pytest.mark.parametrize("mode", ["WRITE", "ALL"])
def test_a_pause_outlives_the_store_timeout(new_stack, ours, mode):
    """And what waited for it has its full time from then on."""
    stack = new_stack(core_options=["--store-timeout", "1"])
    with stack.raw() as r, stack.raw() as a:
        r.ask("CLIENT", "PAUSE", 2500, mode)
        reply, seconds = took(a, "SET", "k", 1)
        assert reply == "OK" and seconds > 1.5


def test_a_core_that_stops_is_not_held_up(new_stack, ours):
    stack = new_stack()
    with stack.raw() as r, stack.raw() as a:
        r.ask("CLIENT", "PAUSE", 600000, "ALL")
        a.send_bytes(encode("SET", "k", 1) + encode("CLIENT", "PAUSE", 600000) + encode("GET", "k"))
        time.sleep(0.3)
        start = time.monotonic()
        assert stack.core.stop() == 0 and time.monotonic() - start < 5
        assert [a.read(), a.read(), a.read()] == ["OK", "OK", b"1"]


# --- MONITOR ------------------------------------------------------------------------------------

LINE = re.compile(r'(\d+)\.(\d{6}) \[(\d+) ([^\]]+)\] (".*")', re.S)


class Watching:
    """A connection in MONITOR, and what it was shown."""

    def __init__(self, stack, *before):
        self.raw = stack.raw()
        self.raw.ask_all([*before, ("MONITOR",)])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()

    def next(self):
        """next returns (database, address, words as they were written) of the next line."""
        found = LINE.fullmatch(self.raw.read())
        assert found and abs(int(found[1]) - time.time()) < 60
        return int(found[3]), found[4], found[5]

    def words(self, count):
        return [self.next()[2] for _ in range(count)]


def test_monitor_shows_what_ran(stack):
    with Watching(stack, ("HELLO", 3)) as m3, Watching(stack) as m, stack.raw() as r:
        address = fields(r.ask("CLIENT", "INFO"))["addr"]
        r.ask_all([("SET", "k", "v"), ("INCR", "k"), ("GET",), ("NOSUCH",), ("SELECT", 4), ("get", "k"), ("CLIENT", "LIST"),
                   ("ECHO", bytes(range(256)))])
        seen = [m.next() for _ in range(6)]
        assert seen[0][2] == '"CLIENT" "INFO"' and {x[1] for x in seen} == {address}
        assert [x[0] for x in seen] == [0, 0, 0, 4, 4, 4]
        assert [x[2] for x in seen[1:5]] == ['"SET" "k" "v"', '"INCR" "k"', '"SELECT" "4"', '"get" "k"']
        assert seen[5][2].startswith(r'"ECHO" "\x00\x01\x02\x03\x04\x05\x06\a\b\t\n\x0b\x0c\r\x0e')
        assert r'!\"#$' in seen[5][2] and r"[\\]" in seen[5][2] and seen[5][2].endswith(r'}~\x7f' + "".join(
            rf"\x{n:02x}" for n in range(128, 256)) + '"')
        assert m3.words(6) == [x[2] for x in seen]


def test_monitor_and_transactions(stack):
    with Watching(stack) as m, stack.raw() as r, stack.raw() as other:
        r.ask_all([("MULTI",), ("SELECT", 2), ("SET", "k", 1), ("EXEC",), ("MULTI",), ("NOSUCH",), ("EXEC",), ("WATCH", "k")])
        assert [m.next()[::2] for _ in range(7)] == [
            (0, '"MULTI"'), (2, '"SELECT" "2"'), (2, '"SET" "k" "1"'), (2, '"EXEC"'), (2, '"MULTI"'), (2, '"EXEC"'),
            (2, '"WATCH" "k"')]
        other.ask_all([("SELECT", 2), ("SET", "k", 2)])
        assert r.ask_all([("MULTI",), ("SET", "k", 3), ("EXEC",)])[-1] == ("null array",)
        assert m.words(4) == ['"SELECT" "2"', '"SET" "k" "2"', '"MULTI"', '"EXEC"']
        assert isinstance(r.ask_all([("MULTI",), ("MONITOR",), ("EXEC",)])[-1][0], Error)


def test_monitor_hides_secrets(stack):
    with Watching(stack) as m, stack.raw() as r:
        r.ask_all([("AUTH", "pw1"), ("AUTH", "me", "pw2"), ("HELLO", 2, "AUTH", "me", "pw3"),
                   ("HELLO", 2, "SETNAME", "x", "auth", "me", "pw4")])
        hidden = '"(redacted)" "(redacted)"'
        assert m.words(4) == ['"AUTH" "(redacted)"', f'"AUTH" {hidden}', f'"HELLO" "2" "AUTH" {hidden}',
                              f'"HELLO" "2" "SETNAME" "x" "auth" {hidden}']


def test_monitor_hides_secrets_in_errors_too(stack, ours):
    with Watching(stack) as m, stack.raw() as r:
        r.ask_all([("AUTH", "me", "pw", "pw2"), ("HELLO", 2, "FOO", "AUTH", "me", "pw"), ("HELLO", 2, "AUTH", "pw")])
        assert not [w for w in m.words(3) if "pw" in w]


def test_several_monitors_see_the_same_order(stack):
    """Also under load, and what one session did is in its order."""
    with Watching(stack) as m, Watching(stack) as n:
        def write(name):
            with stack.raw() as r:
                for i in range(0, 200, 10):
                    r.ask_all([("SET", f"{name}:{j}", j) if j % 3 else ("GET", f"{name}:{j}") for j in range(i, i + 10)])
        threads = [threading.Thread(target=write, args=(f"w{k}",)) for k in range(5)]
        [t.start() for t in threads]
        seen = m.words(1000)
        [t.join(30) for t in threads]
        assert n.words(1000) == seen
        for k in range(5):
            mine = [int(re.search(rf'"w{k}:(\d+)"', w)[1]) for w in seen if f'"w{k}:' in w]
            assert mine == list(range(200))


def test_a_monitor_may_speak(stack):
    with Watching(stack) as m, stack.raw() as r:
        assert m.raw.ask("PING") == "PONG" and m.words(1) == ['"PING"']
        assert m.raw.ask("GET", "k") == "ERR Replica can't interact with the keyspace"
        mine = [x for x in listed(r) if x["flags"] == "O"]
        assert len(mine) == 1
        assert m.raw.ask("RESET") == "RESET" and r.ask("PING") == "PONG" and m.raw.ask("GET", "k") is None
        assert not [x for x in listed(r) if "O" in x["flags"]]


def test_a_monitor_that_does_not_read_is_cut_off(new_stack, ours):
    stack = new_stack()
    with stack.raw() as r, stack.raw() as m:
        m.ask("MONITOR")
        value = b"\0" * (4 << 20)
        for _ in range(8):
            assert r.ask("SET", "k", value) == "OK"
        wait_until(lambda: not [x for x in listed(r) if "O" in x["flags"]])
        assert "does not read" in stack.gateway.logged("session closed by the core").string
        assert r.ask("STRLEN", "k") == len(value) and ended(m, 30)


def test_redis_cli_monitor(stack):
    cli = subprocess.Popen(stack.tool("redis-cli") + ["monitor"], stdout=subprocess.PIPE, text=True, bufsize=1)
    try:
        assert cli.stdout.readline() == "OK\n"
        with stack.raw() as r:
            r.ask("SET", "k", "v")
        assert cli.stdout.readline().endswith('"SET" "k" "v"\n')
    finally:
        cli.terminate()
        cli.wait(10)
        cli.stdout.close()


# --- RESET, QUIT, HELLO -------------------------------------------------------------------------

@pytest.mark.parametrize("before", [
    [("MULTI",), ("SET", "k", 1)], [("MULTI",), ("NOSUCH",)], [("WATCH", "k")], [("MONITOR",)], [("CLIENT", "REPLY", "OFF")],
    [("SELECT", 7)], [("HELLO", 3)], [("CLIENT", "SETNAME", "x")], [("SUBSCRIBE", "c")], [("CLIENT", "NO-TOUCH", "on")],
    [("SELECT", 7), ("HELLO", 3, "SETNAME", "y"), ("WATCH", "k"), ("MULTI",)]], ids=lambda b: " ".join(map(str, b[-1])))
def test_reset_from_each_state(stack, before):
    with stack.raw() as r, stack.raw() as other:
        r.send_bytes(b"".join(encode(*c) for c in [*before, ("RESET",)]))
        seen = []
        while not seen or seen[-1] != "RESET":
            seen.append(r.read())
            if isinstance(seen[-1], list) and len(seen) > len(before) + 1:
                pytest.fail(f"no RESET: {seen}")
        if any(isinstance(x, Error) and "SUBSCRIBE" in x for x in seen):
            pytest.skip("no SUBSCRIBE yet")
        info = fields(r.ask("CLIENT", "INFO"))
        assert (info["name"], info["db"], info["resp"], info["multi"], info["flags"]) == ("", "0", "2", "-1", "N")
        assert r.ask("EXEC") == "ERR EXEC without MULTI" and other.ask("SET", "k", 2) == "OK"
        assert r.ask_all([("MULTI",), ("GET", "k"), ("EXEC",)])[-1] == [b"2"]


def test_quit(stack):
    for before in ([], [("MULTI",), ("SET", "q", 1)], [("MONITOR",)]):
        with stack.raw() as r:
            r.ask_all(before) if before else None
            r.send_bytes(encode("QUIT") + encode("SET", "q", 2))
            assert r.read() == "OK" and ended(r)
    with stack.raw() as r:
        assert r.ask("GET", "q") is None


# --- COMMAND ------------------------------------------------------------------------------------

def by_name(commands):
    found = {}
    for c in commands:
        found[c[0].decode()] = c
        found.update(by_name(c[9]))
    return found


def without_notes(spec):
    """RESP2 maps are flat; the notes are Redis's own words."""
    pairs = list(zip(spec[::2], spec[1::2]))
    return [x for k, v in pairs if k != b"notes" for x in (k, v)]


def test_command_info_is_what_redis_says(stack, redis_beside):
    with stack.raw() as r, redis_beside.raw() as real:
        ours, theirs = by_name(r.ask("COMMAND")), by_name(real.ask("COMMAND"))
        differences = {}
        for name in sorted(set(ours) & set(theirs)):
            a, b = ours[name], theirs[name]
            if "no_multi" in a[2] and "no_multi" not in b[2]:  # so on purpose: DEBUG, ACL SETUSER and others
                a[2].remove("no_multi")
            got, wanted = ((*x[1:3], x[3:6], sorted(x[6]), x[7], [without_notes(s) for s in x[8]]) for x in (a, b))
            if got != wanted:
                differences[name] = [(x, y) for x, y in zip(got, wanted) if x != y]
        assert len(set(ours) & set(theirs)) > 80
        assert differences == {}


@pytest.mark.parametrize("line", [
    "GET a", "SET a b", "SET a b GET", "MSET a 1 b 2", "DEL a b c", "RENAME a b", "COPY a b DB 1", "GETDEL a", "EXPIRE a 5",
    "SETNX a b", "APPEND a b", "TOUCH a b", "WATCH a b", "PING x", "NOSUCH x", "GET a b", "MSETNX a 1 b 2", "STRLEN a",
    "GETEX a PERSIST", "SETRANGE a 0 x", "CLIENT LIST x", "CONFIG GET x", "SORT a BY w_* GET d_* STORE b STORE c", "SORT_RO a",
    "BITOP AND d a b", "BITFIELD a GET u8 0", "BITFIELD a GET u8 0 INCRBY u8 0 1", "BITFIELD_RO a GET u8 0", "SETBIT a 0 1",
    "PFADD a x", "PFCOUNT a b", "PFMERGE a b c", "LCS a b LEN", "OBJECT FREQ a", "OBJECT HELP", "MEMORY USAGE a", "DUMP a",
    "RESTORE a 0 x", "MOVE a 1", "SWAPDB 0 1"])
def test_getkeys(stack, redis_beside, line):
    with stack.raw() as r, redis_beside.raw() as real:
        for command in ("GETKEYS", "GETKEYSANDFLAGS"):
            assert r.ask("COMMAND", command, *line.split()) == real.ask("COMMAND", command, *line.split())
        r.ask("HELLO", 3), real.ask("HELLO", 3)
        assert r.ask("COMMAND", "GETKEYSANDFLAGS", *line.split()) == real.ask("COMMAND", "GETKEYSANDFLAGS", *line.split())


def test_command_list(stack):
    with stack.raw() as r:
        names = {x.decode() for x in r.ask("COMMAND", "LIST")}
        assert {"get", "client", "client|list", "command|getkeysandflags"} <= names
        assert r.ask("COMMAND", "COUNT") == sum("|" not in n for n in names)
        assert set(r.ask("COMMAND", "LIST", "FILTERBY", "PATTERN", "cli*|l*")) == {b"client|list"}
        connection = {x.decode() for x in r.ask("COMMAND", "LIST", "FILTERBY", "ACLCAT", "connection")}
        assert {"ping", "client|kill", "hello"} <= connection and "get" not in connection and "client" not in connection
        assert r.ask("COMMAND", "LIST", "FILTERBY", "MODULE", "x") == [] and r.ask("COMMAND", "INFO", "get|x", "x") == [None, None]
        assert {x[0] for x in r.ask("COMMAND", "INFO", "client|kill", "GET")} == {b"client|kill", b"get"}
        docs = r.ask("COMMAND", "DOCS", "client|pause")
        assert docs[0] == b"client|pause" and docs[1][0] == b"summary"


# --- clients of others --------------------------------------------------------------------------

def test_redis_py(stack):
    with stack.client(client_name="one", single_connection_client=True) as c, stack.client(single_connection_client=True) as d:
        mine, theirs = c.client_id(), d.client_id()
        assert c.client_info()["name"] == "one" and int(c.client_info()["id"]) == mine
        assert [int(x["id"]) for x in c.client_list(client_id=[str(theirs)])] == [theirs]
        assert [x for x in c.client_list(_type="normal") if int(x["id"]) == theirs] and c.client_list(_type="replica") == []
        assert c.client_setname("two") and c.client_getname() == "two"
        assert c.client_pause(50, all=False) and c.client_unpause()
        assert c.client_unblock(theirs) is False and c.client_no_evict("on")
        assert c.client_kill_filter(_id=theirs) == 1
        with pytest.raises(redis.ConnectionError):
            d.client_id()
        with pytest.raises(redis.ResponseError, match="No such client"):
            c.client_kill("127.0.0.1:1")
        assert c.command_getkeys("MSET", "a", 1, "b", 2) == ["a", "b"] and c.command_info is not None


def test_redis_py_monitor(stack):
    with stack.client() as c, c.monitor() as m:
        listen = m.listen()
        c.set("k", "v")
        seen = [next(listen)]
        while "SET" not in seen[-1]["command"]:
            seen.append(next(listen))
        assert seen[-1]["command"] == "SET k v" and seen[-1]["db"] == 0 and seen[-1]["client_address"] == "127.0.0.1"


def test_no_holes_in_the_reply_of_a_transaction(stack, ours):
    with stack.raw() as r:
        replies = r.ask_all([("MULTI",), ("CLIENT", "REPLY", "OFF"), ("PING",), ("EXEC",)])
        assert replies[-1] == ["ERR CLIENT REPLY is not possible inside a transaction", "PONG"]


@pytest.mark.skipif(shutil.which("iredis") is None, reason="no iredis (Debian: iredis)")
def test_iredis(stack, stage):
    """It cannot show a certificate, so something else must (stunnel, or our own tunnel); the rest is the same."""
    with Tunnel(stack) as tunnel:
        env = {**os.environ, "HOME": str(stage.folder("home")), "LC_ALL": "C.UTF-8", "TERM": "xterm"}

        def iredis(*lines):
            done = subprocess.run(["iredis", "-h", "127.0.0.1", "-p", str(tunnel.port), "--raw"], capture_output=True,
                                  input="".join(line + "\n" for line in lines).encode(), env=env, timeout=60)
            assert done.returncode == 0, done
            return done.stdout.decode()
        assert iredis("SET greeting olá", "GET greeting", "INCR n").split() == ["OK", "olá", "1"]
        assert "cmd=client|list" in iredis("CLIENT LIST") and "GETKEYSANDFLAGS" in iredis("COMMAND HELP")
        assert iredis("CLIENT SETNAME x", "CLIENT GETNAME", "CONFIG GET databases").split() == ["OK", "x", "databases", "16"]
