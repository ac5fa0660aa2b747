"""Ed25519 keys: files of ours, signatures, and the secret that two servers share by their listed keys."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from colloque.book import read_secret
from colloque.errors import BadInput, Tampered

_P = 2**255 - 19


class PrivateKey:
    """One key that signs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new one."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> PrivateKey:
        """From a PEM file. Raises Tampered when others may read it, BadInput when it holds no such key, OSError."""
        try:
            key = load_pem_private_key(read_secret(path), password=None)
        except (ValueError, TypeError):
            raise BadInput(f"{path}: holds no private key in PEM") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise BadInput(f"{path}: is not an Ed25519 key")
        return cls(key)

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def pem(self) -> bytes:
        """For its file."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)

    def shared(self, other: bytes) -> bytes:
        """32 bytes that this key and the public key `other` have in common, and nobody else can make.

        X25519 (RFC 7748) over both keys' Montgomery form, as libsodium's `crypto_sign_ed25519_*_to_curve25519` make it.
        Raises Tampered when `other` is no usable key.
        """
        seed = self._key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        own = X25519PrivateKey.from_private_bytes(hashlib.sha512(seed).digest()[:32])
        try:
            return own.exchange(X25519PublicKey.from_public_bytes(_montgomery(other)))
        except ValueError:
            raise Tampered("the other server's key can't be used") from None


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """True when the signature is that public key's. Never raises."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _montgomery(public: bytes) -> bytes:
    """u = (1 + y) / (1 - y), RFC 7748 section 4.1."""
    y = int.from_bytes(public, "little") & ((1 << 255) - 1)
    u = (1 + y) * pow(1 - y, -1, _P) % _P if (1 - y) % _P else 0
    return u.to_bytes(32, "little")
