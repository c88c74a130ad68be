"""Runs of the load generator, with the CPU time and memory that the servers used meanwhile."""
import contextlib
import json
import os
import re
import subprocess
from pathlib import Path

from support import stack as support


class Failed(Exception):
    """A measurement that could not be made, and why."""


def tree(pid):
    """tree returns a process and all below it."""
    found, todo = [], [pid]
    while todo:
        at = todo.pop()
        found.append(at)
        for children in Path(f"/proc/{at}/task").glob("*/children"):
            try:
                todo += map(int, children.read_text().split())
            except OSError:  # the thread has ended
                pass
    return found


def cpu_of(root):
    """cpu_of returns the CPU seconds of a process and all below it, those that have ended included."""
    total = 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            total += support.cpu_of(pid, with_ended_children=pid == root)
    return total


def rss_of(pid):
    """Resident bytes, counted page by page: VmRSS of /proc/PID/status is off by some dozen pages for each thread."""
    try:
        return int(re.search(r"^Rss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1)) * 1024
    except (OSError, AttributeError):
        return 0


class Candidate:
    """A server to measure: where it listens, and its processes by role ({role: function that returns the pid of the topmost}).

    `front` is the role of the process that speaks TLS; `memory` are those whose memory a connection costs.
    """

    def __init__(self, name, endpoint, roles, front, memory=None):
        self.name = name
        self.endpoint = endpoint
        self.roles = roles
        self.front = front
        self.memory = memory or (front,)

    def cpu(self):
        """cpu returns the CPU seconds so far, by role."""
        return {role: cpu_of(pid()) for role, pid in self.roles.items()}

    def cpu_since(self, before):
        return {role: seconds - before[role] for role, seconds in self.cpu().items()}

    def rss(self):
        return sum(rss_of(pid) for role in self.memory for pid in tree(self.roles[role]()))


class Load:
    """One run of tests/bench/load; see its --wait."""

    def __init__(self, endpoint, mode, **options):
        certs = endpoint.certs
        pair = certs.client("alice")
        argv = [support.BUILD / "tests" / "bench" / "load", mode, "--wait", "--port", endpoint.port, "--server-cert", certs.server.cert,
                "--cert", pair.cert, "--key", pair.key, "--ca", certs.ca, "--ca-key", certs.pair("ca").key]
        for name, value in options.items():
            argv += [f"--{name}"] if value is True else [f"--{name}", value] if value not in (None, False) else []
        self.what = " ".join(map(str, [mode, *options.items()]))
        self.popen = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.stdin.close()
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.popen.stdout.close()
        self.popen.stderr.close()

    def line(self):
        """line returns the next line of output; it is bounded by the loader's own time limits."""
        line = self.popen.stdout.readline()
        if not line:
            raise Failed(f"load {self.what}: {self.popen.stderr.read()[-300:]}")
        found = json.loads(line)
        if found.get("problem") or found.get("errors"):
            raise Failed(f"load {self.what}: {found['problem'] or found['first_error']}")
        return found

    def ready(self):
        self.line()

    def begin(self):
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()

    def go(self):
        self.begin()
        return self.line()


def run(candidate, mode, **options):
    """run makes one measured run and returns the loader's figures with `cpu_us`, CPU µs an operation by role."""
    with Load(candidate.endpoint, mode, **options) as load:
        load.ready()
        before = candidate.cpu()
        result = load.go()
        used = candidate.cpu_since(before)
    if not result["done"]:
        raise Failed(f"load {load.what}: nothing was done")
    result["cpu_us"] = {role: 1e6 * seconds / result["done"] for role, seconds in used.items()}
    result["front_us"] = result["cpu_us"][candidate.front]
    result["total_us"] = sum(result["cpu_us"].values())
    result["mb_s"] = result["bytes"] / result["seconds"] / 1e6 if result["seconds"] else 0
    result["p99_us"] = result["latency_us"]["p99"]
    return result


def run_together(candidates, mode, **options):
    """run_together runs one loader on each at the same time, and returns their rates' sum and CPU µs an operation of all.

    PostgreSQL may be theirs in common: every process counts once.
    """
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(Load(c.endpoint, mode, **options)) for c in candidates]
        for load in loads:
            load.ready()
        roots = {pid() for c in candidates for pid in c.roles.values()}
        before = sum(map(cpu_of, roots))
        for load in loads:
            load.begin()
        results = [load.line() for load in loads]
        used = sum(map(cpu_of, roots)) - before
    cost = 1e6 * used / sum(r["done"] for r in results)
    return {"rate": sum(r["rate"] for r in results), "total_us": cost, "cpu_us": {"all": cost},
            "p99_us": max(r["latency_us"]["p99"] for r in results)}


PGBENCH = {
    "upsert": "\\set id random(1, {keys})\nINSERT INTO bench VALUES (:id, '{value}')"
              " ON CONFLICT (key) DO UPDATE SET value = excluded.value;\n",
    "select": "\\set id random(1, {keys})\nSELECT value FROM bench WHERE key = :id;\n",
}


class Pgbench:
    """Single-row statements, prepared, 32 clients, over the Unix socket, without TLS: PostgreSQL as an application uses it."""

    def __init__(self, pg, directory, keys, size):
        self.pg = pg
        self.database = pg.create_database()
        self.candidate = Candidate("pgbench", None, {"postgresql": lambda: pg.process.pid}, "postgresql")
        pg.sql("CREATE TABLE bench (key int PRIMARY KEY, value text NOT NULL) WITH (fillfactor = 70)", self.database)
        pg.sql(f"INSERT INTO bench SELECT n, repeat('x', {size}) FROM generate_series(1, {keys}) AS n", self.database)
        pg.sql("VACUUM ANALYZE", self.database)
        self.scripts = {}
        for name, text in PGBENCH.items():
            self.scripts[name] = Path(directory) / f"{name}.sql"
            self.scripts[name].write_text(text.format(keys=keys, value="y" * size))

    def run(self, script, seconds):
        seconds = max(1, round(seconds))
        before = self.candidate.cpu()
        done = subprocess.run([str(self.pg.bin / "pgbench"), "-h", str(self.pg.directory), "-U", "postgres", "-n", "-M", "prepared",
                               "-c", "32", "-j", str(min(2, os.cpu_count())), "-T", str(seconds), "-f", str(self.scripts[script]),
                               self.database], capture_output=True, text=True, timeout=seconds + 60)
        used = self.candidate.cpu_since(before)
        if done.returncode != 0:
            raise Failed(f"pgbench: {done.stderr[-300:]}")
        rate = float(re.search(r"tps = ([\d.]+) \(without", done.stdout).group(1))
        count = int(re.search(r"actually processed: (\d+)", done.stdout).group(1))
        cpu = {role: 1e6 * s / count for role, s in used.items()}
        return {"rate": rate, "done": count, "cpu_us": cpu, "total_us": sum(cpu.values())}
