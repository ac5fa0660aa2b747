"""What only @salles may do for a mail thread that ends, asked over its socket: delete its files, sign its receipt."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime

from colloque.clock import to_millis
from colloque.identity import EventId, MxcUri, UserId
from colloque.sockets import Client

_PAGE = 500


class ThreadEraser:
    """Everything is safe to repeat, and raises Refused, BadInput, Temporary. `token`: 32 hex digits, made up."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def note(self, token: str, events: Iterable[EventId], files: Iterable[tuple[MxcUri, UserId]]) -> None:
        """Before `erase`: the thread's events, all withdrawn, and its files with who shared each."""
        rest, pairs = iter(events), iter(files)
        while page := list(itertools.islice(rest, _PAGE)):
            await self._client.call("thread_note", token=token, events=page, files=[])
        while shared := list(itertools.islice(pairs, _PAGE)):
            await self._client.call("thread_note", token=token, events=[], files=[list(pair) for pair in shared])

    async def erase(
        self,
        token: str,
        *,
        began_at: datetime,
        last_at: datetime,
        members: int,
        remote: int,
        undecryptable: int,
        kept: Mapping[str, int],
    ) -> int:
        """End what was noted; the number of its receipt, 0 while there is none: ask again.

        `remote`: how many of the members are of other servers. `kept` counts the files that stay, by reason (a code).
        """
        answer = await self._client.call(
            "thread_erase",
            token=token,
            began_at=to_millis(began_at),
            last_at=to_millis(last_at),
            members=members,
            remote=remote,
            undecryptable=undecryptable,
            kept=dict(kept),
        )
        return int(answer["serial"])

    async def forget(self, token: str) -> None:
        """The receipt's number is known here."""
        await self._client.call("thread_forget", token=token)
