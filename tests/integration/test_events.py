"""Keyspace notifications: what is told of changed keys, by whom, when, and in which order."""
import threading
import time

import pytest

from support.resp import encode
from support.stack import SANITIZED, wait_until

END = b"that was all"


class Listener:
    """Hears every event of a server; heard() returns those so far, as "event key" with the database where it is not 0."""

    def __init__(self, stack, flags="KEAmn"):
        self.raw = stack.raw()
        self.publisher = stack.raw()
        assert self.publisher.ask("CONFIG", "SET", "notify-keyspace-events", flags) == "OK"
        self.raw.send("PSUBSCRIBE", "__key*@*__:*")
        self.raw.read()

    def messages(self):
        self.publisher.ask("PUBLISH", "__keyspace@0__:end", END)
        got = []
        while (message := self.raw.read())[3] != END:
            got.append((message[2], message[3]))
        return got

    def heard(self):
        """heard checks that each event came by both channels, keyspace first."""
        got = self.messages()
        events = []
        for (space, event), (by_event, key) in zip(got[::2], got[1::2]):
            db = space.split(b"@")[1].split(b"__")[0]
            assert space == b"__keyspace@" + db + b"__:" + key and by_event == b"__keyevent@" + db + b"__:" + event
            events.append((event + b" " + key + (b"" if db == b"0" else b" in " + db)).decode())
        assert len(got) == 2 * len(events)
        return events

    def close(self):
        self.publisher.ask("CONFIG", "SET", "notify-keyspace-events", "")
        self.raw.close()
        self.publisher.close()


@pytest.fixture
def listener(stack):
    listener = Listener(stack)
    yield listener
    listener.close()


STORIES = [
    [("SET", "k", "v"), ("SET", "k", "v", "EX", 100), ("SET", "k", "w", "KEEPTTL"), ("SET", "k", "x", "NX"), ("SET", "k", "y", "GET"),
     ("SET", "no", "y", "XX"), ("SETNX", "k", 1), ("SETNX", "l", 1), ("SETEX", "k", 100, "v"), ("PSETEX", "m", 100000, "v")],
    [("GETSET", "k", 1), ("GETSET", "k", 2), ("GETDEL", "k"), ("GETDEL", "k"), ("SET", "k", 1), ("GETEX", "k"),
     ("GETEX", "k", "EX", 100), ("GETEX", "k", "PERSIST"), ("GETEX", "k", "EXAT", 1), ("GETEX", "k")],
    [("MSET", "a", 1, "b", 2, "a", 3), ("MSETNX", "a", 1, "c", 2), ("MSETNX", "c", 1, "d", 2), ("MGET", "a", "x", "b", "y")],
    [("INCR", "n"), ("DECR", "n"), ("INCRBY", "n", 5), ("DECRBY", "n", 5), ("INCRBYFLOAT", "n", "1.5"), ("INCR", "n"),
     ("APPEND", "s", "x"), ("APPEND", "s", "y"), ("SETRANGE", "s", 5, "z"), ("SETRANGE", "s", 0, ""), ("STRLEN", "t"),
     ("GETRANGE", "t", 0, 1)],
    [("SETBIT", "b", 7, 1), ("SETBIT", "b", 7, 1), ("SETBIT", "b", 7, 0), ("BITOP", "OR", "d", "b", "x"), ("BITOP", "AND", "d", "x", "y"),
     ("BITFIELD", "f", "SET", "u8", 0, 1, "GET", "u8", 0), ("BITFIELD", "f", "SET", "u8", 0, 1), ("BITFIELD", "f", "GET", "u8", 0),
     ("BITFIELD", "g", "OVERFLOW", "FAIL", "INCRBY", "u2", 0, 9), ("GETBIT", "x", 0), ("BITCOUNT", "x"), ("BITPOS", "x", 1)],
    [("PFADD", "p", "a"), ("PFADD", "p", "a"), ("PFADD", "q", "b"), ("PFMERGE", "r", "p", "q"), ("PFCOUNT", "p"), ("PFCOUNT", "x", "p")],
    [("MSET", "a", 1, "b", 2), ("EXPIRE", "a", 100), ("PERSIST", "a"), ("PERSIST", "a"), ("EXPIRE", "a", 50, "XX"),
     ("PEXPIREAT", "a", 4102444800000), ("EXPIRE", "a", -1), ("EXPIRE", "a", 100), ("DEL", "a", "b", "b"), ("UNLINK", "a"),
     ("EXISTS", "a", "b"), ("TOUCH", "a"), ("TYPE", "a"), ("TTL", "a"), ("DUMP", "a")],
    [("SET", "a", 1), ("RENAME", "a", "b"), ("SET", "a", 2), ("RENAME", "a", "b"), ("RENAME", "b", "b"), ("RENAMENX", "b", "c"),
     ("COPY", "c", "d"), ("COPY", "c", "d"), ("COPY", "c", "d", "REPLACE"), ("COPY", "c", "e", "DB", 3), ("COPY", "x", "y"), ("MOVE", "c", 4),
     ("MOVE", "c", 4), ("SELECT", 4), ("GET", "c"), ("SET", "c", 5), ("SELECT", 0), ("SORT", "x", "STORE", "d"), ("RENAME", "x", "y")],
    [("MULTI",), ("SET", "a", 1), ("INCR", "a"), ("SELECT", 2), ("SET", "a", 1), ("DEL", "a"), ("SELECT", 0), ("GET", "b"), ("EXEC",),
     ("MULTI",), ("SET", "a", 1), ("DISCARD",), ("MULTI",), ("INCR", "z"), ("APPEND", "z", "x"), ("INCR", "z"), ("EXEC",)],
    [("SET", "a", 1), ("FLUSHDB",), ("SET", "a", 1), ("FLUSHALL",), ("SWAPDB", 0, 1), ("RANDOMKEY",), ("KEYS", "*"), ("DBSIZE",)],
    [("SET", "k", "v", "PX", 1), "wait", ("GET", "k"), ("SET", "l", "v"), ("EXPIRE", "l", 1), ("PEXPIRE", "l", 1), "wait", ("EXISTS", "l")],
]


@pytest.mark.asan
@pytest.mark.parametrize("number", range(len(STORIES)))
def test_as_redis(stack, redis_beside, number):
    """One command after the other; what expires is told of sooner or later, so there the order does not count."""
    heard = []
    for server in (stack, redis_beside):
        with server.raw() as r:
            r.ask("FLUSHALL")
            listener = Listener(server)
            for command in STORIES[number]:
                if command == "wait":
                    time.sleep(0.4)
                else:
                    r.ask(*command)
            time.sleep(0.3 if "wait" in STORIES[number] else 0)
            heard.append(listener.heard())
            listener.close()
    if "wait" in STORIES[number]:
        heard = [sorted(h) for h in heard]
    assert heard[0] == heard[1]


@pytest.mark.parametrize("number", range(len(STORIES)))
def test_in_one_write(stack, redis_beside, number):
    """Turns of many commands tell in the order of the commands."""
    commands = [c for c in STORIES[number] if c != "wait"]
    heard = []
    for server in (stack, redis_beside):
        with server.raw() as r:
            r.ask("FLUSHALL")
            listener = Listener(server, "KEAmn")
            r.ask_all(commands)
            heard.append([e for e in listener.heard() if not e.startswith(("expired", "keymiss"))])
            listener.close()
    assert heard[0] == heard[1]


def test_classes(stack, redis_beside):
    """Each flag alone, and what nobody can hear without K or E."""
    commands = [("SET", "k", 1, "EX", 100), ("APPEND", "k", 1), ("DEL", "k"), ("GET", "k"), ("RENAME", "k", "l")]
    for flags in ("K$", "Eg", "Em", "Kn", "A", "", "KE", "KEx$", "E$g"):
        got = []
        for server in (stack, redis_beside):
            with server.raw() as r:
                r.ask("DEL", "k", "l")
                listener = Listener(server, flags)
                for command in commands:
                    r.ask(*command)
                got.append(listener.messages())
                listener.close()
        assert got[0] == got[1], flags


def test_settings_as_redis(stack, redis_beside):
    for value in ("KEA", "g$lshzxetd", "mKE", "nE", "", "KEq", "x" * 50):
        answers = [[c.ask("CONFIG", "SET", "notify-keyspace-events", value), c.ask("CONFIG", "GET", "notify-keyspace-events")]
                   for c in (stack.raw(), redis_beside.raw())]
        assert answers[0] == answers[1], value
    for name, values in (("tracking-table-max-keys", (5, 0, -1, "x", "1000000")),
                         ("client-output-buffer-limit", ("pubsub 1 1 1", "pubsub 1mb 2k 10", "foo 1 1 1", "normal 0 0", "pubsub -1 0 0",
                                                         "pubsub 33554432 8388608 60"))):
        for value in values:
            answers = [c.ask("CONFIG", "SET", name, value) for c in (stack.raw(), redis_beside.raw())]
            assert answers[0] == answers[1], (name, value)


@pytest.mark.asan
def test_nothing_is_told_before_it_is_stored(stack, listener):
    """Whoever hears of a key finds it, on whatever connection."""
    with stack.raw() as writer, stack.raw() as reader:
        for n in range(100):
            writer.send("SET", f"k{n}", n)
            while (message := listener.raw.read())[2] != b"__keyevent@0__:set":
                pass
            assert reader.ask("GET", message[3]) == str(n).encode()
            assert writer.read() == "OK"
        listener.messages()


def test_expired_keys_are_told_once(new_stack):
    """By whichever core finds one first; read or not read; and not those that were overwritten before."""
    one = new_stack()
    two = new_stack(database=one.database)
    wait_until(lambda: all(s.client().info("cofre")["cores"] == 2 for s in (one, two)), 10, "the cores to know each other")
    ears = [Listener(s, "Ex") for s in (one, two)]
    keys = [f"k{n}" for n in range(60)]
    with one.raw() as a, two.raw() as b:
        time.sleep(0.5)  # for each to know what the other wants
        a.ask_all([("SET", k, "v", "PX", 300) for k in keys] + [("SET", "stays", "v", "PX", 300), ("PERSIST", "stays")])
        for _ in range(40):
            for r in (a, b):
                r.ask("MGET", *keys[::2])
            time.sleep(0.02)
        time.sleep(1)
        for ear in ears:
            assert sorted(k for _, k in ear.messages()) == sorted(k.encode() for k in keys)
        assert a.ask("EXISTS", *keys, "stays") == 1
        assert one.sql("SELECT count(*) FROM cofre.entry WHERE type <> 0") == "1"
    [ear.close() for ear in ears]


def test_a_turn_that_starts_again_tells_once(new_stack):
    """Two cores insert the same keys: one is first, the other starts its turn again. Each insert is told once, on both."""
    one = new_stack()
    two = new_stack(database=one.database)
    wait_until(lambda: all(s.client().info("cofre")["cores"] == 2 for s in (one, two)), 10, "the cores to know each other")
    ears = [Listener(s, "E$g") for s in (one, two)]
    time.sleep(0.5)
    keys = [f"k{n}" for n in range(60 if SANITIZED else 200)]
    won, errors = [], []

    def insert(stack):
        try:
            with stack.raw() as r:
                for at in range(0, len(keys), 10):
                    replies = r.ask_all([("SETNX", k, "v") for k in keys[at:at + 10]])
                    won.extend(k for k, reply in zip(keys[at:at + 10], replies) if reply == 1)
        except BaseException as e:
            errors.append(e)
            raise
    threads = [threading.Thread(target=insert, args=(s,), daemon=True) for s in (one, two, one, two)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert not errors and sorted(won) == sorted(keys)
    time.sleep(0.5)
    for ear in ears:
        assert sorted(k for _, k in ear.messages()) == sorted(k.encode() for k in keys)
        ear.close()


def test_lost_connections_tell_once(new_stack):
    """Whatever breaks in the middle of a turn: a counter's event comes once for each time that it counted."""
    stack = new_stack()
    ear = Listener(stack, "E$")
    done = threading.Event()

    def cut():
        while not done.is_set():
            stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                      " AND pid <> pg_backend_pid() AND query ~ 'fence|UPSERT|INSERT INTO cofre.entry'")
            time.sleep(0.05)
    cutter = threading.Thread(target=cut, daemon=True)
    cutter.start()
    with stack.raw(timeout=60) as r:
        for n in range(1, 150):
            assert r.ask("INCR", "n") == n
    done.set()
    cutter.join(10)
    assert [k for _, k in ear.messages()] == [b"n"] * 149
    ear.close()


def test_new_keys_of_blind_writes(stack, listener):
    """A plain SET asks nothing of the old value; while somebody waits for new keys, it does."""
    with stack.raw() as r:
        r.send_bytes(b"".join(encode("SET", f"k{n % 3}", n) for n in range(9)))
        assert [r.read() for _ in range(9)] == ["OK"] * 9
    assert listener.heard() == [e for n in range(9) for e in (([f"new k{n}"] if n < 3 else []) + [f"set k{n % 3}"])]
