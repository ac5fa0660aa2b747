"""Mends the search tables after an import: only what changed people wrote there, or would write now."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

from colloque.directory.postings import pack, unpack
from colloque.directory.words import (
    WORK,
    areas,
    key_of,
    name_towns_and_shelves,
    name_trades,
    put_packed,
    split,
    words_of,
)

_CHANGED = "IN (SELECT id FROM temp.changed)"
_OF_CHANGED = f"WHERE person {_CHANGED}", f"AND people.id {_CHANGED}"

Sets = dict[str, tuple[set[int], set[int]]]
"""By key: ids that go, ids that come."""


def reindex(db: sqlite3.Connection, people: Iterable[int]) -> None:
    """The same tables as `index` would make, when only these people were added, changed or removed since.

    The directory before is attached as `old`.
    """
    db.execute("CREATE TEMP TABLE changed (id INTEGER PRIMARY KEY)")
    db.executemany("INSERT INTO temp.changed VALUES (?)", ((person,) for person in people))
    mended = _mend_names(db)
    mended |= _mend_work(db)
    db.execute("DROP TABLE temp.changed")
    db.execute("DELETE FROM trade")
    name_trades(db)
    if mended:
        db.execute("DELETE FROM town")
        db.execute("DELETE FROM shelf")
        name_towns_and_shelves(db)


def _mend_names(db: sqlite3.Connection) -> bool:
    """Whether there are words that were none, or that are none any more."""
    names: list[Sets] = [defaultdict(lambda: (set(), set())), defaultdict(lambda: (set(), set()))]
    query = f"SELECT id, family, given FROM {{0}}.people WHERE id {_CHANGED} ORDER BY id"  # noqa: S608 - our own names
    both = merged(db.execute(query.format("old")), db.execute(query.format("main")))
    for person, was, now in both:
        for part, sets in enumerate(names):
            before = words_of(was[part], given=part == 1) if was else frozenset()
            after = words_of(now[part], given=part == 1) if now else frozenset()
            for word in before - after:
                sets[word][0].add(person)
            for word in after - before:
                sets[word][1].add(person)
    mended = False
    family, given = names
    for word in sorted(family.keys() | given.keys()):
        size, ids = db.execute("SELECT family, ids FROM name_list WHERE word = ?", (word,)).fetchone() or (0, b"")
        db.execute("DELETE FROM name_list WHERE word = ?", (word,))
        first = pack(_mend(ids[:size], family.get(word)))
        packed = first + pack(_mend(ids[size:], given.get(word)))
        if packed:
            db.execute("INSERT INTO name_list VALUES (?, ?, ?)", (word, len(first), packed))
        mended |= bool(ids) != bool(packed)
    return mended


def merged(
    old: Iterable[tuple[Any, ...]], new: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[Any, tuple[Any, ...] | None, tuple[Any, ...] | None]]:
    """Two queries sorted by their first column, which is unique, side by side: it, and the rest of each."""
    both = merge(((row[0], 0, row[1:]) for row in old), ((row[0], 1, row[1:]) for row in new))
    for key, found in groupby(both, itemgetter(0)):
        sides = {side: rest for _, side, rest in found}
        yield key, sides.get(0), sides.get(1)


def _mend(packed: bytes, changes: tuple[set[int], set[int]] | None) -> list[int]:
    gone, come = changes or ((), ())
    ids = [person for person in unpack(packed) if person not in gone] if gone else [*unpack(packed)]
    if come:
        ids.extend(come)
        ids.sort()
    return ids


def _mend_work(db: sqlite3.Connection) -> bool:
    """Whether there are places that were none, or that are none any more."""
    changes: dict[str, Sets] = defaultdict(lambda: defaultdict(lambda: (set(), set())))
    for person, was, now in merged(*(_work(db, base) for base in ("old", "main"))):
        if was != now:
            before, after = (_areas_of(work[0]) if work else frozenset() for work in (was, now))
            for place, trade in before - after:
                changes[place][trade][0].add(person)
            for place, trade in after - before:
                changes[place][trade][1].add(person)
    mended = False
    for place in sorted(changes):
        found = db.execute("SELECT trades, ids FROM work_list WHERE place = ?", (place,)).fetchone()
        lists = dict(split(*found)) if found else {}
        for trade, change in changes[place].items():
            lists[trade] = pack(_mend(lists.get(trade, b""), change))
        put_packed(db, place, lists)
        mended |= bool(found) != any(lists.values())
    return mended


def _work(db: sqlite3.Connection, base: str) -> Iterator[tuple[int, frozenset[tuple[str, str]]]]:
    """Of each of those who changed: where, as what."""
    rows = db.execute(WORK.format(base, *_OF_CHANGED) + "ORDER BY 1")
    for person, found in groupby(rows, itemgetter(0)):
        yield person, frozenset(row[1:] for row in found)


def _areas_of(work: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """The same by place key, départements and the nation among the places."""
    keys = ((key_of(place), trade) for place, trade in work)
    return frozenset((area, trade) for key, trade in keys for area in (key, *areas(key)) if area)
