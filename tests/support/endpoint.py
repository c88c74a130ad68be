"""One TLS address and the ways to talk to it: redis-py, a raw connection, and the arguments of the redis tools."""
import contextlib
import socket
import ssl
import subprocess
import warnings

import redis

from .resp import Raw

HOST = "127.0.0.1"


class Endpoint:
    """port on loopback, served by a certificate of `certs`; clients show the certificate named `cert`."""

    def __init__(self, port, certs):
        self.port = port
        self.certs = certs

    def client(self, cert="alice", **options):
        """client returns a redis.Redis with this client certificate."""
        pair = self.certs.client(cert)
        given = dict(host=HOST, port=self.port, ssl=True, ssl_certfile=str(pair.cert), ssl_keyfile=str(pair.key),
                     ssl_ca_certs=str(self.certs.ca), ssl_cert_reqs="required", ssl_check_hostname=True,
                     socket_timeout=30)
        given.update(options)
        return redis.Redis(**given)

    def context(self, cert="alice", version=None, verify=True):
        """context returns an SSLContext; cert None shows no certificate, version pins one TLS version."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if verify:
            context.load_verify_locations(str(self.certs.ca))
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if version:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = version
        if cert:
            pair = self.certs.client(cert)
            context.load_cert_chain(str(pair.cert), str(pair.key))
        return context

    def tls(self, cert="alice", timeout=30, context=None, port=None, **options):
        """tls returns a connected ssl.SSLSocket."""
        context = context or self.context(cert, **options)
        plain = socket.create_connection((HOST, port or self.port), timeout=timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return context.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    def raw(self, cert="alice", timeout=30, **options):
        """raw returns a Raw RESP connection."""
        return Raw(self.tls(cert, timeout, **options))

    def alive(self, cert="alice"):
        """alive: a new client is served."""
        with contextlib.suppress(OSError, ssl.SSLError), self.raw(cert, timeout=5) as r:
            return r.ask("PING") == "PONG"
        return False

    def tool(self, program, cert="alice"):
        """tool returns the argument list of redis-cli or redis-benchmark for this endpoint."""
        pair = self.certs.client(cert)
        return [program, "-h", HOST, "-p", str(self.port), "--tls", "--cert", str(pair.cert), "--key",
                str(pair.key), "--cacert", str(self.certs.ca), "--sni", "localhost"]

    def cli(self, *args, cert="alice", stdin=None, timeout=30):
        """cli runs redis-cli and returns its standard output; a failure is an AssertionError with both outputs."""
        done = subprocess.run(self.tool("redis-cli", cert) + [str(a) for a in args], input=stdin,
                              capture_output=True, timeout=timeout)
        assert done.returncode == 0, (args, done.returncode, done.stdout, done.stderr)
        return done.stdout.decode()

    def benchmark(self, *args, cert="alice"):
        """benchmark starts redis-benchmark in the background."""
        return subprocess.Popen(self.tool("redis-benchmark", cert) + [str(a) for a in args],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
