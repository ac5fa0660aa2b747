"""When what was written in a direct room, or in a group, goes. Pure.

Nobody of ours is inside: all that is known is when something was written. What is said of direct rooms holds for
groups, too.

Promises held whatever the clock and the service's absences do:
- no message goes before it is `keep` old, nor before `keep` has passed since the room's people were told that;
- what goes was old enough at the round before, already: a clock that jumps ahead and is put right within a round's time
  erases nothing, and ten days off erase only what was old before them;
- while somebody of the room holds it nothing goes, nor within the notice after the hold;
- a young message and all that the server puts after it in the room's order stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from colloque.identity import EventId, RoomId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectRoom:
    """One room of two people, or one that people made themselves. Times are aware UTC."""

    room: RoomId
    members: tuple[UserId, ...]
    """Who is or was in it, our bots apart; also of other servers."""
    opened_at: datetime
    keep: timedelta
    """How long its messages live: what its people were told last."""
    promised_at: datetime
    """When they were."""
    group: bool = False
    """People made it themselves: whoever they invite comes in."""
    held_until: datetime | None = None
    """Nothing goes before that; in the past, when the last hold ended."""


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a room, as the server lists it. `lasting`: room state, which stays as long as the room."""

    event: EventId
    at: datetime
    lasting: bool


@dataclass(frozen=True, slots=True)
class Purge:
    """These messages go; `upto` is the first event in the room's order that stays."""

    events: tuple[EventId, ...]
    upto: EventId


@dataclass(frozen=True, slots=True)
class End:
    """The room goes whole; `messages` are all that were written in it, `last` is when."""

    messages: int
    last: datetime


def is_held(room: DirectRoom, now: datetime) -> bool:
    """Does somebody keep it from going?"""
    return room.held_until is not None and now < room.held_until


def cut_of(room: DirectRoom, base: datetime, now: datetime, notice: timedelta) -> datetime | None:
    """What was written before that is old; None when nothing may go. `base`: the time that the round goes by."""
    free = base if room.held_until is None else base - notice
    if (room.held_until is not None and free < room.held_until) or is_held(room, now):
        return None
    return base - room.keep if base >= room.promised_at + room.keep else None


def is_young(said: Said, cut: datetime) -> bool:
    """A message that stays."""
    return not said.lasting and said.at >= cut


def plan(room: DirectRoom, history: Sequence[Said], cut: datetime) -> Purge | End | None:
    """What goes of a room. `history`: in the server's order from its beginning, whole or up to the first young message.

    The server deletes by that order, not by time: what stands before the first young message is old, all of it, and
    what is old behind it waits for a later round.
    """
    old: list[Said] = []
    for said in history:
        if is_young(said, cut):
            return Purge(tuple(each.event for each in old), said.event) if old else None
        if not said.lasting:
            old.append(said)
    last = max([room.opened_at, *(said.at for said in old)])
    return End(len(old), last) if last < cut else None


def base_of(previous: datetime, now: datetime, every: timedelta) -> datetime | None:
    """The time that a round goes by: the round's before; None when none is due."""
    return previous if now - previous >= every else None


def is_astray(previous: datetime, now: datetime) -> bool:
    """Has the clock been put back since the last round? Then that one's time counts no more: this moment becomes the
    first one's."""
    return previous > now
