"""Private keyspaces: three clients on one database of PostgreSQL, none of whom sees or touches what is another's."""
import re

import pytest

from support import acl
from support.stack import CORE_USER, Core, Gateway, Stack, ensure_user, own, wait_until

OWNERS = ("one", "two", "admin")  # admin's is the common keyspace
LINES = "user cn:one on ~* &* +@all keyspace=one\nuser cn:two on ~* &* +@all keyspace=two"
DATABASES = (0, 1, 5)


def acl_file(stage, lines):
    path = stage.folder("keyspaces") / "users.acl"
    path.write_text(acl.ADMIN + "\n" + lines + "\n")
    own(path, ensure_user(CORE_USER))
    return path


@pytest.fixture(scope="module")
def house(stage, pg, certs):
    for name in OWNERS:
        certs.client(name)
    stack = Stack(stage.folder("house"), pg, certs, core_options=["--acl-file", acl_file(stage, LINES)],
                  served_as="admin")
    stack.start()
    yield stack
    stack.stop()


def stored(stack):
    """stored returns {(keyspace, database, key): value} of all that is alive."""
    rows = stack.sql("SELECT s.keyspace, s.db, convert_from(e.key, 'UTF8'), encode(e.value, 'hex'), "
                     "coalesce(e.expires_at, 0) > 1 FROM cofre.entry e JOIN cofre.space s ON s.id = e.space "
                     "WHERE e.expires_at IS NULL OR e.expires_at > (extract(epoch FROM clock_timestamp()) * 1000)")
    return {tuple(row.split("|")[:3]): row.split("|")[3:] for row in rows.splitlines()}


@pytest.fixture
def filled(house):
    """Each owner has the keys "shared" and "OWNER:NUMBER" in three databases."""
    for name in OWNERS:
        with house.raw(name) as c:
            assert c.ask("FLUSHALL") == "OK"
            for db in DATABASES:
                assert c.ask_all([["SELECT", db], ["MSET", "shared", f"of {name}", f"{name}:{db}", f"value {name}"]]) \
                    == ["OK", "OK"]
    return house


def flat(reply):
    """flat returns everything in a reply as one text."""
    if isinstance(reply, (list, tuple)):
        return " ".join(map(flat, reply))
    return "-" if reply is None else reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)


LOOKS = [["SCAN", 0, "COUNT", 1000], ["SCAN", 0, "MATCH", "*"], ["KEYS", "*"], ["KEYS", "*:0"], ["FIND", "%"],
         ["FIND", "value%", "MATCH", "*"], ["RANDOMKEY"], ["GET", "shared"], ["MGET", "one:0", "two:0", "admin:0"],
         ["GETRANGE", "shared", 0, -1], ["LCS", "shared", "shared"], ["GETEX", "shared"], ["SUBSTR", "shared", 0, -1]]


@pytest.mark.parametrize("look", LOOKS, ids=lambda c: " ".join(map(str, c)))
def test_nobody_sees_anothers_keys(filled, look):
    for name in OWNERS:
        with filled.raw(name) as c:
            for _ in range(20 if look == ["RANDOMKEY"] else 1):
                text = flat(c.ask(*look))
                assert name in text or text == "shared", text
                assert not [other for other in OWNERS if other != name and other in text], text


COUNTS = [(["DBSIZE"], 2), (["EXISTS", "one:0", "two:0", "admin:0", "shared"], 2), (["TOUCH", "two:0", "admin:0"], 0),
          (["TYPE", "two:0"], "none"), (["STRLEN", "two:0"], 0), (["TTL", "two:0"], -2), (["OBJECT", "ENCODING", "two:0"], None),
          (["MEMORY", "USAGE", "two:0"], None), (["DUMP", "two:0"], None), (["KEYINFO", "two:0"], None),
          (["DIGEST", "two:0"], None), (["GETDEL", "two:0"], None), (["COPY", "two:0", "x"], 0),
          (["RENAME", "two:0", "x"], "ERR no such key"), (["MOVE", "two:0", 1], 0), (["DEL", "two:0", "admin:0"], 0),
          (["PERSIST", "two:0"], 0), (["EXPIRE", "two:0", 10], 0), (["DELIFREV", "two:0", 1], 0),
          (["DELIFEQ", "two:0", "value two"], 0), (["SET", "two:0", "x", "XX"], None), (["BITCOUNT", "two:0"], 0)]


@pytest.mark.parametrize("command, reply", COUNTS, ids=lambda v: " ".join(map(str, v)) if isinstance(v, list) else "")
def test_anothers_keys_are_not_there(filled, command, reply):
    before = stored(filled)
    with filled.raw("one") as c:
        assert c.ask(*command) == reply
    assert stored(filled) == before


def test_keyinfo_is_about_ones_own_key(filled):
    for name in OWNERS:
        with filled.raw(name) as c:
            assert f"cn:{name}" in flat(c.ask("KEYINFO", "shared"))


# me:N is the client's own key, other:N is another's, as two:N is.
DEEDS = [[["FLUSHDB"]], [["FLUSHALL"]], [["SWAPDB", 0, 1]], [["SWAPDB", 0, 9]], [["MOVE", "me:0", 9]],
         [["COPY", "shared", "copied", "DB", 9]], [["COPY", "shared", "two:0", "REPLACE"]], [["DEL", "shared", "me:0"]],
         [["UNLINK", "shared"]], [["RENAME", "shared", "two:0"]], [["RENAMENX", "shared", "other:0"]],
         [["SET", "shared", "changed"]], [["SET", "two:0", "mine"]], [["MSET", "shared", "x", "other:0", "y"]],
         [["MSETNX", "two:0", "x", "other:0", "y"]], [["APPEND", "two:0", "x"]], [["INCR", "other:0"]],
         [["EXPIRE", "shared", 100]], [["PEXPIRE", "shared", 1]], [["GETDEL", "shared"]], [["SETRANGE", "two:0", 3, "x"]],
         [["SETBIT", "two:0", 1, 1]], [["PFADD", "two:1", "x"]], [["BITOP", "NOT", "two:0", "shared"]],
         [["MULTI"], ["SELECT", 5], ["DEL", "shared"], ["FLUSHDB"], ["SET", "two:5", "x"], ["SWAPDB", 0, 5], ["EXEC"]],
         [["WATCH", "shared"], ["MULTI"], ["SET", "shared", "y"], ["EXEC"]],
         [["SELECT", 5], ["FLUSHALL"], ["SET", "other:5", "x"]]]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda d: " · ".join(" ".join(map(str, c)) for c in d))
@pytest.mark.parametrize("who", ["one", "admin"])
def test_nobody_touches_anothers_keys(filled, who, deed):
    mine = "" if who == "admin" else who
    before = stored(filled)
    with filled.raw(who) as c:
        for command in deed:
            names = {"me": who, "other": "admin" if who == "one" else "one"}
            command = [re.sub(r"^(me|other)(?=:)", lambda m: names[m.group()], str(word)) for word in command]
            reply = c.ask(*command)
            assert "ERR" not in flat(reply), (command, reply)
    after = stored(filled)
    assert after != before
    assert {k: v for k, v in after.items() if k[0] != mine} == {k: v for k, v in before.items() if k[0] != mine}
    for name in OWNERS:  # and through the cache of the core
        if name != who:
            with filled.raw(name) as c:
                assert c.ask("GET", "shared").decode() == f"of {name}"
                assert c.ask("DBSIZE") == 2


def test_info_counts_ones_own_keys(filled):
    """INFO's counts are at most 10 s old."""
    with filled.raw("one") as one, filled.raw("admin") as admin:
        assert one.ask_all([["FLUSHALL"], ["SET", "a", 1], ["SET", "b", 1, "EX", 1000], ["SELECT", 3], ["SET", "c", 1]])

        def counts(c):
            return re.findall(r"(db\d+):keys=(\d+),expires=(\d+)", c.ask("INFO", "keyspace").decode())
        wait_until(lambda: counts(one) == [("db0", "2", "1"), ("db3", "1", "0")], 25, "the counts of one", 0.5)
        wait_until(lambda: counts(admin) == [(f"db{n}", "2", "0") for n in DATABASES], 25, "the counts of admin", 0.5)


def test_watch_looks_at_ones_own_key(filled):
    with filled.raw("one") as one, filled.raw("two") as two:
        assert one.ask_all([["WATCH", "shared"], ["MULTI"], ["SET", "shared", "x"]]) == ["OK", "OK", "QUEUED"]
        assert two.ask("SET", "shared", "y") == "OK"
        assert one.ask("EXEC") == ["OK"]
        assert two.ask("GET", "shared") == b"y"


def test_databases_of_a_user(house):
    """db= with a keyspace: INFO does not show what may not be used."""
    with house.raw("admin") as admin:
        assert admin.ask("ACL", "SETUSER", "cn:two", "db=0,3") == "OK"
        with house.raw("two") as two:
            assert two.ask_all([["SELECT", 3], ["SET", "x", 1]]) == ["OK", "OK"]
            assert two.ask("SELECT", 5) == "NOPERM User cn:two has no permissions to access database 5"
            wait_until(lambda: re.findall(r"(db\d+):", two.ask("INFO", "keyspace").decode()) in (["db0", "db3"], ["db3"]), 25,
                       "the counts of two", 0.5)
        assert admin.ask("ACL", "SETUSER", "cn:two", "alldbs") == "OK"


def test_a_keyspace_can_be_shared_and_left(house, certs):
    with house.raw("admin") as admin, house.raw("one") as one:
        assert one.ask("SET", "k", "one's") == "OK"
        assert admin.ask("ACL", "SETUSER", "cn:guest", "on", "~*", "+@all", "keyspace=one") == "OK"
        with house.raw("guest") as guest:
            assert guest.ask("GET", "k") == b"one's"
            # another keyspace: the session ends, rather than find other keys under the same names
            assert admin.ask("ACL", "SETUSER", "cn:guest", "resetkeyspace") == "OK"
            assert guest.at_end()
        house.core.logged('identity=cn:guest reason="its user has another keyspace now"')
        with house.raw("guest") as guest:
            assert guest.ask("GET", "k") is None
        assert admin.ask("ACL", "DELUSER", "cn:guest") == 1


def test_two_cores_number_them_differently(stage, pg, certs):
    """Names are what counts, on whichever core, and over a restart."""
    turned = "\n".join(reversed(LINES.splitlines())) + "\nuser cn:zero on ~* +@all keyspace=aaa"
    for name in OWNERS:
        certs.client(name)
    first = Stack(stage.folder("first"), pg, certs, core_options=["--acl-file", acl_file(stage, LINES)],
                  served_as="admin").start()
    second = Stack(stage.folder("second"), pg, certs, first.database, served_as="admin",
                   core_options=["--acl-file", acl_file(stage, turned)]).start()
    try:
        with first.raw("one") as a, second.raw("one") as b, second.raw("two") as other:
            assert other.ask("SET", "k", "two's") == "OK"
            assert a.ask_all([["SELECT", 3], ["SET", "k", "v"], ["SELECT", 0], ["SET", "k", "w"]]) == ["OK"] * 4
            assert b.ask("GET", "k") == b"w"
            assert b.ask_all([["SWAPDB", 0, 3], ["GET", "k"]]) == ["OK", b"v"]
            assert a.ask("GET", "k") == b"v"
            second.core.kill()
            second.core.start()
            assert b.served().ask_all([["SET", "k", "x"], ["GET", "k"]]) == ["OK", b"x"]
            assert a.ask("GET", "k") == b"x"
            assert other.ask("GET", "k") == b"two's"
            assert a.ask("FLUSHALL") == "OK"
            assert b.ask("DBSIZE") == 0 and other.ask("DBSIZE") == 1
    finally:
        second.stop()
        first.stop()


# --- what clients hear -------------------------------------------------------------------------------------------------

def heard(raw):
    """heard returns the pushes that have come, and takes them off."""
    raw.send("PING", "so far")
    got = []
    while (message := raw.read()) != b"so far":
        got.append(message)
    return got


def test_nobody_hears_another(filled):
    """Messages, patterns, shard channels, keyspace events, tracking with and without BCAST: each hears its own."""
    house = filled
    listeners = {}
    for name in OWNERS:
        listeners[name] = house.raw(name)
        listeners[name].ask("HELLO", 3)
        listeners[name].ask("SUBSCRIBE", "news")
        listeners[name].ask("PSUBSCRIBE", "*")
        listeners[name].ask("SSUBSCRIBE", "news")
        listeners[name].ask("CLIENT", "TRACKING", "ON", "BCAST")
    readers = {}
    for name in OWNERS:
        readers[name] = house.raw(name)
        readers[name].ask("HELLO", 3)
        readers[name].ask("CLIENT", "TRACKING", "ON")
        readers[name].ask("GET", "shared")
    with house.raw("admin") as admin:
        assert admin.ask("CONFIG", "SET", "notify-keyspace-events", "KEA") == "OK"
    for name in OWNERS:
        with house.raw(name) as c:
            assert c.ask("PUBLISH", "news", f"from {name}") == 2
            assert c.ask("SPUBLISH", "news", f"from {name}") == 1
            assert c.ask("PUBSUB", "CHANNELS") == c.ask("PUBSUB", "SHARDCHANNELS") == [b"news"]
            assert c.ask("PUBSUB", "NUMSUB", "news") == [b"news", 1] and c.ask("PUBSUB", "NUMPAT") == 1
            assert c.ask("SET", "shared", "x") == "OK"
            assert c.ask("SET", f"{name}:0", "x", "PX", 50) == "OK"
    for name in OWNERS:
        got = []

        def expiry_was_told():
            got.extend(heard(listeners[name]))
            return f"__keyevent@0__:expired {name}:0" in flat(got)
        wait_until(expiry_was_told, 10, "its own key's expiry to be told")
        text = flat(got)
        assert f"message news from {name}" in text and f"invalidate shared" in text, text
        assert not [other for other in OWNERS if other != name and other in text], text
    for name in OWNERS:
        assert heard(readers[name]) == [[b"invalidate", [b"shared"]]]
        listeners[name].close()
        readers[name].close()
    with house.raw("admin") as admin:
        admin.ask("CONFIG", "SET", "notify-keyspace-events", "")


def test_the_slow_log_and_slow_keys_are_ones_own(filled):
    with filled.raw("admin") as admin:
        assert admin.ask("CONFIG", "SET", "slowlog-log-slower-than", "0") == "OK"
    try:
        for name in OWNERS:
            with filled.raw(name) as c:
                c.ask("GET", f"secret-of-{name}")
        for name in OWNERS:
            with filled.raw(name) as c:
                text = flat(c.ask("SLOWLOG", "GET", "-1"))
                assert f"secret-of-{name}" in text
                assert not [other for other in OWNERS if other != name and f"secret-of-{other}" in text], text
    finally:
        with filled.raw("admin") as admin:
            admin.ask("CONFIG", "SET", "slowlog-log-slower-than", "10000")


def test_flushing_is_told_to_the_own_keyspace(filled):
    trackers = {name: filled.raw(name) for name in OWNERS}
    for name, raw in trackers.items():
        raw.ask("HELLO", 3)
        raw.ask("CLIENT", "TRACKING", "ON")
        raw.ask("GET", "shared")
    with filled.raw("one") as one:
        assert one.ask("FLUSHALL") == "OK"
    assert {name: heard(raw) for name, raw in trackers.items()} == \
        {"one": [[b"invalidate", None]], "two": [], "admin": []}
    [raw.close() for raw in trackers.values()]


def test_nobody_is_redirected_to_another(filled):
    with filled.raw("one") as one, filled.raw("two") as two:
        assert one.ask("CLIENT", "TRACKING", "ON", "REDIRECT", two.ask("CLIENT", "ID")) == \
            "ERR The client ID you want redirect to does not exist"


def test_rows_of_a_keyspace_are_made_again(house):
    """Whoever restores a backup without them: the next write makes them."""
    with house.raw("one") as one:
        assert one.ask("SET", "k", "1") == "OK"
        assert one.ask("FLUSHALL") == "OK"
        house.sql("DELETE FROM cofre.space WHERE keyspace = 'one'")
        assert one.ask("GET", "k") is None and one.ask("DBSIZE") == 0
        assert one.ask("SET", "k", "2") == "OK"
        assert one.ask("GET", "k") == b"2"
        house.sql("BEGIN; INSERT INTO cofre.writer (epoch, turn, seen_at) VALUES (0, 0, 0); COMMIT")
        assert one.ask("INCR", "k") == 3


def test_the_runtime_role_can_make_them(stage, pg, certs):
    """A role that owns nothing and has the grants of the README."""
    certs.client("one")
    database = pg.create_database()
    folder = stage.folder("role")
    Core(folder, pg.conninfo(database), name="schema").create_schema()
    role = f"runtime_{database}"
    pg.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'only-for-this-test'; GRANT CONNECT ON DATABASE {database} TO {role}")
    pg.sql(f"GRANT USAGE ON SCHEMA cofre TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA cofre TO "
           f"{role}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA cofre TO {role}", database)
    core = Core(folder, pg.conninfo(database, user=role), "--acl-file", acl_file(stage, LINES))
    core.start()
    gateway = Gateway(folder, core.socket, certs)
    gateway.start()
    try:
        with Stack.raw(_Served(gateway.port, certs), "one") as one:
            assert one.ask("SET", "k", "v") == "OK" and one.ask("GET", "k") == b"v"
    finally:
        gateway.stop()
        core.stop()


class _Served(Stack):
    """A gateway that somebody else started."""

    def __init__(self, port, certs):
        self.port, self.certs = port, certs


# --- clients ------------------------------------------------------------------------------------

def ids_in(reply):
    return {int(x) for x in re.findall(rb"^id=(\d+)", reply, re.M)}


def test_a_private_keyspace_sees_its_own_clients_alone(house):
    with house.raw("one") as one, house.raw("one") as other, house.raw("two") as two, house.raw("admin") as admin:
        ids = {c: c.ask("CLIENT", "ID") for c in (one, other, two, admin)}
        assert ids_in(one.ask("CLIENT", "LIST")) == {ids[one], ids[other]}
        assert ids_in(two.ask("CLIENT", "LIST", "ID", *ids.values())) == {ids[two]}
        assert ids_in(admin.ask("CLIENT", "LIST")) >= set(ids.values())  # the common keyspace is whose server it is
        address = re.search(rb"addr=(\S+)", two.ask("CLIENT", "INFO"))[1]
        assert one.ask("CLIENT", "KILL", address) == "ERR No such client" and one.ask("CLIENT", "KILL", "ADDR", address) == 0
        assert one.ask("CLIENT", "KILL", "ID", ids[two], ids[admin]) == 0 and one.ask("CLIENT", "KILL", "SKIPME", "yes") == 1
        assert two.ask("PING") == admin.ask("PING") == "PONG"
        assert admin.ask("CLIENT", "KILL", "USER", "cn:two") == 1 and two.at_end()
        assert admin.ask("CLIENT", "KILL", "USER", "cn:two") == 0  # the ACL knows it
        assert admin.ask("CLIENT", "KILL", "USER", "cn:nobody") == "ERR No such user 'cn:nobody'"


def test_a_monitor_sees_its_own_keyspace_alone(house):
    with house.raw("one") as m1, house.raw("two") as m2, house.raw("admin") as m, house.raw("one") as one, \
            house.raw("two") as two, house.raw("admin") as admin:
        for monitor in (m1, m2, m):
            assert monitor.ask("MONITOR") == "OK"
        one.ask_all([["SET", "k", "of one"], ["PING", "end"]])
        two.ask_all([["MULTI"], ["SET", "k", "of two"], ["EXEC"], ["PING", "end"]])
        admin.ask_all([["GET", "k"], ["PING", "end"]])
        for monitor, lines in ((m1, 2), (m2, 4), (m, 2)):
            seen = [monitor.read() for _ in range(lines)]
            assert '"end"' in seen[-1] and len([x for x in seen if '"end"' in x]) == 1, seen
        assert m1.ask("ECHO", "x") == b"x"


def test_a_pause_holds_its_own_keyspace_alone(house):
    with house.raw("one") as one, house.raw("one") as other, house.raw("two") as two, house.raw("admin") as admin:
        assert one.ask("CLIENT", "PAUSE", 60000) == "OK"
        other.send("PING")
        assert two.ask("SET", "k", 1) == admin.ask("SET", "k", 1) == "OK"
        assert two.ask("CLIENT", "UNPAUSE") == "OK"
        wait_until(lambda: re.search(rb"flags=b ", admin.ask("CLIENT", "LIST")))
        assert one.ask("CLIENT", "UNPAUSE") == "OK" and other.read() == "PONG"
        assert admin.ask("CLIENT", "PAUSE", 60000, "WRITE") == "OK"
        two.send("SET", "k", 2)
        wait_until(lambda: re.search(rb"flags=b ", admin.ask("CLIENT", "LIST")))
        assert two.sock.pending() == 0 and one.ask("CLIENT", "UNPAUSE") == "OK"  # it has none of its own
        assert admin.ask("CLIENT", "UNPAUSE") == "OK" and two.read() == "OK"
