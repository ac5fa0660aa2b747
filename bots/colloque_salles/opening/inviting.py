"""`!patient inviter`: somebody comes into a room that is open already, once what the patient knows of it is noted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from colloque.attestation import Attestation
from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call
from colloque.errors import HomeRefused
from colloque.identity import EventId, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, Incoming, reaction
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.taps import NUMBERS, is_sign, number_of, tapped
from colloque_salles.elsewhere.companions import Companions
from colloque_salles.living.commands import mentions
from colloque_salles.living.evicting import IN, Evicting
from colloque_salles.opening.acquainting import Acquainting
from colloque_salles.opening.succeeding import Succeeding
from colloque_salles.rules.admitting import refusals
from colloque_salles.rules.team import understand
from colloque_salles.store.invites import Invited, Invites, Proposal
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.texts import inviting as says
from colloque_salles.texts import rooms as texts
from colloque_salles.texts.opening import SIGNS

log = logging.getLogger(__name__)


class Inviting:
    """One instance a service."""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        invites: Invites,
        companions: Companions,
        evicting: Evicting,
        book: AttestationBook,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
        succeeding: Succeeding,
        acquainting: Acquainting,
    ) -> None:
        self._home = home
        self._patients = patients
        self._invites = invites
        self._succeeding = succeeding
        self._acquainting = acquainting
        self._companions = companions
        self._evicting = evicting
        self._book = book
        self._keys = keys
        self._journal = journal
        self._clock = clock

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"patient inviter": self.invite}

    async def invite(self, call: Call, message: Incoming, reply: Reply) -> None:
        """Any member may propose; names that are shared, or spelled nearly so, are numbered and never picked."""
        kept = await self._patients.get(message.room)
        if kept is None:
            await reply(texts.ONLY_PATIENT_ROOM)
            return
        if kept.room.closed_at is not None:
            await reply(says.CLOSED)
            return
        people = [held for held in self._book.all(self._clock.now()) if held.user != message.sender]
        team = understand(call.rest, mentions(message), people, message.sender)
        close = [held for _, several in (*team.ambiguous, *team.near) for held in several]
        found = list({held.user: held for held in (*team.found, *close)}.values())[: len(NUMBERS)]
        if not found:
            await reply(says.NOBODY if call.rest or mentions(message) else says.WHOM)
        elif len(found) == 1 and not close:
            await self._ask(kept, message, found[0], reply)
        else:
            event = await reply(says.which([held.name for held in found]))
            await self._put(message, event, [held.user for held in found], NUMBERS[: len(found)], named=False)

    async def tapped(self, message: Incoming, reply: Reply) -> None:
        """A number, or what the patient knows. Safe to repeat."""
        tap = tapped(message.content) if message.type == "m.reaction" else None
        proposal = await self._invites.of(tap[0]) if tap is not None else None
        kept = await self._patients.get(message.room)
        if tap is None or proposal is None or kept is None or proposal.room != message.room:
            return
        if not proposal.named:
            rank = number_of(tap[1])
            held = self._held(proposal.people[rank - 1]) if 0 < rank <= len(proposal.people) else None
            if held is not None:
                await self._ask(kept, message, held, reply)
            return
        what = next((what for what, sign in SIGNS.items() if is_sign(tap[1], sign)), "")
        if what:
            await self._let_in(kept, proposal, message, what, reply)

    async def _ask(self, kept: Kept, message: Incoming, held: Attestation, reply: Reply) -> None:
        """What does the patient know of it? Nobody is invited before that is said."""
        why = await self._succeeding.why(kept, held)
        wrong = await self._wrong(kept, message.sender, held)
        if why is not None:
            wrong = wrong or await self._succeeding.refused(kept, message.sender, why)
        if wrong:
            await reply(wrong)
            return
        event = await reply(says.ask(held.name, why))
        await self._put(message, event, [held.user], tuple(SIGNS.values()), named=True, moves=why is not None)

    async def _put(
        self,
        message: Incoming,
        event: EventId,
        people: Sequence[UserId],
        signs: Sequence[str],
        *,
        named: bool,
        moves: bool = False,
    ) -> None:
        """The signs to tap come after the question is kept: none of them is tapped in vain."""
        await self._invites.propose(Proposal(event, message.room, message.sender, tuple(people), named, moves))
        for sign in signs:
            once = f"invite-{digest(f'{event} {sign}')}"
            await self._home.send(message.room, reaction(event, sign), txn=once, type_="m.reaction")

    async def _wrong(self, kept: Kept, by: UserId, held: Attestation) -> str:
        """Why they can't be invited, as whoever proposes it reads it; empty when they can."""
        room, now = kept.room.room, self._clock.now()
        if kept.room.closed_at is not None:
            return says.CLOSED
        members = await self._home.members(room)
        if members.get(held.user) in IN:
            return says.inside(held.name)
        proposer = self._held(by)
        if proposer is None:
            return texts.NOBODY
        there = [self._held(user) for user, state in members.items() if state in IN and user != by]
        team = [*(each for each in there if each is not None), held]
        refused = refusals(
            proposer,
            team,
            answered=lambda number: self._book.of_rpps(number, now) is not None,
            erases=lambda server: self._book.erases(server, now),
            refuses=self._book.refuses,
        )
        theirs = [(who, reason) for who, reason in refused if who.user == held.user]
        if theirs:
            return texts.not_admitted(theirs, proposer, nothing=texts.NOBODY_INVITED)
        return await self._acquainting.refused([proposer, *team])

    async def _let_in(self, kept: Kept, proposal: Proposal, message: Incoming, what: str, reply: Reply) -> None:
        """Asked again first: a day may have passed. Said last, once the invitation stands.

        Noted before that: after a crash in between, nobody is in the room of whom nothing is noted. What the server
        refuses is taken back.
        """
        room, (person,) = kept.room.room, proposal.people
        held = self._held(person)
        known = {each.person: each for each in await self._invites.invited(room)}
        again = person in known and known[person].at == message.sent_at  # heard before, and cut short by a crash
        if held is not None and not again and await self._moves(kept, held, proposal, message, what=what, reply=reply):
            return
        wrong = await self._wrong(kept, message.sender, held) if held is not None else says.NOBODY
        if again:
            await self._evicting.let_in(room, [person])
        if held is None or (wrong and not again):
            await reply(wrong)
            return
        await self._invites.note(room, Invited(person, what, message.sender, message.sent_at))
        if not wrong:
            try:
                await self._companions.invite(room, [person])
                await self._home.invite(room, person)
            except HomeRefused as error:
                log_event(log, "invite.refused", level=logging.WARNING, code=error.errcode)
                await self._invites.not_invited(room, person, None if again else known.get(person))
                await reply(says.refused(held.name))
                await self._invites.settle(proposal.event)
                return
            await self._evicting.let_in(room, [person])
        token, ref = await self._keys.token(room, room), await self._keys.token(room, person)
        self._journal.note("room.invite", actor=message.sender, room=token, ref=ref, outcome=what)
        await reply(says.invited(held.name, what, self._name(message.sender), message.sent_at))
        await self._invites.settle(proposal.event)

    async def _moves(
        self, kept: Kept, held: Attestation, proposal: Proposal, message: Incoming, *, what: str, reply: Reply
    ) -> bool:
        """Whether they can't come into this room: then the team goes on in another, where who taps has read so."""
        if not await self._succeeding.has_begun(message):
            why = await self._succeeding.why(kept, held)
            if why is None:
                return False
            if why is says.Why.WORDS and not proposal.moves:  # so since the question was asked: nobody has read it
                await self._ask(kept, message, held, reply)
                await self._invites.settle(proposal.event)
                return True
            wrong = await self._wrong(kept, message.sender, held)
            wrong = wrong or await self._succeeding.refused(kept, message.sender, why)
            if wrong:  # somebody else may still tap
                await reply(wrong)
                return True
        if not await self._succeeding.go_on(kept, held, message, what, reply):
            await reply(says.refused(held.name))
        await self._invites.settle(proposal.event)
        return True

    def _held(self, user: UserId) -> Attestation | None:
        return self._book.of(user, self._clock.now())

    def _name(self, user: UserId) -> str:
        return texts.named(self._held(user))
