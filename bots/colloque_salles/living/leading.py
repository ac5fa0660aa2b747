"""`!patient referent`: who is a patient room's referent, when the one who was is gone or hands it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from colloque.attestation import Attestation
from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call
from colloque.identity import RoomId, UserId
from colloque.matrix.home import Home, Incoming
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_salles.living.commands import mentions
from colloque_salles.living.evicting import may_lead
from colloque_salles.rules.team import understand
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.texts import rooms as texts
from colloque_salles.texts import team as texts_team

ACT = "room.lead"


class Leading:
    """One instance a service. The room's mark keeps naming whoever opened it: only the database changes."""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        book: AttestationBook,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._home = home
        self._patients = patients
        self._book = book
        self._keys = keys
        self._journal = journal
        self._clock = clock

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"patient referent": self.lead}

    async def lead(self, call: Call, message: Incoming, reply: Reply) -> None:
        """Whoever types becomes the referent when there is none any more; the referent may name somebody else."""
        kept = await self._patients.get(message.room)
        if kept is None:
            await reply(texts.ONLY_PATIENT_ROOM)
            return
        members = await self._home.members(message.room)
        if kept.room.opener == message.sender:
            await self._hand_on(kept, call, message, reply, members)
        elif members.get(kept.room.opener) in {"join", "invite"}:
            # Also before they have come in for the first time.
            self._book.refresh()
            leader = self._book.state.by_user.get(kept.room.opener)
            await reply(texts_team.still_there(leader.name if leader is not None else ""))
        elif call.rest or mentions(message):
            await reply(texts_team.FOR_ONESELF)
        else:
            held = self._book.of(message.sender, self._clock.now())
            await self._settle_on(held, kept, message, reply, texts_team.MAY_NOT_LEAD)

    async def _hand_on(
        self, kept: Kept, call: Call, message: Incoming, reply: Reply, members: Mapping[UserId, str]
    ) -> None:
        if not (call.rest or mentions(message)):
            await reply(texts_team.ALREADY_REFERENT)
            return
        team = understand(call.rest, mentions(message), self._inside(members), message.sender)
        if len(team.found) != 1 or team.unknown or team.ambiguous:
            await reply(texts_team.WHO_LEADS)
            return
        await self._settle_on(team.found[0], kept, message, reply, texts_team.they_may_not_lead(team.found[0].name))

    def _inside(self, members: Mapping[UserId, str]) -> Sequence[Attestation]:
        now = self._clock.now()
        found = (self._book.of(user, now) for user, state in members.items() if state == "join")
        return [held for held in found if held is not None]

    async def _settle_on(
        self, held: Attestation | None, kept: Kept, message: Incoming, reply: Reply, refused: str
    ) -> None:
        if held is None or not may_lead(held):
            await reply(refused)
            return
        room = kept.room.room
        token, ref = await self._keys.token(room, room), await self._ref(room, held.user)
        act = self._journal.begin(ACT, actor=message.sender, room=token, ref=ref)
        # Said first: heard again after a crash, the same command is decided alike and said no second time.
        await reply(texts_team.new_referent(held.name))
        await self._patients.lead(room, held.user)
        self._journal.end(act, "leads")

    async def _ref(self, room: RoomId, user: UserId) -> str:
        return await self._keys.token(room, user)

    async def settle(self) -> None:
        """At start: end the journal's open acts by what the table says."""
        open_acts = [intent for intent in self._journal.open_intents() if intent.kind == ACT]
        if not open_acts:
            return
        leads = {await self._ref(k.room.room, k.room.opener) for k in await self._patients.all()}
        for intent in open_acts:
            self._journal.end(intent.act, "leads" if intent.ref in leads else "interrupted")
