"""`!patient suspendre-effacement`: somebody of the team keeps a room from ending, for a reason, until a day.

While it stands, nothing of ours closes or erases the room, and Synapse refuses to delete it or to redact what stands
in it: it reads so in a state event, which says neither why nor by whom.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock, to_millis
from colloque.commands import Call
from colloque.errors import HomeRefused
from colloque.identity import RoomId, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, Incoming, text
from colloque.rooms.lifecycle import LifetimeRule, end_of
from colloque.rooms.mark import HOLD
from colloque.rooms.patient_room import RoomState
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_salles.living.standing_in import StandingIn
from colloque_salles.store.life import Hold, RoomLife
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.texts import life as says
from colloque_salles.texts import rooms as texts

log = logging.getLogger(__name__)


class Holding:
    """One instance a service."""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        life: RoomLife,
        book: AttestationBook,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
        rule: LifetimeRule,
        lasts: timedelta,
        standing_in: StandingIn,
    ) -> None:
        self._home = home
        self._patients = patients
        self._life = life
        self._book = book
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._rule = rule
        self._lasts = lasts
        self._standing_in = standing_in

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"patient suspendre effacement": self.hold, "patient reprendre effacement": self.resume}

    async def hold(self, call: Call, message: Incoming, reply: Reply) -> None:
        """Place a hold, or renew the one that stands. First in the database: from then on nothing ends."""
        kept = await self._patients.get(message.room)
        if kept is None:
            await reply(texts.ONLY_PATIENT_ROOM)
        elif kept.room.state is RoomState.ERASING:
            await reply(texts.ALREADY_CLOSED)
        elif not call.rest.strip():
            await reply(says.WHY_HOLD)
        else:
            room = message.room
            until = message.sent_at + self._lasts
            await self._life.hold(Hold(room, message.sender, message.sent_at, until, call.rest))
            await self._show(room, to_millis(until))
            await self._home.send(room, text(says.held(self._name(message.sender), until)), txn=f"hold-{message.event}")
            self._journal.note("room.held", actor=message.sender, room=await self._keys.token(room, room))

    async def resume(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """Lift it: the referent, who stands in for them, and whoever placed it."""
        kept, hold = await self._patients.get(message.room), await self._life.held(message.room)
        if kept is None:
            await reply(texts.ONLY_PATIENT_ROOM)
        elif hold is None:
            await reply(says.NOT_HELD)
        elif message.sender != hold.by and not self._standing_in.leads(kept.room, message.sender):
            await reply(says.NOT_YOURS)
        else:
            await self._life.release(message.room, self._clock.now())
            await reply(says.RESUMED)
            self._journal.note(
                "room.resumed", actor=message.sender, room=await self._keys.token(message.room, message.room)
            )

    async def once(self) -> None:
        """Holds that end soon are announced, those that ended are said to have. Raises Temporary."""
        now = self._clock.now()
        for hold in await self._life.holds():
            try:
                if hold.until <= now:
                    await self._over(hold)
                elif not hold.warned and now >= hold.until - self._rule.notice:
                    await self._home.send(hold.room, text(says.hold_ends(hold.until)), txn=_once(hold, "ends"))
                    await self._life.hold_warned(hold.room)
            except HomeRefused as error:  # the server does not let us into the room any more
                log_event(log, "hold.refused", code=error.errcode)
                if hold.until <= now:
                    await self._life.hold_over(hold.room)

    async def _over(self, hold: Hold) -> None:
        kept = await self._patients.get(hold.room)
        if kept is not None:
            await self._show(hold.room, to_millis(hold.until))
            end = end_of(kept.room, self._rule) if kept.room.closed_at is None else None
            await self._home.send(hold.room, text(says.hold_over(end)), txn=_once(hold, "over"))
        await self._life.hold_over(hold.room)

    async def _show(self, room: RoomId, until: int) -> None:
        """What the module inside Synapse reads."""
        if await self._home.state(room, HOLD) != {"until": until}:
            await self._home.set_state(room, HOLD, {"until": until})

    async def said_held(self, room: RoomId) -> str:
        """What to tell whoever wants to end a room that is held; empty when it is not."""
        hold = await self._life.held(room)
        if hold is None or hold.until <= self._clock.now():
            return ""
        return says.held_back(self._name(hold.by), hold.until)

    def _name(self, user: UserId) -> str:
        return texts.named(self._book.of(user, self._clock.now()))


def _once(hold: Hold, what: str) -> str:
    return f"hold-{what}-{digest(f'{hold.room} {to_millis(hold.until)}')}"
