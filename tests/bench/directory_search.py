"""Searching the whole country: how long it takes, whom it finds. Queries are drawn from the tables, not from our code.

A person is asked for by their names, mistyped, swapped or bare of accents, with the town where they work or without.
They are found when no more than four others come before them. People whom the query can't tell from them (the very same
names, in that town when one is said) are ties: they are counted apart and never push anybody off.
"""

from __future__ import annotations

import random
import re
import sqlite3
import statistics
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from colloque.clock import monotonic
from colloque.directory.file import DirectoryFile
from colloque.directory.lookup import Match, Query
from tests.bench import national
from tests.bench.result import Goal, Result, result

QUERIES = 1_000
FIRST = 5
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORK = {
    "cardiologue": ("SM04",),
    "dermatologue": ("SM15",),
    "ophtalmo": ("SM38",),
    "pédiatre": ("SM40",),
    "psychiatre": ("SM42",),
    "médecin généraliste": ("SM26", "SM53", "SM54"),
    "orthodontiste": ("SCD01",),
    "kiné": ("70",),
    "infirmière": ("60",),
    "sage-femme": ("50",),
    "orthophoniste": ("91",),
    "pharmacienne": ("21",),
}
"""What people type, and the codes of which a person found must bear one."""
TOWNS = 12
"""For each of them."""
ARRONDISSEMENT = re.compile(r"750\d\d paris|6900\d lyon|130\d\d marseille")
"""Where the postcode tells the arrondissement that the town does not."""
RARE = frozenset(("cardiologue", "orthodontiste", "dermatologue"))
"""Asked for in the whole of Paris too: the others would take minutes to page through."""


@dataclass(frozen=True)
class Drawn:
    """Somebody of the directory, and how they are asked for."""

    national: str
    name: tuple[str, str]
    town: str
    """Empty when the query says none."""
    query: str


async def p95() -> Result:
    """A name with a typing error and a town, in process, one at a time; 95th percentile after a warm-up."""
    with closing(DirectoryFile(national.directory(), national.clock())) as directory:
        people = list(_drawn(7, ("typo",), QUERIES + 100))
        times = []
        for person in people:
            start = monotonic()
            directory.search(Query(person.query, limit=10))
            times.append((monotonic() - start) * 1e3)
    cuts = statistics.quantiles(times[100:], n=100)
    print(f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, most {max(times[100:]):.1f} ms", flush=True)
    return result("directory-search-p95", cuts[94], "ms", Goal(30.0))


async def missed() -> Result:
    """Share of people who are not among the first five."""
    lost = ties = 0
    with closing(DirectoryFile(national.directory(), national.clock())) as directory:
        for person in _drawn(11, ("typo", "swapped", "bare", "swapped alone"), QUERIES):
            place, tie = _place(person, directory.search(Query(person.query, limit=100)).matches)
            lost += place > FIRST
            ties += tie
    print(f"{lost} of {QUERIES} missed; {ties} have a double whom the query can't tell from them", flush=True)
    return result("directory-search-missed", lost / QUERIES, "share", Goal(0.03))


async def unfit() -> Result:
    """Specialty and place: share of the first ten who lack one of them."""
    wrong = seen = 0
    with closing(DirectoryFile(national.directory(), national.clock())) as directory:
        for words, town in _places():
            matches = directory.search(Query(f"{words} {town}", limit=10)).matches
            assert matches, f"nobody found for {words} {town}"
            seen += len(matches)
            wrong += sum(not _fits(match, WORK[words], town) for match in matches)
    print(f"{wrong} of {seen}", flush=True)
    return result("directory-search-unfit", wrong / seen, "share", Goal(0.0))


async def unreached() -> Result:
    """Specialty and place: share of the people who fit, by the tables, that paging does not reach exactly once."""
    wrong = seen = 0
    with (
        closing(DirectoryFile(national.directory(), national.clock())) as directory,
        closing(sqlite3.connect(national.directory())) as db,
    ):
        who = {words: _who(db, codes) for words, codes in WORK.items()}
        for words, town in _places():
            reached: list[str] = []
            query = f"{words} {town}"
            for offset in range(0, directory.search(Query(query, limit=1)).total, 100):
                reached += [
                    m.person.number.national for m in directory.search(Query(query, limit=100, offset=offset)).matches
                ]
            truth = set().union(*(people for written, people in who[words].items() if _in_town(*written, town)))
            seen += len(truth)
            wrong += len(truth ^ set(reached)) + len(reached) - len(set(reached))
    print(f"{wrong} of {seen}", flush=True)
    return result("directory-search-unreached", wrong / seen, "share", Goal(0.0))


def _place(person: Drawn, matches: tuple[Match, ...]) -> tuple[int, bool]:
    """At which place a person stands, ties apart (FIRST + 1: behind), and whether there are ties."""
    place, tied = 1, False
    for match in matches:
        if match.person.number.national == person.national:
            return place, tied
        found = match.person
        same = (_plain(found.family_name), _plain(found.given_name)) == person.name
        if same and (not person.town or any(_plain(town).startswith(person.town) for town in found.towns)):
            tied = True
        else:
            place += 1
        if place > FIRST:
            break
    # More ties than a page holds, and nobody else before them: the query found whom it describes.
    return (place, True) if tied and place == 1 else (FIRST + 1, tied)


def _fits(match: Match, codes: tuple[str, ...], town: str) -> bool:
    borne = {c for a in match.person.activities for c in (a.profession_code, a.specialty_code)}
    borne |= {skill.code for skill in match.person.skills}
    return not borne.isdisjoint(codes) and any(_in_town(a.town, a.postcode, town) for a in match.person.activities)


def _who(db: sqlite3.Connection, codes: tuple[str, ...]) -> dict[tuple[str, str], set[str]]:
    """Who exercises that in each town and under each postcode, by the tables alone.

    Skills that no activity names count wherever they work.
    """
    marks = ", ".join("?" * len(codes))
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for query in (
        (
            f"SELECT town, postcode, national FROM people JOIN activity ON person = people.id "
            f"WHERE profession_code IN ({marks}) OR specialty_code IN ({marks})"
        ),
        (
            f"SELECT town, postcode, national FROM skill JOIN people USING (national) "
            f"JOIN activity ON person = people.id WHERE skill.code IN ({marks}) AND NOT EXISTS "
            f"(SELECT 1 FROM activity named WHERE named.person = people.id AND named.specialty_code IN ({marks}))"
        ),
    ):
        for town, postcode, who in db.execute(query, codes * 2):
            found[town, postcode].add(who)
    return found


def _in_town(written: str, postcode: str, town: str) -> bool:
    """`Paris 3e Arrondissement` is in Paris and in Paris 3e, `Saint-Denis-en-Val` not in Saint-Denis.

    `PARIS` with the postcode 75003 is in Paris 3e too.
    """
    whole = _plain(written)
    if ARRONDISSEMENT.fullmatch(f"{postcode} {whole}") and postcode[3:] != "00":
        whole = f"{whole} {int(postcode[3:])}e arrondissement"
    rest = whole.removeprefix(_plain(town))
    return rest != whole and (not rest or rest == " arrondissement" or rest[1:2].isdecimal())


def _drawn(seed: int, ways: tuple[str, ...], many: int) -> Iterator[Drawn]:
    chance = random.Random(seed)
    with closing(sqlite3.connect(national.directory())) as db:
        most = db.execute("SELECT max(id) FROM people").fetchone()[0]
        done = 0
        while done < many:
            row = db.execute(
                "SELECT national, family, given, town FROM people JOIN activity ON person = people.id "
                "WHERE people.id >= ? AND town <> '' ORDER BY people.id LIMIT 1",
                (chance.randrange(most) + 1,),
            ).fetchone()
            if row is None:
                continue
            way = ways[done % len(ways)]
            who, family, given, town = row
            where = _plain(town).split(" cedex")[0].split(" arrondissement")[0]
            where = (
                " ".join(where.split()[:-1]) if where[-1:].isalpha() and where.split()[-1][:1].isdecimal() else where
            )
            query = _typed(chance, way, family, given, where)
            yield Drawn(who, (_plain(family), _plain(given)), "" if "alone" in way else where, query)
            done += 1


def _typed(chance: random.Random, way: str, family: str, given: str, where: str) -> str:
    """As somebody in a hurry types it."""
    if way == "typo":
        mistyped = [family, given]
        which = 0 if len(family) > 3 or len(given) <= 3 else 1
        mistyped[which] = _error(chance, mistyped[which].lower())
        return f"{mistyped[1]} {mistyped[0]} {where}"
    if way == "swapped":
        return f"{family} {given} {where}"
    if way == "swapped alone":
        return f"{family.lower()} {given}"
    return f"{_plain(given)} {_plain(family)} {where}"


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
    flat = unicodedata.normalize("NFD", text.replace("œ", "oe").replace("Œ", "oe")).lower()
    return "".join(c for c in flat if not unicodedata.combining(c)).replace("-", " ").replace("'", " ")


def _places() -> Iterator[tuple[str, str]]:
    """What and where, each pair borne by somebody; the same pairs every time."""
    chance = random.Random(3)
    with closing(sqlite3.connect(national.directory())) as db:
        for words, codes in WORK.items():
            marks = ", ".join("?" * len(codes))
            towns = db.execute(
                f"SELECT DISTINCT town FROM activity WHERE town <> '' AND town NOT LIKE '%cedex%' "
                f"AND (profession_code IN ({marks}) OR specialty_code IN ({marks})) ORDER BY town",
                codes * 2,
            ).fetchall()
            names = sorted({town.partition(" Arrondissement")[0] for (town,) in towns})
            for town in [*chance.sample(names, TOWNS), *(["Paris"] if words in RARE else [])]:
                yield words, town
