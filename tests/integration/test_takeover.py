"""A gateway is replaced by another under load, started by a service manager, watched by it, and stopped: nobody who had
a connection, or asked for one, is refused or reset."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from support.resp import Closed, encode
from support.stack import GATEWAY_USER, HOST, Process, am_root, ensure_user, own, wait_until

READY = r"\bready\b"


def successor(stack, number, *options, replace=(), env=None):
    """successor makes the gateway that will take over: the same arguments, and these."""
    argv = list(stack.gateway.argv)
    for option, value in replace:
        argv[argv.index(option) + 1] = value
    return Process([*argv, "--takeover", *options], stack.directory / f"gateway-next{number}.log",
                   ensure_user(GATEWAY_USER), READY, env)


def ended(process, timeout=20):
    """ended waits for a process that was replaced, and returns its exit code."""
    return wait_until(lambda: not process.running, timeout, "the old gateway to end") and process.popen.returncode


def status(stack):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(stack.gateway.status_socket))
        s.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: s.recv(1 << 16), b""))
    return json.loads(answer.partition(b"\r\n\r\n")[2])


class Knockers:
    """Threads that connect, ask once, and leave, again and again; every failure is kept."""

    def __init__(self, stack, count=4):
        self.stack, self.stop, self.done, self.errors = stack, False, 0, []
        self.context = stack.context("alice")
        self.threads = [threading.Thread(target=self._knock) for _ in range(count)]

    def _knock(self):
        while not self.stop:
            try:
                with self.stack.tls(context=self.context, timeout=20) as sock:
                    sock.sendall(encode("PING"))
                    reply = sock.recv(100)
                    assert reply == b"+PONG\r\n", reply
                    self.done += 1
            except Exception as e:  # noqa: BLE001: whatever it is, it must not be
                self.errors.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        wait_until(lambda: self.done > 5 or self.errors, 10, "the first to get in")
        return self

    def __exit__(self, *_):
        self.stop = True
        for t in self.threads:
            t.join(30)


@pytest.fixture
def stack(new_stack):
    return new_stack(status=True, gateway_options=("--workers", "2", "--drain-timeout", "5"))


def test_several_takeovers_under_a_storm_of_connections(stack):
    """Other numbers of workers, too: fewer and more sockets than workers."""
    old, processes = stack.gateway, []
    with Knockers(stack) as knockers:
        for number, workers in enumerate(["2", "1", "4", "3"]):
            with stack.raw() as held:
                assert held.ask("SET", "takeover", number) == "OK"
                fresh = successor(stack, number, replace=[("--workers", workers)])
                processes.append(fresh.start())
                before = knockers.done
                for _ in range(20):  # the session that was there goes on, as long as it has something to say
                    assert held.ask("GET", "takeover") == str(number).encode()
                    time.sleep(0.01)
                assert held.at_end(10), "a session that is quiet is ended, cleanly"
            assert ended(old) == 0 and status(stack)["pid"] == fresh.pid
            assert status(stack)["workers"] == int(workers)
            wait_until(lambda: knockers.done > before + 10, 10, "the new one to serve")
            old = fresh
    assert not knockers.errors, (len(knockers.errors), knockers.done, knockers.errors[:5])
    stack.gateway.popen = None
    assert old.stop() == 0
    assert not stack.gateway.status_socket.exists()
