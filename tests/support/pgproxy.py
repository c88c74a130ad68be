"""A proxy before PostgreSQL's Unix socket that can cut connections: on the client's side alone, or on both.

With a lock held by another session this shows what a core does when its connection breaks between a commit and
the answer: the backend may live on and commit, or be ended first, and the test chooses which.
"""
import contextlib
import os
import socket
import threading


class PgProxy:
    """Listens on DIRECTORY/.s.PGSQL.5432 and passes everything to the socket in the directory `upstream`."""

    def __init__(self, directory, upstream):
        self.upstream = os.path.join(str(upstream), ".s.PGSQL.5432")
        self.pairs = []
        self.refusing = False  # new connections are closed at once
        self.mutex = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        path = os.path.join(str(directory), ".s.PGSQL.5432")
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        _shut(self.listener)  # wakes the thread in accept; close alone would not
        self.listener.close()
        self.cut(both=True)

    def cut(self, both=False):
        """cut ends every connection towards the client; with both, towards PostgreSQL too. Returns how many.

        Without both, the backend's side stays open and is read to its end, as if the network had gone silent:
        the backend finishes what it had received.
        """
        with self.mutex:
            live = [p for p in self.pairs if not p.was_cut]
            for pair in live:
                pair.was_cut = True
                _shut(pair.client)
            for pair in self.pairs if both else ():
                _shut(pair.server)
        return len(live)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                if self.refusing:
                    raise OSError("refusing")
                server.connect(self.upstream)
            except OSError:
                client.close()
                server.close()
                continue
            pair = Pair(client, server)
            with self.mutex:
                self.pairs.append(pair)
            threading.Thread(target=pair.to_server, daemon=True).start()
            threading.Thread(target=pair.to_client, daemon=True).start()


class Pair:
    """One client connection and the one to PostgreSQL behind it."""

    def __init__(self, client, server):
        self.client = client
        self.server = server
        self.was_cut = False

    def to_server(self):
        with contextlib.suppress(OSError):
            while data := self.client.recv(1 << 16):
                self.server.sendall(data)
        if not self.was_cut:
            _shut(self.server)

    def to_client(self):
        with contextlib.suppress(OSError):
            while data := self.server.recv(1 << 16):
                if not self.was_cut:
                    with contextlib.suppress(OSError):
                        self.client.sendall(data)
        _shut(self.client)
        _shut(self.server)


def _shut(sock):
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
