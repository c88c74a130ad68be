"""A plain TCP port that leads to an endpoint by TLS with a client certificate, for tools that cannot show one themselves."""
import contextlib
import socket
import threading

from .endpoint import HOST


class Tunnel:
    def __init__(self, endpoint, cert="alice"):
        self.endpoint = endpoint
        self.cert = cert
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = [self.listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self.listener.accept()
                tls = self.endpoint.tls(self.cert)
                self.sockets += [plain, tls]
                for a, b in ((plain, tls), (tls, plain)):
                    threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    @staticmethod
    def _pass(source, target):
        with contextlib.suppress(OSError, ValueError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
