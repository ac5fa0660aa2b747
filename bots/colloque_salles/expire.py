"""The sweep: each room gets the one step that is due. Timers live in the database; a late sweep never erases early."""

from __future__ import annotations

import logging

from colloque.clock import Clock, to_millis
from colloque.errors import ColloqueError, HomeRefused, Temporary
from colloque.identity import digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.rooms.lifecycle import Close, Erase, LifetimeRule, Warn, next_step
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_salles import texts
from colloque_salles.erase import Eraser
from colloque_salles.jobs import Jobs
from colloque_salles.store import Kept, PatientRooms

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
        jobs: Jobs,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
        rule: LifetimeRule,
        eraser: Eraser,
    ) -> None:
        self._home = home
        self._patients = patients
        self._jobs = jobs
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._rule = rule
        self._eraser = eraser

    async def once(self) -> None:
        """One pass: due steps, then one move of every erasure under way."""
        for kept in await self._patients.all():
            try:
                await self._step(kept)
            except Temporary as error:
                log_event(log, "sweep.deferred", code=error.code)
            except ColloqueError as error:
                log_event(log, "sweep.failed", code=error.code)
        await self._eraser.go_on()

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
            elif intent.kind == "room.open":
                # The command that asked for it is heard again, and finds the room by its key.
                self._journal.end(intent.act, "interrupted")

    async def _step(self, kept: Kept) -> None:
        match next_step(kept.room, self._rule, self._clock.now()):
            case Warn(end=end):
                now = self._clock.now()
                # By the activity it follows, not by the end: a late warning's end moves at each try.
                stamp = to_millis(kept.room.last_activity)
                await self._home.send(
                    kept.room.room, text(texts.warning(end, now)), txn=f"warn-{stamp}-{digest(kept.room.room)}"
                )
                await self._patients.warned(kept.room.room, end, self._clock.now())
            case Close():
                await self.close(kept, actor="system")
            case Erase() if kept.close_heard:
                await self._eraser.start(kept)
            case _:
                pass

    async def close(self, kept: Kept, *, actor: str) -> None:
        """Stop writing (the power level first, so that clients grey the composer), then say so."""
        room = kept.room.room
        ref = await self._keys.token(room, "close")
        act = self._journal.begin("room.close", actor=actor, ref=ref)
        try:
            powers = await self._home.state(room, "m.room.power_levels") or {}
            if powers.get("events_default") != _SILENT:
                await self._home.set_state(room, "m.room.power_levels", powers | {"events_default": _SILENT})
            said = await self._home.send(room, text(texts.closing(self._rule.linger)), txn=f"close-{digest(room)}")
        except HomeRefused as error:
            if error.status not in {403, 404}:
                raise
            # The server no longer lets us into the room: there is nothing to hear any more, so erase what it keeps.
            await self._patients.closed(room, self._clock.now(), None)
            self._journal.end(act, "room_unreachable")
            return
        await self._patients.closed(room, self._clock.now(), said)
        self._journal.end(act, "closed")
