"""The sweep: each room gets the one step that is due. Timers live in the database; a late sweep never erases early."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

from colloque.clock import Clock, monotonic, to_millis
from colloque.errors import ColloqueError, HomeRefused, Temporary
from colloque.identity import RoomId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.rooms.lifecycle import (
    Close,
    Erase,
    LifetimeRule,
    Postpone,
    Remind,
    Step,
    Warn,
    ends_by_itself,
    next_step,
    too_many,
)
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_salles.erasing.erase import Eraser
from colloque_salles.living.holding import Holding
from colloque_salles.living.membership import Membership
from colloque_salles.living.prolonging import STEP, announce
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.life import RoomLife
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.texts import life as texts_life
from colloque_salles.texts import rooms as texts

MANY = "rooms.many"
"""The incident of too many rooms that would end at once."""
FAILED = "rooms.failed"
"""The incident of a room that can't be read, or whose step fails for no reason that is known."""
log = logging.getLogger(__name__)

_SILENT = 100
"""The power level that writing needs in a closed room: above every clinician's."""


class Sweep:
    """Runs over all rooms; a room that fails holds back no other."""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        life: RoomLife,
        holding: Holding,
        jobs: Jobs,
        incidents: Incidents,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
        rule: LifetimeRule,
        many_share: float,
        eraser: Eraser,
        membership: Membership,
        has_heard: Callable[[RoomId, float], bool],
    ) -> None:
        """`has_heard(room, moment)`: all that the homeserver had of the room by then was handled."""
        self._home = home
        self._patients = patients
        self._life = life
        self._holding = holding
        self._jobs = jobs
        self._incidents = incidents
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._rule = rule
        self._many_share = many_share
        self._eraser = eraser
        self._membership = membership
        self._has_heard = has_heard
        self._put_off: dict[RoomId, float] = {}
        """Rooms that are to be closed or erased once all was heard that the homeserver had at that moment."""
        self._failed = False

    async def once(self) -> None:
        """One pass: due steps, then one move of every erasure under way. What fails holds back nothing else."""
        before, self._put_off, self._failed = self._put_off, {}, False
        await self._guarded(self._holding.once)
        rooms = await self._patients.all()
        waiting = {kept.room.room for kept in await self._stopped(rooms)}
        for kept in rooms:
            if kept.room.room not in waiting:
                await self._guarded(partial(self._step, kept, before.get(kept.room.room)))
        for room in await self._life.alone():
            await self._guarded(partial(self._say_alone, room))
        await self._guarded(self._eraser.go_on)
        if self._failed or self._patients.unreadable:
            await self._incidents.open(FAILED, texts.INCIDENT_FAILED)
        else:
            await self._incidents.close(FAILED)

    def is_ready(self) -> bool:
        """Whether a room was put off, and what it waited for was heard by now: the next pass need not wait."""
        return any(self._has_heard(room, since) for room, since in self._put_off.items())

    async def _guarded(self, what: Callable[[], Awaitable[None]]) -> None:
        try:
            await what()
        except Temporary as error:
            log_event(log, "sweep.deferred", code=error.code)
        except ColloqueError as error:
            log_event(log, "sweep.failed", code=error.code)
        except Exception:
            log.exception("sweep.failed")
            self._failed = True

    async def _stopped(self, rooms: Sequence[Kept]) -> list[Kept]:
        """Rooms that must not end before an administrator has looked: too many would, all at once."""
        now, allowed = self._clock.now(), await self._life.many_allowed()
        ending = [kept for kept in rooms if self._ends(kept, now, allowed)]
        if not too_many(len(ending), len(rooms), self._many_share):
            await self._incidents.close(MANY)
            return []
        await self._incidents.open(MANY, texts_life.INCIDENT_MANY)
        return ending

    def _ends(self, kept: Kept, now: datetime, allowed: datetime | None) -> bool:
        try:
            return ends_by_itself(kept.room, self._rule, now, allowed)
        except Exception:  # noqa: BLE001  told when its step fails likewise
            return False

    async def allow_many(self) -> int:
        """An administrator has looked: what is due now may end. How many rooms that are."""
        stopped = len(await self._stopped(await self._patients.all()))
        if stopped:
            await self._life.allow_many(self._clock.now())
        return stopped

    async def _say_alone(self, room: RoomId) -> None:
        try:
            await self._home.send(room, text(texts_life.ALONE), txn=f"alone-{digest(f'{room} {self._clock.now():%F}')}")
        except HomeRefused as error:
            if error.status not in {403, 404}:
                raise
        await self._life.set_alone(room, alone=False)

    async def settle(self) -> None:
        """At start: close the journal's intents that a crash left open, from what the database says was done."""
        living = {await self._keys.token(k.room.room, "close"): k for k in await self._patients.all()}
        erasing = {row.manifest["ref"] for row in await self._jobs.under_way()}
        for intent in self._journal.open_intents():
            if intent.kind == "room.close":
                kept = living.get(intent.ref)
                done = kept is None or kept.room.closed_at is not None
                self._journal.end(intent.act, "closed" if done else "interrupted")
            elif intent.kind == "room.erase" and intent.ref not in erasing:
                self._journal.end(intent.act, "interrupted")

    def _due(self, kept: Kept) -> Step | None:
        return next_step(kept.room, self._rule, self._clock.now())

    def _is_heard(self, room: RoomId, since: float | None) -> bool:
        """Whether whoever wrote, prolonged or held before the end had come was heard; else it is put off."""
        since = monotonic() if since is None else since
        heard = self._has_heard(room, since)
        if not heard:
            self._put_off[room] = since
        return heard

    async def _step(self, read: Kept, since: float | None) -> None:
        due = self._due(read)
        ends = isinstance(due, Close | Erase)
        if due is None or (ends and not self._is_heard(read.room.room, since)):
            return
        # Since all rooms were read, people may have written, prolonged, held or closed this one: decided anew.
        kept = await self._patients.get(read.room.room)
        if kept is None:
            return
        match self._due(kept):
            case Warn(end=end):
                # By the activity it follows, not by the end: a late warning's end moves at each try.
                await self._announce(kept, end, f"warn-{to_millis(kept.room.last_activity)}")
                await self._patients.warned(kept.room.room, end, self._clock.now())
            case Remind(end=end):
                await self._announce(kept, end, f"remind-{to_millis(kept.room.warned_at or kept.room.last_activity)}")
                await self._life.reminded(kept.room.room, self._clock.now())
            case Postpone(end=end):
                await self._home.send(
                    kept.room.room,
                    text(texts_life.postponed(end)),
                    txn=f"moved-{to_millis(kept.room.last_activity)}-{digest(kept.room.room)}",
                )
                await self._life.postponed(kept.room.room)
            case Close() if ends:
                await self.close(kept, actor="system")
            case Erase() if ends and kept.close_heard:
                await self._eraser.start(kept)
            case _:
                pass

    async def _announce(self, kept: Kept, end: datetime, once: str) -> None:
        words = texts_life.warning(end, self._clock.now(), STEP)
        await announce(self._home, self._life, kept, words, f"{once}-{digest(kept.room.room)}")

    async def close(self, kept: Kept, *, actor: str) -> None:
        """Stop writing (the power level first, so that clients grey the composer), then say so."""
        room = kept.room.room
        ref = await self._keys.token(room, "close")
        act = self._journal.begin("room.close", actor=actor, ref=ref)
        try:
            powers = await self._home.state(room, "m.room.power_levels") or {}
            if powers.get("events_default") != _SILENT:
                await self._home.set_state(room, "m.room.power_levels", powers | {"events_default": _SILENT})
            await self._membership.recount(room)
            said = await self._home.send(room, text(texts.CLOSED), txn=f"close-{digest(room)}")
        except HomeRefused as error:
            if error.status not in {403, 404}:
                raise
            # The server lets us in no more: nothing is heard there. Whether the room is gone is seen when archiving.
            await self._patients.closed(room, self._clock.now(), None)
            self._journal.end(act, "room_unreachable")
            return
        await self._patients.closed(room, self._clock.now(), said)
        self._journal.end(act, "closed")
