"""Searching the whole country: how long it takes, whom it finds. Queries are drawn from the data, not from our code.

A query of a person is their name as somebody mistypes it and the town where they work. A person counts as found among
the first five, those aside who bear the very same name in that town (nobody could tell them apart by such a query).
"""

from __future__ import annotations

import random
import sqlite3
import statistics
import time
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from colloque.directory.file import DirectoryFile
from colloque.directory.lookup import Match, Query
from tests.bench import national
from tests.bench.result import Goal, Result, result

QUERIES = 1_000
FIRST = 5
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORK = {
    "cardiologue": "SM04",
    "dermatologue": "SM15",
    "ophtalmo": "SM38",
    "pédiatre": "SM40",
    "psychiatre": "SM42",
    "kiné": "70",
    "infirmière": "60",
    "sage-femme": "50",
    "orthophoniste": "91",
    "pharmacien": "21",
}
"""What people type, and the code that a person found must bear."""


@dataclass(frozen=True)
class Drawn:
    """Somebody of the directory, and how they are asked for."""

    rpps: str
    family: str
    given: str
    town: str
    query: str


async def p95() -> Result:
    """A name with a typing error and a town, in process, one at a time; 95th percentile."""
    with closing(DirectoryFile(national.directory(), national.clock())) as directory:
        times = []
        for person in _drawn(7, ("typo",)):
            start = time.perf_counter()
            directory.search(Query(person.query, limit=10))
            times.append((time.perf_counter() - start) * 1e3)
    cuts = statistics.quantiles(times, n=100)
    print(f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, most {max(times):.1f} ms", flush=True)
    return result("directory-search-p95", cuts[94], "ms", Goal(30.0))


async def missed() -> Result:
    """Share of people who are not among the first five."""
    lost = 0
    with closing(DirectoryFile(national.directory(), national.clock())) as directory:
        for person in _drawn(11, ("typo", "swapped", "bare")):
            lost += not _found(person, directory.search(Query(person.query, limit=100)).matches)
    return result("directory-search-missed", lost / QUERIES, "share", Goal(0.03))


async def unfit() -> Result:
    """Specialty and place: share of the first ten that lack one of them, and of matches that paging does not reach."""
    wrong = seen = 0
    with closing(DirectoryFile(national.directory(), national.clock())) as directory:
        for words, town in _places():
            code = WORK[words]
            page = directory.search(Query(f"{words} {town}", limit=10))
            for match in page.matches:
                seen += 1
                wrong += not _fits(match, code, town)
            reached: list[str] = []
            for offset in range(0, page.total, 100):
                some = directory.search(Query(f"{words} {town}", limit=100, offset=offset)).matches
                reached += [m.person.number.national for m in some]
            seen += page.total
            wrong += page.total - len(set(reached)) + len(reached) - len(set(reached))
    print(f"{wrong} of {seen}", flush=True)
    return result("directory-search-unfit", wrong / seen, "share", Goal(0.0))


def _found(person: Drawn, matches: tuple[Match, ...]) -> bool:
    """Whether they are among the first, homonyms of the same town counted apart."""
    place = 0
    for match in matches:
        found = match.person
        if found.rpps is not None and found.rpps.value == person.rpps:
            return True
        same = (found.family_name, found.given_name) == (person.family, person.given)
        place += not (same and person.town in found.towns)
        if place >= FIRST:
            return False
    return False


def _fits(match: Match, code: str, town: str) -> bool:
    wanted = _plain(town)
    codes = {c for a in match.person.activities for c in (a.profession_code, a.specialty_code)}
    codes |= {skill.code for skill in match.person.skills}
    return code in codes and any(_plain(each).startswith(wanted) for each in match.person.towns)


def _drawn(seed: int, ways: tuple[str, ...]) -> Iterator[Drawn]:
    chance = random.Random(seed)  # noqa: S311
    with closing(sqlite3.connect(national.directory())) as db:
        most = db.execute("SELECT max(id) FROM people").fetchone()[0]
        done = 0
        while done < QUERIES:
            row = db.execute(
                "SELECT rpps, family, given, town FROM people JOIN activity ON person = people.id "
                "WHERE people.id >= ? AND rpps IS NOT NULL AND town <> '' ORDER BY people.id LIMIT 1",
                (chance.randrange(most) + 1,),
            ).fetchone()
            if row is None:
                continue
            rpps, family, given, town = row
            done += 1
            yield Drawn(rpps, family, given, town, _typed(chance, ways[done % len(ways)], family, given, town))


def _typed(chance: random.Random, way: str, family: str, given: str, town: str) -> str:
    """As somebody in a hurry types it, without the district that the file may add to a town."""
    where = town.split(" CEDEX", maxsplit=1)[0]
    if way == "typo":
        mistyped = [family, given]
        which = 0 if len(family) > 3 or len(given) <= 3 else 1
        mistyped[which] = _error(chance, mistyped[which].lower())
        return f"{mistyped[1]} {mistyped[0]} {where}"
    if way == "swapped":
        return f"{family} {given} {where}"
    return f"{_plain(given)} {_plain(family)} {_plain(where)}"


def _error(chance: random.Random, word: str) -> str:
    """One typing error: a letter missing, doubled, wrong, or two changed places."""
    spots = [i for i, c in enumerate(word) if c.isalpha()]
    at = chance.choice(spots[1:] or spots)
    kind = chance.choice(("missing", "doubled", "wrong", "swapped"))
    if kind == "missing":
        return word[:at] + word[at + 1 :]
    if kind == "doubled":
        return word[:at] + word[at] + word[at:]
    if kind == "wrong":
        return word[:at] + chance.choice(LETTERS.replace(_plain(word[at]) or "-", "")) + word[at + 1 :]
    return word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]


def _plain(text: str) -> str:
    flat = unicodedata.normalize("NFD", text).lower()
    return "".join(c for c in flat if not unicodedata.combining(c)).replace("-", " ")


def _places() -> Iterator[tuple[str, str]]:
    chance = random.Random(3)  # noqa: S311
    with closing(sqlite3.connect(national.directory())) as db:
        towns = [
            town for (town,) in db.execute("SELECT DISTINCT town FROM activity WHERE town NOT LIKE '%rrondissement%'")
        ]
    good = sorted({t for t in towns if t and not any(c.isdigit() for c in t) and "CEDEX" not in t.upper()})
    for words in WORK:
        for town in chance.sample(good, 10):
            yield words, town
