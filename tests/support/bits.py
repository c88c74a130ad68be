"""Random commands on bits, parts of values and HyperLogLogs, for two servers to answer; decided by the seed alone."""
import random

KEYS = ["a", "b", "c", "d", "none"]
SKETCHES = ["h", "i", "j", "k"]
VALUES = [b"", b"\x00", b"\xff", b"foobar", b"\xff\xf0\x00", b"\x00" * 17, b"\xff" * 17, b"12345", bytes(range(256)),
          b"ohmytext", b"mynewtext", b"abcabcabcab" * 9]
OFFSETS = ["0", "1", "7", "8", "63", "64", "100", "2047", "-1", "x", "", "01", "4294967295", "4294967296",
           "99999999999999999999"]
POSITIONS = ["0", "1", "2", "-1", "-2", "7", "8", "16", "100", "-100", "-9223372036854775808", "9223372036854775807",
             "x", "9223372036854775808"]
OPERANDS = ["0", "1", "-1", "2", "100", "-129", "255", "256", "9223372036854775807", "-9223372036854775808", "x",
            "9223372036854775808"]


class BitCommands:
    """An endless source of commands, most of them right. What it writes is at most a few hundred bytes long."""

    def __init__(self, seed):
        self.dice = random.Random(seed)

    def key(self):
        return self.dice.choice(KEYS)

    def sketch(self):
        return self.dice.choice(SKETCHES) if self.dice.random() < 0.97 else self.key()

    def rarely(self, odd, usual):
        """rarely returns one of the odd choices now and then, else what usual() makes."""
        return self.dice.choice(odd) if self.dice.random() < 0.15 else usual()

    def value(self):
        return self.rarely(VALUES, lambda: self.dice.randbytes(self.dice.randint(0, 40)))

    def position(self):
        return self.rarely(POSITIONS, lambda: self.dice.randint(-330, 330))

    def some(self, make, most=4):
        return [make() for _ in range(self.dice.randint(1, most))]

    def range(self, least):
        """range returns `least` or more of start, end, unit."""
        unit = self.dice.choice(["BYTE", "BIT", "BIT", "bit", "NOSUCH"])
        return [self.position(), self.position(), unit, "x"][:self.dice.choice([least, least, 0, 1, 2, 2, 3, 3, 3, 4])]

    def setbit(self):
        # An offset beyond what a value may have is refused in words that depend on the limit; reading there is not.
        offset = self.rarely([o for o in OFFSETS if o != "4294967295"], lambda: self.dice.randint(0, 400))
        return ["SETBIT", self.key(), offset, self.rarely(["2", "-1", "x", ""], lambda: self.dice.randint(0, 1))]

    def field(self, read_only):
        d = self.dice
        kind = "GET" if read_only and d.random() < 0.95 else d.choice(["GET", "SET", "SET", "INCRBY", "INCRBY", "OVERFLOW"])
        if kind == "OVERFLOW":
            return [kind, d.choice(["WRAP", "SAT", "SAT", "FAIL", "FAIL", "sat"]) if d.random() < 0.98 else "NOSUCH"]
        width = d.randint(1, 64)
        sort = "i" if width == 64 else d.choice("iu")
        encoding = f"{sort}{width}" if d.random() < 0.98 else d.choice(["u64", "i65", "u0", "i", "x8", "I8", "i08", ""])
        offset = d.randint(0, 300) if d.random() < 0.7 else f"#{d.randint(0, 5)}"
        if d.random() < 0.02:
            offset = d.choice(["-1", "x", "", "#", "#-1", "#x", "4294967296"])
        operand = d.choice(OPERANDS[:-3]) if d.random() < 0.5 else d.randint(-(1 << width), 1 << width)
        if not -(1 << 63) <= int(operand) < 1 << 63:
            operand = 0
        if d.random() < 0.01:
            operand = d.choice(OPERANDS)
        return [kind, encoding, offset, *([operand] if kind != "GET" else [])]

    def bitfield(self, name):
        fields = [x for _ in range(self.dice.randint(0, 6)) for x in self.field(name == "BITFIELD_RO")]
        return [name, self.key(), *(fields if self.dice.random() < 0.97 else fields[:-1])]

    def lcs(self):
        d = self.dice
        options = [o for o in (["IDX"], ["WITHMATCHLEN"], ["MINMATCHLEN", d.choice([0, 1, 2, 4, -1])], ["LEN"],
                               d.choice([["NOSUCH"], ["MINMATCHLEN"], ["MINMATCHLEN", "x"]]))
                   if d.random() < (0.5 if o[0] == "IDX" else 0.25 if o[0] not in ("NOSUCH",) else 0.05)]
        d.shuffle(options)
        return ["LCS", self.key(), self.key(), *[x for o in options for x in o]]

    def elements(self):
        most = self.dice.choice([0, 1, 3, 10, 10, 300])
        return [self.rarely(VALUES, lambda: str(self.dice.randint(0, 5000))) for _ in range(most)]

    def next(self):
        d, key, sketch = self.dice, self.key, self.sketch
        table = [
            (4, lambda: ["SET", key(), self.value()]),
            (2, lambda: ["SET", key(), bytes(d.choice(b"ab") for _ in range(d.randint(0, 60)))]),
            (1, lambda: ["SET", key(), self.value(), "EX", 100000]),
            (6, lambda: ["GET", key()]),
            (1, lambda: ["TTL", key()]),
            (2, lambda: ["DEL", *self.some(key, 2)]),
            (2, lambda: ["STRLEN", key()]),
            (3, lambda: ["SUBSTR", key(), self.position(), self.position()]),
            (8, self.setbit),
            (4, lambda: ["GETBIT", key(), self.rarely(OFFSETS, lambda: d.randint(0, 400))]),
            (8, lambda: ["BITCOUNT", key(), *self.range(2)]),
            (8, lambda: ["BITPOS", key(), self.rarely(["2", "-1", "x"], lambda: d.randint(0, 1)), *self.range(1)]),
            (6, lambda: ["BITOP", d.choice(["AND", "OR", "XOR", "and"]), key(), *self.some(key)]),
            (2, lambda: ["BITOP", d.choice(["NOT", "NOT", "NOSUCH"]), key(), *self.some(key, 1 + (d.random() < 0.1))]),
            (12, lambda: self.bitfield("BITFIELD")),
            (5, lambda: self.bitfield("BITFIELD_RO")),
            (6, self.lcs),
            (10, lambda: ["PFADD", sketch(), *self.elements()]),
            (6, lambda: ["PFCOUNT", *self.some(sketch, d.choice([1, 1, 3]))]),
            # Not into a plain key: LCS has a limit of its own for values of 12 KiB.
            (3, lambda: ["PFMERGE", d.choice(SKETCHES), *self.some(sketch)]),
            (6, lambda: ["GET", sketch()]),
            (2, lambda: ["PFDEBUG", d.choice(["ENCODING", "DECODE", "encoding", "NOSUCH"]), sketch()]),
            (1, lambda: ["PFDEBUG", d.choice(["TODENSE", "GETREG"]), sketch()] if d.random() < 0.2 else ["GET", sketch()]),
            (1, lambda: ["DEL", sketch()]),
            (1, lambda: [d.choice(["SETBIT", "BITOP", "BITPOS", "PFADD", "PFMERGE", "PFCOUNT", "LCS", "PFDEBUG", "BITCOUNT",
                                   "GETBIT", "BITFIELD", "SUBSTR", "PFSELFTEST"]), *self.some(key, 4)][:d.randint(1, 5)]),
        ]
        weights, makers = zip(*table)
        return d.choices(makers, weights)[0]()

    def batch(self):
        """batch returns the commands of one pipeline, a part of them in a transaction."""
        commands = [self.next() for _ in range(self.dice.randint(1, 15))]
        if self.dice.random() < 0.1:
            commands = [["MULTI"], *commands, ["EXEC"]]
        return commands

    def damage(self):
        """damage returns a command that breaks a HyperLogLog somewhere, or only might."""
        d = self.dice
        if d.random() < 0.2:
            return ["APPEND", self.sketch(), d.randbytes(d.randint(1, 3))]
        return ["SETRANGE", self.sketch(), d.choice([d.randint(0, 17), d.randint(16, 60), d.randint(16, 400)]), d.randbytes(1)]
