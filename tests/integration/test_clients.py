"""Redis's own tools and python3-redis work unmodified with a client certificate."""
import os
import pty
import select
import subprocess
import threading
import time

import pytest
import redis

from support.resp import Error, Push, Status


def test_redis_cli(stack):
    assert stack.cli("SET", "greeting", "olá").strip() == "OK"
    assert stack.cli("GET", "greeting").strip() == "olá"
    assert stack.cli("--no-raw", "GET", "greeting").strip() == r'"ol\xc3\xa1"'
    assert stack.cli("-n", "3", "DBSIZE").strip() == "0"
    assert stack.cli("-3", "PING").strip() == "PONG"


def test_redis_cli_reads_commands_from_a_pipe(stack):
    script = b"MULTI\nINCR a\nINCR a\nEXEC\nGET a\nNOSUCH\n"
    assert stack.cli(stdin=script).split("\n")[:6] == ["OK", "QUEUED", "QUEUED", "1", "2", "2"]
    assert "ERR unknown command 'NOSUCH', with args beginning with:" in stack.cli(stdin=script)


def test_redis_cli_mass_insertion(stack):
    from support.resp import encode
    load = b"".join(encode("SET", f"mass:{n}", "x" * 50) for n in range(20000))
    assert "errors: 0, replies: 20000" in stack.cli("--pipe", stdin=load)
    assert stack.cli("DBSIZE").strip() == "20000"


def test_redis_cli_scan_and_bigkeys(stack):
    with stack.raw() as r:
        r.ask("MSET", *[x for n in range(50) for x in (f"k{n:02}", "v" * (n + 1))])
    assert sorted(stack.cli("--scan", "--pattern", "k1*").split()) == [f"k1{n}" for n in range(10)]
    assert 'Biggest string found "k49" has 50 bytes' in stack.cli("--bigkeys").replace("'", "").replace('""', '"')


def test_redis_cli_on_a_terminal(stack):
    """Its prompt asks COMMAND DOCS for hints, and shows pushes while it subscribes."""
    shown, terminal = b"", pty.openpty()
    cli = subprocess.Popen(stack.tool("redis-cli"), stdin=terminal[1], stdout=terminal[1], stderr=terminal[1],
                           env={**os.environ, "TERM": "dumb", "HOME": "/nonexistent"}, start_new_session=True)
    os.close(terminal[1])

    def until(text):
        nonlocal shown
        end = time.monotonic() + 10
        while text not in shown:
            assert time.monotonic() < end, shown
            if select.select([terminal[0]], [], [], 0.2)[0]:
                shown += os.read(terminal[0], 4096)
        shown = shown.split(text, 1)[1]
    try:
        for typed, reply in ((b"set k 'two words'", b"OK"), (b"get k", b'"two words"'), (b"hgetall k", b"strings only"),
                             (b"help get", b"summary")):
            os.write(terminal[0], typed + b"\r")
            until(reply)
        os.write(terminal[0], b"subscribe news\r")
        until(b'1) "subscribe"')
        with stack.client() as c:
            assert c.publish("news", "hello") == 1
        until(b'3) "hello"')
    finally:
        cli.kill()
        cli.wait(10)
        os.close(terminal[0])


def test_redis_cli_latency(stack):
    assert len(stack.cli("--latency", "-i", "1", "--raw").split()) >= 4  # min, max, average, samples


@pytest.mark.parametrize("options", [("-P", "1"), ("-P", "16")], ids=["one at a time", "pipelined"])
def test_redis_benchmark(stack, options):
    bench = stack.benchmark("-t", "ping,set,get,incr,mset",  # all that are about strings
                            "-n", "5000", "-c", "50", "-d", "64", "-r", "1000", "--csv",
                            *options)
    out, err = bench.communicate(timeout=60)
    assert bench.returncode == 0, err
    assert "rror" not in out + err, out + err
    names = [line.split(",")[0].strip('"') for line in out.splitlines()[1:]]
    assert [n.split()[0] for n in names] == ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET"]
    with stack.client() as c:
        assert c.get("counter:__rand_int__") is None and 0 < c.dbsize() < 4000


def test_strings(stack):
    with stack.client() as c:
        assert c.set("a", "1") is True
        assert c.set("a", "2", nx=True) is None and c.set("b", "2", xx=True) is None
        assert c.set("a", "3", get=True) == b"1"
        assert c.mset({"b": "x", "c": "y"}) is True
        assert c.mget("a", "b", "nothing") == [b"3", b"x", None]
        assert c.incr("n", 5) == 5 and c.decr("n") == 4 and c.incrbyfloat("n", 0.5) == 4.5
        assert c.append("s", "abc") == 3 and c.setrange("s", 1, "XY") == 3 and c.getrange("s", 0, -1) == b"aXY"
        assert c.strlen("s") == 3 and c.getdel("s") == b"aXY" and c.exists("s") == 0
        assert c.type("a") == b"string" and c.rename("a", "z") is True and c.delete("z", "b", "gone") == 2
        with pytest.raises(redis.ResponseError, match="value is not an integer or out of range"):
            c.incr("c")


def test_binary_keys_and_values(stack):
    every_byte = bytes(range(256))
    with stack.client() as c:
        assert c.set(every_byte, every_byte[::-1]) and c.get(every_byte) == every_byte[::-1]
        assert c.set(b"", b"") and c.get(b"") == b""
        assert sorted(c.keys("*")) == sorted([every_byte, b""])
        assert sorted(c.scan_iter()) == sorted([every_byte, b""])
        assert c.set(b"\r\n$3\r\n", b"\0") and c.get(b"\r\n$3\r\n") == b"\0"


def test_pipelines(stack):
    with stack.client() as c, c.pipeline(transaction=False) as p:
        for n in range(1000):
            p.set(f"k{n}", n).incr("count").get(f"k{n}")
        replies = p.execute()
    assert replies == [x for n in range(1000) for x in (True, n + 1, str(n).encode())]


def test_a_pipeline_goes_on_after_an_error(stack):
    with stack.client() as c, c.pipeline(transaction=False) as p:
        p.set("s", "text").incr("s").get("s")
        ok, error, text = p.execute(raise_on_error=False)
    assert ok is True and isinstance(error, redis.ResponseError) and text == b"text"


def test_transactions_with_watch(stack):
    """The optimistic increment of redis-py's own documentation, from 8 clients at once."""
    def count_up():
        with stack.client() as c:
            for _ in range(10):
                c.transaction(lambda p: [n := int(p.get("n") or 0), p.multi(), p.set("n", n + 1)], "n")
    threads = [threading.Thread(target=count_up) for _ in range(8)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    with stack.client() as c:
        assert c.get("n") == b"80"


def test_watch_sees_a_change(stack):
    with stack.client() as c, stack.client() as other, c.pipeline() as p:
        p.watch("k")
        other.set("k", "changed")
        p.multi()
        p.set("k", "mine")
        with pytest.raises(redis.WatchError):
            p.execute()
        assert c.get("k") == b"changed"


def test_scan_iter(stack):
    keys = {f"user:{n}".encode() for n in range(3000)} | {b"other"}
    with stack.client() as c:
        c.mset({k: "v" for k in keys})
        assert set(c.scan_iter(count=100)) == keys
        found = list(c.scan_iter("user:*", count=500))
        assert set(found) == keys - {b"other"} and len(found) == 3000
        assert list(c.scan_iter(_type="hash")) == []
        assert set(c.keys("user:1?")) == {f"user:1{n}".encode() for n in range(10)}


def test_expiry(stack):
    with stack.client() as c:
        c.set("soon", "x", px=150)
        c.set("later", "x", ex=100)
        c.set("kept", "x", ex=100)
        assert 0 < c.pttl("soon") <= 150 and 98 <= c.ttl("later") <= 100
        assert c.persist("kept") and c.ttl("kept") == -1 and c.ttl("missing") == -2
        assert c.expireat("kept", int(time.time()) + 50) and 48 <= c.ttl("kept") <= 50
        assert c.set("later", "y", keepttl=True) and c.ttl("later") > 90
        assert c.getex("later", persist=True) == b"y" and c.ttl("later") == -1
        time.sleep(0.2)
        assert c.get("soon") is None and c.exists("soon") == 0 and c.ttl("soon") == -2
        assert c.dbsize() == 2 and b"soon" not in c.keys() and b"soon" not in list(c.scan_iter())
        assert c.set("soon", "again", nx=True) is True and c.ttl("soon") == -1


def test_decode_responses(stack):
    with stack.client(decode_responses=True) as c:
        c.set("chave", "ação")
        assert c.get("chave") == "ação" and c.keys() == ["chave"]
        assert c.info("server")["redis_version"].startswith("7.")


def test_select_keeps_databases_apart(stack):
    with stack.client(db=0) as zero, stack.client(db=15) as fifteen:
        zero.set("k", "0")
        assert fifteen.get("k") is None and fifteen.set("k", "15") and zero.get("k") == b"0"
        assert fifteen.flushdb() is True and zero.dbsize() == 1 and fifteen.dbsize() == 0
    with stack.raw() as r:
        assert r.ask("SELECT", 16) == "ERR DB index is out of range"


def test_client_and_command_families(stack):
    with stack.client(client_name="tester") as c:
        assert c.client_getname() == "tester" and c.client_id() > 0
        me = [x for x in c.client_list() if int(x["id"]) == c.client_id()]
        assert len(me) == 1 and me[0]["name"] == "tester" and me[0]["cmd"] == "client|list"
        assert c.command_count() > 60 and c.command()["get"]["arity"] == 2
        assert c.config_get("maxmemory*") is not None and abs(c.time()[0] - time.time()) < 5
        assert c.echo("x") == b"x" and c.ping() is True


def test_unknown_subcommand_is_a_plain_error(stack):
    with stack.raw() as r:
        assert r.ask("CLIENT", "NOSUCH") == "ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."
        assert r.ask("CLIENT") == "ERR wrong number of arguments for 'client' command"
        assert r.ask("PING") == "PONG"


def test_clients_that_introduce_themselves(stack):
    """What newer redis-py, jedis and lettuce send first; either answer must leave the connection in use."""
    with stack.raw() as r:
        replies = r.ask_all([("CLIENT", "SETINFO", "LIB-NAME", "redis-py"), ("CLIENT", "SETINFO", "LIB-VER", "5.0"),
                             ("CLIENT", "SETNAME", "x"), ("CLIENT", "NO-EVICT", "on"), ("PING",)])
        assert replies[-1] == "PONG" and replies[2] == "OK"


def test_resp3(stack):
    with stack.raw() as r:
        hello = r.ask("HELLO", 3)
        assert isinstance(hello, dict) and hello[b"proto"] == 3 and hello[b"server"] == b"redis"
        r.send("GET", "missing")
        assert r.read_bytes(3) == b"_\r\n"
        r.ask("SET", "k", "v")
        assert isinstance(r.ask("CONFIG", "GET", "databases"), dict)
        assert r.ask("EXEC") == "ERR EXEC without MULTI"
        assert r.ask("HELLO", 2)[:2] == [b"server", b"redis"]
        r.send("GET", "missing")
        assert r.read_bytes(5) == b"$-1\r\n"
        assert r.ask("HELLO", 4) == "NOPROTO unsupported protocol version"
        assert not isinstance(r.ask("GET", "k"), Push)


def test_replies_have_their_wire_types(stack):
    with stack.raw() as r:
        assert isinstance(r.ask("SET", "k", "v"), Status) and isinstance(r.ask("GET", "k"), bytes)
        assert isinstance(r.ask("INCR", "k"), Error) and r.ask("TTL", "k") == -1


@pytest.mark.parametrize("size", [65535, 65536, 65537, 1 << 20, 16 << 20], ids=lambda s: f"{s} bytes")
def test_big_values(stack, size):
    value = os.urandom(min(size, 1 << 20)) * (size // min(size, 1 << 20) or 1)
    with stack.client() as c:
        assert c.set("big", value) is True
        assert c.strlen("big") == size and c.getrange("big", size - 5, -1) == value[-5:]
        assert c.get("big") == value
        with c.pipeline(transaction=False) as p:
            p.get("big").get("missing").get("big")
            assert p.execute() == [value, None, value]


def test_one_byte_too_many(stack, request):
    if request.config.getoption("--against-redis"):
        pytest.skip("Redis allows more")
    with stack.raw() as r:
        reply = r.ask("SET", "big", b"x" * ((16 << 20) + 1))
        assert isinstance(reply, Error) and reply.startswith("ERR") and str(16 << 20) in reply
        reply = r.ask("SET", b"k" * 2001, "v")
        assert isinstance(reply, Error) and reply.startswith("ERR") and "2000" in reply
        assert r.ask("SET", b"k" * 2000, "v") == "OK" and r.ask("DBSIZE") == 1
        assert r.ask("SETRANGE", "other", 16 << 20, "x").startswith("ERR")


def find(r, *args):
    """FIND's reply as {key: value}, over all its pages, and how many pages there were."""
    found, cursor, pages = {}, b"0", 0
    while True:
        cursor, flat = r.ask("FIND", *args, "CURSOR", cursor)
        found.update(zip(flat[::2], flat[1::2]))
        pages += 1
        if cursor == b"0":
            return found, pages


def test_find(stack, request):
    if request.config.getoption("--against-redis"):
        pytest.skip("a command of ours")
    with stack.raw() as r:
        r.ask("MSET", "1", "ANDREI", "2", "JOAO", "3", "João Maria", "n:4", "joao", "bin", b"\xff\xfejoao", "nul", b"joao\0")
        assert find(r, "joao")[0] == {b"2": b"JOAO", b"n:4": b"joao"}
        assert find(r, "jo%")[0] == {b"2": b"JOAO", b"n:4": b"joao", b"3": "João Maria".encode()}
        assert find(r, "%mar_a")[0] == {b"3": "João Maria".encode()}
        assert find(r, "%o%", "MATCH", "n:*")[0] == {b"n:4": b"joao"}
        assert find(r, "nobody")[0] == {} and find(r, r"\%")[0] == {}
        r.ask("MSET", *[x for n in range(500) for x in (f"many:{n}", f"value {n}")])
        found, pages = find(r, "value %", "COUNT", 50)
        assert len(found) == 500 and pages > 5 and found[b"many:7"] == b"value 7"
        assert isinstance(r.ask("FIND"), Error) and isinstance(r.ask("FIND", "x", "NOSUCH"), Error)
        assert isinstance(r.ask("FIND", b"\xff"), (Error, list)) and r.ask("PING") == "PONG"
        assert isinstance(r.ask("FIND", "x\\"), (Error, list)) and r.ask("PING") == "PONG"
