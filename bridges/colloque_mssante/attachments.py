"""Files in Matrix are encrypted one by one, each with a key of its own (Matrix, "Sending encrypted attachments")."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from colloque.errors import Tampered
from colloque.identity import MxcUri
from colloque.matrix.crosssign import unpadded


def new_keys() -> dict[str, Any]:
    """An EncryptedFile object without address and hash: key and counter, made before anything is uploaded."""
    key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    jwk = {"kty": "oct", "alg": "A256CTR", "ext": True, "k": key, "key_ops": ["encrypt", "decrypt"]}
    return {"v": "v2", "key": jwk, "iv": unpadded(secrets.token_bytes(8) + bytes(8))}


def seal(data: bytes, keys: Mapping[str, Any], mxc: MxcUri) -> tuple[bytes, dict[str, Any]]:
    """The ciphertext, and the complete EncryptedFile object; the same for the same arguments."""
    sealed = _ctr(data, keys)
    return sealed, {**keys, "url": mxc, "hashes": {"sha256": unpadded(hashlib.sha256(sealed).digest())}}


def unseal(sealed: bytes, file: Mapping[str, Any]) -> bytes:
    """The file. Raises Tampered when the hash does not hold or the object is malformed."""
    try:
        expected = _decoded(file["hashes"]["sha256"])
        if hashlib.sha256(sealed).digest() != expected:
            raise Tampered("an encrypted file's hash does not hold")
        return _ctr(sealed, file)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Tampered("an encrypted file's keys are malformed") from None


def _ctr(data: bytes, file: Mapping[str, Any]) -> bytes:
    cipher = Cipher(AES(_decoded(file["key"]["k"])), CTR(_decoded(file["iv"]))).encryptor()
    return cipher.update(data) + cipher.finalize()


def _decoded(text: str) -> bytes:
    raw = text.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(raw + "=" * (-len(raw) % 4), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
