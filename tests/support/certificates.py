"""Certificates for tests, by certs/cofre-certs: good ones, and with its options any kind of bad one."""
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "certs" / "cofre-certs"


class Pair(NamedTuple):
    cert: Path
    key: Path


def openssl(*args, stdin=None):
    """openssl runs the command and returns its standard output."""
    done = subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True)
    assert done.returncode == 0, (args, done.stderr.decode())
    return done.stdout.decode()


class Certificates:
    """A directory kept by cofre-certs: a CA, the server "localhost" and clients made when first asked for."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.run("ca")
        self.run("server", "localhost")

    def run(self, *args, check=True):
        """run calls cofre-certs on this directory."""
        done = subprocess.run([str(PROGRAM), *map(str, args)], capture_output=True, text=True,
                              env={**os.environ, "COFRE_CERTS": str(self.directory)})
        assert not check or done.returncode == 0, (args, done.stdout, done.stderr)
        return done

    def pair(self, name):
        return Pair(self.directory / f"{name}.crt", self.directory / f"{name}.key")

    @property
    def ca(self):
        return self.pair("ca").cert

    @property
    def server(self):
        return self.pair("localhost")

    def client(self, name, *options):
        """client returns the pair of this client, made now if need be."""
        pair = self.pair(name)
        if not pair.cert.exists():
            self.run("client", name, *options)
        return pair


def self_signed(directory, name, *more):
    """self_signed is the openssl command of DESIGN §1, with a subject given instead of asked for."""
    directory = Path(directory)
    pair = Pair(directory / f"certificate-{name}.crt", directory / f"certificate-{name}.key")
    openssl("req", "-x509", "-sha256", "-newkey", "rsa:2048", "-keyout", pair.key, "-out", pair.cert, "-days", "1024",
            "-nodes", "-subj", f"/CN={name}", *more)
    return pair


def serial(cert):
    """serial returns the serial number of a certificate file as upper-case hexadecimal."""
    return openssl("x509", "-in", cert, "-noout", "-serial").strip().split("=")[1]


def revocation_list(certs, name, seconds, issuer="ca"):
    """revocation_list writes the list of an issuer that is out of date after so many seconds, and returns its path."""
    state, out = certs.directory / ".state" / issuer, certs.directory / name
    config = certs.directory / "crl.cnf"
    config.write_text(f"[ca]\ndefault_ca = this\n[this]\ndatabase = {state / 'index.txt'}\ndefault_md = sha256\n"
                      f"crlnumber = {state / 'crlnumber'}\ncrl_extensions = crl\n"
                      "[crl]\nauthorityKeyIdentifier = keyid:always\n")
    pair = certs.pair(issuer)
    openssl("ca", "-gencrl", "-config", config, "-cert", pair.cert, "-keyfile", pair.key, "-crlsec", seconds, "-out", out)
    return out
