"""Fills the tables that hang on a national number, one row a line: `skill`, `diploma`, `card`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from operator import itemgetter

from colloque.directory.columns import Columns, Kind, cut
from colloque.directory.records import NUL, REF, WIDTH, Head, Numbers, is_date

_WHO = ("Type d'identifiant PP", "Identifiant PP", "Identification nationale PP")
_SHAPES: dict[Kind, tuple[str, tuple[str, ...]]] = {
    Kind.SKILLS: (
        "skill",
        ("Code profession", "Code type savoir-faire", "Code savoir-faire", "Libellé savoir-faire"),
    ),
    Kind.DIPLOMAS: (
        "diploma",
        (
            *("Code type diplôme obtenu", "Code diplôme obtenu", "Libellé diplôme obtenu"),
            *("Code type autorisation", "Code discipline autorisation", "Libellé discipline autorisation"),
        ),
    ),
    Kind.CARDS: (
        "card",
        (
            *("Code type de carte", "Numéro carte", "Date début validité", "Date fin validité", "Date opposition"),
            "Date de mise à jour",
        ),
    ),
}
"""The table, and the columns it keeps after the number."""


def _skill(fields: Sequence[str]) -> int:
    return 0 if fields[2] else REF["skill.code"]


def _diploma(fields: Sequence[str]) -> int:
    """A row holds a diploma, or a permit to exercise instead of one."""
    return 0 if fields[1] or fields[4] else REF["diploma.code"]


def _card(fields: Sequence[str]) -> int:
    if not fields[1]:
        return REF["card.number"]
    return 0 if all(map(is_date, fields[2:])) else REF["card.date"]


_CHECKS: dict[Kind, Callable[[Sequence[str]], int]] = {Kind.SKILLS: _skill, Kind.DIPLOMAS: _diploma, Kind.CARDS: _card}


class RowLoader:
    """A `files.Loader`: every line is a row of its own. `touched`: flags by row id, of rows to be dropped."""

    def __init__(self, db: sqlite3.Connection, columns: Columns, numbers: Numbers) -> None:
        table, names = _SHAPES[columns.kind]
        self.tables = (table,)
        self.columns = {table: "*"}
        self._db = db
        self._width = columns.width
        self._numbers = numbers
        self._check = _CHECKS[columns.kind]
        self._fields = itemgetter(*map(columns.may, names))
        if columns.kind is Kind.CARDS:
            at = columns.at("Identifiant national contenu dans la carte")
            self._head: Callable[[list[str]], Head] = lambda fields: (fields[at][:1], fields[at][1:], fields[at])
        else:
            self._head = itemgetter(*map(columns.at, _WHO))
        self._insert = f"INSERT INTO {table} VALUES (?, ?{', ?' * len(names)})"  # noqa: S608 - our own names
        self._delete = f"DELETE FROM {table} WHERE id = ?"  # noqa: S608
        self._next: int = db.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0]  # noqa: S608
        self._nationals = f"SELECT national FROM {table} WHERE id = ?"  # noqa: S608
        self.touched = bytearray(self._next)
        self.people: set[str] = set()
        """National numbers of those whose rows came or went, once rows of an older file are held against new ones."""
        self._mending = False

    def feed(self, texts: list[str]) -> list[int]:
        """Take in lines of the file; what came of each: the row's id, or the reason why not (`REF`)."""
        width = self._width
        refs: list[int] = []
        new: list[tuple[object, ...]] = []
        for text in texts:
            fields = cut(text, width)
            if fields is None:
                refs.append(WIDTH)
                continue
            if "\0" in text:
                refs.append(NUL)
                continue
            who = self._numbers.of(self._head(fields))
            if isinstance(who, int):
                refs.append(who)
                continue
            fields += ("", "")
            kept = self._fields(fields)
            wrong = self._check(kept)
            if wrong:
                refs.append(wrong)
                continue
            new.append((self._next, who, *kept))
            refs.append(self._next)
            self._next += 1
            if self._mending:
                self.people.add(who)
        self._db.executemany(self._insert, new)
        return refs

    def touch(self, texts: list[str]) -> None:
        """New lines touch no row that is there."""

    def doubles(self) -> bool:
        """Rows are never two of one."""
        return False

    def forget(self) -> None:
        """Drops the rows that are touched."""
        for number, flag in enumerate(self.touched):
            if flag:
                self.people.update(who for (who,) in self._db.execute(self._nationals, (number,)))
                self._db.execute(self._delete, (number,))
        self._mending = True

    def finish(self) -> None:
        """At the end: nothing is left to do."""
