"""What @salles does for each of its commands. Names, rights and parsing stand in `colloque.commands`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call
from colloque.identity import RoomId, UserId
from colloque.matrix.home import Incoming
from colloque.rooms.lifecycle import LifetimeRule, end_of
from colloque.rooms.patient_room import RoomState
from colloque_salles.living.consent import Consent
from colloque_salles.living.expire import Sweep
from colloque_salles.living.holding import Holding, concerns
from colloque_salles.living.standing_in import StandingIn
from colloque_salles.store.direct_rounds import DirectRoundRow
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.texts import life as texts_life
from colloque_salles.texts import rooms as texts


class Commands:
    """One method a command."""

    def __init__(
        self,
        *,
        patients: PatientRooms,
        jobs: Jobs,
        sweep: Sweep,
        holding: Holding,
        consent: Consent,
        standing_in: StandingIn,
        directs: DirectRoundRow,
        clock: Clock,
        rule: LifetimeRule,
    ) -> None:
        self._patients = patients
        self._jobs = jobs
        self._sweep = sweep
        self._holding = holding
        self._consent = consent
        self._standing_in = standing_in
        self._directs = directs
        self._clock = clock
        self._rule = rule

    @property
    def table(self) -> Mapping[str, Handler]:
        """By command name."""
        return {
            "patients": self.list,
            "patient salon": self.room,
            "patient terminer": self.end,
            "etat": self.state,
            "salons confirmer": self.confirm,
        }

    async def list(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """The rooms the person is in, with their end."""
        mine = [k for k in await self._patients.all() if concerns(k, message.sender)]
        if not mine:
            await reply(texts.NONE_OPEN)
            return
        ends = [(k, end_of(k.room, self._rule)) for k in mine]
        await reply(texts.room_list(ends, self._clock.now(), {k.room.room: link(k.room.room) for k in mine}))

    async def room(self, call: Call, message: Incoming, reply: Reply) -> None:
        """The state of the room it is typed in."""
        kept = await self._patients.get(message.room)
        if kept is None:
            await self.list(call, message, reply)
            return
        events, _ = await self._patients.counts(message.room)
        files = await self._patients.files(message.room)
        end, held = end_of(kept.room, self._rule), await self._holding.said_held(message.room)
        words = texts.room_state(kept, end=end, now=self._clock.now(), events=events, files=len(files), held=held)
        await reply("\n".join([words, *await self._consent.said(message.room)]))

    async def end(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """Close now; only its referent may, or who stands in for them."""
        kept = await self._patients.get(message.room)
        if kept is None:
            await reply(texts.ONLY_PATIENT_ROOM)
        elif not self._standing_in.leads(kept.room, message.sender):
            await reply(texts.NOT_THE_OPENER)
        elif kept.room.state in {RoomState.CLOSED, RoomState.ERASING}:
            await reply(texts.ALREADY_CLOSED)
        elif held := await self._holding.said_held(message.room):
            await reply(held)
        else:
            await reply(texts.ending())
            await self._sweep.close(kept, actor=message.sender)

    async def state(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """`!etat` in the admin room."""
        rooms = [kept.room for kept in await self._patients.all()]
        serial, _ = await self._jobs.last()
        counts = {
            "rooms": sum(room.closed_at is None for room in rooms),
            "waiting": sum(room.closed_at is not None and not room.archived for room in rooms),
            "erasing": len(await self._jobs.under_way()),
        }
        await reply(texts.state(**counts, receipts=serial))

    async def confirm(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """`!salons confirmer` in the admin room: many rooms may end at once."""
        count = await self._sweep.allow_many() + await self._directs.allow_many(self._clock.now())
        await reply(texts_life.many_confirmed(count) if count else texts_life.NOTHING_MANY)


def mentions(message: Incoming) -> Sequence[UserId]:
    """Whom the person's client says they mentioned."""
    raw: Any = message.content.get("m.mentions")
    users = raw.get("user_ids") if isinstance(raw, dict) else None
    return [UserId(u) for u in users if isinstance(u, str)] if isinstance(users, list) else []


def link(room: RoomId) -> str:
    """What opens a room in any client."""
    return f"https://matrix.to/#/{room}"
