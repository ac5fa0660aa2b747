"""When a patient room is warned, closed and erased. Pure: `next_step` decides, `colloque_salles` acts.

Promises held whatever the clock and the service's absences do:
- nothing is closed before the end that a warning promised, nor within `notice` of that warning;
- who writes voids the promise: the end moves to `idle` later, and is announced again in its time;
- a clock that steps back only makes things wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from colloque.rooms.patient_room import PatientRoom, RoomState


@dataclass(frozen=True, slots=True)
class LifetimeRule:
    """How long rooms live. Raises ValueError unless 0 <= notice < idle and 0 <= linger."""

    idle: timedelta
    """From the last activity to the end."""
    notice: timedelta
    """Between the warning and the end, at least."""
    linger: timedelta
    """Between the closing and the erasure."""

    def __post_init__(self) -> None:
        if not timedelta(0) <= self.notice < self.idle or self.linger < timedelta(0):
            raise ValueError("a lifetime needs 0 <= notice < idle and 0 <= linger")


@dataclass(frozen=True, slots=True)
class Warn:
    """Say that the room ends at `end`; keep the promise and the time it was made once it is sent."""

    end: datetime


@dataclass(frozen=True, slots=True)
class Close:
    """Stop the writing."""


@dataclass(frozen=True, slots=True)
class Erase:
    """Start the erasure."""


def next_step(room: PatientRoom, rule: LifetimeRule, now: datetime) -> Warn | Close | Erase | None:
    """The one step due for `room` at `now`; None when there is none.

    A started erasure is its own job (it must survive the loss of the room): nothing is due here any more.
    """
    if room.closed_at is not None:
        lingered = now >= room.closed_at + rule.linger
        return Erase() if room.state is RoomState.CLOSED and lingered else None
    promise = _promise(room, rule)
    if promise is not None:
        return Close() if now >= promise else None
    due = room.last_activity + rule.idle
    return Warn(max(due, now + rule.notice)) if now >= due - rule.notice else None


def end_of(room: PatientRoom, rule: LifetimeRule) -> datetime:
    """When writing ends if nobody writes any more, as known now; when it ended, for a closed room."""
    return room.closed_at or _promise(room, rule) or room.last_activity + rule.idle


def _promise(room: PatientRoom, rule: LifetimeRule) -> datetime | None:
    """The end that stands promised; None when nothing was, or when somebody wrote since."""
    if room.warned_for is None or room.warned_at is None:
        return None
    if room.last_activity > room.warned_at or room.last_activity + rule.idle > room.warned_for:
        return None
    return max(room.warned_for, room.warned_at + rule.notice)
