"""Random command sequences, and how replies of two servers are compared.

A run is decided by its seed alone, so that a difference found once can be looked at again.
"""
import random
import string

from .resp import Error

KEYS = ["a", "b", "c", "d", "e", "key:1", "key:2", "key:3", "n", "m", ""]
VALUES = ["", "x", "10", "-3", "9223372036854775807", "3.5", " 1", "1e3", "hello world", "0", "00", "nan", "inf",
          "\x00\x01\r\n", "long" * 300]
NUMBERS = ["1", "-1", "0", "7", "100", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "x", "",
           "1.5", "+5", "05"]
FLOATS = ["1", "0.1", "-2.5", "3e2", "1e400", "nan", "inf", "x", "", " 1"]
# None so short that it ends while the test runs, once here and a little later there.
TIMES = ["100000", "1000000", "0", "-1", "x", "9223372036854775807", "99999999999999"]
PATTERNS = ["*", "key:*", "?", "[a-c]", "[^a-c]", "key:[12]", "\\a", "k*1", "", "a", "[", "key:\\*", "***"]


class Commands:
    """An endless source of commands, most of them right; `swaps`: SWAPDB among them."""

    def __init__(self, seed, swaps=True):
        self.dice = random.Random(seed)
        self.swaps = swaps

    def key(self):
        return self.dice.choice(KEYS)

    def pick(self, choices):
        return self.dice.choice(choices)

    def some(self, make, most=4):
        return [make() for _ in range(self.dice.randint(1, most))]

    def pairs(self):
        return [x for _ in range(self.dice.randint(1, 4)) for x in (self.key(), self.pick(VALUES))]

    def options(self, *groups):
        """options takes from some groups one option each, in any order."""
        chosen = [self.pick(g) for g in groups if self.dice.random() < 0.4]
        self.dice.shuffle(chosen)
        return [str(x) for option in chosen for x in (option if isinstance(option, tuple) else (option,))]

    def spelled(self, name):
        return "".join(self.dice.choice((c.lower(), c.upper())) for c in name) if self.dice.random() < 0.1 else name

    def next(self):
        d = self.dice
        key, value, number = self.key, lambda: self.pick(VALUES), lambda: self.pick(NUMBERS)
        time = lambda: self.pick(TIMES)  # noqa: E731
        span = lambda: str(d.randint(-12, 12))  # noqa: E731
        cond = ["NX", "XX", "GT", "LT", "NOSUCH"]
        table = [
            (8, lambda: ["SET", key(), value()]),
            (5, lambda: ["SET", key(), value(), *self.options(
                ["NX", "XX"], ["GET"], ["KEEPTTL", ("EX", time()), ("PX", time()), ("EXAT", time()), ("PXAT", "99999999999999")])]),
            (1, lambda: ["SET", key(), value(), d.choice(["NOSUCH", "EX", "PX x", "NX XX"])]),
            (8, lambda: ["GET", key()]),
            (3, lambda: ["MGET", *self.some(key)]),
            (3, lambda: ["MSET", *self.pairs()]),
            (2, lambda: ["MSETNX", *self.pairs()]),
            (2, lambda: ["SETNX", key(), value()]),
            (2, lambda: [d.choice(["SETEX", "PSETEX"]), key(), time(), value()]),
            (2, lambda: ["GETSET", key(), value()]),
            (2, lambda: ["GETDEL", key()]),
            (2, lambda: ["GETEX", key(), *self.options(["PERSIST", ("EX", time()), ("PX", time()), ("EXAT", time())])]),
            (3, lambda: ["APPEND", key(), value()]),
            (3, lambda: ["STRLEN", key()]),
            (3, lambda: ["GETRANGE", key(), d.choice([span(), number()]), d.choice([span(), number()])]),
            (3, lambda: ["SETRANGE", key(), d.choice(["0", "3", "20", "-1", "x"]), value()]),
            (5, lambda: [d.choice(["INCR", "DECR"]), d.choice(["n", "m", key()])]),
            (3, lambda: [d.choice(["INCRBY", "DECRBY"]), d.choice(["n", "m", key()]), number()]),
            (2, lambda: ["INCRBYFLOAT", d.choice(["n", "m", key()]), self.pick(FLOATS)]),
            (4, lambda: [d.choice(["DEL", "UNLINK"]), *self.some(key)]),
            (4, lambda: [d.choice(["EXISTS", "TOUCH"]), *self.some(key)]),
            (2, lambda: ["TYPE", key()]),
            (3, lambda: [d.choice(["EXPIRE", "PEXPIRE"]), key(), time(), *self.options(cond, cond[:1] if d.random() < .1 else cond)]),
            (1, lambda: [d.choice(["EXPIREAT", "PEXPIREAT"]), key(), d.choice(["99999999999", "1", "-1", "x", "9223372036854775807"]),
                         *self.options(cond)]),
            (3, lambda: [d.choice(["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]), key()]),
            (2, lambda: ["PERSIST", key()]),
            (2, lambda: [d.choice(["RENAME", "RENAMENX"]), key(), key()]),
            (2, lambda: ["COPY", key(), key(), *self.options(["REPLACE"], [("DB", "1"), ("DB", "0"), ("DB", "16"), ("DB", "x")])]),
            (2, lambda: ["MOVE", key(), d.choice(["0", "1", "1", "1", "16", "x", "-1"])]),
            (1, lambda: ["SWAPDB", d.choice(["0", "1"]), d.choice(["0", "1", "1", "16", "x"])] if self.swaps else ["PING"]),
            (1, lambda: ["SORT", key(), *self.options(["ASC", "DESC"], ["ALPHA"], [("LIMIT", "0", "5"), ("LIMIT", "x", "1")],
                                                      [("STORE", key()), "NOSUCH", "BY"])]),
            (1, lambda: ["SORT_RO", key(), *self.options(["ALPHA"], [("GET", "#"), ("STORE", "a"), "LIMIT"])]),
            (1, lambda: ["RESTORE", key(), d.choice(["0", "-1", "x"]), value(), *self.options(
                ["REPLACE"], ["ABSTTL"], [("IDLETIME", number()), ("FREQ", "300"), "NOSUCH"])]),
            (1, lambda: ["DUMP", key()]),
            (1, lambda: ["OBJECT", d.choice(["REFCOUNT", "FREQ", "IDLETIME", "NOSUCH"]), key()]),
            (1, lambda: ["MEMORY", "USAGE", key(), *self.options([("SAMPLES", number()), "NOSUCH"])]),
            (1, lambda: ["WAIT", d.choice(["0", "-1", "x"]), d.choice(["0", "10", "-1", "x"])]),
            (2, lambda: ["KEYS", self.pick(PATTERNS)]),
            (1, lambda: ["DBSIZE"]),
            (1, lambda: ["SELECT", d.choice(["0", "0", "0", "1", "x", "-1"])]),
            (1, lambda: ["PING", *self.options(["x"])]),
            (1, lambda: ["ECHO", value()]),
            (1, lambda: [d.choice(["FLUSHDB", "FLUSHALL"]), *self.options(["ASYNC", "SYNC", "NOSUCH"])] if d.random() < 0.15
             else ["PING"]),
            (2, lambda: self.wrong_arity()),
            (1, lambda: ["".join(d.choices(string.ascii_letters, k=5)), *self.some(value, 3)]),
        ]
        weights, makers = zip(*table)
        command = d.choices(makers, weights)[0]()
        return [self.spelled(command[0]), *command[1:]]

    def wrong_arity(self):
        name = self.pick(["GET", "SET", "MSET", "INCR", "EXPIRE", "RENAME", "MGET", "DEL", "EXISTS", "GETRANGE", "APPEND",
                          "SETEX", "PTTL", "COPY", "KEYS", "SELECT", "ECHO", "STRLEN", "GETEX", "MSETNX", "MOVE", "SWAPDB",
                          "DUMP", "RESTORE", "OBJECT", "WAIT", "SORT"])
        return [name, *["k"] * self.pick([0, 0, 1, 3, 5])][:self.pick([1, 1, 2, 4, 6])]

    def transaction(self):
        """transaction returns a MULTI block, at times discarded or with a mistake inside."""
        inside = [self.next() for _ in range(self.dice.randint(0, 5))]
        head = [["WATCH", *self.some(self.key, 2)]] if self.dice.random() < 0.3 else []
        if self.dice.random() < 0.1:
            inside.insert(0, self.pick([["MULTI"], ["WATCH", "a"], ["UNWATCH"]]))
        return [*head, ["MULTI"], *inside, [self.pick(["EXEC", "EXEC", "EXEC", "DISCARD"])]]

    def batch(self):
        """batch returns the commands of one pipeline."""
        commands = []
        for _ in range(self.dice.randint(1, 12)):
            commands += self.transaction() if self.dice.random() < 0.1 else [self.next()]
        return commands


def same(command, ours, theirs):
    """same compares two replies to one command; clocks may be a little apart, and KEYS has no order."""
    name = command[0].upper()
    if name in ("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME") and isinstance(ours, int) and isinstance(theirs, int):
        if (ours < 0) or (theirs < 0):
            return ours == theirs
        return abs(ours - theirs) <= (2 if name in ("TTL", "EXPIRETIME") else 2000)
    if name == "DBSIZE" and isinstance(ours, int) and isinstance(theirs, int):
        return ours <= theirs  # Redis counts keys that are over and that nobody has looked at since
    if name in ("EXPIRE", "PEXPIRE") and {"GT", "LT"} & set(command) and isinstance(ours, int):
        return isinstance(theirs, int)  # the same time from now is later a millisecond later; EXPIREAT tells
    if name == "OBJECT" and isinstance(ours, int) and isinstance(theirs, int):
        return True  # a shared number has many references in Redis; what is idle there was not read
    if (name, type(ours), type(theirs)) in (("DUMP", bytes, bytes), ("MEMORY", int, int)):
        return True  # forms and sizes of one's own
    if name == "KEYS" and isinstance(ours, list) and isinstance(theirs, list):
        return sorted(ours) == sorted(theirs)
    return type(ours) is type(theirs) and ours == theirs


def compare(commands, ours, theirs):
    """compare returns the first difference between two lists of replies as text, or None."""
    queued = None
    for at, (command, a, b) in enumerate(zip(commands, ours, theirs)):
        name = command[0].upper()
        if name == "EXEC" and queued is not None and isinstance(a, list) and isinstance(b, list):
            equal = len(a) == len(b) == len(queued) and all(same(*each) for each in zip(queued, a, b))
        else:
            equal = same(command, a, b)
        if not equal:
            return f"command {at} {command!r}: ours {a!r}, Redis {b!r}; the batch: {commands!r}"
        if name == "MULTI" and not isinstance(b, Error):
            queued = []
        elif name in ("EXEC", "DISCARD"):
            queued = None
        elif queued is not None and b == "QUEUED":
            queued.append(command)
    return None
