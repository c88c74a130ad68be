"""A TCP proxy that records what passes and, when asked, flips one bit of it."""
import contextlib
import socket
import threading


class TlsProxy:
    """Passes loopback connections to `port`. sent and received hold the bytes of all connections, in order."""

    def __init__(self, port):
        self.upstream = port
        self.sent = bytearray()
        self.received = bytearray()
        self.flip = None  # "sent" or "received": the next bytes in that direction lose a bit
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:
                return
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pump, args=(client, server, "sent"), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, "received"), daemon=True).start()

    def _pump(self, source, target, direction):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if self.flip == direction:
                    self.flip = None
                    data = data[:-1] + bytes([data[-1] ^ 0x10])  # in the last record's tag or ciphertext
                getattr(self, direction).extend(data)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
