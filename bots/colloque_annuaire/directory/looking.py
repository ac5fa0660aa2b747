"""Everybody attested, looked up in one edition of the directory. Reads only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from colloque.attestation import Attestation
from colloque.directory import settle
from colloque.directory.lookup import Age, Directory
from colloque.errors import Inconsistent, NotFound
from colloque.identity import Rpps, UserId
from colloque.logs import event as log_event
from colloque.policy.presence import Sight, State, Word
from colloque_annuaire.store.presence import Edition, Kept

log = logging.getLogger(__name__)

Ask = Callable[[Rpps], Awaitable[settle.Word]]
"""What FHIR says of somebody (`Fhir.word`)."""

CHUNK = 500
"""People looked up, or renamed, at a time."""
FHIR_TRIES = 2
"""After so many failures in a row FHIR is left alone until the next directory."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Watched:
    """Somebody to look up."""

    user: UserId
    rpps: Rpps
    attestation: Attestation | None
    """None when it has ended, or run out."""
    kept: Kept


@dataclass(frozen=True, slots=True)
class Look:
    """Everybody in one edition."""

    edition: Edition
    fresh: bool
    """Whether absences mean something."""
    people: Sequence[Watched]
    names: Mapping[UserId, str | None]
    """The directory's display name; None for those it does not list."""
    words: dict[UserId, Word] = field(default_factory=dict)
    """What FHIR says, of those about whom it settles something."""

    @property
    def attested(self) -> int:
        """How many are attested today."""
        return sum(p.attestation is not None for p in self.people)

    @property
    def unlisted(self) -> list[Watched]:
        """Those whom the edition lacks."""
        return [p for p in self.people if self.names[p.user] is None]

    @property
    def newly_missing(self) -> int:
        """How many this edition alone would make missing."""
        known = {State.MISSING, State.GONE}
        return sum(p.kept.presence.state not in known for p in self.unlisted) if self.fresh else 0

    def sight(self, person: Watched) -> Sight:
        """What was seen of one person."""
        return Sight(
            made_at=self.edition.made_at,
            fresh=self.fresh,
            listed=self.names[person.user] is not None,
            word=self.words.get(person.user, Word.NONE),
        )


async def look_up(directory: Directory, edition: Edition, people: Sequence[Watched], *, fresh: bool) -> Look | None:
    """Everybody, in threads. None when the directory was replaced, or broke, meanwhile."""
    names: dict[UserId, str | None] = {}
    try:
        for chunk in chunks(people, CHUNK):
            names.update(await asyncio.to_thread(_names, directory, chunk))
        now = await asyncio.to_thread(directory.freshness)
    except (NotFound, Inconsistent):
        return None
    same = Edition(now.made_at, now.imported_at) == edition
    return Look(edition, fresh, people, names) if same else None


def _names(directory: Directory, people: Sequence[Watched]) -> dict[UserId, str | None]:
    found = {p.user: directory.by_rpps(p.rpps) for p in people}
    return {user: person.display_name if person else None for user, person in found.items()}


async def ask_fhir(look: Look, ask: Ask) -> None:
    """Ask about those whom the edition lacks and whose attestation has not ended; fills `look.words`."""
    failures = 0
    for person in look.unlisted:
        if person.kept.presence.state is State.GONE:
            continue
        if failures == FHIR_TRIES:
            return
        said = await ask(person.rpps)
        failures = failures + 1 if isinstance(said, settle.Silent) else 0
        age = Age.FRESH if look.fresh else Age.STALE
        match settle.settle(person.rpps, None, look.edition.made_at, age, said):
            case settle.Present():
                look.words[person.user] = Word.ACTIVE
            case settle.Inactive():
                look.words[person.user] = Word.INACTIVE
            case settle.Unknown(why) | settle.Contradiction(why):
                log_event(log, "presence.fhir_unsettled", level=logging.WARNING, code=why)


def chunks(rows: Iterable[T], size: int) -> Iterable[list[T]]:
    """In lists of `size`, the last one shorter."""
    it = iter(rows)
    while chunk := list(islice(it, size)):
        yield chunk
