"""How a line that somebody typed is read: which of its words may be a trade, a place, a name.

A word may be several things at once (Nancy, Boulanger, Rose): a chunk keeps them all, and `readings` weighs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from colloque.directory import trades
from colloque.directory.names import PARTICLES
from colloque.directory.places import DEPARTMENT_NAMES, DEPARTMENTS, Place, department, glue, town_name
from colloque.directory.trades import Lexicon, Meant
from colloque.directory.typed import DEPARTMENT_WORDS, SMALL, UnreadableQuery, words_of

__all__ = ["Chunk", "Place", "Reader", "UnreadableQuery"]

_TOWN_WORDS = 6
_COMMON = 100
"""A word that more people bear is a name as it stands; one that fewer bear may also be a mistyped town or trade."""
_MISTYPED = 4
"""Letters from which a word may be a mistyped town or trade."""
_MISTYPED_WORDS = 3
"""A mistyped trade has fewer words."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One or several words that belong together, and all that they may be."""

    words: tuple[str, ...]
    trade: Meant | None = None
    place: Place | None = None
    errors: int = 0
    """Typing errors through which trade or place were read."""
    known: bool = False
    """Somebody bears these very words."""
    numeric: bool = False
    """A postcode or a number: nobody's name."""

    @property
    def only_name(self) -> bool:
        """Nothing but somebody's name."""
        return self.trade is None and self.place is None


Towns = Callable[[Sequence[str]], Mapping[str, tuple[str, ...]]]
"""From names of towns in one word (`~` before a shorter one) to the keys of their places, those of all arrondissements
for Paris, Lyon and Marseille; unknown towns are left out."""


Near = Callable[[str], tuple[str, int] | None]


@dataclass(frozen=True)
class Reader:
    """Reads queries for one directory."""

    lexicon: Lexicon
    towns: Towns
    near_town: Near
    """From a mistyped town in one word to the one that is meant, most probably, and how many errors; None: no town."""
    near_trade: Near
    """The same for a word of trades."""
    bearers: Callable[[Sequence[str]], Mapping[str, int]]
    """How many people bear each word; words that nobody bears are left out."""

    def read(self, text: str) -> tuple[Chunk, ...]:
        """The chunks of a query, in order. Raises UnreadableQuery when it holds nothing to look for."""
        return _Reading(self, *words_of(text)).chunks()

    def trade(self, text: str) -> Meant:
        """A profession or specialty in plain French. Raises UnreadableQuery when it is none."""
        for chunk in self.read(text):
            if chunk.trade is not None:
                return chunk.trade
        raise UnreadableQuery("no profession or specialty of the directory is called that")

    def place(self, text: str) -> Place:
        """A town, a postcode or a département. Raises UnreadableQuery when it is none."""
        found = [chunk.place for chunk in self.read(text) if chunk.place is not None]
        if not found:
            raise UnreadableQuery("no town, postcode or département of the directory is called that")
        return max(found, key=lambda place: (bool(place.keys), not place.label.isdecimal()))


@dataclass(frozen=True)
class _Reading:
    """One query being read."""

    reader: Reader
    words: tuple[str, ...]
    named: frozenset[int]
    """Positions of words that stand behind a title: names, whatever else they may be."""

    @cached_property
    def borne(self) -> Mapping[str, int]:
        return self.reader.bearers(self.words)

    @cached_property
    def towns(self) -> Mapping[str, tuple[str, ...]]:
        names = {self.town(start, end) for start, end in self.spans()} - {""}
        return self.reader.towns(sorted(names | {"~" + name for name in names}))

    def spans(self) -> list[tuple[int, int]]:
        """Beginnings and ends, the longest first."""
        most = max(trades.LONGEST, _TOWN_WORDS)
        many = len(self.words)
        every = [(start, end) for start in range(many) for end in range(start + 1, min(start + most, many) + 1)]
        return sorted(every, key=lambda span: (span[0] - span[1], span[0]))

    def chunks(self) -> tuple[Chunk, ...]:
        """What the words are, each in one chunk, in their order. Raises UnreadableQuery."""
        taken: dict[int, tuple[int, Chunk]] = {}
        for start, end in self.spans():
            if self.named.isdisjoint(range(start, end)) and not self._is_taken(taken, start, end):
                self._take(taken, start, end, self.exact(start, end))
        exact = [chunk for _, chunk in taken.values()]
        if not all(any(getattr(chunk, what) for chunk in exact) for what in ("trade", "place")):
            for start, end in self.spans():
                if not self._is_taken(taken, start, end):
                    self._take(taken, start, end, self.guess(start, end, exact))
        for at, word in enumerate(self.words):
            if word not in SMALL | DEPARTMENT_WORDS and not self._is_taken(taken, at, at + 1):
                taken[at] = at + 1, Chunk((word,), known=word in self.borne)
        found = tuple(taken[start][1] for start in sorted(taken))
        if all(c.only_name and not c.known and (c.words[0] in PARTICLES or not c.words[0].strip()) for c in found):
            raise UnreadableQuery("type a name, a profession or a town")
        return found

    @staticmethod
    def _take(taken: dict[int, tuple[int, Chunk]], start: int, end: int, chunk: Chunk | None) -> None:
        if chunk is not None:
            taken[start] = end, chunk

    def _is_taken(self, taken: dict[int, tuple[int, Chunk]], start: int, end: int) -> bool:
        return any(self._over(start, end, other, other_end) for other, (other_end, _) in taken.items())

    @staticmethod
    def _over(start: int, end: int, other: int, other_end: int) -> bool:
        return start < other_end and other < end

    def exact(self, start: int, end: int) -> Chunk | None:
        """A trade or a place, as typed."""
        words = self.words[start:end]
        if words[0] in SMALL or words[-1] in SMALL:
            return None
        meant = self.reader.lexicon.phrase(words) if len(words) <= trades.LONGEST else None
        place = self.place(start, end)
        if meant is None and place is None:
            return None
        numeric = len(words) == 1 and words[0][:1].isdecimal()
        known = all(word in self.borne for word in words)
        return Chunk(words, meant, place, known=known, numeric=numeric)

    def guess(self, start: int, end: int, exact: Sequence[Chunk]) -> Chunk | None:
        """A trade or a place, mistyped (`saint etiene`)."""
        words = self.words[start:end]
        glued = "".join(words)
        if not all(map(str.isalpha, words)) or len(glued) < _MISTYPED + len(words) - 1 or {words[0], words[-1]} & SMALL:
            return None
        if not self.named.isdisjoint(range(start, end)) or all(self.common(word) for word in words):
            return None
        meant = place = None
        errors = 0
        near = None
        if len(words) < _MISTYPED_WORDS and not any(chunk.trade for chunk in exact):
            near = self.reader.near_trade(glued)
        if near is not None:
            meant, errors = self.reader.lexicon.phrase((near[0],)), near[1]
        if not any(chunk.place and not chunk.numeric for chunk in exact) and (near := self.reader.near_town(glued)):
            place, errors = _place(self.reader.towns((near[0],)).get(near[0], ()), words), near[1]
        if meant is None and place is None:
            return None
        return Chunk(words, meant, place, errors, known=all(word in self.borne for word in words))

    def common(self, word: str) -> bool:
        """A name as it stands."""
        return word in PARTICLES or self.borne.get(word, 0) > _COMMON

    def town(self, start: int, end: int) -> str:
        """The name in one word of the town that these words may be; empty when they can't be any."""
        words = self.words[start:end]
        if words[0] in SMALL or words[0][:1].isdecimal():
            return ""
        name = town_name(" ".join(words))
        if words[-1][:1].isdecimal() and not name[-1:].isdecimal():
            return ""
        return "" if len(words) == 1 and (len(name) < 2 or name in PARTICLES | SMALL) else glue(name)

    def place(self, start: int, end: int) -> Place | None:
        words = self.words[start:end]
        if words[0] in DEPARTMENT_WORDS:
            return _department(words[1:])
        if len(words) == 1 and words[0][:1].isdecimal():
            return _postcode(words[0]) or _department(words)
        name = self.town(start, end)
        if not name:
            return None
        known = self.towns
        return _place(known.get(name, ()), words) or _department(words) or _place(known.get("~" + name, ()), words)


def _postcode(word: str) -> Place | None:
    if len(word) != 5 or not (word.isascii() and word.isdecimal()):
        return None
    return Place(word, frozenset((f"{word} *",)), frozenset(filter(None, (department(word),))), word)


def _department(words: Sequence[str]) -> Place | None:
    name = "".join(words)
    code = name.upper() if name.upper() in DEPARTMENTS else DEPARTMENT_NAMES.get(name, "")
    return Place(DEPARTMENTS[code], frozenset(), frozenset((code,)), " ".join(words)) if code else None


def _place(keys: Sequence[str], words: Sequence[str]) -> Place | None:
    if not keys:
        return None
    names = {key.partition(" ")[2] for key in keys}
    name = min(names).title() if len(names) == 1 else min(names).rstrip(" 0123456789").title()
    return Place(name, frozenset(keys), frozenset(filter(None, map(department, keys))), " ".join(words))
