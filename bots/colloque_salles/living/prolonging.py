"""`!patient prolonger`, and the tap under an announced end: a room lives on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call, duration
from colloque.identity import UserId
from colloque.matrix.home import Home, Incoming, reaction, text
from colloque.rooms.lifecycle import LifetimeRule, end_of, is_promised
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.taps import is_sign, tapped
from colloque_salles.store.life import RoomLife
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.texts import life as says
from colloque_salles.texts import rooms as texts

STEP = timedelta(days=15)
"""What a tap, or the command alone, gives."""
_MOST = timedelta(days=90)


class Prolonging:
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
    ) -> None:
        self._home = home
        self._patients = patients
        self._life = life
        self._book = book
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._rule = rule

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"patient prolonger": self.prolong}

    async def prolong(self, call: Call, message: Incoming, reply: Reply) -> None:
        """For as long as it says, from the end as it is known; said in the room."""
        kept = await self._patients.get(message.room)
        wanted = duration(call.rest) if call.rest else STEP
        if kept is None:
            await reply(texts.ONLY_PATIENT_ROOM)
        elif kept.room.closed_at is not None:
            await reply(says.CLOSED)
        elif wanted is None or not timedelta(0) < wanted <= _MOST:
            await reply(says.HOW_LONG)
        else:
            await self._until(kept, message, wanted)

    async def tapped(self, message: Incoming, reply: Reply) -> None:
        """A reaction in a patient room: under an announced end that still stands it prolongs, once an announcement."""
        tap = tapped(message.content) if message.type == "m.reaction" else None
        if tap is None or not is_sign(tap[1], says.PROLONG):
            return
        room = await self._life.announces(tap[0])
        kept = await self._patients.get(message.room)
        if kept is None or room != message.room:
            return
        if kept.room.closed_at is not None:
            await reply(says.CLOSED)
        elif not is_promised(kept.room, self._rule):
            await reply(says.already(end_of(kept.room, self._rule)))
        else:
            await self._until(kept, message, STEP)

    async def _until(self, kept: Kept, message: Incoming, wanted: timedelta) -> None:
        """Said first: heard again after a crash, the same wish is worth the same day, and said no second time."""
        room = kept.room.room
        if await self._life.prolonged_by(room) == message.event:
            return
        wished = min(message.sent_at, self._clock.now())  # its sender's server may say anything
        until = max(end_of(kept.room, self._rule), wished) + wanted
        await self._home.send(
            room, text(says.prolonged(self._name(message.sender), until)), txn=f"more-{message.event}"
        )
        await self._life.prolong(room, until, message.event)
        self._journal.note("room.prolonged", actor=message.sender, room=await self._keys.token(room, room))

    def _name(self, user: UserId) -> str:
        return texts.named(self._book.of(user, self._clock.now()))


async def announce(home: Home, life: RoomLife, kept: Kept, body: str, txn: str) -> None:
    """Say that a room ends, with the sign to tap beneath."""
    room = kept.room.room
    said = await home.send(room, text(body), txn=txn)
    await life.announced(room, said)
    await home.send(room, reaction(said, says.PROLONG), txn=f"{txn}-tap", type_="m.reaction")
