"""`!patient equipe`, `!patient appeler`: who is in a room, and how its team calls the patient among themselves."""

from __future__ import annotations

from collections.abc import Mapping

from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call
from colloque.identity import UserId
from colloque.matrix.home import Home, Incoming
from colloque_salles.store.life import RoomLife
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.texts import life as says
from colloque_salles.texts import rooms as texts

_NAME_LIMIT = 60
"""Characters of the name: it stands in a list."""


class CareTeam:
    """One instance a service."""

    def __init__(
        self, *, home: Home, patients: PatientRooms, life: RoomLife, book: AttestationBook, clock: Clock
    ) -> None:
        self._home = home
        self._patients = patients
        self._life = life
        self._book = book
        self._clock = clock

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"patient equipe": self.team, "patient appeler": self.call}

    async def team(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """Everybody in the room or invited to it, the referent first."""
        kept = await self._patients.get(message.room)
        if kept is None:
            await reply(texts.ONLY_PATIENT_ROOM)
            return
        inside = await self._home.members(message.room)
        people = [
            self._mate(user, referent=user == kept.room.opener, invited=membership == "invite")
            for user, membership in sorted(inside.items())
            if membership in {"join", "invite"} and user != self._home.user and not self._book.is_bot(user)
        ]
        await reply(says.team(kept.words, sorted(people, key=lambda mate: not mate.referent)))

    def _mate(self, user: UserId, *, referent: bool, invited: bool) -> says.Mate:
        self._book.refresh()
        now = self._clock.now()
        known = self._book.state.by_user.get(user)
        return says.Mate(
            known.name if known is not None else user,
            referent=referent,
            invited=invited,
            unverified=self._book.of(user, now) is None,
        )

    async def call(self, call: Call, message: Incoming, reply: Reply) -> None:
        """What stands in members' lists beside the room's words; "rien" takes it away."""
        name = " ".join(call.rest.split())
        if await self._patients.get(message.room) is None:
            await reply(texts.ONLY_PATIENT_ROOM)
        elif not name or len(name) > _NAME_LIMIT:
            await reply(says.called_how(_NAME_LIMIT))
        elif name.casefold() == "rien":
            await self._life.call(message.room, "")
            await reply(says.FORGOTTEN)
        else:
            await self._life.call(message.room, name)
            await reply(says.called(name))
