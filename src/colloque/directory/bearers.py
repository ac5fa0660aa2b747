"""Who bears a name: exactly as typed, or one that begins so or differs by typing errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log10

from colloque.directory.batches import many
from colloque.directory.engine import Rows
from colloque.directory.names import Term
from colloque.directory.postings import size, unpack

# Prices are in thousandths: whole numbers add up the same in any order.
_ERROR = 500
_FIRST_LETTER = 200
"""Added when the first letter is wrong, which is rare."""
_BEGINNING = 600
_GIVEN = 100
"""Price of a given name: one word alone is rather a family name."""
_INITIAL = 300
_COMMON = 10
"""Taken off, for each ten times as many bearers, from the price of a name that was not typed."""
_SHORT = 5
"""In a word shorter than that, the first letter is right."""
_BEGUN = 3
"""Letters from which the beginning of a name is looked for."""
_MOST_BEGUN = 2_000
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Some:
    """People who bear one thing that was asked for, and how far it is from what was typed (0: not at all)."""

    price: int
    ids: bytes


class Bearers:
    """The lists of names, for one search; each is read once."""

    def __init__(self, rows: Rows, similar: Callable[[str], Mapping[str, int]]) -> None:
        """`similar`: the words of names that differ from one by typing errors, with how many."""
        self._rows = rows
        self._similar = similar
        self._exact: dict[Term, list[Some]] = {}
        self._near: dict[Term, list[Some]] = {}

    def exactly(self, terms: Sequence[Term]) -> dict[int, int]:
        """People whose names hold every term as typed, with a price."""
        return _all([self._exact_of(term) for term in terms])

    def nearly(self, terms: Sequence[Term]) -> dict[int, int]:
        """The same, with beginnings and typing errors."""
        return _all([[*self._exact_of(term), *self._near_of(term)] for term in terms])

    def anybody(self, term: Term) -> bool:
        """Whether anybody bears it, or something like it."""
        return bool(self._exact_of(term) or self._near_of(term))

    def _exact_of(self, term: Term) -> list[Some]:
        if term not in self._exact:
            prices = dict.fromkeys(term.words, 0)
            if len(term.typed) < _BEGUN:
                prices[term.typed + "."] = _INITIAL
            found = many(self._rows, "SELECT word, family, ids FROM name_list WHERE word IN", prices)
            self._exact[term] = [each for word, cut, ids in found for each in _parts(prices[word], cut, bytes(ids))]
        return self._exact[term]

    def _near_of(self, term: Term) -> list[Some]:
        if term not in self._near:
            begun: list[Some] = []
            prices: dict[str, int] = {}
            for word in term.words:
                for other, errors in self._similar(word).items():
                    if other[0] == word[0] or len(word) >= _SHORT:
                        price = errors * (_ERROR + _ERROR // (5 * len(word))) + _FIRST_LETTER * (other[0] != word[0])
                        prices[other] = min(price, prices.get(other, price))
            if len(term.typed) >= _BEGUN:
                sql = (
                    "SELECT word, family, ids FROM name_list WHERE word > ? AND word < ? "
                    "ORDER BY length(ids) DESC, word LIMIT ?"
                )
                for word, cut, ids in self._rows(sql, (term.typed, term.typed + _LAST, _MOST_BEGUN)):
                    if word not in term.words and prices.get(word, _BEGINNING) >= _BEGINNING:
                        prices.pop(word, None)
                        begun += _parts(_BEGINNING, cut, bytes(ids))
            for word in term.words:
                prices.pop(word, None)
            found = many(self._rows, "SELECT word, family, ids FROM name_list WHERE word IN", prices)
            near = [each for word, cut, ids in found for each in _parts(prices[word], cut, bytes(ids))]
            self._near[term] = begun + near
        return self._near[term]


def _parts(price: int, cut: int, ids: bytes) -> list[Some]:
    """A word's two lists: family names before given names."""
    if price >= _ERROR:
        price -= int(_COMMON * log10(size(ids[:cut]) + size(ids[cut:])))
    return [Some(p, part) for p, part in ((price, ids[:cut]), (price + _GIVEN, ids[cut:])) if part]


def _all(choices: list[list[Some]]) -> dict[int, int]:
    """People who are in at least one list of each choice, at the best price of each."""
    if not choices or not all(choices):
        return {}
    choices.sort(key=lambda some: sum(len(each.ids) for each in some))
    alive: set[int] | None = None
    for some in choices[1:]:
        alive = _union(choices[0], None) if alive is None else alive
        alive = _union(some, alive)
    prices: dict[int, int] = {}
    for some in choices:
        best: dict[int, int] = {}
        for each in sorted(some, key=lambda each: -each.price):
            ids = unpack(each.ids)
            best.update(dict.fromkeys(ids if alive is None else alive.intersection(ids), each.price))
        prices = {person: prices[person] + price for person, price in best.items()} if prices else best
    return prices


def _union(some: list[Some], alive: set[int] | None) -> set[int]:
    """Those of `alive` who are in any list; everybody in them, when it is None."""
    lists = (unpack(each.ids) for each in some)
    return set().union(*(lists if alive is None else (alive.intersection(ids) for ids in lists)))
