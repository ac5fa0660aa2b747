"""Once a day the head of the chain of receipts is shown in the admin room: whoever cuts or remakes the chain later,
with the key and the whole server in their hands, can't take back what administrators' devices have shown.
"""

from __future__ import annotations

import json
import logging
from datetime import date

from colloque.clock import PARIS, Clock
from colloque.errors import HomeRefused
from colloque.identity import RoomId
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.rooms.anchors import Anchor
from colloque.rooms.mark import ADMIN_KEY
from colloque.store.rooms import Rooms
from colloque_salles.store.anchors import Anchors, Shown
from colloque_salles.store.jobs import Jobs
from colloque_salles.texts.anchors import anchor

log = logging.getLogger(__name__)


class Anchoring:
    """One instance a service."""

    def __init__(self, *, home: Home, rooms: Rooms, jobs: Jobs, anchors: Anchors, clock: Clock) -> None:
        self._home = home
        self._rooms = rooms
        self._jobs = jobs
        self._anchors = anchors
        self._clock = clock

    async def once(self) -> None:
        """Show what is to be shown; nothing, on a day that has its head or without a new receipt.

        What is shown is written down first: after a crash the same head goes out again, under the same transaction.
        Raises Temporary.
        """
        room = await self._rooms.get(ADMIN_KEY)
        if room is None or not await self._post(room.room):
            return
        await self._note()
        await self._post(room.room)

    async def _note(self) -> None:
        day = self._clock.now().astimezone(PARIS).date().isoformat()
        newest, last = await self._jobs.on_disk(), await self._anchors.last()
        if newest is None or await self._anchors.on(day):
            return
        count, row = newest
        head = json.loads(row.body)["hash"]
        if last is None or last.head != head:
            await self._anchors.add(Shown(last.number + 1 if last else 1, day, row.serial, count, head))

    async def _post(self, room: RoomId) -> bool:
        """False when the admin room takes nothing now: what is written down stays, and is all that waits."""
        for shown in await self._anchors.to_post():
            words = anchor(date.fromisoformat(shown.day), Anchor(shown.serial, shown.head), shown.receipts)
            try:
                await self._home.send(room, text(words, notice=True), txn=f"anchor-{shown.number}-{shown.head[:16]}")
            except HomeRefused as error:
                log_event(log, "anchor.refused", level=logging.WARNING, code=error.errcode)
                return False
            await self._anchors.posted(shown.number)
        return True
