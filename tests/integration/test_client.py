"""The cofre command: output and exit codes fit for scripts, and one plain sentence for each thing that goes wrong."""
import json
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

from support import stack as support
from support.certificates import Certificates, self_signed
from support.stack import BUILD, free_port, wait_until

PROGRAM = BUILD / "client" / "cofre"
OK, SERVER_SAID_NO, USAGE, NO_CONNECTION = 0, 1, 2, 3


@pytest.fixture(scope="module", autouse=True)
def only_ours(request):
    if request.config.getoption("--against-redis"):
        pytest.skip("our own client")


class Cofre:
    """Runs the client against a stack, with options before the command."""

    def __init__(self, stack, **files):
        pair = stack.certs.client("alice")
        self.options = {"-h": "localhost", "-p": stack.port, "--cert": pair.cert, "--key": pair.key,
                        "--cacert": stack.certs.ca}
        self.options.update(files)

    def __call__(self, *args, stdin=b"", env=None, **changes):
        options = {**self.options, **{"--" + k: v for k, v in changes.items()}}
        argv = [PROGRAM] + [str(x) for k, v in options.items() if v is not None for x in (k, v)] + list(args)
        return subprocess.run(argv, input=stdin, capture_output=True, timeout=30,
                              env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})})

    def follow(self, *args):
        """follow starts a command whose output has no end."""
        argv = [PROGRAM] + [str(x) for k, v in self.options.items() for x in (k, v)] + list(args)
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)

    def fails(self, code, *words, args=("PING",), **changes):
        """fails: this exit code, nothing on standard output, one sentence with these words on standard error."""
        done = self(*args, **changes)
        said = done.stderr.decode()
        assert done.returncode == code, (done.returncode, said)
        assert done.stdout == b"" and said.startswith("cofre: ") and said.count("\n") == 1, said
        for word in words:
            assert re.search(word, said), f"{word!r} is not in {said!r}"
        return said


@pytest.fixture
def cofre(stack):
    return Cofre(stack)


def test_one_shot(cofre):
    done = cofre("SET", "greeting", "olá")
    assert (done.returncode, done.stdout, done.stderr) == (OK, b"OK\n", b"")
    assert cofre("GET", "greeting").stdout == "olá\n".encode()
    assert cofre("--no-raw", "GET", "greeting").stdout == '"olá"\n'.encode()
    assert cofre("--no-raw", "GET", "missing").stdout == b"(nil)\n"
    assert cofre("--no-raw", "INCR", "n").stdout == b"(integer) 1\n"
    assert cofre("INCR", "n").stdout == b"2\n"
    assert cofre("--no-raw", "MGET", "n", "missing").stdout == b'1) "2"\n2) (nil)\n'
    assert cofre("--no-raw", "KEYS", "none*").stdout == b"(empty array)\n"


def test_output_is_redis_clis(cofre, stack):
    """Byte for byte, for a few replies of each kind."""
    stack.cli("MSET", "a", "1", "b", "two words", "c", "line\nline")
    for command in (["GET", "a"], ["MGET", "a", "b", "c", "d"], ["TTL", "a"], ["PING"], ["GET", "d"], ["COMMAND", "COUNT"],
                    ["COMMAND", "INFO", "get", "nosuch"], ["ECHO", "\x1b[0m\t\\"]):
        for form in ("--raw", "--no-raw"):
            ours, theirs = cofre(form, *command).stdout.decode(), stack.cli(form, *command)
            # Redis's formatted output ends lists with a newline, raw output of an empty reply too.
            assert ours == theirs, (form, command)


def test_binary_goes_in_and_out_unchanged(cofre):
    data = bytes(range(256)) * 40
    assert cofre("-x", "SET", "bin", stdin=data).stdout == b"OK\n"
    assert cofre("--raw", "GET", "bin").stdout == data + b"\n"
    assert cofre("--no-raw", "GETRANGE", "bin", "0", "3").stdout == b'"\\x00\\x01\\x02\\x03"\n'


def test_json(cofre):
    cofre("MSET", "a", "olá", "n", "1")
    cofre("-x", "SET", "bin", stdin=b"\xff\x00")
    assert json.loads(cofre("--json", "MGET", "a", "n", "missing", "bin").stdout) == ["olá", "1", None, {"base64": "/wA="}]
    assert json.loads(cofre("--json", "INCR", "n").stdout) == 2
    assert json.loads(cofre("--json", "CONFIG", "GET", "databases").stdout) == {"databases": "16"}
    found = json.loads(cofre("--json", "FIND", "OL%").stdout)
    assert found == ["0", ["a", "olá"]]


def test_exit_codes(cofre):
    done = cofre("NOSUCH")
    assert done.returncode == SERVER_SAID_NO and done.stdout == b"" and b"unknown command 'NOSUCH'" in done.stderr
    cofre("SET", "s", "text")
    done = cofre("INCR", "s")
    assert done.returncode == SERVER_SAID_NO and b"not an integer" in done.stderr
    assert cofre("GET", "missing").returncode == OK
    assert cofre("--no-such-option", "PING").returncode == USAGE


def test_databases_and_protocols(cofre):
    assert cofre("-n", "5", "SET", "k", "five").returncode == OK
    assert cofre("GET", "k").stdout == b"\n" and cofre("-n", "5", "GET", "k").stdout == b"five\n"
    assert cofre("-3", "PING").stdout == b"PONG\n"
    assert cofre("-n", "77", "PING").returncode != OK


def test_defaults_from_the_environment(cofre, stack):
    pair = stack.certs.client("alice")
    env = {"COFRE_HOST": "localhost", "COFRE_PORT": str(stack.port), "COFRE_CERT": str(pair.cert), "COFRE_KEY": str(pair.key),
           "COFRE_CACERT": str(stack.certs.ca)}
    done = subprocess.run([PROGRAM, "PING"], capture_output=True, env={**os.environ, **env})
    assert (done.returncode, done.stdout) == (OK, b"PONG\n"), done.stderr


def test_commands_from_a_pipe(cofre):
    done = cofre(stdin=b'SET a "1 2"\nGET a\nMULTI\nINCR n\nINCR n\nEXEC\n\nGET a\n')
    assert done.returncode == OK, done.stderr
    assert done.stdout == b"OK\n1 2\nOK\nQUEUED\nQUEUED\n1\n2\n1 2\n"
    done = cofre(stdin=b"NOSUCH\nSET b 2\n")
    assert done.returncode == SERVER_SAID_NO and b"unknown command" in done.stderr


def test_help_for_a_command(cofre):
    done = cofre("help", "set")
    assert done.returncode == OK and b"SET key value" in done.stdout


def test_the_menu(cofre):
    """The guided menu of the first version: insert, select by key and by value, update, delete, exit."""
    lines = ["2", "1", "ANDREI", "2", "2", "JOAO", "2", "1", "AGAIN", "3", "2", "Joao", "4", "1", "5"]
    done = cofre("menu", stdin=("\n".join(lines) + "\n").encode())
    said = done.stdout.decode()
    assert done.returncode == OK, (said, done.stderr)
    for entry in ("Select", "Insert", "Update", "Delete", "Exit"):
        assert re.search(rf"\d\s*-\s*{entry}", said), said
    assert re.search("(?i)exists|already", said + done.stderr.decode()), "Insert fails on an existing key"
    assert cofre("GET", "2").stdout == b"Joao\n" and cofre("EXISTS", "1").stdout == b"0\n"


# What goes wrong: exit 3, and one sentence that says what to do

def test_a_closed_port(cofre):
    cofre.fails(NO_CONNECTION, "(?i)refused|nothing.*listen|not running", **{"-p": None}, args=("-p", str(free_port()), "PING"))


def test_an_unknown_host(cofre):
    cofre.fails(NO_CONNECTION, "no-such-host.invalid", args=("-h", "no-such-host.invalid", "PING"))


@pytest.mark.parametrize("which", ["unknown CA", "expired", "self-signed", "server-purpose"])
def test_a_refused_certificate(cofre, stage, certs, which):
    """TLS 1.3 reports it at the first read only."""
    other = Certificates(stage.folder("refused") / "certs")
    if which == "unknown CA":
        pair = other.client("alice")
    elif which == "self-signed":
        pair = self_signed(other.directory, "alice")
    else:
        name = f"client-{which}"
        options = ["--not-before", "2020-01-01", "--not-after", "2020-02-01"] if which == "expired" else ["--purpose", "server"]
        pair = certs.client(name, *options)
    cofre.fails(NO_CONNECTION, "(?i)certificate", "(?i)expired" if which == "expired" else "(?i)refused|rejected|not accept|trust",
                cert=pair.cert, key=pair.key)


def test_a_wrong_server(cofre, stage, certs):
    other = Certificates(stage.folder("wrong") / "certs")
    cofre.fails(NO_CONNECTION, "--cacert|CA", cacert=other.ca)
    other.run("self-signed", "impostor")
    cofre.fails(NO_CONNECTION, "(?i)pin", cacert=None, pin=other.pair("impostor").cert)
    cofre.fails(NO_CONNECTION, "elsewhere.internal", sni="elsewhere.internal")


def test_an_expired_server(new_stack, certs, stage):
    """The gateway refuses to start with one; it may expire while it runs."""
    certs.run("server", "short", "localhost", "127.0.0.1", "--not-after", "+4 seconds", check=False)
    stack = new_stack(server=certs.pair("short"))
    cofre = Cofre(stack)
    assert cofre("PING").stdout == b"PONG\n"
    wait_until(lambda: cofre("PING").returncode != OK, 10, "the server's certificate to expire", 0.5)
    cofre.fails(NO_CONNECTION, "(?i)expired")


def test_a_pinned_server(stack):
    cofre = Cofre(stack, **{"--cacert": None, "--pin": stack.certs.server.cert})
    assert cofre("PING").stdout == b"PONG\n"


def test_pinning_is_not_loading_a_ca(stage, pg, certs):
    """A server certificate issued by the pinned self-signed one is a stranger."""
    directory = stage.folder("pinning")
    other = Certificates(directory / "certs")
    other.run("self-signed", "pinned", "localhost")
    other.run("server", "minted", "localhost", "--issuer", "pinned", "--force")
    stack = support.Stack(directory, pg, certs, server=other.pair("minted"))
    stack.alive = lambda *_: True
    stack.start()
    try:
        Cofre(stack).fails(NO_CONNECTION, "(?i)pin", cacert=None, pin=other.pair("pinned").cert)
    finally:
        stack.stop()


def test_bad_files(cofre, stage):
    folder = stage.folder("files")
    rubbish = folder / "rubbish.pem"
    rubbish.write_text("rubbish\n")
    for option in ("cert", "key", "cacert"):
        cofre.fails(USAGE, "/nonexistent.pem", **{option: "/nonexistent.pem"})
        cofre.fails(USAGE, "rubbish.pem", **{option: rubbish})
    cofre.fails(USAGE, "--cert", cert=None, key=None)
    cofre.fails(USAGE, "--cacert", "--pin", cacert=None)
    cofre.fails(USAGE, "(?i)key", key=cofre_key(stage))


def cofre_key(stage):
    other = Certificates(stage.folder("another") / "certs")
    return other.client("bob").key


def test_not_a_tls_server(cofre):
    """Something else on that port, which answers in its own way or not at all."""
    def serve(listener, answer):
        connection, _ = listener.accept()
        with connection:
            connection.sendall(answer)
            connection.recv(1000)
            if not answer:
                threading.Event().wait(3)
    for answer, words in ((b"-ERR plain redis\r\n" * 3, "(?i)tls"), (b"", "(?i)time|answer|respond")):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
            cofre.fails(NO_CONNECTION, words, args=("-h", "127.0.0.1", "-t", "1", "-p", str(listener.getsockname()[1]), "PING"))


@pytest.mark.parametrize("options", [(), ("-3",), ("--json",)], ids=["RESP2", "RESP3", "JSON"])
def test_monitor_until_interrupted(stack, cofre, options):
    """Each line as it comes, also into a pipe; the signal ends it as it ends any program."""
    following = cofre.follow(*options, "monitor")
    try:
        assert following.stdout.readline().strip() in (b"OK", b'"OK"')
        with stack.raw() as r:
            r.ask("SET", "k", "v")
            assert re.search(rb'SET.*k.*v', following.stdout.readline())
            r.ask("GET", "k")
            assert re.search(rb'GET.*k', following.stdout.readline())
        following.send_signal(signal.SIGINT)
        assert following.wait(10) == -signal.SIGINT and following.stderr.read() == b""
    finally:
        following.kill()
        following.communicate()


@pytest.mark.parametrize("options", [(), ("-3",)], ids=["RESP2", "RESP3"])
def test_subscribe_until_interrupted(stack, cofre, options):
    with stack.raw() as r:
        if r.ask("COMMAND", "INFO", "subscribe") == [None]:
            pytest.skip("no SUBSCRIBE yet")
        following = cofre.follow(*options, "subscribe", "news")
        try:
            assert [following.stdout.readline() for _ in range(3)] == [b"subscribe\n", b"news\n", b"1\n"]
            assert r.ask("PUBLISH", "news", "flash") == 1
            assert [following.stdout.readline() for _ in range(3)] == [b"message\n", b"news\n", b"flash\n"]
            following.send_signal(signal.SIGINT)
            assert following.wait(10) == -signal.SIGINT
        finally:
            following.kill()
            following.communicate()


def test_what_has_no_end_ends_with_the_connection(new_stack):
    stack = new_stack()
    following = Cofre(stack).follow("monitor")
    assert following.stdout.readline() == b"OK\n"
    with stack.raw() as r:
        mine = [line for line in r.ask("CLIENT", "LIST").split(b"\n") if b" flags=O " in line]
        assert r.ask("CLIENT", "KILL", "ID", mine[0].split()[0][3:]) == 1
    out, err = following.communicate(timeout=10)
    assert following.returncode == NO_CONNECTION and b"ended the connection" in err


def test_monitor_refused(cofre):
    done = cofre("MONITOR", "x")
    assert (done.returncode, done.stdout) == (SERVER_SAID_NO, b"") and b"wrong number" in done.stderr
