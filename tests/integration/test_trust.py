"""Trust changes while connections live: who is not trusted any more is closed at once and told so, nobody else is;
tickets, revocation lists, and what the log says of those who are refused."""
import itertools
import re
import signal
import socket
import ssl
import threading
import time

import pytest

from support.certificates import Certificates, Pair, openssl, revocation_list
from support.resp import Closed, Raw
from support.endpoint import Endpoint
from support.stack import SANITIZED, Core, Gateway, wait_until

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = pytest.mark.parametrize("version", [TLS12, TLS13], ids=["TLS 1.2", "TLS 1.3"])
IN_TIME = 3 if SANITIZED else 1  # seconds for a session to end
EVERY_WORKER = 16  # connections, so that each of two workers gets some

BAD_CERTIFICATE, UNSUPPORTED, REVOKED, EXPIRED, UNKNOWN, UNKNOWN_CA = 42, 43, 44, 45, 46, 48
BAD_RECORD, HANDSHAKE_FAILURE, DECRYPT_ERROR, PROTOCOL_VERSION, CERTIFICATE_REQUIRED = 20, 40, 51, 70, 116
NUMBERS = {"CERTIFICATE_REQUIRED": CERTIFICATE_REQUIRED,
           **{a.name.removeprefix("ALERT_DESCRIPTION_"): a.value for a in ssl.AlertDescription}}


def alert_in(error):
    """The number of the alert that an error of OpenSSL, or a text with it, tells of; None when it tells of none."""
    found = re.search(r"_ALERT_(\w+)", str(error))
    return NUMBERS[found.group(1)] if found else None


def context_of(stack, pair, version=None):
    context = stack.context(None, version)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # of this client: what is too weak is ours to say
    if pair:
        context.load_cert_chain(str(pair.cert), str(pair.key))
    return context


def come_in(stack, pair, version=None, context=None, session=None):
    """come_in returns PONG, or the number of the alert that ended it."""
    context = context or context_of(stack, pair, version)
    try:
        with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as plain, \
                context.wrap_socket(plain, server_hostname="localhost", session=session) as sock:
            return Raw(sock).ask("PING")
    except (ssl.SSLError, Closed) as e:
        return alert_in(e)


class Held:
    """Connections that stay: as many as `count`, of one client."""

    def __init__(self, stack, pair, count=EVERY_WORKER, version=None):
        context = context_of(stack, pair, version)
        self.all = [Raw(stack.tls(context=context)) for _ in range(count)]
        for raw in self.all:
            assert raw.ask("PING") == "PONG"

    def ends(self):
        """ends waits until all are closed, and returns the alerts that they got."""
        alerts = set()
        for raw in self.all:
            raw.sock.settimeout(10)
            try:
                raw.read()
                raise AssertionError("a reply that nobody asked for")
            except Closed as e:
                alerts.add(alert_in(e))
        return alerts

    def live(self):
        return all(raw.ask("PING") == "PONG" for raw in self.all)

    def close(self):
        for raw in self.all:
            raw.close()


def put(stack, name, *parts):
    """put replaces a file of the gateway's by these files, one behind the other."""
    return stack.gateway.put(b"".join(p.read_bytes() for p in parts), name)


def reload(stack, number=signal.SIGHUP):
    stack.gateway.signal(number)


def lines(stack, pattern):
    return re.findall(pattern, stack.gateway.since_start())


@pytest.fixture(scope="module")
def two_cas(stage):
    """Two CAs of these tests alone, the second with an intermediate. Who is to lose trust is made by `leaver`."""
    ours = Certificates(stage.folder("ours") / "certs")
    theirs = Certificates(stage.folder("theirs") / "certs")
    theirs.run("ca", "root", "--pathlen", "1")
    theirs.run("ca", "middle", "--issuer", "root")
    theirs.run("client", "deep", "--issuer", "middle")
    ours.run("self-signed", "pinned", "--p256")
    ours.run("crl")
    for issuer in ("ca", "root", "middle"):
        theirs.run("crl", "--issuer", issuer)
    return ours, theirs


numbers = itertools.count(1)


def leaver(certs):
    """leaver returns the name of a new client, to be revoked."""
    name = f"bob{next(numbers)}"
    certs.client(name)
    return name


@pytest.fixture(scope="module")
def core(stage, pg):
    """One core for the gateways of all these tests."""
    core = Core(stage.folder("trust"), pg.conninfo(pg.create_database()))
    stage.on_exit(core.stop)
    core.create_schema()
    return core.start()


class Door(Endpoint):
    """A gateway of two workers, and what it trusts: CAs, lists (one file for each list of parts), pins."""

    def __init__(self, folder, core, certs, cas, crls, pins=(), options=()):
        self.gateway = Gateway(folder, core.socket, certs, "--workers", "2", *options)
        super().__init__(self.gateway.port, certs)
        put(self, "ca.crt", *cas)
        if pins:
            self.gateway.argv += ["--client-pin", str(put(self, "pins.crt", *pins))]
        for n, parts in enumerate(crls):
            self.gateway.argv += ["--crl", str(put(self, f"{n}.crl", *parts))]
        self.gateway.start()
        wait_until(self.alive, 15, "the gateway to serve")

    def stop(self):
        self.gateway.stop()
        assert b"Sanitizer" not in self.gateway.text(), self.gateway.log


@pytest.fixture
def trusting(stage, core, two_cas):
    """trusting(cas, crls, pins, options) starts a Door, by default with our CA and its list."""
    started = []

    def start(cas=None, crls=None, **more):
        ours = two_cas[0]
        door = Door(stage.folder("door"), core, ours, cas or [ours.ca], crls or [[ours.directory / "ca.crl"]], **more)
        started.append(door)
        return door

    yield start
    for door in started:
        door.stop()


def revoke(certs, name, issuer="ca"):
    certs.run("revoke", name, "--issuer", issuer)


# What is taken away from the trust that is there: who loses it, the alert, and how the log names it.
CHANGES = {
    "a serial is revoked": ("bob", REVOKED, r"revoked on 20\d\d-\d\d-\d\d"),
    "an intermediate is revoked": ("deep", REVOKED, r"its issuer: revoked on 20\d\d"),
    "a CA is removed": ("stranger", UNKNOWN_CA, r'its CA \\?"[^"]*Cofre CA [^"]*" was removed'),
    "a root is removed": ("deep", UNKNOWN_CA, r'its CA \\?"[^"]*Cofre CA [^"]*" was removed'),
    "a pin is removed": ("pinned", UNKNOWN_CA, "its pin was removed"),
}


@pytest.mark.tsan
@pytest.mark.parametrize("what", CHANGES)
def test_who_is_not_trusted_any_more_is_closed(trusting, two_cas, what):
    ours, theirs = two_cas
    root, bob = theirs.pair("root").cert, leaver(ours)
    crls = [ours.directory / "ca.crl"] + [theirs.directory / f"{n}.crl" for n in ("ca", "root", "middle")]
    bad_middle = theirs.directory / "bad-middle.crl"
    if not bad_middle.exists():
        good = (theirs.directory / "root.crl").read_bytes()
        revoke(theirs, "middle", "root")
        (theirs.directory / "root.crl").rename(bad_middle)
        (theirs.directory / "root.crl").write_bytes(good)
    stack = trusting([ours.ca, theirs.ca, root], [crls], pins=[ours.pair("pinned").cert])
    loser, alert, reason = CHANGES[what]
    pairs = {"alice": ours.client("alice"), "bob": ours.pair(bob), "pinned": ours.pair("pinned"),
             "stranger": theirs.client("stranger"), "deep": theirs.pair("deep")}
    held = {name: Held(stack, pair, EVERY_WORKER if name == loser else 4) for name, pair in pairs.items()}
    if what == "a serial is revoked":
        revoke(ours, bob)
        put(stack, "0.crl", *crls)
    elif what == "an intermediate is revoked":
        put(stack, "0.crl", *crls, bad_middle)
    elif what == "a pin is removed":
        put(stack, "pins.crt", ours.server.cert)
    else:
        put(stack, "ca.crt", ours.ca, root if loser == "stranger" else theirs.ca)
    began = time.monotonic()
    reload(stack)
    assert held[loser].ends() == {alert}
    assert time.monotonic() - began < IN_TIME
    for name in pairs:
        assert name == loser or held[name].live(), name
    told = lines(stack, rf"session closed: its certificate is not trusted any more reason=\"{reason}[^\n]*")
    assert len(told) == EVERY_WORKER, stack.gateway.since_start()
    assert all(re.search(r"session=\d+ peer=127.0.0.1:\d+ identity=cn:\w+ serial=[0-9a-f]+", t) for t in told)
    assert come_in(stack, pairs[loser]) == alert
    assert all(come_in(stack, pair) == "PONG" for name, pair in pairs.items() if name != loser)
    for each in held.values():
        each.close()


def test_a_ca_renewed_under_its_key_keeps_its_sessions(trusting, two_cas):
    ours, _ = two_cas
    stack = trusting()
    held = Held(stack, ours.client("alice"))
    renewed = ours.directory / "renewed.pem"
    openssl("x509", "-in", ours.ca, "-signkey", ours.pair("ca").key, "-days", "99", "-set_serial", "77", "-out", renewed)
    put(stack, "ca.crt", renewed)
    reload(stack)
    stack.gateway.logged("reloaded")
    assert held.live() and come_in(stack, ours.client("alice")) == "PONG"
    assert not lines(stack, "session closed")


@VERSIONS
def test_a_handshake_that_began_before_the_change(trusting, two_cas, version):
    """Its context is the old one's, but at its end it is judged by the new."""
    ours, _ = two_cas
    stack, bob = trusting(), leaver(ours)
    half = {name: HalfHandshake(stack, context_of(stack, ours.client(name), version)) for name in ("alice", bob)}
    revoke(ours, bob)
    put(stack, "0.crl", ours.directory / "ca.crl")
    reload(stack)
    stack.gateway.logged("reloaded")
    assert half["alice"].finish() == "PONG"
    assert half[bob].finish() == REVOKED
    stack.gateway.logged(rf'client refused .*reason="revoked on .*subject=cn:{bob}')


class HalfHandshake:
    """A handshake that stops before the client's last messages."""

    def __init__(self, stack, context):
        self.plain = socket.create_connection(("127.0.0.1", stack.port), timeout=10)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        assert not self.tried(self.tls.do_handshake)
        self.flush()
        while not self.outgoing.pending:  # the answer to the server's messages lies there, and is held back
            self.incoming.write(self.plain.recv(1 << 16))
            self.tried(self.tls.do_handshake)

    def flush(self):
        if self.outgoing.pending:
            self.plain.sendall(self.outgoing.read())

    @staticmethod
    def tried(call, *args):
        """tried returns what the call does, in a list; an empty one when it needs more bytes."""
        try:
            return [call(*args)]
        except ssl.SSLWantReadError:
            return []

    def until_done(self, call, *args):
        while not (result := self.tried(call, *args)):
            self.flush()
            data = self.plain.recv(1 << 16)
            assert data, "the end came without an alert"
            self.incoming.write(data)
        self.flush()
        return result[0]

    def finish(self):
        """finish goes on, and returns PONG or the alert's number."""
        try:
            self.flush()
            self.until_done(self.tls.do_handshake)
            self.until_done(self.tls.write, b"PING\r\n")
            return self.until_done(self.tls.read, 100).decode().strip("+\r\n")
        except ssl.SSLError as e:
            return alert_in(e)
        finally:
            self.plain.close()


def test_nobody_slips_through_a_change(trusting, two_cas):
    """Clients come all the while, as one of them is revoked and let in again, many times: once a reload is said to be
    done, no worker serves the revoked one, however its handshake and the reload lay; the others notice nothing."""
    ours, _ = two_cas
    stack, bob = trusting(), leaver(ours)
    good, bad = ours.directory / "good.crl", ours.directory / "bad.crl"
    good.write_bytes((ours.directory / "ca.crl").read_bytes())
    revoke(ours, bob)
    bad.write_bytes((ours.directory / "ca.crl").read_bytes())
    served, failures, stopping = [], [], threading.Event()

    def come_again(pair, may_fail):
        context, session = context_of(stack, pair), None
        while not stopping.is_set():
            try:
                with context.wrap_socket(socket.create_connection(("127.0.0.1", stack.port), timeout=10),
                                         server_hostname="localhost", session=session) as sock:
                    raw = Raw(sock)
                    for _ in range(3):
                        asked = time.monotonic()
                        assert raw.ask("PING") == "PONG"
                        if may_fail:
                            served.append((asked, time.monotonic()))
                    session = sock.session
            except (OSError, Closed) as e:
                if not may_fail:
                    failures.append(e)

    threads = [threading.Thread(target=come_again, args=(ours.pair(bob), True)) for _ in range(3)]
    threads.append(threading.Thread(target=come_again, args=(ours.client("alice"), False)))
    held = Held(stack, ours.client("alice"), 4)
    for thread in threads:
        thread.start()
    revoked, rounds = [], 12
    try:
        for n in range(rounds):
            for crl in (bad, good):
                at = len(lines(stack, r"\breloaded\b"))
                put(stack, "0.crl", crl)
                reload(stack)
                wait_until(lambda: len(lines(stack, r"\breloaded\b")) > at, 5, f"reload {n}", 0.002)
                began = time.monotonic()
                time.sleep(0.05)
                if crl == bad:
                    revoked.append((began, time.monotonic()))
    finally:
        stopping.set()
        for thread in threads:
            thread.join(20)
    assert not failures and held.live()
    late = [s for s in served for began, end in revoked if began < s[0] and s[1] < end]
    assert not late, late
    assert len(served) > rounds, "it was hardly ever let in"


def expires(pair):
    text = openssl("x509", "-in", pair.cert, "-noout", "-enddate").strip().split("=")[1]
    return ssl.cert_time_to_seconds(text)


def short_lived(ours, theirs, seconds):
    """Two clients by name: the certificate of one ends so soon, the issuer's of the other. With that time, and the reason."""
    end = f"+{seconds} seconds"
    theirs.run("ca", "fleeting", "--issuer", "root", "--not-after", end, "--force")
    theirs.run("client", "below", "--issuer", "fleeting", "--force")
    ours.run("client", "short", "--not-after", end, "--force")
    return {"below": (theirs.pair("below"), expires(theirs.pair("fleeting")), "its issuer's certificate expired on"),
            "short": (ours.pair("short"), expires(ours.pair("short")), "it expired on")}


def test_sessions_end_with_the_first_certificate_of_their_chain(trusting, two_cas):
    ours, theirs = two_cas
    stack = trusting([ours.ca, theirs.pair("root").cert])
    for seconds in (3, 10, 30):  # as quick as this machine is
        cases, held = short_lived(ours, theirs, seconds), {}
        if all(come_in(stack, pair) == "PONG" for pair, _, _ in cases.values()):
            held = {name: Held(stack, pair, 3) for name, (pair, _, _) in cases.items()}
            break
    alice = Held(stack, ours.client("alice"), 1)
    for name, (pair, end, why) in cases.items():
        assert held[name].ends() == {EXPIRED}
        assert 1 <= time.time() - end < 1 + IN_TIME, f"{name}: {time.time() - end:.2f} s after"
        assert len(lines(stack, rf'session closed: [^\n]*reason="{why}')) == 3
        assert come_in(stack, pair) == EXPIRED
    assert alice.live()


def test_a_reload_that_would_cut_too_many(trusting, two_cas):
    ours, _ = two_cas
    stack, bob, carol = trusting(options=["--max-evict", "50"]), leaver(ours), leaver(ours)
    held = {name: Held(stack, ours.client(name), count) for name, count in ((carol, 4), (bob, 8))}
    revoke(ours, bob)
    put(stack, "0.crl", ours.directory / "ca.crl")
    reload(stack)
    stack.gateway.logged(r"error cofre-gateway: reload refused.*--max-evict.*SIGUSR1.* "
                         "sessions=12 cut=8 max_evict_percent=50")
    assert held[bob].live() and held[carol].live() and come_in(stack, ours.pair(bob)) == "PONG"

    reload(stack, signal.SIGUSR1)
    assert held[bob].ends() == {REVOKED} and held[carol].live()
    stack.gateway.logged("as forced sessions=12 cut=8")
    assert come_in(stack, ours.pair(bob)) == REVOKED

    # And one that cuts few enough needs no force.
    alice = Held(stack, ours.client("alice"), 4)
    revoke(ours, carol)
    put(stack, "0.crl", ours.directory / "ca.crl")
    reload(stack)
    assert held[carol].ends() == {REVOKED} and alice.live()
    stack.gateway.logged("closing sessions sessions=8 cut=4")


# Resumption

def resume(stack, context, session):
    """resume connects with this session and returns whether it resumed, and the session that follows."""
    with context.wrap_socket(socket.create_connection(("127.0.0.1", stack.port), timeout=10),
                             server_hostname="localhost", session=session) as sock:
        assert Raw(sock).ask("PING") == "PONG"
        return sock.session_reused, sock.session


def all_resume(stack, context, session):
    """What happens to this session on every worker: {True}, {False} or both."""
    return {resume(stack, context, session)[0] for _ in range(EVERY_WORKER)}


@VERSIONS
def test_tickets(trusting, two_cas, version):
    """They outlive a renewal of the server's certificate, and no change of trust; on every worker."""
    ours, theirs = two_cas
    stack, bob = trusting(), leaver(ours)
    if not ours.pair("renewed").cert.exists():
        ours.run("server", "renewed", "localhost")
    contexts = {name: context_of(stack, ours.client(name), version) for name in ("alice", bob)}

    def issued():
        return {name: resume(stack, context, None)[1] for name, context in contexts.items()}

    def reloaded(n):
        reload(stack)
        wait_until(lambda: len(lines(stack, r"\breloaded\b")) == n, 5, f"reload {n}")

    before = issued()
    assert all_resume(stack, contexts["alice"], before["alice"]) == {True}
    assert all_resume(stack, contexts[bob], before[bob]) == {True}

    stack.gateway.install(ours.pair("renewed"))
    reloaded(1)
    assert all_resume(stack, contexts["alice"], before["alice"]) == {True}

    revoke(ours, bob)
    put(stack, "0.crl", ours.directory / "ca.crl")
    reloaded(2)
    assert all_resume(stack, contexts["alice"], before["alice"]) == {False}, "a full handshake instead"
    for _ in range(EVERY_WORKER):
        assert come_in(stack, None, context=contexts[bob], session=before[bob]) == REVOKED

    # A change of trust that has nothing to do with this client does the same: another CA comes, and goes.
    after = resume(stack, contexts["alice"], None)[1]
    put(stack, "ca.crt", ours.ca, theirs.ca)
    reloaded(3)
    assert all_resume(stack, contexts["alice"], after) == {False}
    strange = context_of(stack, theirs.client("stranger"), version)
    theirs_ticket = resume(stack, strange, None)[1]
    assert all_resume(stack, strange, theirs_ticket) == {True}
    after = resume(stack, contexts["alice"], None)[1]
    put(stack, "ca.crt", ours.ca)
    reloaded(4)
    assert all_resume(stack, contexts["alice"], after) == {False}
    for _ in range(EVERY_WORKER):
        assert come_in(stack, None, context=strange, session=theirs_ticket) == UNKNOWN_CA

    # The old trust again is a new generation: what it sealed before stays shut.
    put(stack, "ca.crt", ours.ca, theirs.ca)
    reloaded(5)
    assert all_resume(stack, strange, theirs_ticket) == {False}


# Revocation lists

def figures(stack):
    """The gateway's figures in INFO."""
    with stack.raw() as r:
        text = r.ask("INFO", "everything").decode()
    return {k: int(v) for k, v in re.findall(r"^gateway_(\w+):(\d+)\r$", text, re.M)}


def test_every_serial_of_every_list_counts(trusting, two_cas):
    """Two files; one with the lists of two issuers, the other with an older list of one of them."""
    ours, theirs = two_cas
    first, second, third = leaver(ours), leaver(ours), leaver(theirs)
    revoke(ours, first)
    old = ours.directory / "old.crl"
    old.write_bytes((ours.directory / "ca.crl").read_bytes())
    revoke(ours, second)
    revoke(theirs, third)
    stack = trusting([ours.ca, theirs.ca], [[old], [ours.directory / "ca.crl", theirs.directory / "ca.crl"]])
    for pair in (ours.pair(first), ours.pair(second), theirs.pair(third)):
        assert come_in(stack, pair) == REVOKED
    assert come_in(stack, theirs.client("stranger")) == "PONG" == come_in(stack, ours.client("alice"))


@pytest.mark.parametrize("policy", ["warn", "reject"])
def test_a_list_that_runs_out(trusting, two_cas, policy):
    ours, theirs = two_cas
    alice, stranger = ours.client("alice"), theirs.client("stranger")
    stack = trusting([ours.ca, theirs.ca], [[ours.directory / "ca.crl", theirs.directory / "ca.crl"]],
                     options=["--crl-expired", policy])
    end = time.time() + 3
    put(stack, "0.crl", revocation_list(ours, "short.crl", 3), theirs.directory / "ca.crl")
    reload(stack)
    stack.gateway.logged("reloaded")
    context = context_of(stack, alice)
    ticket = resume(stack, context, None)[1]
    held = Held(stack, alice, 4)
    assert all_resume(stack, context, ticket) == {True} or time.time() > end
    stack.gateway.logged(r"warning cofre-gateway: a revocation list is out of date: .*issuer=.*next_update=")
    if policy == "warn":
        assert come_in(stack, alice) == "PONG"
        assert all_resume(stack, context, ticket) == {True}
        wait_until(lambda: figures(stack)["crls_expired"] == 1, 5, "the figure")
    else:
        for _ in range(EVERY_WORKER):  # neither the workers' memory of chains nor the ticket help
            assert come_in(stack, None, context=context, session=ticket) == UNKNOWN
        stack.gateway.logged(r'client refused .*reason="the revocation list of its issuer is out of date since .*" '
                             r'subject="CN=alice" issuer=".*" serial=')
    assert come_in(stack, stranger) == "PONG", "its issuer's list is another"
    assert held.live(), "a list that runs out closes nobody"
    put(stack, "0.crl", revocation_list(ours, "long.crl", 600), theirs.directory / "ca.crl")
    reload(stack)
    wait_until(lambda: len(lines(stack, r"\breloaded\b")) == 2, 5, "the new list")
    assert come_in(stack, alice) == "PONG" and held.live()
    wait_until(lambda: figures(stack)["crls_expired"] == 0, 5, "the figure")


def test_a_list_that_is_not_there(trusting, two_cas):
    ours, _ = two_cas
    bob = leaver(ours)
    revoke(ours, bob)
    stack = trusting()
    alice = Held(stack, ours.client("alice"), 2)
    (stack.gateway.secrets / "0.crl").unlink()
    reload(stack)
    stack.gateway.logged(r"(error|warning) cofre-gateway: reload.*0\.crl: No such file")
    assert alice.live() and come_in(stack, ours.pair("alice")) == "PONG" and come_in(stack, ours.pair(bob)) == REVOKED

    stack.gateway.stop()
    stack.gateway.start(wait=False)
    assert stack.gateway.popen.wait(10) == 2
    assert re.search(r"0\.crl: No such file", stack.gateway.since_start())
    put(stack, "0.crl", ours.directory / "ca.crl")
    stack.gateway.start()


# Who is refused: what the log says, and the alert

WHO = r'subject="[^"]*{}" issuer="[^"]+" serial=[0-9a-f]+$'
AGO = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"

# certificate, (alert in TLS 1.2, in 1.3), reason in the log, whom it names, name of the figure
DENIALS = {
    "expired": (EXPIRED, EXPIRED, rf'client refused .*"expired 3 days ago on {AGO}"', "expired", "expired"),
    "not-yet": (EXPIRED, EXPIRED, rf'client refused .*"not yet valid until {AGO}"', "not-yet", "not_yet_valid"),
    "stranger": (UNKNOWN_CA, UNKNOWN_CA, 'client refused .*"unknown issuer', "stranger", "unknown_issuer"),
    "self-signed": (UNKNOWN_CA, UNKNOWN_CA, 'client refused .*"self-signed, and neither pinned nor', "self-signed",
                    "unknown_issuer"),
    "below-a-leaf": (UNKNOWN_CA, UNKNOWN_CA, 'client refused .*"unknown issuer', "below-a-leaf", "unknown_issuer"),
    "below-expired": (EXPIRED, EXPIRED, rf'client refused .*"its issuer .*: expired \d+ days ago on {AGO}"',
                      "below-expired", "expired"),
    "below-revoked": (REVOKED, REVOKED, rf'client refused .*"its issuer .*: revoked on {AGO}"', "below-revoked",
                      "revoked"),
    "revoked": (REVOKED, REVOKED, rf'client refused .*"revoked on {AGO}"', "revoked", "revoked"),
    "server-purpose": (UNSUPPORTED, UNSUPPORTED, 'client refused .*"wrong purpose: not for TLS client authentication"',
                       "server-purpose", "wrong_purpose"),
    "two-names": (UNKNOWN, UNKNOWN, 'client refused .*"name refused: more than one common name"', "alice", "name"),
    "no-name": (UNKNOWN, UNKNOWN, 'client refused .*"name refused: it has no name of a kind that --identity takes"',
                "", "name"),
    "weak": (BAD_CERTIFICATE, BAD_CERTIFICATE, 'client refused .*"its RSA key has 1024 bits, less than 2048"', "weak",
             "weak_key"),
    "critical": (BAD_CERTIFICATE, BAD_CERTIFICATE, 'client refused .*"it has a critical extension that is not known"',
                 "critical", "broken_certificate"),
    "forged": (BAD_CERTIFICATE, BAD_CERTIFICATE, 'client refused .*"its signature is wrong"', "forged",
               "broken_certificate"),
    None: (HANDSHAKE_FAILURE, CERTIFICATE_REQUIRED, "handshake failed .*no certificate sent", None, "no_certificate"),
}


def weak_client(certs, name):
    """A client with a key of 1,024 bits, which cofre-certs does not make."""
    pair, request = certs.pair(name), certs.directory / "request.pem"
    openssl("genrsa", "-out", pair.key, "1024")
    openssl("req", "-new", "-key", pair.key, "-subj", f"/CN={name}", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", certs.ca, "-CAkey", certs.pair("ca").key, "-days", "9", "-out", pair.cert)


def forged(certs, folder):
    """A client whose issuer has the name of this CA, and another key."""
    other = Certificates.__new__(Certificates)  # without a CA of its own
    other.directory = folder / "certs"
    other.directory.mkdir(mode=0o700)
    subject = openssl("x509", "-in", certs.ca, "-noout", "-subject", "-nameopt", "compat").strip().removeprefix("subject=")
    other.run("ca", "--subject", subject)
    other.run("client", "forged", "--ext", "authorityKeyIdentifier=none")
    return other.pair("forged")


@pytest.fixture(scope="module")
def denied(stage, two_cas):
    """Certificates that must be refused, by their name in DENIALS."""
    ours, theirs = two_cas
    ours.run("client", "expired", "--not-before", "2020-01-01", "--not-after", "-3 days -1 hour")
    ours.run("client", "not-yet", "--not-before", "+2 days", "--not-after", "+3 days")
    ours.run("client", "leaf")
    ours.run("client", "below-a-leaf", "--issuer", "leaf")
    ours.run("client", "server-purpose", "--purpose", "server")
    ours.run("client", "two-names", "--subject", "/CN=alice/CN=admin")
    ours.run("client", "no-name", "--subject", "/O=nobody")
    ours.run("client", "critical", "--ext", "1.3.6.1.4.1.99999.1=critical,DER:0500")
    ours.run("self-signed", "self-signed", "--p256")
    ours.client("revoked")
    revoke(ours, "revoked")
    weak_client(ours, "weak")
    theirs.run("ca", "old-ca", "--issuer", "root", "--not-before", "2020-01-01", "--not-after", "2020-02-01")
    theirs.run("client", "below-expired", "--issuer", "old-ca")
    theirs.run("ca", "bad-ca", "--issuer", "root")
    theirs.run("client", "below-revoked", "--issuer", "bad-ca")
    revoke(theirs, "bad-ca", "root")
    below = {name: theirs.pair(name) for name in ("below-expired", "below-revoked")}
    return {**{name: ours.pair(name) for name in DENIALS if name}, **below, "stranger": theirs.client("stranger"),
            "forged": forged(ours, stage.folder("forged")), None: None}


@pytest.fixture(scope="module")
def refusing(stage, core, two_cas, denied):
    ours, theirs = two_cas
    door = Door(stage.folder("refusing"), core, ours, [ours.ca, theirs.pair("root").cert],
                [[ours.directory / "ca.crl", theirs.directory / "root.crl"]])
    yield door
    door.stop()


@VERSIONS
@pytest.mark.parametrize("who", DENIALS)
def test_denials(refusing, denied, who, version):
    """The log line names peer, subject, issuer, serial and the exact reason; the client sees an alert, and no more."""
    in_1_2, in_1_3, reason, subject, figure = DENIALS[who]
    at = len(refusing.gateway.text())
    before = figures(refusing)[f"refused_{figure}"]
    assert come_in(refusing, denied[who], version) == (in_1_2 if version == TLS12 else in_1_3)
    said = wait_until(lambda: re.search(r"^.*(client refused|handshake failed).*\n",
                                        refusing.gateway.text()[at:].decode(), re.M), 5, "the line").group()
    assert re.search(reason, said), said
    assert re.search(r" peer=127\.0\.0\.1:\d+ ", said), said
    assert subject is None or re.search(WHO.format(subject), said.strip()), said
    wait_until(lambda: figures(refusing)[f"refused_{figure}"] == before + 1, 5, "the figure")


def test_nothing_in_common(refusing, two_cas):
    """No suite, no group, no version: these end before a certificate is seen."""
    alice = two_cas[0].client("alice")
    no_suite, no_version = context_of(refusing, alice, TLS12), context_of(refusing, alice, ssl.TLSVersion.TLSv1_1)
    no_suite.set_ciphers("ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0")
    no_group = {v: context_of(refusing, alice, v) for v in (TLS12, TLS13)}
    for context in no_group.values():
        context.set_ecdh_curve("secp521r1")
    for context, alert, reason in [(no_suite, HANDSHAKE_FAILURE, "no common suite"),
                                   (no_version, PROTOCOL_VERSION, "no common TLS version"),
                                   (no_group[TLS12], HANDSHAKE_FAILURE, "no common suite"),
                                   (no_group[TLS13], HANDSHAKE_FAILURE, "no common key exchange group")]:
        at = len(refusing.gateway.text())
        assert come_in(refusing, None, context=context) == alert
        wait_until(lambda: re.search(rf"handshake failed peer=127.0.0.1:\d+ .*{reason}",
                                     refusing.gateway.text()[at:].decode()), 5, reason)


@VERSIONS
def test_what_is_signed_or_sealed_wrong(refusing, two_cas, version):
    """One bit of the client's last messages is flipped: in TLS 1.2 the signature that proves that it holds the key, which
    lies open there; in TLS 1.3 a record, which is sealed."""
    half = HalfHandshake(refusing, context_of(refusing, two_cas[0].client("alice"), version))
    data, at = bytearray(half.outgoing.read()), 0
    while (data[at + 5] != 15) if version == TLS12 else (data[at] != 23):  # to CertificateVerify, or what is sealed
        at += 5 + int.from_bytes(data[at + 3:at + 5], "big")
    data[at + 5 + int.from_bytes(data[at + 3:at + 5], "big") - 1] ^= 1
    figure = "refused_wrong_key" if version == TLS12 else "refused_protocol"
    before = figures(refusing)[figure]
    half.plain.sendall(data)
    assert half.finish() == (DECRYPT_ERROR if version == TLS12 else BAD_RECORD)
    refusing.gateway.logged("client refused peer=.*does not hold the certificate's key.*subject=cn:alice" if version == TLS12
                            else "handshake failed peer=.*a record failed authentication")
    wait_until(lambda: figures(refusing)[figure] == before + 1, 5, "the figure")


def test_a_client_that_does_not_trust_us(refusing, denied):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(str(denied["self-signed"].cert))
    with pytest.raises(ssl.SSLError):
        refusing.tls(context=context)
    refusing.gateway.logged("handshake failed peer=.*the client does not trust our certificate")
    wait_until(lambda: figures(refusing)["refused_by_client"] == 1, 5, "the figure")
