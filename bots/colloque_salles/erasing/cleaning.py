"""The erasure's steps beyond Synapse's own deletion: what it leaves is removed, and looked for with other eyes.

    before   reports of the room's events are deleted while Synapse lists them; the helper notes what names the room
    clean    the helper deletes by the reviewed list; our own keys of the room go
    scan     one look at everything serves every room that waits for it; what no rule expects is cleaned again, a
             bounded number of times, then counted in the receipt and told in the admin room
    forget   the helper drops its notes

Without a helper (`salles.cleaner` is not configured) the receipt says that Synapse's side tables were not looked at.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from colloque.clock import Clock, monotonic, to_millis
from colloque.config import Config
from colloque.identity import MxcUri, RoomId
from colloque.logs import event as log_event
from colloque.matrix.admin import SynapseAdmin
from colloque.rooms.leftovers import UNREADABLE, as_code, is_expected, why
from colloque.rooms.media import server_of_media
from colloque.sockets import Client
from colloque.store.incidents import Incidents
from colloque_salles.cleaner.work import CLEANER, SLOW_S
from colloque_salles.erasing.own_stores import OwnStores
from colloque_salles.store.jobs import ErasureRow, Jobs
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.texts import cleaning as texts

TRIES = 3
"""How often what no rule expects is cleaned and looked for."""
RETRY_S = 30.0
"""Between two tries: time for Synapse to finish what it was at."""
SIDE_TABLES = "server_identifiers"
"""What a receipt says is out of reach when Synapse's side tables were not looked at, or not for everything."""
GATHER_S = 60.0
"""How long a room waits for others that are still being deleted, so that one look serves them all."""
_BEFORE = frozenset({"delete", "purge", "files", "verify", "clean"})
_PAGE = 1000
SCHEMA_INCIDENT, LEFT_INCIDENT = "erasure.schema", "erasure.left"

log = logging.getLogger(__name__)


class Cleaning:
    """The steps, one room at a time. `files`: those that the job deletes."""

    def __init__(
        self,
        *,
        config: Config,
        admin: SynapseAdmin,
        patients: PatientRooms,
        jobs: Jobs,
        incidents: Incidents,
        forget_keys: Callable[[RoomId], Awaitable[None]],
        own: OwnStores,
        clock: Clock,
        retry_s: float = RETRY_S,
    ) -> None:
        self._admin = admin
        self._patients = patients
        self._jobs = jobs
        self._incidents = incidents
        self._forget_keys = forget_keys
        self._own = own
        self._clock = clock
        self._waits: dict[RoomId, float] = {}
        self._retry = timedelta(seconds=retry_s)
        self._server = config.homeserver.server_name
        configured = config.salles.cleaner is not None
        self._helper = Client(config.socket(CLEANER), "salles", timeout_s=SLOW_S + 10) if configured else None

    async def before(self, row: ErasureRow) -> None:
        """Before Synapse is asked to delete. Safe to repeat.

        Files are noted later, by `clean`: until they are deleted, another room may come to share one.
        """
        purged = frozenset(await self._jobs.events(row.room)) if row.of_messages else None
        for number in await self._admin.reports(RoomId(row.manifest.get("room", row.room)), purged):
            await self._admin.delete_report(number)
        await self._note(row, ())

    async def clean(self, row: ErasureRow, files: Sequence[MxcUri]) -> None:
        """Remove what is left; on to the look. Between two tries it waits at this step."""
        if to_millis(self._clock.now()) < row.manifest.get("again_at", 0):
            return
        await self._forget_keys(row.room)
        if self._helper is not None:
            # The files; and a job that began before the helper was there was noted by nobody.
            await self._note(row, files)
            answer = await self._helper.call("clean_messages" if row.of_messages else "clean", room=row.room)
            await self._tell_schema(answer)
            await self._jobs.noted(row.room, "scan", {"reviewed": bool(answer["reviewed"])})
        else:
            await self._jobs.noted(row.room, "scan", {"reviewed": False})

    async def scan(self, row: ErasureRow, files: Sequence[MxcUri]) -> None:
        """Look; on to the receipt, or back to cleaning. Stays at this step while the look is under way."""
        seen: Mapping[str, Any] = {"found": {}, "unreadable": [], "whole": False}
        if self._helper is not None:
            waiting = await self._gathered(row)
            done = (await self._helper.call("look", rooms=waiting))["done"]
            if row.room not in done:
                return
            seen = done[row.room]
        own = await asyncio.to_thread(self._own.look, row.room, await self._jobs.events(row.room), files)
        left = _left(seen, own, reviewed=row.manifest["reviewed"], lives=row.of_messages)
        faults = [name for name, _, reason in left if not is_expected(reason)]
        tries = row.manifest.get("tries", 0) + 1
        if faults and row.manifest["reviewed"] and tries < TRIES:
            log_event(log, "erasure.again", tries=tries, places=",".join(faults))
            again = to_millis(self._clock.now() + self._retry)
            await self._jobs.noted(row.room, "clean", {"tries": tries, "again_at": again})
            return
        if faults:
            await self._tell_left(row, faults)
        unseen = [] if seen["whole"] else [SIDE_TABLES]
        await self._jobs.noted(row.room, "receipt", {"left": left, "unseen": unseen, "tries": tries})

    async def _gathered(self, row: ErasureRow) -> list[RoomId]:
        """The rooms that one look is for; none while others are about to come."""
        rows = await self._jobs.under_way()
        coming = any(each.step in _BEFORE and "tries" not in each.manifest for each in rows)
        since = self._waits.setdefault(row.room, monotonic())
        if coming and monotonic() - since < GATHER_S:
            return []
        return [each.room for each in rows if each.step == row.step]

    async def forget(self, room: RoomId) -> None:
        """The job is over."""
        self._waits.pop(room, None)
        if self._helper is not None:
            await self._helper.call("forget", room=room)

    async def _note(self, row: ErasureRow, files: Sequence[MxcUri]) -> None:
        if self._helper is None:
            return
        if row.of_messages:
            await self._note_messages(row, files)
            return
        known = await self._patients.files(row.room)
        remote = [mxc for mxc, shared in known if not shared and server_of_media(mxc) != self._server]
        events = iter(await self._jobs.events(row.room))
        first: list[str] = list(itertools.islice(events, _PAGE))
        await self._helper.call("note", room=row.room, events=first, files=list(files), remote=remote)
        while more := list(itertools.islice(events, _PAGE)):
            await self._helper.call("note", room=row.room, events=more, files=[], remote=[])

    async def _note_messages(self, row: ErasureRow, files: Sequence[MxcUri]) -> None:
        assert self._helper is not None
        events = await self._jobs.events(row.room)
        for begin in range(0, max(len(events), 1), _PAGE):
            page = list(events[begin : begin + _PAGE])
            await self._helper.call("note_messages", room=row.room, events=page, files=list(files) if not begin else [])

    async def _tell_schema(self, answer: Mapping[str, Any]) -> None:
        if answer["reviewed"]:
            await self._incidents.close(SCHEMA_INCIDENT)
        else:
            await self._incidents.open(SCHEMA_INCIDENT, texts.schema_not_reviewed(answer["schema"][0]))

    async def _tell_left(self, row: ErasureRow, places: Sequence[str]) -> None:
        """Told once: an incident that is over as soon as it is written stays until it is posted."""
        key = f"{LEFT_INCIDENT}.{row.manifest['ref']}"
        words = row.manifest["words"]
        await self._incidents.open(key, texts.left(words, places) if words else texts.left_of_direct(places))
        await self._incidents.close(key)


def _left(
    seen: Mapping[str, Any], own: Mapping[str, int], *, reviewed: bool, lives: bool
) -> list[tuple[str, int, str]]:
    """Every place that still names the room: name, how many rows or files, and why, as codes."""
    found = {**seen["found"], **own}
    named = [
        (as_code(place), count, why(place, reviewed=reviewed, lives=lives)) for place, count in sorted(found.items())
    ]
    return [*named, *((as_code(place), 1, UNREADABLE) for place in sorted(seen["unreadable"]))]
