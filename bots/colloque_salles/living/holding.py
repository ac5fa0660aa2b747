"""`!patient suspendre-effacement`: somebody of the team keeps a room from ending, for a reason, until a day.

Each member holds it for themselves: it ends no sooner than the last of their holds. Typed in the room; or in one's own
home room, with the room's two words: nobody can type in a room that is closed.

While it stands, nothing of ours closes or erases the room, and Synapse refuses to delete it or to redact what stands
in it: it reads so in a state event, which says neither why nor by whom.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock, to_millis
from colloque.commands import Call, fold
from colloque.errors import HomeRefused
from colloque.identity import RoomId, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, Incoming, text
from colloque.rooms.lifecycle import LifetimeRule, end_of, is_held
from colloque.rooms.mark import HOLD
from colloque.rooms.patient_room import RoomState
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_salles.living.standing_in import StandingIn
from colloque_salles.store.life import Hold, RoomLife
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.texts import life as says
from colloque_salles.texts import rooms as texts
from colloque_salles.texts.direct import several

log = logging.getLogger(__name__)

_AROUND = "\"'.,;:-"
"""Marks around a room's words, or between them and a reason."""


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
        """Place a hold, or renew one's own. First in the database: from then on nothing ends."""
        kept, reason = await self._meant(call, message)
        if kept is None:
            await reply(says.which(says.HOLD_EXAMPLE))
        elif kept.room.state is RoomState.ERASING:
            await reply(texts.ALREADY_CLOSED)
        elif not reason:
            await reply(says.WHY_HOLD)
        else:
            room, now = kept.room.room, self._clock.now()
            # Not by the message's own time: its sender's server may say anything; no hold is to be void, or endless.
            if not await self._life.hold(Hold(room, message.sender, now, now + self._lasts, reason)):
                await reply(texts.ALREADY_CLOSED)
                return
            standing = await self._life.held(room, now)
            until = next((each.until for each in standing if each.by == message.sender), now + self._lasts)
            await self._show(room)
            said = says.held(self._name(message.sender), until, _words(kept))
            await self._home.send(room, text(said), txn=f"hold-{message.event}")
            if message.room != room:
                await self._answer(kept, message, reply, said)
            self._journal.note("room.held", actor=message.sender, room=await self._keys.token(room, room))

    async def resume(self, call: Call, message: Incoming, reply: Reply) -> None:
        """Lift one's own; the referent, or who stands in for them, lifts them all."""
        kept, _ = await self._meant(call, message)
        if kept is None:
            await reply(says.which(says.RESUME_EXAMPLE))
            return
        room, now = kept.room.room, self._clock.now()
        standing, leads = await self._life.held(room, now), self._standing_in.leads(kept.room, message.sender)
        own = next((hold for hold in standing if hold.by == message.sender), None)
        if not is_held(kept.room, now):
            await self._show(room)  # should a crash have come before the room showed it
            await self._answer(kept, message, reply, says.NOT_HELD)
        elif own is None and not leads:
            whose = says.not_yours(self._names(standing), kept.room.held_until or now)
            await self._answer(kept, message, reply, whose)
        else:
            await self._life.release(room, now, None if leads else message.sender)
            await self._show(room)
            still = await self._life.held(room, now)
            by = self._name(message.sender)
            said = says.partly_resumed(by, self._names(still), still[0].until) if still else says.RESUMED
            if message.room != room:
                await self._home.send(room, text(said), txn=f"resume-{message.event}")
            await self._answer(kept, message, reply, said)
            if still and own is not None:  # nothing is left to say of it
                await self._life.hold_over(replace(own, until=now))
            self._journal.note("room.resumed", actor=message.sender, room=await self._keys.token(room, room))

    async def _answer(self, kept: Kept, message: Incoming, reply: Reply, said: str) -> None:
        """About "this room": elsewhere, which one it is stands before."""
        await reply(said if message.room == kept.room.room else says.about(kept.words, said))

    async def _meant(self, call: Call, message: Incoming) -> tuple[Kept | None, str]:
        """The room that is meant, and what stands besides its words; None where no room of theirs is."""
        here = await self._patients.get(message.room)
        rooms = [here] if here is not None else [k for k in await self._patients.all() if concerns(k, message.sender)]
        for kept in sorted(rooms, key=lambda each: -len(each.words)):  # three words begin with two that are taken
            besides = _besides(kept.words, call.rest)
            if besides is not None:
                return kept, besides
        return here, call.rest.strip()

    async def once(self) -> None:
        """Holds that end soon are announced, those that ended are said to have. Raises Temporary."""
        now, holds = self._clock.now(), await self._life.holds()
        last = {hold.room: hold.until for hold in holds}
        for hold in holds:
            try:
                kept = await self._patients.get(hold.room)
                if kept is None:
                    if not await self._patients.follows(hold.room):  # placed while the room was forgotten
                        await self._life.hold_over(hold)
                elif hold.until <= now:
                    await self._over(hold, kept, now)
                elif hold.told:
                    await self._stands(hold)
                elif not hold.warned and hold.until == last[hold.room] and now >= hold.until - self._rule.notice:
                    await self._ends(hold, kept)
            except HomeRefused as error:  # the server does not let us into the room any more
                log_event(log, "hold.refused", code=error.errcode)
                if hold.until <= now:
                    await (self._life.hold_over(hold) if hold.told else self._life.hold_told(hold))

    async def _ends(self, hold: Hold, kept: Kept) -> None:
        words = says.hold_ends(hold.until, _words(kept))
        await self._home.send(hold.room, text(words), txn=_once(hold, hold.until, "ends"))
        await self._life.hold_warned(hold)

    async def _over(self, hold: Hold, kept: Kept, now: datetime) -> None:
        """Said in one sweep, ended in a later one: a clock that stood too late for one pass ends nothing."""
        standing = await self._life.held(hold.room, now)
        if any(each.by == hold.by for each in standing):
            return  # renewed since it was read
        await self._show(hold.room)
        if hold.told:
            await self._life.hold_over(hold)
            return
        if standing:
            words = says.partly_over(self._name(hold.by), self._names(standing), standing[0].until)
            txn = _once(hold, hold.until, f"over-{hold.by}")
        else:  # once a room, however many ended together
            end = end_of(kept.room, self._rule) if kept.room.closed_at is None else None
            words, txn = says.hold_over(end, kept.words), _once(hold, kept.room.held_until or hold.until, "over")
        await self._home.send(hold.room, text(words), txn=txn)
        await self._life.hold_told(hold)

    async def _stands(self, hold: Hold) -> None:
        """It was said to be over while the clock stood too late."""
        words = says.still_held(self._name(hold.by), hold.until)
        await self._home.send(hold.room, text(words), txn=_once(hold, hold.until, f"stands-{hold.by}"))
        await self._life.hold_stands(hold)

    async def _show(self, room: RoomId) -> None:
        """What the module inside Synapse reads: until when the last of the holds is."""
        kept = await self._patients.get(room)
        if kept is None or kept.room.held_until is None:
            return
        content = {"until": to_millis(kept.room.held_until)}
        if await self._home.state(room, HOLD) != content:
            await self._home.set_state(room, HOLD, content)

    async def said_held(self, room: RoomId) -> str:
        """What to tell whoever wants to end a room that is held; empty when it is not."""
        names, until = await self._who(room)
        return says.held_back(names, until) if until is not None else ""

    async def said_waiting(self, kept: Kept) -> str:
        """What to tell those whose room closes although it is held; empty when it is not."""
        names, until = await self._who(kept.room.room)
        return says.waits(names, until, kept.words) if until is not None else ""

    async def _who(self, room: RoomId) -> tuple[str, datetime | None]:
        """Who holds a room, and until when; None when nobody does."""
        kept, now = await self._patients.get(room), self._clock.now()
        if kept is None or not is_held(kept.room, now):
            return "", None
        return self._names(await self._life.held(room, now)), kept.room.held_until

    def _names(self, holds: Sequence[Hold]) -> str:
        """Of nobody whom we know: a clock that stood too late for long has ended holds that stand again."""
        return several([self._name(hold.by) for hold in holds]) if holds else texts.named(None)

    def _name(self, user: UserId) -> str:
        return texts.named(self._book.of(user, self._clock.now()))


def concerns(kept: Kept, user: UserId) -> bool:
    """Whether a room is one of theirs."""
    return user == kept.room.opener or user in kept.room.members


def _words(kept: Kept) -> str:
    """How to name a room in the home room, where a command has to be typed there; empty for an open one."""
    return kept.words if kept.room.closed_at is not None else ""


def _besides(words: str, typed: str) -> str | None:
    """What stands behind a room's words; None where they don't begin what was typed."""
    count = len(words.split())
    parts = typed.split(maxsplit=count)
    begin = " ".join(part.strip(_AROUND) for part in parts[:count])
    return "".join(parts[count:]).lstrip(_AROUND + " ") if fold(begin) == fold(words) else None


def _once(hold: Hold, until: datetime, what: str) -> str:
    return f"hold-{digest(f'{what} {hold.room} {to_millis(until)}')}"
