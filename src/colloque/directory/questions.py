"""The directory's questions in SQL, the same on SQLite and PostgreSQL. Results are built here and nowhere else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, TypeVar

from colloque.clock import Clock, SystemClock, from_millis
from colloque.directory.columns import Kind
from colloque.directory.engine import Rows
from colloque.directory.lookup import Freshness, Page, Query
from colloque.directory.whitelist import ascii_domain
from colloque.directory.whole import box, first
from colloque.errors import BadIdentifier, Inconsistent
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import Card, Diploma, Mailbox, Professional

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the directory in use and the one before."""

    subject: Literal["person", "mailbox"]
    what: Literal["added", "changed", "gone"]
    number: Rpps | Adeli | None
    """The person, by the number they go by now (or went by, when gone); of a mailbox, its owner. None: it has none."""
    former: Adeli | None = None
    """The number that the person went by before, when that changed."""
    address: MssanteAddress | None = None
    """The mailbox."""


class TableDirectory(ABC):
    """Implements `lookup.Directory`, and what operators ask beside it; an engine says how a question is asked."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    @abstractmethod
    def _ask(self, question: Callable[[Rows], T]) -> T:
        """Answer one question from one import, even when a new one comes meanwhile."""

    @abstractmethod
    def _ask_long(self, question: Callable[[Rows], T]) -> T:
        """The same for a question that takes its time: it keeps nobody waiting who asks a short one."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the data; a later question opens them again."""

    def by_rpps(self, rpps: Rpps) -> Professional | None:
        """The person, whole; None when the directory does not list them."""
        return self._ask(lambda rows: first(rows, "people.national = ?", rpps.national))

    def by_adeli(self, adeli: Adeli) -> Professional | None:
        """The person who goes by that number, or went by it before their RPPS; None when not listed."""
        return self._ask(lambda rows: first(rows, _BY_ADELI, adeli.national, adeli.value))

    def by_mssante(self, address: MssanteAddress) -> Mailbox | None:
        """The mailbox with that address; None when not listed. One that two people claim has no owner."""
        return self._ask(lambda rows: _mailbox(rows, address))

    def search(self, query: Query) -> Page:
        """People who fit, best first. Raises BadInput on an empty query."""
        from colloque.directory.search import search  # noqa: PLC0415 - apps extra; look-ups go without

        return self._ask_long(lambda rows: search(rows, query, freshness(rows).made_at))

    def whitelisted(self, domain: str) -> bool:
        """Whether a domain (Unicode or ASCII) is of MSSanté. False for all once the list is no longer valid."""
        try:
            wanted = ascii_domain(domain)
        except BadIdentifier:
            return False
        now = self._clock.now()
        return self._ask(lambda rows: _whitelisted(rows, wanted, now))

    def whitelist_valid_until(self) -> datetime | None:
        """None when no white-list was ever imported."""
        return self._ask(_valid_until)

    def freshness(self) -> Freshness:
        """As old as its oldest part: people and mailboxes come in two files."""
        return self._ask(freshness)

    def parts(self) -> dict[Kind, datetime]:
        """When ANS made each part of it."""
        return self._ask(_parts)

    def diplomas(self, number: Rpps | Adeli) -> tuple[Diploma, ...]:
        """Diplomas and permits of the person who goes by that number; none when not listed."""
        return self._ask(lambda rows: tuple(Diploma(*row) for row in rows(_DIPLOMAS, (number.national,))))

    def cards(self, number: Rpps | Adeli) -> tuple[Card, ...]:
        """Smart cards of the person who goes by that number, opposed ones included; none when not listed."""
        return self._ask(lambda rows: tuple(_card(*row) for row in rows(_CARDS, (number.national,))))

    def changes(self) -> tuple[Change, ...]:
        """What the last import changed, people before mailboxes. Empty after the first one, where all is new."""
        return self._ask(lambda rows: tuple(_change(*row) for row in rows(_CHANGES)))


# SQL

_BY_ADELI = "people.national = ? OR people.national = (SELECT '8' || rpps FROM move WHERE adeli = ?)"
# The owner's numbers are those of today where the directory lists them, else what the mailbox's own row says.
_MAILBOX = (
    "SELECT m.address, m.kind, m.structure, coalesce(p.rpps, m.rpps), coalesce(p.adeli, m.adeli) "
    "FROM mailbox m LEFT JOIN people p ON p.national = m.national WHERE m.address = ?"
)
_DIPLOMAS = (
    "SELECT type_code, code, label, permit_type_code, permit_code, permit FROM diploma WHERE national = ? ORDER BY id"
)
_CARDS = "SELECT number, type_code, valid_from, valid_until, opposed_on FROM card WHERE national = ? ORDER BY id"
_CHANGES = (
    "SELECT subject, what, national, former, address FROM change "
    "ORDER BY subject DESC, what, coalesce(national, ''), coalesce(address, '')"
)


def freshness(rows: Rows) -> Freshness:
    """As old as its oldest part. Raises Inconsistent when the import left no note of itself."""
    parts, facts = _parts(rows), dict(rows("SELECT key, value FROM meta"))
    try:
        return Freshness(
            made_at=min(parts[Kind.PEOPLE], parts[Kind.MAILBOXES]),
            imported_at=from_millis(facts["imported_at"]),
            people=facts["people"],
            mailboxes=facts["mailboxes"],
        )
    except KeyError:
        raise Inconsistent("the directory does not say of when it is: import again") from None


def _mailbox(rows: Rows, address: MssanteAddress) -> Mailbox | None:
    found = rows(_MAILBOX, (address.value,))
    return box(*found[0]) if found else None


def _whitelisted(rows: Rows, domain: str, now: datetime) -> bool:
    until = _valid_until(rows)
    if until is None or until <= now:
        return False
    return bool(rows("SELECT 1 FROM whitelist WHERE domain = ?", (domain,)))


def _valid_until(rows: Rows) -> datetime | None:
    found = rows("SELECT value FROM meta WHERE key = 'whitelist_valid_until'")
    return from_millis(found[0][0]) if found else None


def _parts(rows: Rows) -> dict[Kind, datetime]:
    return {Kind(kind): from_millis(made) for kind, made in rows("SELECT kind, made_at FROM source")}


def _card(number: str, kind: str, valid_from: str, valid_until: str, opposed_on: str) -> Card:
    return Card(number, kind, *(date.fromisoformat(d) if d else None for d in (valid_from, valid_until, opposed_on)))


def _change(subject: Any, what: Any, national: str | None, former: str | None, address: str | None) -> Change:
    before = number_of(former)
    return Change(
        subject,
        what,
        number_of(national),
        before if isinstance(before, Adeli) else None,
        MssanteAddress(address) if address else None,
    )


def number_of(national: str | None) -> Rpps | Adeli | None:
    """From an Identification nationale PP."""
    if not national:
        return None
    return Rpps(national[1:]) if national[0] == "8" else Adeli(national[1:])
