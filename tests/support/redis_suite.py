"""Redis's own test suite against Cofre, over mutual TLS, unit by unit; tests/redis_suite.sh is how to run it.

The suite's Tcl text runs as it is, by redis_suite.tcl, which reports each test here. What does not apply to Cofre is in
tests/redis_suite.expect with its reason. A run is good when exactly the tests of that list fail.
"""
import argparse
import collections
import concurrent.futures
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from . import stack as support
from .certificates import Certificates

SHIM = Path(__file__).with_suffix(".tcl")
EXPECT = Path(__file__).resolve().parents[1] / "redis_suite.expect"


class Unit(NamedTuple):
    """A file of the suite."""
    name: str
    tests: int          # that Redis itself runs, and passes, with our options: another number of ours means that some are hidden
    all: bool = False   # also blocks that the suite does not run against a server that is there already


# The longest first, so that the two that run side by side end together.
UNITS = [
    Unit("unit/hyperloglog", 20),
    Unit("unit/type/string", 77),
    Unit("unit/expire", 60),
    Unit("unit/scan", 17),
    Unit("unit/dump", 11),
    Unit("unit/introspection-2", 43),
    Unit("unit/multi", 53),
    Unit("unit/bitops", 45),
    Unit("unit/tracking", 51),
    Unit("unit/keyspace", 52),
    Unit("unit/pubsub", 30),
    Unit("unit/introspection", 28),
    Unit("unit/other", 17),
    Unit("unit/protocol", 19),
    Unit("unit/bitfield", 16),
    Unit("unit/slowlog", 11),
    Unit("unit/type/incr", 23),
    Unit("unit/quit", 3),
    Unit("unit/sort", 52),
    Unit("unit/pause", 14),
    Unit("unit/latency-monitor", 13),
    Unit("unit/lazyfree", 4),
    Unit("unit/info-command", 3),
    Unit("unit/querybuf", 2),
    Unit("unit/info", 16, True),
    Unit("unit/pubsubshard", 11, True),
]

DENIED_TAGS = ["-needs:debug"]  # a debug build's command, which no other server has
REPLY_TIMEOUT = 10    # seconds for one reply
TEST_TIMEOUT = 200    # for one test, e.g. for a loop that never ends; the longest takes Redis 45
UNIT_TIMEOUT = 400
REDIS_ITSELF = {"unit/pubsubshard": {"setup replication for following tests": "needs a second server"}}
NOT_RUN = "not run: "  # how the reason of a test begins that the suite does not come to,
LEFT_OUT = "left out: "  # or that is not run, because it would leave something behind for those after it


class Test(NamedTuple):
    """What became of one test; a name may come several times in a unit."""
    name: str
    status: str         # ok, err, block (an error outside any test), ignore
    details: str = ""
    seconds: float = 0


class Shim:
    """One running redis_suite.tcl and its events."""

    def __init__(self, suite, unit, server, skipped, log):
        self.names = tempfile.NamedTemporaryFile("w", prefix="cofre-suite-", suffix=".skip")
        self.names.write("".join(f"{name}\n" for name in skipped))
        self.names.flush()
        self.pipe, theirs = os.pipe()
        argv = ["tclsh", SHIM, unit.name, support.HOST, server.port, server.certs.directory, REPLY_TIMEOUT * 1000,
                self.names.name, " ".join(DENIED_TAGS), "run" if unit.all else "skip"]
        # as file descriptor 3, whatever it is here
        self.popen = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", "bash", "-c", f'exec "$@" 3>&{theirs}',
                                       "bash", *map(str, argv)], cwd=suite, stdin=subprocess.DEVNULL, stdout=log,
                                      stderr=log, pass_fds=[theirs], start_new_session=True)
        os.close(theirs)
        self.buffer = b""

    def event(self, timeout):
        """event returns (status, milliseconds, text), None at the end, and raises TimeoutError."""
        end = time.monotonic() + timeout
        while True:
            line, newline, rest = self.buffer.partition(b"\n")
            if newline:
                status, elapsed, length = line.split()
                if len(rest) >= int(length):
                    self.buffer = rest[int(length):]
                    return status.decode(), int(elapsed), rest[:int(length)].decode(errors="replace")
            if not select.select([self.pipe], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError
            data = os.read(self.pipe, 1 << 16)
            if not data:
                return None
            self.buffer += data

    def close(self):
        """close ends it, and what it started, if it has not ended."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        os.close(self.pipe)
        self.names.close()


class Run:
    """One unit against one server."""

    def __init__(self, suite, unit, server, left_out, log):
        self.suite, self.unit, self.server, self.left_out, self.log = suite, unit, server, left_out, log
        self.results = []
        self.current = None     # the test that has begun and not ended
        self.aborted = None     # why the unit did not come to its end
        self.end = time.monotonic() + UNIT_TIMEOUT
        self.seconds = 0

    def go(self):
        """go runs the unit to its end; where a test ends or holds the process, another goes on behind it."""
        started = time.monotonic()
        while not self._part():
            if self.current is None or time.monotonic() > self.end:
                self.aborted = self.aborted or f"it ended early, after {self.results[-1].name if self.results else 'nothing'}"
                break
            self.results.append(Test(self.current, "err", self.aborted))
            self.current = self.aborted = None
        self.seconds = time.monotonic() - started
        return self

    def _part(self):
        """_part: a process ran and came to the end of the unit."""
        done = {t.name for t in self.results if t.status != "block"}
        shim = Shim(self.suite, self.unit, self.server, done | self.left_out, self.log)
        try:
            while True:
                event = shim.event(min(TEST_TIMEOUT, max(0, self.end - time.monotonic())))
                if event is None:
                    self.aborted = f"the process ended; its output is in {self.log.name}"
                    return False
                if event[0] == "done":
                    return True
                self._take(*event)
        except TimeoutError:
            self.aborted = "no end in sight"
            return False
        finally:
            shim.close()

    def _take(self, status, milliseconds, text):
        if status == "testing":
            self.current = text
        elif status in ("ok", "err"):
            name, self.current = self.current or text.splitlines()[0], None
            self.results.append(Test(name, status, text, milliseconds / 1000))
        elif status == "block":
            name, _, details = text.partition("\n")
            test = Test(f"outside any test: {name}", status, details)
            if test not in self.results:  # a process that goes on behind a test begins the file anew
                self.results.append(test)
        elif status == "ignore":
            self.results.append(Test(text, status))


def expectations(path):
    """expectations reads the list: unit, test and reason, separated by tabs. Returns {unit: {test: reason}}."""
    found = collections.defaultdict(dict)
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 3 or not all(fields):
            raise SystemExit(f"{path}:{number}: not a unit, a test and a reason, separated by tabs")
        if fields[1] in found[fields[0]]:
            raise SystemExit(f"{path}:{number}: this test is there twice")
        found[fields[0]][fields[1]] = fields[2]
    return found


def why(test):
    """why returns the lines that say what went wrong; the suite puts the test's name first, then often a line cut short."""
    lines = test.details.splitlines()
    if " in tests/" in "".join(lines[:1]):
        del lines[0]
    if len(lines) > 1 and lines[1].endswith(lines[0]):
        del lines[0]
    return lines


class Verdict:
    """What a unit's results mean beside the list of those that do not apply."""

    def __init__(self, run, expected):
        self.run, self.unit, self.expected = run, run.unit, expected
        tests = [t for t in run.results if t.status in ("ok", "err")]
        self.passed = sum(t.status == "ok" for t in tests)
        bad = [t for t in run.results if t.status in ("err", "block")]
        self.failed = [t for t in bad if t.name not in expected]
        self.apart = [t.name for t in bad if t.name in expected]  # with some that are no tests, and some twice
        absent = [name for name in expected if name not in {t.name for t in run.results}]
        self.not_run = [name for name in absent if expected[name].startswith((NOT_RUN, LEFT_OUT))]
        self.stale = [name for name in expected if name not in self.apart + self.not_run]
        self.total = len(tests) + len(self.not_run)
        self.inapplicable = len(self.not_run) + sum(t.status == "err" and t.name in expected for t in tests)

    def good(self):
        return not (self.failed or self.stale or self.run.aborted) and self.total == self.unit.tests

    def text(self, verbose):
        failed = self.total - self.passed - self.inapplicable
        lines = [f"{self.unit.name}: {self.passed} / {self.total} passed, {self.inapplicable} do not apply, {failed} failed "
                 f"({self.run.seconds:.0f} s)"]
        lines += [f"    does not apply: {name}: {self.expected[name]}" for name in dict.fromkeys(self.apart + self.not_run)]
        for t in self.failed:
            lines.append(f"    FAILED: {t.name}")
            lines += [f"        {line[:300]}" for line in why(t)[:None if verbose else 1]]
        lines += [f"    LISTED, BUT DID NOT FAIL: {name}" for name in self.stale]
        if self.total != self.unit.tests:
            lines.append(f"    NOT ALL WERE RUN: there are {self.unit.tests}")
        if self.run.aborted:
            lines.append(f"    ABORTED: {self.run.aborted}")
        return "\n".join(lines)


class Servers:
    """Makes the servers, one for each unit that runs at a time."""

    def __init__(self, stage, against_redis):
        self.stage = stage
        self.certs = Certificates(stage.directory / "certs")
        for name in ("client", "alice"):  # the suite's name, and that of our own checks: made before threads ask for it
            self.certs.client(name)
        self.pg = None
        if not against_redis:
            # what is shown here is not durability
            self.pg = support.Postgres(stage.directory, settings=["fsync = off"])
            stage.on_exit(self.pg.stop)

    def start(self):
        folder = self.stage.folder("suite")
        server = support.Stack(folder, self.pg, self.certs) if self.pg else support.PlainRedis(folder, self.certs)
        server.start()
        return server


def run_unit(suite, unit, servers, expected, directory):
    """run_unit gives the unit a server of its own, and ends it."""
    left_out = {name for name, reason in expected.items() if reason.startswith(LEFT_OUT)}
    server = servers.start()
    with open(directory / (unit.name.replace("/", "-") + ".out"), "w") as log:
        run = Run(suite, unit, server, left_out, log).go()
    try:
        server.stop()
    except AssertionError as e:
        run.aborted = f"{run.aborted or ''} {e}".strip()
    return run


def options():
    parser = argparse.ArgumentParser(prog="tests/redis_suite.sh", description=__doc__.splitlines()[0])
    parser.add_argument("--unit", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--against-redis", action="store_true", help="against Debian's redis-server: all of them pass there")
    parser.add_argument("--keep", action="store_true", help="keep the scratch directory with its logs")
    parser.add_argument("--verbose", action="store_true", help="show all that is known of a failure")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="units side by side, each with servers of its own (2)")
    parser.add_argument("--suite", type=Path, required=True, help=argparse.SUPPRESS)
    given = parser.parse_args()
    known = {u.name.removeprefix("unit/"): u for u in UNITS}
    wanted = [re.sub("^unit/", "", name) for name in given.unit]
    if unknown := [name for name in wanted if name not in known]:
        parser.error(f"no unit {unknown[0]}; there are: {', '.join(sorted(known))}")
    given.units = [u for u in UNITS if not wanted or u.name.removeprefix("unit/") in wanted]
    return given


def summary(verdicts, against):
    total, apart, passed = (sum(getattr(v, name) for v in verdicts) for name in ("total", "inapplicable", "passed"))
    print(f"against {against}: {passed} / {total} passed, {apart} do not apply, {total - apart} apply")


def main():
    given = options()
    expected = REDIS_ITSELF if given.against_redis else expectations(EXPECT)
    if strangers := set(expected) - {u.name for u in UNITS}:
        raise SystemExit(f"{EXPECT.name} names units that are not run: {', '.join(sorted(strangers))}")
    started = time.monotonic()
    stage = support.Stage()
    verdicts = []
    try:
        servers = Servers(stage, given.against_redis)
        with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
            runs = [pool.submit(run_unit, given.suite, u, servers, expected.get(u.name, {}), stage.directory) for u in given.units]
            try:
                for run in concurrent.futures.as_completed(runs):
                    verdicts.append(Verdict(run.result(), expected.get(run.result().unit.name, {})))
                    print(verdicts[-1].text(given.verbose), flush=True)
            except BaseException:
                [run.cancel() for run in runs]
                raise
    finally:
        keep = given.keep or not (verdicts and all(v.good() for v in verdicts))
        stage.close(keep=keep)
        if keep:
            print(f"logs are kept in {stage.directory}", file=sys.stderr)
    summary(verdicts, "redis-server" if given.against_redis else "Cofre")
    bad = [v.unit.name for v in verdicts if not v.good()]
    if bad:
        print(f"not as expected: {', '.join(bad)}")
    print(f"took {time.monotonic() - started:.0f} s")
    print(f"{len(verdicts) - len(bad)} passed, {len(bad)} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
