"""Two processes, two secrets (DESIGN §2): neither user can reach the other's, and neither program could use it."""
import os
import pwd
import re
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from support import stack as support
from support.stack import BUILD, CORE_USER, GATEWAY_USER, am_root

needs_root = pytest.mark.skipif(not am_root(), reason="several users need root")


def as_user(user, *command, stdin=None):
    """as_user runs a command as another user; returns the finished process."""
    entry = pwd.getpwnam(user)
    return subprocess.run(list(map(str, command)), user=entry.pw_uid, group=entry.pw_gid, extra_groups=[],
                          input=stdin, capture_output=True, text=True, timeout=30, cwd="/")


@needs_root
def test_the_processes_run_as_two_users(shared):
    for process, name in ((shared.core, CORE_USER), (shared.gateway, GATEWAY_USER)):
        uid, gid = pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_gid
        assert process.status("Uid").split() == [str(uid)] * 4, "real, effective, saved and file-system uid"
        assert process.status("Gid").split() == [str(gid)] * 4
        assert process.status("Groups").split() in ([], [str(gid)])
        assert int(process.status("CapEff"), 16) == 0 and int(process.status("CapPrm"), 16) == 0


@needs_root
def test_the_core_user_cannot_read_the_private_key(shared):
    for name in ("server.key", "server.crt"):
        path = shared.gateway.secrets / name
        assert path.exists()
        done = as_user(CORE_USER, "cat", path)
        assert done.returncode != 0 and "Permission denied" in done.stderr and done.stdout == ""


@needs_root
def test_the_gateway_user_cannot_have_the_data(shared):
    done = as_user(GATEWAY_USER, "cat", shared.core.config)
    assert done.returncode != 0 and "Permission denied" in done.stderr and done.stdout == ""
    for role in ("postgres", "cofre", GATEWAY_USER):
        done = as_user(GATEWAY_USER, "psql", "-w", "-h", shared.pg.directory, "-U", role, "-d", shared.database, "-c",
                       "SELECT 1")
        assert done.returncode != 0, role


@needs_root
def test_the_password_shows_nowhere(shared):
    """Not in the arguments, which every user can read, nor in the environment or the log."""
    for process in shared.processes():
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert support.PASSWORD.encode() not in arguments
        assert support.PASSWORD.encode() not in process.text()
    assert b"PRIVATE KEY" not in shared.gateway.text()


def libraries(program):
    return subprocess.run(["ldd", BUILD / program], capture_output=True, text=True, check=True).stdout


def symbols(program):
    return subprocess.run(["nm", "-a", BUILD / program], capture_output=True, text=True).stdout


def test_the_gateway_has_no_libpq():
    linked = libraries("gateway/cofre-gateway")
    assert not re.search(r"libpq|libssl|libcrypto|libldap|libgssapi", linked), linked
    assert " PQconnect" not in symbols("gateway/cofre-gateway")


def test_the_core_has_no_tls_library_of_its_own():
    """libpq brings OpenSSL along; the core itself asks for neither, and has no BoringSSL inside."""
    needed = subprocess.run(["readelf", "-d", BUILD / "core/cofre-core"], capture_output=True, text=True).stdout
    assert "libpq.so" in needed and not re.search(r"NEEDED.*(libssl|libcrypto)", needed), needed
    assert not re.search(r" [TtU] (SSL_|BIO_|EVP_|CRYPTO_)", symbols("core/cofre-core"))


def test_the_core_listens_on_no_port(shared):
    """Only Unix sockets among its descriptors."""
    inodes = {m.group(1) for fd in Path(f"/proc/{shared.core.pid}/fd").iterdir()
              if (m := re.match(r"socket:\[(\d+)\]", os.readlink(fd)))}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{shared.core.pid}/net/{table}").read_text().splitlines()[1:]:
            assert line.split()[9] not in inodes, f"the core has a {table} socket: {line}"


@needs_root
def test_the_core_refuses_to_run_as_root(stage, pg):
    core = support.Core(stage.folder("asroot"), pg.conninfo(pg.create_database()))
    core.user = None
    core.start(wait=False)
    assert core.popen.wait(10) == 2
    assert re.search(r"(?i)root", core.since_start()) and len(core.since_start().strip().splitlines()) == 1


@needs_root
def test_started_as_root_both_become_their_user(new_stack, certs, stage, pg):
    directory = stage.folder("becoming")
    stack = support.Stack(directory, pg, certs, core_options=["--user", CORE_USER],
                          gateway_options=["--user", GATEWAY_USER])
    stack.core.create_schema()
    for process in stack.processes():
        process.user = None
    try:
        stack.core.start()
        stack.gateway.start()
        support.wait_until(stack.alive, 10, "the gateway to serve")
        for process, name in ((stack.core, CORE_USER), (stack.gateway, GATEWAY_USER)):
            assert process.status("Uid").split() == [str(pwd.getpwnam(name).pw_uid)] * 4
            assert set(process.status("Groups").split()) <= {str(pwd.getpwnam(name).pw_gid)}
            assert int(process.status("CapEff"), 16) == 0
    finally:
        stack.stop()


HELLO = struct.pack("<IBBHQ", 8 + 4 + 4 + 4, 1, 0, 0, 0) + b"COFRELNK" + struct.pack("<II", 1, 4) + b"test"


def knock(path):
    """knock sends a HELLO to the core's socket and returns what comes back."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        try:
            s.connect(str(path))
            s.sendall(HELLO)
            return s.recv(100)
        except OSError as e:
            return e


@needs_root
def test_another_user_is_refused_at_the_socket(shared):
    """SO_PEERCRED, even where the file's mode would let the peer connect; root is another user, too."""
    answer = knock(shared.core.socket)
    assert answer == b"" or isinstance(answer, ConnectionError), answer
    script = ("import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.settimeout(5)\n"
              "try:\n s.connect(sys.argv[1]); s.sendall(bytes.fromhex(sys.argv[2])); print(len(s.recv(100)))\n"
              "except OSError as e:\n print('0', e)\n")
    mode = shared.core.socket.stat().st_mode
    os.chmod(shared.core.socket, 0o777)
    try:
        for user, served in ((CORE_USER, False), (support.PG_USER, False), ("nobody", False), (GATEWAY_USER, True)):
            done = as_user(user, "/usr/bin/python3", "-c", script, shared.core.socket, HELLO.hex())
            assert (int(done.stdout.split()[0]) > 0) == served, (user, done.stdout, done.stderr)
    finally:
        os.chmod(shared.core.socket, mode & 0o777)
    assert re.search(r"(?i)(refus|peer|uid)", shared.core.since_start())
    assert shared.alive()


@needs_root
def test_the_core_does_not_take_nobody_for_the_gateway(stage, pg):
    """The kernel's overflow uid is what every stranger from another user namespace looks like."""
    core = support.Core(stage.folder("nobody"), pg.conninfo(pg.create_database()))
    core.argv[core.argv.index("--gateway-user") + 1] = "nobody"
    core.start(wait=False)
    assert core.popen.wait(10) == 2
    assert "nobody" in core.since_start() or "65534" in core.since_start()


def test_the_runtime_role_needs_no_more_than_rows(stage, pg, certs):
    """Schema by its owner; the role that serves has SELECT, INSERT, UPDATE, DELETE and the sequences, no more."""
    database = pg.create_database()
    directory = stage.folder("roles")
    support.Core(directory, pg.conninfo(database), name="owner").create_schema()
    role = f"{database}_runtime"
    pg.sql(f"""CREATE ROLE {role} LOGIN PASSWORD '{support.PASSWORD}';
               GRANT USAGE ON SCHEMA cofre TO {role};
               GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA cofre TO {role};
               GRANT USAGE ON ALL SEQUENCES IN SCHEMA cofre TO {role}""", database)
    stack = support.Stack(directory, pg, certs, database)
    stack.core.config.write_text(f"database = {pg.conninfo(database, user=role)}\n")
    stack.start()
    try:
        with stack.raw() as r:
            assert r.ask("SET", "k", "v", "PX", 50) == "OK" and r.ask("INCR", "n") == 1 and r.ask("DEL", "n") == 1
            assert r.ask("FLUSHALL") == "OK" and r.ask("DBSIZE") == 0 and r.ask("FIND", "x") is not None
            time.sleep(0.2)
        assert "permission denied" not in stack.core.since_start()
    finally:
        stack.stop()
