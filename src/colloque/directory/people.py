"""Fills `people` and `activity` from PS_LibreAcces_Personne_activite: one row an activity."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from operator import itemgetter

from colloque.directory.columns import Columns, cut
from colloque.directory.records import NUL, REF, WIDTH, Head, Numbers

_CEDEX = re.compile(r"^\d{5}\s+|\s+CEDEX\b.*$", re.IGNORECASE)
_PERSON = "INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)"
_COLUMNS = (
    "profession_code, profession, category_code, specialty_code, specialty, mode_code, structure, structure_id, "
    "postcode, town, department_code, sector_code, role_code, genre_code"
)
_ACTIVITY = f"INSERT INTO activity (person, {_COLUMNS}) VALUES ({', '.join('?' * 15)})"  # noqa: S608 - our own names
_FIELDS = (
    *("Code profession", "Libellé profession", "Code catégorie professionnelle", "Code savoir-faire"),
    *("Libellé savoir-faire", "Code mode exercice", "Raison sociale site", "Identifiant technique de la structure"),
    *("Code postal (coord. structure)", "Libellé commune (coord. structure)", "Code Département (structure)"),
    *("Code secteur d'activité", "Code rôle", "Code genre activité"),
)
_NAME_MISSING = REF["name.missing"]


class PeopleLoader:
    """A `files.Loader`. Rows of one person mostly follow each other: in a first reading each such run is a person.

    `touched` and `met` are flags by person id: who is to be read again, and who was.
    """

    tables = ("people", "activity")
    columns: Mapping[str, str] = {
        "people": "id + {0}, national, rpps, adeli, family, given, title",
        "activity": f"NULL, person + {{0}}, {_COLUMNS}",
    }

    def __init__(self, db: sqlite3.Connection, columns: Columns, numbers: Numbers, highest: int) -> None:
        self._db = db
        self._layout = columns
        self._numbers = numbers
        self._next: int = 1 + max(highest, db.execute("SELECT coalesce(max(id), 0) FROM people").fetchone()[0])
        at, width = columns.at, columns.width
        self._head = itemgetter(at("Type d'identifiant PP"), at("Identifiant PP"), at("Identification nationale PP"))
        self._name = itemgetter(at("Nom d'exercice"), at("Prénom d'exercice"), at("Libellé civilité d'exercice"))
        self._row = itemgetter(width, *map(columns.may, _FIELDS))
        self._last: Head | None = None
        self._who: str | int = 0
        self._id = 0
        self.touched = bytearray(self._next)
        self.met = bytearray(self._next)
        self._mending = False

    def feed(self, texts: list[str]) -> list[int]:  # noqa: C901 - one loop, run for every row
        """Take in lines of the file; what came of each: a person's id, or the reason why not (`REF`)."""
        columns = self._layout
        width, full = columns.width, columns.width + 1
        of_family, of_name = columns.at("Nom d'exercice"), columns.at("Raison sociale site")
        of_sign, of_town = columns.at("Enseigne commerciale site"), columns.at("Libellé commune (coord. structure)")
        of_cedex = columns.at("Bureau cedex (coord. structure)")
        lacks = any(columns.may(name) > width for name in _FIELDS)
        head_of, id_of, row_of = self._head, self._person, self._row
        last, who, ref = self._last, self._who, self._id
        refs: list[int] = []
        rows: list[tuple[object, ...]] = []
        self._new: list[tuple[object, ...]] = []
        nul = "\0" in "".join(texts)
        for text in texts:
            fields = text.split("|")
            if len(fields) != full or fields[width]:
                whole = cut(text, width)
                if whole is None:
                    refs.append(WIDTH)
                    continue
                fields = [*whole, ""]
            if nul and "\0" in text:
                refs.append(NUL)
                continue
            head = head_of(fields)
            if head != last:
                last, who, ref = head, self._numbers.of(head), 0
            if who.__class__ is int:
                refs.append(who)
                continue
            if not fields[of_family]:
                refs.append(_NAME_MISSING)
                continue
            if not ref:
                ref = id_of(who, fields)  # type: ignore[arg-type]
            refs.append(ref)
            if not fields[of_name]:
                fields[of_name] = fields[of_sign]
            if not fields[of_town]:
                fields[of_town] = _CEDEX.sub("", fields[of_cedex])
            fields[width] = ref  # type: ignore[call-overload]
            if lacks:
                fields.append("")
            rows.append(row_of(fields))
        self._last, self._who, self._id = last, who, ref
        if self._new:
            self._db.executemany(_PERSON, self._new)
        self._db.executemany(_ACTIVITY, rows)
        return refs

    def _person(self, national: str, fields: list[str]) -> int:
        """The id of the person, who is made or made anew when this is their first row. The first row names them."""
        family, given, title = self._name(fields)
        if self._mending:
            known = self._known(national)
            if known:
                if not self.met[known]:
                    self.met[known] = 1
                    update = "UPDATE people SET family = ?, given = ?, title = ? WHERE id = ?"
                    self._db.execute(update, (family, given, title, known))
                return known
        number = self._next
        self._next += 1
        is_rpps = national[0] == "8"
        row = (number, national, national[1:] if is_rpps else None, None if is_rpps else national[1:])
        row = (*row, family, given, title)  # type: ignore[assignment]
        if self._mending:
            self._db.execute(_PERSON, row)
            self.touched.append(1)
            self.met.append(1)
        else:
            self._new.append(row)
        return number

    def _known(self, national: str) -> int:
        found = self._db.execute("SELECT id FROM people WHERE national = ?", (national,)).fetchone()
        return int(found[0]) if found else 0

    def touch(self, texts: list[str]) -> None:
        """Before `forget`: these lines are new, so whoever they speak of is to be read again."""
        for text in texts:
            fields = cut(text, self._layout.width)
            if fields is not None:
                who = self._numbers.of(self._head(fields))
                known = self._known(who) if isinstance(who, str) else 0
                if known:
                    self.touched[known] = 1

    def doubles(self) -> bool:
        """After the first reading, indexed: touches whoever was taken for several people; whether there is anybody."""
        self.touched, self.met = bytearray(self._next), bytearray(self._next)
        later = []
        find = "SELECT national, min(id) FROM people GROUP BY national HAVING count(*) > 1"
        for national, first in self._db.execute(find).fetchall():
            for (person,) in self._db.execute("SELECT id FROM people WHERE national = ?", (national,)):
                self.touched[person] = 1
                if person != first:
                    later.append((person,))
        self.forget()
        self._db.executemany("DELETE FROM people WHERE id = ?", later)
        return bool(later)

    def forget(self) -> None:
        """Drops the activities of whoever is touched; what is fed from now on may speak of people known already."""
        ids = ((person,) for person, flag in enumerate(self.touched) if flag)
        self._db.executemany("DELETE FROM activity WHERE person = ?", ids)
        self._mending = True
        self._last = None

    def finish(self) -> None:
        """At the end: who was touched and has no row any more is gone."""
        gone = ((n,) for n, flag in enumerate(self.touched) if flag and not self.met[n])
        self._db.executemany("DELETE FROM people WHERE id = ?", gone)
