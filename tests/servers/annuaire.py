"""A directory by hand, for what stands above it; the real ones share one contract suite."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from colloque.directory.lookup import Freshness, Match, Page, Query, Understood
from colloque.errors import BadInput, NotFound
from colloque.identity import Adeli, MssanteAddress, Rpps, luhn_key
from colloque.numbers import fold
from colloque.professional import Activity, Mailbox, MailboxKind, Professional

MADE_AT = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
CARDIOLOGY = ("10", "Médecin", "SM04", "Cardiologie")


def rpps(rank: int) -> Rpps:
    """A made-up number."""
    digits = f"89900{rank:05d}"
    return Rpps(digits + luhn_key(digits))


def activity(town: str, structure: str = "", postcode: str = "54000", mode: str = "L") -> Activity:
    """A cardiologist's place."""
    code, profession, skill, specialty = CARDIOLOGY
    return Activity(code, profession, "C", skill, specialty, mode, structure, "", postcode, town)


def per(address: str, owner: Rpps | None, structure: str = "") -> Mailbox:
    """Somebody's own mailbox."""
    return Mailbox(MssanteAddress.parse(address), MailboxKind.PER, structure, owner)


def doctor(
    rank: int, family: str, given: str, *places: Activity, mail: Sequence[str] = (), adeli: Adeli | None = None
) -> Professional:
    """Somebody of the directory."""
    number = rpps(rank)
    boxes = tuple(per(address, number) for address in mail)
    return Professional(number, family, given, "Docteur", places or (activity("NANCY"),), boxes, adeli)


class Shelf:
    """Implements `lookup.Directory` over a list; a search wants each word to begin a name, a specialty or a town."""

    def __init__(self, *people: Professional, others: Sequence[Mailbox] = ()) -> None:
        self.people = list(people)
        self.others = list(others)
        self.empty = False
        self.searched_in: list[str] = []

    def by_rpps(self, rpps: Rpps) -> Professional | None:
        self._check()
        return next((p for p in self.people if p.rpps == rpps), None)

    def by_adeli(self, adeli: Adeli) -> Professional | None:
        self._check()
        return next((p for p in self.people if p.adeli == adeli), None)

    def by_mssante(self, address: MssanteAddress) -> Mailbox | None:
        self._check()
        boxes = [*self.others, *(box for p in self.people for box in p.mailboxes)]
        return next((box for box in boxes if box.address == address), None)

    def search(self, query: Query) -> Page:
        self._check()
        self.searched_in.append(threading.current_thread().name)
        words = [w for raw in fold(query.words).split() if (w := raw.strip("\"',.")) not in {"", "dr"}]
        if not words:
            raise BadInput("nothing to search")
        found = [p for p in self.people if all(any(t.startswith(w) for t in _terms(p)) for w in words)]
        names = [fold(p.full_name) for p in found]
        towns = {fold(town) for p in self.people for town in p.towns}
        skills = {fold(a.specialty) for p in self.people for a in p.activities}
        understood = Understood(
            names=tuple(w for w in words if w not in towns | skills),
            trades=tuple(w for w in words if w in skills),
            places=tuple(w for w in words if w in towns),
        )
        matches = tuple(Match(p, names.count(fold(p.full_name)) - 1) for p in found)
        return Page(matches[query.offset : query.offset + query.limit], len(found), understood, MADE_AT)

    def whitelisted(self, domain: str) -> bool:
        self._check()
        return domain.endswith(".mssante.test")

    def freshness(self) -> Freshness:
        self._check()
        return Freshness(MADE_AT, MADE_AT, len(self.people), 0)

    def _check(self) -> None:
        if self.empty:
            raise NotFound("no directory was imported yet")


def _terms(person: Professional) -> list[str]:
    parts = [person.given_name, person.family_name, *person.towns, *(a.specialty for a in person.activities)]
    return [word for part in parts for word in fold(part).split()]
