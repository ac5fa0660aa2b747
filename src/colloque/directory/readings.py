"""The ways to read a query, and what to leave out of one when nobody fits it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Literal

from colloque.directory.names import Term, terms
from colloque.directory.places import Place
from colloque.directory.trades import Meant
from colloque.directory.understand import Chunk

As = Literal["name", "trade", "place"]

# Prices as those of `bearers`, in thousandths.
_FLIP = 2_000
"""Price of taking for a name what reads as a trade or a place."""
_LONE = 500
"""Price of a lone word as a place when somebody bears it."""
_BOTH = 100
"""Price of a place that also reads as a trade."""
_TWO_TOWNS = 2_500
_ERROR = 500
"""Price of a typing error in a trade or a place."""
_MOST = 8
_LOOKED_AT = 256
_TELLING = 3
"""Letters of a word that says something by itself."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a query is taken to mean. All of it must fit."""

    names: tuple[str, ...] = ()
    trades: tuple[Meant, ...] = ()
    places: tuple[Place, ...] = ()
    price: int = 0
    """The more, the less natural."""
    guessed: bool = False
    """A trade or place is read through typing errors."""
    ignored: tuple[str, ...] = ()
    """Words left out."""

    @property
    def terms(self) -> tuple[Term, ...]:
        """What a name must hold."""
        return terms(self.names)


def readings(chunks: tuple[Chunk, ...], asked: Reading) -> list[Reading]:
    """What the query may mean, the most natural first; `asked` must fit whatever the words mean."""
    ways = islice(product(*(_options(chunk, alone=len(chunks) == 1) for chunk in chunks)), _LOOKED_AT)
    found = sorted((_reading(chunks, way, asked) for way in ways), key=lambda reading: reading.price)
    return found[:_MOST]


def _options(chunk: Chunk, *, alone: bool) -> list[tuple[As, int]]:
    some: list[tuple[As, int]] = []
    guess = _ERROR * chunk.errors
    may_be_both = alone and chunk.known and chunk.trade is None
    if chunk.trade is not None:
        some.append(("trade", guess))
    if chunk.place is not None:
        some.append(("place", guess + (_BOTH if chunk.trade else 0) + (_LONE if may_be_both else 0)))
    if not chunk.numeric or not some:
        natural = chunk.only_name or chunk.errors or may_be_both
        some.append(("name", 0 if natural else _FLIP))
    return some


def _reading(chunks: tuple[Chunk, ...], way: tuple[tuple[As, int], ...], asked: Reading) -> Reading:
    taken = [(chunk, as_) for chunk, (as_, _) in zip(chunks, way, strict=True)]
    places = tuple(chunk.place for chunk, as_ in taken if as_ == "place" and chunk.place)
    towns = sum(1 for chunk, as_ in taken if as_ == "place" and chunk.place and chunk.place.keys and not chunk.numeric)
    return Reading(
        tuple(word for chunk, as_ in taken if as_ == "name" for word in chunk.words),
        tuple(chunk.trade for chunk, as_ in taken if as_ == "trade" and chunk.trade) + asked.trades,
        places + asked.places,
        sum(price for _, price in way) + _TWO_TOWNS * max(0, towns - 1),
        any(chunk.errors and as_ != "name" for chunk, as_ in taken),
    )


def relaxed(reading: Reading, asked: Reading) -> Iterator[Reading]:
    """The same with a wider place or something left out, the least changed first; what was asked for stays.

    Nothing when there is no name in it: a trade and a place are both wanted.
    """
    if not reading.names:
        return
    wide = tuple(place.wider or place for place in reading.places)
    if wide != reading.places:
        yield replace(reading, places=wide)
    for start in range(len(reading.names) - 1):
        a, b = reading.names[start : start + 2]
        yield replace(reading, names=(*reading.names[:start], a + b, *reading.names[start + 2 :]))
    nowhere = _without(reading, asked, places=True)
    bare = _without(nowhere, asked, trades=True)
    yield from (each for each in (nowhere, _without(reading, asked, trades=True), bare) if each != reading)
    # The longest words tell most: they are left out last, and a short one never stands alone.
    for kept in dict.fromkeys((reading, bare)):
        for out in sorted(kept.names, key=len):
            rest = list(kept.names)
            rest.remove(out)
            if any(len(word) >= _TELLING for word in rest):
                yield replace(kept, names=tuple(rest), ignored=(*kept.ignored, out))


def _without(reading: Reading, asked: Reading, *, places: bool = False, trades: bool = False) -> Reading:
    """Without the places or trades that nobody asked for on purpose."""
    out: list[Meant | Place] = []
    if places:
        out += (place for place in reading.places if place not in asked.places)
    if trades:
        out += (trade for trade in reading.trades if trade not in asked.trades)
    return replace(
        reading,
        places=asked.places if places else reading.places,
        trades=asked.trades if trades else reading.trades,
        ignored=(*reading.ignored, *(each.typed for each in out)),
    )
