"""What becomes of somebody, from the extraction's word and FHIR's. Pure; the caller counts sightings and acts.

FHIR settles doubts; it never replaces the extraction: it answers for one person, now, and only the extraction's daily
difference says whom to ask about. An absence is believed only when both say it, and the extraction is not stale.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from colloque.directory.fhir_records import FhirPerson
from colloque.directory.folding import fold
from colloque.directory.lookup import Age
from colloque.identity import Adeli, Rpps
from colloque.professional import Professional


@dataclass(frozen=True, slots=True)
class Absent:
    """FHIR answered, and lists nobody under that number."""

    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Silent:
    """FHIR gave no usable answer. `why` is the error's code (`fhir.unavailable`, `fhir.key`…)."""

    why: str


Word = FhirPerson | Absent | Silent
"""What FHIR says of somebody."""


@dataclass(frozen=True, slots=True)
class Present:
    """The person is in the directory."""

    listed: bool
    """Whether the extraction lists them; False: FHIR alone does, so their grace ends well."""
    moved_to: Rpps | None = None
    """Their RPPS number, where FHIR proves that the ADELI number we know them by became it."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Absent from FHIR and from an extraction that can be believed."""

    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Inactive:
    """FHIR says `active: false`. One sighting: two with different `seen_at` are needed to revoke (issue 4)."""

    seen_at: datetime
    listed: bool
    """Whether the extraction still lists them."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing may be concluded. `why`: an error's code, or `directory.stale`."""

    why: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The two disagree, or FHIR contradicts itself: an administrator looks, nobody is revoked for it.

    `what`: `absent` (listed, but unknown to FHIR), `identifier`, `name`, `profession`.
    """

    what: str


Verdict = Present | Gone | Inactive | Unknown | Contradiction


def settle(number: Rpps | Adeli, listed: Professional | None, made_at: datetime, age: Age, word: Word) -> Verdict:
    """What holds for the person we know by `number`.

    `listed`, `made_at` and `age` are the extraction's: the person, its own time, and how far it can be believed today.
    """
    stale = age is Age.STALE
    if isinstance(word, Silent):
        return Present(listed=True) if listed and not stale else Unknown(word.why)
    if isinstance(word, Absent):
        if listed:
            return Contradiction("absent")
        return Unknown("directory.stale") if stale else Gone(word.asked_at)
    if word.doubts:
        return Contradiction(word.doubts[0])
    if not word.active:
        return Inactive(word.asked_at, listed=listed is not None)
    if listed and (what := _difference(listed, word, newer=word.updated_at is not None and word.updated_at > made_at)):
        return Contradiction(what)
    return Present(listed=listed is not None, moved_to=word.rpps if isinstance(number, Adeli) else None)


def _difference(listed: Professional, word: FhirPerson, *, newer: bool) -> str:
    """What the two say differently of one person; empty when nothing that counts.

    A name or profession that FHIR changed after the extraction was made (`newer`) is news, not a contradiction.
    """
    if _other(listed.rpps, word.rpps) or _other(listed.adeli, word.adeli):
        return "identifier"
    if newer:
        return ""
    if fold(listed.family_name) != fold(word.family_name):
        return "name"
    ours = {a.profession_code for a in listed.activities}
    theirs = {a.profession_code for a in word.activities}
    return "profession" if ours and theirs and not ours & theirs else ""


def _other(ours: Rpps | Adeli | None, theirs: Rpps | Adeli | None) -> bool:
    return ours is not None and theirs is not None and ours != theirs
