"""Professions and specialties in plain French: which of the directory's trades a phrase means. Pure.

The directory's own labels decide (TRE_G15, R94, R95 for professions, R38 and its like for savoir-faire): a phrase is
compared with them by stems, so that feminine, plural, the science and who practises it are one. `plain_french` adds the
words that the labels lack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from colloque.directory.folding import fold
from colloque.directory.plain_french import PHRASES

LONGEST = 6
"""Words of the longest phrase that is looked at."""
_LIGHT = frozenset(("et", "de", "du", "des", "d", "la", "le", "les", "l", "en", "aux", "a", "au", "pour", "ou"))
"""They say nothing, and no phrase begins or ends with them."""
_SILENT = _LIGHT | {"option", "diplome", "etat", "qualifie", "qualifiee", "specialiste"}
_ASIDE = re.compile(
    r"\((?:SM|SI|SCD|SCH|C|CEX|CAPA|DNQ|DEC|FQ|PAC|OP|réforme 2017|e|le|ère|trice)\)",
    re.IGNORECASE,
)
"""What labels add in brackets: the kind of savoir-faire, feminine endings."""
_ENDINGS = (
    *(
        ("logistes", "log"),
        ("logiste", "log"),
        ("logues", "log"),
        ("logue", "log"),
        ("logies", "log"),
        ("logie", "log"),
    ),
    *(("logiques", "log"), ("logique", "log"), ("iatriques", "iatr"), ("iatrique", "iatr"), ("iatries", "iatr")),
    *(("iatrie", "iatr"), ("iatres", "iatr"), ("iatre", "iatr"), ("therapeutes", "therap"), ("therapeute", "therap")),
    *(("therapies", "therap"), ("therapie", "therap"), ("chirurgicales", "chirurg"), ("chirurgicale", "chirurg")),
    *(("chirurgical", "chirurg"), ("chirurgiens", "chirurg"), ("chirurgiennes", "chirurg"), ("chirurgien", "chirurg")),
    *(("chirurgienne", "chirurg"), ("chirurgies", "chirurg"), ("chirurgie", "chirurg"), ("pathes", "path")),
    *(
        ("pathe", "path"),
        ("pathies", "path"),
        ("pathie", "path"),
        ("iciennes", "ic"),
        ("icienne", "ic"),
        ("iciens", "ic"),
    ),
    *(("icien", "ic"), ("iques", "ic"), ("ique", "ic"), ("iennes", ""), ("ienne", ""), ("iens", ""), ("ien", "")),
    *(("ieres", ""), ("iere", ""), ("iers", ""), ("ier", ""), ("teuses", "teu"), ("trices", "teu"), ("trice", "teu")),
    *(("teurs", "teu"), ("teur", "teu"), ("euses", "eu"), ("euse", "eu"), ("eurs", "eu"), ("eur", "eu"), ("istes", "")),
    *(("iste", ""), ("antes", "ant"), ("ante", "ant"), ("ants", "ant"), ("ales", "al"), ("ale", "al"), ("aux", "al")),
    *(("ies", ""), ("ie", ""), ("ees", ""), ("ee", ""), ("es", ""), ("s", ""), ("e", "")),
)
_SHORTEST = 3
"""Letters that an ending must leave."""
_SCIENCE = ("log", "iatr", "therap", "path")
"""Stems that tell a specialty by themselves, wherever in a label they stand."""

Stems = tuple[str, ...]


@lru_cache(maxsize=8_192)
def stem(word: str) -> str:
    """What masculine, feminine, plural and the name of the science have in common: `infirm`, `cardiolog`."""
    for ending, kept in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) + len(kept) >= _SHORTEST:
            return word.removesuffix(ending) + kept
    return word


def stems(words: Iterable[str]) -> Stems:
    """The stems of folded words, those that say nothing left out."""
    return tuple(stem(word) for word in words if word not in _SILENT)


@lru_cache(maxsize=4_096)
def _label(label: str) -> Stems:
    return stems(fold(_ASIDE.sub(" ", label)).split())


@dataclass(frozen=True, slots=True)
class Trade:
    """One row of the directory's trades."""

    profession_code: str
    specialty_code: str
    profession: str
    specialty: str

    @property
    def key(self) -> str:
        """As the lists of work name it."""
        return f"{self.profession_code}/{self.specialty_code}"

    @property
    def labels(self) -> tuple[str, ...]:
        """Its two names, the more telling first."""
        return tuple(filter(None, (self.specialty, self.profession)))


@dataclass(frozen=True, slots=True)
class Meant:
    """The trades that a phrase means."""

    keys: frozenset[str]
    labels: tuple[str, ...]
    """What the directory calls them, each once."""
    typed: str = ""
    """The phrase, folded."""


@dataclass(frozen=True, slots=True)
class _Target:
    """Which labels a phrase of plain French means: those that begin so, or (`whole`) that are just that."""

    text: str
    words: Stems
    whole: bool

    def fits(self, label: Stems) -> bool:
        return label == self.words if self.whole else label[: len(self.words)] == self.words


def _read(lines: str) -> Iterator[tuple[Stems, tuple[_Target, ...]]]:
    for line in lines.strip().splitlines():
        phrases, _, meant = line.partition("=")
        targets = tuple(
            _Target(target.strip(" !"), stems(fold(target).split()), target.endswith("!"))
            for target in meant.split("|")
        )
        for phrase in phrases.split(","):
            yield stems(fold(phrase).split()), targets


_PLAIN = dict(_read(PHRASES))
_SPOKEN = frozenset(fold(PHRASES.replace("\n", " ")).split())


class Lexicon:
    """What phrases mean in one directory."""

    def __init__(self, trades: Iterable[Trade]) -> None:
        self._trades = tuple(trades)
        self._labels = {label: _label(label) for trade in self._trades for label in trade.labels}
        self._meant: dict[Stems, Meant | None] = {}
        words = {word for label in self._labels for word in fold(label).split()} | _SPOKEN
        self.words: tuple[str, ...] = tuple(sorted(word for word in words if len(word) > 4 and word not in _LIGHT))
        """Words of trades that may be mistyped."""

    def phrase(self, words: tuple[str, ...]) -> Meant | None:
        """What folded words mean together; None when they are no trade of this directory, nor of plain French."""
        asked = stems(words)
        if not asked or words[0] in _LIGHT or words[-1] in _LIGHT:
            return None
        if asked not in self._meant:
            self._meant[asked] = self._look(asked)
        meant = self._meant[asked]
        return replace(meant, typed=" ".join(words)) if meant else None

    def _look(self, asked: Stems) -> Meant | None:
        whole = {label for label, own in self._labels.items() if own == asked}
        if targets := _PLAIN.get(asked):
            fitting = {label for label, own in self._labels.items() if any(target.fits(own) for target in targets)}
            # A trade even where nobody of this directory has it.
            return (
                self._those(whole | fitting) if whole | fitting else Meant(frozenset(), (targets[0].text.capitalize(),))
            )
        for found in (
            whole,
            {label for label, own in self._labels.items() if own[: len(asked)] == asked and _tells(asked)},
            {label for label, own in self._labels.items() if asked[0] in own and len(asked) == 1 and _tells(asked)},
        ):
            if found:
                return self._those(found)
        return None

    def _those(self, labels: set[str]) -> Meant:
        found = [trade for trade in self._trades if labels.intersection(trade.labels)]
        shown = dict.fromkeys(label for trade in found for label in trade.labels if label in labels)
        return Meant(frozenset(trade.key for trade in found), tuple(shown))


def _tells(asked: Stems) -> bool:
    """Whether the beginning of a label is enough: two words, or the name of a science."""
    return len(asked) > 1 or (asked[0].endswith(_SCIENCE) and len(asked[0]) > 5)
