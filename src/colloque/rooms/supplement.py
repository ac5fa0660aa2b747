"""What other servers answered when they were asked to erase their copies of a room: a receipt's supplement. Pure.

The erasure's own receipt does not wait for others. When all have answered, or the time given to them is over, one
supplement in the same chain holds their own receipts, whole, and names those of whom there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from colloque.clock import from_millis, to_millis
from colloque.errors import Tampered
from colloque.policy.federation import AHEAD, Entry, Use
from colloque.policy.jws import Verify
from colloque.rooms.erasure import (
    FORMAT,
    GENESIS,
    AskedBy,
    Receipt,
    hashed,
    is_code,
    is_hash,
    is_same,
    is_server,
    is_token,
    read_receipt,
    signature_of,
    signing_bytes,
)

KIND = "servers"
"""By this field of its JSON a supplement is told from an erasure's receipt."""
ERASED = "erased"
"""The outcome of a server whose receipt is here."""
UNANSWERED = "unanswered"
"""The outcome of a server that never gave a signed answer."""
MAX_BYTES = 32 * 1024
"""Of another server's receipt: more than any holds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One server's."""

    server: str
    outcome: str
    """`erased`, or why there is no receipt, as a code."""
    tries: int
    """How often it was asked."""
    receipt: Mapping[str, Any] | None = None
    """Its own, with its signature, when it has erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplement:
    """Of one erasure. Raises ValueError when a field is not what it should be."""

    serial: int
    """In the same row as the receipts'."""
    room: str
    """The room's token, as in the erasure's receipt."""
    of: int
    """The serial of that receipt."""
    asked_at: datetime
    written_at: datetime
    answers: tuple[Answer, ...]
    previous: str = GENESIS

    def __post_init__(self) -> None:
        names = [answer.server for answer in self.answers]
        rules = {
            "it follows its erasure's receipt": type(self.serial) is type(self.of) is int and 0 < self.of < self.serial,
            "its room is a token": is_token(self.room),
            "it names the hash of the one before": is_hash(self.previous),
            "its servers are in order, each once": bool(names)
            and all(map(is_server, names))
            and names == sorted(set(names)),
            "its outcomes are codes": all(is_code(answer.outcome) for answer in self.answers),
            "its tries are counts": all(type(answer.tries) is int and answer.tries >= 0 for answer in self.answers),
            "who has erased has a receipt": all(
                (answer.outcome == ERASED) is (answer.receipt is not None) for answer in self.answers
            ),
        }
        for rule, holds in rules.items():
            if not holds:
                raise ValueError(f"not a supplement: {rule}")

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with its hash, before it is signed."""
        return hashed(
            {
                "format": FORMAT,
                "kind": KIND,
                "serial": self.serial,
                "room": self.room,
                "of": self.of,
                "asked_at": to_millis(self.asked_at),
                "written_at": to_millis(self.written_at),
                "answers": [
                    {"server": a.server, "outcome": a.outcome, "tries": a.tries}
                    | ({"receipt": dict(a.receipt)} if a.receipt is not None else {})
                    for a in self.answers
                ],
                "previous": self.previous,
            }
        )


def read_supplement(raw: Mapping[str, Any]) -> Supplement:
    """From its JSON, `signature` ignored; the receipts in it are for `check_copy`. Raises Tampered."""
    try:
        supplement = Supplement(
            serial=raw["serial"],
            room=raw["room"],
            of=raw["of"],
            asked_at=from_millis(raw["asked_at"]),
            written_at=from_millis(raw["written_at"]),
            answers=tuple(Answer(a["server"], a["outcome"], a["tries"], a.get("receipt")) for a in raw["answers"]),
            previous=raw["previous"],
        )
        unchanged = is_same(supplement.to_dict(), raw)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        raise Tampered("this is not a supplement to an erasure receipt") from None
    if not unchanged:
        raise Tampered("the supplement was changed after it was made")
    return supplement


def check_copy(raw: Mapping[str, Any], asked: AskedBy, entry: Entry, now: datetime, verify: Verify) -> Receipt:
    """Another server's receipt: of the room that we asked about, signed with its key for receipts, valid then.

    Raises Tampered.
    """
    receipt = read_receipt(raw)
    if receipt.asked_by != asked:
        raise Tampered("the receipt is of another room, or was made for another server")
    if receipt.erased_at > now + AHEAD:
        raise Tampered("the receipt is of a time to come")
    signature, message = signature_of(raw), signing_bytes(raw)
    keys = entry.keys_at(Use.ERASURE, receipt.erased_at)
    if not any(verify(key, signature, message) for key in keys):
        raise Tampered("the receipt is not signed with that server's key for receipts")
    return receipt
