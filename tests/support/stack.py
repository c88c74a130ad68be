"""Real processes for tests: a private PostgreSQL, cores and gateways, each as an unprivileged user of its own.

Everything lives in one scratch directory and listens on free ports or Unix sockets there. Only processes started
here are ended, by the pid that was recorded; each also dies with its parent (setpriv --pdeathsig), so that an
interrupted run leaves nothing behind. Two runs side by side do not meet.
"""
import contextlib
import glob
import grp
import itertools
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from .endpoint import HOST, Endpoint

ROOT = Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("COFRE_BUILD", "build/release")).resolve()
SANITIZED = BUILD.name in ("asan", "tsan")  # memory and latency are then not the programs' own
PASSWORD = "only-for-this-test"

PG_USER, CORE_USER, GATEWAY_USER = "cofre-test-pg", "cofre-test-core", "cofre-test-gw"


def am_root():
    return os.geteuid() == 0


def ensure_user(name):
    """ensure_user creates the system user when root, and returns the name to use (the caller's own when not)."""
    if not am_root():
        return pwd.getpwuid(os.geteuid()).pw_name
    for _ in range(20):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
        subprocess.run(["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell",
                        "/usr/sbin/nologin", name], capture_output=True)
        time.sleep(0.1)  # another run holds the lock of the password file
    raise RuntimeError(f"cannot create the user {name}")


def free_port():
    """free_port finds a port below the range that the kernel gives to clients, so that none takes it meanwhile."""
    while True:
        port = random.randint(12000, 32000)
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind((HOST, port))
            return port


def wait_until(condition, timeout=10, what="it to happen", pause=0.02):
    """wait_until polls and returns the first true value; past the timeout it fails, naming what was awaited."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s for {what}")
        time.sleep(pause)


def program(path, scratch):
    """program returns BUILD/path, or a copy in scratch when other users cannot reach it there."""
    path = BUILD / path
    if not path.exists():
        raise FileNotFoundError(f"{path}: build it first, or name another build in COFRE_BUILD")
    if not am_root() or all(p.stat().st_mode & 0o001 for p in [path, *path.parents]):
        return path
    copy = Path(scratch) / path.name
    if not copy.exists():
        shutil.copy2(path, copy)
        copy.chmod(0o755)
    return copy


class Process:
    """One started program: its pid, its log, and ways to end it and start it again with the same arguments."""

    def __init__(self, argv, log, user=None, ready=None, env=None, dies_with="KILL", stop_signal=signal.SIGTERM):
        self.argv = [str(a) for a in argv]
        self.log = Path(log)
        self.user = user
        self.ready = ready and re.compile(ready)
        self.env = env
        self.dies_with = dies_with
        self.stop_signal = stop_signal
        self.popen = None
        self.killed = False  # by us
        self.started_at = 0  # offset in the log

    @property
    def pid(self):
        return self.popen.pid

    @property
    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def start(self, wait=True, timeout=30):
        command = ["setpriv", "--pdeathsig", self.dies_with]
        if am_root() and self.user:
            command += ["--reuid", self.user, "--regid", self.user, "--clear-groups"]
        assert not self.crashed(), self.crashed()
        self.killed = False
        self.started_at = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(command + ["--"] + self.argv, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, cwd="/", env={**os.environ, **(self.env or {})})
        if wait and self.ready:
            self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=30):
        def ready():
            assert self.running, f"{self.argv[0]} ended with {self.popen.poll()}:\n{self.since_start()[-3000:]}"
            return self.ready.search(self.since_start())
        wait_until(ready, timeout, f"{Path(self.argv[0]).name} to be ready; its log: {self.log}")

    def since_start(self):
        """since_start returns what it logged since it was last started."""
        return self.text()[self.started_at:].decode(errors="replace") if self.log.exists() else ""

    def text(self):
        return self.log.read_bytes()

    def logged(self, pattern, timeout=10):
        """logged waits for a line that matches."""
        return wait_until(lambda: re.search(pattern, self.since_start()), timeout, f"/{pattern}/ in {self.log}")

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        """kill ends it as a power cut would."""
        if self.running:
            self.killed = True
            self.popen.kill()
        return self.popen.wait(10)

    def crashed(self):
        """crashed returns what happened when it ended by a signal that nobody here sent, else None."""
        if self.popen is None or self.running or self.killed or self.popen.returncode >= 0:
            return None
        return f"{self.argv[0]} ended with {signal.Signals(-self.popen.returncode).name}; its log: {self.log}"

    def stop(self, timeout=20):
        """stop asks it to end, and returns its exit code; one that does not end, or had crashed, is a failure."""
        if not self.running:
            assert not self.crashed(), self.crashed()
            return self.popen.returncode if self.popen else None
        self.popen.send_signal(self.stop_signal)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{self.argv[0]} did not stop within {timeout} s; its log: {self.log}") from None

    def status(self, field):
        """status returns a field of /proc/PID/status, as text."""
        return re.search(rf"^{field}:[ \t]*(.*)$", Path(f"/proc/{self.pid}/status").read_text(), re.M).group(1)

    def rss(self):
        """rss returns the resident memory in bytes."""
        return int(self.status("VmRSS").split()[0]) * 1024

    def cpu(self):
        """cpu returns the seconds of CPU time used so far."""
        return cpu_of(self.pid)


def cpu_of(pid, with_ended_children=False):
    """cpu_of returns the seconds of CPU time of a process, and if asked of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15 if with_ended_children else 13])) / os.sysconf("SC_CLK_TCK")


class Postgres:
    """A private PostgreSQL: own data directory, Unix socket only, fsync on.

    The caller's own user is the superuser; the role `cofre` must give its password. So the core's configuration
    file is what stands between another user of this machine and the data, as it would be in use.
    """

    def __init__(self, scratch, name="pg", settings=()):
        self.user = ensure_user(PG_USER)
        self.bin = Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))[-1])
        self.directory = Path(scratch) / name
        self.directory.mkdir(mode=0o755)
        self.data = self.directory / "data"
        own(self.directory, self.user)
        self.counter = itertools.count(1)
        self._init(settings)
        self.process = Process([self.bin / "postgres", "-D", self.data], self.directory / "log", self.user,
                               dies_with="INT", stop_signal=signal.SIGINT)
        self.start()
        self.sql(f"CREATE ROLE cofre LOGIN PASSWORD '{PASSWORD}'")

    def _init(self, settings):
        me = pwd.getpwuid(os.geteuid()).pw_name
        initdb = Process([self.bin / "initdb", "-D", self.data, "-U", "postgres", "-E", "UTF8", "--locale=C",
                          "--auth=reject", "--no-sync"], self.directory / "initdb.log", self.user)
        initdb.start()
        assert initdb.popen.wait(60) == 0, initdb.text().decode()
        (self.data / "pg_hba.conf").write_text("local all postgres peer map=admin\nlocal all all scram-sha-256\n")
        (self.data / "pg_ident.conf").write_text(f"admin {me} postgres\n")
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write("\n".join(["listen_addresses = ''", f"unix_socket_directories = '{self.directory}'",
                                  "unix_socket_permissions = 0777", "fsync = on", "max_connections = 50",
                                  "shared_buffers = 128MB", "max_wal_size = 2GB", "log_min_messages = warning",
                                  "log_line_prefix = '%m [%p] %u '", "lc_messages = 'C'", *settings, ""]))

    def start(self):
        def serving():
            if not self.process.running:  # backends of a killed postmaster may still hold its shared memory
                self.process.start()
                time.sleep(0.1)
            return self.answers()
        wait_until(serving, 30, f"PostgreSQL; its log: {self.process.log}", 0.05)
        return self

    def answers(self):
        return subprocess.run([self.bin / "pg_isready", "-q", "-h", self.directory], check=False).returncode == 0

    def stop(self):
        return self.process.stop()

    def kill(self):
        """kill ends the postmaster with SIGKILL; its children notice and end."""
        self.process.kill()

    def cpu(self):
        """cpu returns the seconds of CPU time of all its processes, those that have ended included."""
        total = 0
        for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                total += cpu_of(child)
        return total + cpu_of(self.process.pid, True)

    def psql_args(self, database="postgres"):
        return [str(self.bin / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.directory),
                "-U", "postgres", "-d", database]

    def sql(self, statement, database="postgres"):
        """sql runs statements as the superuser and returns the rows as text, columns separated by |."""
        done = subprocess.run(self.psql_args(database), input=statement, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (statement, done.stderr)
        return done.stdout.strip()

    def session(self, database):
        return PsqlSession(self.psql_args(database))

    def create_database(self):
        """create_database returns the name of a new database that the role cofre owns."""
        name = f"cofre{next(self.counter)}"
        self.sql(f"CREATE DATABASE {name} OWNER cofre TEMPLATE template0")
        return name

    def conninfo(self, database, host=None, user="cofre"):
        return f"host={host or self.directory} dbname={database} user={user} password={PASSWORD}"


class PsqlSession:
    """A psql that stays open, to hold a transaction and its locks."""

    def __init__(self, argv):
        self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      text=True, bufsize=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.stdin.close()
        self.popen.wait(10)
        self.popen.stdout.close()

    def run(self, statement):
        """run executes a statement and returns the lines it printed."""
        self.popen.stdin.write(statement + ";\n\\echo :done:\n")
        lines = []
        for line in self.popen.stdout:
            if line.strip() == ":done:":
                return lines
            lines.append(line.strip())
        raise AssertionError(f"psql ended: {lines}")


class Core(Process):
    """A cofre-core; its database credentials are in a file that only its user reads."""

    def __init__(self, directory, database, *options, name="core", env=None):
        self.directory = Path(directory)
        user = ensure_user(CORE_USER)
        self.socket = self.directory / f"{name}.sock"
        self.config = self.directory / f"{name}.conf"
        self.config.write_text(f"database = {database}\n")
        self.config.chmod(0o600)
        own(self.config, user)
        argv = [program("core/cofre-core", directory), "--config", self.config, "--socket", self.socket,
                "--gateway-user", ensure_user(GATEWAY_USER), *options]
        super().__init__(argv, self.directory / f"{name}.log", user, r"\bready\b", env)

    def create_schema(self):
        """create_schema runs it once with --create-schema."""
        done = subprocess.run(["setpriv", *self._as_user(), *self.argv, "--create-schema"], capture_output=True,
                              text=True, timeout=30, cwd="/")
        assert done.returncode == 0, done.stderr
        return done.stderr

    def _as_user(self):
        return ["--reuid", self.user, "--regid", self.user, "--clear-groups", "--"] if am_root() else ["--"]


class Gateway(Process):
    """A cofre-gateway, with its certificates in a directory that only its user reads."""

    def __init__(self, directory, core_socket, certs, *options, name="gateway", server=None, trust=None, port=None,
                 env=None, status=False):
        self.directory = Path(directory)
        self.certs = certs
        user = ensure_user(GATEWAY_USER)
        self.secrets = self.directory / f"{name}-tls"
        self.secrets.mkdir(mode=0o700)
        self.port = port or free_port()
        server = server or certs.server
        self.install(server)
        argv = [program("gateway/cofre-gateway", directory), "--listen", f"{HOST}:{self.port}", "--core", core_socket,
                "--cert", self.secrets / "server.crt", "--key", self.secrets / "server.key"]
        if trust is None:
            shutil.copy(certs.ca, self.secrets / "ca.crt")
            trust = ["--client-ca", self.secrets / "ca.crt"]
        if BUILD.name == "tsan" and "--workers" not in options:
            argv += ["--workers", "3"]  # what they share is looked for
        argv += [*trust, *options]
        self.status_socket = self.secrets / "status.sock"
        if status:
            argv += ["--status", self.status_socket]
        own(self.secrets, user)
        super().__init__(argv, self.directory / f"{name}.log", user, r"\bready\b", env)

    def install(self, server):
        """install puts this pair in place of the server's certificate; a SIGHUP makes it count."""
        for source, name in ((server.cert, "server.crt"), (server.key, "server.key")):
            self.put(Path(source).read_bytes(), name)

    def put(self, data, name):
        """put replaces a file of the gateway's directory at once, readable by its user alone; returns its path."""
        path = self.secrets / name
        fresh = path.with_suffix(".new")
        fresh.write_bytes(data)
        fresh.chmod(0o600)
        own(fresh, ensure_user(GATEWAY_USER))
        fresh.rename(path)
        return path


class Stack(Endpoint):
    """One core and one gateway on a database. served_as is a client whom the ACL lets in."""

    def __init__(self, directory, pg, certs, database=None, core_options=(), gateway_options=(), proxy_host=None,
                 served_as="alice", **gateway):
        self.directory = Path(directory)
        self.pg = pg
        self.fresh = database is None
        self.served_as = served_as
        self.database = database or pg.create_database()
        self.core = Core(directory, pg.conninfo(self.database, proxy_host), *core_options)
        self.gateway = Gateway(directory, self.core.socket, certs, *gateway_options, **gateway)
        super().__init__(self.gateway.port, certs)

    def start(self):
        if self.fresh:
            self.core.create_schema()
        self.core.start()
        self.gateway.start()
        wait_until(lambda: self.alive(self.served_as), 15, "the gateway to serve")
        return self

    def stop(self):
        """stop ends both; neither may have crashed."""
        failures = []
        for process in (self.gateway, self.core):
            try:
                process.stop()
            except AssertionError as e:
                failures.append(str(e))
            if process.log.exists() and b"Sanitizer" in process.text():
                failures.append(f"a sanitizer's finding in {process.log}")
        assert not failures, failures

    def sql(self, statement):
        return self.pg.sql(statement, self.database)

    def psql(self):
        return self.pg.session(self.database)

    def processes(self):
        return [self.gateway, self.core]


class PlainRedis(Endpoint):
    """Debian's redis-server on a port of its own, with TLS and required client certificates, or in the clear."""

    def __init__(self, directory, certs, tls=True, *options, name="redis"):
        super().__init__(free_port(), certs)
        self.directory = Path(directory)
        self.tls_on = tls
        data = self.directory / f"{name}-data"
        data.mkdir()
        argv = [shutil.which("redis-server"), "--dir", data, "--save", "", "--bind", HOST]
        if tls:
            argv += ["--port", "0", "--tls-port", self.port, "--tls-cert-file", certs.server.cert, "--tls-key-file",
                     certs.server.key, "--tls-ca-cert-file", certs.ca]
        else:
            argv += ["--port", self.port]
        self.process = Process([*argv, *options], self.directory / f"{name}.log", ready="Ready to accept|eady to accept")

    def start(self):
        self.process.start()
        return self

    def stop(self):
        return self.process.stop()

    def raw(self, cert="alice", timeout=30, **options):
        if self.tls_on:
            return super().raw(cert, timeout, **options)
        from .resp import Raw
        return Raw(socket.create_connection((HOST, self.port), timeout=timeout))


def own(path, user):
    """own gives a path, and what is in it, to a user; nothing to do when not root."""
    if not am_root():
        return
    entry = pwd.getpwnam(user)
    for p in [path, *path.rglob("*")] if path.is_dir() else [path]:
        os.chown(p, entry.pw_uid, grp.getgrgid(entry.pw_gid).gr_gid)


def scratch_directory(prefix="cofre-test-"):
    """scratch_directory makes a directory that the test users can pass through; short, for Unix socket paths."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=os.environ.get("COFRE_TMP", "/tmp")))
    path.chmod(0o755)
    return path


class Stage:
    """Keeps the scratch directory and everything started in it, and ends it all in reverse order."""

    def __init__(self):
        self.directory = scratch_directory()
        self.stack = contextlib.ExitStack()
        self.numbers = itertools.count(1)
        self.logs = []

    def folder(self, name):
        """folder makes a directory for one stack, owned by nobody in particular but open to the core's socket."""
        path = self.directory / f"{name}{next(self.numbers)}"
        path.mkdir()
        # The core makes its socket and log here: sticky and writable, as /tmp is.
        path.chmod(0o1777)
        return path

    def on_exit(self, call, *args):
        self.stack.callback(call, *args)

    def close(self, keep=False):
        """close ends everything and removes the directory, or with keep all of it but databases and keys."""
        try:
            self.stack.close()
        finally:
            if keep:
                for path in [p for p in self.directory.rglob("*") if p.name == "data" or p.suffix == ".key"]:
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
            else:
                shutil.rmtree(self.directory, ignore_errors=True)
