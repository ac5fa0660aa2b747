"""Signs erasure receipts and writes them as files. The key never leaves this service."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from colloque.book import read_secret
from colloque.errors import Tampered
from colloque.files import write_private
from colloque.rooms.erasure import signing_bytes

PUBLIC_NAME = "receipts.pub.pem"


class Signer:
    """One Ed25519 key and the folder of receipts."""

    def __init__(self, key_file: Path, folder: Path) -> None:
        key = load_pem_private_key(read_secret(key_file), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise Tampered("the receipt key is not an Ed25519 key")
        self._key = key
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_private(folder / PUBLIC_NAME, public)

    @property
    def public_key(self) -> Path:
        """The public half, for whoever verifies."""
        return self._folder / PUBLIC_NAME

    def sign(self, receipt: dict[str, Any]) -> str:
        """The receipt as JSON text, with its signature (base64) beside its fields."""
        signature = base64.b64encode(self._key.sign(signing_bytes(receipt))).decode()
        return json.dumps(receipt | {"signature": signature}, ensure_ascii=False, sort_keys=True, indent=1) + "\n"

    def write(self, serial: int, body: str) -> Path:
        """Write one receipt; writing it again changes nothing."""
        path = self._folder / f"receipt-{serial:06d}.json"
        write_private(path, body)
        return path
