"""When a thread of mails ends in its room, and which events are its own. Pure.

A thread ends when its last message is old enough, its readers were told so in time, nothing of it is still under way,
and each of its mails is known to be in the mailbox that it came to or left from. Nothing in a mailbox is ever touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from colloque.identity import EventId, UserId

WEEK = timedelta(days=7)


class Step(StrEnum):
    """What is to be done about a thread now."""

    KEEP = "keep"
    """Nothing: too young, held, or something of it is under way."""
    ASK = "ask"
    """Its mailboxes are to say whether they have its mails."""
    MISSING = "missing"
    """One of them lacks a mail: the room has the only copy, and keeps it."""
    END = "end"


@dataclass(frozen=True, slots=True)
class Rule:
    """How long threads stay."""

    lifetime: timedelta
    """From the last message to the end."""

    @property
    def notice(self) -> timedelta:
        """From when its room was told of it to the end, at least: whoever has old threads may still hold them."""
        return min(self.lifetime, WEEK)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a thread."""

    last_at: datetime
    """Of its last message: a mail that came or left, or anything that people wrote in it."""
    told_at: datetime | None
    """Since when its room says how long threads stay; None: it does not say so yet."""
    held_until: datetime | None = None
    """Until when somebody holds it, or its room."""
    busy: bool = False
    """A mail of it is being written, sent, doubted or shown."""
    originals: tuple[bool | None, ...] = ()
    """Of each of its mails, whether its mailbox has it; None: it has not said so."""


def ends_at(thread: Standing, rule: Rule) -> datetime | None:
    """The first moment at which it may end, its hold apart; None while its room has not been told."""
    if thread.told_at is None:
        return None
    return max(thread.last_at + rule.lifetime, thread.told_at + rule.notice)


def next_step(thread: Standing, rule: Rule, now: datetime) -> Step:
    """What is to be done about it at `now`."""
    end = ends_at(thread, rule)
    held = thread.held_until is not None and now < thread.held_until
    if end is None or now < end or held or thread.busy:
        return Step.KEEP
    if False in thread.originals:
        return Step.MISSING
    return Step.ASK if None in thread.originals else Step.END


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a room, as far as its place goes. `root` and `answers`: the events that it names as such."""

    event: EventId
    sender: UserId
    at: datetime
    root: EventId | None = None
    """Of the Matrix thread that it stands in."""
    answers: EventId | None = None
    """What it answers, changes, or reacts to."""


def places(said: Iterable[Said], known: Mapping[EventId, str]) -> dict[EventId, str]:
    """The thread of each event that has one. `known`: what our own tables say, which wins.

    An event that they don't know belongs where the Matrix thread does in which it stands, else where what it answers
    does. `said` is in the room's order.
    """
    found = dict(known)
    for one in said:
        for named in (one.root, one.answers):
            if one.event not in found and named is not None and named in found:
                found[one.event] = found[named]
    return found
