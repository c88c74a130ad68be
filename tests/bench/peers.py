"""The peers: what people put in front of Redis to get mutual TLS, each in Debian's version and with its own defaults.

A proxy listens on a free port, wants a client certificate of the test's CA, and passes to one redis-server in the clear.
"""
import os
import shutil
from pathlib import Path

from support.endpoint import HOST, Endpoint
from support.stack import GATEWAY_USER, Process, ensure_user, free_port, wait_until

HAPROXY = """
global
    maxconn {most}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen redis
    maxconn {most}
    bind {host}:{port} ssl crt {bundle} ca-file {ca} verify required ssl-min-ver TLSv1.2
    server redis {host}:{backend}
"""

HITCH = """
frontend = "[{host}]:{port}"
backend = "[{host}]:{backend}"
pem-file = "{bundle}"
client-verify = required
client-verify-ca = "{ca}"
tls-protos = TLSv1.2 TLSv1.3
workers = {cpus}
user = "{user}"
ocsp-dir = ""
daemon = off
"""

NGINX = """
load_module {module};
daemon off;
user root;
worker_processes auto;
worker_rlimit_nofile {files};
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log;
events {{ worker_connections {most}; }}
stream {{
    server {{
        listen {host}:{port} ssl;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_client_certificate {ca};
        ssl_verify_client on;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:tls:10m;
        tcp_nodelay on;
        proxy_timeout 1h;
        proxy_pass {host}:{backend};
    }}
}}
"""

STUNNEL = """
foreground = yes
pid =
syslog = no
debug = warning
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[redis]
accept = {host}:{port}
connect = {host}:{backend}
cert = {cert}
key = {key}
CAfile = {ca}
verifyChain = yes
sslVersionMin = TLSv1.2
TIMEOUTidle = 3600
"""

# Columns: the program, its configuration, the arguments around that file.
PROXIES = {
    "haproxy": ("haproxy", HAPROXY, ["-db", "-f"]),
    "hitch": ("hitch", HITCH, ["--config"]),
    "nginx": ("nginx", NGINX, ["-c"]),
    "stunnel": ("stunnel4", STUNNEL, []),
}

NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def installed(name):
    return find(PROXIES[name][0]) is not None and (name != "nginx" or NGINX_MODULE.exists())


class Proxy(Endpoint):
    """A TLS-terminating proxy before `backend`, a PlainRedis."""

    def __init__(self, name, directory, certs, backend, files):
        super().__init__(free_port(), certs)
        program, text, argv = PROXIES[name]
        directory = Path(directory)
        bundle = directory / "bundle.pem"
        bundle.touch(mode=0o600)
        bundle.write_bytes(certs.server.cert.read_bytes() + certs.server.key.read_bytes())
        config = directory / f"{name}.conf"
        # A proxy needs two file descriptors for each client.
        config.write_text(text.format(host=HOST, port=self.port, backend=backend.port, ca=certs.ca, cert=certs.server.cert,
                                      key=certs.server.key, bundle=bundle, directory=directory, module=NGINX_MODULE,
                                      cpus=os.cpu_count(), user=ensure_user(GATEWAY_USER), files=files, most=(files - 200) // 2))
        self.process = Process([find(program), *argv, config], directory / f"{name}.log")

    def start(self):
        self.process.start()
        wait_until(self.served, 15, f"the proxy; its log: {self.process.log}")
        return self

    def served(self):
        assert self.process.running, self.process.since_start()[-1500:]
        return self.alive()

    def stop(self):
        return self.process.stop()
