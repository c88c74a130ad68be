"""Certificates are swapped by SIGHUP while clients are served: nobody notices, and a bad set changes nothing."""
import signal
import ssl
import time

import pytest

from support.certificates import serial
from support.stack import wait_until


def served_serial(stack, cert="alice"):
    """served_serial makes a handshake and returns the serial number shown, as openssl prints it."""
    with stack.tls(cert) as sock:
        return sock.getpeercert()["serialNumber"]


def swap(stack, pair):
    stack.gateway.install(pair)
    stack.gateway.signal(signal.SIGHUP)


@pytest.mark.tsan
def test_a_hundred_swaps_under_load(new_stack, certs):
    stack = new_stack()
    for name in ("cyan", "magenta"):
        certs.run("server", name, "localhost", "127.0.0.1")
    pairs = [certs.pair("cyan"), certs.pair("magenta")]
    serials = [serial(p.cert) for p in pairs]
    core, gateway = stack.core.pid, stack.gateway.pid
    held = stack.raw()
    assert held.ask("SET", "held", "yes") == "OK"

    # Both kinds of load: connections that stay, and (-k 0) a new one for each request.
    stay = stack.benchmark("-t", "set,get", "-n", "2000000", "-c", "20", "-r", "1000", "-q")
    anew = stack.benchmark("-t", "get", "-n", "1000000", "-c", "4", "-k", "0", "-q")
    try:
        for n in range(100):
            swap(stack, pairs[n % 2])
            wait_until(lambda: served_serial(stack) == serials[n % 2], 5, f"the serial of swap {n}", 0.005)
            assert stay.poll() is None and anew.poll() is None, "the load ended early"
        assert held.ask("GET", "held") == b"yes"
    finally:
        for load in (stay, anew):
            load.terminate()
    for load in (stay, anew):
        out, err = load.communicate(timeout=10)
        assert "rror" not in out + err and "onnection" not in out + err, (out[-500:], err)
    assert (stack.core.pid, stack.gateway.pid) == (core, gateway)
    assert stack.core.running and stack.gateway.running
    with stack.client() as c:
        assert c.dbsize() > 100


BAD_SETS = {
    "not a certificate": (b"rubbish\n", None, "server.crt"),
    "empty": (b"", None, "server.crt"),
    "a key that does not fit": (None, "other", "(?i:key)"),
    "no key": (None, b"", "server.key"),
}


@pytest.mark.parametrize("what", BAD_SETS)
def test_a_bad_set_keeps_the_old_one_and_says_why(new_stack, certs, what):
    cert, key, named = BAD_SETS[what]
    stack = new_stack()
    held = stack.raw()
    before = served_serial(stack)
    if cert is not None:
        stack.gateway.put(cert, "server.crt")
    if key == "other":
        key = certs.client("bob").key.read_bytes()
    if key is not None:
        stack.gateway.put(key, "server.key")
    stack.gateway.signal(signal.SIGHUP)
    stack.gateway.logged(f"(warning|error) cofre-gateway: .*{named}")
    assert served_serial(stack) == before and held.ask("PING") == "PONG"

    swap(stack, certs.server)  # mending the files is all that is needed
    time.sleep(0.3)
    assert served_serial(stack) == before and stack.gateway.running


def test_an_expired_certificate_is_not_taken(new_stack, certs):
    stack = new_stack()
    certs.run("server", "old", "localhost", "--not-before", "2020-01-01", "--not-after", "2020-02-01")
    before = served_serial(stack)
    swap(stack, certs.pair("old"))
    stack.gateway.logged("(warning|error) cofre-gateway: .*(?i:expired)")
    assert served_serial(stack) == before


def test_trust_is_swapped_too(new_stack, certs, stage):
    """A CA that is added is trusted at once; one that is gone is not trusted any more."""
    from support.certificates import Certificates
    stack = new_stack()
    other = Certificates(stage.folder("other-ca") / "certs")
    stranger = other.client("stranger")

    def comes_in(pair):
        context = stack.context(None)
        context.load_cert_chain(str(pair.cert), str(pair.key))
        try:
            from support.resp import Closed, Raw
            with Raw(stack.tls(context=context)) as r:
                return r.ask("PING") == "PONG"
        except (ssl.SSLError, Closed, ConnectionError):
            return False

    assert not comes_in(stranger)
    stack.gateway.put(certs.ca.read_bytes() + other.ca.read_bytes(), "ca.crt")
    stack.gateway.signal(signal.SIGHUP)
    wait_until(lambda: comes_in(stranger), 5, "the new CA to be trusted")
    assert comes_in(certs.client("alice"))

    stack.gateway.put(other.ca.read_bytes(), "ca.crt")
    stack.gateway.signal(signal.SIGHUP)
    wait_until(lambda: not comes_in(certs.client("alice")), 5, "the old CA to be gone")
    assert comes_in(stranger)


def test_swapping_the_core_keeps_nothing_waiting(new_stack):
    """The core, too, may be replaced under the gateway: a clean stop and start, and the connection goes on."""
    stack = new_stack()
    held = stack.raw()
    assert held.ask("SET", "k", "v") == "OK"
    assert stack.core.stop() == 0
    reply = held.ask("GET", "k")
    assert reply.startswith("TRYAGAIN"), reply
    stack.core.start()
    wait_until(lambda: held.ask("GET", "k") == b"v", 10, "the same connection to work again")
