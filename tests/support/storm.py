"""A storm of handshakes from a process of its own, so that it takes no turn of the measuring test's interpreter lock.

    python3 -m support.storm PORT CERT KEY CA SIZE PAUSE

Until its standard input ends: bursts of SIZE clients whose ClientHellos arrive all at once, each of which then finishes
its full handshake, is answered one PING, and goes; a burst every PAUSE seconds. Then it prints how many were served.
"""
import contextlib
import select
import socket
import ssl
import sys
import time

PING = b"*1\r\n$4\r\nPING\r\n"


class Client:
    def __init__(self, context, port):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.sock = socket.create_connection(("127.0.0.1", port))
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        self.hello = self.outgoing.read()

    def go_on(self):
        """go_on takes what came; true once its PING was answered."""
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("closed")
        self.incoming.write(data)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
            self.tls.write(PING)
        if self.outgoing.pending:
            self.sock.sendall(self.outgoing.read())
        with contextlib.suppress(ssl.SSLWantReadError):
            return b"PONG" in self.tls.read()
        return False


def burst(context, port, size):
    clients = {c.sock: c for c in (Client(context, port) for _ in range(size))}
    for sock, c in clients.items():
        sock.sendall(c.hello)
    served = 0
    while clients:
        for sock in select.select(list(clients), [], [], 10)[0]:
            done = True
            with contextlib.suppress(OSError, ssl.SSLError):
                done = clients[sock].go_on()
                served += done
            if done:
                clients.pop(sock)
                sock.close()
    return served


def main(port, cert, key, ca, size, pause):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    context.load_cert_chain(cert, key)
    served, due = 0, time.monotonic()
    while not select.select([sys.stdin], [], [], max(0, due - time.monotonic()))[0]:
        served += burst(context, int(port), int(size))
        due = max(due + float(pause), time.monotonic())
    print(served)


if __name__ == "__main__":
    main(*sys.argv[1:])
