"""Files in Matrix are encrypted one by one, each with a key of its own (Matrix, "Sending encrypted attachments")."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

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


def _ctr(data: bytes, keys: Mapping[str, Any]) -> bytes:
    cipher = Cipher(AES(_decoded(keys["key"]["k"])), CTR(_decoded(keys["iv"]))).encryptor()
    return cipher.update(data) + cipher.finalize()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4))
