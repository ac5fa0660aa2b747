"""What only @salles may do for a mail thread that ends, asked over its socket: delete its files, sign its receipt."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime

from colloque.clock import to_millis
from colloque.identity import EventId, MxcUri, UserId
from colloque.sockets import Client

_PAGE = 500


class ThreadEraser:
    """Everything is safe to repeat, and raises Refused, BadInput, Temporary. `token`: 32 hex digits, made up."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def note(
        self,
        token: str,
        events: Iterable[EventId],
        files: Iterable[tuple[MxcUri, UserId]],
        shared: Iterable[tuple[MxcUri, UserId]],
    ) -> None:
        """Before `erase`: the thread's events, all withdrawn, and its files with who shared each; `shared`: those that
        another thread shares, too.
        """
        for page in _pages(events):
            await self._client.call("thread_note", token=token, events=page, files=[], shared=[])
        for pairs in _pages(files):
            await self._client.call("thread_note", token=token, events=[], files=pairs, shared=[])
        for pairs in _pages(shared):
            await self._client.call("thread_note", token=token, events=[], files=[], shared=pairs)

    async def erase(
        self,
        token: str,
        *,
        began_at: datetime,
        last_at: datetime,
        members: int,
        remote: int,
        undecryptable: int,
    ) -> int:
        """End what was noted; the number of its receipt, 0 while there is none: ask again.

        `remote`: how many of the members are of other servers.
        """
        answer = await self._client.call(
            "thread_erase",
            token=token,
            began_at=to_millis(began_at),
            last_at=to_millis(last_at),
            members=members,
            remote=remote,
            undecryptable=undecryptable,
        )
        return int(answer["serial"])

    async def forget(self, token: str) -> None:
        """The receipt's number is known here."""
        await self._client.call("thread_forget", token=token)


def _pages(values: Iterable[object]) -> Iterator[list[object]]:
    rest = iter(values)
    while page := list(itertools.islice(rest, _PAGE)):
        yield page
