#!/usr/bin/python3
"""Cofre beside redis-server (TLS, client certificates, appendfsync always) and pgbench, in one run.

Every figure is a rate from the loader and CPU time from /proc/PID/stat of the servers; the rounds go through all
candidates one after the other, so that a machine that drifts drifts for all. The median round counts.
"""
import argparse
import contextlib
import csv
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import stack as support  # noqa: E402
from support.certificates import Certificates  # noqa: E402
from support.resp import encode  # noqa: E402

KEYS, SIZE, CLIENTS = 100000, 64, 50


class Cpu:
    """CPU seconds of the servers: {name: function that reads them}."""

    def __init__(self, **servers):
        self.servers = servers

    def read(self):
        return {name: seconds() for name, seconds in self.servers.items()}

    def used(self, before):
        """used returns the seconds since `before`, by server."""
        return {name: seconds - before[name] for name, seconds in self.read().items()}


def redis_benchmark(endpoint, command, requests, cpu, pipeline=1):
    """redis_benchmark runs one command and returns its row: rate, latencies, CPU µs a request by process."""
    argv = endpoint.tool("redis-benchmark") + ["-c", str(CLIENTS), "-d", str(SIZE), "-r", str(KEYS), "-t", command, "-n",
                                               str(requests), "-P", str(pipeline), "--csv"]
    before, loader = cpu.read(), os.times()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    used = cpu.used(before)
    after = os.times()
    if done.returncode != 0 or "rror" in done.stdout + done.stderr:
        raise RuntimeError(f"redis-benchmark: {done.stdout[-300:]} {done.stderr[-300:]}")
    row = list(csv.DictReader(done.stdout.splitlines()))[0]
    loader_cpu = after.children_user + after.children_system - loader.children_user - loader.children_system
    return {"rate": float(row["rps"]), "p50_ms": float(row["p50_latency_ms"]), "p99_ms": float(row["p99_latency_ms"]),
            "max_ms": float(row["max_latency_ms"]), "cpu_us": {k: 1e6 * v / requests for k, v in used.items()},
            "loader_cpu_us": 1e6 * loader_cpu / requests}


PGBENCH = {
    "upsert": "\\set id random(1, {keys})\nINSERT INTO bench VALUES (:id, '{value}')"
              " ON CONFLICT (key) DO UPDATE SET value = excluded.value;\n",
    "select": "\\set id random(1, {keys})\nSELECT value FROM bench WHERE key = :id;\n",
}


def pgbench(pg, database, script, seconds, cpu):
    """pgbench runs single-row statements, prepared, from 32 clients over the Unix socket."""
    before = cpu.read()
    done = subprocess.run([str(pg.bin / "pgbench"), "-h", str(pg.directory), "-U", "postgres", "-n", "-M", "prepared", "-c", "32",
                           "-j", "2", "-T", str(seconds), "-f", str(script), database], capture_output=True, text=True,
                          timeout=seconds + 60)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-500:])
    used = cpu.used(before)
    rate = float(re.search(r"tps = ([\d.]+) \(without", done.stdout).group(1))
    count = int(re.search(r"actually processed: (\d+)", done.stdout).group(1))
    return {"rate": rate, "cpu_us": {k: 1e6 * v / count for k, v in used.items()}}


def preload(endpoint):
    """preload sets all keys that redis-benchmark -r will ask for."""
    with endpoint.raw() as raw:
        for start in range(0, KEYS, 1000):
            args = [x for n in range(start, start + 1000) for x in (f"key:{n:012d}", "x" * SIZE)]
            raw.send_bytes(encode("MSET", *args))
        for _ in range(KEYS // 1000):
            assert raw.read() == "OK"
        assert raw.ask("DBSIZE") == KEYS


def median(rows):
    """median takes the round whose rate is the median one; CPU and latency are that round's."""
    return sorted(rows, key=lambda r: r["rate"])[len(rows) // 2]


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {"cpus": os.cpu_count(), "model": model.group(1) if model else "?", "kernel": platform.release()}


def run(options, stage):
    # The default shared_buffers and checkpoints of a small real installation, the same for pgbench and for us.
    pg = support.Postgres(stage.directory)
    stage.on_exit(pg.stop)
    certs = Certificates(stage.directory / "certs")
    ours = support.Stack(stage.folder("cofre"), pg, certs, core_options=options.core, gateway_options=options.gateway).start()
    stage.on_exit(ours.stop)
    theirs = support.PlainRedis(stage.folder("redis"), certs, True, "--appendonly", "yes", "--appendfsync", "always").start()
    stage.on_exit(theirs.stop)
    cpus = {"cofre": Cpu(gateway=ours.gateway.cpu, core=ours.core.cpu, postgresql=pg.cpu),
            "redis": Cpu(redis=theirs.process.cpu), "pgbench": Cpu(postgresql=pg.cpu)}

    bench = pg.create_database()
    pg.sql("CREATE TABLE bench (key int PRIMARY KEY, value text NOT NULL) WITH (fillfactor = 70)", bench)
    pg.sql(f"INSERT INTO bench SELECT n, repeat('x', {SIZE}) FROM generate_series(1, {KEYS}) AS n", bench)
    scripts = {}
    for name, text in PGBENCH.items():
        scripts[name] = stage.directory / f"{name}.sql"
        scripts[name].write_text(text.format(keys=KEYS, value="y" * SIZE))

    for endpoint in (ours, theirs):
        preload(endpoint)
    pg.sql("VACUUM ANALYZE; CHECKPOINT", ours.database)

    rows = {}
    for number in range(options.rounds):
        for command in ("get", "set"):
            for name, endpoint in (("redis", theirs), ("cofre", ours)):
                result = redis_benchmark(endpoint, command, options.requests, cpus[name])
                rows.setdefault(f"{name} {command}", []).append(result)
                note(f"round {number + 1}: {name} {command}: {result['rate']:,.0f}/s")
        for name, script in scripts.items():
            result = pgbench(pg, bench, script, options.seconds, cpus["pgbench"])
            rows.setdefault(f"pgbench {name}", []).append(result)
            note(f"round {number + 1}: pgbench {name}: {result['rate']:,.0f}/s")
    with ours.raw() as raw:
        info = raw.ask("INFO").decode()
    return rows, info


def note(text):
    print(text, file=sys.stderr, flush=True)


def report(rows):
    """report returns the lines of the table and the goals with their ratios."""
    mid = {name: median(r) for name, r in rows.items()}
    lines = [f"{'':16}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}   CPU µs a request"]
    for name, r in mid.items():
        cpu = " + ".join(f"{v:.1f} {k}" for k, v in r["cpu_us"].items())
        latency = f"{r['p50_ms']:9.2f}{r['p99_ms']:9.2f}" if "p50_ms" in r else " " * 18
        lines.append(f"{name:16}{r['rate']:12,.0f}{latency}   {cpu}  = {sum(r['cpu_us'].values()):.1f}")
    goals = [("GET: cofre / redis TLS", "cofre get", "redis get", 0.5), ("SET: cofre / redis TLS always", "cofre set", "redis set", 0.5),
             ("SET: cofre / pgbench upserts", "cofre set", "pgbench upsert", 1.2)]
    lines += ["", f"{'':32}{'ratio':>8}{'goal':>8}   rounds"]
    out = []
    for text, a, b, goal in goals:
        each = [x["rate"] / y["rate"] for x, y in zip(rows[a], rows[b])]
        ratio = statistics.median(each)
        met = "met" if ratio >= goal else "NOT MET"
        lines.append(f"{text:32}{ratio:8.2f}{goal:8.2f}   {' '.join(f'{e:.2f}' for e in each)}   {met}")
        out.append({"what": text, "ratio": ratio, "goal": goal, "met": ratio >= goal, "rounds": each})
    return lines, out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=200000, help="of each redis-benchmark run")
    parser.add_argument("--seconds", type=int, default=6, help="of each pgbench run")
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it works, judges nothing")
    parser.add_argument("--out", type=Path, default=support.ROOT / "build" / "bench")
    parser.add_argument("--core", action="append", default=[], help="an option for cofre-core, as --core=--pool-size=4")
    parser.add_argument("--gateway", action="append", default=[], help="an option for cofre-gateway")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.requests, options.seconds = 1, 20000, 2
    stage = support.Stage()
    with contextlib.closing(stage):
        rows, info = run(options, stage)
    lines, goals = report(rows)
    print("\n".join(lines))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "compare.json").write_text(json.dumps(
        {"when": int(time.time()), "machine": machine(), "options": {k: str(v) for k, v in vars(options).items()}, "rows": rows,
         "goals": goals, "info": info}, indent=1))
    note(f"written: {os.path.relpath(options.out / 'compare.json')}")
    return 0 if options.quick or all(g["met"] for g in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
