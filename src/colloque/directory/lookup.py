"""What every user of the directory may ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import Mailbox, Professional


class Age(StrEnum):
    """How far the directory can be believed today."""

    FRESH = "fresh"
    LATE = "late"
    """No extraction for longer than ANS's daily rhythm explains: said, and nothing else changes."""
    STALE = "stale"
    """Too old to admit somebody on its word alone, or to conclude anything from an absence."""


@dataclass(frozen=True, slots=True)
class AgeRules:
    """When a directory is late, and when stale. Source: ANS publishes daily; its longest known stall was ten days."""

    late: timedelta = timedelta(hours=48)
    stale: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Freshness:
    """Of which moment the directory speaks, and how much it holds."""

    made_at: datetime
    """The extraction's own time (from its file name), aware UTC."""
    imported_at: datetime
    people: int
    mailboxes: int

    def age(self, now: datetime, rules: AgeRules) -> Age:
        """Its state at `now`."""
        old = now - self.made_at
        if old > rules.stale:
            return Age.STALE
        return Age.LATE if old > rules.late else Age.FRESH


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody looks for, as typed: names, a profession or specialty in plain French, a place, in any order."""

    words: str
    profession: str = ""
    """Narrows to a profession or specialty, in plain French."""
    near: str = ""
    """Narrows to a town, postcode or département."""
    limit: int = 10
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Understood:
    """How a query was read, for people to see: labels in French, as the directory writes them."""

    names: tuple[str, ...] = ()
    """Words taken as a person's name (folded)."""
    trades: tuple[str, ...] = ()
    """Professions and specialties."""
    places: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    """Words that nothing in the directory resembles."""


@dataclass(frozen=True, slots=True)
class Match:
    """One person found."""

    person: Professional
    homonyms: int = 0
    """How many other people found bear the same name: town, structure and specialty must tell them apart."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of results, best first."""

    matches: tuple[Match, ...]
    total: int
    """All that the query finds, this page included; paging (`offset`) reaches every one of them."""
    understood: Understood
    made_at: datetime
    """Of which moment the directory speaks."""


class Directory(Protocol):
    """Read access to the directory. Never guesses: every address and activity is returned.

    Every question raises NotFound before the first import and Inconsistent when the data are damaged or of another
    version; neither is ever taken for "not listed".
    """

    def by_rpps(self, rpps: Rpps) -> Professional | None:
        """The person, whole; None when the directory does not list them."""
        ...

    def by_adeli(self, adeli: Adeli) -> Professional | None:
        """The person who goes by that number, or went by it before their RPPS; None when not listed."""
        ...

    def by_mssante(self, address: MssanteAddress) -> Mailbox | None:
        """The mailbox with that address (its `rpps` leads to the person); None when not listed."""
        ...

    def search(self, query: Query) -> Page:
        """People who fit. Accents, case, order of words and typos are forgiven. Raises BadInput on an empty query."""
        ...

    def whitelisted(self, domain: str) -> bool:
        """Whether a domain (Unicode or ASCII) is of MSSanté today; False for all once the list is no longer valid."""
        ...

    def freshness(self) -> Freshness:
        """Of which moment it speaks."""
        ...
