"""A certificate authority made on the spot for the sandbox operator, and its server certificate."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from colloque.clock import Clock, SystemClock
from colloque.files import write_private

LIFETIME = timedelta(days=30)
RENEW_BEFORE = timedelta(days=2)
"""What is left of a certificate's life when it is made anew."""


@dataclass(frozen=True, slots=True)
class Pki:
    """PEM files: the authority to trust, the server's certificate, its key (0600)."""

    ca: Path
    cert: Path
    key: Path


def make_pki(folder: Path, clock: Clock | None = None) -> Pki:
    """The certificates in `folder`, made when they are missing, spoilt or about to expire. For localhost and 127.0.0.1.

    The authority's key is never written: it signs once and is forgotten, so a renewal changes the authority too.
    """
    now = (clock or SystemClock()).now()
    pki = Pki(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    if not _usable(pki, now):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(pki, now)
    return pki


def _usable(pki: Pki, now: datetime) -> bool:
    """True when the three files belong together and live on. The authority is written last: a crash leaves no match."""
    try:
        ca = x509.load_pem_x509_certificate(pki.ca.read_bytes())
        cert = x509.load_pem_x509_certificate(pki.cert.read_bytes())
        key = serialization.load_pem_private_key(pki.key.read_bytes(), password=None)
        cert.verify_directly_issued_by(ca)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    return (
        cert.public_key() == key.public_key()
        and cert.not_valid_before_utc <= now < cert.not_valid_after_utc - RENEW_BEFORE
    )


def _make(pki: Pki, now: datetime) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Colloque sandbox CA")])
    ca = (
        _builder(now, ca_key.public_key())
        .subject_name(ca_name)
        .issuer_name(ca_name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    cert = (
        _builder(now, key.public_key())
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(ca_name)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    write_private(
        pki.key,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    write_private(pki.cert, cert.public_bytes(serialization.Encoding.PEM))
    write_private(pki.ca, ca.public_bytes(serialization.Encoding.PEM))


def _builder(now: datetime, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # clocks differ a little
        .not_valid_after(now + LIFETIME)
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
