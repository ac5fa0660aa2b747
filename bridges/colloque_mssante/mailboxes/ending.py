"""How a process of the bridge waits for its place, and ends when it loses it: others may have it from that moment."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from pathlib import Path

from colloque import logs
from colloque.service import Service
from colloque.store.slot import Slot
from colloque_mssante.mailboxes.mailing import MailHalf

_ANSWERS_S = 20.0
"""How long what was begun with the operator may take to end, and to be kept."""

logger = logging.getLogger(__name__)


class Ending:
    """One instance an opening of a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._task: asyncio.Task[None] | None = None
        self.half: MailHalf | None = None
        """The mail half of the process, once there is one. Its leases keep it in order without the place."""

    async def slot(self, stack: AsyncExitStack, url: str, folder: Path, number: int) -> Slot:
        """Wait for the place of that number; the service's health says `standby` meanwhile. Raises Temporary."""
        slot = Slot(url, folder, " colloque_mssante", number, lost=self._lose)
        stack.push_async_callback(slot.close)
        with self._service.standing_by():
            await slot.take()
        return slot

    def _lose(self) -> None:
        logs.event(logger, "place.lost", level=logging.WARNING)
        self._task = asyncio.create_task(self._end())

    async def _end(self) -> None:
        """Whatever knows Matrix ends at once. A mail that is leaving is let go, so that it is not in doubt."""
        self._service.cut(self.half.works if self.half is not None else ())
        if self.half is not None:
            await self.half.sender.rest(_ANSWERS_S)
        os._exit(1)  # nothing of what else would be done now is ours to do any more
