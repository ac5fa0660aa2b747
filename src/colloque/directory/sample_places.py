"""Draws the places where made-up professionals work. A place depends on the seed and its number alone.

FINESS numbers have a 9 after the département and SIREN numbers begin with 98 or 99: nobody's, with valid keys.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from colloque.directory import sample_names as words
from colloque.directory import sample_trades as trades
from colloque.directory.sample_towns import TOWNS, Town
from colloque.identity import luhn_key

_REGION = {department: name for name, list_ in trades.REGIONS.items() for department in list_.split()}
_SPARE = 12
"""Places of each sector that even the smallest sample has."""
_CEDEX = 0.6
"""Share of hospitals with a postcode of their own."""
_SHARED = tuple(trades.HOUSES)


@dataclass(frozen=True, slots=True)
class Structure:
    """A place of work. `row` and `box_row` are its columns as the two extractions write them, `|` after each."""

    sector: str
    town: Town
    domain: str
    """MSSanté domain of its mailboxes."""
    row: str
    """`Numéro SIRET site` to `Libellé secteur d'activité`: 31 columns."""
    box_id: str
    """`Type identifiant structure` and `Identification Structure`."""
    box_row: str
    """`Raison Sociale structure BAL` to `Pays structure BAL`: 13 columns."""
    mailboxes: tuple[tuple[str, str], ...] = ()
    """ORG mailboxes: address, service."""


class Places:
    """All shared places of a population, by town and sector; and practices, each its owner's."""

    def __init__(self, people: int, seed: int) -> None:
        self._seed = seed
        self._chance = random.Random()  # noqa: S311  # repeatable on purpose
        self._town_ends = list(accumulate(town.size for town in TOWNS))
        edges: dict[str, list[int]] = {}
        for index, town in enumerate(TOWNS):
            edges.setdefault(town.department, [index, index])[1] = index + 1
        self._department = {name: (low, high) for name, (low, high) in edges.items()}
        self._starts = self._counted(people)
        """Number of the first place of each (town, sector), town by town; one more at the end."""
        self._inhabited = {
            sector: [t for t in range(len(TOWNS)) if self._range(t, rank)[0] < self._range(t, rank)[1]]
            for rank, sector in enumerate(_SHARED)
        }
        self._get = lru_cache(maxsize=4096)(self._draw)

    def _counted(self, people: int) -> list[int]:
        chance = random.Random(f"{self._seed}/places")  # noqa: S311
        whole = self._town_ends[-1]
        counts = [
            int((houses.per_mille * people / 1000 + _SPARE) * town.size / whole + chance.random())
            for town in TOWNS
            for houses in trades.HOUSES.values()
        ]
        return [0, *accumulate(counts)]

    def _range(self, town: int, rank: int) -> tuple[int, int]:
        at = town * len(_SHARED) + rank
        return self._starts[at], self._starts[at + 1]

    def all(self) -> Iterator[Structure]:
        """The shared places."""
        return map(self._draw, range(self._starts[-1]))

    def town(self, drawn: float) -> int:
        """A town's index, big ones more often; `drawn` within 0 and 1."""
        return bisect(self._town_ends, drawn * self._town_ends[-1])

    def near(self, town: int, drawn: float) -> int:
        """A town of the same département."""
        low, high = self._department[TOWNS[town].department]
        before = self._town_ends[low - 1] if low else 0
        return bisect(self._town_ends, before + drawn * (self._town_ends[high - 1] - before), low, high - 1)

    def shared(self, town: int, sector: str, drawn: float) -> Structure:
        """A place of that sector in that town, or elsewhere when it has none; some employ many, most a few."""
        rank = _SHARED.index(sector)
        low, high = self._range(town, rank)
        if low == high:
            among = self._inhabited[sector]
            low, high = self._range(among[int(drawn * 7_919) % len(among)], rank)
        return self._get(low + int((high - low) * drawn * drawn))

    def practice(self, town: int, owner: str, number: int, post: int, drawn: float) -> Structure:
        """The private practice of person `number`: no FINESS number, an identifier of its own."""
        place = TOWNS[town]
        siren = f"98{number % 1_000_000:06}"
        siren += luhn_key(siren)
        site = f"{siren}{10 * (number // 1_000_000) + post + 1:04}"
        chosen = place.postcodes[int(drawn * len(place.postcodes))]
        address = _Address(place, chosen, "", *self._street(drawn))
        ids = _Ids(f"R99{number:07}{post:02}", "", siren, site)
        return _structure("SA07", f"CABINET {owner}", ids, address)

    @staticmethod
    def _street(drawn: float) -> tuple[str, tuple[str, str], str]:
        mixed = int(drawn * 1_000_003)
        return (
            str(1 + mixed % 120),
            words.WAYS[mixed // 120 % len(words.WAYS)],
            words.STREETS[mixed // 720 % len(words.STREETS)],
        )

    def _draw(self, number: int) -> Structure:
        chance = self._chance
        chance.seed((self._seed << 33) + (1 << 32) + number)
        town, rank = divmod(bisect(self._starts, number) - 1, len(_SHARED))
        sector, place = _SHARED[rank], TOWNS[town]
        houses = trades.HOUSES[sector]
        house = chance.choice(words.HOUSES)
        name = chance.choice(houses.names).format(house=house, town=place.post)
        digits = f"{place.insee[:2]}9{number % 100_000:05}"
        finess = digits + (luhn_key(digits) if digits.isdecimal() else "0")
        siren = f"99{number % 1_000_000:06}"
        siren += luhn_key(siren)
        cedex = ""
        postcode = chance.choice(place.postcodes)
        if sector in {"SA01", "SA04"} and chance.random() < _CEDEX:
            postcode = f"{postcode[:3]}{chance.randrange(100):02}"
            cedex = f"{postcode} {place.post} CEDEX"
        domain = self._domain(chance, sector, house, place, number)
        lots = int(2 * houses.boxes * chance.random() + 0.5)
        services = chance.sample(houses.staff, min(lots, len(houses.staff)))
        boxes = tuple((f"{s}.{words.slug(house)}.{number}@{domain}", s.capitalize()) for s in services)
        address = _Address(place, postcode, cedex, *self._street(chance.random()))
        ids = _Ids(f"F{finess}", finess, siren, f"{siren}0001")
        return _structure(sector, name, ids, address, domain=domain, mailboxes=boxes)

    @staticmethod
    def _domain(chance: random.Random, sector: str, house: str, place: Town, number: int) -> str:
        if chance.random() >= trades.HOUSES[sector].own_domain:
            return "pharmacien.mssante.test" if sector == "SA33" else regional_domain(place)
        if sector == "SA01":
            return f"{'chu' if place.size > 100 else 'ch'}-{words.slug(place.post)}.mssante.test"
        return f"{words.slug(house)}-{number}.mssante.test"


@dataclass(frozen=True, slots=True)
class _Address:
    town: Town
    postcode: str
    cedex: str
    """The last line of an envelope where it is not `postcode town`."""
    number: str
    way: tuple[str, str]
    street: str


class _Ids(NamedTuple):
    """Its numbers; `site` is the SIRET without its key, `finess` may be empty."""

    technical: str
    finess: str
    siren: str
    site: str


def _structure(
    sector: str, name: str, ids: _Ids, where: _Address, *, domain: str = "", mailboxes: tuple[tuple[str, str], ...] = ()
) -> Structure:
    technical_id, finess, siren, site = ids
    town, siret = where.town, site + luhn_key(site)
    last_line = where.cedex or f"{where.postcode} {town.post}"
    phone = f"019900{int(site[4:8]):04}"  # a range that is set aside for fiction
    # Older registrations say the town in the last line of the address only.
    commune = ("", "") if int(site[6:8]) % 20 == 0 else (town.insee, town.name)
    row = (
        *(siret, siren, finess, finess, technical_id, name, "", "", ""),
        *(where.number, "", *where.way, where.street, "", last_line),
        *(where.postcode, *commune, "99000", "France", phone, "", "", ""),
        *(town.department, "", f"1{finess}" if finess else "", "ARS/ARS/ARS"),
        *(sector, trades.SECTORS[sector]),
    )
    box = (
        *(name, name, "", "", where.number, "", where.way[1], where.street, "", last_line),
        *(where.postcode, town.department, "France"),
    )
    return Structure(
        *(sector, town, domain or regional_domain(town), "|".join(row) + "|"),
        f"1|{finess}|" if finess else f"3|{siret}|",
        "|".join(box) + "|",
        mailboxes,
    )


def regional_domain(town: Town) -> str:
    """The domain of the region's operator."""
    return f"{_REGION.get(town.department, 'medimail')}.mssante.test"
