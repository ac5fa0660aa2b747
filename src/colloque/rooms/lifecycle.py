"""When a patient room is warned, closed and erased. Pure: `next_step` decides, `colloque_salles` acts.

Promises held whatever the clock and the service's absences do:
- nothing is closed before the end that a warning promised, nor within `notice` of that warning, nor within `reminder`
  of the reminder that follows it;
- who writes or prolongs voids the promise: the end moves, that is said, and it is announced again in its time;
- while a room is held nothing is due, and what was promised before counts no more afterwards;
- what another server says of when somebody wrote counts no later than when it was heard;
- nothing is erased before it is known that what was said there was kept, or was not to be (`keeping`);
- a clock that steps back only makes things wait.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from colloque.rooms.keeping import BY_A_PERSON
from colloque.rooms.patient_room import PatientRoom, RoomState

FEW = 5
"""So many rooms may end at once in any house: a practice that closes for good is no accident."""


@dataclass(frozen=True, slots=True)
class LifetimeRule:
    """How long rooms live. Raises ValueError unless 0 <= reminder < notice < idle (0 = 0 too) and 0 <= linger."""

    idle: timedelta
    """From the last activity to the end."""
    notice: timedelta
    """Between the warning and the end, at least."""
    linger: timedelta
    """Between the closing and the erasure."""
    reminder: timedelta = timedelta(0)
    """Between the second warning and the end, at least; zero: there is none."""

    def __post_init__(self) -> None:
        zero = timedelta(0)
        reminds = zero < self.reminder < self.notice or self.reminder == zero
        if not reminds or not zero <= self.notice < self.idle or self.linger < zero:
            raise ValueError("a lifetime needs 0 <= reminder < notice < idle and 0 <= linger")

    def fitting(self, room: PatientRoom) -> LifetimeRule:
        """The rule of one room: where its opener chose how long it lives, its notices are short enough for that."""
        return self if room.own_idle is None else self.lasting(room.own_idle)

    def lasting(self, idle: timedelta) -> LifetimeRule:
        """The same for rooms that live that long: the notice is a quarter of it at most, the reminder of the notice."""
        notice = min(self.notice, idle / 4)
        return LifetimeRule(idle, notice, self.linger, min(self.reminder, notice / 4))


@dataclass(frozen=True, slots=True)
class Warn:
    """Say that the room ends at `end`; keep the promise and the time it was made once it is sent."""

    end: datetime


@dataclass(frozen=True, slots=True)
class Remind:
    """Say so again; keep the time it was said once it is sent. `end` is no earlier than what was promised."""

    end: datetime


@dataclass(frozen=True, slots=True)
class Postpone:
    """The promised end does not count any more: say that it moved to `end`, then forget it."""

    end: datetime


@dataclass(frozen=True, slots=True)
class Close:
    """Stop the writing."""


@dataclass(frozen=True, slots=True)
class Erase:
    """Start the erasure."""


Step = Warn | Remind | Postpone | Close | Erase


def next_step(room: PatientRoom, rule: LifetimeRule, now: datetime) -> Step | None:
    """The one step due for `room` at `now`; None when there is none.

    A started erasure is its own job (it must survive the loss of the room): nothing is due here any more.
    """
    if is_held(room, now):
        return None
    if room.last_activity > now:
        room = replace(room, last_activity=now)
    rule = rule.fitting(room)
    if room.closed_at is not None:
        settled = room.state is RoomState.CLOSED and room.archived
        return Erase() if settled and now >= _gone_at(room, room.closed_at, rule) else None
    if is_promised(room, rule):
        promise = end_of(room, rule)
        reminded = not rule.reminder or _was_reminded(room)
        if reminded:
            return Close() if now >= promise else None
        return Remind(max(promise, now + rule.reminder)) if now >= promise - rule.reminder else None
    due = _due(room, rule)
    if now >= due - rule.notice:
        return Warn(max(due, now + rule.notice))
    return Postpone(due) if room.state is RoomState.WARNED else None


def end_of(room: PatientRoom, rule: LifetimeRule) -> datetime:
    """When writing ends if nobody writes any more, as known now; when it ended, for a closed room."""
    if room.closed_at is not None:
        return room.closed_at
    rule = rule.fitting(room)
    if not is_promised(room, rule):
        return _due(room, rule)
    assert room.warned_for is not None
    assert room.warned_at is not None
    promised = max(room.warned_for, room.warned_at + rule.notice)
    return max(promised, room.reminded_at + rule.reminder) if _was_reminded(room) and room.reminded_at else promised


def written(room: PatientRoom, at: datetime, now: datetime) -> datetime:
    """The room's last activity once a message of `at`, as its sender's server says, was heard at `now`.

    A clock that stands before the last warning has stepped back: whoever writes then has read it, whatever their
    message's time says.
    """
    latest = max(room.last_activity, min(at, now))
    if room.warned_at is not None and now < room.warned_at:
        return max(latest, room.warned_at + timedelta(milliseconds=1))
    return latest


def is_held(room: PatientRoom, now: datetime) -> bool:
    """Does somebody keep it from ending?"""
    return room.held_until is not None and now < room.held_until


def is_promised(room: PatientRoom, rule: LifetimeRule) -> bool:
    """Is an end promised, and has nobody written, prolonged or held since?"""
    if room.warned_for is None or room.warned_at is None or room.last_activity > room.warned_at:
        return False
    return _due(room, rule.fitting(room)) <= room.warned_for


def ends_by_itself(room: PatientRoom, rule: LifetimeRule, now: datetime, allowed: datetime | None) -> bool:
    """Is it to be closed or erased now for no other reason than its promised end?

    `allowed`: what was promised to end by then was looked at by an administrator, and does not count.
    """
    promise = room.warned_for
    if promise is None or not isinstance(next_step(room, rule, now), Close | Erase):
        return False
    somebody_ended_it = room.closed_at is not None and (room.closed_at < promise or room.archived in BY_A_PERSON)
    return not somebody_ended_it and (allowed is None or promise > allowed)


def too_many(due: int, living: int, share: float) -> bool:
    """Would that many rooms of all that live end at once by some accident (a wrong clock, a defect of ours)?"""
    return due > max(FEW, share * living)


def _due(room: PatientRoom, rule: LifetimeRule) -> datetime:
    """The end that activity and prolonging give, before any promise; after a hold the whole notice is left."""
    due = max(room.last_activity + rule.idle, room.prolonged_until or room.last_activity)
    return max(due, room.held_until + rule.notice) if room.held_until is not None else due


def _gone_at(room: PatientRoom, closed_at: datetime, rule: LifetimeRule) -> datetime:
    """When a closed room may be erased: the end of a hold is known to nobody before it is said."""
    gone = closed_at + rule.linger
    return max(gone, room.held_until + rule.notice) if room.held_until is not None else gone


def _was_reminded(room: PatientRoom) -> bool:
    """Since the warning."""
    return room.reminded_at is not None and room.warned_at is not None and room.reminded_at >= room.warned_at
