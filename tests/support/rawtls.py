"""A TLS client that does only what it is told, so that it can do it wrong: records, messages and keys are in the test's
hands. TLS 1.3 and 1.2, one suite each (AES-128-GCM, X25519), ECDSA P-256 certificates. It checks nothing of the server's.

    t = RawTls(sock, chain, key)          chain: DER, leaf first; None: without a certificate
    t.handshake()                         or step by step: t.hello(), t.read_flight(), t.answer()
    t.send(APPLICATION, b"PING\\r\\n")      any record, encrypted once there are keys
    t.read() -> (type, bytes)             one record;  t.alert() -> the alert's number, or what came in its place
"""
import contextlib
import hashlib
import hmac
import os
import socket
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CCS, ALERT, HANDSHAKE, APPLICATION = 20, 21, 22, 23
CLIENT_HELLO, CERTIFICATE, CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE, FINISHED, KEY_UPDATE = 1, 11, 15, 16, 20, 24
TLS12, TLS13 = 0x0303, 0x0304
ECDSA_P256_SHA256 = 0x0403
SUITES = {TLS13: [0x1301], TLS12: [0xC02B, 0xC02F]}
SCHEMES = [0x0403, 0x0807, 0x0804, 0x0401, 0x0503]


def vector(size, data):
    """vector is data behind its length, as TLS writes it."""
    return len(data).to_bytes(size, "big") + data


def numbers(values):
    return b"".join(struct.pack(">H", v) for v in values)


def message(kind, body):
    """message is one handshake message."""
    return bytes([kind]) + vector(3, body)


def record(kind, payload, version=TLS12):
    """record is one record in the clear."""
    return bytes([kind]) + struct.pack(">H", version) + vector(2, payload)


def extension(kind, body):
    return struct.pack(">H", kind) + vector(2, body)


def client_hello(version=TLS13, name="localhost", suites=None, schemes=SCHEMES, groups=(0x001D, 0x0017), public=None,
                 more=b"", legacy=TLS12, random=None):
    """client_hello is the message. `public` is an X25519 key share; name None sends no SNI; `more` are extensions."""
    extensions = b""
    if name is not None:
        extensions += extension(0, vector(2, b"\0" + vector(2, name.encode())))
    if schemes is not None:
        extensions += extension(13, vector(2, numbers(schemes)))
    if groups is not None:
        extensions += extension(10, vector(2, numbers(groups)))
    if version >= TLS13:
        extensions += extension(43, vector(1, numbers([TLS13])))
        share = public or x25519.X25519PrivateKey.generate().public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        extensions += extension(51, vector(2, struct.pack(">H", 0x001D) + vector(2, share)))
    extensions += more
    body = struct.pack(">H", legacy) + (random or os.urandom(32)) + vector(1, b"")
    body += vector(2, numbers(suites or SUITES[version])) + vector(1, b"\0")
    return message(CLIENT_HELLO, body + vector(2, extensions))


def expand_label(secret, label, context, size):
    """expand_label is HKDF-Expand-Label of RFC 8446 §7.1, for at most one block."""
    label = b"tls13 " + label
    info = struct.pack(">H", size) + vector(1, label) + vector(1, context)
    return hmac.digest(secret, info + b"\x01", "sha256")[:size]


def prf(secret, label, seed, size):
    """prf is TLS 1.2's, RFC 5246 §5."""
    out, a = b"", label + seed
    while len(out) < size:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + label + seed, "sha256")
    return out[:size]


class Direction:
    """The keys and the count of one direction."""

    def __init__(self, version, key, iv, secret=None):
        self.version, self.aead, self.iv, self.secret, self.count = version, AESGCM(key), iv, secret, 0

    @classmethod
    def tls13(cls, secret):
        return cls(TLS13, expand_label(secret, b"key", b"", 16), expand_label(secret, b"iv", b"", 12), secret)

    def updated(self):
        return Direction.tls13(expand_label(self.secret, b"traffic upd", b"", 32))

    def _next(self):
        self.count += 1
        return struct.pack(">Q", self.count - 1)

    def seal(self, kind, payload):
        if self.version == TLS13:
            inner = payload + bytes([kind])
            head = bytes([APPLICATION]) + struct.pack(">HH", TLS12, len(inner) + 16)
            nonce = bytes(a ^ b for a, b in zip(self.iv, b"\0\0\0\0" + self._next()))
            return head + self.aead.encrypt(nonce, inner, head)
        count = self._next()
        about = count + bytes([kind]) + struct.pack(">HH", TLS12, len(payload))
        return record(kind, count + self.aead.encrypt(self.iv + count, payload, about))

    def open(self, kind, body):
        if self.version == TLS13:
            head = bytes([kind]) + struct.pack(">HH", TLS12, len(body))
            nonce = bytes(a ^ b for a, b in zip(self.iv, b"\0\0\0\0" + self._next()))
            inner = self.aead.decrypt(nonce, body, head).rstrip(b"\0")
            return inner[-1], inner[:-1]
        about = self._next() + bytes([kind]) + struct.pack(">HH", TLS12, len(body) - 24)
        return kind, self.aead.decrypt(self.iv + body[:8], body[8:], about)


class Ended(Exception):
    """The server closed or reset the connection."""


class RawTls:
    def __init__(self, sock, chain=None, key=None, version=TLS13, name="localhost"):
        self.sock, self.chain, self.key, self.version, self.name = sock, chain or [], key, version, name
        self.transcript = b""
        self.writing = self.reading = None
        self.pending = b""  # handshake messages that were read in part
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # Records

    def sealed(self, kind, payload):
        """sealed is one record as it would be sent now."""
        return self.writing.seal(kind, payload) if self.writing else record(kind, payload)

    def send(self, kind, payload):
        self.sock.sendall(self.sealed(kind, payload))

    def send_raw(self, data):
        self.sock.sendall(data)

    def _bytes(self, size):
        while len(self.buffer) < size:
            try:
                data = self.sock.recv(1 << 16)
            except socket.timeout:
                raise
            except OSError as e:
                raise Ended(str(e)) from e
            if not data:
                raise Ended("closed")
            self.buffer += data
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read(self):
        """read returns the type and the content of the next record."""
        head = self._bytes(5)
        kind, body = head[0], self._bytes(int.from_bytes(head[3:5], "big"))
        if self.reading and kind != CCS and not (self.version == TLS13 and kind == ALERT and len(body) == 2):
            kind, body = self.reading.open(kind, body)
        if kind == HANDSHAKE and self.reading and body[:1] == bytes([KEY_UPDATE]):
            self.reading = self.reading.updated()
        return kind, body

    def alert(self):
        """alert returns the number of the alert that ends the connection, or "closed", or "reset"."""
        try:
            while True:
                kind, body = self.read()
                if kind == ALERT:
                    return body[1]
        except Ended as e:
            return "closed" if str(e) == "closed" else "reset"

    def ask(self, *words):
        """ask sends one inline command and returns the first record of the reply."""
        self.send(APPLICATION, b" ".join(words) + b"\r\n")
        while True:
            kind, body = self.read()
            if kind == APPLICATION:
                return body
            if kind == ALERT:
                raise Ended(f"alert {body[1]}")

    # Handshake

    def read_message(self):
        """read_message returns the next handshake message, and adds it to the transcript."""
        while len(self.pending) < 4 or len(self.pending) < 4 + int.from_bytes(self.pending[1:4], "big"):
            kind, body = self.read()
            if kind == ALERT:
                raise Ended(f"alert {body[1]}")
            if kind == HANDSHAKE:
                self.pending += body
        size = 4 + int.from_bytes(self.pending[1:4], "big")
        out, self.pending = self.pending[:size], self.pending[size:]
        self.transcript += out
        return out

    def note(self, *messages):
        """note adds own messages to the transcript and returns them in one piece."""
        self.transcript += b"".join(messages)
        return b"".join(messages)

    def hello(self, **options):
        """hello returns the ClientHello; it is for the caller to send."""
        self.secret = x25519.X25519PrivateKey.generate()
        self.public = self.secret.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.random = os.urandom(32)
        return self.note(client_hello(self.version, options.pop("name", self.name), random=self.random,
                                      public=self.public, **options))

    def read_flight(self):
        """read_flight takes all that the server sends in answer to the ClientHello."""
        server = self.read_message()
        assert server[0] == 2, f"not a ServerHello: {server[:1].hex()}"
        self.server_random = server[6:38]
        while True:
            if self.version == TLS13 and self.reading is None:
                self._handshake_keys(server)
            got = self.read_message()
            if got[0] == 12:
                self.server_public = got[8:8 + got[7]]
            if got[0] == CERTIFICATE:
                self.server_chain = got
            if got[0] == 13:
                self.certificate_request = got
            if got[0] == (FINISHED if self.version == TLS13 else 14):
                break
        if self.version == TLS13:
            self._traffic_keys()
        return self

    def _digest(self):
        return hashlib.sha256(self.transcript).digest()

    def _handshake_keys(self, server):
        share = server[server.index(struct.pack(">HHHH", 51, 36, 0x001D, 32)) + 8:][:32]
        shared = self.secret.exchange(x25519.X25519PublicKey.from_public_bytes(share))
        nothing = hashlib.sha256(b"").digest()
        early = hmac.digest(b"\0" * 32, b"\0" * 32, "sha256")
        self.base = hmac.digest(expand_label(early, b"derived", nothing, 32), shared, "sha256")
        self.client_secret = expand_label(self.base, b"c hs traffic", self._digest(), 32)
        self.reading = Direction.tls13(expand_label(self.base, b"s hs traffic", self._digest(), 32))
        self.writing = Direction.tls13(self.client_secret)

    def _traffic_keys(self):
        main = hmac.digest(expand_label(self.base, b"derived", hashlib.sha256(b"").digest(), 32), b"\0" * 32, "sha256")
        self.application = Direction.tls13(expand_label(main, b"c ap traffic", self._digest(), 32))
        self.reading = Direction.tls13(expand_label(main, b"s ap traffic", self._digest(), 32))

    def certificate(self, chain=None):
        """certificate is the message with these certificates (the client's own unless given)."""
        chain = self.chain if chain is None else chain
        if self.version == TLS13:
            return message(CERTIFICATE, b"\0" + vector(3, b"".join(vector(3, c) + b"\0\0" for c in chain)))
        return message(CERTIFICATE, vector(3, b"".join(vector(3, c) for c in chain)))

    def certificate_verify(self, key=None):
        key = key or self.key
        told = self.transcript
        if self.version == TLS13:
            told = b" " * 64 + b"TLS 1.3, client CertificateVerify\0" + self._digest()
        signature = key.sign(told, ec.ECDSA(hashes.SHA256()))
        return message(CERTIFICATE_VERIFY, struct.pack(">H", ECDSA_P256_SHA256) + vector(2, signature))

    def finished(self):
        if self.version == TLS13:
            return message(FINISHED, hmac.digest(expand_label(self.client_secret, b"finished", b"", 32), self._digest(),
                                                 "sha256"))
        return message(FINISHED, prf(self.main, b"client finished", self._digest(), 12))

    def first_messages(self, key=None):
        """first_messages are the client's second flight up to what comes before Finished."""
        out = self.note(self.certificate())
        if self.version == TLS12:
            out += self.note(message(CLIENT_KEY_EXCHANGE, vector(1, self.public)))
            shared = self.secret.exchange(x25519.X25519PublicKey.from_public_bytes(self.server_public))
            self.main = prf(shared, b"master secret", self.random + self.server_random, 48)
        if self.chain:
            out += self.note(self.certificate_verify(key))
        return out

    def send_messages(self, data, most=1 << 14):
        """send_messages sends handshake bytes in records of at most so many bytes."""
        self.send_raw(b"".join(self.sealed(HANDSHAKE, data[i:i + most]) for i in range(0, len(data), most)))

    def change_keys(self):
        """change_keys returns what announces the keys for what follows the client's Finished, or is under them."""
        if self.version == TLS13:
            self.writing = self.application
            return
        block = prf(self.main, b"key expansion", self.server_random + self.random, 40)
        self.writing = Direction(TLS12, block[:16], block[32:36])
        self.server_direction = Direction(TLS12, block[16:32], block[36:40])

    def answer(self, key=None, most=1 << 14):
        """answer sends the client's second flight and, in TLS 1.2, reads the server's last one."""
        self.send_messages(self.first_messages(key), most)
        if self.version == TLS13:
            self.send_messages(self.note(self.finished()), most)
            self.change_keys()
            return self
        self.send(CCS, b"\x01")
        done = self.note(self.finished())
        self.change_keys()
        self.send_messages(done, most)
        while True:
            kind, body = self.read()
            if kind == ALERT:
                raise Ended(f"alert {body[1]}")
            if kind == CCS:
                self.reading = self.server_direction
            elif kind == HANDSHAKE and body[0] == FINISHED:
                return self

    def handshake(self):
        self.send(HANDSHAKE, self.hello())
        return self.read_flight().answer()

    def key_update(self, asks=False):
        """key_update returns the record that changes the client's keys; what is sealed later is under the new ones."""
        out = self.sealed(HANDSHAKE, message(KEY_UPDATE, bytes([asks])))
        self.writing = self.writing.updated()
        return out

    def half_close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
