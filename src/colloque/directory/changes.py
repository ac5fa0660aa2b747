"""What an import changed: the table `change`, and people who look as if they had moved to another number."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain

from colloque.directory.folding import fold

_NOTE = "INSERT INTO change VALUES (?, ?, ?, ?, ?)"
_PERSON = "SELECT national, family, given, title FROM {0}.people WHERE id = ?"
_ACTIVITIES = (
    "SELECT profession_code, profession, category_code, specialty_code, specialty, mode_code, structure, structure_id, "
    "postcode, town, department_code, sector_code, role_code, genre_code FROM {0}.activity WHERE person = ? ORDER BY id"
)
_MAILBOX = "SELECT kind, national, structure, disputed FROM {0}.mailbox WHERE address = ?"
_LIKELY_MOST = 100

Change = tuple[str, str, str | None, str | None, str | None]
"""A row of `change`."""
Likeness = tuple[str, str, str, str]
"""Family and given name, profession, place: what an unproven move keeps."""


class Changes:
    """Compares the directory in use, attached as `old`, with the one being written."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._gone: dict[Likeness, str] = {}
        self._new: dict[Likeness, str] = {}
        self.counts: Counter[str] = Counter()

    def note(self, people: bytearray, moved: Mapping[int, int], mailboxes: bytearray) -> None:
        """Fills `change` from who and what was touched (flags by id); `moved` is what `apply_moves` answered."""
        found = chain(self._people(people, moved), self._mailboxes(mailboxes))
        self._db.execute("DELETE FROM main.change")
        self._db.executemany(_NOTE, self._counted(found))

    @property
    def likely_moves(self) -> list[tuple[str, str]]:
        """An ADELI number gone and a new RPPS with the same name, profession and place: national numbers, unproven."""
        both = ((was, self._new[likeness]) for likeness, was in self._gone.items() if likeness in self._new)
        return sorted(both)[:_LIKELY_MOST]

    def _counted(self, changes: Iterator[Change]) -> Iterator[Change]:
        for change in changes:
            self.counts[f"{change[0]}.{change[1]}"] += 1
            yield change

    def _people(self, touched: bytearray, moved: Mapping[int, int]) -> Iterator[Change]:
        merged = {after: before for before, after in moved.items() if before != after}
        for person, flag in enumerate(touched):
            if not flag:
                continue
            was, now = (self._person(base, person) for base in ("old", "main"))
            if now is None:
                if was is not None and not self._exists(moved.get(person)):
                    self._remember(self._gone, was, "0")
                    yield "person", "gone", was[0][0], None, None
                continue
            twin = self._person("old", merged[person]) if person in merged else None
            former = twin or was
            changed_number = former[0][0] if former and former[0][0] != now[0][0] else None
            if former is None:
                self._remember(self._new, now, "8")
                yield "person", "added", now[0][0], None, None
            elif changed_number or was != now:
                yield "person", "changed", now[0][0], changed_number, None

    def _exists(self, person: int | None) -> bool:
        return self._db.execute("SELECT 1 FROM main.people WHERE id = ?", (person,)).fetchone() is not None

    def _person(self, base: str, person: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
        found = self._db.execute(_PERSON.format(base), (person,)).fetchone()
        return (found, self._db.execute(_ACTIVITIES.format(base), (person,)).fetchall()) if found else None

    def _remember(
        self, among: dict[Likeness, str], person: tuple[tuple[str, ...], list[tuple[str, ...]]], kind: str
    ) -> None:
        (national, family, given, _), activities = person
        if national[0] == kind and len(among) < 100_000:
            for activity in activities:
                place = activity[8] or activity[9]
                among.setdefault((fold(family), fold(given), activity[0], place), national)

    def _mailboxes(self, touched: bytearray) -> Iterator[Change]:
        first_new = self._db.execute("SELECT coalesce(max(id), 0) + 1 FROM old.mailbox").fetchone()[0]
        for (address,) in self._db.execute("SELECT address FROM main.mailbox WHERE id >= ?", (first_new,)):
            was, now = (self._db.execute(_MAILBOX.format(b), (address,)).fetchone() for b in ("old", "main"))
            if was is None:
                yield "mailbox", "added", now[1], None, address
            elif (was[0], self._today(was[1]), *was[2:]) != now:
                yield "mailbox", "changed", now[1] or was[1], None, address
        for number, flag in enumerate(touched[:first_new]):
            if flag:
                address, owner = self._db.execute(
                    "SELECT address, national FROM old.mailbox WHERE id = ?", (number,)
                ).fetchone() or (None, None)
                if address and not self._db.execute(_MAILBOX.format("main"), (address,)).fetchone():
                    yield "mailbox", "gone", owner, None, address

    def _today(self, national: str | None) -> str | None:
        """The number that the owner of a mailbox goes by now."""
        if national and national[0] == "0":
            found = self._db.execute("SELECT rpps FROM main.move WHERE adeli = ?", (national[1:],)).fetchone()
            return f"8{found[0]}" if found else national
        return national
