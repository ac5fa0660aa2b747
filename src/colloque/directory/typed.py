"""From a line that somebody typed to the words that are read. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from colloque.directory.folding import fold
from colloque.directory.names import PARTICLES, parts
from colloque.errors import BadInput

READ = 200
"""Characters of a query that are read; what follows them is ignored."""
MOST = 12
"""Words of a query that are read."""
_TITLES = frozenset((
    "dr", "drs", "docteur", "docteure", "doc", "pr", "prof", "professeur", "professeure", "mr", "mme", "mlle",
    "monsieur", "madame", "mademoiselle",
))  # fmt: skip
SMALL = frozenset((
    "a", "au", "aux", "chez", "dans", "en", "pres", "proche", "vers", "sur", "sous", "et", "ou", "un", "une",
    "est", "cherche", "trouver", "pour", "avec",
))  # fmt: skip
DEPARTMENT_WORDS = frozenset(("departement", "dept", "dpt"))


class UnreadableQuery(BadInput):
    """Nothing to look for was typed."""

    code = "directory.query"


def words_of(text: str) -> tuple[tuple[str, ...], frozenset[int]]:
    """The words to read, and which of them stand behind a title. Raises UnreadableQuery when there are none."""
    kept: list[str] = []
    named: set[int] = set()
    title = cedex = False
    for place, word in enumerate(parts(fold(text[:READ].replace("\0", " ")))):
        if word in _TITLES or (word in {"m", "mm"} and place == 0):
            title = True
        elif word == "cedex" or (cedex and word.isdecimal() and len(word) < 3):
            cedex = True
            continue
        else:
            if title:
                named.add(len(kept))
            kept.append(word)
            title = False
        cedex = False
    words, named_still = _initials(kept[:MOST], named)
    if sum(map(len, words)) < 2 or not set(words) - SMALL - DEPARTMENT_WORDS:
        raise UnreadableQuery("type a name, a profession or a town")
    return words, named_still


def _initials(words: Sequence[str], named: set[int]) -> tuple[tuple[str, ...], frozenset[int]]:
    """`j p martin` is `jp martin`."""
    out: list[str] = []
    behind: set[int] = set()
    single = False
    for position, word in enumerate(words):
        letter = len(word) == 1 and word.isalpha() and word not in SMALL | PARTICLES
        if letter and single:
            out[-1] += word
        else:
            if position in named:
                behind.add(len(out))
            out.append(word)
        single = letter
    return tuple(out), frozenset(behind)
