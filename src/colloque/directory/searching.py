"""Who fits a query, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from colloque.directory.batches import many
from colloque.directory.bearers import Bearers
from colloque.directory.engine import Rows
from colloque.directory.names import PARTICLES, name_words, parts, terms
from colloque.directory.readings import Reading, readings, relaxed
from colloque.directory.understand import Chunk
from colloque.directory.workers import Workers

_ENOUGH = 50
"""With so many people who fit exactly, nobody needs those who almost fit."""
_WHOLE_NAMES = 5
"""As many people whose whole name was typed stand before everybody else; of more, the words meant another thing."""
_TIER = 1_000
"""Readings as natural as the best that finds anybody, up to this price, all count."""
_SORTED = 1_000
"""So many results are put in the order of their names; those behind stand in the order of the directory."""
_MORE = 50
"""Price of a word in a name that nobody asked for."""


@dataclass(frozen=True, slots=True)
class Found:
    """Everybody who fits one or several readings, best first."""

    people: list[int]
    reading: Reading | None
    """The reading that the first of them fits; None when nobody fits any."""


class Finder:
    """One search."""

    def __init__(self, rows: Rows, bearers: Bearers, workers: Workers) -> None:
        self._rows = rows
        self._bearers = bearers
        self._workers = workers

    def find(self, chunks: tuple[Chunk, ...], asked: Reading) -> tuple[list[int], Reading]:
        """Whoever fits all, best first; else whoever fits most. And how the query was read for the first of them."""
        kept, ignored = self._known(chunks)
        ways = [replace(way, ignored=ignored) for way in readings(kept, asked)]
        found = self._natural(ways) or self._relaxed(ways[0], asked) or Found([], None)
        if found.reading is None:
            return [], ways[0]
        whole = self._whole_names(kept, asked) if found.reading.price < _TIER else []
        return _joined(whole, found.people), found.reading

    def _known(self, chunks: tuple[Chunk, ...]) -> tuple[tuple[Chunk, ...], tuple[str, ...]]:
        """Without the words that nothing in the directory resembles, unless there are no others."""
        lost = tuple(
            chunk
            for chunk in chunks
            if chunk.only_name
            and not chunk.known
            and chunk.words[0] not in PARTICLES
            and not any(self._bearers.anybody(term) for term in terms(chunk.words))
        )
        kept = tuple(chunk for chunk in chunks if chunk not in lost)
        if not any(set(chunk.words) - PARTICLES for chunk in kept):
            return chunks, ()
        return kept, tuple(word for chunk in lost for word in chunk.words)

    def _natural(self, ways: list[Reading]) -> Found | None:
        """By the most natural readings that find anybody."""
        for first in ways:
            tier = [way for way in ways if first.price <= way.price < first.price + _TIER]
            plain = [way for way in tier if not way.guessed]
            found = self._as_typed(plain)
            near = found.reading is None or (bool(found.reading.names) and all(way.names for way in plain))
            if near and len(found.people) < _ENOUGH:
                more = self._as_meant(tier)
                people, reading = _joined(found.people, more.people), found.reading or more.reading
                around = self._around(more.reading) if more.reading and not found.people else []
                found = Found(_joined(people, around), reading)
            if found.people:
                return found
        return None

    def _as_typed(self, ways: list[Reading]) -> Found:
        """Nothing is mistyped."""
        named = self._named([way for way in ways if way.names], exactly=True)
        listed = self._listed(way for way in ways if not way.names)
        return Found(_joined(named.people, listed.people), named.reading or listed.reading)

    def _as_meant(self, ways: list[Reading]) -> Found:
        """Something may be mistyped. A trade and a place together are more telling than a name."""
        named = self._named([way for way in ways if way.names], exactly=False)
        listed = self._listed(way for way in ways if not way.names and way.guessed)
        if listed.reading is not None and listed.reading.trades:
            return listed
        return Found(_joined(named.people, listed.people), named.reading or listed.reading)

    def _listed(self, ways: Iterable[Reading]) -> Found:
        """Everybody who fits the first of these readings without a name that anybody fits."""
        for way in ways:
            if people := self._workers.listed(way.trades, way.places):
                return Found(self._by_name(people), way)
        return Found([], None)

    def _around(self, reading: Reading) -> list[int]:
        """Where the name is nobody's in that town, those of the département who bear it."""
        wide = replace(reading, places=tuple(place.wider or place for place in reading.places))
        return self._named([wide], exactly=True).people if wide != reading and wide.names else []

    def _relaxed(self, reading: Reading, asked: Reading) -> Found | None:
        for less in relaxed(reading, asked):
            found = self._named([less], exactly=True)
            if len(found.people) < _ENOUGH:
                near = self._named([less], exactly=False)
                found = Found(_joined(found.people, near.people), found.reading or near.reading)
            if found.people:
                return found
        return None

    def _named(self, ways: Iterable[Reading], *, exactly: bool) -> Found:
        """People found by names, best first."""
        best: dict[int, int] = {}
        asked: set[str] = set()
        by: Reading | None = None
        for way in ways:
            fit = (self._bearers.exactly if exactly else self._bearers.nearly)(way.terms)
            kept = self._workers.among(fit, way.trades, way.places) if way.trades or way.places else fit.keys()
            priced = {person: fit[person] + way.price for person in kept}
            least = min(priced.values(), default=0)
            by = way if priced and (not best or least < min(best.values())) else by
            best = priced | {n: min(price, priced.get(n, price)) for n, price in best.items()}
            asked.update(way.names)
        return Found(self._sorted(best, asked), by)

    def _whole_names(self, chunks: tuple[Chunk, ...], asked: Reading) -> list[int]:
        """The few people whose family and given name are all that was typed, though it reads as a trade or a place."""
        typed = tuple(word for chunk in chunks for word in chunk.words)
        if len(typed) < 2 or all(chunk.only_name for chunk in chunks) or not all(chunk.known for chunk in chunks):
            return []
        fit = self._workers.among(self._bearers.exactly(terms(typed)), asked.trades, asked.places)
        if len(fit) > _SORTED:
            return []
        words = set(typed)
        whole = [
            person
            for person, family, given in many(self._rows, _NAMES, fit)
            if name_words(family) & words
            and name_words(given) & words
            and not _left({*parts(family), *parts(given)}, words)
        ]
        return self._by_name(whole) if len(whole) <= _WHOLE_NAMES else []

    def _by_name(self, people: list[int]) -> list[int]:
        """The first in the order of their names."""
        names = {
            person: (family, given, person) for person, family, given in many(self._rows, _NAMES, people[:_SORTED])
        }
        return sorted(people[:_SORTED], key=names.__getitem__) + people[_SORTED:]

    def _sorted(self, people: dict[int, int], asked: Iterable[str] = ()) -> list[int]:
        """By price; among equals those whose name holds little else, then by name."""
        order = sorted(people, key=lambda person: (people[person], person))
        head, wanted = order[:_SORTED], set(asked)
        keys: dict[int, tuple[int, str, str, int]] = {}
        for person, family, given in many(self._rows, _NAMES, head):
            more = len(_left({*parts(family), *parts(given)}, wanted)) if wanted else 0
            keys[person] = (people[person] + _MORE * more, family, given, person)
        return sorted(head, key=keys.__getitem__) + order[_SORTED:]


def _joined(first: list[int], then: list[int]) -> list[int]:
    """Each person once."""
    return list(dict.fromkeys((*first, *then))) if first and then else first or then


_NAMES = "SELECT id, family, given FROM people WHERE id IN"


def _left(borne: set[str], typed: set[str]) -> set[str]:
    """Words of a name that nobody asked for; particles the less said the better."""
    return borne - typed - PARTICLES
