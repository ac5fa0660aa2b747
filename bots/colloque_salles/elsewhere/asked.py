"""Another server asks that our copy of its room be erased: looked at in our own copy, done durably, with a receipt.

Room ids of version 12 name no server, so whose room it is only our own copy tells. A room that nobody here knows is
"erased" like any other: the receipt says that there was nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from colloque.calls import JsonDict
from colloque.clock import Clock, monotonic
from colloque.errors import BadInput, ColloqueError, Refused
from colloque.identity import RoomId
from colloque.logs import event as log_event
from colloque.matrix.admin import SynapseAdmin
from colloque.rooms.elsewhere import NOT_YOURS, Copy, is_room, read_copy, refusal
from colloque.rooms.erasure import is_server, is_token
from colloque.store.journal import Journal
from colloque_salles.erasing.erase import Eraser
from colloque_salles.store.elsewhere import Asked, AskedErasures, GuestRooms, key
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.rooms import PatientRooms

log = logging.getLogger(__name__)

UNDER_WAY: JsonDict = {"state": "under_way"}


class Asking:
    """One instance a service."""

    def __init__(
        self,
        *,
        admin: SynapseAdmin,
        rows: AskedErasures,
        guests: GuestRooms,
        patients: PatientRooms,
        jobs: Jobs,
        eraser: Eraser,
        has_heard: Callable[[RoomId, float], bool],
        journal: Journal,
        clock: Clock,
    ) -> None:
        """`has_heard(room, moment)`: all that the homeserver had of the room by then was handled."""
        self._admin = admin
        self._rows = rows
        self._guests = guests
        self._patients = patients
        self._jobs = jobs
        self._eraser = eraser
        self._has_heard = has_heard
        self._journal = journal
        self._clock = clock
        self._since: dict[str, float] = {}

    async def erase_copy(self, server: str, room: str, ref: str) -> JsonDict:
        """What that server, whose signature was checked, is told: under way, or the receipt, the same each time.

        Raises Refused (reason: a code of `rooms.elsewhere`), BadInput, HomeUnavailable.
        """
        if not is_server(server) or not is_token(ref) or not is_room(room):
            raise BadInput("a room and the token that stands for it")
        asked = Asked(key(server, ref, RoomId(room)), server, ref, RoomId(room), None)
        known = await self._rows.get(asked.asked)
        if known is not None:
            return await self._answer(known)
        code, _ = await self._look(asked)
        if code:
            self._journal.note("room.erase_asked", outcome=code, server=server)
            raise Refused(code)
        await self._rows.put(asked)
        self._journal.note("room.erase_asked", ref=ref, outcome="taken_up", server=server)
        return UNDER_WAY

    async def _answer(self, known: Asked) -> JsonDict:
        if known.serial is None:
            return UNDER_WAY
        receipt = await self._jobs.receipt(known.serial)
        return {"state": "erased", "receipt": json.loads(receipt.body)}

    async def _look(self, asked: Asked) -> tuple[str, Copy]:
        """Why not, as a code; and what our copy says."""
        if await self._patients.get(asked.room) is not None:
            return NOT_YOURS, Copy()
        copy = read_copy(await self._admin.state(asked.room))
        if copy.creator is not None:
            return refusal(copy, asked.server, self._clock.now()), copy
        if await self._admin.room(asked.room) is None:
            return "", copy
        # Nothing but invitations: their sender told our bot what room it is.
        guest = await self._guests.get(asked.room)
        return "" if guest is not None and guest.origin == asked.server else NOT_YOURS, copy

    async def once(self) -> None:
        """Begin what was taken up, once all that people here shared was heard; one that fails holds up no other."""
        for asked in await self._rows.open():
            try:
                if await self._jobs.get(asked.room) is None:
                    await self._begin(asked)
            except ColloqueError as error:
                log_event(log, "erasure.deferred", level=logging.WARNING, server=asked.server, code=error.code)

    async def _begin(self, asked: Asked) -> None:
        code, copy = await self._look(asked)
        guest = await self._guests.get(asked.room)
        since = self._since.setdefault(asked.asked, monotonic())
        if code:
            log_event(log, "erasure.refused_later", level=logging.WARNING, server=asked.server, code=code)
            self._journal.note("room.erase_asked", ref=asked.ref, outcome=code, server=asked.server)
            await self._rows.drop(asked.asked)
        elif guest is not None and not self._has_heard(asked.room, since):
            return
        else:
            await self._eraser.start_copy(asked, copy, guest)
        del self._since[asked.asked]
