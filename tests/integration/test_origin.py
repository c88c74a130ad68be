"""What the first version of this project did and proved (DESIGN §1), with its own client code and certificates.

Both sides have self-signed certificates from `openssl req -x509`, and each trusts exactly the other's.
"""
import socket
import ssl
import warnings

import pytest

from support import stack as support
from support import tlsread
from support.certificates import openssl, self_signed
from support.resp import Closed, Raw
from support.tlsproxy import TlsProxy

SECRET = b"the-answer-is-42-and-nobody-may-read-it"


@pytest.fixture(scope="module")
def pinned(stage, pg, certs, request):
    """A stack whose gateway has certificate-server and trusts certificate-client alone, and writes a key log."""
    directory = stage.folder("origin")
    server, client = self_signed(directory, "server"), self_signed(directory, "client")
    stack = support.Stack(directory, pg, certs, server=server,
                          trust=["--client-pin", str(directory / "gateway-tls" / "pin.crt")])
    stack.gateway.put(client.cert.read_bytes(), "pin.crt")
    stack.keylog = stack.gateway.put(b"", "keylog")
    stack.gateway.argv += ["--keylog", str(stack.keylog)]
    stack.own_server, stack.own_client = server, client
    stack.alive = lambda *_: connect(stack).ask("PING") == "PONG"
    request.addfinalizer(stack.stop)
    return stack.start()


def context(trusted, pair, version=ssl.TLSVersion.TLSv1_2, ciphers=None):
    """The first version's steps: TLS 1.2, CERT_REQUIRED, the other's certificate as CA file, own chain."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if version == ssl.TLSVersion.TLSv1_2:
            context = ssl.SSLContext(ssl.PROTOCOL_TLSv1_2)
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS)
            context.minimum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(str(trusted))
    context.load_cert_chain(certfile=str(pair.cert), keyfile=str(pair.key))
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def connect(stack, pair=None, trusted=None, port=None, **options):
    plain = socket.create_connection(("127.0.0.1", port or stack.port), timeout=20)
    made = context(trusted or stack.own_server.cert, pair or stack.own_client, **options)
    return Raw(made.wrap_socket(plain, server_hostname="server"))


def refused(stack, pair, version):
    """The handshake, or with TLS 1.3 the first read, ends in an alert, and nothing is executed."""
    with pytest.raises((ssl.SSLError, Closed, ConnectionError)) as why:
        with connect(stack, pair, version=version) as r:
            r.ask("SET", "refused", "should not be here")
    with connect(stack) as r:
        assert r.ask("EXISTS", "refused") == 0
    return str(why.value)


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
                                   ids=["TLS 1.2", "TLS 1.3"])


@VERSIONS
def test_the_first_client_gets_its_reply(pinned, version):
    with connect(pinned, version=version) as r:
        assert r.sock.version() == version.name.replace("_", ".")
        r.ask("MSET", "1", "ANDREI", "2", "JOAO")
        assert r.ask("GET", "1") == b"ANDREI"
        assert r.ask("FIND", "joao")[1] == [b"2", b"JOAO"]
        assert r.ask("SETNX", "1", "OTHER") == 0 and r.ask("DEL", "1", "2") == 2


def test_the_server_shows_its_own_certificate(pinned):
    with connect(pinned) as r:
        shown = r.sock.getpeercert(binary_form=True)
    assert ssl.DER_cert_to_PEM_cert(shown).split() == pinned.own_server.cert.read_text().split()


# Authenticity

@VERSIONS
def test_a_second_self_signed_client_is_refused(pinned, stage, version):
    other = self_signed(stage.folder("stranger"), "client")
    refused(pinned, other, version)
    pinned.gateway.logged("(?i)pin|trust|unknown|self.signed")


@VERSIONS
def test_a_certificate_issued_by_the_pinned_one_is_refused(pinned, stage, version):
    """It says CA:TRUE, and its owner has its key: loaded as a CA it could mint any identity."""
    directory = stage.folder("minted")
    key, request, cert = directory / "minted.key", directory / "csr", directory / "minted.crt"
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=client")
    openssl("x509", "-req", "-in", request, "-CA", pinned.own_client.cert, "-CAkey", pinned.own_client.key, "-out",
            cert, "-days", "10", "-CAcreateserial")
    chain = directory / "chain.crt"
    chain.write_text(cert.read_text() + pinned.own_client.cert.read_text())
    for shown in (cert, chain):
        refused(pinned, pinned.own_client._replace(cert=shown, key=key), version)


@VERSIONS
def test_the_pinned_name_with_another_key_is_refused(pinned, stage, version):
    """Same subject, same serial: only the fingerprint tells."""
    number = openssl("x509", "-in", pinned.own_client.cert, "-noout", "-serial").strip().split("=")[1]
    same = self_signed(stage.folder("same-name"), "client", "-set_serial", "0x" + number)
    refused(pinned, same, version)


def test_no_certificate_is_refused(pinned):
    plain = socket.create_connection(("127.0.0.1", pinned.port), timeout=20)
    nothing = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nothing.check_hostname = False
    nothing.load_verify_locations(str(pinned.own_server.cert))
    with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
        with Raw(nothing.wrap_socket(plain, server_hostname="server")) as r:
            r.ask("PING")


@VERSIONS
def test_the_client_refuses_a_server_it_does_not_know(pinned, stage, version):
    impostor = self_signed(stage.folder("impostor"), "server")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(pinned, trusted=impostor.cert, version=version)


# Secrecy

@VERSIONS
def test_what_is_sniffed_is_ciphertext(pinned, version):
    with TlsProxy(pinned.port) as wire, connect(pinned, port=wire.port, version=version) as r:
        assert r.ask("SET", "secret", SECRET) == "OK" and r.ask("GET", "secret") == SECRET
    assert len(wire.sent) > 100 and len(wire.received) > 100
    for bytes_seen in (wire.sent, wire.received):
        assert SECRET not in bytes_seen and b"secret" not in bytes_seen and b"OK\r\n" not in bytes_seen


def test_the_key_log_opens_it(pinned):
    """As Wireshark does it: recorded TLS 1.2 records and the gateway's key log give the plaintext."""
    with TlsProxy(pinned.port) as wire:
        with connect(pinned, port=wire.port, ciphers="ECDHE-RSA-AES128-GCM-SHA256") as r:
            r.ask("SET", "secret", SECRET)
            assert r.ask("GET", "secret") == SECRET
    said, answered = tlsread.read_tls12(wire.sent, wire.received, pinned.keylog.read_text())
    assert b"$6\r\nsecret\r\n$39\r\n" + SECRET in said
    assert answered.startswith(b"+OK\r\n$39\r\n" + SECRET)


def test_the_key_log_has_what_tls13_needs(pinned):
    with connect(pinned, version=ssl.TLSVersion.TLSv1_3) as r:
        r.ask("PING")
    labels = {line.split()[0] for line in pinned.keylog.read_text().splitlines() if line}
    assert {"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0", "CLIENT_HANDSHAKE_TRAFFIC_SECRET"} <= labels
    assert pinned.keylog.stat().st_mode & 0o077 == 0, "only its user may read the secrets"


# Integrity

@VERSIONS
def test_one_flipped_bit_ends_the_connection(pinned, version):
    with TlsProxy(pinned.port) as wire, connect(pinned, port=wire.port, version=version) as r:
        assert r.ask("SET", "k", "before") == "OK"
        wire.flip = "sent"
        with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
            r.ask("SET", "k", "after")
    with connect(pinned) as r:
        assert r.ask("GET", "k") == b"before"


@VERSIONS
def test_the_client_rejects_a_flipped_bit_too(pinned, version):
    with TlsProxy(pinned.port) as wire, connect(pinned, port=wire.port, version=version) as r:
        assert r.ask("PING") == "PONG"
        wire.flip = "received"
        with pytest.raises(Closed, match="BAD_RECORD_MAC"):
            r.ask("GET", "k")
