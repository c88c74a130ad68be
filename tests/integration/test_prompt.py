"""The client's prompt on a terminal of its own: history, completion, hints, lost connections, what has no end; demo.sh's tour."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from support.stack import BUILD, ROOT, wait_until

PROGRAM = BUILD / "client" / "cofre"


@pytest.fixture(scope="module", autouse=True)
def only_ours(request):
    if request.config.getoption("--against-redis"):
        pytest.skip("our own client")


class Prompt:
    """cofre on a pseudo-terminal of 120 columns."""

    def __init__(self, stack, home, *args):
        pair = stack.certs.client("alice")
        argv = [PROGRAM, "-h", "localhost", "-p", stack.port, "--cert", pair.cert, "--key", pair.key, "--cacert",
                stack.certs.ca, *args]
        self.screen = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(HOME=str(home), TERM="xterm", LC_ALL="C.UTF-8")
            os.execv(PROGRAM, [str(x) for x in argv])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        self.expect("> ")

    def expect(self, pattern, timeout=10):
        """expect waits for the pattern, and forgets what was on the screen up to its end."""
        end = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.screen)
            if found:
                self.screen = self.screen[found.end():]
                return found
            left = end - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self.screen!r}"
            if select.select([self.terminal], [], [], left)[0]:
                text = os.read(self.terminal, 65536).decode(errors="replace")
                self.screen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def line(self, text):
        self.type(text + "\r")

    def ended(self):
        """ended says whether the program has ended, by itself and well."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return False
        self.pid = None
        assert status == 0, status
        return True

    def leave(self):
        """leave ends it by Ctrl-D on an empty line; a key that comes while a command runs is lost, so again and again."""
        def tried():
            if self.ended():
                return True
            self.type("\x15\x04")
            time.sleep(0.1)
            return self.ended()
        wait_until(tried, 10, "the prompt to end")

    def kill(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.terminal)


@pytest.fixture
def home(stage):
    return stage.folder("home")


@pytest.fixture
def start(home):
    """start(stack, option…) opens a prompt that does not outlive the test."""
    prompts = []

    def start(stack, *args):
        prompts.append(Prompt(stack, home, *args))
        return prompts[-1]

    yield start
    for prompt in prompts:
        prompt.kill()


def test_commands_and_quotes(stack, start):
    prompt = start(stack)
    prompt.line('SET greeting "olá \\"x\\" - y"')
    prompt.expect("\nOK")
    prompt.line("GET greeting")
    prompt.expect(r'"olá \\"x\\" - y"')
    prompt.line('GET "open')
    prompt.expect("quotes .* do not match")
    prompt.line("SELECT 3")
    prompt.expect(r"\[3\]> ")
    prompt.line("MULTI")
    prompt.expect(r"\[3\]\(TX\)> ")
    prompt.line("DISCARD")
    prompt.expect(r"\[3\]> ")
    prompt.leave()


def test_completion_hints_and_help(stack, start):
    prompt = start(stack)
    prompt.type("getra\t")
    prompt.expect("nge +key start end")
    prompt.type("\x15GETR\t")
    prompt.expect("ANGE +key start end")
    prompt.line("\x15help getrange")
    prompt.expect("GETRANGE key start end")
    prompt.type("CONFIG \t")
    prompt.expect("GET")
    prompt.leave()


def test_history_is_private_and_holds_no_passwords(stack, start, home):
    prompt = start(stack)
    for line in ("SET a 1", "AUTH alice not-to-be-kept", "HELLO 3 AUTH alice not-to-be-kept", "GET a"):
        prompt.line(line)
        prompt.expect("\n.*\n.*> ")
    prompt.leave()
    history = home / ".cofre_history"
    assert history.stat().st_mode & 0o777 == 0o600
    text = history.read_text()
    assert "GET" in text and "not-to-be-kept" not in text
    prompt = start(stack)
    prompt.type("\x1b[A\r")  # up: the last line of the earlier prompt
    prompt.expect('"1"')
    prompt.leave()


def test_a_lost_connection(new_stack, start):
    """It comes back with its database; a transaction that was lost with it is not continued on another connection."""
    stack = new_stack()
    prompt = start(stack, "-n", "5")
    prompt.line("SET k 1")
    prompt.expect("OK")
    stack.gateway.stop()
    stack.gateway.start()
    prompt.line("GET k")
    prompt.expect("lost; connecting again")
    prompt.expect('"1"')
    prompt.line("MULTI")
    prompt.expect(r"\(TX\)> ")
    stack.gateway.stop()
    stack.gateway.start()
    prompt.line("SET k 2")
    prompt.expect("transaction")
    prompt.line("GET k")
    prompt.expect('"1"')
    prompt.leave()


@pytest.mark.parametrize("word", ["exit", "quit", "EXIT"])
def test_leaving(stack, start, word):
    prompt = start(stack)
    prompt.line(word)
    wait_until(prompt.ended, 10, "the prompt to end")


def test_the_demo_in_a_folder_that_others_cannot_enter(stage):
    """As in a clone in root's home. A second call is instant; stop ends exactly what was started."""
    clone = stage.folder("clone") / "closed"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    clone.chmod(0o700)
    # What is built already is taken over: this is not about building.
    (clone / "build").mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", str(ROOT / "build" / "third_party"), str(clone / "build")], check=True)

    def demo(*args):
        return subprocess.run(["client/demo.sh", *args], cwd=clone, capture_output=True, text=True, timeout=300)
    try:
        done = demo("SET", "greeting", "olá")
        assert (done.returncode, done.stdout) == (0, "OK\n"), done.stderr
        began = time.monotonic()
        done = demo("GET", "greeting")
        assert (done.stdout, done.stderr) == ("olá\n", "") and time.monotonic() - began < 1
        tour = demo().stdout
        assert "cofre SET greeting olá\nOK" in tour and "does not trust my certificate" in tour
        core = int((clone / "build/demo/core.pid").read_text().split()[0])
        os.kill(core, signal.SIGKILL)
        assert demo("GET", "greeting").stdout == "olá\n"
        pids = [int((clone / f"build/demo/{name}.pid").read_text().split()[0]) for name in ("postgres", "core", "gateway")]
    finally:
        stopped = demo("stop")
        where = (clone / "build" / "demo" / "state").resolve()
    assert stopped.returncode == 0
    assert not any(lives(pid) for pid in pids)
    subprocess.run(["rm", "-rf", str(where)], check=True)


def lives(pid):
    """lives says whether a process is there; one that has ended and waits for its parent is not."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def has(stack, command):
    with stack.raw() as r:
        return r.ask("COMMAND", "INFO", command) != [None]


@pytest.mark.parametrize("args", [(), ("-3",), ("--json",)], ids=["RESP2", "RESP3", "JSON"])
def test_monitor_until_interrupted(stack, start, args):
    """Ctrl-C ends what is followed, and not the prompt, which goes on in the same database."""
    prompt = start(stack, "-n", "2", *args)
    prompt.line("SET before 1")
    prompt.expect("OK")
    prompt.line("MONITOR")
    prompt.expect("OK")
    with stack.raw() as r:
        r.ask("SET", "k", "v")
        prompt.expect(r'\[0 127.0.0.1:\d+\] \\?"SET\\?" \\?"k\\?" \\?"v\\?"')
        r.ask("SET", "k", "w")
        prompt.expect(r'\\?"w\\?"')
    prompt.type("\x03")
    prompt.expect(r"\[2\]> ")
    prompt.line("GET before")
    prompt.expect('"1"')
    prompt.line("MONITOR nobody")
    prompt.expect("wrong number of arguments")
    prompt.line("GET before")
    prompt.expect('"1"')
    prompt.leave()


@pytest.mark.parametrize("args", [(), ("-3",)], ids=["RESP2", "RESP3"])
def test_subscribe_until_interrupted(stack, start, args):
    if not has(stack, "subscribe"):
        pytest.skip("no SUBSCRIBE yet")
    prompt = start(stack, *args)
    prompt.line("SUBSCRIBE news sport")
    prompt.expect(r'1\) "subscribe"\s+2\) "news"\s+3\) \(integer\) 1')
    prompt.expect(r'1\) "subscribe"\s+2\) "sport"\s+3\) \(integer\) 2')
    with stack.raw() as r:
        assert r.ask("PUBLISH", "sport", "goal") == 1
        prompt.expect(r'1\) "message"\s+2\) "sport"\s+3\) "goal"')
        prompt.type("\x03")
        prompt.expect("> ")
        wait_until(lambda: r.ask("PUBLISH", "sport", "goal") == 0, 10, "the subscription to end")
    prompt.line("UNSUBSCRIBE news")
    prompt.expect(r'1\) "unsubscribe"\s+2\) "news"\s+3\) \(integer\) 0')
    prompt.line("PING")
    prompt.expect("PONG")
    prompt.leave()


def test_a_connection_that_is_lost_while_it_is_followed(new_stack, start):
    stack = new_stack()
    prompt = start(stack)
    prompt.line("MONITOR")
    prompt.expect("OK")
    stack.gateway.stop()
    prompt.expect("ended the connection")
    stack.gateway.start()
    prompt.line("PING")
    prompt.expect("PONG")
    prompt.leave()
