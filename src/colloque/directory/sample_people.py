"""Draws a made-up population: people, the places where they work, their mailboxes. Same seed, same people.

Nothing here can be mistaken for the real world: RPPS numbers begin with 899 and ADELI numbers with 99 (no range in use
does), FINESS numbers have a 9 after the département, mail domains end in the reserved `.test`. All keys are valid.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from zlib import crc32

from colloque.directory import sample_names as words
from colloque.directory import sample_trades as trades
from colloque.directory.folding import fold
from colloque.directory.sample_trades import Trade
from colloque.identity import luhn_key

_CYCLE = ("SA01",) * 4 + ("SA05",) * 2 + ("SA08",) * 6 + ("SA17",) * 3 + ("SA33",) * 4 + ("SA42",)
"""Sectors of the shared structures, in turn: structure n is of sector n modulo 20."""
_REGION = {department: name for name, list_ in trades.REGIONS.items() for department in list_.split()}
_COMMON_SHARE = 0.15
_HOMONYMS = 0.03


@dataclass(frozen=True)
class Structure:
    """A place of work."""

    sector: str
    name: str
    technical_id: str
    finess: str
    siret: str
    postcode: str
    insee: str
    town: str
    street: tuple[str, str, str, str]
    """Number, code and label of the kind of way, its name."""
    domain: str
    """MSSanté domain of its mailboxes."""
    mailboxes: tuple[tuple[str, str], ...] = ()
    """ORG mailboxes: address, service."""

    @property
    def department(self) -> str:
        """`69`, `2A`, `97`: as in INSEE codes, overseas all together."""
        return self.insee[:2]


@dataclass(frozen=True, slots=True)
class Post:
    """One activity: a trade, its specialty, a mode, a place (None for somebody who practises nowhere now)."""

    trade: Trade
    specialty: tuple[str, str]
    mode: str
    category: str
    structure: Structure | None


@dataclass(frozen=True)
class Person:
    """One made-up professional."""

    number: int
    id_type: str
    """`8` RPPS, `0` ADELI."""
    identifier: str
    woman: bool
    family: str
    given: str
    title: tuple[str, str]
    """Code and label; both empty for most."""
    posts: tuple[Post, ...]
    mailboxes: tuple[str, ...] = field(default=())
    """PER addresses."""

    @property
    def national(self) -> str:
        """Identification nationale PP."""
        return self.id_type + self.identifier

    @cached_property
    def towns(self) -> frozenset[str]:
        """Where they work."""
        return frozenset(p.structure.town for p in self.posts if p.structure)


class Population:
    """`people` professionals with an RPPS number; the older ones under ADELI (about 1.5 %) come on top."""

    def __init__(self, people: int, seed: int) -> None:
        if not 0 < people <= 1_500_000:
            raise ValueError("people: between 1 and 1,500,000")
        self._count = people
        self._seed = seed
        self._structures = 20 * max(1, people // 160)
        self._taken = bytearray(1 << 21)
        """Bits of the addresses given out, by a hash: constant memory, and no address is given twice."""
        self._structure = lru_cache(maxsize=512)(self._draw_structure)

    def people(self) -> Iterator[Person]:
        """Everybody, in order. Iterate once: addresses are given out on the way."""
        chance = random.Random(f"{self._seed}/people")  # noqa: S311  # repeatable on purpose
        recent: deque[Person] = deque(maxlen=500)
        for number in range(self._count + self._count * 15 // 1000):
            person = self._draw_person(chance, number, recent)
            recent.append(person)
            yield person

    def structures(self) -> Iterator[Structure]:
        """The shared places of work (a private practice belongs to its owner and is not among them)."""
        return map(self._structure, range(self._structures))

    def _draw_person(self, chance: random.Random, number: int, recent: deque[Person]) -> Person:
        old = number >= self._count
        trade = _weighted(chance, trades.OLD_TRADES if old else trades.TRADES)
        woman = chance.random() < 0.62
        given, family = chance.choice(words.WOMEN if woman else words.MEN), _family_name(chance)
        elsewhere: frozenset[str] = frozenset()
        if recent and chance.random() < _HOMONYMS:
            double = chance.choice(recent)
            woman, given, family, elsewhere = double.woman, double.given, double.family, double.towns
        title = ("DR", "Docteur") if trade.code in trades.DOCTORS else ("", "")
        if trade.code == "10" and chance.random() < 0.01:
            title = ("PR", "Professeur")
        owner = f"{'DR' if title[0] else 'MME' if woman else 'M'} {family} {fold(given).upper()}"
        posts = self._draw_posts(chance, trade, owner, elsewhere, more=not old)
        identifier = adeli_number(number - self._count) if old else rpps_number(number, self._seed)
        boxes = () if old else self._draw_mailboxes(chance, number, given, family, posts)
        return Person(number, "0" if old else "8", identifier, woman, family, given, title, posts, boxes)

    def _draw_posts(
        self, chance: random.Random, trade: Trade, owner: str, elsewhere: frozenset[str], *, more: bool
    ) -> tuple[Post, ...]:
        exercises = [trade]
        if more and chance.random() < 0.015:
            exercises.append(chance.choice([t for t in trades.TRADES if t is not trade]))
        several = more and chance.random() < 0.10
        out = []
        for exercise in exercises:
            specialty = _specialty(chance, exercise.code)
            category = chance.choices("CME", (990, 5, 5))[0]
            if len(exercises) == 1 and not several and chance.random() < 0.02:
                return (Post(exercise, specialty, "", category, None),)
            for _ in range(chance.choice((2, 2, 2, 3)) if several else 1):
                place = self._draw_place(chance, exercise, owner, elsewhere)
                mode = "L" if place.sector in {"SA07", "SA08"} else "S" if chance.random() < 0.97 else "B"
                out.append(Post(exercise, specialty, mode, category, place))
        return tuple(out)

    def _draw_place(self, chance: random.Random, trade: Trade, owner: str, elsewhere: frozenset[str]) -> Structure:
        """A place for that trade, in a town that is none of `elsewhere`."""
        sector = chance.choice(trade.sectors.split())
        for _ in range(50):
            if sector == "SA07":
                found = _practice(chance, owner)
            else:
                offset = chance.choice([i for i, s in enumerate(_CYCLE) if s == sector])
                found = self._structure(20 * chance.randrange(self._structures // 20) + offset)
            if found.town not in elsewhere:
                return found
        return _practice(chance, owner)

    def _draw_structure(self, number: int) -> Structure:
        chance = random.Random(f"{self._seed}/structure/{number}")  # noqa: S311
        sector = _CYCLE[number % 20]
        place = _town(chance)
        house = chance.choice(words.HOUSES)
        name = chance.choice(trades.HOUSE_NAMES[sector]).format(house=house, town=place.town)
        digits = f"{place.insee[:2]}9{number % 100_000:05}"
        finess = digits + (luhn_key(digits) if digits.isdecimal() else "0")
        domain = _house_domain(sector, place.insee, place.town)
        services = chance.sample(
            ("secretariat", "accueil", "contact", "soins", "urgences"), chance.choice((0, 1, 1, 1, 2))
        )
        boxes = tuple((f"{s}.{_slug(house)}.{number}@{domain}", s.capitalize()) for s in services)
        return Structure(
            *(sector, name, f"F{finess}", finess, _siret(900_000 + number % 99_999), *place),
            street=_street(chance),
            domain=domain,
            mailboxes=boxes,
        )

    def _draw_mailboxes(
        self, chance: random.Random, number: int, given: str, family: str, posts: tuple[Post, ...]
    ) -> tuple[str, ...]:
        first = posts[0]
        community_nurse = first.trade.code == "60" and first.mode == "L"
        if chance.random() < (0.22 if community_nurse else 0.07):
            return ()
        domains = [_national_domain(first.trade)]
        place = first.structure
        if place is not None and place.sector == "SA01":
            domains.insert(0, place.domain)
        elif place is not None and chance.random() < 0.3:
            domains.insert(0, _regional_domain(place.insee))
        local = f"{_slug(given)}.{_slug(family)}"
        wanted = domains[: 2 if chance.random() < 0.06 else 1]
        return tuple(self._free(local, domain, number) for domain in dict.fromkeys(wanted))

    def _free(self, local: str, domain: str, number: int) -> str:
        """`local@domain`, or with the person's number when that may be taken."""
        bit = crc32(f"{local}@{domain}".encode()) % (len(self._taken) * 8)
        if self._taken[bit >> 3] & 1 << (bit & 7):
            return f"{local}{number}@{domain}"
        self._taken[bit >> 3] |= 1 << (bit & 7)
        return f"{local}@{domain}"


def rpps_number(number: int, seed: int) -> str:
    """899, seven digits that look drawn and never repeat, the key."""
    digits = f"899{(number * 6_180_339 + seed * 7_919) % 10_000_000:07}"
    return digits + luhn_key(digits)


def adeli_number(number: int) -> str:
    """99, six digits, the key."""
    digits = f"99{number:06}"
    return digits + luhn_key(digits)


def _siret(number: int) -> str:
    siren = f"99{number:06}"
    digits = siren + luhn_key(siren) + "0001"
    return digits + luhn_key(digits)


def _slug(text: str) -> str:
    return fold(text).replace(" ", "-")


def _weighted(chance: random.Random, among: list[Trade]) -> Trade:
    return chance.choices(among, [t.share for t in among])[0]


def _family_name(chance: random.Random) -> str:
    if chance.random() < _COMMON_SHARE:
        return words.COMMON[int(len(words.COMMON) * chance.random() ** 1.6)]
    name = chance.choice(words.PREFIXES) + _surname(chance)
    return f"{name}-{_surname(chance)}" if chance.random() < 0.03 else name


def _surname(chance: random.Random) -> str:
    return chance.choice(words.STARTS) + chance.choice(words.MIDDLES) + chance.choice(words.ENDS)


def _specialty(chance: random.Random, code: str) -> tuple[str, str]:
    among = trades.SPECIALTIES.get(code)
    if among is None:
        return "", ""
    skill, label, _ = chance.choices(among, [share for _, _, share in among])[0]
    return skill, label


def _town(chance: random.Random) -> words.Town:
    """Big towns stand first in the list and are drawn more often."""
    return words.TOWNS[int(len(words.TOWNS) * chance.random() ** 1.7)]


def _street(chance: random.Random) -> tuple[str, str, str, str]:
    code, label = chance.choice(words.WAYS)
    return str(chance.randrange(1, 120)), code, label, chance.choice(words.STREETS)


def _practice(chance: random.Random, owner: str) -> Structure:
    """A private practice: no FINESS number, an identifier of its own."""
    place = _town(chance)
    digits = chance.randrange(100_000, 900_000)
    technical_id = f"R999{digits:06}{chance.randrange(100):02}"
    domain = _regional_domain(place.insee)
    siret = _siret(digits)
    name = f"CABINET {owner}"
    return Structure("SA07", name, technical_id, "", siret, *place, street=_street(chance), domain=domain)


def _national_domain(trade: Trade) -> str:
    return f"{trade.domain}.mssante.test"


def _regional_domain(insee: str) -> str:
    return f"{_REGION.get(insee[:2], 'medimail')}.mssante.test"


def _house_domain(sector: str, insee: str, town: str) -> str:
    if sector == "SA01":
        university = any(big.insee == insee for big in words.TOWNS[:30])
        return f"{'chu' if university else 'ch'}-{_slug(town)}.mssante.test"
    return "pharmacien.mssante.test" if sector == "SA33" else _regional_domain(insee)
