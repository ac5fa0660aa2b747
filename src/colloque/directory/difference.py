"""What two directory files say differently of people and mailboxes, whichever import made them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from colloque.directory.engine import is_ours, open_read_only
from colloque.directory.mending import merged
from colloque.errors import Inconsistent, NotFound

What = Literal["added", "changed", "gone"]

_PEOPLE = "SELECT national, id, family, given, title FROM people ORDER BY national"
_ACTIVITIES = (
    "SELECT profession_code, profession, category_code, specialty_code, specialty, mode_code, structure, structure_id, "
    "postcode, town, department_code, sector_code, role_code, genre_code FROM activity WHERE person = ? ORDER BY id"
)
_MAILBOXES = "SELECT address, national, kind, structure, disputed FROM mailbox ORDER BY address"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    subject: Literal["person", "mailbox"]
    what: What
    national: str | None
    """The person, or the mailbox's owner: national number ("Identification nationale PP"), today's if there is one."""
    former: str | None = None
    """The number they had before, when their ADELI became an RPPS."""
    address: str | None = None
    """The mailbox."""


def difference(old: Path, new: Path) -> Iterator[Change]:
    """People by national number, then mailboxes by address; in memory one of each at a time.

    Raises NotFound when a file is missing, Inconsistent when one is no directory of this version or is damaged.
    """
    with closing(_opened(old)) as before, closing(_opened(new)) as after:
        try:
            yield from _people(before, after)
            yield from _mailboxes(before, after)
        except sqlite3.Error as error:
            raise Inconsistent(f"a directory file can't be read ({type(error).__name__})") from None


def _opened(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise NotFound(f"{path}: no such file")
    db = open_read_only(path)
    try:
        if is_ours(db):
            return db
    except sqlite3.Error:
        pass
    db.close()
    raise Inconsistent(f"{path} is not a directory file of this version")


def _people(before: sqlite3.Connection, after: sqlite3.Connection) -> Iterator[Change]:
    for national, was, now in merged(before.execute(_PEOPLE), after.execute(_PEOPLE)):
        if was is None:
            # Somebody who moved is told once, as changed, where their new number stands.
            former = _former(before, after, national)
            yield Change("person", "changed" if former else "added", national, former)
        elif now is None:
            if national[0] != "0" or not _listed(after, _moved(after, national)):
                yield Change("person", "gone", national)
        else:
            former = _former(before, after, national)
            if former or was[1:] != now[1:] or _activities(before, was[0]) != _activities(after, now[0]):
                yield Change("person", "changed", national, former)


def _mailboxes(before: sqlite3.Connection, after: sqlite3.Connection) -> Iterator[Change]:
    for address, was, now in merged(before.execute(_MAILBOXES), after.execute(_MAILBOXES)):
        if was is None or now is None:
            what: What = "added" if was is None else "gone"
            yield Change("mailbox", what, (now or was or (None,))[0], address=address)
        elif was[1:] != now[1:] or _moved(after, was[0]) != now[0]:
            yield Change("mailbox", "changed", now[0] or was[0], address=address)


def _activities(db: sqlite3.Connection, person: int) -> list[tuple[Any, ...]]:
    return db.execute(_ACTIVITIES, (person,)).fetchall()


def _moved(db: sqlite3.Connection, national: str | None) -> str | None:
    """The number that somebody goes by there."""
    if national and national[0] == "0":
        found = db.execute("SELECT rpps FROM move WHERE adeli = ?", (national[1:],)).fetchone()
        return f"8{found[0]}" if found else national
    return national


def _listed(db: sqlite3.Connection, national: str | None) -> bool:
    return db.execute("SELECT 1 FROM people WHERE national = ?", (national,)).fetchone() is not None


def _former(before: sqlite3.Connection, after: sqlite3.Connection, national: str) -> str | None:
    """An ADELI number of theirs that the old file lists."""
    for (adeli,) in after.execute("SELECT adeli FROM move WHERE rpps = ? ORDER BY adeli", (national[1:],)):
        if _listed(before, "0" + adeli):
            return f"0{adeli}"
    return None
