"""Random stories for two servers, made by Hypothesis, and how replies to them are compared.

ROWS is the table of commands: a new command joins in as a row. Most of what a row makes is right, some of it is wrong.
"""
from typing import Callable, NamedTuple

from hypothesis import strategies as st

from .resp import Error

# ---- how two replies are compared ----------------------------------------------------------------------------------


def equal(ours, theirs):
    return type(ours) is type(theirs) and ours == theirs


def within(tolerance):
    """within compares times that are still to come: clocks may be a little apart."""
    def compare(ours, theirs):
        both = isinstance(ours, int) and isinstance(theirs, int) and ours >= 0 and theirs >= 0
        return abs(ours - theirs) <= tolerance if both else equal(ours, theirs)
    return compare


def both_numbers(ours, theirs):
    """both_numbers compares what has a meaning of its own in Redis's memory: how often a number is shared, how large it is."""
    return isinstance(ours, int) and isinstance(theirs, int) or equal(ours, theirs)


def any_order(ours, theirs):
    """any_order compares arrays that have no order, also those behind a cursor."""
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) == len(theirs) == 2 and isinstance(ours[1], list) and isinstance(theirs[1], list):
            return ours[0] == theirs[0] and sorted(ours[1]) == sorted(theirs[1])
        return sorted(ours) == sorted(theirs)
    return equal(ours, theirs)


def not_above(ours, theirs):
    """not_above compares counts of keys: Redis counts those that are over and that nobody has looked at since."""
    return ours <= theirs if isinstance(ours, int) and isinstance(theirs, int) else equal(ours, theirs)


# ---- what commands are made of -------------------------------------------------------------------------------------

DATABASES = 3  # that stories use

KEY = st.sampled_from(["a", "b", "c", "n", "m", "key:1", "key:2", "key:3", "", b"\x00\xff", "*", "[a"])
VALUE = st.one_of(
    st.sampled_from(["x", "", "10", "-3", "0", "9223372036854775807", "-9223372036854775808", "3.5", " 1", "1e3", "00", "nan",
                     "inf", "hello world", b"\x00\x01\r\n", b"\xff" * 9, "long" * 300, "\u00fc\u4e2d", "v" * 5000]),
    st.binary(max_size=12), st.integers(-300, 300).map(str))
NUMBER = st.one_of(
    st.sampled_from(["1", "-1", "0", "7", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "x", "", "1.5",
                     "+5", "05", "-0", " 1", "1 ", "0x10"]),
    st.integers(-1000, 1000).map(str), st.integers(-2**63, 2**63).map(str))
FLOAT = st.one_of(
    st.sampled_from(["1", "0.1", "-2.5", "3e2", "1e400", "-1e-400", "nan", "-inf", "inf", "x", "", " 1", "1 ", "0x1p3", "1e17",
                     "-0"]),
    st.floats(-1e9, 1e9).map(repr), st.decimals(-1000, 1000, places=3).map(str))
# None so short that it ends while a story runs, here a moment before there.
SPAN = st.sampled_from(["100000", "1000000", "0", "-1", "x", "", "9223372036854775807", "99999999999999", "-9223372036854775808"])
MOMENT = st.sampled_from(["99999999999", "9999999999999", "1", "0", "-1", "x", "9223372036854775807", "9223372036854775"])
OFFSET = st.one_of(st.integers(-12, 12).map(str), NUMBER)
PLACE = st.sampled_from(["0", "3", "20", "4000", "-1", "x", ""])  # where a value may begin to be written; not past our limits
PATTERN = st.sampled_from(["*", "key:*", "?", "[a-c]", "[^a-c]", "key:[12]", "\\a", "k*1", "", "a", "[", "key:\\*", "***",
                           "[c-a]", "key:[", "\\", "*\\", b"\x00*", "[^", "[\\]a]", "?*?"])
DATABASE = st.sampled_from(["0", "0", "0", "1", "2", "x", "-1", "16", "99999999999999999999", ""])
BIT = st.one_of(st.integers(0, 70).map(str), st.sampled_from(["-1", "4294967296", "x", "", "1001"]))
FIELD = st.sampled_from(["u8", "i8", "u1", "i1", "i64", "u63", "i5", "u64", "i65", "u0", "x8", "u", ""])
FIELD_AT = st.one_of(st.integers(0, 70).map(str), st.integers(0, 8).map(lambda n: f"#{n}"),
                     st.sampled_from(["-1", "#-1", "x", "#", ""]))
PAIRS = st.lists(st.tuples(KEY, VALUE), min_size=1, max_size=4).map(lambda pairs: [x for pair in pairs for x in pair])
CONDITION = ["NX", "XX", "GT", "LT", "NOSUCH"]


def flat(parts):
    return [x for part in parts for x in (part if isinstance(part, list) else [part])]


def some(part, most=4):
    return st.lists(part, min_size=1, max_size=most)


def one(*choices):
    return st.sampled_from(choices)


def seldom(part):
    return st.one_of(st.just([]), st.just([]), st.just([]), part)


def options(*groups):
    """options takes an option from some of the groups, in any order. A group is a list; an option is a word or a strategy."""
    chosen = [seldom(st.one_of(*[o if isinstance(o, st.SearchStrategy) else st.just([o]) for o in group])) for group in groups]
    return st.tuples(*chosen).flatmap(st.permutations).map(flat)


def with_value(name, part):
    """with_value is an option that has a value: EX 100."""
    return part.map(lambda value: [name, value])


EXPIRY = [with_value("EX", SPAN), with_value("PX", SPAN), with_value("EXAT", MOMENT), with_value("PXAT", MOMENT)]
RANGE = st.one_of(st.just([]), st.just([]), st.tuples(OFFSET).map(list), st.tuples(OFFSET, OFFSET).map(list),
                  st.tuples(OFFSET, OFFSET, one("BIT", "BYTE", "NOSUCH")).map(list))
FIELD_OPERATION = st.one_of(
    st.tuples(st.just("GET"), FIELD, FIELD_AT).map(list), st.tuples(one("SET", "INCRBY"), FIELD, FIELD_AT, NUMBER).map(list),
    st.tuples(st.just("OVERFLOW"), one("WRAP", "SAT", "FAIL", "NOSUCH")).map(list))
FIELD_OPERATIONS = st.lists(FIELD_OPERATION, max_size=4).map(flat)


class Row(NamedTuple):
    """A command, or several that take the same arguments."""
    weight: int
    names: tuple        # of one or two words: "SET", "OBJECT REFCOUNT"
    parts: tuple        # strategies of an argument, or of a list of arguments
    same: Callable


def row(weight, names, *parts, same=equal):
    return Row(weight, tuple(names.split("|")), parts, same)


# weight, names, arguments. Rows that come first are what failing stories are shrunk to.
ROWS = [
    row(8, "GET", KEY),
    row(8, "SET", KEY, VALUE),
    row(6, "SET", KEY, VALUE, options(["NX", "XX"], ["GET"], ["KEEPTTL", *EXPIRY])),
    row(1, "SET", KEY, VALUE, some(one("NX", "XX", "GET", "KEEPTTL", "EX", "PX", "100", "NOSUCH"))),
    row(3, "MGET", some(KEY)),
    row(3, "MSET", PAIRS),
    row(2, "MSETNX", PAIRS),
    row(2, "SETNX|GETSET|APPEND", KEY, VALUE),
    row(2, "SETEX|PSETEX", KEY, SPAN, VALUE),
    row(2, "GETDEL|STRLEN|TYPE", KEY),
    row(2, "GETEX", KEY, options(["PERSIST", *EXPIRY])),
    row(3, "GETRANGE|SUBSTR", KEY, OFFSET, OFFSET),
    row(3, "SETRANGE", KEY, PLACE, VALUE),
    row(4, "INCR|DECR", KEY),
    row(4, "INCRBY|DECRBY", KEY, NUMBER),
    row(4, "INCRBYFLOAT", KEY, FLOAT),
    row(1, "LCS", KEY, KEY, options(["LEN"], ["IDX"], ["WITHMATCHLEN"], [with_value("MINMATCHLEN", NUMBER)])),
    row(4, "DEL|UNLINK|EXISTS|TOUCH", some(KEY)),
    row(3, "EXPIRE|PEXPIRE", KEY, SPAN, options(CONDITION, CONDITION)),
    row(2, "EXPIREAT|PEXPIREAT", KEY, MOMENT, options(CONDITION, CONDITION)),
    row(2, "TTL|EXPIRETIME", KEY, same=within(2)),
    row(2, "PTTL|PEXPIRETIME", KEY, same=within(2000)),
    row(2, "PERSIST", KEY),
    row(3, "RENAME|RENAMENX", KEY, KEY),
    row(2, "COPY", KEY, KEY, options(["REPLACE"], [with_value("DB", DATABASE)])),
    row(2, "MOVE", KEY, DATABASE),
    row(1, "SWAPDB", DATABASE, DATABASE),
    row(2, "KEYS", PATTERN, same=any_order),
    row(1, "SCAN", one("0", "x"), st.just(["COUNT", "1000"]),
        options([with_value("MATCH", PATTERN)], [with_value("TYPE", one("string", "list", "nosuch"))]), same=any_order),
    row(1, "DBSIZE", same=not_above),
    row(1, "FLUSHDB|FLUSHALL", seldom(some(one("ASYNC", "SYNC", "NOSUCH"), 2))),
    row(2, "SELECT", DATABASE),
    row(2, "SETBIT", KEY, BIT, one("0", "1", "1", "2", "x")),
    row(2, "GETBIT", KEY, BIT),
    row(2, "BITCOUNT", KEY, RANGE),
    row(2, "BITPOS", KEY, one("0", "1", "2", "x"), RANGE),
    row(2, "BITOP", one("AND", "OR", "XOR", "NOT", "not", "NOSUCH"), KEY, some(KEY)),
    row(3, "BITFIELD|BITFIELD_RO", KEY, FIELD_OPERATIONS),
    row(3, "PFADD", KEY, st.lists(st.integers(0, 300).map(str), max_size=40)),
    row(2, "PFCOUNT", some(KEY)),
    row(2, "PFMERGE", KEY, st.lists(KEY, max_size=3)),
    row(1, "OBJECT REFCOUNT|OBJECT IDLETIME", KEY, same=both_numbers),
    row(1, "OBJECT FREQ|OBJECT NOSUCH", KEY),
    row(1, "MEMORY USAGE", KEY, options([with_value("SAMPLES", NUMBER)]), same=both_numbers),
    row(1, "RESTORE", KEY, one("0", "-1", "x"), VALUE, options(["REPLACE"], ["ABSTTL"], [with_value("IDLETIME", NUMBER)])),
    row(1, "SORT|SORT_RO", KEY, options(["ASC", "DESC"], ["ALPHA"], [st.just(["LIMIT", "0", "10"])], [with_value("STORE", KEY)])),
    row(1, "PING", st.lists(VALUE, max_size=2)),
    row(1, "ECHO", VALUE),
    row(1, "CLIENT SETNAME", VALUE),
    row(1, "CLIENT GETNAME"),
    row(1, "PUBLISH|SPUBLISH", KEY, VALUE),
    row(1, "WAIT", one("0", "-1", "x"), one("0", "1", "-1", "x")),
    row(3, "MULTI"),
    row(3, "EXEC"),
    row(1, "DISCARD|UNWATCH"),
    row(2, "WATCH", some(KEY, 2)),
    row(1, "RESET"),
]

COMPARE = {name: r.same for r in ROWS for name in r.names}


def table_name(command):
    """table_name returns the name in the table of a command that is sent, of one or two words."""
    words = [w.decode(errors="replace") if isinstance(w, bytes) else w for w in command[:2]]
    return next((n for n in (" ".join(words).upper(), words[0].upper()) if n in COMPARE), words[0].upper())


# ---- stories -------------------------------------------------------------------------------------------------------


def spelled(name):
    """spelled is the words of a name, at times in other letters."""
    return one(name, name, name, name, name.lower(), name.capitalize()).map(str.split)


def is_there(name, listed):
    return name.removesuffix(" NOSUCH").lower().replace(" ", "|") in listed


def left_out(listed):
    """left_out returns the names of the table that are not there yet."""
    return sorted({n for r in ROWS for n in r.names if not is_there(n, listed)})


def commands(listed):
    """commands is the strategy of one command, out of those that `listed` says are there ("get", "object|refcount")."""
    makers, names = [], []
    for r in ROWS:
        there = [n for n in r.names if is_there(n, listed)]
        names += [n for n in there if n != "SCAN"]  # Redis takes a cursor that is empty, or begins with a NUL, for 0
        if there:
            makers += [st.tuples(one(*there).flatmap(spelled), *r.parts).map(flat)] * r.weight
    wrong_arity = st.tuples(one(*names).flatmap(spelled), st.lists(KEY, max_size=6)).map(flat)
    # Redis finds no keys in a PFMERGE without sources
    with_keys = wrong_arity.filter(lambda command: command[0].upper() != "PFMERGE")
    get_keys = with_keys.map(lambda command: ["COMMAND", "GETKEYS", *command])
    no_name = st.text("abcdefghij", min_size=1, max_size=6).map(lambda letters: f"no{letters}")
    unknown = st.tuples(no_name, st.lists(VALUE, max_size=3)).map(flat)
    return st.sampled_from(makers + [wrong_arity] * 4 + [get_keys, unknown, unknown]).flatmap(lambda maker: maker)


class Story(NamedTuple):
    protocol: int
    steps: list     # (connection, [command, …]): what a connection sends at once; each step waits for its replies


def stories(listed, connections):
    """
    stories is the strategy of a story. One has FLUSHDB or WATCH, not both: a key that was missing when it was watched, then
    made and flushed away, is missing as before to us, but touched to Redis.
    """
    return st.one_of(st.builds(Story, st.sampled_from([2, 3]), steps(names, connections))
                     for names in (listed - {"flushdb", "flushall"}, listed - {"watch"}))


def steps(listed, connections):
    command = commands(listed)
    watch = st.lists(KEY, min_size=1, max_size=2).map(lambda keys: [["WATCH", *keys]])
    transaction = st.tuples(seldom(watch) if "watch" in listed else st.just([]), st.just([["MULTI"]]),
                            st.lists(command, max_size=5), one([["EXEC"]], [["EXEC"]], [["EXEC"]], [["DISCARD"]])).map(flat)
    batch = st.one_of(command.map(lambda c: [c]), st.lists(command, min_size=1, max_size=8), transaction)
    who = st.sampled_from([0, 0, *range(connections)])
    return st.lists(st.tuples(who, batch), min_size=1, max_size=30)


class Comparison:
    """The replies of two servers to one connection's commands, over all its steps."""

    def __init__(self):
        self.queued = None  # the commands of an open transaction

    def difference(self, commands, ours, theirs):
        """difference returns the first one as text, or None."""
        for command, a, b in zip(commands, ours, theirs):
            if not self._same(command, a, b):
                return f"{command!r}: ours {a!r}, Redis {b!r}"
        return None

    def _same(self, command, ours, theirs):
        name = table_name(command)
        queued = self.queued
        if name == "MULTI" and theirs == "OK":
            self.queued = []
        elif theirs == "QUEUED":
            queued.append(command)
        elif name in ("EXEC", "DISCARD", "RESET") and not (isinstance(theirs, Error) and "wrong number" in theirs):
            self.queued = None
            if name == "EXEC" and queued is not None and isinstance(ours, list) and isinstance(theirs, list):
                return len(ours) == len(theirs) == len(queued) and all(map(same, queued, ours, theirs))
        return same(command, ours, theirs)


def same(command, ours, theirs):
    """same compares two replies to one command."""
    return COMPARE.get(table_name(command), equal)(ours, theirs)
