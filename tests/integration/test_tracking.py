"""CLIENT TRACKING: who is told to forget which key, on one core. Replies and pushes are compared with Redis where they can."""
import random
import threading
import time

import pytest

from support.resp import Push, encode
from support.stack import SANITIZED, wait_until

INVALIDATE = b"invalidate"


def conversation(raw, *commands):
    """conversation sends the commands in one write and returns the replies and pushes that come, up to its own PING's."""
    raw.send_bytes(b"".join(encode(*c) for c in commands) + encode("PING", "that is all"))
    got = []
    while True:
        got.append(raw.read())
        if got[-1] == b"that is all":
            return got[:-1]


def pushes(raw, *commands):
    return [m for m in conversation(raw, *commands) if isinstance(m, Push)]


def tracking(stack, *options, protocol=3):
    raw = stack.raw()
    raw.ask("HELLO", protocol)
    assert raw.ask("CLIENT", "TRACKING", "ON", *options) == "OK"
    return raw


# Each story is one connection's life; `track` options are given first. Redis's answers are what is expected.
STORIES = [
    [("CLIENT", "TRACKING")], [("CLIENT", "TRACKING", "x")], [("CLIENT", "TRACKING", "on", "x")],
    [("CLIENT", "TRACKING", "on", "redirect")], [("CLIENT", "TRACKING", "on", "redirect", "x")],
    [("CLIENT", "TRACKING", "on", "redirect", "9999")], [("CLIENT", "TRACKING", "off", "redirect", "9999")],
    [("CLIENT", "TRACKING", "on", "redirect", "-1")], [("CLIENT", "TRACKING", "on", "redirect", "0")],
    [("CLIENT", "TRACKING", "on", "prefix", "a")], [("CLIENT", "TRACKING", "on", "bcast", "optin")],
    [("CLIENT", "TRACKING", "on", "bcast", "optout")], [("CLIENT", "TRACKING", "on", "optin", "optout")],
    [("CLIENT", "TRACKING", "on", "bcast", "prefix", "ab", "prefix", "a")],
    [("CLIENT", "TRACKING", "on", "bcast", "prefix", "a", "prefix", "a")],
    [("CLIENT", "TRACKING", "off", "optin", "optout")], [("CLIENT", "GETREDIR")], [("CLIENT", "TRACKINGINFO")],
    [("CLIENT", "CACHING", "yes"), ("CLIENT", "CACHING"), ("CLIENT", "CACHING", "x", "y"), ("CLIENT", "CACHING", "foo")],
    [("CLIENT", "TRACKING", "on"), ("CLIENT", "CACHING", "yes"), ("CLIENT", "CACHING", "no"), ("CLIENT", "CACHING", "foo"),
     ("CLIENT", "GETREDIR"), ("CLIENT", "TRACKINGINFO")],
    [("CLIENT", "TRACKING", "on", "optin"), ("CLIENT", "TRACKINGINFO"), ("CLIENT", "CACHING", "no"),
     ("CLIENT", "CACHING", "yes"), ("CLIENT", "TRACKINGINFO"), ("PING",), ("CLIENT", "TRACKINGINFO"),
     ("CLIENT", "TRACKING", "on", "optout"), ("CLIENT", "TRACKING", "on", "bcast"), ("CLIENT", "TRACKING", "on"),
     ("CLIENT", "TRACKINGINFO")],
    [("CLIENT", "TRACKING", "on", "optout", "noloop"), ("CLIENT", "CACHING", "yes"), ("CLIENT", "CACHING", "no"),
     ("CLIENT", "TRACKINGINFO")],
    [("CLIENT", "TRACKING", "on", "bcast", "prefix", "b", "prefix", "a"), ("CLIENT", "TRACKINGINFO"),
     ("CLIENT", "TRACKING", "on", "bcast", "prefix", "bb"), ("CLIENT", "TRACKING", "on", "bcast", "noloop", "prefix", "c"),
     ("CLIENT", "TRACKINGINFO"), ("CLIENT", "TRACKING", "on"), ("CLIENT", "TRACKING", "on", "bcast"),
     ("CLIENT", "TRACKINGINFO"), ("CLIENT", "TRACKING", "on", "bcast", "prefix", "x")],
    [("MULTI",), ("CLIENT", "TRACKING", "on", "optin"), ("CLIENT", "CACHING", "yes"), ("CLIENT", "TRACKINGINFO"),
     ("CLIENT", "GETREDIR"), ("EXEC",), ("CLIENT", "TRACKINGINFO")],
    [("CLIENT", "TRACKING", "on"), ("RESET",), ("CLIENT", "TRACKINGINFO")],
    [("CLIENT", "TRACKINGINFO", "x")], [("CLIENT", "GETREDIR", "x")],
]


@pytest.mark.parametrize("protocol", [2, 3])
def test_options_as_redis(stack, redis_beside, protocol):
    for story in STORIES:
        with stack.raw() as ours, redis_beside.raw() as theirs:
            if protocol == 3:
                for r in (ours, theirs):
                    r.ask("HELLO", 3)
            assert conversation(ours, *story) == conversation(theirs, *story), story


# What a client that tracks keys does, options first, and the keys that its pushes name.
LIVES = {
    "a key that it read": ([], [("SET", "k", "1"), ("GET", "k"), ("SET", "k", "2")]),
    "once": ([], [("GET", "k"), ("SET", "k", "1"), ("SET", "k", "2")]),
    "not a key that it wrote": ([], [("SET", "k", "1"), ("INCR", "k"), ("GETSET", "k", "2"), ("GETEX", "k"), ("DEL", "k")]),
    "a missing key": ([], [("GET", "k"), ("SETNX", "k", "v")]),
    "many keys": ([], [("MGET", "a", "b", "c"), ("MSET", "a", "1", "b", "2", "d", "3")]),
    "what is not read": ([], [("EXISTS", "a"), ("TTL", "b"), ("STRLEN", "c"), ("TYPE", "d"), ("MSET", "a", 1, "b", 1, "c", 1, "d", 1)]),
    "noloop": (["NOLOOP"], [("GET", "k"), ("SET", "k", "1")]),
    "optin without": (["OPTIN"], [("GET", "k"), ("SET", "k", "1")]),
    "optin with": (["OPTIN"], [("CLIENT", "CACHING", "YES"), ("GET", "k"), ("GET", "l"), ("SET", "k", "1"), ("SET", "l", "1")]),
    "optin, taken by another": (["OPTIN"], [("CLIENT", "CACHING", "YES"), ("PING",), ("GET", "k"), ("SET", "k", "1")]),
    "optin, taken by an unknown one": (["OPTIN"], [("CLIENT", "CACHING", "YES"), ("NOSUCH",), ("GET", "k"), ("SET", "k", "1")]),
    "optin, taken by a wrong one": (["OPTIN"], [("CLIENT", "CACHING", "YES"), ("GET",), ("GET", "k"), ("SET", "k", "1")]),
    "optin, not by CLIENT": (["OPTIN"], [("CLIENT", "CACHING", "YES"), ("CLIENT", "ID"), ("GET", "k"), ("SET", "k", "1")]),
    "optin, a transaction": (["OPTIN"], [("CLIENT", "CACHING", "YES"), ("MULTI",), ("GET", "a"), ("GET", "b"), ("EXEC",),
                                         ("GET", "c"), ("MSET", "a", 1, "b", 1, "c", 1)]),
    "optin, inside one": (["OPTIN"], [("MULTI",), ("GET", "z"), ("CLIENT", "CACHING", "YES"), ("GET", "a"), ("GET", "b"),
                                      ("EXEC",), ("GET", "c"), ("MSET", "z", 1, "a", 1, "b", 1, "c", 1)]),
    "optout": (["OPTOUT"], [("GET", "k"), ("CLIENT", "CACHING", "NO"), ("GET", "l"), ("SET", "k", "1"), ("SET", "l", "1")]),
    "bcast": (["BCAST"], [("MSET", "a", "1", "b", "2")]),
    "bcast, prefixes": (["BCAST", "PREFIX", "a:", "PREFIX", "b:"], [("MSET", "a:1", 1, "c", 1, "b:1", 1, "a", 1)]),
    "a transaction": ([], [("MULTI",), ("GET", "a"), ("SET", "b", "1"), ("GET", "b"), ("EXEC",), ("MSET", "a", "1", "b", "2")]),
    "tracking begun in one": (["OPTIN"], [("CLIENT", "TRACKING", "OFF"), ("MULTI",), ("GET", "a"), ("CLIENT", "TRACKING", "ON"),
                                          ("GET", "b"), ("EXEC",), ("MSET", "a", "1", "b", "2")]),
    "expire": ([], [("SET", "k", "1"), ("GET", "k"), ("EXPIRE", "k", 100), ("GET", "k"), ("PERSIST", "k"), ("GET", "k"),
                    ("EXPIRE", "k", -1)]),
    "rename": ([], [("SET", "a", "1"), ("MGET", "a", "b"), ("RENAME", "a", "b")]),
    "copy": ([], [("SET", "a", "1"), ("MGET", "a", "b"), ("COPY", "a", "b")]),
    "nothing changed": ([], [("SET", "a", "1"), ("GET", "a"), ("SET", "a", "2", "NX"), ("SETNX", "a", "2"), ("DEL", "b"),
                             ("MSETNX", "a", 1, "b", 1), ("EXPIRE", "a", 10, "XX"), ("PERSIST", "a"), ("INCRBY", "a", "x")]),
    "flush": ([], [("GET", "a"), ("FLUSHDB",), ("SET", "a", "1")]),
    "flush all": (["BCAST"], [("SET", "a", 1), ("FLUSHALL",)]),
    "other databases count": ([], [("GET", "a"), ("SELECT", 1), ("SET", "a", "1"), ("SELECT", 0)]),
}


def one_by_one(commands):
    """one_by_one cuts a life into what can be sent alone: a command, or a transaction."""
    steps, queue = [], []
    for command in commands:
        queue.append(command)
        if queue[0] != ("MULTI",) or command == ("EXEC",):
            steps.append(queue)
            queue = []
    return steps


def keys_of(messages):
    assert all(m[0] == INVALIDATE for m in messages), messages
    return sorted(k for m in messages for k in (m[1] or [b"all of them"]))


@pytest.mark.asan
@pytest.mark.parametrize("name", LIVES)
def test_told_as_redis(stack, redis_beside, name):
    """The same keys, one command at a time and all in one write. In one write ours come behind the replies."""
    options, commands = LIVES[name]
    for pipelined in (False, True):
        with stack.raw() as plain, redis_beside.raw() as theirs_plain:
            plain.ask("FLUSHALL"), theirs_plain.ask("FLUSHALL")
        with tracking(stack, *options) as ours, tracking(redis_beside, *options) as theirs:
            told = []
            for raw in (ours, theirs):
                if pipelined:
                    told.append(keys_of(pushes(raw, *commands)))
                    continue
                got = [m for step in one_by_one(commands) for m in pushes(raw, *step)]
                time.sleep(0.02)
                told.append(keys_of(got + pushes(raw)))
            assert told[0] == told[1]


@pytest.mark.asan
def test_pushes_follow_the_reply(stack):
    with tracking(stack) as r:
        r.ask("MSET", "a", 1, "b", 2)
        r.ask("GET", "a")
        assert conversation(r, ("INCR", "a")) == [2, [INVALIDATE, [b"a"]]]
        r.ask("GET", "a")
        assert conversation(r, ("MULTI",), ("INCR", "a"), ("GET", "b"), ("EXEC",)) == \
            ["OK", "QUEUED", "QUEUED", [3, b"2"], [INVALIDATE, [b"a"]]]
        r.ask("GET", "a")
        assert conversation(r, ("MULTI",), ("FLUSHDB",), ("EXEC",)) == ["OK", "QUEUED", ["OK"], [INVALIDATE, None]]


def test_redirect(stack):
    """The other client is told: RESP2 as a message where it subscribed, RESP3 as a push."""
    with stack.raw() as other, stack.raw() as r:
        target = other.ask("CLIENT", "ID")
        assert r.ask("CLIENT", "TRACKING", "ON", "REDIRECT", target) == "OK"
        assert r.ask("CLIENT", "GETREDIR") == target
        r.ask("GET", "k")
        r.ask("SET", "k", "1")  # nobody can be told
        assert other.ask("SUBSCRIBE", "__redis__:invalidate") == [b"subscribe", b"__redis__:invalidate", 1]
        r.ask("GET", "k")
        r.ask("SET", "k", "2")
        assert other.read() == [b"message", b"__redis__:invalidate", [b"k"]]
        r.ask("FLUSHALL")
        assert other.read() == [b"message", b"__redis__:invalidate", None]
        other.ask("UNSUBSCRIBE")
        other.ask("HELLO", 3)
        r.ask("GET", "k")
        r.ask("SET", "k", "3")
        assert other.read() == [INVALIDATE, [b"k"]]


def test_broken_redirect(stack):
    other = stack.raw()
    target = other.ask("CLIENT", "ID")
    with tracking(stack, "REDIRECT", target) as r:
        r.ask("GET", "k")
        other.close()
        with stack.raw() as w:
            wait_until(lambda: f"id={target} ".encode() not in w.ask("CLIENT", "LIST"), what="the target to be gone")
            w.ask("SET", "k", "1")
        assert conversation(r) == [[b"tracking-redir-broken", target]]
        assert r.ask("CLIENT", "TRACKINGINFO") == {b"flags": [b"on", b"broken_redirect"], b"redirect": target, b"prefixes": []}


def test_expired_keys_are_told(stack):
    with tracking(stack) as r, tracking(stack, "BCAST") as b, stack.raw() as w:
        w.ask("SET", "k", "v", "PX", 300)
        assert r.ask("GET", "k") == b"v"
        assert b.read() == [INVALIDATE, [b"k"]]
        began = time.monotonic()
        assert r.read() == [INVALIDATE, [b"k"]]
        assert b.read() == [INVALIDATE, [b"k"]]
        assert 0.1 < time.monotonic() - began < 3
        assert w.ask("GET", "k") is None


def test_the_table_is_bounded(stack):
    with tracking(stack) as r, stack.raw() as w:
        try:
            assert w.ask("CONFIG", "SET", "tracking-table-max-keys", 100) == "OK"
            assert r.ask_all([("GET", f"k{n}") for n in range(100)]) == [None] * 100
            assert pushes(r) == []
            assert keys_of(pushes(r, *[("GET", f"m{n}") for n in range(10)])) == sorted(b"k%d" % n for n in range(10))
            w.ask("CONFIG", "SET", "tracking-table-max-keys", 10)
            assert len(keys_of(pushes(r))) == 90
            with stack.client() as c:
                info = {**c.info("stats"), **c.info("clients")}
            assert (info["tracking_total_keys"], info["tracking_total_items"], info["tracking_clients"]) == (10, 10, 1)
        finally:
            w.ask("CONFIG", "SET", "tracking-table-max-keys", 1000000)


class Cache:
    """A client that believes its cache: what it holds is what it read last and was not told to forget."""

    def __init__(self, raw, bcast):
        self.raw = raw
        self.bcast = bcast
        self.held = {}

    def take(self, message):
        assert message[0] == INVALIDATE
        if message[1] is None:
            self.held.clear()
        for key in message[1] or ():
            self.held.pop(key, None)

    def reply(self):
        while True:
            got = self.raw.read()
            if not isinstance(got, Push):
                return got
            self.take(got)

    def get(self, keys):
        self.raw.send_bytes(b"".join(encode("GET", k) for k in keys))
        for key in keys:
            self.held[key] = self.reply()

    def settle(self):
        """settle takes all that is on its way."""
        self.raw.ask
        self.raw.send("PING", "settled")
        assert self.reply() == b"settled"


@pytest.mark.asan
@pytest.mark.parametrize("options", [(), ("NOLOOP",), ("BCAST",), ("OPTOUT",)], ids=lambda o: "-".join(o) or "plain")
def test_a_cache_is_never_stale(new_stack, options):
    """Reads and writes side by side in many lanes: when all is quiet, what any client holds is what the store holds."""
    stack = new_stack(core_options=("--pool-size", "8"))
    keys = [b"k%d" % n for n in range(6)]
    errors, rounds = [], 4 if SANITIZED else 12

    def read(cache, number, until):
        dice = random.Random(number)
        while not until.is_set():
            cache.get([dice.choice(keys) for _ in range(dice.randint(1, 4))])

    def write(number):
        dice = random.Random(1000 + number)
        with stack.raw() as r:
            for n in range(60):
                r.ask_all([dice.choice([("SET", dice.choice(keys), f"{number}:{n}"), ("DEL", dice.choice(keys)),
                                        ("APPEND", dice.choice(keys), "x"), ("GET", dice.choice(keys)),
                                        ("SET", dice.choice(keys), n, "PX", 20)]) for _ in range(dice.randint(1, 3))])

    def guarded(body, *args):
        try:
            body(*args)
        except BaseException as e:
            errors.append(e)
            raise

    caches = [Cache(tracking(stack, *options), "BCAST" in options) for _ in range(6)]
    for round_ in range(rounds):
        done = threading.Event()
        readers = [threading.Thread(target=guarded, args=(read, c, round_ * 100 + i, done), daemon=True)
                   for i, c in enumerate(caches)]
        writers = [threading.Thread(target=guarded, args=(write, round_ * 100 + i), daemon=True) for i in range(4)]
        [t.start() for t in readers + writers]
        [t.join(60) for t in writers]
        done.set()
        [t.join(60) for t in readers]
        assert not errors, errors[:2]
        time.sleep(0.4)  # for what expires
        with stack.raw() as r:
            stored = dict(zip(keys, r.ask("MGET", *keys)))
        for cache in caches:
            cache.settle()
            stale = {k: (v, stored[k]) for k, v in cache.held.items() if v != stored[k]}
            assert not stale, f"round {round_}: {stale}"
    [c.raw.close() for c in caches]
