"""Cores on one database: messages, events and keys to forget reach clients of the other core; what is lost is owned up to."""
import itertools
import random
import threading
import time

import pytest

from support.resp import Push, encode
from support.stack import SANITIZED, Core, wait_until

INVALIDATE = b"invalidate"
names = itertools.count(1)


@pytest.fixture
def cores(new_stack):
    """Two stacks on one database that know of each other."""
    first = new_stack()
    second = new_stack(database=first.database)
    for stack in (first, second):
        wait_until(lambda s=stack: cofre(s)["cores"] == 2, 10, "the cores to know of each other")
    return first, second


def cofre(stack):
    with stack.client() as c:
        return c.info("cofre")


def subscribe(raw, *channels, command="SUBSCRIBE"):
    raw.send(command, *channels)
    for _ in channels:
        raw.read()


def tracking(stack, *options):
    raw = stack.raw()
    raw.ask("HELLO", 3)
    assert raw.ask("CLIENT", "TRACKING", "ON", *options) == "OK"
    return raw


def quiet(raw):
    """quiet returns the pushes that have come so far, and takes them off."""
    got = []
    raw.send("PING", "quiet")
    while (message := raw.read()) != b"quiet":
        assert isinstance(message, Push)
        got.append(message)
    return got


def remember(raw, *keys):
    """remember reads keys until they are: as long as the other core does not know, each is told to be forgotten at once."""
    def told_nothing():
        for key in keys:
            raw.send("GET", key)
        pushes = []
        for _ in keys:
            while isinstance(message := raw.read(), Push):
                pushes.append(message)
        return not pushes + quiet(raw)
    wait_until(told_nothing, 10, "the other core to know that keys are tracked here")


@pytest.mark.asan
def test_messages_reach_the_other_core(cores):
    one, two = cores
    with one.raw() as a, two.raw() as b, two.raw() as shard, one.raw() as publisher:
        subscribe(a, "c")
        subscribe(b, "c")
        subscribe(b, "*", command="PSUBSCRIBE")
        subscribe(shard, "s", command="SSUBSCRIBE")
        assert publisher.ask("PUBLISH", "c", "hello") == 1  # whoever is on this core
        assert publisher.ask("SPUBLISH", "s", b"\x00\r\n\xff") == 0
        assert a.read() == [b"message", b"c", b"hello"]
        assert b.read() == [b"message", b"c", b"hello"]
        assert b.read() == [b"pmessage", b"*", b"c", b"hello"]
        assert shard.read() == [b"smessage", b"s", b"\x00\r\n\xff"]


@pytest.mark.asan
def test_messages_keep_their_order_and_come_once(cores):
    """Short ones in batches, and long ones through the table, in the order in which they were published."""
    one, two = cores
    dice = random.Random(3)
    sizes = [dice.choice((0, 10, 100, 5000, 7000, 20000, 300000)) for _ in range(120 if SANITIZED else 400)]
    with two.raw() as b, one.raw() as a, one.raw() as publisher:
        for r in (a, b):
            subscribe(r, "c")
        publisher.send_bytes(b"".join(encode("PUBLISH", "c", b"%d:" % n + b"x" * size) for n, size in enumerate(sizes)))
        for r in (a, b):
            for n, size in enumerate(sizes):
                number, rest = r.read()[2].split(b":")
                assert (int(number), len(rest)) == (n, size)
        assert [publisher.read() for _ in sizes] == [1] * len(sizes)
        publisher.ask("PUBLISH", "c", "the end")
        assert a.read()[2] == b.read()[2] == b"the end"


def test_the_largest_message(cores):
    one, two = cores
    with two.raw() as b, one.raw() as publisher:
        subscribe(b, "c")
        assert publisher.ask("PUBLISH", "c", b"x" * (16 << 20)) == 0
        assert b.read() == [b"message", b"c", b"x" * (16 << 20)]
        assert publisher.ask("PUBLISH", "c", "small") == 0
        assert b.read()[2] == b"small"


def test_both_publish(cores):
    one, two = cores
    with one.raw() as a, two.raw() as b, one.raw() as pa, two.raw() as pb:
        subscribe(a, "c")
        subscribe(b, "c")
        for n in range(50):
            pa.send("PUBLISH", "c", f"a:{n}")
            pb.send("PUBLISH", "c", f"b:{n}")
        for r in (a, b):
            seen = {b"a": [], b"b": []}
            for _ in range(100):
                sender, n = r.read()[2].split(b":")
                seen[sender].append(int(n))
            assert seen == {b"a": list(range(50)), b"b": list(range(50))}


@pytest.mark.asan
def test_events_reach_the_other_core(cores):
    """The events that a core's subscribers hear are those that this core asks for, whoever made them."""
    one, two = cores
    with one.raw() as writer, two.raw() as listener, two.raw() as admin:
        admin.ask("CONFIG", "SET", "notify-keyspace-events", "KEA")
        subscribe(listener, "__key*__:*", command="PSUBSCRIBE")

        def heard_something():
            writer.ask("SET", "probe", "1")
            admin.ask("PUBLISH", "__keyspace@0__:end", "end")
            return listener.read()[2:] != [b"__keyspace@0__:end", b"end"]
        wait_until(heard_something, 10, "the first core to know what is wanted")
        writer.ask("SELECT", 3)
        writer.ask_all([("MULTI",), ("SET", "k", "v", "EX", 100), ("RENAME", "k", "l"), ("EXEC",)])
        wanted = [(b"set", b"k"), (b"expire", b"k"), (b"rename_from", b"k"), (b"rename_to", b"l")]
        got = []
        while len(got) < 2 * len(wanted):
            message = listener.read()
            if message[2].startswith((b"__keyspace@3__", b"__keyevent@3__")):
                got.append(tuple(message[2:]))
        assert got == [m for event, key in wanted for m in
                       ((b"__keyspace@3__:" + key, event), (b"__keyevent@3__:" + event, key))]
        assert cofre(one)["exchange_sent"] > 0


@pytest.mark.asan
def test_written_keys_are_told_on_the_other_core(cores):
    one, two = cores
    with tracking(one) as reader, tracking(one, "BCAST", "PREFIX", "a:") as bcast, two.raw() as writer:
        writer.ask("MSET", "a:1", 1, "b:1", 1)
        remember(reader, "a:1", "b:1")
        quiet(bcast)
        writer.ask("INCR", "a:1")
        assert reader.read() == bcast.read() == [INVALIDATE, [b"a:1"]]
        writer.ask("DEL", "b:1")
        assert reader.read() == [INVALIDATE, [b"b:1"]]
        remember(reader, "a:1")
        writer.ask("FLUSHDB")
        assert reader.read() == bcast.read() == [INVALIDATE, None]
        writer.ask("SET", "a:1", "x", "PX", 200)
        assert bcast.read() == [INVALIDATE, [b"a:1"]]
        remember(reader, "a:1")
        assert reader.read() == bcast.read() == [INVALIDATE, [b"a:1"]]  # it expired, on whichever core


def test_a_core_alone_sends_nothing(new_stack):
    stack = new_stack()
    with tracking(stack) as r:
        for n in range(100):
            r.ask("PUBLISH", "c", n)
            r.ask("SET", "k", n)
        assert quiet(r) == []
        info = cofre(stack)
    assert (info["cores"], info["exchange_sent"], info["exchange_received"]) == (1, 0, 0)
    assert stack.sql("SELECT count(*) FROM cofre.listener") == "1"
    stack.core.stop()
    assert stack.sql("SELECT count(*) FROM cofre.listener") == "0"


def test_writes_are_told_only_where_keys_are_tracked(cores):
    one, two = cores
    time.sleep(6)  # a new core tells everything for a while
    with one.raw() as w:
        before = cofre(one)["exchange_sent"]
        for n in range(50):
            w.ask("SET", f"k{n}", n)
        assert cofre(one)["exchange_sent"] == before
        with tracking(two) as r:
            remember(r, "k1")
            for n in range(50):
                w.ask("SET", f"k{n}", n)
            assert r.read() == [INVALIDATE, [b"k1"]]
            assert cofre(one)["exchange_sent"] - before >= 50


def backend_of_listener(stack):
    return stack.sql("SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE datname = current_database()"
                     " AND pid <> pg_backend_pid() AND query ~ 'listener|LISTEN|pg_notify'").split()


@pytest.mark.asan
def test_losing_the_connection_forgets_everything(cores):
    one, two = cores
    with tracking(one) as r, tracking(one, "BCAST") as b, two.raw() as w, one.raw() as listener:
        subscribe(listener, "c")
        remember(r, "k")
        quiet(b)
        one.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND query ~ 'listener|LISTEN|pg_notify'")
        assert r.read() == b.read() == [INVALIDATE, None]
        one.core.logged("no connection to other cores")
        one.core.logged("listening to other cores")
        wait_until(lambda: quiet(r) is not None and cofre(one)["cores"] == 2 and cofre(two)["cores"] == 2, 15, "both to be back")
        remember(r, "k")
        w.ask("SET", "k", "after")
        assert r.read() == [INVALIDATE, [b"k"]]
        w.ask("PUBLISH", "c", "again")
        assert listener.read()[2] == b"again"


@pytest.mark.asan
def test_a_core_that_dies_may_have_kept_something_to_itself(cores):
    one, two = cores
    with tracking(one) as r:
        remember(r, "k")
        two.core.kill()
        began = time.monotonic()
        assert r.read() == [INVALIDATE, None]
        assert time.monotonic() - began < 12
        wait_until(lambda: cofre(one)["cores"] == 1, 5, "it to be forgotten")
        remember(r, "k")


def test_a_core_that_stops_says_goodbye(cores):
    one, two = cores
    with tracking(one) as r, one.raw() as listener:
        subscribe(listener, "c")
        remember(r, "k")
        with two.raw() as w:
            w.ask("SET", "k", "last words")
            w.ask("PUBLISH", "c", "last words")
        assert two.core.stop() == 0
        assert r.read() == [INVALIDATE, [b"k"]]
        assert listener.read()[2] == b"last words"
        wait_until(lambda: cofre(one)["cores"] == 1, 5, "it to be gone")
        time.sleep(3)
        assert quiet(r) == [] and cofre(one)["exchange_missed"] == 0


def test_what_is_no_notice_is_logged_and_nothing_else(cores):
    one, _ = cores
    with tracking(one) as r:
        remember(r, "k")
        one.sql("SELECT pg_notify('cofre', 'rubbish')")
        assert r.read() == [INVALIDATE, None]
        one.core.logged("malformed")
        one.sql("SELECT pg_notify('cofre', '1 999 1 b AAAA')")
        one.sql("SELECT pg_notify('cofre', '1 999 2 r 12345')")
        assert r.read() == [INVALIDATE, None]
        wait_until(lambda: cofre(one)["exchange_missed"] >= 3, what="all of it to be noticed")
        assert one.alive()


@pytest.mark.asan
@pytest.mark.parametrize("options", [(), ("BCAST",)], ids=lambda o: "-".join(o) or "plain")
def test_no_cache_is_stale_on_either_core(cores, options):
    """Readers and writers on both cores; now and then a LISTEN connection is cut. When all is quiet, caches are right."""
    keys = [b"k%d" % n for n in range(5)]
    caches = [({}, tracking(stack, *options)) for stack in cores for _ in range(3)]
    errors, rounds = [], 3 if SANITIZED else 8

    def take(held, message):
        if message[1] is None:
            held.clear()
        for key in message[1] or ():
            held.pop(key, None)

    def reply(held, raw):
        while isinstance(message := raw.read(), Push):
            take(held, message)
        return message

    def read(held, raw, number, until):
        dice = random.Random(number)
        while not until.is_set():
            key = dice.choice(keys)
            raw.send("GET", key)
            held[key] = reply(held, raw)

    def write(stack, number):
        dice = random.Random(number)
        with stack.raw() as r:
            for n in range(80):
                key = dice.choice(keys)
                r.ask(*dice.choice([("SET", key, f"{number}:{n}"), ("DEL", key), ("APPEND", key, "x")]))

    def guarded(body, *args):
        try:
            body(*args)
        except BaseException as e:
            errors.append(e)
            raise
    for round_ in range(rounds):
        done = threading.Event()
        readers = [threading.Thread(target=guarded, args=(read, *c, round_ * 100 + i, done), daemon=True)
                   for i, c in enumerate(caches)]
        writers = [threading.Thread(target=guarded, args=(write, stack, round_ * 100 + i), daemon=True)
                   for i, stack in enumerate(cores * 2)]
        [t.start() for t in readers + writers]
        if round_ % 3 == 2:
            cores[0].sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                         " AND pid <> pg_backend_pid() AND query ~ 'listener|LISTEN|pg_notify'")
        [t.join(60) for t in writers]
        done.set()
        [t.join(60) for t in readers]
        assert not errors, errors[:2]
        if round_ % 3 == 2:
            wait_until(lambda: all(cofre(s)["cores"] == 2 for s in cores), 15, "both to be back")
        time.sleep(0.3)
        with cores[0].raw() as r:
            stored = dict(zip(keys, r.ask("MGET", *keys)))
        for held, raw in caches:
            raw.send("PING", "quiet")
            assert reply(held, raw) == b"quiet"
            stale = {k: (v, stored[k]) for k, v in held.items() if v != stored[k]}
            assert not stale, f"round {round_}: {stale}"
    [raw.close() for _, raw in caches]


def test_migration_from_the_first_schema(stage, pg, certs, new_stack):
    """--create-schema brings a database of version 1 up to date, with the same rights, and can be run again."""
    database = pg.create_database()
    core = Core(stage.folder("old"), pg.conninfo(database))
    core.create_schema()
    role = f"reader{next(names)}"
    pg.sql(f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA cofre TO {role};"
           f" GRANT SELECT, INSERT, UPDATE, DELETE ON cofre.entry TO {role};"
           " DROP TABLE cofre.listener, cofre.message; UPDATE cofre.schema SET version = 1", database)
    core.start(wait=False)
    core.logged(r"version 1, this core needs version \d+: run cofre-core --create-schema")
    assert core.popen.wait(10) == 2
    core.create_schema()
    core.create_schema()
    assert pg.sql("SELECT version >= 2 FROM cofre.schema", database) == "t"
    assert pg.sql(f"SELECT has_table_privilege('{role}', 'cofre.message', 'INSERT, DELETE')", database) == "t"
    stack = new_stack(database=database)
    with stack.raw() as r:
        assert r.ask("SET", "k", "v") == "OK"
    pg.sql("UPDATE cofre.schema SET version = 99", database)
    stack.core.stop()
    assert core.start(wait=False) and core.popen.wait(10) == 2
