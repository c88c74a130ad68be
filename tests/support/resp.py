"""A RESP2/RESP3 connection that hides nothing: every reply keeps its wire type, and bytes can be sent as they are.

redis-py smooths over what several tests look at (Status against bulk, null kinds, a half request), so they use this.
"""
import socket
import time


class Status(str):
    """+OK"""


class Error(str):
    """-ERR ..., compared as text, never raised."""


class Push(list):
    """>N, RESP3."""


class Closed(Exception):
    """The other side ended the connection."""


NULL_ARRAY = ("null array",)  # *-1, as opposed to $-1 and _, which are None


def encode(*args):
    """encode one command as a RESP array; str and int arguments become UTF-8."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        if not isinstance(arg, (bytes, bytearray)):
            arg = str(arg).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(arg), arg))
    return b"".join(parts)


class Raw:
    """One connection over an already connected (TLS) socket."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()
        self.at = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, *args):
        self.sock.sendall(encode(*args))

    def send_bytes(self, data):
        self.sock.sendall(data)

    def ask(self, *args):
        """ask sends one command and returns its reply."""
        self.send(*args)
        return self.read()

    def ask_all(self, commands):
        """ask_all pipelines the commands in one write and returns their replies."""
        self.send_bytes(b"".join(encode(*c) for c in commands))
        return [self.read() for _ in commands]

    def served(self, timeout=15):
        """served waits until the core answers: after its restart the gateway says TRYAGAIN until its link is back."""
        until = time.monotonic() + timeout
        while str(self.ask("PING")).startswith("TRYAGAIN"):
            assert time.monotonic() < until, "the gateway found no core"
            time.sleep(0.01)
        return self

    def read(self):
        """read returns the next reply; raises Closed at the end and socket.timeout when nothing comes."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Status(rest.decode())
        if kind == b"-":
            return Error(rest.decode(errors="surrogateescape"))
        if kind == b":":
            return int(rest)
        if kind == b"$" or kind == b"=":
            size = int(rest)
            return None if size < 0 else self._exactly(size)
        if kind == b"*":
            return NULL_ARRAY if int(rest) < 0 else [self.read() for _ in range(int(rest))]
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b",":
            return float(rest)
        if kind == b"%":
            pairs = [(self.read(), self.read()) for _ in range(int(rest))]
            return {_hashable(k): v for k, v in pairs}
        if kind == b"~":
            return [self.read() for _ in range(int(rest))]
        if kind == b">":
            return Push(self.read() for _ in range(int(rest)))
        raise AssertionError(f"not RESP: {line!r}")

    def read_bytes(self, size):
        """read_bytes returns the next bytes of the wire, unparsed."""
        while len(self.buffer) - self.at < size:
            self._more()
        data = bytes(self.buffer[self.at:self.at + size])
        self.at += size
        return data

    def at_end(self, timeout=10):
        """at_end: the other side closes within timeout, and sends nothing more before that."""
        self.sock.settimeout(timeout)
        try:
            return self.at == len(self.buffer) and self.sock.recv(1) == b""
        except socket.timeout:
            return False
        except OSError:
            return True

    def _more(self):
        try:
            data = self.sock.recv(1 << 18)
        except socket.timeout:
            raise
        except OSError as e:
            raise Closed(str(e)) from e
        if not data:
            raise Closed()
        if self.at > 1 << 20:
            del self.buffer[:self.at]
            self.at = 0
        self.buffer += data

    def _line(self):
        while True:
            end = self.buffer.find(b"\r\n", self.at)
            if end >= 0:
                line = bytes(self.buffer[self.at:end])
                self.at = end + 2
                return line
            self._more()

    def _exactly(self, size):
        data = self.read_bytes(size + 2)
        assert data[-2:] == b"\r\n", "a bulk string ends with CRLF"
        return data[:-2]


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value
