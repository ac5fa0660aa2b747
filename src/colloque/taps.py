"""What people tap beneath a message: numbers and signs, as clients write them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from colloque.identity import EventId

NUMBERS = ("1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣", "6️⃣", "7️⃣", "8️⃣", "9️⃣")
"""Keycaps: what stands beneath a numbered question."""


def tapped(content: Mapping[str, Any]) -> tuple[EventId, str] | None:
    """The message and the sign of a reaction (Matrix, "m.annotation"); None when it is none."""
    relation = content.get("m.relates_to")
    if not isinstance(relation, dict) or relation.get("rel_type") != "m.annotation":
        return None
    event, key = relation.get("event_id"), relation.get("key")
    return (EventId(event), key) if isinstance(event, str) and isinstance(key, str) else None


def is_sign(key: str, sign: str) -> bool:
    """Clients write the same emoji with or without a variation selector, some with a skin tone."""
    return _plain(key).startswith(_plain(sign))


def looks_like_number(said: str) -> bool:
    """True for what can only be an answer to a numbered question."""
    plain = _plain(said).removesuffix("\u20e3").removesuffix(".").strip()
    return plain.isascii() and plain.isdigit() and len(plain) < 3


def number_of(said: str) -> int:
    """The number that a keycap, or a text, names; 0 when it names none."""
    return int(_plain(said).removesuffix("\u20e3").removesuffix(".").strip()) if looks_like_number(said) else 0


def _plain(text: str) -> str:
    return text.strip().replace("\ufe0f", "")
