"""A core without PostgreSQL, for testing the gateway alone: speaks the link's frames
(core/shared/wire/README.md) and answers a few commands from a dict.

usage: fake_core.py SOCKET [--version N] [--pin-multi]

PING ECHO SET GET DEL INCR SELECT CLIENT WHOAMI QUIT CREDIT; SLEEP seconds; BIG bytes; DIE; KILLME.
It honours credit, and keeps SELECT's number in STATE, so that restarts can be tested.
"""
import argparse
import os
import selectors
import socket
import struct
import sys
import time

HEADER = struct.Struct("<IBBHQ")
HELLO, OPEN, CLOSE, REQUEST, REPLY, CREDIT, STATE, STATS, PING, PONG = range(1, 11)
MORE, CLOSING, PINNED = 1, 2, 2
MAX_PAYLOAD = 65536
MAGIC = b"COFRELNK"
data = {}
stats = {}


def string(b):
    return struct.pack("<I", len(b)) + b


class Reader:
    def __init__(self, payload):
        self.payload, self.at = payload, 0

    def take(self, fmt):
        value = struct.unpack_from("<" + fmt, self.payload, self.at)[0]
        self.at += struct.calcsize("<" + fmt)
        return value

    def bytes(self, n):
        self.at += n
        return self.payload[self.at - n:self.at]

    def string(self):
        return self.bytes(self.take("I"))


class Session:
    def __init__(self, number, payload):
        r = Reader(payload)
        self.number = number
        self.kind = r.take("B")
        self.identity, self.issuer, self.serial = r.string(), r.string(), r.string()
        self.fingerprint, self.not_after = r.bytes(32), r.take("q")
        self.tls, self.cipher, self.peer, self.local = (r.string() for _ in range(4))
        self.opened, self.credit, state = r.take("q"), r.take("I"), r.string()
        assert r.at == len(payload), "OPEN has bytes left over"
        self.db = int(state or b"0")
        self.parts = []
        self.waiting = []  # (reply bytes, flags) beyond the credit


class Link:
    def __init__(self, sock, version):
        self.sock, self.inb, self.out, self.sessions = sock, bytearray(), bytearray(), {}
        self.frame(HELLO, 0, MAGIC + struct.pack("<I", version) + string(b"fake_core"))

    def frame(self, kind, session, payload=b"", flags=0, answered=0):
        self.out += HEADER.pack(len(payload), kind, flags, answered, session) + payload

    def feed(self, chunk):
        self.inb += chunk
        at = 0
        while len(self.inb) - at >= HEADER.size:
            length, kind, flags, answered, session = HEADER.unpack_from(self.inb, at)
            assert length <= MAX_PAYLOAD and 1 <= kind <= PONG, "bad frame"
            if len(self.inb) - at < HEADER.size + length:
                break
            payload = bytes(self.inb[at + HEADER.size:at + HEADER.size + length])
            at += HEADER.size + length
            self.on_frame(kind, flags, session, payload)
        del self.inb[:at]

    def on_frame(self, kind, flags, number, payload):
        if kind == OPEN:
            assert number not in self.sessions, "session opened twice"
            self.sessions[number] = Session(number, payload)
        elif kind == CLOSE:
            self.sessions.pop(number, None)
        elif kind == CREDIT:
            s = self.sessions.get(number)
            if s:
                s.credit += struct.unpack("<I", payload)[0]
                self.pump(s)
        elif kind == REQUEST:
            s = self.sessions[number]
            s.parts.append(payload)
            if not flags & MORE:
                whole, s.parts = b"".join(s.parts), []
                self.request(s, whole)
        elif kind == STATS:
            stats.update(line.split("=") for line in payload.decode().splitlines())
        elif kind == PING:
            self.frame(PONG, 0, payload)

    def request(self, s, payload):
        argc = struct.unpack_from("<I", payload)[0]
        lengths = struct.unpack_from("<%dI" % argc, payload, 4)
        argv, at = [], 4 + 4 * argc
        for n in lengths:
            argv.append(payload[at:at + n])
            at += n
        assert at == len(payload), "request has bytes left over"
        flags, reply = self.run(s, argv)
        if reply is not None:
            s.waiting.append([reply, flags])
            self.pump(s)

    def pump(self, s):
        """Sends what the credit allows; `answered` is on a reply's last frame."""
        while s.waiting and s.credit > 0:
            reply, flags = s.waiting[0]
            n = min(len(reply), s.credit, MAX_PAYLOAD)
            s.credit -= n
            last = n == len(reply)
            self.frame(REPLY, s.number, reply[:n], flags if last else MORE, 1 if last else 0)
            if last:
                s.waiting.pop(0)
            else:
                s.waiting[0][0] = reply[n:]

    def run(self, s, argv):
        name = argv[0].upper()
        bulk = lambda b: b"$%d\r\n%s\r\n" % (len(b), b)
        if name == b"PING":
            return 0, b"+PONG\r\n"
        if name == b"ECHO":
            return 0, bulk(argv[1])
        if name == b"SET":
            data[argv[1]] = argv[2]
            return 0, b"+OK\r\n"
        if name == b"GET":
            return 0, bulk(data[argv[1]]) if argv[1] in data else b"$-1\r\n"
        if name == b"DEL":
            return 0, b":%d\r\n" % (data.pop(argv[1], None) is not None)
        if name == b"INCR":
            data[argv[1]] = b"%d" % (int(data.get(argv[1], b"0")) + 1)
            return 0, b":%s\r\n" % data[argv[1]]
        if name == b"SELECT":
            s.db = int(argv[1])
            self.frame(STATE, s.number, argv[1] if s.db else b"")
            return 0, b"+OK\r\n"
        if name == b"DB":
            return 0, b":%d\r\n" % s.db
        if name == b"MULTI":
            self.frame(STATE, s.number, b"", PINNED)
            return 0, b"+OK\r\n"
        if name == b"WHOAMI":
            text = b" ".join([s.identity, s.issuer, s.serial, s.fingerprint.hex().encode(),
                              b"%d" % s.not_after, s.tls, s.cipher, s.peer, s.local])
            return 0, bulk(text)
        if name == b"STATS":
            return 0, bulk("\n".join("%s=%s" % kv for kv in sorted(stats.items())).encode())
        if name == b"BIG":
            return 0, bulk(b"x" * int(argv[1]))
        if name == b"SLEEP":
            time.sleep(float(argv[1]))
            return 0, b"+OK\r\n"
        if name == b"HANG":
            return 0, None
        if name == b"DIE":
            os._exit(9)
        if name == b"KILLME":
            self.frame(CLOSE, s.number, b"asked for")
            del self.sessions[s.number]
            return 0, None
        if name == b"QUIT":
            return CLOSING, b"+OK\r\n"
        if name in (b"CONFIG", b"COMMAND"):
            return 0, b"*0\r\n"
        return 0, b"-ERR unknown command '%s'\r\n" % name[:64]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("socket")
    options.add_argument("--version", type=int, default=2)
    o = options.parse_args()
    if os.path.exists(o.socket):
        os.unlink(o.socket)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(o.socket)
    listener.listen(64)
    os.chmod(o.socket, 0o666)
    sel = selectors.DefaultSelector()
    sel.register(listener, selectors.EVENT_READ)
    print("ready", file=sys.stderr, flush=True)
    while True:
        for key, _ in sel.select():
            if key.fileobj is listener:
                sock, _ = listener.accept()
                link = Link(sock, o.version)
                sel.register(sock, selectors.EVENT_READ, link)
            else:
                link = key.data
                chunk = link.sock.recv(1 << 20)
                if not chunk:
                    sel.unregister(link.sock)
                    link.sock.close()
                    continue
                link.feed(chunk)
            if link.out:
                link.sock.sendall(link.out)
                link.out.clear()


if __name__ == "__main__":
    main()
