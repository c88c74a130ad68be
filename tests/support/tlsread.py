"""Opens recorded TLS 1.2 traffic with a key log, as Wireshark would: the proof of DESIGN §1 without Wireshark.

Only ECDHE with AES-128-GCM and SHA-256, which the test asks for. GCM without its tag is CTR mode that starts at
counter 2, which the openssl command can do; the tag is not checked, since being readable is what is to be shown.
"""
import hmac
import struct
import subprocess

HANDSHAKE, APPLICATION_DATA, CHANGE_CIPHER_SPEC = 22, 23, 20


def read_tls12(sent, received, keylog):
    """read_tls12 returns (what the client said, what the server said) from one recorded connection."""
    client_random, server_random = _random(sent), _random(received)
    master = None
    for line in keylog.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "CLIENT_RANDOM" and bytes.fromhex(words[1]) == client_random:
            master = bytes.fromhex(words[2])
    if master is None:
        raise KeyError("the key log has no line for this connection")
    block = _prf(master, b"key expansion" + server_random + client_random, 40)
    return (_open(sent, block[0:16], block[32:36]), _open(received, block[16:32], block[36:40]))


def records(stream):
    """records yields (type, body) of each whole TLS record."""
    at = 0
    while at + 5 <= len(stream):
        kind, _, size = struct.unpack_from(">BHH", stream, at)
        yield kind, bytes(stream[at + 5:at + 5 + size])
        at += 5 + size


def _random(stream):
    """The 32 bytes of the hello: after record body's type, length and version."""
    kind, body = next(records(stream))
    assert kind == HANDSHAKE
    return body[6:38]


def _prf(secret, seed, size):
    """RFC 5246 section 5, SHA-256."""
    out, a = b"", seed
    while len(out) < size:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + seed, "sha256")
    return out[:size]


def _open(stream, key, salt):
    plain = b""
    for kind, body in records(stream):
        if kind == APPLICATION_DATA:
            nonce = salt + body[:8]
            plain += subprocess.run(["openssl", "enc", "-d", "-aes-128-ctr", "-K", key.hex(), "-iv",
                                     (nonce + b"\0\0\0\2").hex()],
                                    input=body[8:-16], stdout=subprocess.PIPE, check=True).stdout
    return plain
