"""Signed content is shown and said to be unverified; what is encrypted stays a file."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from colloque.mail.parse import parse_mail
from colloque.mail.smime import opened

INNER = b"Content-Type: text/plain; charset=utf-8\r\n\r\nSodium 140 mmol/L\r\n"
SIGNED, DATA = bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("06092a864886f70d010701")


@pytest.fixture(scope="module")
def identity() -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ESSAI")])
    now = datetime(2026, 3, 2, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()), key


def signed(identity: tuple[x509.Certificate, rsa.RSAPrivateKey], content: bytes) -> bytes:
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(*identity, hashes.SHA256())
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def der(tag: int, *content: bytes) -> bytes:
    whole = b"".join(content)
    size = len(whole).to_bytes(3, "big")
    return bytes([tag, 0x83]) + size + whole


def ber(tag: int, *content: bytes) -> bytes:
    return bytes([tag, 0x80]) + b"".join(content) + b"\0\0"


def mail(envelope: bytes, smime_type: str = "signed-data") -> bytes:
    return (
        f"Content-Type: application/pkcs7-mime; smime-type={smime_type}; name=smime.p7m\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
    ).encode() + base64.encodebytes(envelope)


def test_signed_content_is_shown_and_its_envelope_kept(identity):
    envelope = signed(identity, INNER)
    assert opened(envelope) == ("signed", INNER)
    found = parse_mail(mail(envelope))
    assert found.text == "Sodium 140 mmol/L"
    assert [(a.name, a.data) for a in found.attachments] == [("smime.p7m", envelope)]
    assert "smime-signed" in found.problems


def test_a_file_that_was_signed_is_no_part_of_the_mail(identity):
    found = parse_mail(mail(signed(identity, b"%PDF-1.4 essai")))
    assert (found.text, [a.name for a in found.attachments]) == ("", ["smime.p7m"])
    assert "smime-signed" not in found.problems


def test_signed_twice(identity):
    found = parse_mail(mail(signed(identity, mail(signed(identity, INNER)))))
    assert found.text == "Sodium 140 mmol/L"
    assert [a.name for a in found.attachments] == ["smime.p7m", "smime (2).p7m"]


def test_signed_very_often_ends(identity):
    envelope = INNER
    for _ in range(25):
        envelope = b"Content-Type: application/pkcs7-mime\r\n\r\n" + signed(identity, envelope)
    found = parse_mail(envelope)
    assert found.text == ""
    assert len(found.attachments) == 21


@pytest.mark.parametrize("element", [der, ber])
def test_pieces_and_lengths_that_only_end_marks_tell(element):
    pieces = element(0x24, der(0x04, INNER[:10]), element(0x24, der(0x04, INNER[10:30])), der(0x04, INNER[30:]))
    algorithms = element(0x31, element(0x30, bytes.fromhex("0609608648016503040201")))
    inner = element(0x30, DATA, element(0xA0, pieces))
    envelope = element(0x30, SIGNED, element(0xA0, element(0x30, b"\x02\x01\x01", algorithms, inner, element(0x31))))
    assert opened(envelope) == ("signed", INNER)
    assert opened(base64.encodebytes(envelope)) == ("signed", INNER)


def test_encrypted_stays_a_file(identity):
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(INNER).add_recipient(identity[0])
    envelope = builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
    assert opened(envelope) == ("encrypted", b"")
    found = parse_mail(mail(envelope, "enveloped-data"))
    assert (found.text, [a.name for a in found.attachments]) == ("", ["smime.p7m"])
    assert "smime-encrypted" in found.problems


def test_what_can_not_be_read_is_said():
    assert "smime" in parse_mail(mail(b"rien de tel")).problems
    assert "smime-encrypted" in parse_mail(mail(b"rien de tel", "enveloped-data")).problems
    certificates = der(0x30, SIGNED, der(0xA0, der(0x30, b"\x02\x01\x01", der(0x31), der(0x30, DATA), der(0x31))))
    assert opened(certificates) == ("signed", b"")
    assert opened(der(0x30, bytes.fromhex("060b2a864886f70d0109100109"))) == ("other", b"")


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes):
    opened(data)
    opened(b"\x30\x80" + SIGNED + b"\xa0\x80\x30\x80\x02\x01\x01" + data)


@pytest.mark.parametrize(
    "piece", [b"\x24\x80" * 200_000, b"\x30\x80" * 200_000, b"\x04\x00" * 500_000, b"M" * 1_000_000]
)
def test_hostile_nesting_ends(piece: bytes):
    assert opened(piece)[0] == "unreadable"
    head = b"\x30\x80" + SIGNED + b"\xa0\x80\x30\x80\x02\x01\x01"
    opened(head + b"\x31\x80" + piece)
    opened(head + b"\x31\x00\x30\x80" + DATA + b"\xa0\x80" + piece)
    opened(head + b"\x31\x00\x30\x80" + DATA + b"\xa0\x80\x24\x80" + piece)
