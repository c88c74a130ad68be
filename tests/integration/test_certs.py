"""cofre-certs: what it makes is what README.md beside it says, and openssl agrees."""
import re
import stat
import subprocess

import pytest

from support.certificates import Certificates, openssl, serial


@pytest.fixture
def ca(stage):
    return Certificates(stage.folder("ca") / "certs")


def text(cert, *what):
    return openssl("x509", "-in", cert, "-noout", *what)


def verify(ca, cert, purpose):
    done = subprocess.run(["openssl", "verify", "-CAfile", ca.ca, "-purpose", purpose, cert], capture_output=True, text=True)
    return done.returncode == 0


def test_a_server_and_a_client(ca):
    alice = ca.client("alice")
    assert verify(ca, ca.server.cert, "sslserver") and not verify(ca, ca.server.cert, "sslclient")
    assert verify(ca, alice.cert, "sslclient") and not verify(ca, alice.cert, "sslserver")
    assert "CN = alice" in text(alice.cert, "-subject")
    assert "DNS:localhost, IP Address:127.0.0.1" in text(ca.server.cert, "-ext", "subjectAltName")
    assert "prime256v1" in text(alice.cert, "-text") and "CA:FALSE" in text(alice.cert, "-ext", "basicConstraints")


def test_a_uri(ca):
    pair = ca.client("web", "--uri", "spiffe://prod/web")
    assert "URI:spiffe://prod/web" in text(pair.cert, "-ext", "subjectAltName")
    assert "uri:spiffe://prod/web" in ca.run("show").stdout


def test_keys_are_secret(ca):
    ca.client("alice")
    ca.run("self-signed", "pinned")
    for key in ca.directory.rglob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key
    assert len(list(ca.directory.glob("*.key"))) == 4


def test_key_and_certificate_belong_together(ca):
    for pair in (ca.server, ca.client("alice"), ca.pair("ca")):
        assert text(pair.cert, "-pubkey") == openssl("pkey", "-in", pair.key, "-pubout")


def test_revoking(ca):
    alice, bob = ca.client("alice"), ca.client("bob")
    ca.run("revoke", "alice")
    listed = openssl("crl", "-in", ca.directory / "ca.crl", "-noout", "-text")
    assert serial(alice.cert) in listed and serial(bob.cert) not in listed
    ca.run("revoke", "bob")
    ca.run("crl")
    listed = openssl("crl", "-in", ca.directory / "ca.crl", "-noout", "-text")
    assert serial(alice.cert) in listed and serial(bob.cert) in listed, "all of them, always"
    assert re.search(r"alice\b.*revoked", ca.run("show").stdout)


def test_self_signed_is_the_first_versions(ca):
    ca.run("self-signed", "certificate-server", "localhost")
    cert = ca.pair("certificate-server").cert
    said = text(cert, "-text")
    assert "CA:TRUE" in said and "2048 bit" in said and "sha256WithRSAEncryption" in said
    assert text(cert, "-subject").split("=", 1)[1] == text(cert, "-issuer").split("=", 1)[1]


def test_nothing_is_overwritten(ca):
    before = ca.client("alice").cert.read_bytes()
    done = ca.run("client", "alice", check=False)
    assert done.returncode == 1 and "--force" in done.stderr and ca.pair("alice").cert.read_bytes() == before
    ca.run("client", "alice", "--force")
    assert ca.pair("alice").cert.read_bytes() != before
    assert ca.run("ca", check=False).returncode == 1


@pytest.mark.parametrize("args", [[], ["nonsense"], ["client"], ["client", "../x"], ["client", "a b"], ["client", "x", "y"],
                                  ["server", "x", "bad name"], ["ca", "--no-such"], ["client", "x", "--days", "soon"]],
                         ids=" ".join)
def test_misuse(ca, args):
    before = sorted(ca.directory.iterdir())
    done = ca.run(*args, check=False)
    assert done.returncode == 2 and done.stderr and not done.stdout
    assert sorted(ca.directory.iterdir()) == before


def test_two_at_once(ca):
    names = [f"client{n}" for n in range(6)]
    from support.certificates import PROGRAM
    running = [subprocess.Popen([PROGRAM, "--dir", ca.directory, "client", n], stderr=subprocess.PIPE) for n in names]
    assert [p.wait(30) for p in running] == [0] * 6
    [p.stderr.close() for p in running]
    assert len({serial(ca.pair(n).cert) for n in names}) == 6
