"""Draws a made-up population: people, what they do and where, their mailboxes. Same seed, same people.

Nothing here can be mistaken for the real world: RPPS numbers begin with 899 and ADELI numbers with 99 (no range in use
does), mail domains end in the reserved `.test`. All keys are valid. A person depends on the seed and their number
alone, but for the mail address: the first of a name gets it without a number.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple, TypeVar
from zlib import crc32

from colloque.directory import sample_trades as trades
from colloque.directory.folding import fold
from colloque.directory.sample_names import Names, slug
from colloque.directory.sample_places import Places, Structure, regional_domain
from colloque.directory.sample_towns import TOWNS
from colloque.directory.sample_trades import Trade
from colloque.identity import luhn_key

T = TypeVar("T")

MOST = 1_500_000
_HOMONYMS = 0.015
"""Share of people who are given somebody else's name, beside those who get it by chance."""
_SAME_TOWN = 0.15
_POSTS = (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5)
"""Activities of somebody who practises, by twentieths: 2.2 million for 1.3 million people."""


@dataclass(slots=True)
class Post:
    """One activity: a trade, its specialty, a mode, a place (None for somebody who practises nowhere now)."""

    trade: Trade
    specialty: tuple[str, str]
    mode: str
    category: str
    structure: Structure | None


class Card(NamedTuple):
    """A card, in days: how old, and how long it served before it was opposed (None: it serves)."""

    age: int
    opposed_after: int | None


@dataclass(frozen=True, slots=True)
class Extras:
    """What somebody has beyond their activities."""

    skills: list[tuple[str, str, str, str]]
    diplomas: list[tuple[str, str, str, str]]
    authorised: bool
    card: Card | None
    repeat: float
    """Within 0 and 1: the lowest have a mailbox that stands in two rows."""


@dataclass(slots=True)
class Person:
    """One made-up professional."""

    number: int
    identifier: str
    woman: bool
    family: str
    given: str
    town: int
    title: tuple[str, str]
    """Code and label; both empty for most."""
    extras: Extras
    posts: list[Post] = field(default_factory=list)
    mailboxes: list[str] = field(default_factory=list)
    """PER addresses."""

    @property
    def id_type(self) -> str:
        """`8` RPPS, `0` ADELI: RPPS numbers are the longer ones."""
        return "8" if len(self.identifier) == 11 else "0"

    @property
    def national(self) -> str:
        """Identification nationale PP."""
        return self.id_type + self.identifier

    @property
    def owner(self) -> str:
        """How their practice is named."""
        return f"{'DR' if self.title[0] else 'MME' if self.woman else 'M'} {self.family} {fold(self.given).upper()}"


class Population:
    """`people` professionals with an RPPS number; the older ones under ADELI (about 1.5 %) come on top."""

    def __init__(self, people: int, seed: int) -> None:
        if not 0 < people <= MOST:
            raise ValueError(f"people: between 1 and {MOST:,}")
        self.count = people
        self.total = people + people * 15 // 1000
        self.seed = seed
        self.places = Places(people, seed)
        self.chance = random.Random()  # noqa: S311  # repeatable on purpose
        """Seeded anew for each person."""
        self._other = random.Random()  # noqa: S311
        self._names = Names()
        self._taken = bytearray(1 << 21)
        """Bits of the addresses given out, by a hash: constant memory, and no address is given twice."""
        self._trades = _table(trades.TRADES, [t.share for t in trades.TRADES])
        self._old_trades = _table(trades.OLD_TRADES, [t.share for t in trades.OLD_TRADES])
        self._specialties = {
            code: _table([(c, label) for c, label, _ in of], [share for *_, share in of])
            for code, of in trades.SPECIALTIES.items()
        }
        self._sectors = {t.code: tuple(t.sectors.split()) for t in (*trades.TRADES, *trades.OLD_TRADES)}

    def people(self) -> Iterator[Person]:
        """Everybody, in order. Iterate once: addresses are given out on the way."""
        return map(self.draw, range(self.total))

    def draw(self, number: int) -> Person:
        """One person; numbers past `total` are people who come later. `chance` is left after the last draw."""
        chance = self.chance
        old = self.count <= number < self.total
        trade, woman, given, family, town = self._identity(chance, number)
        if chance.random() < _HOMONYMS and number:
            double = number - 1 - int(chance.random() * min(number, 500))
            _, woman, given, family, place = self._identity(self._other, double)
            if chance.random() < _SAME_TOWN:
                town = place
        title = ("DR", "Docteur") if trade.code in trades.DOCTORS else ("", "")
        if trade.code == "10" and chance.random() < 0.01:
            title = ("PR", "Professeur")
        identifier = adeli_number(number - self.count) if old else rpps_number(number, self.seed)
        extras = _extras(chance, doctor=trade.code == "10")
        person = Person(number, identifier, woman, family, given, town, title, extras)
        self._draw_posts(person, trade, more=not old)
        if not old:
            person.mailboxes = self._draw_mailboxes(person)
        return person

    def _identity(self, chance: random.Random, number: int) -> tuple[Trade, bool, str, str, int]:
        """Trade, woman or not, given name, family name, town: the first that is drawn of a person."""
        chance.seed((self.seed << 33) + number)
        old = self.count <= number < self.total
        trade = (self._old_trades if old else self._trades)[int(chance.random() * 1000)]
        woman = chance.random() < trades.WOMEN.get(trade.code, 0.75)
        given, family = self._names.given(chance, woman=woman), self._names.family(chance)
        return trade, woman, given, family, self.places.town(chance.random())

    def _draw_posts(self, person: Person, trade: Trade, *, more: bool) -> None:
        chance = self.chance
        exercises = [trade]
        if more and chance.random() < 0.015:
            exercises += {self._trades[int(chance.random() * 1000)]} - {trade}
        for exercise in exercises:
            among = self._specialties.get(exercise.code)
            specialty = among[int(chance.random() * 1000)] if among else ("", "")
            drawn = chance.random()
            category = "C" if drawn < 0.99 else "M" if drawn < 0.995 else "E"
            if more and chance.random() < 0.03:
                person.posts.append(Post(exercise, specialty, "", category, None))
                continue
            for _ in range(_POSTS[int(chance.random() * 20)] if more else 1):
                post = self.new_post(person, exercise, specialty, category)
                if post not in person.posts:
                    person.posts.append(post)

    def new_post(self, person: Person, trade: Trade, specialty: tuple[str, str], category: str) -> Post:
        """One activity more: the first in their town, others mostly there or near."""
        chance = self.chance
        town = person.town
        if person.posts:
            drawn = chance.random()
            if drawn > 0.75:
                town = self.places.town(chance.random())
            elif drawn > 0.5:
                town = self.places.near(town, chance.random())
        among = self._sectors[trade.code]
        sector = among[int(chance.random() * len(among))]
        drawn = chance.random()
        if sector == "SA07":
            place = self.places.practice(town, person.owner, person.number, len(person.posts), drawn)
        else:
            place = self.places.shared(town, sector, drawn)
        free = sector in {"SA07", "SA08"} or (sector == "SA33" and chance.random() < 0.35)
        mode = "L" if free else "S" if chance.random() < 0.98 else "B"
        return Post(trade, specialty, mode, category, place)

    def _draw_mailboxes(self, person: Person) -> list[str]:
        drawn, chance = self.chance.random(), self.chance
        post = person.posts[0]
        reach = post.trade.reach
        if post.trade.code == "60":
            reach *= 2.3 if post.mode == "L" else 0.45
        if drawn >= reach:
            return []
        boxes = [self._free(person, self._domain(post, chance.random()))]
        if chance.random() < 0.06:
            boxes.append(self._free(person, regional_domain(TOWNS[person.town])))
        return boxes

    def new_name(self) -> str:
        """A surname taken on by marriage."""
        return self._names.family(self.chance)

    def new_address(self, person: Person) -> str:
        """A mailbox opened later, which takes nobody's address."""
        return f"{_local(person)}{person.number}@{self._domain(person.posts[0], self.chance.random())}"

    @staticmethod
    def _domain(post: Post, drawn: float) -> str:
        """Of their hospital, their region's operator or their profession's."""
        place = post.structure
        if place is not None and place.sector == "SA01":
            return place.domain
        if place is not None and drawn < 0.3:
            return regional_domain(place.town)
        return f"{post.trade.domain}.mssante.test"

    def _free(self, person: Person, domain: str) -> str:
        """`given.family@domain`, or with the person's number when that may be taken."""
        local = _local(person)
        bit = crc32(f"{local}@{domain}".encode()) % (len(self._taken) * 8)
        if self._taken[bit >> 3] & 1 << (bit & 7):
            return f"{local}{person.number}@{domain}"
        self._taken[bit >> 3] |= 1 << (bit & 7)
        return f"{local}@{domain}"


def _local(person: Person) -> str:
    return f"{slug(person.given)}.{slug(person.family)}"


def _extras(chance: random.Random, *, doctor: bool) -> Extras:
    more = int(chance.random() * 2.7) if doctor else 0
    first = int(chance.random() * len(trades.SKILLS))
    skills = [trades.SKILLS[(first + 3 * n) % len(trades.SKILLS)] for n in range(more)]
    lots = int(chance.random() * 2.3)
    first = int(chance.random() * len(trades.DIPLOMAS))
    diplomas = [trades.DIPLOMAS[(first + n) % len(trades.DIPLOMAS)] for n in range(lots)]
    card = None
    if chance.random() < 0.76:
        age = int(chance.random() * 600)
        card = Card(age, int(chance.random() * age) if chance.random() < 0.01 else None)
    return Extras(skills, diplomas, chance.random() < 0.01, card, chance.random())


def rpps_number(number: int, seed: int) -> str:
    """899, seven digits that look drawn and never repeat (below ten million), the key."""
    digits = f"899{(number * 6_180_339 + seed * 7_919) % 10_000_000:07}"
    return digits + luhn_key(digits)


def adeli_number(number: int) -> str:
    """99, six digits, the key."""
    digits = f"99{number:06}"
    return digits + luhn_key(digits)


def _table(among: list[T], shares: list[int]) -> list[T]:
    """A thousand cells, each thing in as many as its share: drawn by one multiplication."""
    ends = [round(1000 * end / sum(shares)) for end in accumulate(shares)]
    return [thing for thing, low, high in zip(among, [0, *ends], ends, strict=False) for _ in range(high - low)]
