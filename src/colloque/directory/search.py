"""Finds people: what a query may mean (`understand`, `readings`), who fits it (`searching`), how it is told.

A name counts whatever its accents, case, order and typing errors; whoever fits everything comes first. A query of
trades and places alone is answered by those who fit all of it, and only by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache, partial
from string import ascii_lowercase
from typing import Any

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from colloque.directory.batches import many
from colloque.directory.bearers import Bearers
from colloque.directory.engine import Rows
from colloque.directory.folding import fold
from colloque.directory.lookup import Match, Page, Query, Understood
from colloque.directory.names import parts
from colloque.directory.places import ARRONDISSEMENTS
from colloque.directory.postings import size, unpack
from colloque.directory.readings import Reading
from colloque.directory.searching import Finder
from colloque.directory.trades import Lexicon, Trade
from colloque.directory.understand import Reader, UnreadableQuery
from colloque.directory.whole import professionals
from colloque.directory.workers import Workers

__all__ = ["UnreadableQuery", "search"]

MOST_RESULTS = 100
"""A page holds no more."""
_SHORT = 3
"""Letters of the shortest word that is looked at for typing errors."""


def search(rows: Rows, query: Query, made_at: datetime) -> Page:
    """The page of people that `query` asks for. Raises UnreadableQuery when it asks for nothing."""
    lexicon = _lexicon(tuple(rows("SELECT profession_code, specialty_code, profession, specialty FROM trade")))
    reader = Reader(
        lexicon=lexicon,
        towns=partial(_towns, rows),
        near_town=partial(_near_town, rows),
        near_trade=partial(_near_trade, lexicon),
        bearers=partial(_borne, rows),
    )
    asked = Reading(
        trades=(reader.trade(query.profession),) if query.profession.strip() else (),
        places=(reader.place(query.near),) if query.near.strip() else (),
    )
    narrowed = bool(asked.trades or asked.places)
    chunks = () if narrowed and not query.words.strip() else reader.read(query.words)
    bearers = Bearers(rows, lambda word: _similar(word, _shelves(rows, word, "")))
    found, reading = Finder(rows, bearers, Workers(rows)).find(chunks, asked)
    start = max(query.offset, 0)
    shown = found[start : start + max(1, min(query.limit, MOST_RESULTS))]
    people = professionals(rows, shown)
    alike = _homonyms(rows, shown, found)
    return Page(
        matches=tuple(Match(person, alike[n]) for n, person in zip(shown, people, strict=True)),
        total=len(found),
        understood=_understood(reading),
        made_at=made_at,
    )


@lru_cache(maxsize=4)
def _lexicon(trades: tuple[tuple[Any, ...], ...]) -> Lexicon:
    return Lexicon(Trade(*row) for row in trades)


def _towns(rows: Rows, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    inside = {
        name: [name, *(f"{name}{n}" for n in range(1, ARRONDISSEMENTS.get(name, ("", 0))[1] + 1))] for name in names
    }
    asked = {each for districts in inside.values() for each in districts}
    found = dict(many(rows, "SELECT name, places FROM town WHERE name IN", sorted(asked)))
    towns = {name: [found[each] for each in districts if each in found] for name, districts in inside.items()}
    return {name: tuple("\n".join(places).split("\n")) for name, places in towns.items() if places}


def _borne(rows: Rows, words: Sequence[str]) -> dict[str, int]:
    found = many(rows, "SELECT word, family, ids FROM name_list WHERE word IN", words)
    return {word: size(bytes(ids)[:cut]) + size(bytes(ids)[cut:]) for word, cut, ids in found}


# typing errors


def _shelves(rows: Rows, word: str, mark: str) -> list[str]:
    """Words that begin or end like `word`: one typing error spares one of the two, unless it is in the very middle."""
    middle = {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)} - {word}
    if len(word) == _SHORT:
        middle |= {word[0] + letter + word[2] for letter in ascii_lowercase}
    ends = (f"{mark}{word[:2]}^", f"{mark}${word[-2:]}")
    table, column = ("town", "name") if mark else ("name_list", "word")
    found = [each for (all_,) in rows("SELECT words FROM shelf WHERE ends IN (?, ?)", ends) for each in all_.split(" ")]
    asked = f"SELECT {column} FROM {table} WHERE {column} IN"  # noqa: S608 - our own names
    return found + [each for (each,) in many(rows, asked, sorted(middle))]


def _most(word: str) -> int:
    """Typing errors that a word of that length may hold."""
    return 0 if len(word) < _SHORT else 1 if len(word) < 7 else 2


def _similar(word: str, among: Iterable[str]) -> dict[str, int]:
    """Words that differ from `word` by typing errors, with how many."""
    most = _most(word)
    if not most:
        return {}
    hits = extract(word, list(among), scorer=OSA.distance, score_cutoff=most, limit=None)
    return {str(other): int(errors) for other, errors, _ in hits if errors}


def _near_trade(lexicon: Lexicon, word: str) -> tuple[str, int] | None:
    close = _similar(word, lexicon.words)
    best = min(close, key=lambda other: (close[other], other[0] != word[0], other), default="")
    return (best, close[best]) if best else None


def _near_town(rows: Rows, name: str) -> tuple[str, int] | None:
    """Of the towns that are nearest, the one where most people work."""
    close = _similar(name, {*_shelves(rows, name, "t"), *ARRONDISSEMENTS})
    if not close:
        return None
    errors = min(close.values())
    towns = _towns(rows, [town for town, errors_ in close.items() if errors_ == errors])
    places = {key for keys in towns.values() for key in keys}
    counts = dict(many(rows, "SELECT place, length(ids) FROM work_list WHERE place IN", sorted(places)))

    def weight(town: str) -> tuple[bool, int, str]:
        return town[0] == name[0], sum(counts.get(key, 0) for key in towns[town]), town

    return max(towns, key=weight), errors


# what is told


def _homonyms(rows: Rows, shown: Sequence[int], found: Sequence[int]) -> dict[int, int]:
    """How many other people found bear the very name of each person shown."""
    called = "SELECT id, family, given FROM people WHERE id IN"
    names = {n: (fold(family), fold(given)) for n, family, given in many(rows, called, shown)}
    glued = {name: ("".join(parts(name[0])), "".join(parts(name[1]))) for name in names.values()}
    lists = {
        word: (bytes(ids)[:cut], bytes(ids)[cut:])
        for word, cut, ids in many(
            rows,
            "SELECT word, family, ids FROM name_list WHERE word IN",
            sorted({w for pair in glued.values() for w in pair}),
        )
    }
    everybody = set(found)
    nobody = b"", b""
    alike: set[int] = set()
    for family, given in set(glued.values()):
        both = everybody.intersection(unpack(lists.get(family, nobody)[0]))
        alike |= both.intersection(unpack(lists.get(given, nobody)[1])) if given else both
    counts: dict[tuple[str, str], int] = dict.fromkeys(names.values(), -1)
    for _, family, given in many(rows, called, sorted(alike | names.keys())):
        name = fold(family), fold(given)
        if name in counts:
            counts[name] += 1
    return {n: counts[name] for n, name in names.items()}


def _understood(reading: Reading) -> Understood:
    """What people see of how the query was read."""
    trades = dict.fromkeys(label for meant in reading.trades for label in meant.labels)
    places = dict.fromkeys(place.label for place in reading.places)
    return Understood(reading.names, tuple(trades), tuple(places), reading.ignored)
