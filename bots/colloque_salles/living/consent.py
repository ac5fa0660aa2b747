"""What the patient knows and wants: noted by a tap in the room, by whom and when; an opposition ends it early."""

from __future__ import annotations

from collections.abc import Mapping

from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.commands import Call
from colloque.identity import RoomId, UserId
from colloque.matrix.home import Home, Incoming, text
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.taps import is_sign, tapped
from colloque_salles.living.expire import Sweep
from colloque_salles.living.holding import Holding
from colloque_salles.store.offers import Offers, Told
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.texts import opening as says
from colloque_salles.texts import rooms as texts


class Consent:
    """One instance a service."""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        offers: Offers,
        sweep: Sweep,
        holding: Holding,
        book: AttestationBook,
        keys: RoomKeys,
        journal: Journal,
    ) -> None:
        self._home = home
        self._patients = patients
        self._offers = offers
        self._sweep = sweep
        self._holding = holding
        self._book = book
        self._keys = keys
        self._journal = journal

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"patient opposition": self.oppose}

    async def tapped(self, message: Incoming) -> None:
        """A sign beneath the room's first message."""
        tap = tapped(message.content) if message.type == "m.reaction" else None
        if tap is None or tap[0] != await self._offers.asked_by(message.room):
            return
        for what, sign in says.SIGNS.items():
            if is_sign(tap[1], sign):
                await self._note(message, what)

    async def oppose(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """The patient does not want it: nobody writes any more. Any member's word is enough.

        Also where somebody holds the room: only its erasure waits for that.
        """
        kept = await self._patients.get(message.room)
        if kept is None:
            await reply(texts.ONLY_PATIENT_ROOM)
        elif kept.room.closed_at is not None:
            await reply(texts.ALREADY_CLOSED)
        else:
            await self._note(message, "opposed")
            await reply(says.opposed(await self._holding.said_waiting(kept)))
            await self._sweep.close(kept, actor=message.sender)

    async def _note(self, message: Incoming, what: str) -> None:
        """Said first: heard again after a crash, it is said no second time, and noted all the same."""
        room, told = message.room, Told(what, message.sender, message.sent_at)
        if any(each.what == what for each in await self._offers.told(room)):
            return
        words = says.noted(what, self._name(message.sender), message.sent_at)
        await self._home.send(room, text(words, notice=True), txn=f"noted-{message.event}")
        if await self._offers.tell(room, told):
            self._journal.note(
                "room.consent", actor=message.sender, room=await self._keys.token(room, room), outcome=what
            )

    async def said(self, room: RoomId) -> list[str]:
        """All that was noted, for `!patient salon`."""
        return [says.noted(told.what, self._name(told.by), told.at) for told in await self._offers.told(room)]

    def _name(self, user: UserId) -> str:
        self._book.refresh()
        return texts.named(self._book.state.by_user.get(user))
