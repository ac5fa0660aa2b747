"""Reads the directory's SQLite file: standard library, read-only; a replaced file is noticed at the next question."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from colloque.clock import Clock, SystemClock, from_millis
from colloque.directory.build import is_ours, made_at, open_read_only
from colloque.directory.columns import Kind
from colloque.directory.folding import fold
from colloque.directory.lookup import Freshness
from colloque.directory.whitelist import ascii_domain
from colloque.errors import BadIdentifier, Inconsistent, NotFound
from colloque.identity import MssanteAddress, Rpps
from colloque.professional import Activity, Mailbox, MailboxKind, Professional

_LAST = "\U0010ffff"


class DirectoryFile:
    """Implements `lookup.Directory`. Every question raises NotFound before the first import, Inconsistent when the
    file is damaged or of another version: neither is ever taken for "not listed".
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """The file need not exist yet. `clock` judges the white-list's validity."""
        self._path = path
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None

    def by_rpps(self, rpps: Rpps) -> Professional | None:
        """The person, whole; None when the directory does not list them."""
        with self._asking() as db:
            return _person(db, rpps.national)

    def by_mssante(self, address: MssanteAddress) -> Mailbox | None:
        """The mailbox with that address; None when not listed. A PER mailbox that two people claim has no `rpps`."""
        with self._asking() as db:
            row = db.execute(f"{_MAILBOX} WHERE address = ?", (address.value,)).fetchone()
        return _mailbox(row) if row else None

    def by_name(self, words: Sequence[str], limit: int = 10) -> list[Professional]:
        """People with an RPPS whose names hold a word beginning like each of `words`, whatever case and accents.

        Names that hold the words themselves come first, then alphabetical order.
        """
        wanted = list(dict.fromkeys(w for word in words for w in fold(word).split()))
        if not wanted:
            return []
        begins = " INTERSECT ".join(["SELECT person FROM name_word WHERE word >= ? AND word < ?"] * len(wanted))
        whole = " + ".join(["EXISTS (SELECT 1 FROM name_word WHERE word = ? AND person = id)"] * len(wanted))
        query = (
            f"SELECT national FROM people WHERE rpps IS NOT NULL AND id IN ({begins}) "  # noqa: S608  # placeholders only
            f"ORDER BY {whole} DESC, family, given, national LIMIT ?"
        )
        values = (*(edge for w in wanted for edge in (w, w + _LAST)), *wanted, limit)
        with self._asking() as db:
            people = [_person(db, national) for (national,) in db.execute(query, values).fetchall()]
        return [person for person in people if person is not None]

    def whitelisted(self, domain: str) -> bool:
        """Whether a domain (Unicode or ASCII) is of MSSanté. False for all once the list is no longer valid."""
        try:
            wanted = ascii_domain(domain)
        except BadIdentifier:
            return False
        until = self.whitelist_valid_until()
        if until is None or until <= self._clock.now():
            return False
        with self._asking() as db:
            return db.execute("SELECT 1 FROM whitelist WHERE domain = ?", (wanted,)).fetchone() is not None

    def whitelist_valid_until(self) -> datetime | None:
        """None when no white-list was ever imported."""
        with self._asking() as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'whitelist_valid_until'").fetchone()
        return from_millis(row[0]) if row else None

    def freshness(self) -> Freshness:
        """As old as its oldest part: people and mailboxes come in two files. Raises NotFound before an import."""
        with self._asking() as db:
            parts = made_at(db)
            facts = dict(db.execute("SELECT key, value FROM meta").fetchall())
        return Freshness(
            made_at=min(parts[Kind.PEOPLE], parts[Kind.MAILBOXES]),
            imported_at=from_millis(facts["imported_at"]),
            people=facts["people"],
            mailboxes=facts["mailboxes"],
        )

    def parts(self) -> dict[Kind, datetime]:
        """When ANS made each part of it."""
        with self._asking() as db:
            return made_at(db)

    def close(self) -> None:
        """Lets go of the file; a later question opens it again."""
        with self._lock:
            self._forget()

    @contextmanager
    def _asking(self) -> Iterator[sqlite3.Connection]:
        """One question, answered from one file even when a new one comes meanwhile."""
        with self._lock:
            try:
                yield self._current()
            except sqlite3.Error as error:
                self._forget()
                raise Inconsistent(f"the directory file can't be read ({type(error).__name__}): import again") from None

    def _current(self) -> sqlite3.Connection:
        """The connection to the file that stands there now."""
        for _ in range(10):
            try:
                info = self._path.stat()
            except OSError:
                self._forget()
                raise NotFound("no directory was imported yet") from None
            inode = (info.st_dev, info.st_ino)
            if self._db is not None and inode == self._inode:
                return self._db
            self._forget()
            # Another file may have come between the look above and the opening: the next turn looks again.
            self._db, self._inode = open_read_only(self._path), inode
            if not is_ours(self._db):
                self._forget()
                raise Inconsistent("the directory file is not one of this version: import again")
        raise Inconsistent("the directory file is replaced all the time")

    def _forget(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = self._inode = None


_MAILBOX = "SELECT address, kind, structure, rpps FROM mailbox"
_ACTIVITY = (
    "SELECT profession_code, profession, category_code, specialty_code, specialty, mode_code, structure, "
    "structure_id, postcode, town FROM activity"
)


def _person(db: sqlite3.Connection, national: str) -> Professional | None:
    row = db.execute("SELECT rpps, family, given, title FROM people WHERE national = ?", (national,)).fetchone()
    if row is None:
        return None
    rpps, family, given, title = row
    activities = db.execute(f"{_ACTIVITY} WHERE national = ? ORDER BY rowid", (national,))
    boxes = db.execute(f"{_MAILBOX} WHERE national = ? ORDER BY address", (national,))
    places = tuple(Activity(*values) for values in activities)
    return Professional(Rpps(rpps), family, given, title, places, tuple(_mailbox(values) for values in boxes))


def _mailbox(row: tuple[str, str, str, str | None]) -> Mailbox:
    address, kind, structure, rpps = row
    return Mailbox(MssanteAddress(address), MailboxKind(kind), structure, Rpps(rpps) if rpps else None)
