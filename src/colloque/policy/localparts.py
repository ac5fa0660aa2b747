"""How accounts are named: from the directory's name, readable, never with a number of the person in it. Pure.

Source: Matrix specification, "User identifiers": `a-z 0-9 . _ = - / +`, 255 bytes with the server's name.
"""

from __future__ import annotations

import base64
import hashlib
import re

from colloque.numbers import fold

_MOST = 60
_OTHER = re.compile(r"[^a-z0-9]+")


def base_of(given_name: str, family_name: str) -> str:
    """`anne.martin-duval`; `compte` for names without any Latin letter."""
    parts = [_OTHER.sub("-", fold(name)).strip("-") for name in (given_name, family_name)]
    return ".".join(part for part in parts if part)[:_MOST].rstrip("-.") or "compte"


def distinguished(base: str, owner: str) -> str:
    """The same with four letters or digits that follow from `owner`: for whoever's name is taken, and always the same.

    `owner` is a stable key of the person; what is shown of it can't be read backwards.
    """
    hashed = hashlib.sha256(f"colloque localpart v1\0{owner}".encode()).digest()
    return f"{base}-{base64.b32encode(hashed).decode().lower()[:4]}"
