"""What keeps a mail half alive, and with its share of the mailboxes: its beats, and what it takes and gives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from colloque import logs
from colloque.errors import Temporary
from colloque.identity import MssanteAddress
from colloque_mssante.access.known import Known
from colloque_mssante.mailboxes.filing import Filing
from colloque_mssante.mailboxes.presence import Presence
from colloque_mssante.mailboxes.sender import Sender
from colloque_mssante.mailboxes.watch import Watcher
from colloque_mssante.store.leases import BEAT_S, Leases
from colloque_mssante.store.originals import Originals
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.presence import Seeking
from colloque_mssante.store.reading import Reads

_LAST_S = 2.0
_SHARE_S = 1.0

logger = logging.getLogger(__name__)


class Heart:
    """One instance a process. `alone`: nobody but this process writes what it knows in memory."""

    def __init__(
        self,
        *,
        leases: Leases,
        watcher: Watcher,
        sender: Sender,
        filing: Filing,
        known: Known,
        outbox: Outbox,
        reads: Reads,
        originals: Originals,
        seeking: Seeking,
        presence: Presence,
        alone: bool,
    ) -> None:
        self._leases = leases
        self._watcher = watcher
        self._sender = sender
        self._filing = filing
        self._known = known
        self._outbox = outbox
        self._reads = reads
        self._originals = originals
        self._seeking = seeking
        self._presence = presence
        self._alone = alone

    @property
    def works(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What runs for ever, by name."""
        return {"beats": self.beat, "leases": self.share}

    async def beat(self) -> None:
        """Say that we live, for ever; at a stop in good order, that we don't."""
        try:
            while True:
                try:
                    if not await self._leases.beat():
                        logs.event(logger, "life.begins")
                except Temporary as error:
                    logs.event(logger, "life.untold", code=error.code)
                await asyncio.sleep(BEAT_S)
        except asyncio.CancelledError:
            with contextlib.suppress(Temporary, TimeoutError):
                async with asyncio.timeout(2 * _LAST_S):
                    await self._sender.rest(_LAST_S)
                    await self._leases.end()
            raise

    async def share(self) -> None:
        """Take what is ours to take and leave what is others', for ever."""
        while True:
            try:
                await self.once()
            except Temporary as error:
                logs.event(logger, "leases.wait", code=error.code)
            await asyncio.sleep(_SHARE_S)

    async def once(self) -> None:
        """One look."""
        if not self._leases.lives:
            return
        if not self._alone:
            await self._known.choices.load()
            await self._known.teams.load()
        self._known.wanted.refresh()
        taken = await self._leases.take(await self._wanted())
        if taken:
            await self._sender.take_over(taken)
            self._leases.keep(taken)
            self._sender.wake()
            await self._watcher.look()
        for mailbox in self._leases.leaving:
            if not any(each.busy(mailbox) for each in (self._watcher, self._sender, self._filing, self._presence)):
                await self._leases.let_go(mailbox)

    async def _wanted(self) -> set[MssanteAddress]:
        """Mailboxes for which there is something to do: to read, to send from, to file in, to mark, to forward from, to
        ask whether they have the mails of a thread that is to end."""
        reading = {address for address, _, _ in self._known.wanted.known}
        marking = {address for address, _ in await self._reads.waiting()}
        forwarding = {asked.mailbox for asked in await self._originals.asked()}
        asking = {address for address, _ in await self._seeking.waiting()}
        return reading | marking | forwarding | asking | set(await self._outbox.senders())
