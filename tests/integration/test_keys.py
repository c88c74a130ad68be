"""What is known of keys and what moves them: KEYINFO, revisions, DUMP, MOVE, SWAPDB; on two cores where that matters."""
import socket
import struct
import threading
import time

import pytest

from support.resp import Error
from support.stack import SANITIZED, wait_until

MIB = 1 << 20


@pytest.fixture
def two(new_stack):
    """Two stacks, each with its own core, on one database."""
    first = new_stack()
    return first, new_stack(database=first.database)


def info(r, key):
    """info returns KEYINFO as a dictionary, in either protocol; None when there is no such key."""
    return as_dict(r.ask("KEYINFO", key))


def as_dict(reply):
    return dict(zip(reply[::2], reply[1::2])) if isinstance(reply, list) else reply


def in_threads(work, count):
    """in_threads runs work(n) in so many threads and fails with what any of them raised."""
    failures = []

    def run(n):
        try:
            work(n)
        except BaseException as e:  # noqa: BLE001
            failures.append(e)
    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    [t.start() for t in threads]
    [t.join(90) for t in threads]
    assert not failures, failures[:3]


# --- KEYINFO ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3])
def test_keyinfo(two, protocol):
    first, second = two
    with first.raw("alice") as r, second.raw("bob") as other:
        r.ask("HELLO", protocol)
        assert info(r, "k") is None
        before = time.time() * 1000
        assert r.ask("SET", "k", "hello", "PX", 100000) == "OK"
        one = info(r, "k")
        assert list(one) == [b"revision", b"modified-at", b"modified-by", b"ttl", b"size", b"type"]
        assert one[b"revision"] > 0 and one[b"modified-by"] == b"cn:alice"
        assert abs(one[b"modified-at"] - before) < 5000 and 90000 < one[b"ttl"] <= 100000
        assert one[b"size"] == 5 and one[b"type"] == b"text"
        assert {**info(other, "k"), b"ttl": 0} == {**one, b"ttl": 0}, "every core says the same"
        assert other.ask("SETRANGE", "k", 1, b"\xff") == 5
        two_ = info(r, "k")
        assert two_[b"revision"] > one[b"revision"] and two_[b"modified-by"] == b"cn:bob" and two_[b"type"] == b"binary"
        assert other.ask("PERSIST", "k") == 1
        three = info(r, "k")
        assert three[b"revision"] > two_[b"revision"] and three[b"ttl"] == -1
        assert r.ask("DEL", "k") == 1 and info(other, "k") is None
        assert r.ask("SET", "k", "", "PX", 30) == "OK"
        time.sleep(0.05)
        assert info(r, "k") is None


def test_keyinfo_sees_what_came_before_it(stack):
    """In one pipeline and in one transaction, and what it shows is what the key has afterwards."""
    with stack.raw() as r:
        replies = r.ask_all([("SET", "k", "a"), ("KEYINFO", "k"), ("SET", "k", "bc"), ("KEYINFO", "k"), ("PERSIST", "k"), ("DEL", "k"),
                             ("KEYINFO", "k"), ("SET", "k", "d"), ("KEYINFO", "k")])
        seen = [as_dict(x) for x in replies if isinstance(x, list)]
        assert [s[b"size"] for s in seen] == [1, 2, 1] and replies[6] is None
        assert seen[0][b"revision"] < seen[1][b"revision"] < seen[2][b"revision"]
        assert info(r, "k") == seen[2]
        r.ask_all([("MULTI",), ("APPEND", "k", "ef"), ("KEYINFO", "k"), ("KEYINFO", "new"), ("SET", "new", "x"), ("KEYINFO", "new")])
        length, k, absent, ok, new = r.ask("EXEC")
        assert length == 3 and absent is None and ok == "OK"
        assert as_dict(k)[b"revision"] > seen[2][b"revision"]
        assert info(r, "k") == as_dict(k) and info(r, "new") == as_dict(new)


def test_keyinfo_beside_long_values(stack):
    """A walk is asked once, also in a turn that waits for a value that was too long to be loaded with the rest."""
    with stack.raw(timeout=20) as r:
        r.ask("SETRANGE", "long", 9 * MIB - 1, "x")
        r.ask("SET", "short", "y")
        for _ in range(3):
            replies = r.ask_all([("GETRANGE", "long", 0, 0), ("GET", "short"), ("DBSIZE",), ("KEYINFO", "long"), ("GETRANGE", "long", -1, -1),
                                 ("OBJECT", "IDLETIME", "short")])
            assert replies[:3] == [b"\0", b"y", 2] and as_dict(replies[3])[b"size"] == 9 * MIB
            assert replies[4] == b"x" and isinstance(replies[5], int)
            replies = r.ask_all([("APPEND", "short", "y"), ("SETRANGE", "long", 0, "z"), ("KEYS", "sh*"), ("KEYINFO", "short"), ("DBSIZE",)])
            assert replies[2] == [b"short"] and replies[4] == 2
            r.ask_all([("SET", "short", "y"), ("SETRANGE", "long", 0, "\0")])


# --- revisions ---------------------------------------------------------------------------------------------------------


def test_ifrev(two):
    """Set and deleted only as it was seen, across delete and re-creation, on either core."""
    first, second = two
    with first.raw() as one, second.raw() as other:
        assert one.ask("SET", "k", "a", "IFREV", 0) == "OK"
        assert other.ask("SET", "k", "b", "IFREV", 0) is None
        old = info(other, "k")[b"revision"]
        assert other.ask("SET", "k", "b", "IFREV", old + 1) is None
        assert other.ask("SET", "k", "b", "IFREV", old, "GET", "EX", 100) == b"a"
        assert one.ask("SET", "k", "c", "IFREV", old) is None and one.ask("GET", "k") == b"b"
        assert one.ask("SET", "k", "c", "IFREV", old, "GET") == b"b" and one.ask("GET", "k") == b"b"
        new = info(one, "k")[b"revision"]
        assert one.ask("SET", "k", "c", "IFREV", new, "KEEPTTL") == "OK" and 90 < one.ask("TTL", "k") <= 100
        assert one.ask("DELIFREV", "k", new) == 0
        last = info(one, "k")[b"revision"]
        assert other.ask("DELIFREV", "k", last) == 1 and one.ask("DELIFREV", "k", last) == 0
        assert one.ask("SET", "k", "d", "IFREV", last) is None, "it is gone, whatever its last revision was"
        assert one.ask("SET", "k", "a", "IFREV", 0) == "OK", "the same value again"
        again = info(other, "k")[b"revision"]
        assert again > last and other.ask("SET", "k", "x", "IFREV", last) is None
        assert other.ask("DELIFREV", "k", again) == 1
        assert one.ask("SET", "k", "x", "IFREV", -1) == "ERR revision is not an integer or out of range"


def test_ifrev_of_what_the_pipeline_wrote(stack):
    """Nobody can have seen the revision of a write that is not settled."""
    with stack.raw() as r:
        r.ask("SET", "k", "a")
        revision = info(r, "k")[b"revision"]
        assert r.ask_all([("SET", "k", "b", "IFREV", revision), ("SET", "k", "c", "IFREV", revision), ("DELIFREV", "k", revision), ("DEL", "k"),
                          ("SET", "k", "d", "IFREV", revision), ("SET", "k", "e", "IFREV", 0), ("SET", "k", "f", "IFREV", 0), ("GET", "k")]) == \
            ["OK", None, 0, 1, None, "OK", None, b"e"]


def test_ifrev_counts_once(two):
    """Readers who write only what they have seen lose no update; created and deleted in between."""
    rounds = 15 if SANITIZED else 40

    def work(n):
        with two[n % 2].raw() as r:
            for _ in range(rounds):
                while True:
                    seen = info(r, "n")
                    value = int(r.ask("GET", "n") or 0) if seen else 0
                    revision = seen[b"revision"] if seen else 0
                    if r.ask("SET", "n", value + 1, "IFREV", revision) == "OK":
                        break
    in_threads(work, 6)
    with two[0].raw() as r:
        assert r.ask("GET", "n") == str(6 * rounds).encode()


def test_one_of_many_creates(two):
    """IFREV 0 on two cores at once: one of them was first."""
    wins = []

    def work(n):
        with two[n % 2].raw() as r:
            for key in range(30):
                if r.ask("SET", f"once{key}", n, "IFREV", 0) == "OK":
                    wins.append((key, n))
    in_threads(work, 6)
    assert sorted(k for k, _ in wins) == list(range(30))
    with two[1].raw() as r:
        assert all(r.ask("GET", f"once{key}") == str(n).encode() for key, n in wins)


def test_compare_and_delete_hands_a_lock_over_once(two):
    """The lock of many tutorials: SET NX with a token, DELIFEQ with the token."""
    inside, most = [0], [0]

    def work(n):
        with two[n % 2].raw() as r:
            for turn in range(8):
                token = f"{n}:{turn}"
                wait_until(lambda: r.ask("SET", "lock", token, "NX", "EX", 60) == "OK", 60, "the lock", 0.001)
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                assert r.ask("DELIFEQ", "lock", "another") == 0 and r.ask("DELEX", "lock", "IFNE", token) == 0
                inside[0] -= 1
                assert r.ask(*(("DELIFEQ", "lock", token) if turn % 2 else ("DELEX", "lock", "IFDEQ", r.ask("DIGEST", "lock")))) == 1
    in_threads(work, 4)
    assert most[0] == 1


# --- MOVE and SWAPDB -------------------------------------------------------------------------------------------------


def test_move_is_done_once(two):
    """Two cores move the same keys to the same database: each key arrives once, with its value."""
    keys = [f"m{n}" for n in range(40)]
    moved = []
    with two[0].raw() as r:
        r.ask("MSET", *[x for k in keys for x in (k, k)])

    def work(n):
        with two[n % 2].raw() as r:
            moved.extend(k for k in keys if r.ask("MOVE", k, 1) == 1)
    in_threads(work, 4)
    assert sorted(moved) == sorted(keys)
    with two[0].raw() as r:
        assert r.ask("DBSIZE") == 0
        r.ask("SELECT", 1)
        assert r.ask("MGET", *keys) == [k.encode() for k in keys]


def test_swapdb_is_seen_by_the_other_core_at_once(two):
    first, second = two
    with first.raw() as one, second.raw() as other:
        one.ask("MSET", "a", "zero", "both", "zero")
        other.ask("SELECT", 1)
        other.ask("SET", "both", "one")
        assert one.ask("SWAPDB", 0, 1) == "OK"
        assert other.ask("MGET", "a", "both") == [b"zero", b"zero"] and one.ask("MGET", "a", "both") == [None, b"one"]
        assert other.ask("APPEND", "a", "!") == 5 and one.ask("DBSIZE") == 1
        assert one.ask("SWAPDB", 1, 0) == "OK" and one.ask("GET", "a") == b"zero!"
        assert other.ask("FLUSHDB") == "OK" and one.ask("DBSIZE") == 2
        assert other.ask("SWAPDB", 0, 1) == "OK" and one.ask("DBSIZE") == 0


def test_swapdb_with_watches_of_another_core(two):
    first, second = two
    with first.raw() as one, second.raw() as other:
        one.ask("SET", "a", 1)
        for key, aborted in (("a", True), ("nowhere", False)):
            one.ask("WATCH", key)
            assert other.ask("SWAPDB", 0, 5) == "OK"
            one.ask_all([("MULTI",), ("PING",)])
            assert (one.ask("EXEC") != ["PONG"]) == aborted


def test_swapdb_in_the_turn_of_others(stack):
    """Commands before and behind it, in one pipeline, on keys of both databases, blind writes among them."""
    with stack.raw() as r:
        replies = r.ask_all([("SET", "a", "0"), ("SELECT", 1), ("SET", "a", "1"), ("SELECT", 0), ("SWAPDB", 0, 1), ("GET", "a"), ("SET", "b", "0"),
                             ("INCR", "a"), ("SWAPDB", 1, 0), ("MGET", "a", "b"), ("MSET", "c", "0"), ("SELECT", 1), ("MGET", "a", "b", "c"),
                             ("DBSIZE",)])
        assert [x for x in replies if x != "OK"] == [b"1", 2, [b"0", None], [b"2", b"0", None], 2]
        r.ask("SELECT", 0)
        assert r.ask("MGET", "a", "b", "c") == [b"0", None, b"0"]


def test_swapdb_before_a_long_value(stack):
    """Values of the other database that are too long to be loaded with the rest, behind a swap in a transaction."""
    with stack.raw() as r:
        r.ask("SELECT", 1)
        r.ask("SETRANGE", "long", 12 * MIB - 1, "x")
        r.ask("SELECT", 0)
        r.ask("SET", "long", "short")
        r.ask_all([("MULTI",), ("STRLEN", "long"), ("GET", "long"), ("SWAPDB", 0, 1), ("GETRANGE", "long", -2, -1), ("APPEND", "long", "yz"),
                   ("GETRANGE", "long", -3, -1), ("SELECT", 1), ("GET", "long")])
        assert r.ask("EXEC") == [5, b"short", "OK", b"\0x", 12 * MIB + 2, b"xyz", "OK", b"short"]
        r.ask("SELECT", 0)
        assert r.ask("STRLEN", "long") == 12 * MIB + 2


def test_swapdb_is_one_moment(two):
    """A transaction that writes both databases is before a swap or behind it, on whatever core: what it wrote stays a pair."""
    stopping = threading.Event()
    torn, swaps, writes = [], [0], [0]

    def write(n):
        with two[n % 2].raw() as r:
            while not stopping.is_set():
                writes[0] += 1
                value = f"{n}:{writes[0]}"
                r.ask_all([("SELECT", 0), ("MULTI",), ("SET", "p", value), ("SELECT", 1), ("SET", "q", value)])
                assert r.ask("EXEC") == ["OK", "OK", "OK"]

    def swap(n):
        with two[n % 2].raw() as r:
            end = time.monotonic() + 4
            while time.monotonic() < end:
                assert r.ask("SWAPDB", n % 2, 1 - n % 2) == "OK"
                swaps[0] += 1
                time.sleep(0.02)
        stopping.set()

    def read(n):
        with two[n % 2].raw() as r:
            while not stopping.is_set():
                r.ask_all([("SELECT", 0), ("MULTI",), ("MGET", "p", "q"), ("SELECT", 1), ("MGET", "p", "q")])
                (p0, q0), _, (p1, q1) = r.ask("EXEC")
                if p0 != q1 or p1 != q0:
                    torn.append((p0, q0, p1, q1))
    in_threads(lambda n: (write, write, write, swap, swap, read, read)[n](n), 7)
    assert not torn, torn[:3]
    assert swaps[0] > 20 and writes[0] > 50, (swaps, writes)


def test_swapdb_and_flushes_at_once(two):
    """Nothing is retired that is still in use: what is written last is there, and is still there after the purge."""
    def work(n):
        with two[n % 2].raw() as r:
            for i in range(25):
                r.ask(*[("SWAPDB", 0, 1), ("FLUSHDB",), ("FLUSHALL",), ("SWAPDB", 1, 0)][(i + n) % 4])
                r.ask("SELECT", i % 2)
                r.ask("SET", "k", n)
    in_threads(work, 4)
    first = two[0]
    with first.raw() as r:
        for db in (0, 1):
            r.ask("SELECT", db)
            r.ask("SET", "last", db)
        assert first.sql("SELECT count(*) FROM cofre.space AS s JOIN cofre.retired_space AS r ON r.id = s.id") == "0"
        assert first.sql("SELECT count(DISTINCT id) || ' ' || min(db) || ' ' || max(db) FROM cofre.space") == "16 0 15"
        for db in (0, 1):
            r.ask("SELECT", db)
            assert r.ask("GET", "last") == str(db).encode()


# --- DUMP and RESTORE -------------------------------------------------------------------------------------------------


def test_dump_and_restore_on_another_core(two):
    first, second = two
    with first.raw() as one, second.raw() as other:
        for value in (b"", b"text", b"\0\xff\r\n", bytes(range(256)) * 500):
            one.ask("SET", "k", value, "EX", 100)
            payload = one.ask("DUMP", "k")
            assert other.ask("RESTORE", "k", 0, payload) == "BUSYKEY Target key name already exists."
            assert other.ask("RESTORE", "k", 50000, payload, "REPLACE") == "OK"
            assert one.ask("GET", "k") == value and 40000 < one.ask("PTTL", "k") <= 50100
            assert other.ask("RESTORE", "k", int(time.time() * 1000) - 1000, payload, "ABSTTL", "REPLACE") == "OK"
            assert one.ask("EXISTS", "k") == 0
        broken = payload[:-1] + bytes([payload[-1] ^ 1])
        assert one.ask("RESTORE", "k", 0, broken) == "ERR DUMP payload version or checksum are wrong"


def test_the_longest_value_is_restored(stack):
    """Its payload is longer than a value may be."""
    with stack.raw() as r:
        assert r.ask("SETRANGE", "k", 16 * MIB - 1, "x") == 16 * MIB
        payload = r.ask("DUMP", "k")
        assert len(payload) > 16 * MIB and r.ask("RESTORE", "copy", 0, payload) == "OK" and r.ask("STRLEN", "copy") == 16 * MIB
        assert r.ask("RESTORE", "copy2", 0, payload + b"x") == "ERR DUMP payload version or checksum are wrong"
        assert isinstance(r.ask("SET", "k", payload), Error)


def test_redis_takes_none_of_our_payloads(stack, redis_beside):
    """Nor do we take one of Redis's: neither is told that it could."""
    with stack.raw() as ours, redis_beside.raw() as theirs:
        for r in (ours, theirs):
            r.ask("FLUSHALL")
            r.ask("SET", "k", "v")
        a, b = ours.ask("DUMP", "k"), theirs.ask("DUMP", "k")
        wrong = "ERR DUMP payload version or checksum are wrong"
        assert ours.ask("RESTORE", "n", 0, b) == wrong == theirs.ask("RESTORE", "n", 0, a)


# --- DEBUG SLEEP, OBJECT -----------------------------------------------------------------------------------------------


def test_debug_sleep_stops_nobody_else(stack):
    with stack.raw() as sleeper, stack.raw() as other:
        start = time.monotonic()
        sleeper.send_bytes(b"".join(b"*%d\r\n" % len(c) + b"".join(b"$%d\r\n%b\r\n" % (len(x), x) for x in c) for c in (
            (b"SET", b"k", b"1"), (b"DEBUG", b"SLEEP", b"1"), (b"INCR", b"k"), (b"PING",))))
        assert sleeper.read() == "OK"
        for n in range(20):
            assert other.ask("SET", "other", n) == "OK" and other.ask("GET", "k") == b"1"
        assert time.monotonic() - start < 0.9, "others are served at once"
        assert [sleeper.read() for _ in range(3)] == ["OK", 2, "PONG"]
        assert time.monotonic() - start >= 1
        sleeper.ask("MULTI")
        assert sleeper.ask("DEBUG", "SLEEP", 1) == "ERR Command not allowed inside a transaction"


def test_debug_sleep_and_a_client_that_leaves(new_stack):
    """What it had sent behind it still runs, as for any client that leaves; and the core stops while another sleeps."""
    stack = new_stack()
    with stack.raw() as r:
        gone = stack.raw()
        for command in (("SET", "k", "1"), ("DEBUG", "SLEEP", "1000000"), ("INCR", "k")):
            gone.send(*command)
        assert gone.read() == "OK"
        time.sleep(0.1)
        gone.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset: nobody reads on
        gone.close()
        wait_until(lambda: r.ask("GET", "k") == b"2", 10, "the rest to run")
        wait_until(lambda: len(r.ask("CLIENT", "LIST").splitlines()) == 1, 10, "the session to end")
        r.send("DEBUG", "SLEEP", "1000000")
        time.sleep(0.1)
        start = time.monotonic()
        stack.core.stop()
        assert time.monotonic() - start < 15


def test_idle_time(stack):
    with stack.raw() as r:
        r.ask("MSET", "a", 1, "b", 1)
        time.sleep(1.2)
        assert r.ask("GET", "a") == b"1" and r.ask("TYPE", "a") == "string" and r.ask("TOUCH", "b", "none") == 1
        assert r.ask("OBJECT", "IDLETIME", "a") >= 1 and r.ask("OBJECT", "IDLETIME", "b") == 0
        assert r.ask("OBJECT", "IDLETIME", "none") is None
