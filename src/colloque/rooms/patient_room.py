"""A patient room, as the rules see it. It names no patient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from colloque.errors import Inconsistent
from colloque.identity import RoomId, UserId


class RoomState(StrEnum):
    """Where a room is in its life. *Close* stops writing; *erase* deletes."""

    OPEN = "open"
    WARNED = "warned"
    """The last warning named an end; newer activity may have voided it (see `lifecycle`)."""
    CLOSED = "closed"
    ERASING = "erasing"
    ERASED = "erased"


_WRITABLE = {RoomState.OPEN, RoomState.WARNED}


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRoom:
    """One room. Times are aware UTC. Raises Inconsistent when its fields contradict each other."""

    room: RoomId
    opener: UserId
    members: tuple[UserId, ...] = ()
    opened_at: datetime
    last_activity: datetime
    """When a person last wrote (the opening counts)."""
    warned_for: datetime | None = None
    """The end that the last warning promised."""
    warned_at: datetime | None = None
    """When that warning was sent."""
    reminded_at: datetime | None = None
    """When the last reminder of a promised end was sent."""
    own_idle: timedelta | None = None
    """How long it lives after the last message, where its opener said so."""
    prolonged_until: datetime | None = None
    """Before that it does not end, however quiet it is."""
    held_until: datetime | None = None
    """Nothing ends before that; in the past, when the last hold ended."""
    state: RoomState = RoomState.OPEN
    closed_at: datetime | None = None
    archived: str = ""
    """What proves that its conversation was kept where it belongs, or why it was not to be; empty: nothing does yet."""

    def __post_init__(self) -> None:
        if (self.closed_at is None) is not (self.state in _WRITABLE):
            raise Inconsistent("a room has a closing time exactly when it is closed")
        if (self.warned_for is None) is not (self.warned_at is None):
            raise Inconsistent("a warning has a time and an end")
        if self.state is RoomState.WARNED and self.warned_for is None:
            raise Inconsistent("a warned room has no promised end")
