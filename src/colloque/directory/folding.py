"""Text made comparable: no accents, no case, no punctuation. For header names and for names of people."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_BLANKS = {code: " " for code in range(128) if not chr(code).isalnum()}
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae"})


@lru_cache(maxsize=16_384)
def fold(text: str) -> str:
    """Lower-case words of letters and digits, separated by one space: `D'Hauteville-Lœb` is `d hauteville loeb`."""
    if text.isascii():
        return " ".join(text.lower().translate(_BLANKS).split())
    # In that order: a ligature may bear an accent (ǽ), or be a capital.
    flat = unicodedata.normalize("NFD", text).casefold().translate(_LIGATURES)
    kept = (c if c.isalnum() else "" if unicodedata.combining(c) else " " for c in flat)
    return " ".join("".join(kept).split())
