"""Commands mean exactly what they mean in Redis 7, told case by case; test_differential.py has random stories."""
import os
import threading
import time

import pytest

from support.resp import NULL_ARRAY, Error
from support.stack import wait_until

ABORTED = NULL_ARRAY

# Each row: steps of (connection, command, reply); a reply that is a function decides itself.
STORIES = {
    "exec runs all": [
        (0, "MULTI", "OK"), (0, "SET a 1", "QUEUED"), (0, "INCR a", "QUEUED"), (0, "GET a", "QUEUED"),
        (0, "EXEC", ["OK", 2, b"2"])],
    "nothing is seen before exec": [
        (0, "MULTI", "OK"), (0, "SET a 1", "QUEUED"), (1, "GET a", None), (0, "EXEC", ["OK"]), (1, "GET a", b"1")],
    "an error inside does not stop the rest": [
        (0, "SET s text", "OK"), (0, "MULTI", "OK"), (0, "SET a 1", "QUEUED"), (0, "INCR s", "QUEUED"), (0, "SET b 2", "QUEUED"),
        (0, "EXEC", ["OK", "ERR value is not an integer or out of range", "OK"]), (0, "MGET a b", [b"1", b"2"])],
    "an error while queueing aborts": [
        (0, "MULTI", "OK"), (0, "SET a 1", "QUEUED"), (0, "NOSUCH x", lambda r: r.startswith("ERR unknown command")),
        (0, "EXEC", "EXECABORT Transaction discarded because of previous errors."), (0, "GET a", None),
        (0, "SET a 2", "OK")],
    "wrong arity while queueing aborts": [
        (0, "MULTI", "OK"), (0, "GET", "ERR wrong number of arguments for 'get' command"),
        (0, "EXEC", "EXECABORT Transaction discarded because of previous errors.")],
    "a malformed exec ends it": [
        (0, "WATCH a", "OK"), (0, "MULTI", "OK"), (0, "SET a 1", "QUEUED"),
        (0, "EXEC now", "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"),
        (0, "EXEC", "ERR EXEC without MULTI"), (0, "SET a 2", "OK"), (0, "MULTI", "OK"), (0, "GET a", "QUEUED"), (0, "EXEC", [b"2"])],
    "discard": [
        (0, "MULTI", "OK"), (0, "SET a 1", "QUEUED"), (0, "DISCARD", "OK"), (0, "GET a", None),
        (0, "DISCARD", "ERR DISCARD without MULTI"), (0, "EXEC", "ERR EXEC without MULTI")],
    "multi does not nest": [
        (0, "MULTI", "OK"), (0, "MULTI", "ERR MULTI calls can not be nested"), (0, "SET a 1", "QUEUED"), (0, "EXEC", ["OK"])],
    "watch inside multi": [
        (0, "MULTI", "OK"), (0, "WATCH a", "ERR WATCH inside MULTI is not allowed"), (0, "SET a 1", "QUEUED"), (0, "EXEC", ["OK"])],
    "empty exec": [(0, "MULTI", "OK"), (0, "EXEC", [])],
    "watch without a change": [
        (0, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "GET a", b"1"), (0, "MULTI", "OK"), (0, "INCR a", "QUEUED"), (0, "EXEC", [2])],
    "watch and a change by another": [
        (0, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "SET a 5", "OK"), (0, "MULTI", "OK"), (0, "INCR a", "QUEUED"),
        (0, "EXEC", ABORTED), (0, "GET a", b"5"), (0, "MULTI", "OK"), (0, "INCR a", "QUEUED"), (0, "EXEC", [6])],
    "watch and the same value again": [
        (0, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "SET a 1", "OK"), (0, "MULTI", "OK"), (0, "GET a", "QUEUED"), (0, "EXEC", ABORTED)],
    "watch and a change of one's own": [
        (0, "WATCH a", "OK"), (0, "SET a 1", "OK"), (0, "MULTI", "OK"), (0, "GET a", "QUEUED"), (0, "EXEC", ABORTED)],
    "watch and delete with re-creation": [
        (0, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "DEL a", 1), (1, "SET a 1", "OK"), (0, "MULTI", "OK"),
        (0, "GET a", "QUEUED"), (0, "EXEC", ABORTED)],
    "watch a missing key that stays missing": [
        (0, "WATCH a", "OK"), (1, "DEL a", 0), (1, "SET b 1", "OK"), (0, "MULTI", "OK"), (0, "SET a 1", "QUEUED"), (0, "EXEC", ["OK"])],
    "watch a missing key that appears": [
        (0, "WATCH a", "OK"), (1, "SET a 1", "OK"), (0, "MULTI", "OK"), (0, "SET b 1", "QUEUED"), (0, "EXEC", ABORTED),
        (0, "GET b", None)],
    "watch one of many": [
        (0, "MSET a 1 b 2 c 3", "OK"), (0, "WATCH a b", "OK"), (0, "WATCH c", "OK"), (1, "APPEND c x", 2), (0, "MULTI", "OK"),
        (0, "SET a 9", "QUEUED"), (0, "EXEC", ABORTED), (0, "GET a", b"1")],
    "unwatch": [
        (0, "WATCH a", "OK"), (1, "SET a 1", "OK"), (0, "UNWATCH", "OK"), (0, "MULTI", "OK"), (0, "GET a", "QUEUED"), (0, "EXEC", [b"1"])],
    "discard unwatches": [
        (0, "WATCH a", "OK"), (0, "MULTI", "OK"), (0, "DISCARD", "OK"), (1, "SET a 1", "OK"), (0, "MULTI", "OK"), (0, "GET a", "QUEUED"),
        (0, "EXEC", [b"1"])],
    "exec unwatches": [
        (0, "WATCH a", "OK"), (0, "MULTI", "OK"), (0, "EXEC", []), (1, "SET a 1", "OK"), (0, "MULTI", "OK"), (0, "GET a", "QUEUED"),
        (0, "EXEC", [b"1"])],
    "watch remembers the database": [
        (0, "WATCH a", "OK"), (0, "SELECT 1", "OK"), (1, "SET a 1", "OK"), (0, "MULTI", "OK"), (0, "PING", "QUEUED"),
        (0, "EXEC", ABORTED)],
    "watch is blind to another database": [
        (0, "WATCH a", "OK"), (1, "SELECT 1", "OK"), (1, "SET a 1", "OK"), (0, "MULTI", "OK"), (0, "PING", "QUEUED"), (0, "EXEC", ["PONG"])],
    "watch and flush": [
        (0, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "FLUSHDB", "OK"), (0, "MULTI", "OK"), (0, "PING", "QUEUED"), (0, "EXEC", ABORTED)],
    "watch a missing key and flush": [
        (0, "WATCH a", "OK"), (1, "FLUSHALL", "OK"), (0, "MULTI", "OK"), (0, "PING", "QUEUED"), (0, "EXEC", ["PONG"])],
    "watch and expire": [
        (0, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "EXPIRE a 100", 1), (0, "MULTI", "OK"), (0, "PING", "QUEUED"), (0, "EXEC", ABORTED)],
    "watch and a failed change": [
        (0, "SET a x", "OK"), (0, "WATCH a", "OK"), (1, "INCR a", lambda r: r.startswith("ERR")), (1, "SETNX a 1", 0),
        (0, "MULTI", "OK"), (0, "PING", "QUEUED"), (0, "EXEC", ["PONG"])],
    "watch and rename away": [
        (0, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "RENAME a b", "OK"), (0, "MULTI", "OK"), (0, "PING", "QUEUED"), (0, "EXEC", ABORTED)],
    "select inside exec": [
        (0, "MULTI", "OK"), (0, "SET a 0", "QUEUED"), (0, "SELECT 1", "QUEUED"), (0, "SET a 1", "QUEUED"), (0, "EXEC", ["OK", "OK", "OK"]),
        (0, "GET a", b"1"), (0, "SELECT 0", "OK"), (0, "GET a", b"0")],
    "a select that fails inside exec moves nothing": [
        (0, "SET a 0", "OK"), (0, "MULTI", "OK"), (0, "SELECT 16", "QUEUED"), (0, "GET a", "QUEUED"), (0, "SET a 1", "QUEUED"),
        (0, "EXEC", ["ERR DB index is out of range", b"0", "OK"]), (0, "GET a", b"1")],
    "flush inside exec": [
        (0, "SET a 1", "OK"), (0, "MULTI", "OK"), (0, "SET b 1", "QUEUED"), (0, "FLUSHDB", "QUEUED"), (0, "SET c 1", "QUEUED"),
        (0, "DBSIZE", "QUEUED"), (0, "EXEC", ["OK", "OK", "OK", 1]), (0, "KEYS *", [b"c"])],
    "reset": [
        (0, "MULTI", "OK"), (0, "SET a 1", "QUEUED"), (0, "RESET", "RESET"), (0, "EXEC", "ERR EXEC without MULTI"),
        (0, "SELECT 3", "OK"), (0, "SET a 3", "OK"), (0, "RESET", "RESET"), (0, "GET a", None)],
    "rename to itself and of nothing": [
        (0, "RENAME a b", "ERR no such key"), (0, "SET a 1", "OK"), (0, "RENAME a a", "OK"), (0, "RENAMENX a a", 0),
        (0, "RENAMENX a b", 1), (0, "SET a 2", "OK"), (0, "RENAMENX a b", 0)],
    "rename keeps the expiry": [
        (0, "SET a 1 EX 100", "OK"), (0, "SET b 2", "OK"), (0, "RENAME a b", "OK"), (0, "TTL b", lambda r: 98 <= r <= 100)],
    "copy": [
        (0, "SET a 1 EX 100", "OK"), (0, "COPY a b", 1), (0, "TTL b", lambda r: 98 <= r <= 100), (0, "COPY a b", 0),
        (0, "SET a 2", "OK"), (0, "COPY a b REPLACE", 1), (0, "GET b", b"2"), (0, "TTL b", -1),
        (0, "COPY a a", "ERR source and destination objects are the same"), (0, "COPY a b DB 2", 1), (0, "SELECT 2", "OK"), (0, "GET b", b"2")],
    "flushall reaches every database": [
        (0, "SET a 1", "OK"), (1, "SELECT 7", "OK"), (1, "SET a 7", "OK"), (0, "FLUSHALL", "OK"), (1, "GET a", None), (0, "DBSIZE", 0)],
    "expiry in the past deletes": [
        (0, "SET a 1", "OK"), (0, "EXPIRE a -1", 1), (0, "EXISTS a", 0), (0, "SET a 1", "OK"), (0, "PEXPIREAT a 1", 1), (0, "GET a", None),
        (0, "SET a 1 PXAT 1", "OK"), (0, "GET a", None)],
    "swapdb": [
        (0, "MSET a 1 b 1", "OK"), (1, "SELECT 1", "OK"), (1, "MSET b 2 c 2", "OK"), (0, "SWAPDB 0 1", "OK"),
        (0, "MGET a b c", [None, b"2", b"2"]), (1, "MGET a b c", [b"1", b"1", None]), (1, "SWAPDB 1 0", "OK"),
        (0, "MGET a b c", [b"1", b"1", None]), (0, "SWAPDB 0 16", "ERR DB index is out of range"), (0, "SWAPDB 0 0", "OK")],
    "swapdb inside exec": [
        (0, "SET a 0", "OK"), (1, "SELECT 1", "OK"), (1, "SET a 1", "OK"), (0, "MULTI", "OK"), (0, "APPEND a x", "QUEUED"),
        (0, "SWAPDB 0 1", "QUEUED"), (0, "GET a", "QUEUED"), (0, "APPEND a y", "QUEUED"), (0, "INCR n", "QUEUED"),
        (0, "SELECT 1", "QUEUED"), (0, "GET a", "QUEUED"), (0, "DBSIZE", "QUEUED"), (0, "EXISTS n", "QUEUED"),
        (0, "EXEC", [2, "OK", b"1", 2, 1, "OK", b"0x", 1, 0]), (1, "GET a", b"0x"), (1, "SELECT 0", "OK"),
        (1, "MGET a n", [b"1y", b"1"])],
    "watch and swapdb of a key that is there": [
        (0, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "SWAPDB 0 1", "OK"), (0, "MULTI", "OK"), (0, "PING", "QUEUED"), (0, "EXEC", ABORTED)],
    "watch and swapdb of a key that comes": [
        (1, "SELECT 1", "OK"), (1, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "SWAPDB 0 1", "OK"), (0, "MULTI", "OK"), (0, "PING", "QUEUED"),
        (0, "EXEC", ABORTED)],
    "watch and swapdb of a key that is in both": [
        (0, "SET a 1", "OK"), (1, "SELECT 1", "OK"), (1, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "SWAPDB 1 0", "OK"), (0, "MULTI", "OK"),
        (0, "PING", "QUEUED"), (0, "EXEC", ABORTED)],
    "watch and swapdb of a key that is nowhere": [
        (0, "SET b 1", "OK"), (0, "WATCH a", "OK"), (1, "SWAPDB 0 1", "OK"), (0, "MULTI", "OK"), (0, "PING", "QUEUED"), (0, "EXEC", ["PONG"])],
    "watch and swapdb of other databases": [
        (0, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "SWAPDB 1 2", "OK"), (1, "SWAPDB 3 3", "OK"), (0, "MULTI", "OK"), (0, "PING", "QUEUED"),
        (0, "EXEC", ["PONG"])],
    "move": [
        (0, "SET a 1 EX 100", "OK"), (0, "MOVE a 1", 1), (0, "MOVE a 1", 0), (0, "EXISTS a", 0), (1, "SELECT 1", "OK"), (1, "GET a", b"1"),
        (1, "TTL a", lambda r: 98 <= r <= 100), (0, "SET a 2", "OK"), (0, "MOVE a 1", 0), (0, "GET a", b"2"), (1, "GET a", b"1")],
    "watch and move away": [
        (0, "SET a 1", "OK"), (0, "WATCH a", "OK"), (1, "MOVE a 1", 1), (0, "MULTI", "OK"), (0, "PING", "QUEUED"), (0, "EXEC", ABORTED)],
    "watch and move to": [
        (0, "WATCH a", "OK"), (1, "SELECT 1", "OK"), (1, "SET a 1", "OK"), (1, "MOVE a 0", 1), (0, "MULTI", "OK"), (0, "PING", "QUEUED"),
        (0, "EXEC", ABORTED)],
    "move inside exec": [
        (0, "SET a 1", "OK"), (0, "MULTI", "OK"), (0, "MOVE a 1", "QUEUED"), (0, "EXISTS a", "QUEUED"), (0, "SELECT 1", "QUEUED"),
        (0, "APPEND a x", "QUEUED"), (0, "MOVE a 0", "QUEUED"), (0, "EXEC", [1, 0, "OK", 2, 1]), (0, "EXISTS a", 0), (1, "GET a", b"1x")],
    "sort takes no strings": [
        (0, "SET a 1", "OK"), (0, "SORT a", "WRONGTYPE Operation against a key holding the wrong kind of value"), (0, "SORT b", []),
        (0, "SORT b STORE a", 0), (0, "EXISTS a", 0), (0, "SORT_RO b", [])],
    "quit": [(0, "QUIT", "OK")],
}


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("server", ["ours", "redis"])
def test_story(name, server, request):
    """Told to ours and to Redis: the expectation itself is checked, too."""
    endpoint = request.getfixturevalue("stack" if server == "ours" else "redis_beside")
    with endpoint.raw() as first, endpoint.raw() as second:
        assert first.ask("FLUSHALL") == "OK"
        for who, command, expected in STORIES[name]:
            reply = (first, second)[who].ask(*command.split())
            if callable(expected):
                assert expected(reply), (command, reply)
            else:
                assert reply == expected and isinstance(reply, Error) == is_error(expected), (command, reply, expected)


def is_error(expected):
    return isinstance(expected, str) and expected.split(" ")[0] in ("ERR", "EXECABORT", "WRONGTYPE")


NOT_OF_REDIS = {b"find", b"keyinfo", b"delifrev"}  # ours
NOT_OF_REDIS |= {b"waitaof", b"delifeq", b"delex", b"digest", b"msetex"}  # of later ones


def test_commands_know_themselves(stack, redis_beside):
    """COMMAND INFO of every command of ours says what Redis says: arity, keys, and the flags that clients look at."""
    telling = {"write", "readonly", "fast"}
    with stack.raw() as ours, redis_beside.raw() as theirs:
        mine = {row[0]: row for row in ours.ask("COMMAND")}
        assert {b"get", b"set", b"mget", b"multi", b"scan", b"hello"} <= set(mine)
        assert ours.ask("COMMAND", "COUNT") == len(mine)
        for name, row in mine.items():
            if name in NOT_OF_REDIS:
                continue
            reference = theirs.ask("COMMAND", "INFO", name)[0]
            assert row[1] == reference[1] and row[3:6] == reference[3:6], (name, row[:6], reference[:6])
            assert telling & set(row[2]) == telling & set(reference[2]), (name, row[2], reference[2])
        assert ours.ask("COMMAND", "INFO", "get", "nosuch")[1] in (NULL_ARRAY, None)
        docs = ours.ask("COMMAND", "DOCS", "set")
        assert docs[0] == b"set" and b"summary" in docs[1] and b"arguments" in docs[1]


def test_order_within_a_pipeline(stack):
    """A session's commands take effect and answer in order: each GET sees exactly the SET before it."""
    with stack.raw() as r:
        commands = [c for n in range(2000) for c in (("SET", "k", n), ("GET", "k"), ("PING", str(n)))]
        replies = r.ask_all(commands)
    assert replies == [x for n in range(2000) for x in ("OK", str(n).encode(), str(n).encode())]


def test_a_client_sees_its_own_writes(stack):
    """Reads have lanes of their own; they must not overtake this session's write, whoever else is busy."""
    def work(number, failures):
        with stack.raw() as r:
            for n in range(150):
                r.send("SET", f"own{number}", n)
                r.send("GET", f"own{number}")
                if (got := (r.read(), r.read())) != ("OK", str(n).encode()):
                    failures.append((number, n, got))
    failures = []
    threads = [threading.Thread(target=work, args=(n, failures)) for n in range(8)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert not failures, failures[:3]


def test_mget_sees_one_moment(stack):
    """Two keys always written together are never seen apart."""
    stopping, torn = threading.Event(), []

    def write():
        with stack.raw() as r:
            n = 0
            while not stopping.is_set():
                n += 1
                r.ask("MSET", "left", n, "right", n)

    def read():
        with stack.raw() as r:
            for _ in range(400):
                left, right = r.ask("MGET", "left", "right")
                if left != right:
                    torn.append((left, right))
    writers, readers = [threading.Thread(target=write) for _ in range(2)], [threading.Thread(target=read) for _ in range(3)]
    [t.start() for t in writers + readers]
    [t.join(60) for t in readers]
    stopping.set()
    [t.join(60) for t in writers]
    assert not torn, torn[:3]


def test_scan_returns_everything(stack):
    """Every key that is there from the first to the last call is returned, while others come and go."""
    steady = {b"steady:%d" % n for n in range(2000)}
    with stack.raw() as r, stack.raw() as other:
        r.ask("MSET", *[x for k in steady for x in (k, "v")])
        found, cursor, n = [], b"0", 0
        while True:
            cursor, keys = r.ask("SCAN", cursor, "COUNT", 100)
            found += keys
            other.ask("SET", f"fleeting:{n}", "x")
            other.ask("DEL", f"fleeting:{n - 2}")
            n += 1
            assert n < 500, "SCAN does not come to an end"
            if cursor == b"0":
                break
        assert steady <= set(found)
        assert len([k for k in found if k in steady]) == 2000, "none twice, as nothing moves"
        assert 10 <= n <= 60, f"{n} calls for 2000 keys with COUNT 100"
        assert r.ask("SCAN", "x") == "ERR invalid cursor"
        assert r.ask("SCAN", "0", "COUNT", "0") == "ERR syntax error"
        cursor, keys = r.ask("SCAN", "0", "MATCH", "steady:7*", "COUNT", "10000")
        assert cursor == b"0" and set(keys) == {k for k in steady if k.startswith(b"steady:7")}
        assert r.ask("SCAN", "0", "TYPE", "hash", "COUNT", "10000") == [b"0", []]


def test_scan_goes_on_at_another_core(new_stack):
    """Cursors are stateless."""
    first = new_stack()
    second = new_stack(database=first.database)
    keys = {b"k%d" % n for n in range(500)}
    with first.raw() as one, second.raw() as two:
        one.ask("MSET", *[x for k in keys for x in (k, "v")])
        found, cursor = set(), b"0"
        while True:
            cursor, some = one.ask("SCAN", cursor, "COUNT", 37)
            found |= set(some)
            one, two = two, one
            if cursor == b"0":
                break
    assert found == keys


def test_scan_goes_on_after_a_restart(new_stack):
    """What was there throughout is returned, though the core was killed between the pages and other keys came and went."""
    stack = new_stack()
    keys = {b"k%d" % n for n in range(300)}
    found, cursor = set(), b"0"
    with stack.raw(timeout=60) as r:
        r.ask("MSET", *[x for k in keys for x in (k, "v")])
        for page in range(100):
            cursor, some = r.ask("SCAN", cursor, "COUNT", 37)
            found |= set(some)
            if cursor == b"0":
                break
            if page % 3 == 1:
                stack.core.kill()
                stack.core.start()
                wait_until(lambda: r.ask("SET", f"other{page}", "v") == "OK", 15, "the core to serve again")
            r.ask("DEL", f"other{page - 1}")
    assert cursor == b"0" and keys <= found


def test_random_key(stack):
    with stack.raw() as r:
        assert r.ask("RANDOMKEY") is None
        keys = {b"k%d" % n for n in range(20)}
        r.ask("MSET", *[x for k in keys for x in (k, "v")])
        seen = set(r.ask_all([("RANDOMKEY",)] * 400))
        assert seen <= keys and len(seen) > 10


PREFIXES = [("user:*", b"user:"), ("user:1*", b"user:1"), ("a\\*b*", b"a*b"), (b"\xff\xff*", b"\xff\xff"), ("*", b"")]


@pytest.mark.parametrize("pattern, prefix", PREFIXES, ids=[repr(p) for p, _ in PREFIXES])
def test_patterns_with_a_prefix(stack, pattern, prefix):
    """The range of the index has no edge off by one, also where the prefix is all 0xff."""
    keys = [b"user:%d" % n for n in range(30)] + [b"user", b"user:", b"usez", b"user;", b"a*b", b"a*bc", b"axb", b"a*", b"\xff",
                                                  b"\xff\xff", b"\xff\xff\xff", b"\xff\xfe", b""]
    with stack.raw() as r:
        r.ask("MSET", *[x for k in keys for x in (k, "v")])
        expected = sorted(k for k in keys if k.startswith(prefix))
        assert sorted(r.ask("KEYS", pattern)) == expected
        cursor, some = r.ask("SCAN", "0", "MATCH", pattern, "COUNT", "1000")
        assert cursor == b"0" and sorted(some) == expected


@pytest.mark.parametrize("command", ["KEYS", "SCAN"])
def test_a_prefix_is_a_range_of_the_index(new_stack, command):
    """30,000 other keys are not looked at: seen in PostgreSQL's own counters."""
    stack = new_stack()
    with stack.raw() as r:
        for n in range(0, 30000, 1000):
            r.ask("MSET", *[x for m in range(n, n + 1000) for x in (f"many:{m}", "v")])
        r.ask("MSET", "few:1", "v", "few:2", "v")
    stack.core.stop()  # its background work and its connections' pending counters are over
    stack.core.start()
    wait_until(stack.alive, 10, "to be served")
    stack.sql("VACUUM ANALYZE cofre.entry")

    def fetched():
        return int(stack.sql("SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
                             " WHERE relid = 'cofre.entry'::regclass"))
    time.sleep(2.5)  # the core has counted its keys once, and that was reported
    before = fetched()
    with stack.raw() as r:
        if command == "KEYS":
            assert sorted(r.ask("KEYS", "few:*")) == [b"few:1", b"few:2"]
        else:
            cursor, found = r.ask("SCAN", "0", "MATCH", "few:*", "COUNT", "100000")
            assert cursor == b"0" and sorted(found) == [b"few:1", b"few:2"]
    stack.core.stop()  # its connections report their counters when they end
    time.sleep(0.5)
    assert fetched() - before < 5000, "more rows were read than the range has"
    stack.core.start()


def test_plans_outgrow_a_small_table(new_stack):
    """Statistics that were taken while the table held one row lead to no scan of all keys when it holds many."""
    stack = new_stack()
    with stack.raw() as r:
        r.ask("SET", "first", "v")
        stack.sql("VACUUM ANALYZE cofre.entry")
        r.ask("INCR", "second")
        for n in range(0, 60000, 2000):
            r.ask("MSET", *[x for m in range(n, n + 2000) for x in (f"many:{m}", "v")])
        time.sleep(1.1)  # for the plans to be renewed
        start = time.monotonic()
        for n in range(300):
            assert r.ask("GET", f"many:{n}") == b"v" and r.ask("INCR", f"n:{n % 7}") > 0
        assert time.monotonic() - start < 3, "a scan of 60,000 keys takes 20 ms; a look-up does not"


PAST = "600000"  # ms: later than any grace period


def test_expired_rows_are_purged(new_stack):
    """Once they are over for longer than the grace period, which is here taken off their times."""
    stack = new_stack()
    with stack.raw() as r:
        for n in range(200):
            r.ask("SET", f"gone{n}", "x", "PX", 30)
        r.ask("SET", "kept", "x", "EX", 10000)
        r.ask("SET", "refreshed", "x", "PX", 300)
        r.ask("PEXPIRE", "refreshed", 100000000)
        wait_until(lambda: r.ask("DBSIZE") == 2, 5, "the keys to expire")
        stack.sql(f"UPDATE cofre.entry SET expires_at = expires_at - {PAST}, purge_at = purge_at - {PAST}"
                  " WHERE key IN (SELECT key FROM cofre.entry WHERE expires_at IS NOT NULL)")
        wait_until(lambda: stack.sql("SELECT count(*) FROM cofre.entry") == "2", 10, "the expired rows to be purged", 0.2)
        assert r.ask("EXISTS", "kept", "refreshed") == 2


def test_a_flushed_database_is_purged(new_stack):
    stack = new_stack()
    with stack.raw() as r:
        r.ask("MSET", *[x for n in range(5000) for x in (f"k{n}", "v")])
        assert r.ask("FLUSHDB") == "OK" and r.ask("DBSIZE") == 0
        assert r.ask("SET", "k1", "new") == "OK"
        assert stack.sql("SELECT count(*) FROM cofre.entry") == "5001", "a flush is at once, whatever it holds"
        stack.sql(f"UPDATE cofre.retired_space SET retired_at = retired_at - {PAST}")
        wait_until(lambda: stack.sql("SELECT count(*) FROM cofre.entry") == "1", 20, "the old rows to be gone", 0.2)
        assert r.ask("GET", "k1") == b"new"


def test_revisions_grow(new_stack):
    """For each key, and across delete and re-creation, by whatever core and whether or not the write was blind."""
    first = new_stack()
    second = new_stack(database=first.database)
    revision = "SELECT revision FROM cofre.entry WHERE key = 'k' AND space = (SELECT id FROM cofre.space WHERE db = 0 AND keyspace = '')"
    last = 0
    with first.raw() as one, second.raw() as two:
        for n in range(20):
            r = (one, two)[n % 2]
            if n % 5 == 4:
                assert r.ask("DEL", "k") == 1
            assert r.ask(*[("SET", "k", n), ("APPEND", "k", "x"), ("MSET", "k", n)][n % 3]) is not None
            now = int(first.sql(revision))
            assert now > last, f"step {n}: {last}, then {now}"
            last = now


def test_nobody_is_authenticated_by_a_password(stack, request):
    """AUTH and HELLO AUTH may only confirm who the certificate says one is."""
    if request.config.getoption("--against-redis"):
        pytest.skip("a rule of ours")
    with stack.raw("alice") as r:
        assert r.ask("AUTH", "cn:alice", "anything") == "OK"
        assert r.ask("AUTH", "cn:bob", "anything").startswith("WRONGPASS")
        assert isinstance(r.ask("HELLO", 3, "AUTH", "cn:bob", "x"), Error)
        assert isinstance(r.ask("HELLO", 3, "AUTH", "cn:alice", "x"), dict)
        assert r.ask("PING") == "PONG"


IDENTITIES = {
    "cn": ([], "cn:plain"), "dns": (["--dns", "web.internal"], "dns:web.internal"),
    "email": (["--email", "a@b.example"], "email:a@b.example"), "uri": (["--uri", "spiffe://prod/web"], "uri:spiffe://prod/web"),
    "all": (["--uri", "spiffe://prod/all", "--dns", "all.internal", "--email", "all@b.example"], "uri:spiffe://prod/all")}


@pytest.mark.parametrize("kind", IDENTITIES)
def test_the_identity_is_the_certificates(stack, certs, kind):
    options, identity = IDENTITIES[kind]
    name = "plain" if kind == "cn" else f"identity-{kind}"
    certs.client(name, *options)
    with stack.raw(name) as r:
        assert f"user={identity} ".encode() in r.ask("CLIENT", "INFO") + b" "


def test_info_has_what_tools_look_for(stack):
    with stack.client() as c:
        c.set("k", "v", ex=100)
        info = c.info()
        assert info["redis_version"].startswith("7.") and info["process_id"] and info["uptime_in_seconds"] >= 0
        assert info["connected_clients"] >= 1 and os.path.exists(f"/proc/{info['process_id']}")
        wait_until(lambda: c.info("keyspace").get("db0", {}).get("keys") == 1, 15, "INFO to count", 0.5)
