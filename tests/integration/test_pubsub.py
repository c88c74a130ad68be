"""Messages: SUBSCRIBE and its kin, PUBLISH, PUBSUB, on one core. What is sent is compared with Redis, byte for byte."""
import itertools
import threading
import time

import pytest

from support.resp import Closed, Error, Push, encode
from support.stack import SANITIZED, wait_until

marks = itertools.count(1)


def conversation(raw, *commands):
    """conversation sends the commands in one write and returns the bytes that come back, up to a PING of its own."""
    mark = b"mark-%d" % next(marks)
    raw.send_bytes(b"".join(encode(*c) for c in commands) + encode("PING", mark))
    data = b""
    while not data.endswith(mark + b"\r\n"):
        data += raw.read_bytes(1)
    return data[:data.rindex(b"$%d\r\n" % len(mark))]


# Each story is one connection's life; every line of it is one write.
STORIES = {
    "channels": [
        [("SUBSCRIBE", "a")], [("SUBSCRIBE", "b", "c", "b")], [("PSUBSCRIBE", "x*", "y*")],
        [("UNSUBSCRIBE", "b")], [("UNSUBSCRIBE", "nothing")], [("PUNSUBSCRIBE", "x*", "z*")],
        [("UNSUBSCRIBE", "a", "c"), ("PUNSUBSCRIBE", "y*")], [("UNSUBSCRIBE",)], [("PUNSUBSCRIBE",)],
        [("SUNSUBSCRIBE",)], [("GET", "nothing")]],
    "shard channels": [
        [("SSUBSCRIBE", "a")], [("SSUBSCRIBE", "b", "b")], [("PSUBSCRIBE", "x*")], [("SUNSUBSCRIBE", "b")],
        [("SUNSUBSCRIBE", "nothing")], [("SUNSUBSCRIBE",)], [("PUNSUBSCRIBE",)]],
    "what a subscriber may do": [
        [("SUBSCRIBE", "a")], [("GET", "x")], [("PING",), ("PING", "hi"), ("PING", "a", "b")], [("EXEC",)],
        [("MULTI",), ("DISCARD",)], [("CLIENT", "GETNAME")], [("nosuch",), ("GET",)], [("PUBLISH", "b", "c")], [("PUBSUB", "CHANNELS")],
        [("SSUBSCRIBE", "z"), ("SUNSUBSCRIBE",)], [("WATCH", "k")], [("UNSUBSCRIBE", "nope")], [("UNSUBSCRIBE",)],
        [("GET", "x"), ("PING",)]],
    "reset": [[("SUBSCRIBE", "a"), ("PSUBSCRIBE", "b"), ("SSUBSCRIBE", "c")], [("RESET",)], [("GET", "x")],
              [("PUBLISH", "a", "1"), ("PUBLISH", "b", "1"), ("SPUBLISH", "c", "1")]],
    "to oneself": [[("SUBSCRIBE", "a"), ("PUNSUBSCRIBE",)], [("PUBLISH", "a", "1")],
                   [("PUBLISH", "a", "1"), ("PUBLISH", "a", "2"), ("PING",)]],
    "errors": [[("SUBSCRIBE",)], [("PSUBSCRIBE",)], [("SSUBSCRIBE",)], [("PUBLISH", "a")], [("SPUBLISH", "a")],
               [("PUBSUB",)], [("PUBSUB", "x")], [("PUBSUB", "channels", "a", "b")], [("PUBSUB", "NUMSUB")],
               [("PUBSUB", "NUMPAT", "x")], [("PUBSUB", "NUMPAT")], [("PUBSUB", "SHARDCHANNELS", "a", "b")],
               [("PUBSUB", "SHARDNUMSUB")], [("PUBSUB", "CHANNELS")], [("PUBSUB", "NUMSUB", "a", "b")]],
    "binary": [[("SUBSCRIBE", b"\x00\r\n\xff", "")], [("UNSUBSCRIBE", b"\x00\r\n\xff", "")]],
    "queued": [[("MULTI",), ("SUBSCRIBE", "q", "r", "q"), ("PING",), ("UNSUBSCRIBE", "q", "r"), ("PING", "x"), ("EXEC",)],
               [("MULTI",), ("SSUBSCRIBE", "q"), ("SUNSUBSCRIBE",), ("SUNSUBSCRIBE", "z"), ("SPUBLISH", "q", "1"),
                ("PUBLISH", "q", "1"), ("PUBSUB", "NUMSUB", "q"), ("EXEC",)],
               [("MULTI",), ("SET", "k", "v"), ("PUBLISH", "q", "1"), ("GET", "k"), ("EXEC",)],
               [("MULTI",), ("SUBSCRIBE", "s"), ("EXEC",)], [("UNSUBSCRIBE",)]],
    "queued as subscriber": [[("MULTI",), ("SUBSCRIBE", "q"), ("PING",), ("GET", "nothing"), ("EXEC",)], [("PING",)],
                             [("RESET",)]],
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", STORIES)
def test_as_redis(stack, redis_beside, name, protocol):
    with stack.raw() as ours, redis_beside.raw() as theirs:
        if protocol == 3:
            for r in (ours, theirs):
                r.ask("HELLO", 3)
        for line in STORIES[name]:
            assert conversation(ours, *line) == conversation(theirs, *line), line


def subscribe(raw, *names, command="SUBSCRIBE"):
    raw.send(command, *names)
    return [raw.read()[2] for _ in names]


@pytest.mark.asan
@pytest.mark.parametrize("protocol", [2, 3])
def test_each_subscriber_hears_what_it_asked_for(stack, protocol):
    kind = Push if protocol == 3 else list
    with stack.raw() as one, stack.raw() as two, stack.raw() as publisher:
        for r in (one, two):
            r.ask("HELLO", protocol)
        assert subscribe(one, "news.a", "news.b") == [1, 2]
        assert subscribe(one, "news.*", "*.a", command="PSUBSCRIBE") == [3, 4]
        assert subscribe(two, "news.a", command="SSUBSCRIBE") == [1]
        assert publisher.ask("PUBLISH", "news.a", "1") == 3
        assert publisher.ask("PUBLISH", "news.c", "2") == 1
        assert publisher.ask("PUBLISH", "other", "3") == 0
        assert publisher.ask("SPUBLISH", "news.a", "4") == 1
        heard = [one.read() for _ in range(4)]
        assert heard == [[b"message", b"news.a", b"1"], [b"pmessage", b"news.*", b"news.a", b"1"],
                         [b"pmessage", b"*.a", b"news.a", b"1"], [b"pmessage", b"news.*", b"news.c", b"2"]]
        assert two.read() == [b"smessage", b"news.a", b"4"]
        assert all(type(m) is kind for m in heard)


def test_pubsub_tells_who_listens(stack):
    with stack.raw() as one, stack.raw() as two, stack.raw() as r:
        subscribe(one, "a", "b")
        subscribe(two, "a")
        subscribe(one, "p*", "q*", command="PSUBSCRIBE")
        subscribe(two, "p*", command="PSUBSCRIBE")
        subscribe(two, "a", "s", command="SSUBSCRIBE")
        assert sorted(r.ask("PUBSUB", "CHANNELS")) == [b"a", b"b"]
        assert r.ask("PUBSUB", "CHANNELS", "[b-z]") == [b"b"]
        assert r.ask("PUBSUB", "NUMSUB", "a", "b", "c") == [b"a", 2, b"b", 1, b"c", 0]
        assert r.ask("PUBSUB", "NUMPAT") == 2
        assert sorted(r.ask("PUBSUB", "SHARDCHANNELS")) == [b"a", b"s"]
        assert r.ask("PUBSUB", "SHARDNUMSUB", "s", "b") == [b"s", 1, b"b", 0]
        with stack.client() as c:
            stats = c.info("stats")
            assert (stats["pubsub_channels"], stats["pubsub_patterns"], stats["pubsubshard_channels"]) == (2, 2, 2)
    with stack.raw() as r:
        wait_until(lambda: r.ask("PUBSUB", "CHANNELS") == [] and r.ask("PUBSUB", "NUMPAT") == 0, what="all to be forgotten")


def test_python3_redis(stack):
    with stack.client() as c:
        listener = c.pubsub()
        listener.subscribe("news")
        listener.psubscribe("n*")
        assert [listener.get_message(timeout=5)["type"] for _ in range(2)] == ["subscribe", "psubscribe"]
        assert c.publish("news", "hello") == 2
        assert listener.get_message(timeout=5) == {"type": "message", "pattern": None, "channel": b"news", "data": b"hello"}
        assert listener.get_message(timeout=5) == {"type": "pmessage", "pattern": b"n*", "channel": b"news", "data": b"hello"}
        listener.ping()
        assert listener.get_message(timeout=5)["type"] == "pong"
        listener.unsubscribe()
        listener.punsubscribe()
        assert [listener.get_message(timeout=5)["type"] for _ in range(2)] == ["unsubscribe", "punsubscribe"]
        listener.close()


@pytest.mark.asan
def test_a_message_follows_the_writes_before_it(stack):
    """PUBLISH in a pipeline behind a SET, and in a transaction: whoever hears it finds the value."""
    with stack.raw() as listener, stack.raw() as reader, stack.raw() as writer:
        subscribe(listener, "done")
        for n in range(50):
            writer.send_bytes(encode("SET", "k", 2 * n) + encode("PUBLISH", "done", 2 * n))
            assert listener.read()[2] == reader.ask("GET", "k") == str(2 * n).encode()
            assert [writer.read(), writer.read()] == ["OK", 1]
            replies = writer.ask_all([("MULTI",), ("SET", "k", 2 * n + 1), ("PUBLISH", "done", 2 * n + 1), ("EXEC",)])
            assert replies[-1] == ["OK", 1]
            assert listener.read()[2] == reader.ask("GET", "k") == str(2 * n + 1).encode()


def test_a_transaction_that_fails_publishes_nothing(stack):
    with stack.raw() as listener, stack.raw() as r, stack.raw() as other:
        subscribe(listener, "c")
        r.ask("WATCH", "w")
        other.ask("SET", "w", "1")
        assert r.ask_all([("MULTI",), ("PUBLISH", "c", "lost"), ("SUBSCRIBE", "d"), ("EXEC",)])[-1] == ("null array",)
        assert r.ask_all([("MULTI",), ("PUBLISH", "c", "lost"), ("nosuch",), ("EXEC",)])[-1].startswith("EXECABORT")
        assert r.ask_all([("MULTI",), ("PUBLISH", "c", "lost"), ("DISCARD",)])[-1] == "OK"
        assert r.ask("PUBLISH", "c", "heard") == 1
        assert listener.read() == [b"message", b"c", b"heard"]
        assert r.ask("PUBSUB", "NUMSUB", "d") == [b"d", 0]


def test_a_transaction_talks_to_itself_after_its_reply(stack):
    """Redis 7.0 puts the pushes into the reply; later ones do as we do."""
    with stack.raw() as r:
        r.ask("HELLO", 3)
        subscribe(r, "c")
        r.ask_all([("MULTI",), ("PING", "a"), ("PUBLISH", "c", "1"), ("PUBLISH", "c", "2"), ("PING", "b")])
        assert r.ask("EXEC") == [b"a", 1, 1, b"b"]
        assert [r.read(), r.read()] == [[b"message", b"c", b"1"], [b"message", b"c", b"2"]]


def test_many_channels_and_patterns(stack):
    """Nobody's subscriptions make another one's message slow: looking one up is not looking through them."""
    with stack.raw() as many, stack.raw() as one, stack.raw() as publisher:
        names = [f"channel:{n}" for n in range(20000)]
        for at in range(0, len(names), 1000):
            subscribe(many, *names[at:at + 1000])
        subscribe(one, "channel:19999")
        began = time.monotonic()
        replies = publisher.ask_all([("PUBLISH", f"channel:{n}", n) for n in range(18000, 20000)])
        assert replies == [1] * 1999 + [2]
        assert time.monotonic() - began < (20 if SANITIZED else 4)
        assert one.read() == [b"message", b"channel:19999", b"19999"]
        assert [many.read()[2] for _ in range(2000)] == [str(n).encode() for n in range(18000, 20000)]
        many.send("UNSUBSCRIBE")
        counts = [many.read()[2] for _ in names]
        assert counts == list(range(len(names) - 1, -1, -1))


def test_big_messages(stack):
    with stack.raw() as listener, stack.raw() as publisher:
        subscribe(listener, "big")
        for size in (1, 65535, 65536, 1 << 20, 16 << 20):
            assert publisher.ask("PUBLISH", "big", b"x" * size) == 1
            assert listener.read() == [b"message", b"big", b"x" * size]


@pytest.mark.asan
def test_a_subscriber_that_does_not_read_is_cut_off(new_stack):
    """At the hard limit at once, whatever its size; neither process ever holds more than that and what is under way."""
    stack = new_stack()
    with stack.raw() as publisher, stack.raw() as good:
        publisher.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 4mb 0 0")
        subscribe(good, "c")
        slow = stack.raw()
        subscribe(slow, "c")
        before = stack.core.rss() + stack.gateway.rss()
        message, sent = b"x" * 100000, 0
        while publisher.ask("PUBLISH", "c", message) == 2:
            sent += 1
            assert sent < 1000
            good.read()
        good.read()
        assert sent > 40  # the limit, and what gateway and sockets hold
        if not SANITIZED:
            assert stack.core.rss() + stack.gateway.rss() - before < 32 << 20
        with pytest.raises(Closed):
            while True:
                assert slow.read()[2] == message
        stack.core.logged("does not read")
        assert publisher.ask("PUBLISH", "c", "still") == 1
        assert good.read()[2] == b"still"


def test_the_soft_limit_needs_time(new_stack):
    stack = new_stack()
    with stack.raw() as publisher, stack.raw() as slow:
        publisher.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 1mb 2")
        subscribe(slow, "c")
        for _ in range(80):
            assert publisher.ask("PUBLISH", "c", b"x" * 100000) == 1
        began = time.monotonic()
        wait_until(lambda: publisher.ask("PUBSUB", "NUMSUB", "c") == [b"c", 0], 10, "the slow one to be closed")
        assert time.monotonic() - began > 0.5


def test_one_that_reads_late_gets_everything(new_stack):
    stack = new_stack()
    with stack.raw() as publisher, stack.raw() as late:
        subscribe(late, "c")
        for n in range(60):
            assert publisher.ask("PUBLISH", "c", b"%d-" % n + b"x" * 100000) == 1
        assert [late.read()[2].split(b"-")[0] for _ in range(60)] == [str(n).encode() for n in range(60)]


@pytest.mark.asan
def test_subscribers_come_and_go_while_many_publish(stack):
    """Under load from all sides nothing is lost, doubled or out of order for one who stays."""
    done, errors = threading.Event(), []
    rounds = 100 if SANITIZED else 400

    def guarded(body):
        try:
            body()
        except BaseException as e:
            errors.append(e)
            raise

    def visit():
        while not done.is_set():
            with stack.raw() as r:
                subscribe(r, "load")
                subscribe(r, "lo*", command="PSUBSCRIBE")
                r.read()

    def publish(number):
        with stack.raw() as r:
            for n in range(rounds):
                assert r.ask("PUBLISH", "load", f"{number}:{n}") >= 1
    with stack.raw() as stays:
        subscribe(stays, "load")
        visitors = [threading.Thread(target=guarded, args=(visit,), daemon=True) for _ in range(4)]
        publishers = [threading.Thread(target=guarded, args=(lambda n=n: publish(n),), daemon=True) for n in range(4)]
        [t.start() for t in visitors + publishers]
        seen = {}
        for _ in range(4 * rounds):
            number, n = stays.read()[2].split(b":")
            assert int(n) == seen.get(number, -1) + 1
            seen[number] = int(n)
        [t.join(60) for t in publishers]
        done.set()
        with stack.raw() as r:  # for the visitors that still wait
            r.ask_all([("PUBLISH", "load", "end")] * 50)
    [t.join(10) for t in visitors]
    assert not errors, errors[:3]


def test_a_restart_of_the_core_closes_subscribers(new_stack):
    """Never silently different: others go on, but a subscription is not carried over."""
    stack = new_stack()
    with stack.raw() as listener, stack.raw() as tracker, stack.raw() as other:
        subscribe(listener, "c")
        tracker.ask("HELLO", 3)
        assert tracker.ask("CLIENT", "TRACKING", "ON") == "OK"
        assert other.ask("PING") == "PONG"
        stack.core.kill()
        stack.core.start()
        assert listener.at_end() and tracker.at_end()
        wait_until(lambda: not isinstance(other.ask("SET", "k", "v"), Error), what="the others to be served")


def test_idle_timeout_does_not_end_a_subscriber(new_stack):
    """As in Redis: it waits, that is what it is for."""
    stack = new_stack(gateway_options=("--idle-timeout", "1"))
    with stack.raw() as listener, stack.raw() as idle:
        subscribe(listener, "c")
        assert idle.ask("PING") == "PONG"
        assert idle.at_end(10)
        time.sleep(1)
        with stack.raw() as publisher:
            assert publisher.ask("PUBLISH", "c", "still here") == 1
        assert listener.read()[2] == b"still here"
        listener.ask("UNSUBSCRIBE")
        assert listener.at_end(10)


def test_a_subscriber_that_hangs_up_is_forgotten(stack):
    with stack.raw() as publisher:
        gone = stack.raw()
        subscribe(gone, "c")
        gone.sock.unwrap() if hasattr(gone.sock, "unwrap") else None
        gone.close()
        wait_until(lambda: publisher.ask("PUBLISH", "c", "x") == 0, what="it to be forgotten")
