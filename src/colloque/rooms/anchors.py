"""Heads of the chain of erasure receipts, shown where whoever keeps the receipts can't take them back; and whether
receipts contain them. Pure.

A chain alone can't tell that its end was cut off, or that all of it was made anew by whoever has the key. A head that
people have read can.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from colloque.errors import BadInput, Tampered
from colloque.rooms.erasure import GENESIS

_ANCHOR = re.compile(r"([1-9][0-9]{0,9}):([0-9a-fA-F]{16,64})")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A receipt that was the newest one when it was shown."""

    serial: int
    head: str
    """Its hash, or how that begins: 16 hex digits at least, so that no other receipt can be made to fit."""

    def __str__(self) -> str:
        return f"{self.serial}:{self.head}"


def parse_anchor(text: str) -> Anchor | None:
    """From `SERIAL:HASH`; None when it is something else."""
    found = _ANCHOR.fullmatch(text.strip())
    return Anchor(int(found[1]), found[2].lower()) if found else None


def read_anchors(text: str) -> tuple[Anchor, ...]:
    """One a line; empty lines don't count. Raises BadInput, which says where; also when there is none at all."""
    anchors = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        anchor = parse_anchor(line)
        if anchor is None:
            raise BadInput(f"line {number} is not SERIAL:HASH, the hash with 16 to 64 hex digits")
        anchors.append(anchor)
    if not anchors:
        raise BadInput("holds no SERIAL:HASH")
    return tuple(anchors)


def check_run(receipts: Sequence[Mapping[str, Any]]) -> None:
    """Whole receipts, in the order given, must follow each other; they may begin anywhere. Raises Tampered."""
    for before, after in itertools.pairwise(receipts):
        one, two = before["serial"], after["serial"]
        if two == one:
            raise Tampered(f"receipt {one} is given twice, or two bear its number")
        if two < one:
            raise Tampered(f"receipt {one} is followed by {two}: the files are not in order")
        if two > one + 1:
            raise Tampered(f"receipt {one} is followed by {two}: what is between them is missing, or out of order")
        if after["previous"] != before["hash"]:
            raise Tampered(f"receipt {two} does not follow the receipt {one} given here: one of them was replaced")
    if receipts[0]["serial"] == 1 and receipts[0]["previous"] != GENESIS:
        raise Tampered("receipt 1 names one before it")


def check_anchor(receipts: Sequence[Mapping[str, Any]], anchor: Anchor) -> None:
    """What `check_run` has passed must contain the head. Raises Tampered."""
    first, last = receipts[0]["serial"], receipts[-1]["serial"]
    if anchor.serial > last:
        raise Tampered(f"the head of receipt {anchor.serial} was shown, and receipt {last} is the last one: cut off")
    if anchor.serial < first:
        raise Tampered(f"the head of receipt {anchor.serial} was shown, and receipt {first} is the first one given")
    if not receipts[anchor.serial - first]["hash"].startswith(anchor.head):
        raise Tampered(f"receipt {anchor.serial} is not the one whose head was shown: it or one before it was replaced")
