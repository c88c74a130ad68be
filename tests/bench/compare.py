#!/usr/bin/python3
"""Cofre beside redis-server with TLS, HAProxy, hitch, nginx, stunnel and pgbench, in one run; see README.md.

Every rate comes from tests/bench/load, every CPU time from /proc/PID/stat of the servers. The rounds go through all
candidates one after the other, so that a machine that drifts drifts for all. Ratios are taken within a round, and the
median round counts.
"""
import argparse
import contextlib
import json
import os
import platform
import re
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import peers  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402
from measure import Candidate, Failed, Load, Pgbench  # noqa: E402
from support import stack as support  # noqa: E402
from support.certificates import Certificates  # noqa: E402


class Size(NamedTuple):
    """How much is run."""
    rounds: int
    seconds: float      # of each measurement
    handshakes: int     # at most, of each measurement
    idle: int           # connections whose memory is measured
    beside: int         # idle connections beside the load
    point: float        # seconds of each point of a sweep
    keys: tuple
    connections: tuple
    values: tuple


VALUES = (16, 64, 256, 1024, 4096, 16384, 65536)
SIZES = {
    "quick": Size(1, 0.5, 500, 400, 400, 0.3, (1000, 10000), (10, 100), (16, 4096)),
    "default": Size(3, 3, 3000, 3000, 10000, 1.5, (10**4, 10**5, 10**6), (10, 50, 200, 1000, 5000), VALUES),
    "full": Size(5, 6, 10000, 10000, 10000, 4, (10**4, 10**5, 10**6, 10**7), (10, 50, 200, 1000, 5000), VALUES),
}
HERE = Path(__file__).resolve().parent
# As a small real installation has it, for pgbench and for us.
PG_SETTINGS = ("shared_buffers = 1GB", "max_wal_size = 4GB")


class Bench:
    """What the rows work with."""

    def __init__(self, size, stage):
        self.size = size
        self.stage = stage
        self.row = None
        self.candidates = {}
        self.pgbench = None
        self.failed = {}  # (row, candidate): why
        self.filled = {}  # candidate: (keys, size)
        self.files = more_files()

    def start(self, names, core_options=(), gateway_options=()):
        """start starts ours, and the peers of these names that are installed."""
        self.pg = self.started(support.Postgres(self.stage.directory, settings=PG_SETTINGS))
        certs = Certificates(self.stage.directory / "certs")
        certs.client("alice")
        self.options = {"core_options": core_options,
                        "gateway_options": ("--max-connections", self.files - 200, *gateway_options)}
        self.ours = self.started(support.Stack(self.stage.folder("cofre"), self.pg, certs, **self.options).start())
        self.candidates["cofre"] = self.candidate_of(self.ours)
        if "redis" in names:
            self.start_redis(certs)
        proxies = [n for n in rows.PROXIES if n in names]
        if proxies:
            self.start_proxies(proxies, certs)
        if "pgbench" in names:
            self.pgbench = Pgbench(self.pg, self.stage.directory, rows.KEYS, rows.SIZE)
            self.candidates["pgbench"] = self.pgbench.candidate

    def start_redis(self, certs):
        redis = self.plain_redis(certs, True, "--appendonly", "yes", "--appendfsync", "always")
        self.candidates["redis"] = Candidate("redis", redis, {"redis": lambda: redis.process.pid}, "redis")

    def start_proxies(self, names, certs):
        backend = self.plain_redis(certs, False)
        for name in names:
            proxy = peers.Proxy(name, self.stage.folder(name), certs, backend, self.files)
            self.started(proxy.start())
            roles = {"proxy": lambda p=proxy: p.process.pid, "redis": lambda: backend.process.pid}
            self.candidates[name] = Candidate(name, proxy, roles, "proxy")

    def plain_redis(self, certs, tls, *options):
        name = "redis-tls" if tls else "redis"
        return self.started(support.PlainRedis(self.stage.folder(name), certs, tls, "--maxclients", self.files - 200, *options).start())

    def candidate_of(self, stack):
        return Candidate("cofre", stack, {
            "gateway": lambda: stack.gateway.pid, "core": lambda: stack.core.pid, "postgresql": lambda: self.pg.process.pid},
            "gateway", ("gateway", "core"))

    @contextlib.contextmanager
    def second_stack(self):
        """second_stack starts another gateway with its core on our database, for a while."""
        stack = support.Stack(self.stage.folder("second"), self.pg, self.ours.certs, database=self.ours.database, **self.options)
        try:
            yield self.candidate_of(stack.start())
        finally:
            stack.stop()

    @contextlib.contextmanager
    def keys_inside(self):
        """keys_inside adds a gateway on our core that has its keys itself, as the peers have theirs, for a while."""
        gateway = support.Gateway(self.stage.folder("inside"), self.ours.core.socket, self.ours.certs, "--key-holder", "off",
                                  *self.options["gateway_options"])
        gateway.start()
        self.candidates["inside"] = Candidate("inside", gateway, {"gateway": lambda: gateway.pid}, "gateway")
        try:
            yield
        finally:
            del self.candidates["inside"]
            gateway.stop()

    def restart_ours(self):
        for process in (self.ours.gateway, self.ours.core):
            process.stop()
        for process in (self.ours.core, self.ours.gateway):
            process.start()
        support.wait_until(self.ours.alive, 15, "ours to serve again")

    def started(self, server):
        self.stage.on_exit(server.stop)
        return server

    def data(self, names, keys, size):
        """data makes every key of [0, keys) hold a value of this size, where that is not so yet. Proxies share one store."""
        for name in names:
            store = "backend" if name in rows.PROXIES else name
            if name not in self.candidates or self.filled.get(store) == (keys, size):
                continue
            with Load(self.candidates[name].endpoint, "fill", keys=keys, size=size, connections=4, seconds=1200) as load:
                load.ready()
                load.go()
            self.filled[store] = (keys, size)
            if name == "cofre":
                self.sql("VACUUM ANALYZE")
                self.sql("CHECKPOINT")

    def sql(self, statement):
        return self.pg.sql(statement, self.ours.database)

    def fail(self, name, why):
        self.failed[self.row, name] = str(why)
        say(f"{self.row:12} {name}: FAILED: {why}")

    def note(self, number, name, result):
        figures = [f"{result[k]:,.1f} {unit}" for k, unit in (
            ("bytes_each", "bytes"), ("rate", "/s"), ("total_us", "µs"), ("front_us", "µs in front"), ("p99_us", "µs p99"),
            ("loader_cpu_us", "µs loader"), ("hot", "HOT")) if k in result]
        say(f"{self.row:12} {number + 1}  {name:10} {'  '.join(figures)}")


def more_files():
    """more_files raises the limit of open files as far as may be, for all that is started here; returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for most in (65536, hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), max(most, hard)))
            return min(most, 65536)
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def say(text):
    print(text, file=sys.stderr, flush=True)


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {"cpus": os.cpu_count(), "model": model.group(1) if model else "?", "kernel": platform.release()}


def heading(size, options):
    m = machine()
    return [f"{time.strftime('%Y-%m-%d', time.gmtime())}, {options.size or 'default'}: {size.rounds} rounds of {size.seconds} s; {m['cpus']} CPUs,"
            f" {m['model']}, Linux {m['kernel']}", ""]


def run_rows(bench, chosen):
    results = {}
    for name, what, function in rows.ROWS:
        if name not in chosen:
            continue
        say(f"-- {name}: {what}")
        bench.row = name
        try:
            results[name] = function(bench)
        except (Failed, AssertionError) as e:
            bench.fail("cofre", e)
    return results


def comma_list(known):
    def parse(text):
        names = text.split(",")
        unknown = [n for n in names if n not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are: {', '.join(known)}")
        return names
    return parse


def arguments():
    all_rows = [name for name, _, _ in rows.ROWS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", dest="size", action="store_const", const="quick", help="a smoke test: shows that all of it works, judges nothing")
    how.add_argument("--full", dest="size", action="store_const", const="full", help="longer, more rounds, and 10^7 keys")
    parser.add_argument("--only", type=comma_list(all_rows), default=all_rows, help="rows: " + ", ".join(all_rows))
    parser.add_argument("--peers", type=comma_list([*rows.PEERS, "pgbench"]), default=[*rows.PEERS, "pgbench"])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--out", type=Path, default=support.ROOT / "build" / "bench", help="where compare.json, compare.txt and the plots go")
    parser.add_argument("--keep", action="store_true", help="also put the plots, and the table if all rows are run, into tests/bench, to be committed")
    parser.add_argument("--core", action="append", default=[], help="an option for cofre-core, as --core=--pool-size=4")
    parser.add_argument("--gateway", action="append", default=[], help="an option for cofre-gateway")
    return parser.parse_args()


def size_of(options):
    size = SIZES[options.size or "default"]
    changes = {k: getattr(options, k) for k in ("rounds", "seconds") if getattr(options, k) is not None}
    return size._replace(**changes)


def present(names):
    found = [n for n in names if n not in peers.PROXIES or peers.installed(n)]
    for name in set(names) - set(found):
        say(f"{name} is not installed: left out")
    return found


def draw(results, options, stage):
    for row in rows.SWEEPS:
        if results.get(row) and shutil.which("gnuplot"):
            picture = report.plot(row, results[row], stage.directory, options.out.resolve() / "plots")
            if options.keep:
                (HERE / "plots").mkdir(exist_ok=True)
                shutil.copy(picture, HERE / "plots")


def write(options, size, results, judged, failed, lines):
    options.out.mkdir(parents=True, exist_ok=True)
    found = {"when": int(time.time()), "machine": machine(), "size": size._asdict(), "core": options.core, "gateway": options.gateway,
             "goals": judged, "failed": {" ".join(k): v for k, v in failed.items()}, "results": results}
    (options.out / "compare.json").write_text(json.dumps(found, indent=1))
    for folder in [options.out, *([HERE] if options.keep and len(options.only) == len(rows.ROWS) else [])]:
        (folder / "compare.txt").write_text("\n".join(lines) + "\n")
    say(f"written: {os.path.relpath(options.out / 'compare.json')}")


def main():
    options = arguments()
    size = size_of(options)
    started = time.monotonic()
    stage = support.Stage()
    with contextlib.closing(stage):
        bench = Bench(size, stage)
        bench.start(present(options.peers), options.core, options.gateway)
        results = run_rows(bench, options.only)
        draw(results, options, stage)
    judged = report.judge(results)
    lines = heading(size, options) + report.table(judged, options.size != "quick") + ["", "CPU µs an operation, by process", *report.costs(results)]
    print("\n".join(lines))
    write(options, size, results, judged, bench.failed, lines)
    say(f"took {(time.monotonic() - started) / 60:.1f} minutes; {len(bench.failed)} measurements failed")
    if options.size == "quick":
        return 1 if bench.failed else 0
    return 0 if not bench.failed and all(j["met"] for j in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
