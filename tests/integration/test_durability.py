"""Nothing acknowledged is lost and nothing is done twice, whichever process is killed, whichever connection is cut."""
import random
import threading
import time

import pytest

from support import stack as support
from support.pgproxy import PgProxy
from support.resp import NULL_ARRAY, Closed, Error
from support.stack import SANITIZED, wait_until
from support.writers import Writers

STORED = ("SELECT encode(key, 'hex'), encode(value, 'hex') FROM cofre.entry"
          " WHERE space = (SELECT id FROM cofre.space WHERE db = 0 AND keyspace = '')")


def stored(stack):
    """stored reads database 0 straight from PostgreSQL."""
    rows = (row.split("|") for row in stack.sql(STORED).splitlines())
    return {bytes.fromhex(key): bytes.fromhex(value) for key, value in rows}


def test_the_core_is_killed_under_load(new_stack):
    stack = new_stack()
    writers = Writers(stack)
    carried, in_multi, watching = stack.raw(), stack.raw(), stack.raw()
    carried.ask("HELLO", 3)
    carried.ask("CLIENT", "SETNAME", "survivor")
    carried.ask("SELECT", 5)
    carried.ask("SET", "where", "five")
    in_multi.ask("MULTI")
    in_multi.ask("SET", "half", "done")
    watching.ask("WATCH", "k")

    for _ in range(3):
        writers.progress(50)
        stack.core.kill()
        time.sleep(0.2)
        stack.core.start()
    writers.progress(50)

    assert in_multi.at_end() and watching.at_end(), "MULTI and WATCH cannot be carried over"
    # Each worker of the gateway finds the core again by itself; until then its clients are told TRYAGAIN.
    wait_until(lambda: not str(carried.ask("GET", "where")).startswith("TRYAGAIN"), 5, "its link to be back")
    assert carried.ask("GET", "where") == b"five"
    carried.send("GET", "missing")
    assert carried.read_bytes(3) == b"_\r\n", "still RESP3"
    assert carried.ask("CLIENT", "GETNAME") == b"survivor"
    writers.stop().check(stored(stack))
    with stack.client() as c:
        assert not c.exists("half")


def test_requests_in_flight_are_answered_when_the_core_dies(new_stack):
    """Every pipelined request gets one reply, in order, and what says TRYAGAIN was not executed."""
    stack = new_stack()
    with stack.raw() as r:
        for attempt in range(4):
            commands = [("SET", f"p{attempt}:{n}", "x" * 100) for n in range(3000)]
            killer = threading.Timer(0.01 * attempt, stack.core.kill)
            killer.start()
            replies = r.ask_all(commands)
            killer.join()
            stack.core.start()
            wait_until(lambda: r.ask("PING") == "PONG", 10, "the same connection to work again")
            there = stored(stack)
            for (_, key, _), reply in zip(commands, replies):
                assert reply == "OK" or reply.split()[0] in ("TRYAGAIN", "UNCERTAIN"), reply
                if reply == "OK":
                    assert key.encode() in there
                elif reply.startswith("TRYAGAIN"):
                    assert key.encode() not in there, "TRYAGAIN means that nothing was executed"


def test_the_gateway_is_killed_under_load(new_stack):
    stack = new_stack()
    core = stack.core.pid
    everything = {}
    for n in range(3):
        writers = Writers(stack, name=f"g{n}")
        writers.progress(100)
        stack.gateway.kill()
        with pytest.raises((Closed, OSError)):
            writers.stop()
        stack.gateway.start()
        wait_until(stack.alive, 10, "the gateway to serve")
        everything[n] = writers
    there = stored(stack)
    for writers in everything.values():
        for w in writers.workers:
            assert all(k in there for k in w.promised)
            # The last INCR had no answer: it may or may not have happened.
            assert 0 <= int(there.get(w.counter, 0)) - w.counted <= 1
    assert stack.core.pid == core and stack.core.running
    with stack.client() as c:
        assert len(c.client_list()) == 1, "the core has let go of the old sessions"


def test_postgresql_is_killed_under_load(new_stack, stage):
    own = support.Postgres(stage.directory, "pg-to-kill")
    stack = new_stack(own)
    try:
        writers = Writers(stack)
        for _ in range(2):
            writers.progress(100)
            own.kill()
            time.sleep(0.3)
            own.start()
        writers.progress(100)
        writers.stop().check(stored(stack))
        with stack.raw() as r:
            assert r.ask("SET", "after", "all") == "OK"
    finally:
        stack.stop()
        own.stop()


def test_postgresql_is_away_for_a_while(new_stack, stage):
    """Requests wait or say TRYAGAIN, nobody is disconnected, and it heals by itself."""
    own = support.Postgres(stage.directory, "pg-away")
    stack = new_stack(own)
    try:
        with stack.raw(timeout=90) as r:
            assert r.ask("SET", "k", "v") == "OK"
            own.stop()
            wait_until(lambda: not own.answers(), 10, "PostgreSQL to be gone")
            assert r.ask("PING") == "PONG", "what needs no database is answered"
            r.send("GET", "k")
            time.sleep(1)
            own.start()
            reply = r.read()
            assert reply == b"v" or reply.startswith("TRYAGAIN"), reply
            wait_until(lambda: r.ask("GET", "k") == b"v", 20, "reads to work again")
            wait_until(lambda: r.ask("SET", "k", "w") == "OK", 20, "writes to work again")
    finally:
        stack.stop()
        own.stop()


@pytest.fixture
def behind_proxy(new_stack, stage, pg):
    """A stack whose core reaches PostgreSQL through a proxy that can cut the connections."""
    directory = stage.folder("proxy")
    proxy = PgProxy(directory, pg.directory)
    stack = new_stack(proxy_host=directory)
    yield stack, proxy
    stack.core.stop()
    proxy.close()


def waiting_backends(stack):
    """waiting_backends lists the pids of the core's backends that wait for a lock."""
    rows = stack.sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                     " AND usename = 'cofre'")
    return rows.split()


AFTER_THE_CUT = {
    "the backend lives and commits": lambda stack, pids: None,
    "the backend is ended": lambda stack, pids: stack.sql(
        f"SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[{','.join(pids)}]) AS pid"),
}


@pytest.mark.parametrize("fate", AFTER_THE_CUT)
@pytest.mark.parametrize("both", [False, True], ids=["silent cut", "backend sees the cut"])
def test_the_connection_is_cut_between_store_and_its_answer(behind_proxy, fate, both):
    """SHARE lets Load's FOR UPDATE pass and holds up Store: the cut falls exactly between Store and its answer."""
    stack, proxy = behind_proxy
    with stack.raw(timeout=90) as r, stack.raw(timeout=90) as other, stack.psql() as locker:
        for n in range(1, 4):
            assert r.ask("INCR", "count") == 2 * n - 1
            locker.run("BEGIN")
            locker.run("LOCK TABLE cofre.entry IN SHARE MODE")
            r.send("INCR", "count")
            pids = wait_until(lambda: waiting_backends(stack), 10, "Store to wait for the lock")
            assert proxy.cut(both) > 0
            AFTER_THE_CUT[fate](stack, pids)
            time.sleep(0.1)
            locker.run("COMMIT")
            assert r.read() == 2 * n, "an INCR counts once, and the client sees a delay only"
            assert other.ask("GET", "count") == str(2 * n).encode()
    assert stored(stack)[b"count"] == b"6"


def test_the_connection_is_cut_before_store(behind_proxy):
    """A row lock holds up Load: nothing was stored, so the turn runs again."""
    stack, proxy = behind_proxy
    with stack.raw(timeout=90) as r, stack.psql() as locker:
        assert r.ask("INCR", "count") == 1
        locker.run("BEGIN")
        locker.run("SELECT 1 FROM cofre.entry FOR UPDATE")
        r.send("INCR", "count")
        wait_until(lambda: waiting_backends(stack), 10, "Load to wait for the row")
        proxy.cut()
        time.sleep(0.1)
        locker.run("COMMIT")
        assert r.read() == 2


def test_connections_are_cut_at_random_under_load(behind_proxy):
    stack, proxy = behind_proxy
    writers = Writers(stack)
    dice = random.Random(7)
    for _ in range(12):
        writers.progress(20)
        proxy.cut(both=dice.random() < 0.5)
        time.sleep(dice.random() / 5)
    writers.progress(20)
    writers.stop().check(stored(stack))
    assert not writers.uncertain(), "within --store-timeout the outcome is always found out"


def test_uncertain_is_said_and_never_run_again(stage, pg, new_stack):
    """Past --store-timeout with no way to find out: UNCERTAIN, and the write is not tried again later."""
    directory = stage.folder("proxy")
    proxy = PgProxy(directory, pg.directory)
    stack = new_stack(proxy_host=directory, core_options=["--store-timeout", "2"])
    try:
        with stack.raw(timeout=60) as r, stack.psql() as locker:
            assert r.ask("INCR", "count") == 1
            locker.run("BEGIN")
            locker.run("LOCK TABLE cofre.entry IN SHARE MODE")
            r.send("INCR", "count")
            pids = wait_until(lambda: waiting_backends(stack), 10, "Store to wait for the lock")
            proxy.refusing = True
            proxy.cut()
            assert r.read().startswith("UNCERTAIN")
            stack.sql(f"SELECT pg_terminate_backend({pids[0]})")
            locker.run("COMMIT")
            proxy.refusing = False
            wait_until(lambda: r.ask("GET", "count") in (b"1",), 20, "the core to be back")
            time.sleep(0.5)
            assert r.ask("INCR", "count") == 2
    finally:
        stack.core.stop()
        proxy.close()


def test_a_stopped_core_finishes_what_it_accepted(new_stack):
    stack = new_stack()
    writers = Writers(stack)
    for _ in range(2):
        writers.progress(100)
        assert stack.core.stop() == 0
        stack.core.start()
    writers.progress(100)
    writers.stop().check(stored(stack))
    assert not writers.uncertain(), "a clean stop leaves nothing uncertain"


# Two cores on one database

class Pair:
    """Two stacks on one database, 16 clients on each."""

    CLIENTS = 16

    def __init__(self, new_stack):
        self.first = new_stack()
        self.second = new_stack(database=self.first.database)
        self.errors = []

    def run(self, work):
        """run calls work(connection, number) in 32 threads at once, half on each stack; returns what they return."""
        results, barrier = [None] * 2 * self.CLIENTS, threading.Barrier(2 * self.CLIENTS)

        def one(number):
            try:
                with (self.first, self.second)[number % 2].raw(timeout=60) as raw:
                    barrier.wait(30)
                    results[number] = work(raw, number)
            except BaseException as e:
                self.errors.append(e)
                raise

        threads = [threading.Thread(target=one, args=(n,), daemon=True) for n in range(2 * self.CLIENTS)]
        began = time.monotonic()
        [t.start() for t in threads]
        [t.join(120) for t in threads]
        assert not self.errors, self.errors[:3]
        assert not any(t.is_alive() for t in threads), "a client hangs"
        self.took = time.monotonic() - began
        return results

    def deadlocks(self):
        return int(self.first.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))


@pytest.fixture
def pair(new_stack):
    made = Pair(new_stack)
    yield made
    # The keys of a turn are locked in order: cores wait for each other and never need the deadlock detector.
    assert made.deadlocks() == 0


ROUNDS = 20 if SANITIZED else 40


def test_two_cores_count_exactly(pair):
    def work(r, _):
        return [r.ask("INCR", "count") for _ in range(ROUNDS)]
    seen = [x for replies in pair.run(work) for x in replies]
    assert not [x for x in seen if isinstance(x, Error)], "no TRYAGAIN"
    assert sorted(seen) == list(range(1, 2 * pair.CLIENTS * ROUNDS + 1)), "each value was given once"
    for stack in (pair.first, pair.second):
        with stack.client() as c:
            assert int(c.get("count")) == 2 * pair.CLIENTS * ROUNDS


def test_two_cores_see_each_others_writes(pair):
    with pair.first.raw() as one, pair.second.raw() as two:
        for n in range(200):
            assert one.ask("SET", "k", n) == "OK" and two.ask("GET", "k") == str(n).encode()
            assert two.ask("DEL", "k") == 1 and one.ask("EXISTS", "k") == 0
        assert one.ask("SET", "k", "v") == "OK" and two.ask("FLUSHDB") == "OK"
        assert one.ask("GET", "k") is None and one.ask("DBSIZE") == 0


def test_two_cores_transfer_between_accounts(pair):
    accounts, each = 6, 1000
    with pair.first.raw() as r:
        r.ask("MSET", *[x for n in range(accounts) for x in (f"account:{n}", each)])

    def work(r, number):
        dice, done, tries = random.Random(number), 0, 0
        while done < ROUNDS // 4:
            tries += 1
            source, target = (f"account:{n}" for n in dice.sample(range(accounts), 2))
            amount = dice.randint(1, 50)
            r.ask("WATCH", source, target)
            have, there = (int(x) for x in r.ask("MGET", source, target))
            replies = r.ask_all([("MULTI",), ("SET", source, have - amount), ("SET", target, there + amount), ("EXEC",)])
            assert replies[:3] == ["OK", "QUEUED", "QUEUED"], replies
            assert replies[3] in (NULL_ARRAY, None) or replies[3] == ["OK", "OK"], replies
            done += replies[3] == ["OK", "OK"]
        return tries
    pair.run(work)
    with pair.second.client() as c:
        assert sum(int(x) for x in c.mget([f"account:{n}" for n in range(accounts)])) == accounts * each


def test_two_cores_watch_keys_that_are_missing(pair):
    """Each of several doors may be opened by one client alone: WATCH on a missing key, then a write elsewhere."""
    doors = 12

    def work(r, number):
        mine = []
        for door in range(doors):
            r.ask("WATCH", f"door:{door}")
            if r.ask("EXISTS", f"door:{door}"):
                r.ask("UNWATCH")
                continue
            replies = r.ask_all([("MULTI",), ("SET", f"door:{door}", number), ("APPEND", f"log:{door}", "x"), ("EXEC",)])
            if replies[3] not in (NULL_ARRAY, None):
                assert replies[3] == ["OK", 1], replies
                mine.append(door)
        return mine
    opened = [door for doors in pair.run(work) for door in doors]
    assert sorted(opened) == list(range(doors))


@pytest.mark.parametrize("form", ["MSETNX", "SET NX", "SETNX"])
def test_two_cores_locks_exclude(pair, form):
    """Whoever takes the lock is alone: a counter read and written under it, without anything else, is exact."""
    take = {"MSETNX": lambda who: ("MSETNX", "lock", who, "lock2", who),
            "SET NX": lambda who: ("SET", "lock", who, "NX", "PX", "60000"),
            "SETNX": lambda who: ("SETNX", "lock", who)}[form]
    inside = []

    def work(r, number):
        for _ in range(2):
            while r.ask(*take(number)) not in (1, "OK"):
                time.sleep(0.002)
            inside.append(number)
            assert len(inside) == 1, "two clients hold the lock"
            value = int(r.ask("GET", "guarded") or 0)
            assert r.ask("SET", "guarded", value + 1) == "OK"
            inside.remove(number)
            assert r.ask("DEL", "lock", "lock2") >= 1
    pair.run(work)
    with pair.first.client() as c:
        assert int(c.get("guarded")) == 2 * 2 * pair.CLIENTS


def test_two_cores_in_opposite_orders(pair):
    """Turns that touch the same keys in different orders: no deadlock, everything counted."""
    keys = [f"k{n}" for n in range(8)]

    def work(r, number):
        order = keys if number % 2 else keys[::-1]
        for _ in range(ROUNDS // 4):
            replies = r.ask_all([("INCR", k) for k in order] + [("MULTI",), *[("INCR", k) for k in order], ("EXEC",)])
            assert not [x for x in replies if isinstance(x, Error)], replies
    pair.run(work)
    with pair.first.client() as c:
        assert {int(x) for x in c.mget(keys)} == {2 * pair.CLIENTS * (ROUNDS // 4) * 2}


def test_one_of_two_cores_dies(new_stack):
    """Its row locks do not outlive it: the other goes on at once."""
    first = new_stack()
    second = new_stack(database=first.database)
    ones, twos = Writers(first, 4, "one"), Writers(second, 4, "two")
    ones.progress(50)
    first.core.kill()
    twos.progress(100)
    first.core.start()
    ones.progress(50)
    there = [w.stop() for w in (ones, twos)] and stored(first)
    ones.check(there)
    twos.check(there)
