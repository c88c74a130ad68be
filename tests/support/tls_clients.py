"""TLS clients of others, each asked for one PING: OpenSSL's s_client, GnuTLS's gnutls-cli, curl, Python's ssl, and
BoringSSL's bssl. What each prints is read into one kind of answer.

    CLIENTS["gnutls"](port, ca, pair, version="1.2", name="localhost", resume=False, args=()) -> Answer
"""
import re
import socket
import ssl
import subprocess
import warnings
from pathlib import Path
from typing import NamedTuple, Optional

from .stack import ROOT

HOST = "127.0.0.1"
BSSL = ROOT / "build/third_party/boringssl/bin/bssl"
COMMANDS = b"PING\r\nQUIT\r\n"


class Answer(NamedTuple):
    text: str  # all that it printed
    pong: bool
    alert: Optional[int] = None  # that it reports
    resumed: bool = False
    subject: str = ""  # CN of the server's certificate


def run(argv):
    """run starts it, gives it the commands, and reads until it ends; its input stays open so long."""
    process = subprocess.Popen(["timeout", "-k", "1", "15", *map(str, argv)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        process.stdin.write(COMMANDS)
        process.stdin.flush()
    except OSError:
        pass
    text = process.stdout.read().decode(errors="replace")
    process.wait()
    process.stdout.close()
    try:
        process.stdin.close()
    except OSError:
        pass
    return text


def read(text, alert, resumed, subject):
    """read finds in what was printed what the patterns (with one group each) name."""
    found = [re.search(p, text) for p in (alert, resumed, subject)]
    number = int(found[0].group(1)) & 0xFF if found[0] else None
    return Answer(text, "+PONG" in text, number, bool(found[1]), found[2].group(1) if found[2] else "")


def openssl(port, ca, pair=None, version=None, name="localhost", resume=False, args=()):
    argv = ["openssl", "s_client", "-connect", f"{HOST}:{port}", "-CAfile", ca, "-ign_eof", *args]
    argv += ["-servername", name] if name else ["-noservername"]
    argv += ["-cert", pair.cert, "-key", pair.key] if pair else []
    argv += [f"-tls{version.replace('.', '_')}"] if version else []
    if resume:
        kept = Path(ca).parent / f"session-{version}.pem"
        run([*argv, "-sess_out", kept])
        argv += ["-sess_in", kept]
    return read(run(argv), r"SSL alert number (\d+)", r"(?m)^Reused", r"(?m)^subject=CN = (.*)")


def gnutls(port, ca, pair=None, version=None, name="localhost", resume=False, args=()):
    versions = f"NORMAL:-VERS-ALL:+VERS-TLS{version}" if version else "NORMAL"
    argv = ["gnutls-cli", "--port", port, "--priority", versions, "--x509cafile", ca, *args]
    argv += ["--sni-hostname", name, "--verify-hostname", name] if name else ["--disable-sni"]
    argv += ["--x509certfile", pair.cert, "--x509keyfile", pair.key] if pair else []
    argv += ["--resume", "--waitresumption"] if resume else []
    return read(run([*argv, "localhost"]), r"Received alert \[(\d+)\]", "This is a resumed session", r"subject `CN=([^',]*)")


def curl(port, ca, pair=None, version=None, name="localhost", resume=False, args=()):
    """curl's gopher sends what the URL says and prints what comes."""
    url = f"gophers://{name}:{port}/_PING%0D%0AQUIT"
    argv = ["curl", "-s", "-S", "-v", "--cacert", ca, "--resolve", f"{name}:{port}:{HOST}", *args]
    argv += ["--cert", pair.cert, "--key", pair.key] if pair else []
    argv += [f"--tlsv{version}", "--tls-max", version] if version else []
    return read(run([*argv, *[url] * (1 + resume)]), r"IN\), TLS alert, [^(]*\((?!256\))(\d+)\)", "re-using session ID",
                r"\*  subject: CN=(.*)")


def bssl(port, ca, pair=None, version=None, name="localhost", resume=False, args=()):
    argv = [BSSL, "client", "-connect", f"{HOST}:{port}", "-root-certs", ca, *args]
    argv += ["-server-name", name] if name else []
    argv += ["-cert", pair.cert, "-key", pair.key] if pair else []
    argv += ["-min-version", f"tls{version}", "-max-version", f"tls{version}"] if version else []
    argv += ["-test-resumption"] if resume else []
    return read(run(argv), r"SSL alert number (\d+)", "Resumed session: yes", "Cert subject: CN = (.*)")


# Python's ssl says an alert in words
WORDS = {"HANDSHAKE_FAILURE": 40, "BAD_CERTIFICATE": 42, "UNSUPPORTED_CERTIFICATE": 43, "CERTIFICATE_REVOKED": 44,
         "CERTIFICATE_EXPIRED": 45, "CERTIFICATE_UNKNOWN": 46, "UNKNOWN_CA": 48, "CERTIFICATE_REQUIRED": 116}


def python(port, ca, pair=None, version=None, name="localhost", resume=False, args=()):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(str(ca))
    context.check_hostname = bool(name)
    if version:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion[f"TLSv{version.replace('.', '_')}"]
    if pair:
        context.load_cert_chain(str(pair.cert), str(pair.key))
    session, text = None, b""
    try:
        for _ in range(1 + resume):
            with socket.create_connection((HOST, port), 15) as plain:
                with context.wrap_socket(plain, server_hostname=name, session=session) as tls:
                    tls.sendall(COMMANDS)
                    while data := tls.recv(1000):
                        text += data
                    session, reused, shown = tls.session, tls.session_reused, tls.getpeercert()
    except ssl.SSLError as e:
        found = [number for word, number in WORDS.items() if e.reason and e.reason.endswith("ALERT_" + word)]
        return Answer(str(e), False, found[0] if found else None)
    return Answer(text.decode(), b"+PONG" in text, None, reused, dict(r[0] for r in shown["subject"])["commonName"])


CLIENTS = {"openssl": openssl, "gnutls": gnutls, "curl": curl, "python": python, "bssl": bssl}
