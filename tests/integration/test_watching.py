"""Watching it: INFO, CONFIG, SLOWLOG and LATENCY tell the truth, and the tools that read them are content."""
import os
import re
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

from support.resp import Closed, Error
from support.stack import HOST, SANITIZED, free_port, wait_until

SECTIONS = ["Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules", "Commandstats",
            "Errorstats", "Latencystats", "Cluster", "Keyspace", "Cofre", "TLS", "PostgreSQL"]
BY_DEFAULT = [s for s in SECTIONS if s not in ("Commandstats", "Latencystats")]


def info(r, *sections):
    """info returns {section: {field: value}} as the text has them, in its order; a line that is neither is an error."""
    reply = r.ask("INFO", *sections)
    found, fields = {}, None
    for line in reply.decode().split("\r\n"):
        if line.startswith("# "):
            assert line[2:] not in found, line
            fields = found[line[2:]] = {}
        elif line:
            name, colon, value = line.partition(":")
            assert colon and fields is not None and name not in fields, line
            fields[name] = value
    return found


def calls(r):
    """calls returns {command: {calls, rejected_calls, failed_calls}} since the last RESETSTAT."""
    found = {}
    for name, value in info(r, "commandstats")["Commandstats"].items():
        figures = dict(f.split("=") for f in value.split(","))
        assert list(figures) == ["calls", "usec", "usec_per_call", "rejected_calls", "failed_calls"]
        found[name.removeprefix("cmdstat_")] = tuple(int(figures[k]) for k in ("calls", "rejected_calls", "failed_calls"))
    return found


def config(r, name):
    return dict(zip(*[iter(r.ask("CONFIG", "GET", name))] * 2))[name.encode()].decode()


# --- INFO -----------------------------------------------------------------------------------------------------------


def test_every_section_has_every_field_of_redis(stack, redis_beside):
    with redis_beside.raw() as theirs:
        expected = info(theirs, "everything")
    with stack.raw() as r:
        r.ask("SET", "k", "v", "PX", "100000")
        ours = info(r, "everything")
    assert list(ours) == SECTIONS
    for section, fields in expected.items():
        if section not in ("Commandstats", "Errorstats", "Latencystats", "Keyspace"):
            assert list(ours[section]) == list(fields), section
    for section in ("Cofre", "TLS", "PostgreSQL"):
        assert len(ours[section]) > 10, section


def test_numbers_are_numbers(stack):
    """Where Redis has a number so have we, of the same kind."""
    with stack.raw() as r:
        found = info(r, "everything")
    texts = {"redis_version", "redis_git_sha1", "redis_build_id", "redis_mode", "os", "monotonic_clock", "multiplexing_api",
             "atomicvar_api", "gcc_version", "process_supervised", "run_id", "executable", "config_file", "maxmemory_policy",
             "mem_allocator", "rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status", "role",
             "master_failover_state", "master_replid", "master_replid2", "cofre_version", "database_version",
             "database_state", "audit_state"}
    for section in set(SECTIONS) - {"Commandstats", "Errorstats", "Latencystats", "Keyspace"}:
        for name, value in found[section].items():
            if name.endswith("_human"):
                assert re.fullmatch(r"\d+B|\d+\.\d\d[KMGTP]", value), (name, value)
            elif name.endswith("_perc"):
                assert re.fullmatch(r"\d+\.\d\d%?", value), (name, value)
            elif name.startswith("clients_issuer_"):
                assert re.fullmatch(r"clients=\d+,issuer=.+", value), (name, value)
            elif name.startswith("gateway_sha256_"):
                assert re.fullmatch(r"[0-9a-f]{64}", value), (name, value)
            elif name not in texts:
                assert re.fullmatch(r"-?\d+(\.\d+)?", value), (name, value)


@pytest.mark.parametrize("asked, shown", [
    ([], BY_DEFAULT), (["default"], BY_DEFAULT), (["all"], SECTIONS), (["everything"], SECTIONS),
    (["keyspace", "CPU"], ["CPU", "Keyspace"]), (["default", "latencystats"], [s for s in SECTIONS if s != "Commandstats"]),
    (["PostgreSQL", "tls", "cofre"], ["Cofre", "TLS", "PostgreSQL"]), (["nonsense"], []),
    (["server", "nonsense", "server"], ["Server"]),
], ids=lambda x: " ".join(x)[:20] or "none")
def test_sections_that_are_asked_for(stack, asked, shown):
    with stack.raw() as r:
        assert list(info(r, *asked)) == shown


def test_what_info_says_is_so(new_stack):
    stack = new_stack(core_options=("--pool-size", "6", "--max-key", "1000"), gateway_options=("--max-connections", "77"))
    with stack.raw() as r, stack.raw() as other:
        other.ask("PING")
        r.ask("SET", "k", "v")
        r.ask("SET", "soon", "v", "PX", "200000")
        for _ in range(3):
            r.ask("GET", "k")
        r.ask("GET", "missing")
        found = info(r, "everything")
        server, clients, stats = found["Server"], found["Clients"], found["Stats"]
        assert int(server["process_id"]) == stack.core.pid and os.readlink(f"/proc/{stack.core.pid}/exe") == server["executable"]
        assert server["config_file"] == str(stack.core.config) and int(server["tcp_port"]) == stack.port
        assert 0 <= int(server["uptime_in_seconds"]) < 120 and abs(int(server["server_time_usec"]) / 1e6 - time.time()) < 30
        assert int(clients["connected_clients"]) == 2 and int(clients["maxclients"]) == 77 == int(config(r, "maxclients"))
        assert int(stats["keyspace_hits"]) == 3 and int(stats["keyspace_misses"]) == 1
        assert int(stats["expired_keys"]) == 0 and int(found["TLS"]["clients_tls_1_3"]) == 2
        assert abs(int(found["Memory"]["used_memory_rss"]) - stack.core.rss()) < 4 << 20
        pg = found["PostgreSQL"]
        assert pg["database_state"] == "up" and pg["database_version"].split()[0] == stack.sql("SHOW server_version").split()[0]
        assert pg["pool_size"] == "6" == str(sum(int(v) for k, v in pg.items() if re.match("pool_(write|read)_", k)))
        assert int(pg["turns_write"]) == int(pg["units_write"]) == 2 == int(pg["rows_saved"])
        assert int(pg["round_trips"]) >= int(pg["turns_write"]) + int(pg["turns_read"])
        assert 0 < int(pg["store_usec_p50"]) <= int(pg["turn_write_usec_p50"]) * 1.04 <= int(pg["turn_write_usec_max"]) * 1.05
        keyspace = wait_until(lambda: info(r, "keyspace")["Keyspace"], 15, "the keys to be counted", 0.3)
        keys, expires, ttl = (int(v.split("=")[1]) for v in keyspace["db0"].split(","))
        assert (keys, expires) == (2, 1) and 100000 < ttl <= 200000


def test_expired_keys_are_those_that_expired(new_stack):
    """A deleted row is purged, too, and is none of them."""
    stack = new_stack()
    with stack.raw() as r:
        r.ask_all([("SET", f"k{n}", "v") for n in range(20)])
        r.ask("DEL", *[f"k{n}" for n in range(20)])
        r.ask_all([("SET", f"e{n}", "v", "PX", "1") for n in range(7)])
        past = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint - 100000"
        stack.sql(f"UPDATE cofre.entry SET purge_at = {past}, expires_at = CASE WHEN type = 0 THEN 1 ELSE {past} END")
        wait_until(lambda: stack.sql("SELECT count(*) FROM cofre.entry") == "0", 15, "the purge")
        wait_until(lambda: int(info(r, "stats")["Stats"]["expired_keys"]) == 7, 5, "the count")


# --- statistics of commands -----------------------------------------------------------------------------------------


def test_commandstats_count_exactly(stack):
    with stack.raw() as r, stack.raw() as watcher:
        assert watcher.ask("CONFIG", "RESETSTAT") == "OK"
        r.ask_all([("SET", f"k{n}", "text") for n in range(50)] + [("GET", "k1"), ("INCR", "k1"), ("INCR", "n"), ("PING",)] * 10)
        for wrong in (("SET", "k"), ("NOSUCH", "x"), ("CONFIG", "NOSUCH"), ("SET", "k" * 5000, "v")):
            assert isinstance(r.ask(*wrong), Error)
        r.ask_all([("MULTI",), ("SET", "a", "1"), ("INCR", "k1"), ("PING",), ("EXEC",)])
        r.ask_all([("MULTI",), ("SET", "a"), ("SET", "b", "1"), ("EXEC",)])
        r.ask_all([("WATCH", "a"), ("MULTI",), ("SET", "c", "1"), ("UNWATCH",), ("DISCARD",), ("EXEC",)])
        assert calls(watcher) == {
            "config|resetstat": (1, 0, 0), "set": (51, 3, 0), "get": (10, 0, 0), "incr": (21, 0, 11), "ping": (11, 0, 0),
            "multi": (3, 0, 0), "exec": (3, 0, 2), "watch": (1, 0, 0), "discard": (1, 0, 0)}
        found = info(watcher, "errorstats", "stats")
        assert found["Errorstats"] == {"errorstat_ERR": "count=17", "errorstat_EXECABORT": "count=1"}
        assert found["Stats"]["total_error_replies"] == "18"


def test_a_turn_that_runs_again_counts_once(new_stack):
    """Two cores that create the same keys at once make each other's turns start again; every command counts once."""
    first = new_stack()
    second = new_stack(database=first.database)
    rounds, keys = 40, 10
    barrier = threading.Barrier(2)

    def create(stack):
        with stack.raw() as r:
            for n in range(rounds):
                barrier.wait(30)
                r.ask_all([("SETNX", f"{n}:{k}", "v") for k in range(keys)] + [("GET", f"{n}:{k}") for k in range(keys)])

    for stack in (first, second):
        with stack.raw() as r:
            r.ask("CONFIG", "RESETSTAT")
    threads = [threading.Thread(target=create, args=(s,)) for s in (first, second)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    restarts = 0
    for stack in (first, second):
        with stack.raw() as r:
            assert calls(r)["setnx"] == (rounds * keys, 0, 0) and calls(r)["get"] == (rounds * keys, 0, 0)
            assert int(info(r, "stats")["Stats"]["keyspace_hits"]) == rounds * keys
            restarts += int(info(r, "postgresql")["PostgreSQL"]["turns_restarted"])
    assert restarts > 0, "nothing was shown: no turn had to start again"


def test_what_the_database_cannot_take_is_rejected_not_called(new_stack):
    stack = new_stack(core_options=("--store-timeout", "0.5"))
    with stack.raw() as r, stack.psql() as locker:
        r.ask("SET", "k", "v")
        locker.run("BEGIN")
        locker.run("SELECT 1 FROM cofre.entry FOR UPDATE")
        r.ask("CONFIG", "RESETSTAT")
        assert str(r.ask("INCR", "k")).startswith("TRYAGAIN")
        locker.run("ROLLBACK")
        assert calls(r)["incr"] == (0, 1, 0)
        assert info(r, "errorstats")["Errorstats"] == {"errorstat_TRYAGAIN": "count=1"}
        assert int(info(r, "postgresql")["PostgreSQL"]["turns_failed"]) == 1


def test_latency_is_what_the_client_waits(stack):
    with stack.raw() as r, stack.psql() as locker:
        r.ask("SET", "k", "v")
        r.ask("CONFIG", "RESETSTAT")
        locker.run("BEGIN")
        locker.run("SELECT 1 FROM cofre.entry FOR UPDATE")
        r.send("APPEND", "k", "w")
        time.sleep(0.3)
        locker.run("ROLLBACK")
        assert r.read() == 2
        line = info(r, "latencystats")["Latencystats"]["latency_percentiles_usec_append"]
        p50, p99, p999 = (float(v.split("=")[1]) for v in line.split(","))
        assert 300000 < p50 == p99 == p999 < 2000000
        histogram = r.ask("LATENCY", "HISTOGRAM", "append")
        assert histogram[0] == b"append" and histogram[1][:3] == [b"calls", 1, b"histogram_usec"]
        assert histogram[1][3] in ([524288, 1], [1048576, 1], [2097152, 1])


def test_latency_tracking_can_be_turned_off(stack):
    with stack.raw() as r:
        r.ask("CONFIG", "RESETSTAT")
        r.ask("CONFIG", "SET", "latency-tracking", "no")
        r.ask("SET", "k", "v")
        r.ask("CONFIG", "SET", "latency-tracking", "yes", "latency-tracking-info-percentiles", "0 50 100")
        r.ask("GET", "k")
        assert [re.sub("=[0-9.]+", "", v) for k, v in info(r, "latencystats")["Latencystats"].items() if k.endswith("_get")] == \
            ["p0,p50,p100"]
        assert not any(k.endswith("_set") for k in info(r, "latencystats")["Latencystats"])
        r.ask("CONFIG", "SET", "latency-tracking-info-percentiles", "50 99 99.9")


# --- CONFIG ---------------------------------------------------------------------------------------------------------


def test_config_set_takes_effect(new_stack):
    stack = new_stack()
    with stack.raw() as r:
        assert r.ask("CONFIG", "SET", "cofre-max-value", "100", "cofre-max-key", "10") == "OK"
        assert "most is 100 " in r.ask("SET", "k", "x" * 101) and r.ask("SET", "k", "x" * 100) == "OK"
        assert "most is 10 " in r.ask("SET", "k" * 11, "x") and r.ask("SET", "k" * 10, "x") == "OK"
        assert r.ask("APPEND", "k", "x") == "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
        assert r.ask("CONFIG", "SET", "proto-max-bulk-len", "1mb", "cofre-max-key", "2000") == "OK"
        assert r.ask("APPEND", "k", "x") == 101

        for _ in range(5):
            r.ask_all([("GET", "k"), ("GET", "k" * 10)])
        assert int(info(r, "cofre")["Cofre"]["cache_entries"]) == 2
        assert r.ask("CONFIG", "SET", "cofre-cache-size", "0") == "OK"
        assert info(r, "cofre")["Cofre"]["cache_entries"] == "0" and r.ask("GET", "k") == b"x" * 101
        assert r.ask("CONFIG", "SET", "cofre-cache-size", "1mb") == "OK"
        for _ in range(5):
            r.ask("GET", "k")
        assert info(r, "cofre")["Cofre"]["cache_max_bytes"] == "1048576" and int(info(r, "cofre")["Cofre"]["cache_entries"]) == 1

        assert r.ask("CONFIG", "SET", "cofre-store-timeout", "0.3") == "OK"
        with stack.psql() as locker:
            locker.run("BEGIN")
            locker.run("SELECT 1 FROM cofre.entry FOR UPDATE")
            began = time.monotonic()
            assert str(r.ask("INCR", "k")).startswith("TRYAGAIN") and 0.2 < time.monotonic() - began < 5


def test_config_set_is_all_or_nothing(stack):
    with stack.raw() as r:
        before = r.ask("CONFIG", "GET", "*")
        for wrong in (["slowlog-max-len", 7, "maxmemory", "1mb"], ["slowlog-max-len", 7, "nope", 1],
                      ["slowlog-max-len", 7, "SLOWLOG-MAX-LEN", 8], ["slowlog-max-len", 7, "databases", 16],
                      ["cofre-max-value", "1kb", "slowlog-max-len", -5]):
            assert isinstance(r.ask("CONFIG", "SET", *wrong), Error)
            assert r.ask("CONFIG", "GET", "*") == before
        assert str(r.ask("CONFIG", "REWRITE")).startswith("ERR the configuration file")
        assert len(before) // 2 > 60 and r.ask("CONFIG", "GET", "*-max-len", "maxmemory", "slowlog-max-l?n") == \
            [b"acllog-max-len", b"128", b"maxmemory", b"0", b"slowlog-max-len", b"128"]


def test_every_parameter_takes_its_own_value(stack):
    """What a client has read it may write back, but for what Redis does not let anybody change."""
    with stack.raw() as r:
        pairs = list(zip(*[iter(r.ask("CONFIG", "GET", "*"))] * 2))
        refused = {n.decode() for n, v in pairs if r.ask("CONFIG", "SET", n, v) != "OK"}
        assert refused == {"aclfile", "cluster-enabled", "daemonize", "databases", "dbfilename", "dir", "enable-debug-command",
                           "enable-module-command", "enable-protected-configs", "io-threads", "logfile", "pidfile",
                           "supervised", "syslog-enabled", "unixsocket"}
        assert list(zip(*[iter(r.ask("CONFIG", "GET", "*"))] * 2)) == pairs


def test_log_level_can_be_changed(new_stack):
    stack = new_stack()
    with stack.raw() as r:
        assert r.ask("CONFIG", "SET", "cofre-log-level", "error") == "OK"
        length = len(stack.core.text())
        stack.gateway.stop()
        stack.gateway.start()
    wait_until(stack.alive, 15, "the gateway to serve")
    assert b"gateway connected" not in stack.core.text()[length:]
    with stack.raw() as r:
        assert r.ask("CONFIG", "SET", "loglevel", "notice") == "OK"
    stack.gateway.stop()
    stack.gateway.start()
    wait_until(lambda: b"gateway connected" in stack.core.text()[length:], 15, "the line")


def test_a_client_that_does_not_read_is_cut_off(new_stack):
    stack = new_stack()
    with stack.raw() as r:
        r.ask("SET", "big", "x" * (4 << 20))
        assert r.ask("CONFIG", "SET", "client-output-buffer-limit", "normal 8mb 6mb 1") == "OK"
        with stack.raw() as reader:  # who reads may have as much as they like, one after the other
            for _ in range(5):
                assert len(reader.ask("GET", "big")) == 4 << 20
        for amount in (1, 4):  # 4 MiB wait for ever without harm, 16 at once do not
            with stack.raw(timeout=10) as greedy:
                greedy.ask("CLIENT", "SETNAME", "greedy")
                greedy.send("MGET", *["big"] * amount)
                time.sleep(1.5)
                listed = b"name=greedy" in r.ask("CLIENT", "LIST")
                assert listed == (amount == 1)
                if not listed:
                    with pytest.raises((Closed, OSError)):
                        greedy.read()
        stack.core.logged("a client does not read what it is sent, and is closed")


# --- SLOWLOG, LATENCY -----------------------------------------------------------------------------------------------


def test_slow_commands_appear(new_stack):
    stack = new_stack()
    with stack.raw() as r, stack.psql() as locker:
        r.ask("SET", "k", "v")
        r.ask("CONFIG", "SET", "slowlog-log-slower-than", "200000", "latency-monitor-threshold", "200")
        r.ask("SLOWLOG", "RESET")
        r.ask("CLIENT", "SETNAME", "me")
        locker.run("BEGIN")
        locker.run("SELECT 1 FROM cofre.entry FOR UPDATE")
        r.send_bytes(b"*3\r\n$6\r\nAPPEND\r\n$1\r\nk\r\n$200\r\n" + b"A" * 200 + b"\r\n*1\r\n$4\r\nPING\r\n")
        time.sleep(0.4)
        locker.run("ROLLBACK")
        assert [r.read(), r.read()] == [201, "PONG"]
        assert r.ask("SLOWLOG", "LEN") == 1
        (number, at, us, argv, peer, name), = r.ask("SLOWLOG", "GET")
        assert argv == [b"APPEND", b"k", b"A" * 128 + b"... (72 more bytes)"]
        assert number >= 0 and abs(at - time.time()) < 30 and 300000 < us < 5000000 and name == b"me"
        assert peer.decode() == "{}:{}".format(*r.sock.getsockname())
        events = {e[0]: e[1:] for e in r.ask("LATENCY", "LATEST")}
        assert set(events) == {b"fast-command", b"turn"} and 300 <= events[b"turn"][1] == events[b"turn"][2] < 5000
        assert r.ask("LATENCY", "HISTORY", "turn") == [events[b"turn"][:2]]
        assert b"1. fast-command: 1 seconds" in r.ask("LATENCY", "DOCTOR")
        assert r.ask("LATENCY", "GRAPH", "turn").startswith(b"turn - high ")
        assert r.ask("LATENCY", "RESET") == 2 and r.ask("LATENCY", "LATEST") == []


def test_a_slow_connection_is_an_event(new_stack):
    stack = new_stack()
    with stack.raw() as r:
        r.ask("CONFIG", "SET", "latency-monitor-threshold", "1")
        stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        wait_until(lambda: b"connect" in [e[0] for e in r.ask("LATENCY", "LATEST")], 15, "the event")
        found = info(r, "postgresql")["PostgreSQL"]
        assert int(found["connections_lost"]) == 4 and int(found["connect_usec_max"]) >= 1000


def test_a_command_bears_what_it_costs(stack):
    """In one turn: KEYS over many keys, and GETs beside it that wait for it as long."""
    with stack.raw() as r:
        for n in range(0, 50000, 5000):
            r.ask("MSET", *[x for k in range(n, n + 5000) for x in (f"k{k}", "v")])
        r.ask("CONFIG", "RESETSTAT")
        replies = r.ask_all([("GET", "k1")] * 50 + [("KEYS", "*")] + [("GET", "k1")] * 50)
        assert len(replies[50]) == 50000
        figures = {k: dict(f.split("=") for f in v.split(",")) for k, v in info(r, "commandstats")["Commandstats"].items()}
        assert float(figures["cmdstat_keys"]["usec_per_call"]) > 20 * float(figures["cmdstat_get"]["usec_per_call"])


def test_nobody_else_sees_a_password(stack):
    with stack.raw() as r:
        r.ask("CONFIG", "SET", "slowlog-log-slower-than", "0")
        r.ask("SLOWLOG", "RESET")
        r.ask_all([("AUTH", "alice", "S3CRET"), ("HELLO", "2", "AUTH", "alice", "S3CRET"), ("CONFIG", "SET", "requirepass", "S3CRET")])
        r.ask("CONFIG", "SET", "slowlog-log-slower-than", "10000")
        shown = [e[3] for e in r.ask("SLOWLOG", "GET")]
        assert [b"AUTH", b"(redacted)", b"(redacted)"] in shown and len(shown) == 4
        assert b"S3CRET" not in b" ".join(b" ".join(e) for e in shown)


# --- tools ----------------------------------------------------------------------------------------------------------


def watch(stack, *options, seconds=2.5):
    """watch runs a redis-cli that goes on for ever, and returns what it printed meanwhile."""
    cli = subprocess.Popen(["stdbuf", "-oL"] + stack.tool("redis-cli") + list(options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    cli.terminate()
    out, err = cli.communicate(timeout=10)
    assert err == "" and "rror" not in out, out + err
    return out


def test_redis_cli_watches(stack):
    with stack.raw() as r:
        r.ask("MSET", *[x for n in range(30) for x in (f"k{n}", "v" * (n + 1))])
    stat = watch(stack, "--stat", "-i", "0.2")
    assert "keys" in stat and len([line for line in stat.splitlines() if re.match(r"\d+ +\d", line)]) > 4
    assert re.fullmatch(r"(\d+ ){3}\d+|([\d.]+ ){3}[\d.]+", stack.cli("--latency", "--raw").strip())
    assert len(re.findall(r"^\d+ \d+ [\d.]+ \d+$", watch(stack, "--latency-history", "-i", "1"), re.M)) > 10
    assert "Biggest string" in stack.cli("--bigkeys") and len(stack.cli("--scan").split()) == 30
    assert "# Server" in stack.cli("INFO") and "redis_version:7" in stack.cli("-3", "INFO", "server")


def test_redis_cli_memkeys(stack):
    with stack.raw() as r:
        if str(r.ask("MEMORY", "USAGE", "k")).startswith("ERR unknown command"):
            pytest.skip("there is no MEMORY yet")
        r.ask("MSET", "small", "v", "large", "v" * 10000)
    assert re.search("Biggest string.*large", stack.cli("--memkeys"))


def test_prometheus_exporter(stack):
    """Debian's exporter, as it comes, over mutual TLS."""
    with stack.raw() as r:
        r.ask_all([("SET", "k", "v"), ("SET", "soon", "v", "EX", "1000"), ("GET", "k"), ("INCR", "k"), ("SELECT", "3"), ("SET", "x", "y")])
        wait_until(lambda: "db3" in info(r, "keyspace")["Keyspace"], 15, "the keys to be counted", 0.3)
    pair = stack.certs.client("alice")
    address = f"{HOST}:{free_port()}"
    exporter = subprocess.Popen(
        ["prometheus-redis-exporter", "-redis.addr", f"rediss://localhost:{stack.port}", "-tls-ca-cert-file", stack.certs.ca,
         "-tls-client-cert-file", pair.cert, "-tls-client-key-file", pair.key, "-web.listen-address", address,
         "-include-config-metrics", "-include-system-metrics", "-export-client-list"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        def metrics():
            try:
                with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as page:
                    return page.read().decode()
            except (OSError, socket.timeout):
                return None
        page = wait_until(metrics, 20, "the exporter", 0.2)
    finally:
        exporter.terminate()
        said = exporter.communicate(timeout=10)[1]
    assert "level=error" not in said and "level=warning" not in said, said
    found = dict(re.findall(r"^(redis_\S+?(?:\{.*\})?) (\S+)$", page, re.M))
    assert found["redis_up"] == "1" and found['redis_exporter_last_scrape_error{err=""}'] == "0"
    assert found['redis_db_keys{db="db0"}'] == "2" and found['redis_db_keys_expiring{db="db0"}'] == "1"
    assert found['redis_db_keys{db="db3"}'] == "1" and 0 < float(found['redis_db_avg_ttl_seconds{db="db0"}']) <= 1000
    assert float(found['redis_commands_total{cmd="set"}']) >= 3 and float(found['redis_commands_duration_seconds_total{cmd="set"}']) > 0
    assert float(found['redis_commands_failed_calls_total{cmd="incr"}']) >= 1 and float(found['redis_errors_total{err="ERR"}']) >= 1
    assert float(found['redis_latency_percentiles_usec{cmd="get",quantile="99"}']) > 0
    for name in ("redis_memory_used_bytes", "redis_connected_clients", "redis_uptime_in_seconds", "redis_config_maxclients",
                 "redis_commands_processed_total", "redis_cpu_user_seconds_total", "redis_start_time_seconds"):
        assert float(found[name]) > 0 or (SANITIZED and "memory" in name), name  # a sanitizer has an allocator of its own
    assert len(found) > 200
