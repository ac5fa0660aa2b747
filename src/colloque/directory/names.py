"""From a person's names to the words they are found by, and from words typed to what is looked for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

from colloque.directory.folding import fold

PARTICLES = frozenset((
    "d", "da", "dal", "das", "de", "del", "della", "den", "der", "des", "di", "do", "dos", "du", "e", "el", "la",
    "las", "le", "les", "lo", "los", "l", "o", "van", "von", "zu", "al", "ben", "bin", "ibn", "y", "et",
))  # fmt: skip
"""They stand before a name and say little by themselves."""
_LONG = {"st": "saint", "ste": "sainte"}


def parts(text: str) -> list[str]:
    """Folded words; `St` and `Ste` in full."""
    return [_LONG.get(word, word) for word in fold(text).split()]


def _glued(words: Sequence[str]) -> Iterator[str]:
    """Each word, and with the particles before it: `de la croix` is croix, lacroix and delacroix."""
    before: list[str] = []
    for word in words:
        if word in PARTICLES:
            before.append(word)
            continue
        yield word
        for start in range(len(before)):
            yield "".join(before[start:]) + word
        before.clear()


@lru_cache(maxsize=4_096)
def name_words(name: str) -> frozenset[str]:
    """The words that a family or given name is found by: `LE GOFF-MARTIN` by goff, legoff, martin, legoffmartin."""
    words = parts(name)
    return frozenset(words) if len(words) < 2 else frozenset(("".join(words), *_glued(words)))


@lru_cache(maxsize=4_096)
def initials(given: str) -> frozenset[str]:
    """`Jean-Pierre` may be typed J. or JP: `j.` and `jp.`, which no word can be."""
    words = parts(given)
    return frozenset(("".join(w[0] for w in words) + ".", words[0][0] + ".")) if words else frozenset()


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that a person's name must hold."""

    typed: str
    """As typed, folded."""
    words: tuple[str, ...]
    """Any of these will do: itself, and with the particles typed before it (`le goff`: goff, legoff)."""

    @property
    def is_initial(self) -> bool:
        """One letter stands for a given name."""
        return len(self.typed) == 1


def terms(typed: Sequence[str]) -> tuple[Term, ...]:
    """What folded words typed in that order ask for. Particles count only when nothing else was typed."""
    if all(word in PARTICLES for word in typed):
        return tuple(Term(word, (word,)) for word in typed)
    found: list[Term] = []
    before: list[str] = []
    for word, after in zip_longest(typed, typed[1:], fillvalue=""):
        if word in PARTICLES and (len(word) > 1 or _elided(word, after)):
            before.append(word)
            continue
        found.append(Term(word, (word, *("".join(before[start:]) + word for start in range(len(before))))))
        before.clear()
    return tuple(found)


def _elided(word: str, after: str) -> bool:
    """`d` of `d'Hauteville`, not of `D. Dupont`; the `o` of `O'Brien`."""
    return word == "o" or (word in {"d", "l"} and after[:1] in tuple("aeiouyh"))
