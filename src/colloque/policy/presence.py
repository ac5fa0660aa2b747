"""Whether an attested person still stands in the directory, over successive imports. Pure.

Absence proves little: an extraction may be cut, and ANS's stopped for ten days in 2026. So who is missing keeps every
right during a grace, counted in *days of fresh directories*: the days (in Paris) of distinct extractions, fresh when
they were looked at, that all lack the person. A stall, an old file, the same file again or a clock that jumps count
for nothing. ANS's FHIR service settles what it answers: who is active there is not missing. Its `active:false`, seen
on two such days, is handed on (revocation is another rule's business).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from colloque.clock import PARIS

MAX_MISSING = 0.05
"""Share of the attested people whom one directory may newly lack before somebody must confirm it. ANS's own loader
raises an alert past the same share of changes."""
FEW = 2
"""So many may always be missing: in a small house one retirement is more than that share."""
SIGHTINGS = 2
"""How often FHIR must say `active:false` before it is believed."""


class State(StrEnum):
    """Where somebody stands."""

    PRESENT = "present"
    DOUBTED = "doubted"
    """The extraction lacks them, FHIR says they are active: believed, and the contradiction is kept in mind."""
    MISSING = "missing"
    """In their grace."""
    GONE = "gone"
    """The grace is over: their attestation has ended. Never a revocation."""


class Word(StrEnum):
    """What FHIR says of somebody."""

    NONE = "none"
    """Not asked, no answer, or nobody of that number."""
    ACTIVE = "active"
    INACTIVE = "inactive"


class Turn(StrEnum):
    """What has just become of somebody."""

    NONE = "none"
    DOUBTED = "doubted"
    MISSING = "missing"
    """The grace begins."""
    FROZEN = "frozen"
    """From now on, and until they are listed again, they begin nothing new."""
    BACK = "back"
    """Restored within the grace; nothing was lost."""
    GONE = "gone"
    RETURNED = "returned"
    """Listed again after their attestation ended: a new proof is asked."""


@dataclass(frozen=True, slots=True)
class Presence:
    """What is kept of somebody between two directories."""

    state: State = State.PRESENT
    since: datetime | None = None
    """When the extraction was made that brought them into this state; None for PRESENT."""
    counted: date | None = None
    """The newest day that counted for the grace."""
    days: int = 0
    """How many days have counted, the first one apart."""
    inactive: int = 0
    """On how many days FHIR said `active:false`, SIGHTINGS at most."""
    inactive_on: date | None = None
    """The newest of them."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at the directory in use."""

    made_at: datetime
    """When the extraction was made, aware."""
    fresh: bool
    """Fresh now, and not from the future: only then does an absence mean anything."""
    listed: bool
    word: Word = Word.NONE


@dataclass(frozen=True, slots=True)
class Step:
    """What a look changes."""

    after: Presence
    turn: Turn
    handed_on: bool = False
    """True at the sighting that makes FHIR's `active:false` believed."""


@dataclass(frozen=True, slots=True)
class Grace:
    """How many days of fresh directories must lack somebody: before they begin nothing new, before all ends."""

    freeze_days: int
    end_days: int


def look(before: Presence, sight: Sight, grace: Grace) -> Step:
    """What becomes of somebody. Looking again at the same directory changes nothing more."""
    if sight.listed:
        turn = {State.MISSING: Turn.BACK, State.GONE: Turn.RETURNED}.get(before.state, Turn.NONE)
        return Step(Presence(), turn)
    if before.state is State.GONE:
        return Step(before, Turn.NONE)
    if sight.word is Word.ACTIVE:
        return _believed(before, sight)
    noted = _inactive(before, sight)
    after, turn = _absent(noted, sight, grace)
    return Step(after, turn, handed_on=noted.inactive == SIGHTINGS > before.inactive)


def _believed(before: Presence, sight: Sight) -> Step:
    if before.state is State.DOUBTED:
        return Step(before, Turn.NONE)
    turn = Turn.BACK if before.state is State.MISSING else Turn.DOUBTED
    return Step(Presence(State.DOUBTED, sight.made_at), turn)


def _inactive(before: Presence, sight: Sight) -> Presence:
    day = _day(sight.made_at)
    if sight.word is not Word.INACTIVE or not sight.fresh or (before.inactive_on and day <= before.inactive_on):
        return before
    return replace(before, inactive=min(before.inactive + 1, SIGHTINGS), inactive_on=day)


def _absent(before: Presence, sight: Sight, grace: Grace) -> tuple[Presence, Turn]:
    if not sight.fresh:
        return before, Turn.NONE
    day = _day(sight.made_at)
    if before.state is not State.MISSING or before.counted is None:
        return replace(before, state=State.MISSING, since=sight.made_at, counted=day, days=0), Turn.MISSING
    if day <= before.counted:
        return before, Turn.NONE
    after = replace(before, counted=day, days=before.days + 1)
    if after.days < grace.end_days:
        return after, Turn.FROZEN if after.days == grace.freeze_days else Turn.NONE
    return replace(after, state=State.GONE, since=sight.made_at), Turn.GONE


def _day(at: datetime) -> date:
    return at.astimezone(PARIS).date()


def too_many(missing: int, attested: int) -> bool:
    """Does a directory lack so many attested people at once that it is the directory that looks wrong?"""
    return missing > max(FEW, MAX_MISSING * attested)
