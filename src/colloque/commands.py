"""How typed text is understood: which of the house's commands (`command_table`) it is, and with what.

Every bot in a room hears every line; the table says which one answers.
Parsing forgives case, accents, spaces, typography and stray punctuation, and raises on no text at all.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from colloque.command_table import COMMANDS, Command, Owner, Right
from colloque.numbers import digits, duration, fold, number, tidy

__all__ = [
    "COMMANDS", "Call", "Command", "Owner", "Right", "Unknown", "commands_for", "digits", "duration", "fold",
    "number", "parse",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """A command, understood."""

    command: Command
    words: tuple[str, ...]
    """The arguments as typed, one a word, without the punctuation around them."""
    rest: str
    """The same in one piece: case, accents and lines as typed, quotes, dashes and spaces made plain."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something after `!` that is no command. `near` is the one probably meant."""

    typed: str
    """The word or two in question, 40 characters at most."""
    near: Command | None


def commands_for(rights: Collection[Right], room: str) -> tuple[Command, ...]:
    """What help shows a person with these rights in a room of that kind (`anyone` goes without saying)."""
    allowed = {Right.ANYONE, *rights}
    return tuple(c for c in COMMANDS if c.right in allowed and room in c.rooms and not c.quiet)


def _key(name: str) -> str:
    return fold(name).replace(" ", "")


_BY_KEY = {_key(name): command for command in COMMANDS for name in (command.name, *command.aliases)}
_LONGEST = max(len(name.split()) for c in COMMANDS for name in (c.name, *c.aliases))
_FIRST_WORDS = {name.split()[0] for c in COMMANDS for name in (c.name, *c.aliases) if " " in name}

_AROUND = "`*_\\\"'"
"""Marks that clients, or people who copy from a help text, put around a command."""
_PUNCTUATION = ".,;:!?…()[]<>{}" + _AROUND
_LEAD = re.compile(rf"[\s{re.escape(_AROUND)}]*!")
_BEFORE = re.compile(rf"[\s\-{re.escape(_PUNCTUATION)}]*")
_LETTERS = re.compile(r"[^\W\d_]+")
_BETWEEN = re.compile(r"[\s\-_.,:'\"]*")
_CUTOFF = 0.6


def parse(text: str) -> Call | Unknown | None:
    """What somebody typed; None when it does not begin with `!`.

    The longest name wins: "patient ouvrir" before "patient". Its words may be glued or hyphenated.
    """
    plain = tidy(text)
    lead = _LEAD.match(plain)
    if lead is None:
        return None
    body = plain[_skip(_BEFORE, plain, lead.end()) :]
    heads = list(_heads(body))
    for word, end in reversed(heads):
        command = _BY_KEY.get(_key(word))
        if command is not None:
            return _call(command, body[end:], lead[0])
    return Unknown(_typed(body, heads), _near([word for word, _ in heads[:2]]))


def _skip(marks: re.Pattern[str], text: str, at: int) -> int:
    found = marks.match(text, at)
    return found.end() if found else at


def _heads(body: str) -> Iterator[tuple[str, int]]:
    """The first word, then the first two joined, then three, each with where it ends."""
    words: list[str] = []
    end = 0
    while len(words) < _LONGEST and (found := _LETTERS.match(body, _skip(_BETWEEN, body, end) if words else 0)):
        words.append(found[0])
        end = found.end()
        yield " ".join(words), end


def _call(command: Command, tail: str, lead: str) -> Call:
    rest = tail.lstrip(" \n.,;:!?…-").rstrip()
    rest = rest.rstrip("".join({*lead} & {*_AROUND}) + "`").rstrip()
    words = tuple(word for word in (raw.strip(_PUNCTUATION) for raw in rest.split()) if word.strip("-"))
    return Call(command, words, rest if words else "")


def _typed(body: str, heads: list[tuple[str, int]]) -> str:
    if not heads:
        return "".join(body.split(maxsplit=1)[:1])[:40]
    both = len(heads) > 1 and fold(heads[0][0]) in _FIRST_WORDS
    return (heads[1] if both else heads[0])[0][:40]


def _near(heads: list[str]) -> Command | None:
    """The closest name: of two words typed if there is one, else of the first."""
    for word in reversed(heads):
        found = difflib.get_close_matches(_key(word)[:40], _BY_KEY, n=1, cutoff=_CUTOFF)
        if found:
            return _BY_KEY[found[0]]
    return None
