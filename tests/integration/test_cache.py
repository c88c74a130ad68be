"""The core's cache: it answers, it never answers what is no longer so, and it keeps to its size."""
import random
import threading
import time

import pytest

from support.stack import SANITIZED, wait_until

REST = 0.06  # longer than the core leaves its cache alone after another core wrote


def figures(stack):
    with stack.client() as c:
        return {k[6:]: v for k, v in c.info("cofre").items() if k.startswith("cache_")}


def warm(r, *keys):
    """warm reads until the core has the keys; the first reads after a pause only learn what other cores have done."""
    for _ in range(3):
        for key in keys:
            r.ask("GET", key)


def test_repeated_reads_leave_the_table_alone(new_stack):
    stack = new_stack()
    with stack.raw() as r:
        r.ask("SET", "k", "v")
        warm(r, "k", "missing")
        before = figures(stack)
        for _ in range(100):
            assert r.ask_all([("GET", "k"), ("EXISTS", "k", "missing"), ("STRLEN", "k"), ("TTL", "k"), ("GET", "missing")]) == \
                [b"v", 1, 1, -1, None]
    after = figures(stack)
    assert after["hits"] - before["hits"] >= 200 and after["misses"] == before["misses"]


def test_size_zero_turns_it_off(new_stack):
    stack = new_stack(core_options=("--cache-size", "0"))
    with stack.raw() as r:
        r.ask("SET", "k", "v")
        warm(r, "k")
    assert figures(stack) == {"max_bytes": 0, "bytes": 0, "entries": 0, "hits": 0, "misses": 0, "forgotten": 0}


def test_keeps_to_its_size(new_stack):
    stack = new_stack(core_options=("--cache-size", "1m"))
    with stack.raw() as r:
        for n in range(0, 20000, 1000):
            r.ask("MSET", *[x for k in range(n, n + 1000) for x in (f"k{k}", "x" * 100)])
        for n in range(0, 20000, 1000):
            assert r.ask("MGET", *[f"k{k}" for k in range(n, n + 1000)]) == [b"x" * 100] * 1000
    found = figures(stack)
    assert 3000 < found["entries"] < 6000 and found["bytes"] <= found["max_bytes"] == 1 << 20


@pytest.mark.asan
def test_every_kind_of_write_shows_at_once(new_stack):
    stack = new_stack()
    with stack.raw() as writer, stack.raw() as reader:
        def check(*command, expect, key="k"):
            warm(reader, key)
            writer.ask(*command)
            assert reader.ask("GET", key) == expect, command
            assert reader.ask("GET", key) == expect, command
        check("SET", "k", "1", expect=b"1")
        check("INCR", "k", expect=b"2")
        check("APPEND", "k", "x", expect=b"2x")
        check("SETRANGE", "k", "1", "y", expect=b"2y")
        check("GETSET", "k", "old", expect=b"old")
        check("EXPIRE", "k", "100", expect=b"old")
        assert 0 < reader.ask("TTL", "k") <= 100
        check("PERSIST", "k", expect=b"old")
        assert reader.ask("TTL", "k") == -1
        check("DEL", "k", expect=None)
        check("MSET", "k", "a", "l", "b", expect=b"a")
        check("RENAME", "k", "m", expect=b"a", key="m")
        check("COPY", "m", "k", expect=b"a")
        check("EXPIRE", "k", "-1", expect=None)
        check("MSETNX", "k", "n", expect=b"n")
        check("FLUSHDB", expect=None)
        writer.ask("SET", "k", "again")
        check("FLUSHALL", expect=None)
        for command in (("MULTI",), ("SET", "k", "t"), ("INCRBY", "n", 5)):
            writer.ask(*command)
        check("EXEC", expect=b"t")
        assert reader.ask("GET", "n") == b"5"


def test_expires_on_time(new_stack):
    stack = new_stack()
    with stack.raw() as r:
        r.ask("SET", "k", "v", "PX", 400)
        warm(r, "k")
        assert r.ask("GET", "k") == b"v"
        before = time.monotonic()
        wait_until(lambda: r.ask("GET", "k") is None, 2, "expiry")
        assert time.monotonic() - before < 1
        assert r.ask("EXISTS", "k") == 0


def test_watch_sees_the_revision_of_a_key_that_this_core_wrote(new_stack):
    """After a blind write the cache has the value, but not the revision that WATCH compares."""
    stack = new_stack()
    with stack.raw() as r:
        r.ask("SET", "k", "0")
        warm(r, "k")
        for n in range(5):
            r.ask("SET", "k", n)
            warm(r, "k")
            r.ask("WATCH", "k")
            assert r.ask_all([("MULTI",), ("GET", "k"), ("EXEC",)])[2] == [str(n).encode()]
            r.ask("WATCH", "k")
            assert r.ask_all([("MULTI",), ("INCR", "k"), ("EXEC",)])[2] == [n + 1]


def test_another_cores_write_shows_at_once(new_stack):
    """With pauses that let the first core fill its cache, and without."""
    first = new_stack()
    second = new_stack(database=first.database)
    dice = random.Random(1)
    with first.raw() as one, second.raw() as two:
        for n in range(60 if SANITIZED else 200):
            time.sleep(dice.choice((0, 0, 0, REST)))
            warm(one, "k", "l")
            assert two.ask("MSET", "k", n, "l", n) == "OK"
            assert one.ask("MGET", "k", "l") == [str(n).encode()] * 2
            if n % 10 == 0:
                assert two.ask(dice.choice(("FLUSHDB", "FLUSHALL"))) == "OK"
                assert one.ask("MGET", "k", "l") == [None] * 2
    assert figures(first)["hits"] > 50 and figures(first)["forgotten"] > 10


def test_rows_changed_by_hand_with_a_writers_row_show_at_once(new_stack):
    """What the README says to do."""
    stack = new_stack()
    with stack.raw() as r:
        r.ask("SET", "k", "v")
        warm(r, "k")
        stack.sql("BEGIN; UPDATE cofre.entry SET value = 'by hand';"
                  " INSERT INTO cofre.writer (epoch, turn, seen_at) VALUES (0, 0, 0); COMMIT")
        assert r.ask("GET", "k") == b"by hand"


def run_threads(*bodies):
    errors = []

    def guarded(body):
        try:
            body()
        except BaseException as e:
            errors.append(e)
            raise
    threads = [threading.Thread(target=guarded, args=(b,), daemon=True) for b in bodies]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert not errors, errors[:3]
    assert not any(t.is_alive() for t in threads), "a client hangs"


@pytest.mark.asan
@pytest.mark.parametrize("cores", [1, 2])
def test_a_counter_never_goes_back(new_stack, cores):
    """Whatever anybody has seen of a key, every read that starts later shows that or more, on every core."""
    stacks = [new_stack()]
    stacks += [new_stack(database=stacks[0].database) for _ in range(cores - 1)]
    keys = [f"count:{n}" for n in range(3)]
    seen, done = dict.fromkeys(keys, 0), threading.Event()
    rounds = 60 if SANITIZED else 200

    def read(stack, number):
        dice = random.Random(number)
        with stack.raw(timeout=60) as r:
            while not done.is_set():
                floor = dict(seen)
                if dice.random() < 0.5:
                    found = dict(zip(keys, r.ask("MGET", *keys)))
                else:
                    order = dice.sample(keys, 2)
                    found = dict(zip(order, r.ask_all([("GET", k) for k in order])))
                for key, value in found.items():
                    value = int(value or 0)
                    assert value >= floor[key], f"{key} was {floor[key]} and is {value}"
                    seen[key] = max(seen[key], value)  # a lost race only lowers the floor

    def write(stack, number):
        dice = random.Random(number)
        with stack.raw(timeout=60) as r:
            for _ in range(rounds):
                key = dice.choice(keys)
                if dice.random() < 0.1:
                    time.sleep(REST)
                value = r.ask("INCR", key)
                seen[key] = max(seen[key], value)

    def writers():
        run_threads(*[lambda s=s, n=n: write(s, n) for s in stacks for n in range(4)])
        done.set()
    run_threads(writers, *[lambda s=s, n=n: read(s, 100 + n) for s in stacks for n in range(4)])


@pytest.mark.asan
def test_blind_writes_of_many_sessions_leave_the_last_one(new_stack):
    """SETs of the same keys in several lanes: what is read afterwards is what PostgreSQL has."""
    stack = new_stack()
    keys = [f"hot:{n}" for n in range(4)]

    def write(number):
        dice = random.Random(number)
        with stack.raw(timeout=60) as r:
            for n in range(30):
                r.ask_all([("SET", dice.choice(keys), f"{number}:{n}"), ("MGET", *keys)])
    for _ in range(3 if SANITIZED else 8):
        run_threads(*[lambda n=n: write(n) for n in range(30)])
        stored = dict(row.split("|") for row in stack.sql(
            "SELECT convert_from(key, 'UTF8'), convert_from(value, 'UTF8') FROM cofre.entry").splitlines())
        with stack.client() as c:
            assert dict(zip(keys, (v.decode() for v in c.mget(keys)))) == stored
