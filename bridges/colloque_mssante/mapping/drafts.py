"""A mail being written, by value: the owner's messages, and where they go. States of one:

    asking ──► open ──► waiting ──► gone        (`gone`: its mail stands in the outbox)
      │  └───────────────┘ ▲  └──► stopped      (it may not leave, and its writer was told)
      └──► confirming ─────┘
    any but gone ──► cancelled, or merged   (its messages joined another)
    gone ──► cancelled                      (its mail was taken back from the outbox, and has not left)

`asking`: its writer must say where it goes. `open`: no message yet. `confirming`: it leaves only when confirmed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from colloque.identity import EventId, RoomId, UserId
from colloque_mssante.mapping.targets import Target

ASKING, OPEN, WAITING, CONFIRMING = "asking", "open", "waiting", "confirming"
GONE, CANCELLED, STOPPED, MERGED = "gone", "cancelled", "stopped", "merged"
LIVE = (ASKING, OPEN, WAITING, CONFIRMING)


class RoomLocks(defaultdict[RoomId, asyncio.Lock]):
    """One lock a room: what its owner does and what is shown of it happen one after the other."""

    def __init__(self) -> None:
        super().__init__(asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Line:
    """One message of the owner's: words, or a file with its caption as words."""

    event: EventId
    words: str = field(repr=False)
    file: dict[str, Any] | None = field(default=None, repr=False)
    """`{"file", "name", "mime", "size"}`: Matrix's EncryptedFile object, and what the sending client says of it."""
    html: str = field(default="", repr=False)
    """The same words in clean HTML; empty where they say as much."""


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to the bot's question: a draft to join, a target, or (neither) that the addresses be asked for."""

    label: str = field(repr=False)
    target: Target | None = None
    join: str = ""
    remember: bool = False
    """The two addresses of `target` are kept for the next new mails of this room."""

    def dump(self) -> list[Any]:
        """As JSON."""
        return [self.label, self.target.dump() if self.target else "", self.join, self.remember]

    @classmethod
    def load(cls, raw: list[Any]) -> Option:
        """What `dump` wrote."""
        return cls(raw[0], Target.load(raw[1]), raw[2], raw[3])


@dataclass(frozen=True, slots=True)
class Draft:
    """One mail being written."""

    id: str
    room: RoomId
    owner: UserId
    state: str
    target: Target | None
    options: tuple[Option, ...] = ()
    subject: str = field(default="", repr=False)
    """As its writer named it, or we did where it corrects what left; empty: as the target says."""
    loose: bool = False
    """Messages that name no other are meant for it."""
    next_at: datetime = field(kw_only=True)
    """When it leaves (`waiting`), or is given up."""
    notice: EventId | None = None
    """The bot's message about it."""
    version: int = 1
    told: int = 0
    tries: int = 0

    @property
    def corrects(self) -> bool:
        """It replaces one passage of what left: the rest stands. (A whole replacement bears the replaced subject.)"""
        return bool(self.target and self.target.replaces and self.subject)
