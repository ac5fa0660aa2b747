"""Who works where as what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from colloque.directory.batches import many
from colloque.directory.engine import Rows
from colloque.directory.places import NATION, Place, department, place_key
from colloque.directory.postings import unpack
from colloque.directory.trades import Meant
from colloque.directory.words import split

_ONE_BY_ONE = 1_000
"""Up to so many people are looked at one by one; more are compared with whole lists."""


class Workers:
    """The lists of work, for one search."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def listed(self, trades: Sequence[Meant], places: Sequence[Place], among: set[int] | None = None) -> list[int]:
        """Everybody of `among` (None: of all) who exercises all of these trades in all of these places, ascending."""
        # `médecin` and `cardiologue` are two views of one trade; `infirmier` and `ostéopathe` are two trades.
        common = frozenset.intersection(*(trade.keys for trade in trades)) if trades else None
        wanted = [common] if common or common is None else [trade.keys for trade in trades]
        for place, keys in product(places or (None,), wanted):
            found = [ids for trade, ids in self._lists(self._keys(place)) if keys is None or trade in keys]
            if among is None and len(found) == 1 and len(wanted) * max(1, len(places)) == 1:
                return list(unpack(found[0]))
            lists = map(unpack, found)
            among = set().union(*(lists if among is None else map(among.intersection, lists)))
        return sorted(among or ())

    def among(self, people: Iterable[int], trades: Sequence[Meant], places: Sequence[Place]) -> set[int]:
        """Those of `people` who do."""
        left = set(people)
        if not left or not (trades or places):
            return left
        if len(left) > _ONE_BY_ONE:
            return set(self.listed(trades, places, left))
        work = self._work(left)
        for trade in trades or (None,):
            for place in places or (None,):
                left = {n for n in left if any(_fits(where, what, trade, place) for where, what in work.get(n, ()))}
        return left

    def _keys(self, place: Place | None) -> list[str]:
        if place is None:
            return [NATION]
        if not place.keys:
            return sorted(place.departments)
        found: list[str] = []
        for key in sorted(place.keys):
            if key.endswith(" *"):
                begins = key[:-1]
                edges = begins, begins[:-1] + "!"  # the sign after the space
                found += (k for (k,) in self._rows("SELECT place FROM work_list WHERE place >= ? AND place < ?", edges))
            else:
                found.append(key)
        return found

    def _lists(self, keys: list[str]) -> Iterable[tuple[str, bytes]]:
        for trades, ids in many(self._rows, "SELECT trades, ids FROM work_list WHERE place IN", keys):
            yield from split(trades, bytes(ids))

    def _work(self, people: set[int]) -> dict[int, list[tuple[str, str]]]:
        """Place and trade keys of each person, as the lists have them."""
        found: dict[int, list[tuple[str, str]]] = {}
        named: dict[int, set[str]] = {}
        activities = "SELECT person, postcode, town, profession_code, specialty_code FROM activity WHERE person IN"
        for person, postcode, town, profession, specialty in many(self._rows, activities, people):
            found.setdefault(person, []).append((place_key(postcode, town), f"{profession}/{specialty}"))
            named.setdefault(person, set()).add(specialty)
        skills = "SELECT people.id, code FROM skill JOIN people ON people.national = skill.national WHERE people.id IN"
        extra: list[tuple[Any, ...]] = [
            (person, code)
            for person, code in many(self._rows, skills, people)
            if code and code not in named.get(person, ())
        ]
        for person, code in extra:
            found.setdefault(person, []).extend({(place, f"/{code}") for place, _ in found.get(person, ())})
        return found


def _fits(where: str, what: str, trade: Meant | None, place: Place | None) -> bool:
    if trade is not None and what not in trade.keys:
        return False
    if place is None:
        return True
    if not place.keys:
        return department(where) in place.departments
    return where in place.keys or f"{where[:5]} *" in place.keys
