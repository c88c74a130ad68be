"""TLS done wrong, record by record: each gets the alert that the RFCs name, nobody else notices, and nothing stays behind.

What is malformed above TLS, and who is refused with ordinary certificates, is in test_hostile.py.
"""
import contextlib
import os
import random
import select
import socket
import struct
import time

import pytest

from support import stack as support
from support.bystander import served_as_before
from support.der import DNS, URI, Maker, alt_names, authority, der_of, extension, key_ids, key_of, name, new_key
from support.rawtls import (ALERT, APPLICATION, CCS, HANDSHAKE, TLS12, TLS13, Ended, RawTls, client_hello, message,
                            record)
from support.rawtls import extension as hello_extension
from support.stack import SANITIZED

pytestmark = pytest.mark.asan
VERSIONS = pytest.mark.parametrize("version", [TLS12, TLS13], ids=["TLS 1.2", "TLS 1.3"])
HANDSHAKE_TIMEOUT = 3
RUBBISH = random.Random(4).randbytes(300)

# RFC 8446 §6; "closed" is the end without an alert.
CLOSE_NOTIFY, UNEXPECTED_MESSAGE, BAD_RECORD_MAC, RECORD_OVERFLOW, HANDSHAKE_FAILURE = 0, 10, 20, 22, 40
BAD_CERTIFICATE, CERTIFICATE_EXPIRED, CERTIFICATE_UNKNOWN, ILLEGAL_PARAMETER, UNKNOWN_CA = 42, 45, 46, 47, 48
DECODE_ERROR, DECRYPT_ERROR = 50, 51
PROTOCOL_VERSION, NO_RENEGOTIATION, UNRECOGNIZED_NAME, CERTIFICATE_REQUIRED = 70, 100, 112, 116


class Door:
    """A stack of this file's own, and the ways to come to it."""

    def __init__(self, stack, certs):
        self.stack, self.gateway = stack, stack.gateway
        pair = certs.client("alice")
        self.chain, self.key = der_of(pair.cert), key_of(pair.key)
        self.maker = Maker.of(certs)

    def connect(self, version=TLS13, chain=None, key=None):
        sock = socket.create_connection(("127.0.0.1", self.stack.port), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return RawTls(sock, self.chain if chain is None else chain, key or self.key, version)

    def greeted(self, version, **who):
        """greeted is a client that has read the server's flight."""
        t = self.connect(version, **who)
        t.send(HANDSHAKE, t.hello())
        return t.read_flight()

    def inside(self, version):
        return self.connect(version).handshake()


@pytest.fixture(scope="module")
def door(stage, pg, certs):
    stack = support.Stack(stage.folder("door"), pg, certs,
                          gateway_options=["--handshake-timeout", HANDSHAKE_TIMEOUT, "--log-level", "warning"])
    yield Door(stack.start(), certs)
    stack.stop()


def outcome(t):
    """outcome is the number of the alert, or how it ended without one."""
    with t:
        return t.alert()


def attempt(t):
    """attempt makes the whole handshake; PONG, or the number of the alert."""
    with t:
        try:
            return t.handshake().ask(b"PING").strip(b"+\r\n").decode()
        except Ended as e:
            return int(str(e).split()[1]) if str(e).startswith("alert") else t.alert()


# Before the handshake: the first bytes, and what they are answered with.

def ssl2_hello(version):
    body = b"\x01" + struct.pack(">HHHH", version, 6, 0, 16) + b"\x01\x00\x80\x00\x00\x2f" + os.urandom(16)
    return struct.pack(">H", 0x8000 | len(body)) + body


def old_hello(version):
    return record(HANDSHAKE, client_hello(TLS12, legacy=version, suites=[0xC013, 0xC009, 0x002F]), version)


def hello(version=TLS12, **options):
    return record(HANDSHAKE, client_hello(version, **options))


def broken_hello(change):
    body = client_hello(TLS13)[4:]
    return record(HANDSHAKE, message(1, change(body)))


BEGINNINGS = {
    "random bytes": (RUBBISH, PROTOCOL_VERSION),
    "zeros": (b"\0" * 100, PROTOCOL_VERSION),
    "HTTP": (b"GET / HTTP/1.0\r\n\r\n", "closed"),
    "SSLv2 hello": (ssl2_hello(2), PROTOCOL_VERSION),
    "SSLv2 hello for TLS 1.2": (ssl2_hello(TLS12), HANDSHAKE_FAILURE),
    "SSLv3": (old_hello(0x0300), PROTOCOL_VERSION),
    "TLS 1.0": (old_hello(0x0301), PROTOCOL_VERSION),
    "TLS 1.1": (old_hello(0x0302), PROTOCOL_VERSION),
    "no common suite": (hello(suites=[0xC013, 0x002F]), HANDSHAKE_FAILURE),
    "no common group": (hello(groups=[24]), HANDSHAKE_FAILURE),
    "SHA-1 alone": (hello(schemes=[0x0201, 0x0203]), HANDSHAKE_FAILURE),
    "no word on signatures": (hello(schemes=None), HANDSHAKE_FAILURE),
    "a name with NUL": (hello(name="local\0host"), UNRECOGNIZED_NAME),
    "an empty name": (hello(name=""), UNRECOGNIZED_NAME),
    "an extension twice": (hello(more=hello_extension(0x1234, b"") * 2), DECODE_ERROR),
    "bytes behind the extensions": (broken_hello(lambda b: b + b"\0"), DECODE_ERROR),
    "a hello cut short": (broken_hello(lambda b: b[:-1]), DECODE_ERROR),
    "an empty hello": (broken_hello(lambda b: b""), DECODE_ERROR),
    "a session id too long": (broken_hello(lambda b: b[:34] + b"\x21" + b"\0" * 33 + b[35:]), DECODE_ERROR),
    "application data": (record(APPLICATION, b"PING\r\n"), UNEXPECTED_MESSAGE),
    "ChangeCipherSpec": (record(CCS, b"\x01"), UNEXPECTED_MESSAGE),
    "a fatal alert": (record(ALERT, b"\x02\x28"), "closed"),
    "Finished": (record(HANDSHAKE, message(20, b"\0" * 12)), UNEXPECTED_MESSAGE),
    "warning alerts": (record(ALERT, b"\x01\x5a") * 40, UNEXPECTED_MESSAGE),
    "empty records": (record(HANDSHAKE, b"") * 40, UNEXPECTED_MESSAGE),
    "a record too long": (bytes([HANDSHAKE, 3, 1]) + b"\xff\xff" + b"\0" * 0xFFFF, RECORD_OVERFLOW),
    "a message too long": (record(HANDSHAKE, b"\x01" + (16 * 1024 + 1).to_bytes(3, "big")), ILLEGAL_PARAMETER),
}


def begin(door, data):
    t = door.connect()
    with contextlib.suppress(OSError):  # it need not read all of it
        t.send_raw(data)
    return outcome(t)


@pytest.mark.parametrize("what", BEGINNINGS)
def test_before_the_handshake(door, what):
    data, expected = BEGINNINGS[what]
    assert begin(door, data) == expected


# Within the handshake: what a client that was greeted does next.

def wrong_finished(t):
    t.send_messages(t.first_messages())
    if t.version == TLS12:
        t.send(CCS, b"\x01")
        t.change_keys()
    t.send(HANDSHAKE, message(20, b"\0" * (32 if t.version == TLS13 else 12)))


def answer(t, key=None):
    with contextlib.suppress(Ended):  # the alert may be read by it
        t.answer(key)


# what: (action, alert in TLS 1.2, alert in TLS 1.3)
MIDDLES = {
    "garbage": (lambda t: t.send_raw(RUBBISH), PROTOCOL_VERSION, PROTOCOL_VERSION),
    "garbage in a record": (lambda t: t.send_raw(record(APPLICATION, RUBBISH)), UNEXPECTED_MESSAGE, BAD_RECORD_MAC),
    "random message": (lambda t: t.send(HANDSHAKE, b"\x0b" + RUBBISH[1:]), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
    "application data": (lambda t: t.send(APPLICATION, b"PING\r\n"), UNEXPECTED_MESSAGE, UNEXPECTED_MESSAGE),
    "a second hello": (lambda t: t.send(HANDSHAKE, t.hello()), UNEXPECTED_MESSAGE, UNEXPECTED_MESSAGE),
    "Finished at once": (lambda t: t.send(HANDSHAKE, message(20, b"\0" * 32)), UNEXPECTED_MESSAGE, UNEXPECTED_MESSAGE),
    "Certificate twice": (lambda t: t.send_messages(t.certificate() * 2), UNEXPECTED_MESSAGE, UNEXPECTED_MESSAGE),
    "a wrong Finished": (wrong_finished, DECRYPT_ERROR, DECRYPT_ERROR),
    "warning alerts": (lambda t: t.send_raw(b"".join(t.sealed(ALERT, b"\x01\x5a") for _ in range(40))),
                       UNEXPECTED_MESSAGE, UNEXPECTED_MESSAGE),
    "empty records": (lambda t: t.send_raw(b"".join(t.sealed(HANDSHAKE, b"") for _ in range(40))),
                      UNEXPECTED_MESSAGE, UNEXPECTED_MESSAGE),
    "ChangeCipherSpec, often": (lambda t: t.send_raw(record(CCS, b"\x01") * 40), UNEXPECTED_MESSAGE, UNEXPECTED_MESSAGE),
}


@VERSIONS
@pytest.mark.parametrize("what", MIDDLES)
def test_within_the_handshake(door, what, version):
    act, *expected = MIDDLES[what]
    t = door.greeted(version)
    act(t)
    assert outcome(t) == expected[version == TLS13]


@VERSIONS
def test_a_certificate_without_its_key(door, version):
    with door.greeted(version) as t:
        with pytest.raises(Ended, match=f"alert {DECRYPT_ERROR}"):
            t.answer(new_key()).ask(b"PING")


@VERSIONS
def test_no_certificate(door, version):
    expected = CERTIFICATE_REQUIRED if version == TLS13 else HANDSHAKE_FAILURE
    assert attempt(door.connect(version, chain=[])) == expected


@VERSIONS
def test_an_alert_before_a_reset_is_heard(door, version):
    """A client that refuses us and is gone at once, with a reset: the log has its reason all the same."""
    said = "the client does not trust our certificate's issuer"
    before = door.gateway.since_start().count(said)
    time.sleep(1.1)  # the log takes 50 refusals a second, and the tests before this one have made theirs
    for _ in range(20):
        with door.greeted(version) as t:
            t.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            t.send(ALERT, b"\x02\x30")
    support.wait_until(lambda: door.gateway.since_start().count(said) == before + 20, 5, "all of them to be logged")


def test_signatures_that_we_do_not_make(door):
    """In TLS 1.3 that is found out when there are keys already. (RFC 8446 §9.2 has an alert of its own for no word on
    signatures, which BoringSSL does not use.)"""
    for schemes in ([0x0203], None):
        with door.connect() as t, pytest.raises(Ended, match=f"alert {HANDSHAKE_FAILURE}"):
            t.send(HANDSHAKE, t.hello(schemes=schemes))
            t.read_flight()


# After the handshake.

def certificate_anew(t):
    """All that a client would send to become somebody else (post-handshake authentication)."""
    t.send_messages(t.certificate() + t.certificate_verify() + t.finished())


ENDS = {
    "garbage": (lambda t: t.send_raw(RUBBISH), PROTOCOL_VERSION, PROTOCOL_VERSION),
    "garbage in a record": (lambda t: t.send_raw(record(APPLICATION, RUBBISH)), BAD_RECORD_MAC, BAD_RECORD_MAC),
    "a record too short": (lambda t: t.send_raw(record(APPLICATION, b"x")), BAD_RECORD_MAC, BAD_RECORD_MAC),
    "a record twice": (lambda t: t.send_raw(t.sealed(APPLICATION, b"\r\n") * 2), BAD_RECORD_MAC, BAD_RECORD_MAC),
    "a record too long": (lambda t: t.send_raw(bytes([APPLICATION, 3, 3, 0x48, 0x01])), RECORD_OVERFLOW, RECORD_OVERFLOW),
    "a hello": (lambda t: t.send(HANDSHAKE, client_hello(t.version)), NO_RENEGOTIATION, UNEXPECTED_MESSAGE),
    "another certificate": (certificate_anew, NO_RENEGOTIATION, UNEXPECTED_MESSAGE),
    "ChangeCipherSpec": (lambda t: t.send(CCS, b"\x01"), UNEXPECTED_MESSAGE, UNEXPECTED_MESSAGE),
    "a ticket": (lambda t: t.send(HANDSHAKE, message(4, RUBBISH)), NO_RENEGOTIATION, UNEXPECTED_MESSAGE),
    "an unknown message": (lambda t: t.send(HANDSHAKE, message(77, RUBBISH)), NO_RENEGOTIATION, UNEXPECTED_MESSAGE),
    "a message too long": (lambda t: t.send(HANDSHAKE, b"\x18\xff\xff\xff"), NO_RENEGOTIATION, ILLEGAL_PARAMETER),
    "a command within a message": (lambda t: (t.send(HANDSHAKE, b"\x18\0"), t.send(APPLICATION, b"PING\r\n")),
                                   NO_RENEGOTIATION, UNEXPECTED_MESSAGE),
    "a KeyUpdate that is none": (lambda t: t.send(HANDSHAKE, message(24, b"\2")), NO_RENEGOTIATION, DECODE_ERROR),
    "an unknown record": (lambda t: t.send(99, b"x"), UNEXPECTED_MESSAGE, UNEXPECTED_MESSAGE),
    "a fatal alert": (lambda t: t.send(ALERT, b"\x02\x28"), "closed", "closed"),
    "close_notify": (lambda t: t.send(ALERT, b"\x01\x00"), CLOSE_NOTIFY, CLOSE_NOTIFY),
    "an alert of one byte": (lambda t: t.send(ALERT, b"\x01"), DECODE_ERROR, DECODE_ERROR),
}


@VERSIONS
@pytest.mark.parametrize("what", ENDS)
def test_after_the_handshake(door, what, version):
    act, *expected = ENDS[what]
    t = door.inside(version)
    act(t)
    assert outcome(t) == expected[version == TLS13]


# Floods. What BoringSSL counts ends at its limit; what stays below the limit goes on, and costs only its sender.

def endless(kind, payload):
    return lambda t: t.sealed(kind, payload)


def often(n, part, last):
    """n times the part, then what makes BoringSSL count anew: a record with a byte that RESP passes over."""
    return lambda t: b"".join(part(t) for _ in range(n)) + last(t)


NEWLINE = endless(APPLICATION, b"\n")
FLOODS = {
    "empty records": endless(APPLICATION, b""),
    "warning alerts": endless(ALERT, b"\x01\x5a"),
    "KeyUpdates": lambda t: t.key_update(),
    "KeyUpdates that ask for ours": lambda t: t.key_update(True),
}
BEARABLE = {
    "one-byte records": NEWLINE,
    "32 empty records, a byte": often(32, FLOODS["empty records"], NEWLINE),
    "4 warning alerts, a byte": often(4, FLOODS["warning alerts"], NEWLINE),
    "32 KeyUpdates, a byte": often(32, FLOODS["KeyUpdates"], NEWLINE),
    "32 KeyUpdates that ask, a byte": often(32, FLOODS["KeyUpdates that ask for ours"], NEWLINE),
}


def pour(t, part, seconds, until=lambda: False):
    """pour sends for so long, or until it is stopped."""
    end = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        while time.monotonic() < end and not until():
            t.send_raw(b"".join(part(t) for _ in range(50)))


def cases(floods):
    return [(w, v) for w in floods for v in (TLS12, TLS13) if v == TLS13 or "KeyUpdate" not in w]


@pytest.mark.parametrize("what, version", cases(FLOODS), ids=str)
def test_floods_that_are_ended(door, what, version):
    t = door.inside(version)
    pour(t, FLOODS[what], 5, until=lambda: select.select([t.sock], [], [], 0)[0])
    assert outcome(t) in (UNEXPECTED_MESSAGE, "reset")  # a reset may overtake the alert


@pytest.mark.parametrize("what, version", cases(BEARABLE), ids=str)
def test_floods_that_disturb_nobody(door, what, version):
    before = door.gateway.rss()
    with door.inside(version) as t, served_as_before(door.stack, 0.5):
        pour(t, BEARABLE[what], 0.4)
        assert t.ask(b"PING") == b"+PONG\r\n"
        assert SANITIZED or door.gateway.rss() - before < 4 << 20


# Slow and in pieces.

@VERSIONS
def test_one_byte_records(door, version):
    """Every message, and then a command, in records of one byte each."""
    with door.connect(version) as t:
        t.send_messages(t.hello(), 1)
        t.read_flight().answer(most=1)
        t.send_raw(b"".join(t.sealed(APPLICATION, bytes([c])) for c in b"PING\r\n"))
        assert t.read()[1] == b"+PONG\r\n"


@VERSIONS
@pytest.mark.parametrize("how", ["in two records", "in two segments"])
def test_a_hello_split_at_every_byte(door, how, version):
    whole = client_hello(version)
    sent = []
    with contextlib.ExitStack() as exits:
        for at in range(1, len(whole)):
            t = exits.enter_context(door.connect(version))
            first, second = record(HANDSHAKE, whole[:at]), record(HANDSHAKE, whole[at:])
            if how == "in two segments":
                first, second = record(HANDSHAKE, whole)[:5 + at], whole[at:]
            t.send_raw(first)
            sent.append((t, second))
        for t, second in sent:
            t.send_raw(second)
        for t, _ in sent:
            kind, body = t.read()
            assert (kind, body[0]) == (HANDSHAKE, 2)


def test_a_handshake_that_trickles(door):
    """A byte now and then is no progress: the time for the whole handshake is what counts."""
    began = time.monotonic()
    with door.connect() as t, pytest.raises((Ended, OSError)), served_as_before(door.stack, 0.5):
        for byte in record(HANDSHAKE, t.hello()):
            t.send_raw(bytes([byte]))
            time.sleep(0.05)
        t.read_flight()
    assert HANDSHAKE_TIMEOUT - 0.5 < time.monotonic() - began < HANDSHAKE_TIMEOUT + 2


def half_hello(door, version):
    t = door.connect(version)
    t.send_raw(record(HANDSHAKE, t.hello())[:50])
    return t


def said_hello(door, version):
    t = door.connect(version)
    t.send(HANDSHAKE, t.hello())
    return t


def half_answer(door, version):
    t = door.greeted(version)
    t.send_messages(t.first_messages())
    return t


def wrote(*parts):
    """A client that is inside and has sent a part of what these would be as records."""
    def come(door, version):
        t = door.inside(version)
        for payload, most in parts:
            t.send_raw(t.sealed(APPLICATION, payload)[:most])
        return t
    return come


STATES = {
    "connected": lambda door, version: door.connect(version),
    "half a hello": half_hello,
    "said hello": said_hello,
    "greeted": lambda door, version: door.greeted(version),
    "half an answer": half_answer,
    "inside": wrote(),
    "half a record": wrote((b"PING\r\n", 12)),
    "half a command": wrote((b"*2\r\n$4\r\nECHO\r\n$9\r\nhal", None)),
    "a command": wrote((b"PING\r\n", None)),
}


@VERSIONS
@pytest.mark.parametrize("state", STATES)
def test_half_closed(door, state, version):
    """The end of the client's sending is the end of the connection, at once; what was asked before is answered."""
    with STATES[state](door, version) as t:
        t.half_close()
        began, got = time.monotonic(), []
        with contextlib.suppress(Ended):
            while True:
                got.append(t.read())
        assert time.monotonic() - began < HANDSHAKE_TIMEOUT / 2
        assert state != "a command" or (APPLICATION, b"+PONG\r\n") in got


# Certificates.

def deep(m, n):
    """A chain with n CAs between the leaf and ours."""
    chain = []
    for i in range(n):
        cert, m = m.below(f"level {i}")
        chain.insert(0, cert)
    return [m.certificate("deep"), *chain], m.key


def loop(m, turns):
    a, b = new_key(), new_key()
    ab = [Maker(name("B"), b).certificate(name("A"), key=a, extensions=[authority()]),
          Maker(name("A"), a).certificate(name("B"), key=b, extensions=[authority()])]
    leaf = Maker(name("A"), a)
    return [leaf.certificate("loop"), *ab * turns], leaf.key


def self_signed(m):
    key = new_key()
    return [Maker(name("me"), key).certificate("me", key=key)], key


def renewed_ca(m):
    """Our CA has a new key, and has issued a certificate for it with the old one: the same name twice (RFC 5280 §6.1)."""
    key = new_key()
    new = m.certificate(m.issuer, key=key, extensions=[authority(), *key_ids(key, m.issuer_key)])
    leaf = Maker(m.issuer, key)
    return [leaf.certificate("rolled", extensions=key_ids(leaf.key, key)), new], leaf.key


def cross(m, *order):
    """The issuer is certified by our CA and by another one; both certificates are sent."""
    key, other = new_key(), Maker(name("another root"), new_key())
    by = {"ours": m.certificate(name("X"), key=key, extensions=[authority()]),
          "other": other.certificate(name("X"), key=key, extensions=[authority()]),
          "root": other.certificate(other.issuer, key=other.issuer_key, extensions=[authority()])}
    leaf = Maker(name("X"), key)
    return [leaf.certificate("cross"), *(by[o] for o in order)], leaf.key


def namesakes(m):
    key = new_key()
    others = [Maker(name("X"), new_key()).certificate(name("X"), key=new_key(), extensions=[authority()])
              for _ in range(30)]
    return [Maker(name("X"), new_key()).certificate("many", key=key), *others], key


def one(**options):
    def make(m):
        options.setdefault("subject", "odd")
        return [m.certificate(**options)], m.key
    return make


def bytes_instead(change):
    return lambda m: ([change(m.certificate("odd"))], m.key)


def sans(count, last=()):
    return one(extensions=[alt_names(*[(DNS, b"n%d.example" % i) for i in range(count)], *last)])


# what: (makes chain and key, PONG or the alert)
CHAINS = {
    "7 CAs deep": (lambda m: deep(m, 7), "PONG"),
    "20 CAs deep": (lambda m: deep(m, 20), UNKNOWN_CA),
    "a loop": (lambda m: loop(m, 1), UNKNOWN_CA),
    "a loop, three times": (lambda m: loop(m, 3), UNKNOWN_CA),
    "self-signed": (self_signed, UNKNOWN_CA),
    "self-issued in our CA's name": (lambda m: ([m.certificate(m.issuer)], m.key), UNKNOWN_CA),
    "forged in our CA's name": (lambda m: ([Maker(m.issuer, new_key(), m.key).certificate("odd")], m.key), BAD_CERTIFICATE),
    "our CA with a new key": (renewed_ca, "PONG"),
    "cross-signed": (lambda m: cross(m, "ours", "other"), "PONG"),
    "cross-signed, the other first": (lambda m: cross(m, "other", "root", "ours"), "PONG"),
    "cross-signed by strangers": (lambda m: cross(m, "other", "root"), UNKNOWN_CA),
    "30 namesakes": (namesakes, UNKNOWN_CA),
    "a NUL in the CN": (one(subject=name(b"alice\0.evil")), CERTIFICATE_UNKNOWN),
    "a NUL in a DNS name": (one(extensions=[alt_names((DNS, b"alice\0.evil"))]), CERTIFICATE_UNKNOWN),
    "a NUL in a URI": (one(extensions=[alt_names((URI, b"spiffe://prod/web\0.evil"))]), CERTIFICATE_UNKNOWN),
    "a NUL in the last of many": (sans(700, [(DNS, b"\0")]), CERTIFICATE_UNKNOWN),
    "a thousand empty names": (one(extensions=[alt_names(*[(DNS, b"")] * 1000)]), CERTIFICATE_UNKNOWN),
    "a thousand CNs": (one(subject=name(*[f"n{i}" for i in range(1000)])), CERTIFICATE_UNKNOWN),
    "names twice": (one(extensions=[alt_names((DNS, b"a")), alt_names((DNS, b"b"))]), BAD_CERTIFICATE),
    "a CN of 5,000 letters": (one(subject="n" * 5000), CERTIFICATE_UNKNOWN),
    "a critical unknown extension": (one(extensions=[extension("1.2.3.4", b"\5\0", True)]), BAD_CERTIFICATE),
    "a thousand names": (sans(1000), "PONG"),
    "a serial of 20 bytes": (one(serial=2**159 - 1), "PONG"),
    "a serial of 2,000 bytes": (one(serial=2**16000 - 1), "PONG"),
    "a negative serial": (one(serial=-5), "PONG"),
    "until the year 9999": (one(ends=b"99991231235959Z"), "PONG"),  # RFC 5280 §4.1.2.5: no end known
    "from the year 9999": (one(begins=b"99991231235959Z", ends=b"99991231235959Z"), CERTIFICATE_EXPIRED),
    "from the year 0": (one(begins=b"00000101000000Z"), "PONG"),
    "until month 13": (one(ends=b"20991350000000Z"), BAD_CERTIFICATE),
    "until rubbish": (one(ends=b"rubbish"), BAD_CERTIFICATE),
    "no certificate at all": (bytes_instead(lambda c: b"\x30\x03\x02\x01\x01"), DECODE_ERROR),
    "rubbish": (bytes_instead(lambda c: RUBBISH), DECODE_ERROR),
    "of no length": (bytes_instead(lambda c: b""), DECODE_ERROR),
    "cut short": (bytes_instead(lambda c: c[:-20]), DECODE_ERROR),
    "bytes behind it": (bytes_instead(lambda c: c + b"x"), DECODE_ERROR),
    "rubbish behind it": (lambda m: ([m.certificate("odd"), RUBBISH], m.key), BAD_CERTIFICATE),
    "nearly 16 KiB": (one(padding=15900), "PONG"),
    "40 copies of its issuer": (lambda m: (lambda c, k: ([c[0], *c[1:] * 40], k))(*deep(m, 1)), "PONG"),
    "over 16 KiB": (one(padding=16384), ILLEGAL_PARAMETER),
    "over 64 KiB": (one(padding=70000), ILLEGAL_PARAMETER),
    "a chain over 16 KiB": (lambda m: (lambda c, k: ([c[0], *c[1:] * 60], k))(*deep(m, 1)), ILLEGAL_PARAMETER),
}


@VERSIONS
@pytest.mark.parametrize("what", CHAINS)
def test_chains(door, what, version):
    make, expected = CHAINS[what]
    chain, key = make(door.maker)
    began = time.monotonic()
    assert attempt(door.connect(version, chain, key)) == expected
    assert time.monotonic() - began < 1


def test_nothing_stays_behind(door):
    """All of it again and again: the gateway's memory is where it was, and so are its sockets."""
    loops = [make(door.maker) for make, _ in CHAINS.values()]

    def all_of_it():
        for data, _ in BEGINNINGS.values():
            begin(door, data)
        for version in (TLS12, TLS13):
            for act, *_ in MIDDLES.values():
                t = door.greeted(version)
                act(t)
                outcome(t)
            for act, *_ in ENDS.values():
                t = door.inside(version)
                act(t)
                outcome(t)
            for chain, key in loops:
                attempt(door.connect(version, chain, key))

    def sockets():
        return len(os.listdir(f"/proc/{door.gateway.pid}/fd"))

    for _ in range(2):
        all_of_it()
    memory, open_files = door.gateway.rss(), sockets()
    for _ in range(1 if SANITIZED else 6):
        all_of_it()
    support.wait_until(lambda: sockets() <= open_files, 5, "its sockets to be closed")
    assert SANITIZED or door.gateway.rss() - memory < 1 << 20
