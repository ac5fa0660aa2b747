"""From the mailbox to the inbox: mails are fetched to memory or, when they are big, to a file; then kept in batches."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from colloque import logs
from colloque.errors import NotFound, Tampered, Temporary
from colloque.mail.imap import Fetched, ImapClient
from colloque_mssante.rules.weights import LIGHT, Weights
from colloque_mssante.store.inbox import Taken
from colloque_mssante.store.mailboxes import Cursor

_BATCH, _BATCH_BYTES = 20, 1_000_000
"""Mails that are stored in one transaction."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Got:
    """A mail that was fetched. `fetched` is None where a defect of ours prevented that."""

    uid: int
    fetched: Fetched | None = field(repr=False)

    @property
    def size(self) -> int:
        """In bytes."""
        return self.fetched.size if self.fetched is not None else 0


class Fetching:
    """One instance a process. Big mails wait in `folder`, without a name: nothing is left of them after a crash."""

    def __init__(self, folder: Path, weights: Weights) -> None:
        self._folder = folder
        self._weights = weights
        # One thread reads big mails: of each that ever did, the allocator keeps the room of one.
        self._reader = ThreadPoolExecutor(1)

    async def one(self, client: ImapClient, cursor: Cursor, uid: int) -> Got | None:
        """One mail; None where it is gone, or too old to be shown. Raises Temporary, Tampered."""
        try:
            fetched = await client.fetch(uid, self._folder)
        except (Temporary, Tampered):
            raise
        except NotFound:
            logs.event(logger, "mail.gone")
            return None
        except Exception:
            logger.exception("mail.unfetched")
            return Got(uid, None)
        if fetched.internal_date >= cursor.since:
            return Got(uid, fetched)
        fetched.body.close()
        return None

    @asynccontextmanager
    async def batch(
        self, client: ImapClient, cursor: Cursor, uids: deque[int]
    ) -> AsyncIterator[tuple[int, list[Taken]]]:
        """The next few of `uids`, which go away from it: up to which, and those of them that are to be kept.

        Raises Temporary, Tampered; then nothing is kept.
        """
        upto, size, got = cursor.uid, 0, list[Got]()
        with ExitStack() as files:
            while uids and len(got) < _BATCH and size < _BATCH_BYTES:
                upto = uids.popleft()
                each = await self.one(client, cursor, upto)
                if each is not None:
                    got.append(each)
                    size += each.size
                    if each.fetched is not None:
                        files.callback(each.fetched.body.close)
            async with self.whole(got) as taken:
                yield upto, taken

    @asynccontextmanager
    async def whole(self, got: Sequence[Got]) -> AsyncIterator[list[Taken]]:
        """The mails themselves, in memory, as soon as there is room for them."""
        size = sum(each.size for each in got)
        async with self._weights.bearing(size):
            if size < LIGHT:
                yield _read(got)
            else:
                yield await asyncio.get_running_loop().run_in_executor(self._reader, _read, got)


def _read(got: Sequence[Got]) -> list[Taken]:
    return [Taken(each.uid, each.fetched.take() if each.fetched is not None else None) for each in got]
