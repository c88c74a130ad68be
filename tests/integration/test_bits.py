"""Bits, parts of values and HyperLogLogs mean what they mean in Redis 7, down to the bytes that are stored."""
import random
import threading

import pytest

from support.bits import SKETCHES, BitCommands
from support.differential import Comparison
from support.stack import SANITIZED

BATCHES = 40 if SANITIZED else 120


def stored(r):
    return {k: r.ask("GET", k) for k in sorted(r.ask("KEYS", "*"))}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_random_pipelines_answer_as_redis_does(stack, redis_beside, seed, protocol):
    source = BitCommands(seed * 10 + protocol)
    with stack.raw() as ours, redis_beside.raw() as theirs:
        for r in (ours, theirs):
            r.ask("HELLO", protocol)
            r.ask("FLUSHALL")
        for n in range(BATCHES):
            batch = source.batch()
            difference = Comparison().difference(batch, ours.ask_all(batch), theirs.ask_all(batch))
            assert difference is None, f"seed {seed}, batch {n}: {difference[:3000]}"
        assert stored(ours) == stored(theirs)


@pytest.mark.parametrize("seed", range(2))
def test_damaged_hyperloglogs(stack, redis_beside, seed):
    """Bytes are changed at random: the same error, or the same answer, as in Redis. One case is apart, but rare: Redis
    loses a byte when it writes to a long run whose second byte was cut off."""
    source = BitCommands(100 + seed)
    with stack.raw() as ours, redis_beside.raw() as theirs:
        for n in range(BATCHES):
            for r in (ours, theirs):
                r.ask("FLUSHALL")
            batch = [["PFADD", k, *source.elements()] for k in SKETCHES]
            batch += [source.damage() for _ in range(source.dice.randint(1, 5))]
            for k in SKETCHES:
                batch += [["PFDEBUG", "ENCODING", k], ["PFCOUNT", k, k], ["PFCOUNT", k], ["PFDEBUG", "DECODE", k],
                          ["PFADD", k, *source.elements()], ["PFMERGE", "all", k], ["PFDEBUG", "TODENSE", k]]
            difference = Comparison().difference(batch, ours.ask_all(batch), theirs.ask_all(batch))
            assert difference is None, f"seed {seed}, round {n}: {difference[:3000]}"


@pytest.mark.parametrize("size", [0, 1, 50, 1000, 1500, 3000])
def test_hyperloglogs_travel(stack, redis_beside, size):
    """A value begun here goes on there and comes back, with equal bytes on the way: sparse, on the edge, and dense."""
    dice = random.Random(size)
    with stack.raw() as ours, redis_beside.raw() as theirs:
        theirs.ask("FLUSHALL")
        for here, there in ((ours, theirs), (theirs, ours), (ours, theirs)):
            here.ask("PFADD", "h", *[dice.random() for _ in range(size)])
            assert there.ask("SET", "h", here.ask("GET", "h")) == "OK"
            elements = [dice.random() for _ in range(40)]
            for r in (here, there):
                r.ask("PFADD", "h", *elements)
            assert here.ask("GET", "h") == there.ask("GET", "h")
            count = here.ask("PFCOUNT", "h")
            assert count == there.ask("PFCOUNT", "h")
            assert here.ask("GET", "h") == there.ask("GET", "h"), "the count is kept in the same bytes"
            assert here.ask("PFCOUNT", "h", "h") == count


STORIES = {
    "a bit that stays is no change": [
        (0, "SETBIT a 0 1", 0), (0, "WATCH a", "OK"), (1, "SETBIT a 0 1", 1), (1, "BITFIELD a SET u1 0 1", [1]),
        (1, "BITFIELD a OVERFLOW FAIL SET u1 0 2", [None]), (0, "MULTI", "OK"), (0, "PING", "QUEUED"), (0, "EXEC", ["PONG"])],
    "a bit that does not": [
        (0, "SETBIT a 0 1", 0), (0, "WATCH a", "OK"), (1, "SETBIT a 0 0", 1), (0, "MULTI", "OK"), (0, "PING", "QUEUED"),
        (0, "EXEC", ("null array",))],
    "a longer value with the same bits": [
        (0, "SETBIT a 0 1", 0), (0, "WATCH a", "OK"), (1, "SETBIT a 8 0", 0), (0, "MULTI", "OK"), (0, "PING", "QUEUED"),
        (0, "EXEC", ("null array",))],
    "bitop deletes": [
        (0, "SET a x EX 100", "OK"), (0, "WATCH a", "OK"), (1, "BITOP AND a none", 0), (0, "MULTI", "OK"),
        (0, "EXISTS a", "QUEUED"), (0, "EXEC", ("null array",)), (0, "EXISTS a", 0)],
    "pfcount keeps its count, once": [
        (0, "PFADD h a b c", 1), (1, "GETRANGE h 15 15", b"\x80"), (0, "WATCH h", "OK"), (1, "PFCOUNT h", 3),
        (1, "GETRANGE h 15 15", b"\x00"), (0, "MULTI", "OK"), (0, "PING", "QUEUED"), (0, "EXEC", ("null array",)),
        (0, "WATCH h", "OK"), (1, "PFCOUNT h", 3), (1, "PFCOUNT h h", 3), (1, "PFADD h a b c", 0),
        (0, "MULTI", "OK"), (0, "PFCOUNT h", "QUEUED"), (0, "EXEC", [3]), (0, "PFADD h d", 1),
        (1, "GETRANGE h 15 15", b"\x80"), (0, "MULTI", "OK"), (0, "PFCOUNT h", "QUEUED"), (0, "EXEC", [4]),
        (1, "GETRANGE h 15 15", b"\x00")],
    "in a transaction": [
        (0, "MULTI", "OK"), (0, "SETBIT a 7 1", "QUEUED"), (0, "BITCOUNT a", "QUEUED"), (0, "BITOP NOT b a", "QUEUED"),
        (0, "BITFIELD b GET u8 0 INCRBY u8 0 3", "QUEUED"), (0, "PFADD h x", "QUEUED"), (0, "PFCOUNT h", "QUEUED"),
        (0, "LCS a b LEN", "QUEUED"), (1, "EXISTS a b h", 0), (0, "EXEC", [0, 1, 1, [254, 1], 1, 1, 1]), (1, "GET b", b"\x01")],
}


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("server", ["ours", "redis"])
def test_story(name, server, request):
    endpoint = request.getfixturevalue("stack" if server == "ours" else "redis_beside")
    with endpoint.raw() as first, endpoint.raw() as second:
        assert first.ask("FLUSHALL") == "OK"
        for who, command, expected in STORIES[name]:
            reply = (first, second)[who].ask(*command.split())
            assert reply == expected, (command, reply)


def test_many_clients_on_one_value(stack):
    """Bits and elements that eight clients set at once are all there, in one value each."""
    def work(number):
        with stack.raw() as r:
            for n in range(number, 400, 8):
                r.ask_all([("SETBIT", "bits", n * 3, 1), ("PFADD", "sketch", n), ("BITFIELD", "sums", "INCRBY", "u32", "#1", 1)])
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    with stack.raw() as r:
        assert r.ask("BITCOUNT", "bits") == 400
        assert r.ask("BITPOS", "bits", 1, 1195, -1, "BIT") == 1197
        assert r.ask("BITFIELD_RO", "sums", "GET", "u32", "#1") == [400]
        r.ask("PFADD", "alone", *range(400))
        assert r.ask("PFCOUNT", "sketch") == r.ask("PFCOUNT", "alone") == r.ask("PFCOUNT", "sketch", "alone")


def test_commands_describe_themselves(stack, redis_beside):
    """COMMAND INFO says what Redis says: arity, flags, keys and categories."""
    names = ["substr", "lcs", "setbit", "getbit", "bitcount", "bitpos", "bitop", "bitfield", "bitfield_ro", "pfadd", "pfcount",
             "pfmerge", "pfdebug", "pfselftest"]
    with stack.raw() as ours, redis_beside.raw() as theirs:
        for name, mine, reference in zip(names, ours.ask("COMMAND", "INFO", *names), theirs.ask("COMMAND", "INFO", *names)):
            assert mine[:2] + mine[3:6] == reference[:2] + reference[3:6], (name, mine, reference)
            assert set(mine[2]) == set(reference[2]), (name, mine[2], reference[2])
            assert set(mine[6]) == set(reference[6]), (name, mine[6], reference[6])
        for name in names:
            mine, reference = (dict(zip(*[iter(r.ask("COMMAND", "DOCS", name)[1])] * 2)) for r in (ours, theirs))
            assert [mine[k] for k in (b"since", b"group")] == [reference[k] for k in (b"since", b"group")], name
            assert (b"arguments" in mine) == (b"arguments" in reference), name


def test_a_long_value(stack):
    """The last bit that a value may have, in 16 MiB, and the one behind it."""
    with stack.raw() as r:
        assert r.ask("SETBIT", "k", (128 << 20) - 1, 1) == 0
        assert r.ask("BITCOUNT", "k") == 1 and r.ask("BITPOS", "k", 1) == (128 << 20) - 1
        assert r.ask("BITOP", "NOT", "k", "k") == 16 << 20
        assert r.ask("BITPOS", "k", 0) == (128 << 20) - 1
        assert r.ask("SETBIT", "k", 128 << 20, 1).startswith("ERR string exceeds maximum allowed size")
        assert r.ask("GETBIT", "k", (1 << 32) - 1) == 0
        assert r.ask("BITFIELD", "k", "INCRBY", "u8", "#2", 1, "GET", "u8", (128 << 20) - 8) == [0, 254]
