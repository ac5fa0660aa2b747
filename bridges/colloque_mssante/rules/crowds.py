"""Rooms in which many senders stand: whose mails one thread holds there. Message-IDs alone don't tell: anybody may name
somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

CROWDS = frozenset({"nobody", "operator"})
"""Keys of correspondents (`ghosts.Correspondent`) that stand for whoever it was."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a mail: a correspondent's key, empty where it was not kept; and the address it came from."""

    who: str
    address: str = field(repr=False)


def from_one(mails: Iterable[Author]) -> bool:
    """True when one correspondent wrote them all, as far as is known; False without any."""
    authors = list(mails)
    return bool(authors) and all(_same(authors[0], other) for other in authors[1:])


def _same(one: Author, other: Author) -> bool:
    if _told(one) and _told(other):
        return one.who == other.who
    return one.address != "" and one.address == other.address


def _told(author: Author) -> bool:
    return author.who not in {"", *CROWDS}
