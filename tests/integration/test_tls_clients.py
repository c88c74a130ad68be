"""Everybody's TLS client gets in, resumes, is refused in words of its own, and sees the certificate that it can verify."""
import json
import re
import subprocess
from xml.etree import ElementTree

import pytest

from support import stack as support
from support.certificates import Certificates
from support.tls_clients import BSSL, CLIENTS, bssl, gnutls, openssl

VERSIONS = pytest.mark.parametrize("version", ["1.2", "1.3"], ids=["TLS 1.2", "TLS 1.3"])
EACH = pytest.mark.parametrize("client", [pytest.param(c, marks=pytest.mark.skipif(
    c == "bssl" and not BSSL.exists(), reason="built by third_party/install.sh --tool")) for c in CLIENTS])
NEEDS_BSSL = pytest.mark.skipif(not BSSL.exists(), reason="built by third_party/install.sh --tool")

# Our certificates, in the order in which they are given: name (their CN), kind of key, SANs.
OURS = {
    "ec": ("--p256", ["localhost", "127.0.0.1"]),
    "rsa": ("--rsa", ["localhost", "127.0.0.1"]),
    "ed": ("--ed25519", ["localhost"]),
    "any-ec": ("--p256", ["*.test.example"]),
    "any-rsa": ("--rsa", ["*.test.example"]),
    "api": ("--p256", ["api.test.example", "Old.Test.Example", "10.0.0.1"]),
    "old": ("--rsa", ["old.test.example"]),
    "deep": ("--p256", ["*.deep.test.example"]),
}


class Door:
    """A gateway with all of OURS, and the ways to come to it."""

    def __init__(self, stage, pg, certs):
        self.certs = certs
        for who, (kind, names) in OURS.items():
            if not certs.pair(who).cert.exists():
                certs.run("server", who, *names, kind)
        self.stack = support.Stack(stage.folder("clients"), pg, certs, server=certs.pair("ec"))
        for who in list(OURS)[1:]:
            for option, path in zip(("--cert", "--key"), certs.pair(who)):
                self.stack.gateway.argv += [option, self.stack.gateway.put(path.read_bytes(), path.name)]
        crl = self.stack.gateway.put((certs.directory / "ca.crl").read_bytes(), "ca.crl")
        self.stack.gateway.argv += ["--crl", crl]
        self.stack.start()

    def ask(self, client, who="alice", **options):
        client = CLIENTS.get(client, client)
        pair = who and self.certs.client(who)
        return client(self.stack.port, self.certs.ca, pair, **options)


@pytest.fixture(scope="module")
def certs(stage):
    """Certificates of this file's own: one is revoked here."""
    certs = Certificates(stage.folder("client-certs") / "certs")
    certs.run("client", "alice-rsa", "--rsa")
    certs.run("client", "alice-ed", "--ed25519")
    certs.run("client", "expired", "--not-before", "2020-01-01", "--not-after", "2020-02-01")
    certs.run("client", "a-server", "--purpose", "server")
    certs.run("client", "leaver")
    certs.run("revoke", "leaver")
    stranger = Certificates(stage.folder("strange-certs") / "certs").client("stranger")
    for path, to in zip(stranger, certs.pair("stranger")):
        to.write_bytes(path.read_bytes())
    return certs


@pytest.fixture(scope="module")
def door(stage, pg, certs):
    door = Door(stage, pg, certs)
    yield door
    door.stack.stop()


@EACH
@VERSIONS
@pytest.mark.parametrize("who", ["alice", "alice-rsa", "alice-ed"])
def test_they_come_in(door, client, version, who):
    answer = door.ask(client, who, version=version)
    assert answer.pong and answer.alert is None and not answer.resumed, answer.text
    assert answer.subject in ("ec", "rsa", "ed"), answer.text


@EACH
@VERSIONS
def test_they_resume(door, client, version):
    if (client, version) == ("curl", "1.2"):
        pytest.skip("this curl keeps no TLS 1.2 session for a second gopher URL")
    answer = door.ask(client, version=version, resume=True)
    assert answer.pong and answer.resumed, answer.text


# who: the alert (RFC 8446 §6.2; without a certificate TLS 1.2 knows handshake_failure only)
REFUSED = {None: {"1.2": 40, "1.3": 116}, "expired": 45, "stranger": 48, "leaver": 44, "a-server": 43}


@EACH
@VERSIONS
@pytest.mark.parametrize("who", REFUSED)
def test_they_report_why_they_are_refused(door, client, version, who):
    expected = REFUSED[who] if who else REFUSED[None][version]
    answer = door.ask(client, who, version=version)
    assert not answer.pong and answer.alert == expected, answer.text


@pytest.fixture(scope="module")
def elsewhere(stage):
    """A CA that has nothing to do with ours."""
    return Certificates(stage.folder("elsewhere") / "certs").ca


@EACH
@VERSIONS
def test_they_check_us(door, client, version, certs, elsewhere):
    """A client that trusts another CA ends it from its side, and the gateway's log says so."""
    def refused():
        args = ["-verify_return_error"] if client == "openssl" else []
        answer = CLIENTS[client](door.stack.port, elsewhere, certs.client("alice"), version=version, args=args)
        assert not answer.pong
        return "the client does not trust our certificate's issuer" in door.stack.gateway.since_start()[before:]

    before = len(door.stack.gateway.since_start())
    refused()
    if client not in ("gnutls", "bssl"):  # the one uses another alert, the other none
        support.wait_until(refused, 10, "the gateway to log it")  # a reset may overtake the alert, now and then


# Which certificate: what the client offers, and the CN of the one it gets.

def picks(door, client, name, *args, who="alice", version=None):
    answer = door.ask(client, who, name=name, args=args, version=version)
    assert answer.pong, answer.text
    return answer.subject


@pytest.mark.parametrize("args, expected", [
    ("-sigalgs ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256:ed25519", "ec"),
    ("-sigalgs rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", "ec"),  # ours come in our order
    ("-sigalgs rsa_pss_rsae_sha256:ecdsa_secp384r1_sha384", "rsa"),
    ("-sigalgs ed25519", "ed"),
    ("-tls1_2", "ec"),
    ("-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256", "rsa"),
    ("-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256 -sigalgs ed25519", "ed"),
    ("-tls1_2 -curves X25519 -cipher ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256 -sigalgs "
     "ECDSA+SHA256:RSA-PSS+SHA256", "rsa"),  # it cannot compute on the P-256 key's curve
])
def test_a_certificate_that_it_can_verify(door, args, expected):
    """(The CA's signatures are ECDSA: those clients that do not name it do not verify.)"""
    assert picks(door, openssl, "localhost", *args.split(), who="alice-ed" if "ed25519" in args else "alice-rsa") == expected


def test_gnutls_and_bssl_choose_too(door):
    no_ecdsa = "NORMAL:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:-VERS-ALL:+VERS-TLS1.3"
    assert "'CN=rsa'" in door.ask(gnutls, "alice-rsa", args=["--priority", no_ecdsa, "--insecure"]).text.replace("`", "'")
    if BSSL.exists():
        assert picks(door, bssl, "localhost", "-sigalgs", "rsa_pss_rsae_sha256", who="alice-rsa") == "rsa"
        assert picks(door, bssl, "localhost", "-sigalgs", "ed25519", who="alice-ed") == "ed"


@pytest.mark.parametrize("name, expected", [
    (None, "ec"), ("localhost", "ec"), ("LocalHost", "ec"), ("unknown.test", "ec"),
    ("one.test.example", "any-ec"), ("api.test.example", "api"), ("API.TEST.EXAMPLE", "api"), ("old.test.example", "api"),
    ("test.example", "ec"), ("two.one.test.example", "ec"), ("one.deep.test.example", "deep"), ("deep.test.example", "any-ec"),
    ("10.0.0.1", "api"),
])
def test_a_certificate_for_the_name(door, name, expected):
    assert picks(door, openssl, name) == expected


def test_name_and_key_together(door):
    """The name counts among those that the client can verify; without one of that name it gets what it can verify."""
    rsa = ("-sigalgs", "rsa_pss_rsae_sha256")
    assert picks(door, openssl, "one.test.example", *rsa, who="alice-rsa") == "any-rsa"
    assert picks(door, openssl, "old.test.example", *rsa, who="alice-rsa") == "old"
    assert picks(door, openssl, "api.test.example", *rsa, who="alice-rsa") == "any-rsa"
    assert picks(door, openssl, "one.deep.test.example", *rsa, who="alice-rsa") == "rsa"


@EACH
def test_everybody_names_the_server(door, client):
    assert door.ask(client, name="api.test.example").subject == "api"
    assert door.ask(client, name="any.test.example").subject == "any-ec"


def test_nothing_that_it_can_verify(door):
    for version in ("1.2", "1.3"):
        answer = door.ask(openssl, "alice", version=version, args=["-sigalgs", "ecdsa_secp521r1_sha512"])
        assert not answer.pong and answer.alert == 40, answer.text


# Names of CAs

def listed(text):
    found = re.search(r"Acceptable client certificate CA names\n((?:.*=.*\n)*)", text)
    return found.group(1).splitlines() if found else None


@VERSIONS
def test_ca_names_are_sent_when_asked_for(stage, pg, new_stack, certs, door, version):
    stack = new_stack(certs=certs, gateway_options=["--send-ca-names", "on"])
    pin = stack.gateway.put(certs.pair("stranger").cert.read_bytes(), "pin.crt")
    stack.gateway.stop()
    stack.gateway.argv += ["--client-pin", pin]
    stack.gateway.start()
    answer = openssl(stack.port, certs.ca, certs.client("alice"), version=version)
    ours, of_pin = (line_of(certs.ca, "subject"), line_of(certs.pair("stranger").cert, "issuer"))
    assert answer.pong and listed(answer.text) == [ours, of_pin], answer.text

    answer = door.ask(openssl, version=version)
    assert listed(answer.text) is None and "No client certificate CA names sent" in answer.text


def line_of(cert, what):
    from support.certificates import openssl as command
    return command("x509", "-in", cert, "-noout", f"-{what}").strip().split("=", 1)[1]


def test_too_many_ca_names_are_not_sent(new_stack, certs, stage):
    """A part of the list would turn away who is not in it: then there is none, and the log says so."""
    from support.der import Maker, authority, name, new_key
    import ssl
    stack = new_stack(certs=certs, gateway_options=["--send-ca-names", "on"])
    many = [certs.ca.read_text()]
    for n in range(120):
        key, who = new_key(), name(f"CA {n} " + "x" * 60)
        many.append(ssl.DER_cert_to_PEM_cert(Maker(who, key).certificate(who, key=key, extensions=[authority()])))
    stack.gateway.put("".join(many).encode(), "ca.crt")
    stack.gateway.stop()
    stack.gateway.start()
    stack.gateway.logged("warning .*names of the CAs are too long")
    answer = openssl(stack.port, certs.ca, certs.client("alice"))
    assert answer.pong and listed(answer.text) is None


# What scanners find. Both come with the certificate that lets them in, as far as they can.

AEAD = re.compile("GCM|CHACHA20")


def test_sslscan(door, certs):
    pair = certs.client("alice")
    argv = ["sslscan", "--no-colour", f"--certs={pair.cert}", f"--pk={pair.key}", "--xml=-"]
    done = subprocess.run([*argv, f"localhost:{door.stack.port}"], capture_output=True, text=True, timeout=60)
    found = ElementTree.fromstring(done.stdout).find("ssltest")
    versions = {(p.get("type") + p.get("version")) for p in found.iter("protocol") if p.get("enabled") == "1"}
    assert versions == {"tls1.2", "tls1.3"}
    suites = {c.get("cipher") for c in found.iter("cipher")}
    assert len(suites) >= 6 and all(AEAD.search(s) for s in suites), suites
    assert {g.get("name") for g in found.iter("group")} == {"x25519", "secp256r1 (NIST P-256)"}
    assert found.find("renegotiation").get("supported") == "0"
    assert [h.get("vulnerable") for h in found.iter("heartbleed")] == ["0", "0"]


# Findings of testssl.sh that are so by intent
INTENDED = {"cert_revocation": "a private CA names no CRL in its certificates"}
SOUND = ("SSLv2 SSLv3 TLS1_2 TLS1_3 cert_signatureAlgorithm cert_trust cert_chain_of_trust heartbleed CCS ROBOT "
         "secure_renego CRIME_TLS POODLE_SSL SWEET32 FREAK DROWN LOGJAM BEAST LUCKY13 RC4").split()


def test_testssl(new_stack, certs, stage):
    stack = new_stack(certs=certs, server=certs.pair("ec"))
    report = stage.folder("testssl") / "report.json"
    argv = ["testssl", "-p", "-S", "-U", "--warnings", "off", "--color", "0", "--quiet", "-n", "none", "--ip", "127.0.0.1",
            "--add-ca", certs.ca, "--jsonfile", report, f"localhost:{stack.port}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    found = json.loads(report.read_text())
    severities = {f["id"]: f["severity"] for f in found}
    assert {i: severities.get(i) for i in SOUND} == dict.fromkeys(SOUND, "OK"), done.stdout[-3000:]
    bad = [f for f in found if f["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL") and f["id"] not in INTENDED]
    assert not bad, bad
    assert {severities.get(i) for i in ("TLS1", "TLS1_1")} == {"INFO"}  # not offered; it has no opinion
