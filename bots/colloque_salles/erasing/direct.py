"""Erasing what was written in a direct room or a group: whole, or the old messages of one that goes on.

Both are jobs of `erase`: the same steps, look and receipt. What is particular to them stands here. Nobody of ours is
in the room: its events are known from the server's list alone, and nobody can close it first. So the server is asked
again right before it is asked to delete, and a message, or a hold, that came meanwhile stops the job.

    purge    (old messages) ask Synapse to delete what stands before the first young message; then as any other job
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from colloque.clock import Clock, from_millis, to_millis
from colloque.errors import HomeRefused
from colloque.identity import EventId, RoomId, server_of
from colloque.logs import event as log_event
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.admin_history import PurgeState, SynapseHistory
from colloque.rooms.direct import DirectRoom, End, Purge, Said, is_held, is_young, plan
from colloque.rooms.erasure import Kind
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_salles.erasing.cleaning import Cleaning
from colloque_salles.erasing.direct_files import Uploads
from colloque_salles.erasing.unheard import Listing
from colloque_salles.store.direct import DirectRooms
from colloque_salles.store.jobs import ErasureRow, Jobs

PURGE = "purge"
"""The first step of a job about old messages."""
UNKNOWN = timedelta(minutes=5)
"""How long a purge that may have been asked for is waited for."""
_KINDS = {
    (True, False): Kind.DIRECT,
    (True, True): Kind.GROUP,
    (False, False): Kind.DIRECT_MESSAGES,
    (False, True): Kind.GROUP_MESSAGES,
}
"""By whether the room goes whole, and whether it is a group."""
log = logging.getLogger(__name__)


class DirectErasing:
    """One instance a service. `forget`: has @annuaire, which made a room, forget it; raises Temporary."""

    def __init__(
        self,
        *,
        admin: SynapseAdmin,
        history: SynapseHistory,
        directs: DirectRooms,
        uploads: Uploads,
        jobs: Jobs,
        listing: Listing,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
        cleaning: Cleaning,
        forget: Callable[[RoomId], Awaitable[None]],
    ) -> None:
        self._admin = admin
        self._history = history
        self._directs = directs
        self.uploads = uploads
        self._jobs = jobs
        self.listing = listing
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._cleaning = cleaning
        self.forget = forget

    async def start(self, room: DirectRoom, what: End | Purge, cut: int) -> None:
        """Begin the job; `cut` (milliseconds): what was written before is old. A room has one of each at a time."""
        whole = isinstance(what, End)
        ref = await self._keys.token(room.room, "erase" if whole else PURGE)
        files, kept = await self.uploads.of(room.members, from_millis(cut))
        events = what.messages if isinstance(what, End) else len(what.events)
        last = what.last if isinstance(what, End) else self._clock.now()
        manifest: dict[str, Any] = {
            "kind": _KINDS[whole, room.group],
            "ref": ref,
            "token": await self._keys.token(room.room, room.room),
            "words": "",
            "members": sorted(room.members),
            "opened_at": to_millis(room.opened_at),
            "closed_at": to_millis(last),
            "events": events,
            "undecryptable": events,
            "files": files,
            "kept_files": kept,
            "cut": cut,
            "abroad": len({server_of(user) for user in room.members}) > 1,
        }
        self._journal.begin("room.erase", actor="system", ref=ref, files=len(files), events=events)
        if isinstance(what, End):
            await self._jobs.start(room.room, manifest)
        else:
            more = {"room": room.room, "upto": what.upto}
            await self._jobs.start(RoomId(f"{PURGE}-{ref}"), manifest | more, step=PURGE, events=what.events)

    async def is_over(self, row: ErasureRow) -> bool:
        """Asked right before the room is deleted: is it still neither held nor written in?"""
        room = await self._directs.get(row.room)
        if room is None or is_held(room, self._clock.now()):
            return False
        cut = from_millis(row.manifest["cut"])
        return isinstance(plan(room, await self.history(room.room, cut=row.manifest["cut"]), cut), End)

    async def history(self, room: RoomId, *, cut: int) -> list[Said]:
        """The room's events from its beginning up to the first young message."""
        found, since = [], from_millis(cut)
        async for said in self._history.events(room):
            found.append(said)
            if is_young(said, since):
                break
        return found

    async def purge(self, row: ErasureRow) -> None:
        """Old messages go; safe to repeat."""
        talk = RoomId(row.manifest["room"])
        room = await self._directs.get(talk)
        left = await self._left(row)
        state = await self._history.purged(row.manifest["begun"]) if "begun" in row.manifest else None
        if not left:
            await self._jobs.at_step(row.room, "files")
        elif state in {PurgeState.SCHEDULED, PurgeState.ACTIVE} or (state is None and self._may_be_asked(row)):
            return
        elif state is PurgeState.COMPLETE:
            await self._narrow(row, left)
        elif room is not None and is_held(room, self._clock.now()):
            await self.stop(row)
        else:
            await self._cleaning.before(row)
            await self._jobs.noted(row.room, PURGE, {"asked_at": to_millis(self._clock.now())})
            try:
                begun = await self._history.purge(talk, EventId(row.manifest["upto"]))
            except HomeRefused as error:
                # The event that was to stay is gone, or the room: the next round sees what there is.
                log_event(log, "direct.purge_refused", code=error.errcode)
                await self.stop(row)
            else:
                await self._jobs.noted(row.room, PURGE, {"begun": begun})

    def _may_be_asked(self, row: ErasureRow) -> bool:
        """Did we die before the answer came? Then the server may be at it, under a name that we don't know."""
        asked = row.manifest.get("asked_at")
        return "begun" not in row.manifest and asked is not None and self._clock.now() < from_millis(asked) + UNKNOWN

    async def is_purged(self, row: ErasureRow) -> bool:
        """Does the server list none of the messages any more?"""
        return not await self._left(row)

    async def _left(self, row: ErasureRow) -> set[EventId]:
        """Which of the messages the server lists still."""
        talk = RoomId(row.manifest["room"])
        if await self._admin.room(talk) is None:
            return set()
        theirs, left = set(await self._jobs.events(row.room)), set()
        async for said in self._history.events(talk):
            if said.event in theirs:
                left.add(said.event)
            if said.event == row.manifest["upto"]:
                break
        return left

    async def _narrow(self, row: ErasureRow, left: set[EventId]) -> None:
        """Messages beside the first one that stays, at its depth, are not the purge's; nor those that another server
        has sent again: the job is about the others, and a later round about these."""
        log_event(log, "direct.narrowed", left=len(left))
        gone = [event for event in await self._jobs.events(row.room) if event not in left]
        if not gone:
            await self.stop(row)
            return
        await self._cleaning.forget(row.room)
        await self._jobs.narrow(row.room, left, {"events": len(gone), "undecryptable": len(gone)})

    async def stop(self, row: ErasureRow) -> None:
        """Nothing of it was deleted, and nothing is to be."""
        act = self._journal.begin("room.erase", actor="system", ref=row.manifest["ref"])
        await self._cleaning.forget(row.room)
        await self._jobs.stop(row.room)
        self._journal.end(act, "interrupted")
