"""From the inbox into rooms: one mailbox's mails in their order, one task a mailbox; a row goes away with the link.

What fails because something is away waits, and all of its mailbox behind it. A mail that fails for itself is tried
again later, at last given up, and never in others' way.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import nullcontext

from mautrix.util.async_db import Database

from colloque import logs
from colloque.clock import Clock, monotonic
from colloque.errors import AntivirusUnavailable, Temporary
from colloque.identity import MssanteAddress
from colloque_mssante.access.wanted import Wanted
from colloque_mssante.arriving.inbound import AT_ONCE_BYTES, Inbound
from colloque_mssante.mailboxes.giving_up import STUCK_WAIT, TRIES, GivingUp
from colloque_mssante.rules.bell import Bell
from colloque_mssante.rules.weights import Weights
from colloque_mssante.store.inbox import Inbox, Waiting, give_back
from colloque_mssante.store.mailboxes import Mailboxes, Place

_LOOK_S = 1.0
_BACK_OFF_S = (1.0, 60.0)
_AT_ONCE = 64
"""Mailboxes whose mails are shown at the same time; big ones take turns (`weights`)."""

logger = logging.getLogger(__name__)


class Delivery:
    """One instance a process."""

    def __init__(
        self,
        *,
        db: Database,
        inbox: Inbox,
        inbound: Inbound,
        mailboxes: Mailboxes,
        wanted: Wanted,
        giving_up: GivingUp,
        weights: Weights,
        clock: Clock,
    ) -> None:
        self._db = db
        self._inbox = inbox
        self._inbound = inbound
        self._mailboxes = mailboxes
        self._wanted = wanted
        self._giving_up = giving_up
        self._weights = weights
        self._clock = clock
        self._news = Bell()
        self._tasks: dict[MssanteAddress, asyncio.Task[None]] = {}
        self._pauses: dict[MssanteAddress, tuple[float, float]] = {}
        """Until when (monotonic) a mailbox waits, and for how long it did."""
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._suspects = asyncio.Lock()
        """Held while a mail is shown that failed before and might end this process."""

    def wake(self) -> None:
        """Something new stands in the inbox."""
        self._news.ring()

    async def run(self) -> None:
        """Show what waits, for ever."""
        try:
            while True:
                self._news.hush()
                await self._look()
                await self._news.heard(_LOOK_S)
        finally:
            tasks = set(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        self._wanted.refresh()
        for address, owner in await self._inbox.due():
            if not self._wanted.holds(address, owner):
                if self._wanted.complete and address not in self._tasks:
                    # Nobody may see it now. It stays where it came from, and is fetched again if that changes.
                    await give_back(self._db, address)
            elif address not in self._tasks and monotonic() >= self._pauses.get(address, (0.0, 0.0))[0]:
                task = asyncio.create_task(self._drain(address))
                self._tasks[address] = task
                task.add_done_callback(self._done(address))

    def _done(self, address: MssanteAddress) -> Callable[[asyncio.Task[None]], None]:
        def forget(task: asyncio.Task[None]) -> None:
            self._tasks.pop(address, None)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._pause(address)
                if isinstance(error, Temporary):
                    logs.event(logger, "mailbox.waits", code=error.code)
                else:
                    logger.error("delivery.failed", exc_info=error)
            self._news.ring()

        return forget

    def _pause(self, address: MssanteAddress) -> None:
        _, before = self._pauses.get(address, (0.0, 0.0))
        pause = min(max(before * 2, _BACK_OFF_S[0]), _BACK_OFF_S[1])
        spread = random.uniform(0.75, 1.25)  # noqa: S311 - so that not all come at once
        self._pauses[address] = (monotonic() + pause * spread, pause)

    async def _drain(self, address: MssanteAddress) -> None:
        """Everything of a mailbox that is to be shown now. Raises Temporary."""
        async with self._places:
            while (waiting := await self._inbox.next(address)) is not None:
                box = waiting.place.box
                if not self._wanted.holds(box.address, box.owner):
                    return
                try:
                    async with self._weights.bearing(waiting.size):
                        raw = await self._inbox.whole(waiting)
                        if raw is not None:
                            await self._one(waiting, raw)
                except AntivirusUnavailable:
                    await self._mailboxes.note_state(address, "unscanned")
                    raise
                if self._pauses.pop(address, None) is not None:
                    await self._mailboxes.note_state(address, "ok", only_from="unscanned")

    async def _one(self, waiting: Waiting, raw: bytes) -> None:
        place = waiting.place
        try:
            if len(raw) > AT_ONCE_BYTES:
                await self._counted(waiting, raw)
            else:
                await self._inbound.deliver(place, raw)
        except Temporary:
            raise
        except Exception:
            logger.exception("mail.stuck")
            if await self._inbox.failed(place, self._clock.now() + STUCK_WAIT) >= TRIES:
                await self._give_up(place, raw)

    async def _counted(self, waiting: Waiting, raw: bytes) -> None:
        """Show a mail that might end this process, which leaves nothing to catch: its failure counts beforehand.

        Each that was being shown at that moment counts as failed. So these take turns: only the one to blame fails
        again.
        """
        place, tries = waiting.place, waiting.tries
        if tries >= TRIES:
            await self._give_up(place, raw)
            return
        async with self._suspects if tries else nullcontext():
            await self._inbox.begun(place, tries + 1)
            try:
                await self._inbound.deliver(place, raw)
            except BaseException:
                await self._inbox.begun(place, tries)
                raise

    async def _give_up(self, place: Place, raw: bytes) -> None:
        await self._inbound.give_up(place.box, raw)
        await self._giving_up.give_up(place)
