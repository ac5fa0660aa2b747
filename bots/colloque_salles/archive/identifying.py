"""`!patient identite`: a referent gives the patient's qualified identity, reads it back, confirms or takes it away.

It is theirs to say: nothing that was said in the room is ever taken for an identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import PARIS, Clock
from colloque.commands import Call
from colloque.directory.lookup import Directory
from colloque.errors import NotFound
from colloque.identity import EventId, UserId, digest
from colloque.mail.standing import Standing, standings
from colloque.matrix.home import Home, Incoming, reaction
from colloque.numbers import fold
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.taps import NUMBERS, is_sign, number_of, tapped
from colloque_salles.living.standing_in import StandingIn
from colloque_salles.rules.qualified import Unclear, read_identity
from colloque_salles.store.identity import Given, Identities
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.texts import identity as says
from colloque_salles.texts import rooms as texts

_WITHDRAW = frozenset({"retirer", "retire", "oter", "effacer", "supprimer", "annuler", "remove", "withdraw", "delete"})


class Identifying:
    """One instance a service."""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        identities: Identities,
        directory: Directory,
        standing_in: StandingIn,
        book: AttestationBook,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._home = home
        self._patients = patients
        self._identities = identities
        self._directory = directory
        self._standing_in = standing_in
        self._book = book
        self._keys = keys
        self._journal = journal
        self._clock = clock

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"patient identite": self.identify}

    async def identify(self, call: Call, message: Incoming, reply: Reply) -> None:
        """Given, shown or withdrawn, by who leads the room."""
        kept = await self._patients.get(message.room)
        if kept is None:
            await reply(texts.ONLY_PATIENT_ROOM)
        elif not self._standing_in.leads(kept.room, message.sender):
            await reply(says.NOT_YOURS)
        elif kept.room.closed_at is not None:
            await reply(says.CLOSED)
        elif not call.rest:
            given = await self._identities.of(message.room)
            await reply(self._shown(given) if given is not None else f"{says.NONE} {says.HOW}")
        elif fold(call.rest).strip(" .") in _WITHDRAW:
            await self._withdraw(message, reply)
        else:
            await self._give(call.rest, message, reply)

    async def tapped(self, message: Incoming, reply: Reply) -> None:
        """What confirms it, or takes that back. Safe to repeat."""
        tap = tapped(message.content) if message.type == "m.reaction" else None
        if tap is None and message.type != "m.room.redaction":
            return
        given, kept = await self._identities.of(message.room), await self._patients.get(message.room)
        if given is None or kept is None:
            return
        if tap is None:
            await self._taken_back(given, message, reply)
        elif tap[0] == given.event:
            await self._confirm(given, kept, tap, message, reply)

    async def _confirm(
        self, given: Given, kept: Kept, tap: tuple[EventId, str], message: Incoming, reply: Reply
    ) -> None:
        """Said last, once it is kept."""
        chosen = _chosen(given, tap[1])
        if chosen is None:
            return
        if not self._may_confirm(kept, message.sender):
            await reply(says.NOT_YOURS)
            return
        if given.tap is None:
            by, at = message.sender, message.sent_at
            await self._identities.confirm(message.room, given.event, tap=message.event, by=by, at=at, standing=chosen)
        elif given.tap != message.event:
            return  # confirmed before
        await self._note(message, "confirmed")
        await reply(says.confirmed(self._name(message.sender), message.sent_at))

    async def _taken_back(self, given: Given, message: Incoming, reply: Reply) -> None:
        """Said first: heard again after a crash, it is taken back all the same, and said no second time."""
        gone = message.content.get("redacts")
        if given.tap is not None and gone == given.tap:
            await reply(says.DOUBTED)
            await self._note(message, "taken_back")
            await self._identities.doubt(message.room, given.tap)

    async def _give(self, said: str, message: Incoming, reply: Reply) -> None:
        """The signs to tap come after the question is kept: none of them is tapped in vain."""
        try:
            identity = read_identity(said, self._clock.now().astimezone(PARIS).date())
        except Unclear as unclear:
            await reply(says.unclear(unclear.wrong))
            return
        places = self._standings(message.sender)
        event = await reply(says.ask(identity, places))
        await self._identities.give(message.room, identity, event, [each.key for each in places], message.sender)
        for sign in NUMBERS[: len(places)] if len(places) > 1 else (says.YES,):
            once = f"identity-{digest(f'{event} {sign}')}"
            await self._home.send(message.room, reaction(event, sign), txn=once, type_="m.reaction")

    async def _withdraw(self, message: Incoming, reply: Reply) -> None:
        """Heard again after a crash, it is withdrawn all the same, and said no second time."""
        had = await self._identities.of(message.room) is not None
        await reply(says.WITHDRAWN)
        if had:
            await self._note(message, "withdrawn")
            await self._identities.withdraw(message.room)

    async def _note(self, message: Incoming, outcome: str) -> None:
        token = await self._keys.token(message.room, message.room)
        self._journal.note("room.identity", actor=message.sender, room=token, outcome=outcome)

    def _may_confirm(self, kept: Kept, user: UserId) -> bool:
        verified = self._book.of(user, self._clock.now()) is not None
        return verified and self._standing_in.leads(kept.room, user)

    def _standings(self, user: UserId) -> Sequence[Standing]:
        """Where they work, as far as the directory says."""
        held = self._book.of(user, self._clock.now())
        try:
            person = self._directory.by_rpps(held.rpps) if held is not None else None
        except NotFound:  # no directory was imported yet
            person = None
        return standings(person)[: len(NUMBERS)] if person is not None else ()

    def _shown(self, given: Given) -> str:
        by = self._name(given.confirmed_by) if given.confirmed_by is not None else ""
        return says.shown(given.identity, by, given.confirmed_at)

    def _name(self, user: UserId) -> str:
        self._book.refresh()
        return texts.named(self._book.state.by_user.get(user))


def _chosen(given: Given, key: str) -> str | None:
    """The standing that a tap chooses; empty where there was none to choose from. None for a tap that says nothing."""
    if len(given.standings) > 1:
        rank = number_of(key)
        return given.standings[rank - 1] if 0 < rank <= len(given.standings) else None
    return (given.standings or ("",))[0] if is_sign(key, says.YES) else None
