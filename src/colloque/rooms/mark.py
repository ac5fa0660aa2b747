"""What a room of ours is: one state event, written by our bots and trusted only from them. It holds no health data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from colloque.identity import UserId, digest

ROOM_MARK = "fr.colloque.room"
"""Type of the state event that says what a room of ours is: `{"kind", "key", "owner"?, "keep_s"?}`, state key empty."""

HOLD = "fr.colloque.hold"
"""Type of the state event by which @salles (in a mail room: @mssante) says that nothing in a room is to be erased
before `until` (milliseconds since 1970): `{"until"}`, state key empty. Why, and by whom, stands in a database alone."""

ADMIN_KEY = "admin"
"""The mark key of the administrators' room."""


def home_key(owner: UserId) -> str:
    """The mark key of somebody's home room."""
    return f"home-{digest(owner)}"


class RoomKind(StrEnum):
    """What a room of ours is for."""

    HOME = "home"
    """One person's room with the three bots."""
    ADMIN = "admin"
    """The administrators' room with the three bots."""
    PATIENT = "patient"
    """A care team's room about one patient; ends."""
    MAIL = "mail"
    """One mailbox owner and one correspondent's ghost."""
    DIRECT = "direct"
    """Two verified people, `owner` the one who asked. `@annuaire` made it and left: nobody can change it any more."""


@dataclass(frozen=True, slots=True)
class RoomMark:
    """The content of `fr.colloque.room`, trusted only when its sender is one of our bots."""

    kind: RoomKind
    key: str
    """Opaque, unique: lets a bot that died while creating a room find it again."""
    owner: UserId | None = None
    keep_s: int | None = None
    """Of a direct room: how many seconds its messages live, as its people read when it was opened."""

    def content(self) -> dict[str, Any]:
        """As event content."""
        base: dict[str, Any] = {"kind": self.kind.value, "key": self.key}
        more = {"owner": self.owner, "keep_s": self.keep_s}
        return base | {name: value for name, value in more.items() if value}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> RoomMark | None:
        """From event content; None when it is not one."""
        try:
            kind = RoomKind(content["kind"])
        except (KeyError, ValueError):
            return None
        owner, keep = content.get("owner"), content.get("keep_s")
        return cls(
            kind,
            str(content.get("key", "")),
            UserId(owner) if isinstance(owner, str) else None,
            keep if type(keep) is int and keep > 0 else None,
        )
