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
from colloque.errors import MailDeferred, NotFound, Tampered, Temporary
from colloque.identity import MssanteAddress
from colloque.mail.imap import Fetched, ImapClient
from colloque_mssante.rules.weights import LIGHT, Weights
from colloque_mssante.store.inbox import Taken
from colloque_mssante.store.mailboxes import Cursor

_BATCH, _BATCH_BYTES = 20, 1_000_000
"""Mails that are stored in one transaction."""
_SESSIONS = 3
"""Logged in that often, and one mail never came: it is passed over, and asked for again on its own."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Got:
    """A mail that was fetched. `fetched` is None where a defect of ours, or of the server's, prevented that."""

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
        self._withheld: dict[MssanteAddress, tuple[int, int]] = {}
        """The UID that a mailbox's server did not give last, and how many sessions that ended."""

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

        Raises Temporary, Tampered; what came before is given first, where something did. A mail that ended so many
        sessions is given as one that could not be fetched.
        """
        upto, size, got, trouble = cursor.uid, 0, list[Got](), None
        with ExitStack() as files:
            while uids and trouble is None and len(got) < _BATCH and size < _BATCH_BYTES:
                try:
                    each = await self.one(client, cursor, uids[0])
                except Temporary as error:
                    trouble, each = error, self._not_given(cursor.address, uids[0], error)
                    if each is None:
                        break
                upto = uids.popleft()
                if each is not None:
                    got.append(each)
                    size += each.size
                    if each.fetched is not None:
                        files.callback(each.fetched.body.close)
            if trouble is None or got:
                async with self.whole(got) as taken:
                    yield upto, taken
            if trouble is not None:
                raise trouble

    def _not_given(self, mailbox: MssanteAddress, uid: int, error: Temporary) -> Got | None:
        """That mail as one that can't be fetched, where it was not given often enough; None: to be waited for."""
        if not isinstance(error, MailDeferred):
            return None  # ours to mend: a full disk
        before, sessions = self._withheld.get(mailbox, (uid, 0))
        sessions = sessions + 1 if before == uid else 1
        if sessions < _SESSIONS:
            self._withheld[mailbox] = (uid, sessions)
            return None
        self._withheld.pop(mailbox, None)
        logs.event(logger, "mail.not_given", level=logging.WARNING)
        return Got(uid, None)

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
