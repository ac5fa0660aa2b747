"""When somebody's phone is asked to open their mailbox, and when it is left alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from enum import StrEnum

from colloque.clock import PARIS
from colloque.errors import BadInput

EARLIEST, LATEST = time(6), time(22)
"""Nobody's phone rings by itself at night: hours are chosen between these."""
MOST_HOURS = 4
SLOT = timedelta(minutes=30)
"""How long after a chosen hour its question may still be asked, where something was down."""
PER_HOUR = 6
"""Questions that opened nothing, however they came: who is asked all the time approves without looking."""
_REST = timedelta(minutes=10)
_HOUR = re.compile(r"([0-9]{1,2})(?:[:h.]([0-9]{2})?)?")
_NONE = {"non", "aucune", "jamais", "off", "none"}


class Why(StrEnum):
    """What asks for a question."""

    BID = "bid"
    """A command or a reaction."""
    WROTE = "wrote"
    """They wrote in a mail room."""
    HOUR = "hour"
    """An hour that they chose."""


def may_ask(asked: Sequence[datetime], why: Why, now: datetime) -> bool:
    """Whether another question may go to somebody whose mailbox those did not open, where none is open.

    Who writes on without approving is not asked at each message, but each time that they bid it.
    """
    if sum(now - each < timedelta(hours=1) for each in asked) >= PER_HOUR:
        return False
    return why is not Why.WROTE or all(now - each >= _REST for each in asked)


def is_hour(hours: Sequence[time], last: Sequence[datetime], now: datetime) -> bool:
    """True when a chosen hour (of Paris) has come, and nothing of `last` (asked, opened) was since."""
    local = now.astimezone(PARIS)
    for hour in hours:
        begins = datetime.combine(local.date(), hour, PARIS)
        if begins <= local < begins + SLOT and all(each < begins for each in last):
            return True
    return False


def read_hours(typed: str) -> tuple[time, ...]:
    """`7:30 13h45`, in order; none for `non`. Raises BadInput: something else, too many, or at night."""
    words = typed.lower().replace(",", " ").replace(" et ", " ").split()
    if len(words) == 1 and words[0] in _NONE:
        return ()
    if not 0 < len(words) <= MOST_HOURS:
        raise BadInput("hours: none, or too many")
    return tuple(sorted({_hour(word) for word in words}))


def _hour(word: str) -> time:
    found = _HOUR.fullmatch(word)
    hour, minute = (int(found[1]), int(found[2] or 0)) if found else (99, 0)
    if hour > 23 or minute > 59:
        raise BadInput("hours: not an hour")
    if not EARLIEST <= time(hour, minute) <= LATEST:
        raise BadInput("hours: at night")
    return time(hour, minute)
