"""Wrong or missing options and files: one clear line and exit 2, or, where it can heal, it retries and says so."""
import os
import re
import socket
import subprocess

import pytest

from support import stack as support
from support.stack import BUILD, CORE_USER, GATEWAY_USER, am_root, program, wait_until


def run(argv, user=None, env=None, timeout=15):
    """run starts a program that should end by itself; returns (exit code, what it said)."""
    command = ["setpriv"]
    if am_root() and user:
        command += ["--reuid", user, "--regid", user, "--clear-groups"]
    done = subprocess.run([*command, "--", *map(str, argv)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, cwd="/", env={**os.environ, **(env or {})})
    return done.returncode, done.stderr + done.stdout


def refused(argv, *words, user=None):
    """refused: exit 2 and one line on standard error, in which every word occurs."""
    code, said = run(argv, user)
    assert code == 2, (code, said)
    lines = said.strip().splitlines()
    assert len(lines) == 1 and "Sanitizer" not in said, said
    for word in words:
        assert re.search(word, said), f"{word!r} is not in {said!r}"


@pytest.fixture
def core_argv(stage, pg):
    core = support.Core(stage.folder("options"), pg.conninfo(pg.create_database()))
    return core.argv


@pytest.fixture
def gateway_argv(stage, certs, shared):
    gateway = support.Gateway(stage.folder("options"), shared.core.socket, certs)
    return gateway.argv


def replaced(argv, option, value):
    """replaced returns argv with another value for an option; None takes it away."""
    argv = list(argv)
    at = argv.index(option)
    argv[at:at + 2] = [] if value is None else [option, str(value)]
    return argv


@pytest.mark.parametrize("path", ["core/cofre-core", "gateway/cofre-gateway", "client/cofre"])
def test_help_and_version(path):
    code, said = run([BUILD / path, "--help"])
    assert code == 0
    listed = set(re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)", said, re.M))
    assert {"core/cofre-core": {"--socket", "--database", "--gateway-user", "--user", "--pool-size", "--max-key",
                                "--max-value", "--store-timeout", "--create-schema", "--log-level", "--log-format", "--config"},
            "gateway/cofre-gateway": {"--listen", "--core", "--cert", "--key", "--client-ca", "--client-pin", "--crl",
                                      "--identity", "--workers", "--max-connections", "--handshake-timeout",
                                      "--idle-timeout", "--drain-timeout", "--max-request", "--user", "--watch", "--keylog",
                                      "--check", "--log-level", "--log-format", "--config"},
            "client/cofre": {"--cert", "--key", "--cacert", "--pin", "--sni", "--raw", "--json"}}[path] <= listed
    code, said = run([BUILD / path, "--version"])
    assert code == 0 and re.search(r"\d+\.\d+\.\d+", said)


@pytest.mark.parametrize("path", ["core/cofre-core", "gateway/cofre-gateway"])
@pytest.mark.parametrize("extra, named", [
    (["--no-such-option"], "--no-such-option"),
    (["--no-such-option=1"], "--no-such-option"),
    (["operand"], "operand"),
    (["--log-level", "loud"], "log-level.*|loud"),
    (["--log-level"], "log-level"),
    (["--config", "/nonexistent/cofre.conf"], "/nonexistent/cofre.conf"),
    (["--config", "/"], "/"),
], ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_bad_options(path, extra, named, stage):
    refused([program(path, stage.directory), *extra], named, user=CORE_USER)


@pytest.mark.parametrize("option, value", [
    ("--pool-size", "0"), ("--pool-size", "many"), ("--pool-size", "1x"), ("--pool-size", "99999999999999999999"),
    ("--max-key", "-1"), ("--store-timeout", "soon"), ("--gateway-user", "no-such-user"), ("--user", "no-such-user")])
def test_bad_values_core(core_argv, option, value):
    # --user counts for root alone: nobody else could become another user.
    refused([*core_argv, option, value], option.strip("-"), user=None if option == "--user" else CORE_USER)


@pytest.mark.parametrize("option, value", [
    ("--workers", "-1"), ("--max-connections", "0"), ("--handshake-timeout", "x"), ("--listen", "nowhere"),
    ("--listen", "127.0.0.1:99999"), ("--listen", "127.0.0.1:"), ("--identity", "name"), ("--user", "no-such-user")])
def test_bad_values_gateway(gateway_argv, option, value):
    refused([*gateway_argv, option, value], option.strip("-"), user=GATEWAY_USER)


@pytest.mark.parametrize("option", ["--core", "--cert", "--key", "--client-ca"])
def test_missing_options_gateway(gateway_argv, option):
    refused(replaced(gateway_argv, option, None), option.strip("-"), user=GATEWAY_USER)


def test_a_connection_string_that_cannot_be_parsed(core_argv):
    refused([*core_argv, "--database", "host=/x nonsense"], "--database|nonsense", user=CORE_USER)


def test_a_configuration_file_with_a_mistake(core_argv):
    config = core_argv[core_argv.index("--config") + 1]
    with open(config, "a") as f:
        f.write("\nno-such-key = 1\n")
    refused(core_argv, "no-such-key", config, user=CORE_USER)


def test_the_command_line_wins_over_the_file(new_stack):
    stack = new_stack(core_options=["--max-key", "20"])
    with open(stack.core.config, "a") as f:
        f.write("max-key = 10\n")
    stack.core.stop()
    stack.core.start()
    with stack.raw() as r:
        support.wait_until(lambda: r.ask("SET", "k" * 20, "v") == "OK", 5, "the core to be back")
        assert r.ask("SET", "k" * 21, "v").startswith("ERR")


@pytest.mark.parametrize("option", ["--cert", "--key", "--client-ca"])
def test_unreadable_files(gateway_argv, option, tmp_path):
    refused(replaced(gateway_argv, option, "/nonexistent/file.pem"), "/nonexistent/file.pem", "(?i)no such file",
            user=GATEWAY_USER)
    if am_root():
        path = os.path.join(os.path.dirname(gateway_argv[gateway_argv.index("--cert") + 1]), "secret.pem")
        with open(path, "w") as f:
            f.write("secret")
        os.chmod(path, 0)
        refused(replaced(gateway_argv, option, path), "secret.pem", "(?i)permission denied", user=GATEWAY_USER)
    refused(replaced(gateway_argv, option, "/"), option.strip("-") + "|/", user=GATEWAY_USER)


@pytest.mark.parametrize("option", ["--cert", "--key", "--client-ca"])
@pytest.mark.parametrize("content", [b"", b"rubbish\n", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                                     b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\0" * 100],
                         ids=["empty", "rubbish", "no certificate inside", "no key inside", "zeros"])
def test_rubbish_files(gateway_argv, option, content):
    path = gateway_argv[gateway_argv.index(option) + 1]
    with open(path, "wb") as f:
        f.write(content)
    refused(gateway_argv, os.path.basename(path), user=GATEWAY_USER)


def test_a_key_that_does_not_fit(gateway_argv, certs):
    path = gateway_argv[gateway_argv.index("--key") + 1]
    with open(path, "wb") as f:
        f.write(certs.client("bob").key.read_bytes())
    refused(gateway_argv, "server.key|server.crt", "(?i)match|fit|belong", user=GATEWAY_USER)


def test_an_expired_server_certificate(gateway_argv, certs):
    certs.run("server", "past", "localhost", "--not-before", "2020-01-01", "--not-after", "2020-02-01", check=False)
    for option, name in (("--cert", "past.crt"), ("--key", "past.key")):
        with open(gateway_argv[gateway_argv.index(option) + 1], "wb") as f:
            f.write((certs.directory / name).read_bytes())
    refused(gateway_argv, "server.crt", "(?i)expired", user=GATEWAY_USER)


def test_two_certs_and_one_key(gateway_argv):
    refused([*gateway_argv, "--cert", gateway_argv[gateway_argv.index("--cert") + 1]], "cert", "key", user=GATEWAY_USER)


def test_check_says_what_the_files_hold(gateway_argv):
    code, said = run([*gateway_argv, "--check"], GATEWAY_USER)
    assert code == 0 and "localhost" in said, said
    argv = replaced(gateway_argv, "--key", "/nonexistent/server.key")
    refused([*argv, "--check"], "/nonexistent/server.key", user=GATEWAY_USER)


def test_the_port_is_taken(gateway_argv):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        refused(replaced(gateway_argv, "--listen", address), address, "(?i)in use", user=GATEWAY_USER)


def test_the_socket_is_in_use(core_argv, shared):
    refused(replaced(core_argv, "--socket", shared.core.socket), str(shared.core.socket), "(?i)another core|in use|already|running",
            user=CORE_USER)
    assert shared.alive(), "the core that was there goes on"


def test_the_socket_path_is_something_else(core_argv, stage):
    folder = stage.folder("occupied")
    (folder / "file").write_text("precious")
    refused(replaced(core_argv, "--socket", folder / "file"), str(folder / "file"), user=CORE_USER)
    assert (folder / "file").read_text() == "precious"
    refused(replaced(core_argv, "--socket", "/nonexistent/core.sock"), "/nonexistent/core.sock", user=CORE_USER)
    refused(replaced(core_argv, "--socket", "/tmp/" + "x" * 200), "(?i)long", user=CORE_USER)


def test_a_socket_left_by_a_dead_core_is_taken_over(new_stack):
    stack = new_stack()
    stack.core.kill()
    assert stack.core.socket.exists()
    stack.core.start()
    wait_until(stack.alive, 10, "to be served")
    stack.core.stop()
    assert not stack.core.socket.exists(), "a clean stop removes it"


def test_the_database_has_no_schema(core_argv):
    refused(core_argv, "(?i)schema", "--create-schema", user=CORE_USER)


@pytest.mark.parametrize("version", [0, 999])
def test_the_schema_has_another_version(core_argv, pg, stage, version):
    database = pg.create_database()
    core = support.Core(stage.folder("version"), pg.conninfo(database))
    core.create_schema()
    pg.sql(f"UPDATE cofre.schema SET version = {version}", database)
    refused(core.argv, "(?i)schema", str(version), user=CORE_USER)
    if version == 999:
        refused([*core.argv, "--create-schema"], "(?i)schema", str(version), user=CORE_USER)


def test_create_schema_twice_is_fine_and_keeps_data(new_stack):
    stack = new_stack()
    with stack.client() as c:
        c.set("k", "v")
    stack.core.stop()
    stack.core.create_schema()
    stack.core.start()
    wait_until(stack.alive, 10, "to be served")
    with stack.client() as c:
        assert c.get("k") == b"v"


def test_the_database_is_down_at_the_start(stage, certs):
    """It waits, says so, lets clients in, answers what needs no database, and heals by itself."""
    own = support.Postgres(stage.directory, "pg-down")
    stack = support.Stack(stage.folder("down"), own, certs)
    stack.core.create_schema()
    own.stop()
    stack.core.start(wait=False)
    stack.gateway.start(wait=False)
    try:
        stack.core.logged("(?i)(warning|error|info) .*(connect|database).*", 10)
        assert stack.core.running
        own.start()
        wait_until(stack.alive, 20, "to be served")
        with stack.client() as c:
            wait_until(lambda: c.set("k", "v"), 10, "writes to work")
    finally:
        stack.stop()
        own.stop()


def test_a_wrong_password_is_said(core_argv, stage):
    """The operator may mend it on the server's side: it goes on trying, but says what PostgreSQL said."""
    config = core_argv[core_argv.index("--config") + 1]
    text = open(config).read()
    with open(config, "w") as f:
        f.write(text.replace(support.PASSWORD, "wrong"))
    core = support.Process(core_argv, stage.folder("wrong") / "core.log", support.ensure_user(CORE_USER))
    core.start()
    try:
        core.logged("(?i)password authentication failed")
        assert core.running or core.popen.returncode == 2
    finally:
        core.kill()


def test_synchronous_commit_is_asked_for(new_stack):
    """Whatever the database's owner has set: the sessions of the core are synchronous."""
    stack = new_stack()
    stack.core.stop()
    stack.pg.sql(f"ALTER DATABASE {stack.database} SET synchronous_commit = off")
    stack.core.start()
    with stack.raw() as r, stack.psql() as locker:
        wait_until(lambda: r.ask("SET", "k", "v") == "OK", 10, "to be served")
        # What a session has set is not visible from outside: a trigger tells from inside the transaction.
        locker.run("CREATE TABLE public.seen AS SELECT current_setting('synchronous_commit') AS setting")
        locker.run("CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
                   " INSERT INTO public.seen SELECT current_setting('synchronous_commit'); RETURN NULL; END $$")
        locker.run("CREATE TRIGGER look AFTER INSERT OR UPDATE ON cofre.entry EXECUTE FUNCTION public.look()")
        locker.run("DELETE FROM public.seen")
        assert r.ask("SET", "k", "w") == "OK"
        assert set(locker.run("SELECT setting FROM public.seen")) <= {"on", "remote_apply", "remote_write", "local"} - {"off"}
        assert locker.run("SELECT count(*) > 0 FROM public.seen") == ["t"]


def test_the_gateway_waits_for_its_core(new_stack):
    """No core yet: clients come in, are told TRYAGAIN, and are served once it is there."""
    stack = new_stack()
    stack.core.stop()
    stack.gateway.stop()
    stack.gateway.start()
    with stack.raw() as r:
        assert r.ask("GET", "k").startswith("TRYAGAIN")
        stack.core.start()
        wait_until(lambda: r.ask("GET", "k") is None, 10, "to be served")


def test_stopping_is_clean(new_stack):
    stack = new_stack()
    with stack.raw() as r:
        assert r.ask("SET", "k", "v") == "OK"
        assert stack.gateway.stop() == 0 and stack.core.stop() == 0
        assert r.at_end()
    for process in stack.processes():
        assert "error" not in process.since_start().lower()
