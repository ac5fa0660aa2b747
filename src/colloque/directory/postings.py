"""Lists of people as bytes: the width of a gap (1, 2 or 4), the first id (4 bytes), then the gaps, low byte first."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

_HEAD = struct.Struct("<BI")
_GAP = {1: "B", 2: "H", 4: "I"}
_SWAP = sys.byteorder == "big"


def pack(ids: Sequence[int]) -> bytes:
    """`ids`: ascending, distinct, 1 or more. No ids are no bytes."""
    if not ids:
        return b""
    gaps = [after - before for before, after in pairwise(ids)]
    most = max(gaps, default=0)
    width = 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4
    body = array(_GAP[width], gaps)
    if _SWAP:
        body.byteswap()
    return _HEAD.pack(width, ids[0]) + body.tobytes()


def unpack(packed: bytes) -> Iterator[int]:
    """The ids, ascending."""
    if not packed:
        return iter(())
    width, first = _HEAD.unpack_from(packed)
    gaps = array(_GAP[width])
    gaps.frombytes(packed[_HEAD.size :])
    if _SWAP:
        gaps.byteswap()
    return accumulate(gaps, initial=first)


def size(packed: bytes) -> int:
    """How many ids."""
    return 1 + (len(packed) - _HEAD.size) // packed[0] if packed else 0


def tidy(ids: Iterable[int]) -> list[int]:
    """Ascending and distinct."""
    return sorted(set(ids))
