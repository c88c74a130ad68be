"""Who may do what: rows of rules and commands, changes under live sessions, the file, ACL LOG."""
import os
import signal
import subprocess
import threading
import time

import pytest

from support import acl
from support.resp import Closed, Error
from support.stack import CORE_USER, Stack, am_root, ensure_user, own, wait_until

ADMIN = acl.ADMIN


class AclFile:
    """The file that a core's --acl-file names, in a folder where the core may write."""

    def __init__(self, folder, lines=""):
        self.path = folder / "users.acl"
        self.put(lines)

    def put(self, lines, admin=True):
        """put replaces the file at once; the admin stays in it."""
        fresh = self.path.with_suffix(".fresh")
        fresh.write_text((ADMIN + "\n" if admin else "") + lines + "\n")
        own(fresh, ensure_user(CORE_USER))
        fresh.rename(self.path)

    def text(self):
        return self.path.read_text()


@pytest.fixture(scope="module")
def people(certs):
    """The clients of acl.CLIENTS and an admin."""
    certs.client("admin")
    for name, options in acl.CLIENTS.items():
        certs.client(name, *options)
    return certs


@pytest.fixture
def guarded(new_stack, stage, people):
    """guarded(lines) starts a stack with an ACL file; the stack has it as .acl."""
    def start(lines="", **options):
        file = AclFile(stage.folder("acl"), lines)
        stack = new_stack(core_options=["--acl-file", file.path], served_as="admin", **options)
        stack.acl = file
        return stack
    return start


@pytest.fixture(scope="module")
def table(stage, pg, people):
    """One stack for the rows."""
    file = AclFile(stage.folder("acl"))
    stack = Stack(stage.folder("table"), pg, people, core_options=["--acl-file", file.path], served_as="admin")
    stack.acl = file
    stack.start()
    yield stack
    stack.stop()


def identity(stack, client):
    """identity returns who the client is, as the default user sees it."""
    options = acl.CLIENTS[client]
    if "--uri" in options:
        return "uri:" + options[-1]
    if "--dns" in options:
        return "dns:" + options[-1]
    if "--email" in options:
        return "email:" + options[-1]
    return "cn:" + (options[-1][len("/CN="):].replace("\\", "") if options else client)


# --- rows ---------------------------------------------------------------------------------------------------------

def test_there_are_enough_rows():
    assert acl.count() >= 150


@pytest.mark.parametrize("lines, client, pairs", acl.rows(), ids=lambda v: v if isinstance(v, str) else "")
def test_rows(table, lines, client, pairs):
    table.acl.put(lines)
    with table.raw("admin") as admin:
        assert admin.ask("ACL", "LOAD") == "OK"
    name = identity(table, client)
    wrong = []
    with table.raw(client) as c:
        for command, outcome in pairs:
            reply = c.ask(*command)
            expected = acl.denial(outcome, name, lines)
            denied = isinstance(reply, Error) and reply.startswith("NOPERM")
            if (reply if denied else None) != expected:
                wrong.append((" ".join(command), reply, expected))
    assert not wrong, wrong


def test_without_a_file_everybody_may_do_everything(stack, certs):
    certs.client("anybody")
    with stack.raw("anybody") as c:
        assert c.ask("ACL", "WHOAMI") == b"cn:anybody"
        assert c.ask("ACL", "LIST") == [b"user default on ~* &* +@all"]
        assert c.ask("SET", "k", "v") == "OK"
        assert c.ask("ACL", "SAVE").startswith("ERR This Redis instance is not configured to use an ACL file")
        assert c.ask("ACL", "LOAD").startswith("ERR This Redis instance is not configured to use an ACL file")


# --- issuers --------------------------------------------------------------------------------------------------------

def test_a_user_is_bound_to_its_issuer(guarded, people, stage):
    """Two CAs are trusted; the same name from the other one is somebody else."""
    people.run("ca", "second")
    people.run("client", "twin", "--issuer", "second", "--subject", "/CN=worker")
    trust = stage.folder("trust") / "both.crt"
    trust.write_text(people.ca.read_text() + people.pair("second").cert.read_text())
    trust.chmod(0o644)
    first, second = (subprocess.run(["openssl", "x509", "-in", people.pair(ca).cert, "-noout", "-subject", "-nameopt",
                                     "RFC2253"], capture_output=True, text=True, check=True)
                     .stdout.strip().removeprefix("subject=") for ca in ("ca", "second"))
    stack = guarded(f'user cn:worker on ~* +@all "issuer={first}"\nuser cn:* on ~pub +get "issuer={second}"',
                    trust=["--client-ca", trust])
    with stack.raw("worker") as c, stack.raw("twin") as twin:
        assert c.ask("GET", "k") is None
        assert twin.ask("GET", "k") == "NOPERM User cn:worker has no permissions to access the 'k' key"
        assert twin.ask("GET", "pub") is None
    with stack.raw("admin") as admin:
        fields = admin.ask("ACL", "GETUSER", "cn:worker")
        assert fields[fields.index(b"issuer") + 1].decode() == first
        assert admin.ask("ACL", "DELUSER", "cn:*") == 1
    with stack.raw("twin") as twin:
        assert twin.ask("GET", "pub") == "NOPERM User cn:worker is not known, and the default user is off"


# --- live sessions ---------------------------------------------------------------------------------------------------

def test_changes_apply_to_live_sessions(guarded):
    stack = guarded("user cn:worker on ~a* +get +set +multi +exec +select")
    with stack.raw("admin") as admin, stack.raw("worker") as worker:
        assert worker.ask("SET", "a", "1") == "OK"
        assert admin.ask("ACL", "SETUSER", "cn:worker", "-set") == "OK"
        assert worker.ask("SET", "a", "2") == "NOPERM User cn:worker has no permissions to run the 'set' command"
        assert worker.ask("GET", "a") == b"1"
        assert admin.ask("ACL", "SETUSER", "cn:worker", "resetkeys", "~b*", "+set") == "OK"
        assert worker.ask("GET", "a") == "NOPERM User cn:worker has no permissions to access the 'a' key"
        assert worker.ask("SET", "b", "1") == "OK"
        # a rule that is wrong changes nothing
        assert admin.ask("ACL", "SETUSER", "cn:worker", "~*", "+nosuch") == \
            "ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL"
        assert worker.ask("GET", "a").startswith("NOPERM")
        # a more specific user takes over, and gives back
        assert admin.ask("ACL", "SETUSER", "cn:w*", "on", "~*", "+@all") == "OK"
        assert worker.ask("GET", "a").startswith("NOPERM")
        # turned off: closed, with a line in the log
        assert admin.ask("ACL", "SETUSER", "cn:worker", "off") == "OK"
        assert worker.at_end()
    stack.core.logged('session closed by the ACL session=[0-9]+ identity=cn:worker reason="its user was turned off"')


def test_channels(guarded):
    stack = guarded("user cn:worker on resetchannels &news &w:* +@all ~*")
    denied = "NOPERM User cn:worker has no permissions to access the '{}' channel"
    with stack.raw("worker") as c:
        assert c.ask("PUBLISH", "news", "x") == c.ask("PUBLISH", "w:1", "x") == c.ask("SPUBLISH", "w:2", "x") == 0
        assert c.ask("PUBLISH", "other", "x") == denied.format("other")
        assert c.ask("SPUBLISH", "other", "x") == denied.format("other")
        assert c.ask("SUBSCRIBE", "news", "other") == denied.format("other")
        assert c.ask("SSUBSCRIBE", "other") == denied.format("other")
        assert c.ask("PSUBSCRIBE", "w:*", "n*") == denied.format("n*")
        assert c.ask("PSUBSCRIBE", "__keyevent@*") == denied.format("__keyevent@*")
        assert c.ask("PUBSUB", "CHANNELS") == []
        assert c.ask("SUBSCRIBE", "news") == [b"subscribe", b"news", 1]
        assert c.ask("PSUBSCRIBE", "w:*") == [b"psubscribe", b"w:*", 2]
        assert c.ask("UNSUBSCRIBE", "other") == [b"unsubscribe", b"other", 2]


def test_a_subscriber_follows_its_user(guarded):
    """One that may not hear any more what it subscribed to is closed; the others stay."""
    stack = guarded("user cn:worker on &* +@all ~*")
    with stack.raw("admin") as admin, stack.raw("worker") as news, stack.raw("worker") as w, stack.raw("worker") as p:
        news.ask("SUBSCRIBE", "news")
        w.ask("SUBSCRIBE", "w:1")
        p.ask("PSUBSCRIBE", "w:*")
        assert admin.ask("ACL", "SETUSER", "cn:worker", "resetchannels", "&w:*") == "OK"
        assert news.at_end()
        assert admin.ask("PUBLISH", "w:1", "x") == 2
        assert w.read() == [b"message", b"w:1", b"x"] and p.read() == [b"pmessage", b"w:*", b"w:1", b"x"]
        assert admin.ask("ACL", "SETUSER", "cn:worker", "resetchannels", "&w:1") == "OK"
        assert p.at_end()
        assert admin.ask("PUBLISH", "w:1", "y") == 1 and w.read()[2] == b"y"


def test_tracking_names_no_key_that_may_not_be_read(guarded):
    """BCAST tells of keys that the client never named: of those it may GET."""
    stack = guarded("user cn:worker on &* +@all ~app:* %W~log:*")
    with stack.raw("admin") as admin, stack.raw("worker") as c:
        c.ask("HELLO", 3)
        assert c.ask("CLIENT", "TRACKING", "ON", "BCAST") == "OK"
        admin.ask("MSET", "app:1", 1, "log:1", 1, "secret", 1, "app:2", 1)
        assert c.read() == [b"invalidate", [b"app:1", b"app:2"]]
        admin.ask("SET", "secret", 2)
        admin.ask("SET", "app:3", 2)
        assert c.read() == [b"invalidate", [b"app:3"]]


def test_a_deleted_user_is_closed(guarded):
    stack = guarded("user cn:worker on ~* +@all\nuser uri:* on ~* +@all")
    with stack.raw("admin") as admin, stack.raw("worker") as worker, stack.raw("web") as web, stack.raw("web") as self:
        assert worker.ask("PING") == web.ask("PING") == self.ask("PING") == "PONG"
        assert admin.ask("ACL", "DELUSER", "cn:worker", "cn:nobody") == 1
        assert worker.at_end() and web.ask("PING") == "PONG"
        # whoever deletes itself gets the answer first, and nothing that it sent after that is run
        assert self.ask_all([["SET", "before", "1"], ["ACL", "DELUSER", "uri:*"]]) == ["OK", 1]
        assert self.at_end() and web.at_end()
        assert admin.ask("GET", "before") == b"1"
        assert admin.ask("ACL", "DELUSER", "default") == "ERR The 'default' user cannot be removed"
    stack.core.logged('identity=cn:worker reason="its user was deleted"')


def test_nothing_runs_after_one_turned_itself_off(guarded):
    stack = guarded("user cn:worker on ~* +@all")
    with stack.raw("admin") as admin, stack.raw("worker") as worker:
        worker.send_bytes(b"*4\r\n$3\r\nACL\r\n$7\r\nSETUSER\r\n$9\r\ncn:worker\r\n$3\r\noff\r\n"
                          b"*3\r\n$3\r\nSET\r\n$5\r\nafter\r\n$1\r\n1\r\n")
        assert worker.read() == "OK"
        assert worker.at_end()
        assert admin.ask("GET", "after") is None


def test_one_that_was_refused_is_let_in_later(guarded):
    """A client that connected while it was off, and said nothing, is served once it is on."""
    stack = guarded()
    with stack.raw("admin") as admin, stack.raw("worker") as worker:
        stack.core.logged("refused by the ACL .*identity=cn:worker .*reason=auth object=connect")
        assert admin.ask("ACL", "SETUSER", "cn:worker", "on", "~*", "+@all", "keyspace=w") == "OK"
        assert worker.ask("SET", "k", "w") == "OK"
        assert admin.ask("GET", "k") is None


def test_transactions(guarded):
    stack = guarded("user cn:worker on ~a* +get +set +multi +exec +discard +select db=0,2")
    with stack.raw("admin") as admin, stack.raw("worker") as worker:
        # at queueing: the transaction is spoilt
        assert worker.ask_all([["MULTI"], ["SET", "a", "1"], ["DEL", "a"], ["EXEC"]]) == [
            "OK", "QUEUED", "NOPERM User cn:worker has no permissions to run the 'del' command",
            "EXECABORT Transaction discarded because of previous errors."]
        # at EXEC: what is not allowed any more is answered in its place, the rest runs
        assert worker.ask_all([["MULTI"], ["SET", "a", "1"], ["GET", "a"]]) == ["OK", "QUEUED", "QUEUED"]
        assert admin.ask("ACL", "SETUSER", "cn:worker", "-set") == "OK"
        assert worker.ask("EXEC") == [
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This "
            "command is no longer allowed for the following reason: no permission to execute the command or "
            "subcommand", None]
        entry = admin.ask("ACL", "LOG", "1")[0]
        assert entry[entry.index(b"context") + 1] == b"multi" and entry[entry.index(b"object") + 1] == b"set"
        # EXEC itself
        assert worker.ask_all([["MULTI"], ["GET", "a"]]) == ["OK", "QUEUED"]
        assert admin.ask("ACL", "SETUSER", "cn:worker", "-exec") == "OK"
        assert worker.ask("EXEC") == "EXECABORT Transaction discarded because of: NOPERM User cn:worker has no " \
                                     "permissions to run the 'exec' command"
        assert worker.ask("GET", "a") is None
        # a SELECT that is queued moves what is queued after it
        assert admin.ask("ACL", "SETUSER", "cn:worker", "+exec", "+set", "db=2") == "OK"
        assert worker.ask("SET", "a", "1") == "NOPERM User cn:worker has no permissions to access database 0"
        assert worker.ask_all([["MULTI"], ["SELECT", "2"], ["SET", "a", "2"], ["EXEC"]]) == \
            ["OK", "QUEUED", "QUEUED", ["OK", "OK"]]
        assert admin.ask("SELECT", "2") == "OK" and admin.ask("GET", "a") == b"2"
        # what changes the ACL counts at once: it is not for transactions
        assert admin.ask_all([["MULTI"], ["ACL", "SETUSER", "x"], ["DISCARD"]])[1] == \
            "ERR Command not allowed inside a transaction"


def test_what_waits_is_asked_about_again(guarded):
    """Writes that are held up by a lock while the ACL changes: those not yet under way are refused."""
    stack = guarded("user cn:worker on ~* +@all")
    with stack.raw("admin") as admin, stack.psql() as psql:
        assert admin.ask("MSET", "a", "0", "b", "0", "c", "0") == "OK"
        psql.run("BEGIN")
        psql.run("SELECT key FROM cofre.entry FOR UPDATE")
        clients = [stack.raw("worker") for _ in range(4)]
        for n, client in enumerate(clients):  # two write lanes are taken, the rest waits
            client.send("SET", "abc"[n % 3], "1")
            time.sleep(0.1)
        assert admin.ask("ACL", "SETUSER", "cn:worker", "-set") == "OK"
        psql.run("ROLLBACK")
        replies = [client.read() for client in clients]
        for client in clients:
            client.close()
    denied = "NOPERM User cn:worker has no permissions to run the 'set' command"
    assert replies == ["OK", "OK", denied, denied]


# --- the file ---------------------------------------------------------------------------------------------------------

BAD_FILE = 'user cn:worker on +nosuch\n\nuser "cn:x on\nworker on\nuser cn:y >secret\nuser * on\nuser cn:admin off'
MISTAKES = [(2, "Error in applying operation '+nosuch': Unknown command or category name in ACL"),
            (4, "unbalanced quotes in acl line"),
            (5, "should start with user keyword followed by the username"),
            (6, "Error in applying operation '>(hidden)': There are no passwords here: a client is who its certificate "
                "says"),
            (7, "username '*' is not valid: A pattern of identities begins with a kind: uri:, dns:, email: or cn:"),
            (8, "Duplicate user 'cn:admin' found")]


def test_a_bad_file_at_the_start_is_exit_2_and_a_line_for_each_mistake(guarded):
    stack = guarded()
    stack.core.stop()
    stack.acl.put(BAD_FILE)
    stack.core.start(wait=False)
    assert stack.core.popen.wait(10) == 2
    said = [line for line in stack.core.since_start().splitlines() if line.startswith("cofre-core: ")]
    assert said == [f"cofre-core: {stack.acl.path}:{line}: {text}" for line, text in MISTAKES]


def test_a_file_that_cannot_be_read_is_exit_2(guarded):
    stack = guarded()
    stack.core.stop()
    stack.acl.path.unlink()
    stack.core.start(wait=False)
    assert stack.core.popen.wait(10) == 2
    assert f"cofre-core: --acl-file: Error loading ACLs, opening file '{stack.acl.path}': No such file or directory" \
        in stack.core.since_start()


def test_a_bad_reload_keeps_the_old_one(guarded):
    stack = guarded("user cn:worker on ~* +get")
    with stack.raw("admin") as admin, stack.raw("worker") as worker:
        before = admin.ask("ACL", "LIST")
        stack.acl.put(BAD_FILE)
        assert admin.ask("ACL", "LOAD") == "ERR " + "".join(
            f"{stack.acl.path}:{line}: {text}. " for line, text in MISTAKES) + \
            "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
        stack.core.signal(signal.SIGHUP)
        for line, _ in MISTAKES:
            stack.core.logged(f"error cofre-core: a mistake in the ACL file; the ACL stays as it was .*line={line} ")
        assert admin.ask("ACL", "LIST") == before
        assert worker.ask("GET", "k") is None
        stack.acl.put("user cn:worker on ~* +get +set")
        stack.core.signal(signal.SIGHUP)
        wait_until(lambda: worker.ask("SET", "k", "v") == "OK", 5, "the new ACL")
        assert worker.ask("GET", "k") == b"v"


def test_reload_under_load(guarded):
    """The file is loaded a hundred times; no request of those who stay allowed fails, others come and go."""
    rules = ["~* +get +set +ping", "~* +@all -flushall"]
    stack = guarded("user cn:worker on " + rules[0])
    failures, done, stop = [], [0] * 6, threading.Event()

    def work(n):
        with stack.raw("worker" if n % 2 else "admin") as c:
            while not stop.is_set():
                replies = c.ask_all([["SET", f"k{n}", done[n]], ["GET", f"k{n}"]])
                if replies != ["OK", str(done[n]).encode()]:
                    failures.append(replies)
                done[n] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(done))]
    for t in threads:
        t.start()
    try:
        with stack.raw("admin") as admin:
            for n in range(100):
                before = sum(done)
                web = "user uri:spiffe://prod/web on ~* +get\n" if n % 2 else ""
                stack.acl.put(f"{web}user cn:worker on {rules[n % 2]}\nuser uri:* off")
                if n % 3:
                    assert admin.ask("ACL", "LOAD") == "OK"
                else:
                    stack.core.signal(signal.SIGHUP)
                wait_until(lambda: (b"user uri:spiffe://prod/web on ~* resetchannels -@all +get" in
                                    admin.ask("ACL", "LIST")) == bool(web), 5, "the new file", 0.005)
                with stack.raw("web") as c:
                    reply = c.ask("GET", "k1")
                    assert isinstance(reply, Error) != bool(web), (n, reply)
                wait_until(lambda: sum(done) > before or failures, 5, "the load to go on", 0.002)
                assert not failures, failures[:3]
    finally:
        stop.set()
        for t in threads:
            t.join(30)
    assert not failures and all(done), (failures[:3], done)


def test_save(guarded):
    stack = guarded("user cn:worker on ~* +get\n# a comment")
    with stack.raw("admin") as admin:
        assert admin.ask("ACL", "SETUSER", "cn:Andrei Silva", "on", "~a*", "(+set ~b)", "keyspace=k", "db=1-3",
                         "issuer=CN=My CA") == "OK"
        before = admin.ask("ACL", "LIST")
        mode = stack.acl.path.stat().st_mode
        assert admin.ask("ACL", "SAVE") == "OK"
        assert stack.acl.text().encode() == b"".join(line + b"\n" for line in before)
        assert stack.acl.path.stat().st_mode == mode
        assert admin.ask("ACL", "LOAD") == "OK"
        assert admin.ask("ACL", "LIST") == before
        assert [p.name for p in stack.acl.path.parent.iterdir()] == ["users.acl"]
        # where the core may not write, the old file stays
        if am_root():
            stack.acl.path.parent.chmod(0o755)
            assert admin.ask("ACL", "SETUSER", "cn:worker", "off") == "OK"
            assert admin.ask("ACL", "SAVE") == f"ERR There was an error trying to save the ACLs: {stack.acl.path}: " \
                                               "Permission denied"
            assert stack.acl.text().encode() == b"".join(line + b"\n" for line in before)
    stack.core.stop()
    stack.core.start()
    with stack.raw("admin") as admin:
        assert admin.served().ask("ACL", "LIST") == before


def test_names_without_a_kind_are_warned_about(guarded):
    stack = guarded("user alice on nopass ~* +@all")
    stack.core.logged("warning cofre-core: no certificate has this name.* user=alice")


# --- ACL LOG, clients ---------------------------------------------------------------------------------------------------

def fields(entry):
    return {entry[i].decode(): entry[i + 1] for i in range(0, len(entry), 2)}


def test_log(guarded):
    stack = guarded("user cn:worker on ~a +get +client +multi +select +auth db=0")
    with stack.raw("admin") as admin, stack.raw("worker") as worker:
        assert admin.ask("ACL", "LOG", "RESET") == "OK"
        assert worker.ask("CLIENT", "SETNAME", "grumpy") == "OK"
        for command in (["GET", "b"], ["GET", "b"], ["SET", "a", "1"], ["CONFIG", "GET", "x"], ["SELECT", "3"],
                        ["MULTI"], ["SET", "a", "1"]):
            worker.ask(*command)
        worker.ask("AUTH", "cn:admin", "x")  # queued: MULTI goes on
        with stack.raw("worker") as other:
            assert other.ask("AUTH", "cn:admin", "guess").startswith("WRONGPASS")
        got = [(f["reason"], f["context"], f["object"], f["username"], f["count"])
               for f in map(fields, admin.ask("ACL", "LOG"))]
        assert got == [(b"auth", b"toplevel", b"AUTH", b"cn:admin", 1),
                       (b"command", b"multi", b"set", b"cn:worker", 1),
                       (b"database", b"toplevel", b"3", b"cn:worker", 1),
                       (b"command", b"toplevel", b"config|get", b"cn:worker", 1),
                       (b"command", b"toplevel", b"set", b"cn:worker", 1),
                       (b"key", b"toplevel", b"b", b"cn:worker", 2)]
        entry = fields(admin.ask("ACL", "LOG")[-1])
        assert b" name=grumpy " in entry["client-info"] and b"identity=cn:worker" in entry["client-info"]
        assert float(entry["age-seconds"]) < 60
        with stack.raw("web") as stranger:
            assert stranger.ask("PING").startswith("NOPERM")
        assert fields(admin.ask("ACL", "LOG", "1")[0])["object"] == b"connect"


def test_dryrun_shows_what_an_identity_may(guarded):
    stack = guarded("user uri:spiffe://prod/* on ~p +get\nuser default on ~d +get")
    with stack.raw("admin") as admin:
        assert admin.ask("ACL", "DRYRUN", "uri:spiffe://prod/any", "GET", "p") == "OK"
        assert admin.ask("ACL", "DRYRUN", "uri:spiffe://prod/any", "GET", "d") == \
            b"This user has no permissions to access the 'd' key"
        assert admin.ask("ACL", "DRYRUN", "cn:anyone", "GET", "d") == "OK"
        assert admin.ask("ACL", "DRYRUN", "anyone", "GET", "d") == "ERR User 'anyone' not found"


def test_python_redis(guarded):
    """python3-redis's own ACL methods."""
    stack = guarded("user cn:worker on ~a* +get (+set ~b*)")
    with stack.client("admin") as c:
        assert c.acl_whoami() == "cn:admin"
        assert sorted(c.acl_users()) == ["cn:admin", "cn:worker", "default"]
        assert "user cn:worker on ~a* resetchannels -@all +get (~b* resetchannels -@all +set)" in c.acl_list()
        user = c.acl_getuser("cn:worker")
        assert user["flags"] == ["on"] and user["enabled"] and user["commands"] == ["+get"]
        assert c.acl_setuser("cn:new", enabled=True, commands=["+get"], keys=["n*"])
        assert c.acl_getuser("cn:new")["enabled"]
        assert c.acl_deluser("cn:new") == 1
        assert {"keyspace", "string", "scripting"} <= set(c.acl_cat())
        assert {"get", "set", "mget"} <= set(c.acl_cat("string"))
        assert len(c.execute_command("ACL GENPASS", 128)) == 32
        assert c.acl_log_reset()
        with stack.client("worker") as w:
            with pytest.raises(Exception, match="has no permissions to run the 'del' command"):
                w.delete("a")
        assert c.acl_log(1)[0]["username"] == "cn:worker"
        assert c.acl_save() and c.acl_load()
    with stack.client("web") as c, pytest.raises(Exception, match="is not known, and the default user is off"):
        c.ping()


def test_find_shows_only_values_that_may_be_read(guarded):
    stack = guarded("user cn:worker on %R~a:* %W~b:* +find +keys")
    with stack.raw("admin") as admin, stack.raw("worker") as worker:
        assert admin.ask("MSET", "a:1", "secret one", "b:1", "secret two", "c:1", "secret three") == "OK"
        assert worker.ask("FIND", "secret%") == [b"0", [b"a:1", b"secret one"]]
        assert sorted(worker.ask("KEYS", "*")) == [b"a:1", b"b:1", b"c:1"]


def test_a_session_keeps_its_rights_over_a_restart_of_the_core(guarded):
    stack = guarded("user cn:worker on ~* +@all keyspace=w\nuser cn:admin2 off")
    with stack.raw("admin") as admin, stack.raw("worker") as worker:
        assert worker.ask_all([["SELECT", "3"], ["SET", "k", "w"]]) == ["OK", "OK"]
        stack.core.kill()
        stack.acl.put("user cn:worker on ~k +get keyspace=w")
        stack.core.start()
        assert worker.served().ask("GET", "k") == b"w"
        assert worker.ask("SET", "k", "x") == "NOPERM User cn:worker has no permissions to run the 'set' command"
        assert admin.served().ask("SELECT", "3") == "OK" and admin.ask("GET", "k") is None


def test_closing_is_seen_as_the_end(guarded):
    """A client that waits for a reply when its user is deleted finds the connection closed, not a wrong reply."""
    stack = guarded("user cn:worker on ~* +@all")
    with stack.raw("admin") as admin, stack.raw("worker") as worker, stack.psql() as psql:
        assert admin.ask("SET", "a", "0") == "OK"
        psql.run("BEGIN")
        psql.run("SELECT key FROM cofre.entry FOR UPDATE")
        worker.send("SET", "a", "1")
        time.sleep(0.2)
        assert admin.ask("ACL", "DELUSER", "cn:worker") == 1
        psql.run("ROLLBACK")
        with pytest.raises(Closed):
            worker.read()
    assert os.path.exists(stack.core.log) and stack.core.running
