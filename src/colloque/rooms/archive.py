"""What was said in a room, as it reads in the end: edits and withdrawals applied, and told. Pure.

A conversation is made of decrypted events. What could not be decrypted stands in it as such: it is never left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from colloque.identity import EventId, UserId

_FILES = {"m.file", "m.image", "m.video", "m.audio"}
_NAMED = {"m.sticker", "m.poll.start", "org.matrix.msc3381.poll.start"}
_TEXTS = {"m.text", "m.notice", "m.emote"}
_WORDS = {"m.room.message", "m.room.encrypted"} | _NAMED
"""What people say; of an encrypted event that was withdrawn no more is known than that it was one."""


_BIGGEST = 2**53
"""No number of Matrix's is greater; Python's own have no end."""


class What(StrEnum):
    """What an event says."""

    TEXT = "text"
    FILE = "file"
    WITHDRAWN = "withdrawn"
    """Its writer took it back."""
    UNREADABLE = "unreadable"
    OTHER = "other"
    """A place, a poll, a sticker: named, not described."""


@dataclass(frozen=True, slots=True)
class FileNote:
    """A file that was shared. `share` is what its event says of it, keys included: it never leaves the service."""

    name: str = field(repr=False)
    size: int
    """In bytes, as its sender's client says; 0 when it does not."""
    share: Mapping[str, Any] = field(repr=False)
    digest: str = ""
    """SHA-256 of the file itself, in hexadecimal; empty when it could not be read."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event, as it stands in the end."""

    event: EventId
    sender: UserId
    at: datetime
    what: What
    text: str = field(default="", repr=False)
    """What was written; for a file, what stands under it."""
    file: FileNote | None = None
    changed_at: datetime | None = None
    """When its writer changed it last."""
    proven: bool = True
    """False when it came from a device that its owner has not confirmed: anybody with the account could have."""


@dataclass(frozen=True, slots=True)
class Change:
    """A later event that replaces the words of an earlier one."""

    of: EventId
    sender: UserId
    at: datetime
    text: str = field(repr=False)
    proven: bool = True


def read(event: EventId, sender: UserId, at: datetime, type_: str, content: Any) -> Line | Change | None:
    """One decrypted event; None for what says nothing by itself (reactions, calls between programs).

    Anybody in the room may send anything: `content` is JSON of any shape, and none raises.
    """
    if type_ not in _WORDS:
        return None
    if content == {}:
        return Line(event, sender, at, What.WITHDRAWN)
    if type_ in _NAMED or not isinstance(content, dict):
        return Line(event, sender, at, What.OTHER)
    relation = content.get("m.relates_to")
    if isinstance(relation, dict) and relation.get("rel_type") == "m.replace":
        new, of = content.get("m.new_content"), relation.get("event_id")
        body = new.get("body") if isinstance(new, dict) else None
        return Change(EventId(of), sender, at, body) if isinstance(of, str) and isinstance(body, str) else None
    body, kind = content.get("body"), content.get("msgtype")
    said = body if isinstance(body, str) else ""
    if isinstance(kind, str) and kind in _FILES:
        return _file(Line(event, sender, at, What.FILE), said, content)
    if isinstance(kind, str) and kind in _TEXTS:
        return Line(event, sender, at, What.TEXT, said)
    return Line(event, sender, at, What.OTHER)


def _file(line: Line, body: str, content: Mapping[str, Any]) -> Line:
    """Where a file has a name of its own, its body is a caption (Matrix, "Media captions")."""
    name, info = content.get("filename"), content.get("info")
    size = info.get("size") if isinstance(info, dict) else None
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _BIGGEST:
        size = 0
    note = FileNote(name if isinstance(name, str) else body, size, dict(content))
    caption = body if isinstance(name, str) and body != name else ""
    return replace(line, text=caption, file=note)


def settled(events: Iterable[Line | Change]) -> tuple[Line, ...]:
    """The lines in their order. A change counts where the writer of the line made it, and the last one stands.

    One from an unconfirmed device leaves the line unproven: anybody with the account could have rewritten it.
    """
    lines: dict[EventId, Line] = {}
    for each in events:
        if isinstance(each, Line):
            lines.setdefault(each.event, each)
            continue
        line = lines.get(each.of)
        if line is None or line.sender != each.sender or line.what not in {What.TEXT, What.FILE}:
            continue
        if line.changed_at is None or line.changed_at <= each.at:
            lines[each.of] = replace(line, text=each.text, changed_at=each.at, proven=line.proven and each.proven)
    return tuple(lines.values())
