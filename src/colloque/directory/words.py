"""The search tables: who bears a name, who works where as what. Written at import, read by `search`.

Everything is derived from `people`, `activity` and `skill`; lists of people are packed (`postings`). Keys are what they
name, never numbers of ours, so that a table made in one go and one mended day after day are the same.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain, groupby, product
from operator import itemgetter

from colloque.directory.names import initials, name_words
from colloque.directory.places import NATION, department, glue, known_as, place_key
from colloque.directory.postings import pack, tidy, unpack

TABLES = """
CREATE TABLE name_list (word TEXT NOT NULL PRIMARY KEY, family INTEGER NOT NULL, ids BLOB NOT NULL);
CREATE TABLE work_list (place TEXT NOT NULL PRIMARY KEY, trades TEXT NOT NULL, ids BLOB NOT NULL);
CREATE TABLE trade (profession_code TEXT NOT NULL, specialty_code TEXT NOT NULL, profession TEXT NOT NULL,
  specialty TEXT NOT NULL, PRIMARY KEY (profession_code, specialty_code));
CREATE TABLE town (name TEXT NOT NULL PRIMARY KEY, places TEXT NOT NULL);
CREATE TABLE shelf (ends TEXT NOT NULL PRIMARY KEY, words TEXT NOT NULL);
"""
"""name_list: for a word of names (`names.name_words`, `names.initials`) two lists one after the other, of those who
bear it in their family name (`family` bytes long) and in their given name.
work_list: for a place (`places.place_key`, a département's number, `*` for the nation) one list a trade, one after the
other; `trades` is JSON, from `profession/specialty` codes to each list's length in bytes. A skill that none of a
person's activities names counts everywhere they work, as `/code`.
trade: those codes, and what the directory calls them.
town: for a town's name in one word, its places (one a line); `~` stands before a shorter name of it.
shelf: all words that begin (`ma^`) or end (`$in`) alike, of names; the names of towns on shelves marked `t`.
"""

_ALL = ("name_list", "work_list", "trade", "town", "shelf")
_NAMES = (
    (1, "SELECT family, id FROM {0}.people ORDER BY 1, 2"),
    (0, "SELECT given, id FROM {0}.people ORDER BY 1, 2"),
)
# A skill already named by an activity is found where that activity is; any other goes wherever the person works.
WORK = """
SELECT person, postcode || '|' || town, profession_code || '/' || specialty_code FROM {0}.activity {1}
UNION ALL SELECT people.id, activity.postcode || '|' || activity.town, '/' || skill.code
FROM {0}.skill JOIN {0}.people ON people.national = skill.national JOIN {0}.activity ON activity.person = people.id
WHERE skill.code <> '' AND NOT EXISTS
  (SELECT 1 FROM {0}.activity AS named WHERE named.person = people.id AND named.specialty_code = skill.code) {2}
"""
Lists = dict[str, list[int]]
"""Ascending ids by trade."""


def index(db: sqlite3.Connection) -> None:
    """Fill the search tables anew from `people`, `activity` and `skill`, whose indexes must stand already."""
    for table in _ALL:
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    index_names(db)
    index_work(db)
    finish(db)


def index_names(db: sqlite3.Connection, base: str = "main") -> None:
    """`name_list` from the `people` of that database.

    Bearers are sorted by word on disk: hundreds of thousands of words take much memory.
    """
    db.execute("CREATE TEMP TABLE bearer (word TEXT NOT NULL, family INTEGER NOT NULL, ids BLOB NOT NULL)")
    for family, query in _NAMES:
        db.executemany("INSERT INTO temp.bearer VALUES (?, ?, ?)", _bearers(db, family, query.format(base)))
    with closing(db.execute("SELECT word, family, ids FROM temp.bearer ORDER BY word")) as rows:
        db.executemany("INSERT INTO name_list VALUES (?, ?, ?)", _lists(rows))
    db.execute("DROP TABLE temp.bearer")


def _bearers(db: sqlite3.Connection, family: int, query: str) -> Iterator[tuple[str, int, bytes]]:
    with closing(db.execute(query)) as rows:
        for name, bearers in groupby(rows, itemgetter(0)):
            ids = array("I", map(itemgetter(1), bearers)).tobytes()
            for word in words_of(name, given=not family):
                yield word, family, ids


def _lists(rows: Iterable[tuple[str, int, bytes]]) -> Iterator[tuple[str, int, bytes]]:
    for word, found in groupby(rows, itemgetter(0)):
        both = array("I"), array("I")
        for _, is_family, ids in found:
            both[1 - is_family].frombytes(ids)
        family, given = (pack(tidy(ids)) for ids in both)
        yield word, len(family), family + given


def words_of(name: str, *, given: bool) -> frozenset[str]:
    """What `name_list` knows a family or given name by."""
    return name_words(name) | initials(name) if given else name_words(name)


def index_work(db: sqlite3.Connection) -> None:
    """`work_list` from `activity` and `skill`."""
    places, codes = _workers(db)
    raw: dict[str, list[str]] = defaultdict(list)
    for place in places:
        raw[key_of(place)].append(place)
    wider: dict[str, dict[str, array[int]]] = defaultdict(lambda: defaultdict(lambda: array("I")))
    for key in sorted(raw):
        sets: dict[str, set[int]] = defaultdict(set)
        for place in raw[key]:
            for number, person in zip(*places.pop(place), strict=True):
                sets[codes[number]].add(person)
        lists = {trade: sorted(people) for trade, people in sets.items()}
        for area, trade in product(areas(key), lists):
            wider[area][trade].extend(lists[trade])
        if key:
            _put_work(db, key, lists)
    for area in sorted(wider):
        _put_work(db, area, {trade: tidy(ids) for trade, ids in wider.pop(area).items()})


def _workers(db: sqlite3.Connection) -> tuple[dict[str, tuple[array[int], array[int]]], list[str]]:
    """By place as the files write it, ranks of trades and ids of people; and the trades."""
    places: dict[str, tuple[array[int], array[int]]] = {}
    trades: dict[str, int] = {}
    with closing(db.execute(WORK.format("main", "", ""))) as rows:
        for person, place, trade in rows:
            found = places.get(place)
            if found is None:
                found = places[place] = array("I"), array("I")
            number = trades.get(trade)
            if number is None:
                number = trades[trade] = len(trades)
            found[0].append(number)
            found[1].append(person)
    return places, list(trades)


def key_of(raw: str) -> str:
    """The place of a `WORK` row."""
    postcode, _, town = raw.partition("|")
    return place_key(postcode, town)


def areas(key: str) -> list[str]:
    """The places that hold this one."""
    return [area for area in (department(key), NATION) if area]


def _put_work(db: sqlite3.Connection, place: str, lists: Lists) -> None:
    put_packed(db, place, {trade: pack(ids) for trade, ids in lists.items()})


def put_packed(db: sqlite3.Connection, place: str, lists: dict[str, bytes]) -> None:
    """A place's row of `work_list`, in place of the one that is there."""
    packed = {trade: lists[trade] for trade in sorted(lists) if lists[trade]}
    db.execute("DELETE FROM work_list WHERE place = ?", (place,))
    if packed:
        sizes = json.dumps({trade: len(ids) for trade, ids in packed.items()}, separators=(",", ":"))
        db.execute("INSERT INTO work_list VALUES (?, ?, ?)", (place, sizes, b"".join(packed.values())))


def split(trades: str, ids: bytes) -> Iterator[tuple[str, bytes]]:
    """Each trade of a `work_list` row with its packed list."""
    start = 0
    for trade, size in json.loads(trades).items():
        yield trade, ids[start : start + size]
        start += size


def finish(db: sqlite3.Connection) -> None:
    """The small tables that follow from the lists."""
    name_trades(db)
    name_towns_and_shelves(db)


def name_towns_and_shelves(db: sqlite3.Connection) -> None:
    """`town` and `shelf`, empty before, from the lists."""
    towns: dict[str, list[str]] = defaultdict(list)
    for (place,) in db.execute("SELECT place FROM work_list WHERE place LIKE '% %' ORDER BY 1"):
        name = place.partition(" ")[2]
        if name:
            towns[glue(name)].append(place)
            for short in known_as(name):
                towns["~" + short].append(place)
    rows = ((name, "\n".join(dict.fromkeys(places))) for name, places in sorted(towns.items()))
    db.executemany("INSERT INTO town VALUES (?, ?)", rows)
    shelves: dict[str, list[str]] = defaultdict(list)
    words = (word for (word,) in db.execute("SELECT word FROM name_list ORDER BY 1"))
    names = (("", word) for word in words if not word.endswith("."))
    for mark, word in chain(names, (("t", town) for town in sorted(towns) if town[0] != "~")):
        shelves[f"{mark}{word[:2]}^"].append(word)
        shelves[f"{mark}${word[-2:]}"].append(word)
    db.executemany("INSERT INTO shelf VALUES (?, ?)", ((ends, " ".join(shelves[ends])) for ends in sorted(shelves)))


def name_trades(db: sqlite3.Connection) -> None:
    """What each pair of codes is called by the first person who bears it."""
    found = db.execute("SELECT trades, ids FROM work_list WHERE place = ?", (NATION,)).fetchone()
    for trade, packed in split(*found) if found else ():
        profession, _, specialty = trade.partition("/")
        first = next(unpack(packed))
        labels = (
            db.execute(
                "SELECT profession, specialty FROM activity "
                "WHERE person = ? AND profession_code = ? AND specialty_code = ? ORDER BY id LIMIT 1",
                (first, profession, specialty),
            ).fetchone()
            or db.execute(
                "SELECT '', label FROM skill JOIN people ON people.national = skill.national "
                "WHERE people.id = ? AND code = ? ORDER BY skill.id LIMIT 1",
                (first, specialty),
            ).fetchone()
        )
        db.execute("INSERT INTO trade VALUES (?, ?, ?, ?)", (profession, specialty, *labels))
