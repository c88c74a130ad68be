"""Certificates put together byte by byte, for what no tool would make: any serial, date, name, extension or signature.

    maker = Maker.of(certs)               signs as the CA of support/certificates
    maker.certificate("mallory")          -> DER, for the key `maker.key`
"""
import hashlib
import re
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SEQUENCE, SET, INTEGER, BITS, BYTES, UTF8, PRINTABLE, BOOLEAN, UTC, GENERAL = 48, 49, 2, 3, 4, 12, 19, 1, 23, 24
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
COMMON_NAME, SUBJECT_ALT_NAME, BASIC_CONSTRAINTS = "2.5.4.3", "2.5.29.17", "2.5.29.19"
DNS, URI, EMAIL = 0x82, 0x86, 0x81


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def integer(value):
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = b""
    for arc in [first * 40 + second, *rest]:
        digits = [arc & 127]
        while arc := arc >> 7:
            digits.append(arc & 127 | 128)
        out += bytes(reversed(digits))
    return tlv(6, out)


def name(text, *more):
    """name is a distinguished name of common names alone."""
    return tlv(SEQUENCE, *(tlv(SET, tlv(SEQUENCE, oid(COMMON_NAME), tlv(UTF8, t if isinstance(t, bytes) else t.encode())))
                           for t in (text, *more)))


def extension(kind, value, critical=False):
    return tlv(SEQUENCE, oid(kind), tlv(BOOLEAN, b"\xff") if critical else b"", tlv(BYTES, value))


def alt_names(*names):
    """alt_names takes (kind, bytes) pairs."""
    return extension(SUBJECT_ALT_NAME, tlv(SEQUENCE, *(tlv(kind, value) for kind, value in names)))


def authority(depth=None):
    return extension(BASIC_CONSTRAINTS, tlv(SEQUENCE, tlv(BOOLEAN, b"\xff"), b"" if depth is None else integer(depth)), True)


def key_id(key):
    return hashlib.sha1(key.public_key().public_bytes(serialization.Encoding.X962,
                                                      serialization.PublicFormat.UncompressedPoint)).digest()


def key_ids(subject_key, issuer_key):
    """key_ids names both keys, as CAs do: then two keys of one CA's name are not mistaken for each other."""
    return [extension("2.5.29.14", tlv(BYTES, key_id(subject_key))),
            extension("2.5.29.35", tlv(SEQUENCE, tlv(0x80, key_id(issuer_key))))]


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def der_of(pem_file):
    """der_of returns the certificates of a file, as DER."""
    blocks = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", pem_file.read_text(), re.S)
    return [ssl.PEM_cert_to_DER_cert(b) for b in blocks]


def key_of(pem_file):
    return serialization.load_pem_private_key(pem_file.read_bytes(), None)


class Maker:
    """Issues certificates in the name `issuer` (DER) with its key; `key` is the one that they are for."""

    def __init__(self, issuer, issuer_key, key=None):
        self.issuer, self.issuer_key, self.key = issuer, issuer_key, key or new_key()

    @classmethod
    def of(cls, certs, ca="ca"):
        pair = certs.pair(ca)
        issuer = x509.load_pem_x509_certificate(pair.cert.read_bytes()).subject.public_bytes()
        return cls(issuer, key_of(pair.key))

    def certificate(self, subject, serial=4711, begins=b"20250101000000Z", ends=b"20980101000000Z", extensions=(),
                    key=None, padding=0):
        """certificate makes one; subject is text or a DER name, `padding` bytes go into an unknown extension."""
        more = list(extensions)
        if padding:
            more.append(extension("1.2.3.4.5", tlv(BYTES, b"\0" * padding)))
        algorithm = tlv(SEQUENCE, oid(ECDSA_SHA256))
        told = tlv(SEQUENCE, tlv(0xA0, integer(2)), serial if isinstance(serial, bytes) else integer(serial), algorithm,
                   self.issuer, tlv(SEQUENCE, tlv(GENERAL, begins), tlv(GENERAL, ends)),
                   subject if isinstance(subject, bytes) else name(subject), spki(key or self.key),
                   tlv(0xA3, tlv(SEQUENCE, *more)) if more else b"")
        signature = self.issuer_key.sign(told, ec.ECDSA(hashes.SHA256()))
        return tlv(SEQUENCE, told, algorithm, tlv(BITS, b"\0" + signature))

    def below(self, subject, depth=None):
        """below returns a CA certificate and the maker that issues in its name."""
        key = new_key()
        return (self.certificate(subject, key=key, extensions=[authority(depth)]),
                Maker(subject if isinstance(subject, bytes) else name(subject), key))
