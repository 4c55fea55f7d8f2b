"""The keys of the embedded Identity: made when first asked for, and kept by the journal."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from local.core.journal import Journal

JOURNAL_SERVICE = "identity keys"
PLAYED_NAMES = "*.googleapis.com"
"""The hosts that the cloud plays."""
_SERVER = "server"
_FROM, _UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
"""Certificates are valid whatever the cloud's clock says; who reads them reads the machine's."""
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class SigningKey(Struct, frozen=True):
    """A key that signs tokens, with the certificate by which others verify them."""

    id: str
    key: rsa.RSAPrivateKey
    certificate: str
    """PEM."""


class Keys:
    """Two keys that sign (people's tokens, services' tokens), and a certificate authority."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()

    @cached_property
    def people(self) -> SigningKey:
        """Signs Firebase ID tokens."""
        return self._signing("people")

    @cached_property
    def services(self) -> SigningKey:
        """Signs the ID tokens of service accounts."""
        return self._signing("services")

    @cached_property
    def authority(self) -> bytes:
        """The certificate, in PEM, of the authority that vouches for the hosts."""
        return self._blocks(_SERVER)[0]

    @cached_property
    def server(self) -> bytes:
        """Key and certificate, in PEM, of a server that plays the hosts."""
        return b"".join(self._blocks(_SERVER)[1:])

    def _signing(self, name: str) -> SigningKey:
        key_block, certificate = self._blocks(name)
        key = serialization.load_pem_private_key(key_block, None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{name} is kept with a key that is not RSA")
        return SigningKey(hashlib.sha256(certificate).hexdigest()[:40], key, certificate.decode())

    def _blocks(self, name: str) -> list[bytes]:
        """What is kept under a name, made now where it is not."""
        with self._lock:
            kept = dict(self._journal.read(JOURNAL_SERVICE))
            parts = sorted(key for key in kept if key.partition("/")[0] == name)
            if parts:
                return [kept[part] for part in parts]
            blocks = list(self._made_for_tls() if name == _SERVER else _create_signing_key(name))
            changes = [(f"{name}/{number}", block) for number, block in enumerate(blocks)]
            self._journal.write(JOURNAL_SERVICE, changes)
            return blocks

    def _made_for_tls(self) -> Iterator[bytes]:
        """The authority's certificate, then the server's key and certificate."""
        authority_key = ec.generate_private_key(ec.SECP256R1())
        server_key = ec.generate_private_key(ec.SECP256R1())
        issuer = _build_name("Embedded cloud")
        identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
        authority = (
            _certificate(issuer, issuer, authority_key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(identifier, critical=False)
        )
        names = x509.SubjectAlternativeName([x509.DNSName(PLAYED_NAMES)])
        by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        server = (
            _certificate(_build_name(PLAYED_NAMES), issuer, server_key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(names, critical=False)
            .add_extension(by, critical=False)
        )
        yield _encode_certificate(authority.sign(authority_key, hashes.SHA256()))
        yield _encode_key(server_key)
        yield _encode_certificate(server.sign(authority_key, hashes.SHA256()))


def _create_signing_key(name: str) -> Iterator[bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = _build_name(f"{name}.embedded.cloud")
    yield _encode_key(key)
    yield _encode_certificate(_certificate(subject, subject, key).sign(key, hashes.SHA256()))


def _certificate(subject: x509.Name, issuer: x509.Name, key: PrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _build_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _encode_certificate(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _encode_key(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
