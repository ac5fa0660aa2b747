"""A homeserver that writes down what it is told, with rooms whose past can be read and a place for files."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from colloque.clock import FrozenClock
from colloque.errors import BadInput, HomeUnavailable
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.home import Past, text
from tests.servers.salles_server import BOB, Server

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_EVENTS = itertools.count(1)


def said(words: str, who: UserId = BOB) -> Past:
    """A message of a confirmed device."""
    return Past(EventId(f"$past{next(_EVENTS)}"), who, NOON, "m.room.message", text(words), True)


def shared(name: str, url: str, size: int, who: UserId = BOB) -> Past:
    """A file that somebody shared."""
    content = {
        "msgtype": "m.file",
        "body": name,
        "filename": name,
        "info": {"mimetype": "image/png", "size": size},
        "file": {"url": url, "key": {"k": "secret"}, "iv": "iv", "hashes": {"sha256": "h"}},
    }
    return Past(EventId(f"$past{next(_EVENTS)}"), who, NOON, "m.room.message", content, True)


class Library(Server):
    """`unread` are raised by the next readings; a file that is not in `stored` can't be opened.

    `asked` are the files that were asked for; those whose addresses begin with `away` can't be had now.
    """

    def __init__(self, clock: FrozenClock) -> None:
        super().__init__()
        self.clock = clock
        self.past: list[Past] = []
        self.stored: dict[str, bytes] = {}
        self.files: list[bytes] = []
        self.unread: list[Exception] = []
        self.asked: list[str] = []
        self.away: tuple[str, ...] = ()

    async def history(self, room: RoomId) -> AsyncIterator[Past]:
        if self.unread:
            raise self.unread.pop()
        for each in self.past:
            yield each

    async def download(self, content: dict[str, Any]) -> bytes:
        try:
            url = content["file"]["url"]
            self.asked.append(url)
            if url.startswith(self.away):
                raise HomeUnavailable("away")
            return self.stored[url]
        except KeyError:
            raise BadInput("not an encrypted attachment") from None

    async def upload_encrypted(self, data: bytes, name: str, mime: str, *, to: MxcUri | None = None) -> dict[str, Any]:
        self.files.append(data)
        return {
            "msgtype": "m.file",
            "body": name,
            "filename": name,
            "info": {"mimetype": mime, "size": len(data)},
            "file": {"url": to},
        }
