"""Finding a room's identifiers in any text: of rows, of JSON, of file names. Pure.

Random identifiers are compared as whole words, so that one pass over a database serves every room at once, however
many events they had. What can't be a word by itself (an alias, an old room's odd event id) is looked for as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_WORD = re.compile(r"[A-Za-z0-9_-]{12,}")
_WHOLE = re.compile(r"[A-Za-z0-9_-]{12,}\Z")
_LETTERS = re.compile(r"[A-Za-z]{12,}")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


def _random_part(identifier: str) -> str:
    """What an identifier is known by: without its first sign, its server, its scheme."""
    if identifier.startswith("mxc://"):
        return identifier.rpartition("/")[2]
    if identifier[:1] in {"!", "$"}:
        return identifier[1:].partition(":")[0]
    return identifier


class Traces:
    """The identifiers of several rooms: room and event ids, aliases, media addresses, names of stored files."""

    def __init__(self, rooms: Mapping[str, Iterable[str]]) -> None:
        self._words: dict[str, str] = {}
        odd: dict[str, str] = {}
        for room, identifiers in rooms.items():
            for identifier in (room, *identifiers):
                part = _random_part(identifier)
                if _WHOLE.match(part):
                    self._words[part] = room
                else:
                    odd[identifier] = room
        self._odd = odd
        ends = "|".join(re.escape(each) for each in sorted(odd, key=len, reverse=True))
        self._odd_found = re.compile(f"(?:{ends})(?![A-Za-z0-9.:-])") if odd else None

    def rooms_in(self, text: str) -> set[str]:
        """Which rooms the text names."""
        if "%" in text:
            text = _ESCAPE.sub(" ", text)
        found = set()
        for word in _WORD.findall(text):
            room = self._words.get(word)
            if room is not None:
                found.add(room)
            else:
                found |= {self._words[part] for part in _LETTERS.findall(word) if part in self._words}
        if self._odd_found is not None:
            found |= {self._odd[odd] for odd in self._odd_found.findall(text)}
        return found
