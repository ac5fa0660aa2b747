"""Pictures of rooms, drawn here: what kind of room it is, or which one of many, and nothing of what is in it. Pure."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable

SIDE = 128
"""Pixels of a picture's side."""
Colour = bytes
"""Red, green, blue."""
WHITE: Colour = b"\xff\xff\xff"
_COLOURS: tuple[Colour, ...] = tuple(
    bytes.fromhex(code) for code in ("0b6e4f", "1d4e89", "7b2d8b", "8c2f39", "6b4226", "006d77", "3d405b", "4a5d23")
)
"""Dark enough for white beside them to be seen; orange is kept for patients' mailboxes."""
_CELLS = 5


def png(colour_at: Callable[[int, int], Colour]) -> bytes:
    """A PNG (RFC 2083) of `SIDE` pixels a side, from the colour of each (x, y)."""
    rows = (b"\0" + b"".join(colour_at(x, y) for x in range(SIDE)) for y in range(SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def emblem(words: str) -> bytes:
    """The picture that goes with a room's words: a pattern as unlike another room's as its words are."""
    seed = hashlib.sha256(words.encode()).digest()
    colour = _COLOURS[seed[0] % len(_COLOURS)]
    bits = int.from_bytes(seed[1:3], "big")
    cell, margin = SIDE // (_CELLS + 1), SIDE // (2 * (_CELLS + 1))

    def at(x: int, y: int) -> Colour:
        column, row = (x - margin) // cell, (y - margin) // cell
        if not (0 <= column < _CELLS and 0 <= row < _CELLS):
            return colour
        mirrored = min(column, _CELLS - 1 - column)
        return WHITE if bits >> (row * 3 + mirrored) & 1 else colour

    return png(at)
