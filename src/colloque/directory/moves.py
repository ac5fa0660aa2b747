"""ADELI numbers that became RPPS numbers: one person with two numbers, and everything that hung on the old one follows.

Only ANS's correspondence file moves anybody. Moves are remembered for good: later imports need not bring the file.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator

from colloque.directory.columns import Columns, Kind, cut
from colloque.directory.lines import Memory
from colloque.directory.records import REASONS, WIDTH, Numbers
from colloque.directory.rows import Rows

_INCOMING = "CREATE TEMP TABLE incoming (adeli TEXT NOT NULL, rpps TEXT NOT NULL)"
_DISPUTED = """
CREATE TEMP TABLE disputed AS SELECT adeli FROM (SELECT adeli, rpps FROM incoming UNION SELECT adeli, rpps FROM move)
GROUP BY adeli HAVING count(*) > 1
"""
_NEW = """
INSERT INTO move SELECT DISTINCT adeli, rpps FROM incoming
WHERE adeli NOT IN (SELECT adeli FROM disputed) AND adeli NOT IN (SELECT adeli FROM move) RETURNING adeli, rpps
"""
_ADELI = "(SELECT min(adeli) FROM move WHERE move.rpps = people.rpps)"
_NAMED = f"UPDATE people SET adeli = {_ADELI} WHERE rpps IN (SELECT rpps FROM move) AND adeli IS NOT {_ADELI}"  # noqa: S608


def read_moves(rows: Rows, numbers: Numbers, db: sqlite3.Connection) -> tuple[int, Counter[str], list[tuple[str, str]]]:
    """Takes in a correspondence file: rows read, rows kept out by reason, and the moves that were not known."""
    rejected: Counter[str] = Counter()
    db.execute(_INCOMING)
    count = 0
    for lines in rows.blocks():
        count += len(lines)
        db.executemany("INSERT INTO incoming VALUES (?, ?)", _pairs(rows.texts(lines), rows.columns, numbers, rejected))
    db.execute(_DISPUTED)
    disputed = db.execute("SELECT count(*) FROM incoming WHERE adeli IN (SELECT adeli FROM disputed)").fetchone()[0]
    if disputed:
        rejected["move.disputed"] = disputed
    if rows.too_long:
        rejected["row.too_long"] = rows.too_long
    new: list[tuple[str, str]] = db.execute(_NEW).fetchall()
    db.execute("DROP TABLE incoming")
    db.execute("DROP TABLE disputed")
    return count + rows.too_long, rejected, new


def _pairs(texts: list[str], columns: Columns, numbers: Numbers, rejected: Counter[str]) -> Iterator[tuple[str, str]]:
    adeli_at, rpps_at = columns.at("N° ADELI"), columns.at("N° RPPS")
    for text in texts:
        fields = cut(text, columns.width, columns.mark)
        if fields is None:
            rejected[REASONS[-1 - WIDTH]] += 1
            continue
        adeli, rpps = numbers.read("0", fields[adeli_at]), numbers.read("8", fields[rpps_at])
        if isinstance(adeli, int) or isinstance(rpps, int):
            wrong = adeli if isinstance(adeli, int) else rpps
            rejected[REASONS[-1 - int(wrong)]] += 1
        else:
            yield adeli[1:], rpps[1:]


def apply_moves(db: sqlite3.Connection, moves: list[tuple[str, str]]) -> dict[int, int]:
    """Moves people in a directory that was filled before these moves were known.

    Somebody known under the ADELI number alone keeps their id; two entries become one. Answers old id to id today, of
    everybody whom a move concerns.
    """
    moved: dict[int, int] = {}
    for adeli, rpps in moves:
        old, new = "0" + adeli, "8" + rpps
        before, after = (_id(db, national) for national in (old, new))
        if before and after:
            moved[before] = after
            db.execute("DELETE FROM people WHERE id = ?", (before,))
            db.execute("UPDATE activity SET person = ? WHERE person = ?", (after, before))
        elif before:
            moved[before] = before
            db.execute("UPDATE people SET national = ?, rpps = ?, adeli = ? WHERE id = ?", (new, rpps, adeli, before))
        elif after:
            moved[after] = after
        for table in ("skill", "diploma", "card"):
            db.execute(f"UPDATE {table} SET national = ? WHERE national = ?", (new, old))  # noqa: S608 - our own names
        db.execute("UPDATE mailbox SET national = ?, rpps = ?, adeli = NULL WHERE national = ?", (new, rpps, old))
    # Which row of a merged person names them, and whether a mailbox is still disputed, only the files can tell.
    if moved:
        _doubt(db, Kind.PEOPLE, {after: after for after in moved.values()} | moved)
    if moves:
        _doubt(db, Kind.MAILBOXES, {n: n for (n,) in db.execute("SELECT id FROM mailbox WHERE disputed = 1")})
    return moved


def name_former(db: sqlite3.Connection) -> None:
    """Puts the former number, or the first of several, into `people.adeli` of whoever moved."""
    db.execute(_NAMED)


def _id(db: sqlite3.Connection, national: str) -> int:
    found = db.execute("SELECT id FROM people WHERE national = ?", (national,)).fetchone()
    return int(found[0]) if found else 0


def _doubt(db: sqlite3.Connection, kind: Kind, refs: dict[int, int]) -> None:
    memory = Memory.load(db, kind)
    memory.doubt(refs)
    memory.store(db, kind)
