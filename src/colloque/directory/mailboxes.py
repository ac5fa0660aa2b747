"""Fills `mailbox` from Extraction_Correspondance_MSSante: one row a claim of an address, one mailbox an address."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from operator import itemgetter

from colloque.directory.columns import Columns, cut
from colloque.directory.records import NUL, REF, WIDTH, Numbers, address_reader

_MAILBOX = "INSERT INTO mailbox (id, address, kind, national, rpps, adeli, structure) VALUES (?, ?, ?, ?, ?, ?, ?)"
# An address claimed twice proves nobody: its owner is dropped, and unless both claims are of one kind it counts as ORG.
_CLAIM = """
UPDATE mailbox SET repeats = repeats + 1, disputed = disputed OR NOT (kind = :kind AND national IS :national),
  national = CASE WHEN kind = :kind AND national IS :national THEN national END,
  rpps = CASE WHEN kind = :kind AND national IS :national THEN rpps END,
  adeli = CASE WHEN kind = :kind AND national IS :national THEN adeli END,
  kind = CASE WHEN kind = :kind THEN kind ELSE 'ORG' END
WHERE id = :id
"""
_KIND = REF["mailbox.kind"]


class MailboxLoader:
    """A `files.Loader`. `touched`: flags by mailbox id, of those to be read again."""

    tables = ("mailbox",)
    columns: Mapping[str, str] = {"mailbox": "*"}

    def __init__(self, db: sqlite3.Connection, columns: Columns, numbers: Numbers) -> None:
        self._db = db
        self._width = columns.width
        self._numbers = numbers
        self._address = address_reader()
        self._next: int = db.execute("SELECT coalesce(max(id), 0) + 1 FROM mailbox").fetchone()[0]
        at = columns.at
        self._fields = itemgetter(
            *(at("Type de BAL"), at("Adresse BAL"), at("Type Identifiant PP"), at("Identifiant PP")),
            *(at("Raison Sociale structure BAL"), at("Enseigne commerciale structure BAL")),
            at("Service de rattachement"),
        )
        self._at_address = at("Adresse BAL")
        self.touched = bytearray(self._next)
        self._mending = False

    def feed(self, texts: list[str]) -> list[int]:  # noqa: C901 - one loop, run for every row
        """Take in lines of the file; what came of each: a mailbox's id, or the reason why not (`REF`)."""
        width = self._width
        fields_of, address_of, owner_of = self._fields, self._address, self._numbers.of
        refs: list[int] = []
        new: list[tuple[object, ...]] = []
        nul = "\0" in "".join(texts)
        for text in texts:
            fields = text.split("|")
            if (len(fields) != width + 1 or fields[width]) and cut(text, width) is None:
                refs.append(WIDTH)
                continue
            if nul and "\0" in text:
                refs.append(NUL)
                continue
            kind, written, id_type, value, name, sign, service = fields_of(fields)
            address = address_of(written)
            if address.__class__ is int:
                refs.append(address)
                continue
            national: str | int | None = None
            if kind == "PER":
                national = owner_of((id_type, value, id_type + value.strip()))
                if national.__class__ is int:
                    refs.append(national)
                    continue
            elif kind not in {"ORG", "APP"}:
                refs.append(_KIND)
                continue
            where = name or sign
            structure = f"{where} - {service}" if where and service else where or service
            known = self._known(address) if self._mending else 0  # type: ignore[arg-type]
            if known:
                self._db.execute(_CLAIM, {"id": known, "kind": kind, "national": national})
                refs.append(known)
                continue
            number = self._next
            self._next += 1
            refs.append(number)
            rpps = adeli = None
            if national:
                rpps, adeli = (national[1:], None) if national[0] == "8" else (None, national[1:])  # type: ignore[index]
            row = (number, address, kind, national, rpps, adeli, structure)
            if self._mending:
                self._db.execute(_MAILBOX, row)
                self.touched.append(1)
            else:
                new.append(row)
        self._db.executemany(_MAILBOX, new)
        return refs

    def touch(self, texts: list[str]) -> None:
        """Before `forget`: these lines are new, so the mailbox they speak of is to be read again."""
        for text in texts:
            fields = cut(text, self._width)
            address = self._address(fields[self._at_address]) if fields is not None else 0
            known = self._known(address) if isinstance(address, str) else 0
            if known:
                self.touched[known] = 1

    def doubles(self) -> bool:
        """After the first reading, indexed: touches mailboxes that several rows speak of; whether there are any."""
        self.touched = bytearray(self._next)
        find = "SELECT address FROM mailbox GROUP BY address HAVING count(*) > 1"
        found = self._db.execute(find).fetchall()
        for address in found:
            for (number,) in self._db.execute("SELECT id FROM mailbox WHERE address = ?", address):
                self.touched[number] = 1
        self.forget()
        return bool(found)

    def forget(self) -> None:
        """Drops the mailboxes that are touched; what is fed from now on may speak of mailboxes known already."""
        ids = ((number,) for number, flag in enumerate(self.touched) if flag)
        self._db.executemany("DELETE FROM mailbox WHERE id = ?", ids)
        self._mending = True

    def finish(self) -> None:
        """At the end: nothing is left to do."""

    def _known(self, address: str) -> int:
        found = self._db.execute("SELECT id FROM mailbox WHERE address = ?", (address,)).fetchone()
        return int(found[0]) if found else 0
