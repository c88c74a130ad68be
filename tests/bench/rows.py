"""The rows of the comparison: what is run, on whom, and which goals are judged by it.

A row's function returns {candidate: [result of each round]}; a result is a dict of figures (see measure.run). In `bench`
are the candidates, the sizes of this run (see compare.py), and what was measured before.
"""
import time
from typing import NamedTuple

from measure import Failed, Load, run, run_together

KEYS, SIZE, CLIENTS = 100000, 64, 50
PROXIES = ("haproxy", "hitch", "nginx", "stunnel")
PEERS = ("redis", *PROXIES)
MIB = 1 << 20


def in_turn(bench, names, measure):
    """in_turn measures all in each round, one after the other, so that a machine that drifts drifts for all."""
    found = {}
    for number in range(bench.size.rounds):
        for name in names:
            if name not in bench.candidates or bench.failed.get((bench.row, name)):
                continue
            try:
                result = measure(bench.candidates[name])
            except Failed as e:
                bench.fail(name, e)
                continue
            found.setdefault(name, []).append(result)
            bench.note(number, name, result)
    return found


# ---- handshakes and idle connections ----

def handshakes(bench, resume=False, own=False):
    """Ours as it is, with the private key in a process of its own, and with the key where the peers have theirs ("inside")."""
    with bench.keys_inside():
        return in_turn(bench, ("cofre", "inside", *PEERS), lambda c: run(
            c, "handshake", connections=16, count=bench.size.handshakes, seconds=bench.size.seconds, resume=resume, own=own))


def idle_bytes(bench, candidate, own):
    """idle_bytes opens some connections, which stay, and measures by how much many more make the processes grow.

    What an allocator has kept from earlier connections would come for free; so ours, measured twice, is started anew.
    """
    count = min(bench.size.idle, bench.files // 2 - 700)
    if candidate.name == "cofre":
        bench.restart_ours()
    with Load(candidate.endpoint, "idle", connections=200, own=own) as warm:
        warm.line()
        time.sleep(0.5)
        before = candidate.rss()
        with Load(candidate.endpoint, "idle", connections=count, own=own) as load:
            load.line()
            time.sleep(1)
            grown = candidate.rss() - before
    time.sleep(0.5)
    return {"bytes_each": grown / count, "connections": count}


def idle(bench):
    """Memory of a connection that has asked once and is silent. Ours also with one certificate for all ("shared")."""
    found = {}
    for name, own, label in (("cofre", True, "cofre"), ("cofre", False, "shared"), *((p, True, p) for p in PEERS)):
        try:
            if name in bench.candidates:
                found[label] = [idle_bytes(bench, bench.candidates[name], own)]
                bench.note(0, label, found[label][0])
        except Failed as e:
            bench.fail(label, e)
    return found


# ---- requests ----

def requests(bench, mix, peers, pipeline=1, size=SIZE, keys=KEYS, connections=CLIENTS):
    def measure(candidate):
        return run(candidate, "request", mix=mix, pipeline=pipeline, size=size, keys=keys, connections=connections,
                   seconds=bench.size.seconds)
    bench.data(("cofre", *peers), keys, size)
    return in_turn(bench, ("cofre", *peers), measure)


def durable_set(bench):
    def measure(candidate):
        if candidate.name == "pgbench":
            return bench.pgbench.run("upsert", bench.size.seconds)
        return run(candidate, "request", mix="set", keys=KEYS, connections=CLIENTS, seconds=bench.size.seconds)
    bench.data(("cofre", "redis"), KEYS, SIZE)
    return in_turn(bench, ("cofre", "redis", "pgbench"), measure)


def mebibytes(bench):
    return requests(bench, "get", ("redis", "haproxy"), size=MIB, keys=32, connections=16)


def late(bench, mix):
    """Both at one rate, half of what the slower one does in a closed loop; latencies count from when a request was due."""
    names = ("cofre", "redis")
    bench.data(names, KEYS, SIZE)
    most = [run(bench.candidates[n], "request", mix=mix, connections=CLIENTS, seconds=min(1, bench.size.seconds))["rate"] for n in names]
    rate = int(min(most) / 2)
    return in_turn(bench, names, lambda c: {**run(c, "request", mix=mix, connections=CLIENTS, rate=rate, pipeline=64, keys=KEYS,
                                                  seconds=bench.size.seconds), "asked": rate})


def beside(bench):
    """GET alone, and beside idle connections with a certificate each."""
    count = min(bench.size.beside, bench.files // 2 - 500)
    ours = bench.candidates["cofre"]
    found = {"cofre": [], "alone": []}

    def measure(label):
        found[label].append({**run(ours, "request", connections=CLIENTS, seconds=bench.size.seconds), "idle": count})
        bench.note(len(found[label]) - 1, label, found[label][-1])

    bench.data(("cofre",), KEYS, SIZE)
    for _ in range(bench.size.rounds):
        measure("alone")
        with Load(ours.endpoint, "idle", connections=count, own=True) as load:
            load.line()
            time.sleep(1)
            measure("cofre")
    return found


def updates(bench):
    """Updates of the entries so far: all, HOT ones. Backends tell of them at most once a second."""
    time.sleep(1.5)
    text = bench.sql("SELECT coalesce(sum(n_tup_upd), 0), coalesce(sum(n_tup_hot_upd), 0) FROM pg_stat_user_tables"
                     " WHERE schemaname = 'cofre' AND relname LIKE 'entry%'")
    return [int(n) for n in text.split("|")]


def session(bench):
    """Sessions: GETEX k EX 1800 on every access ("cofre"), and SET k v EX 1800 ("setex"), beside plain SET ("set").

    Sessions have keys of their own, as in use: a SET that takes a key's TTL away cannot be a HOT update.
    """
    ours, found = bench.candidates["cofre"], {"cofre": [], "setex": [], "set": []}
    keys = bench.size.keys[1]
    plain, sessions = dict(keys=keys, connections=CLIENTS), dict(first=keys, keys=keys, connections=CLIENTS)
    bench.data(("cofre",), KEYS, SIZE)
    run(ours, "request", mix="setex", pipeline=64, count=6 * keys, **{**sessions, "seconds": 60})  # 6: all but 1 in 400
    bench.sql("VACUUM ANALYZE")
    for number in range(bench.size.rounds):
        for label, mix, where in (("set", "set", plain), ("setex", "setex", sessions), ("cofre", "getex", sessions)):
            before = updates(bench)
            result = run(ours, "request", mix=mix, seconds=bench.size.seconds, **where)
            made, hot = (b - a for a, b in zip(before, updates(bench)))
            found[label].append({**result, "hot": hot / made if made else 0, "updates": made})
            bench.note(number, label, found[label][-1])
    return found


def two(bench):
    """Two gateways with a core each on one database ("cofre"), beside one ("one"): do more cores cost more for each request?"""
    ours = bench.candidates["cofre"]
    found = {"one": [], "cofre": []}
    bench.data(("cofre",), KEYS, SIZE)
    with bench.second_stack() as second:
        for number in range(bench.size.rounds):
            for label, all_of in (("one", [ours]), ("cofre", [ours, second])):
                found[label].append(run_together(all_of, "request", mix="get=80,set=20", keys=KEYS, seconds=bench.size.seconds,
                                                 connections=CLIENTS))
                bench.note(number, label, found[label][-1])
    return found


# ---- sweeps: {"cofre get": [{"x": …, figures}, …], …} ----

def sweep(bench, points, options):
    """sweep runs GET and SET on ours and redis at every point; options(x) are the loader's."""
    found = {}
    for x in points:
        given = options(x)
        bench.data(("cofre", "redis"), given["keys"], given["size"])
        for name in ("cofre", "redis"):
            for mix in ("get", "set"):
                try:
                    result = run(bench.candidates[name], "request", mix=mix, seconds=bench.size.point, **given)
                except Failed as e:
                    bench.fail(f"{name} {mix} at {x}", e)
                    continue
                found.setdefault(f"{name} {mix}", []).append({"x": x, **result})
                bench.note(0, f"{name} {mix} at {x}", result)
    return found


def sweep_keys(bench):
    return sweep(bench, bench.size.keys, lambda x: dict(keys=x, size=SIZE, connections=CLIENTS))


def sweep_connections(bench):
    most = bench.files - 500
    return sweep(bench, [x for x in bench.size.connections if x <= most],
                 lambda x: dict(keys=KEYS, size=SIZE, connections=x))


def sweep_values(bench):
    return sweep(bench, bench.size.values, lambda x: dict(keys=min(10000, (64 << 20) // x), size=x, connections=CLIENTS))


# Columns: name, what it is, function. They run in this order: the sweeps change the data, so they are last.
ROWS = (
    ("handshake", "full TLS 1.3 handshakes", handshakes),
    ("fresh", "full handshakes, each with a certificate never seen before", lambda b: handshakes(b, own=True)),
    ("resumed", "resumed TLS 1.3 handshakes", lambda b: handshakes(b, resume=True)),
    ("idle", "memory of an idle connection", idle),
    ("get", "GET, 50 connections", lambda b: requests(b, "get", PEERS)),
    ("set", "durable SET, 50 connections", durable_set),
    ("get16", "GET, pipeline 16", lambda b: requests(b, "get", PEERS, pipeline=16)),
    ("set16", "durable SET, pipeline 16", lambda b: requests(b, "set", ("redis",), pipeline=16)),
    ("late-get", "GET at a fixed rate", lambda b: late(b, "get")),
    ("late-set", "durable SET at a fixed rate", lambda b: late(b, "set")),
    ("beside", "GET beside idle connections", beside),
    ("two", "two stacks on one database", two),
    ("session", "TTL refreshed on every access", session),
    ("mib", "GET of 1 MiB values", mebibytes),
    ("keys", "sweep: number of keys", sweep_keys),
    ("connections", "sweep: number of connections", sweep_connections),
    ("values", "sweep: size of values", sweep_values),
)
SWEEPS = ("keys", "connections", "values")


class Goal(NamedTuple):
    """One line of the table. Judged is ours / the best of `against`, or our figure itself when nobody is named there."""
    row: str
    what: str
    figure: str
    against: tuple
    bound: str  # at "most" or at "least"
    goal: float
    ours: str = "cofre"


GOALS = tuple(Goal(*g) for g in (
    ("handshake", "full handshake, gateway and keys, CPU µs", "front_us", ("redis", "hitch", "haproxy"), "most", 0.2),
    ("handshake", "the same, --key-holder off, CPU µs", "front_us", ("redis", "hitch", "haproxy"), "most", 0.2, "inside"),
    ("resumed", "resumed handshake, TLS process, CPU µs", "front_us", PEERS, "most", 1 / 3),
    ("idle", "idle connection, bytes", "bytes_each", (), "most", 6500),
    ("idle", "idle connection, bytes", "bytes_each", ("haproxy",), "most", 0.25),
    ("get", "GET/s", "rate", ("haproxy",), "least", 1.5),
    ("get", "GET/s", "rate", ("redis",), "least", 0.9),
    ("get", "GET, p99 µs", "p99_us", ("redis",), "most", 1.5),
    ("get", "GET, all processes, CPU µs", "total_us", ("redis",), "most", 1.4),
    ("set", "durable SET/s", "rate", ("redis",), "least", 1.0),
    ("set", "durable SET/s", "rate", ("pgbench",), "least", 2.0),
    ("set", "durable SET, p99 µs", "p99_us", ("redis",), "most", 1.5),
    ("get16", "GET/s, pipeline 16", "rate", ("redis",), "least", 0.8),
    ("get16", "GET, pipeline 16, p99 µs", "p99_us", ("redis",), "most", 1.5),
    ("set16", "durable SET/s, pipeline 16", "rate", ("redis",), "least", 0.4),
    ("set16", "durable SET, pipeline 16, p99 µs", "p99_us", ("redis",), "most", 1.5),
    ("late-get", "GET at one rate for both, p99 µs", "p99_us", ("redis",), "most", 1.5),
    ("late-set", "durable SET at one rate, p99 µs", "p99_us", ("redis",), "most", 1.5),
    ("mib", "GET of 1 MiB, MB/s", "mb_s", ("haproxy",), "least", 1.0),
    ("beside", "GET/s beside idle connections", "rate", ("alone",), "least", 0.95),
    ("session", "GETEX … EX: share of HOT updates", "hot", (), "least", 0.95),
    ("session", "GETEX … EX, all processes, CPU µs", "total_us", ("set",), "most", 1.2),
    ("session", "SET … EX, all processes, CPU µs", "total_us", ("set",), "most", 1.2, "setex"),
    ("keys", "largest step of CPU µs, GET", "step get", (), "most", 2.0),
    ("keys", "largest step of CPU µs, SET", "step set", (), "most", 2.0),
    ("connections", "largest step of CPU µs, GET", "step get", (), "most", 2.0),
    ("connections", "largest step of CPU µs, SET", "step set", (), "most", 2.0),
    ("values", "largest step of CPU µs, GET", "step get", (), "most", 4.0),  # each value is four times the last
    ("values", "largest step of CPU µs, SET", "step set", (), "most", 4.0),
))
