"""A patient room goes on in another one: a colleague joins who can't come into this one, for all its life.

It can't be entered from their server: whether others may take part is settled when a room is made (Matrix,
`m.federate`). Or they have a room already whose words are like this one's, and a room keeps its words. The old room is
closed, and archived and erased as any other; everything here is done again, to the same effect, when the tap is heard
again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from colloque.attestation import Attestation
from colloque.book import AttestationBook
from colloque.bot import Reply
from colloque.clock import Clock
from colloque.errors import HomeRefused
from colloque.identity import RoomId, UserId, digest, server_of
from colloque.logs import event as log_event
from colloque.matrix.home import Home, Incoming, text
from colloque_salles.living.commands import link
from colloque_salles.living.evicting import IN
from colloque_salles.living.expire import Sweep
from colloque_salles.living.holding import Holding
from colloque_salles.living.standing_in import StandingIn
from colloque_salles.opening.opening import Opening
from colloque_salles.store.invites import Invited, Invites
from colloque_salles.store.life import RoomLife
from colloque_salles.store.offers import Offers
from colloque_salles.store.rooms import Kept
from colloque_salles.texts import inviting as says
from colloque_salles.texts import rooms as texts

log = logging.getLogger(__name__)


class Succeeding:
    """One instance a service."""

    def __init__(
        self,
        *,
        home: Home,
        opening: Opening,
        offers: Offers,
        invites: Invites,
        life: RoomLife,
        holding: Holding,
        sweep: Sweep,
        standing_in: StandingIn,
        book: AttestationBook,
        clock: Clock,
        retire: Callable[[RoomId, RoomId], Awaitable[None]],
    ) -> None:
        """`retire` says in a room's state that another takes its place."""
        self._home = home
        self._opening = opening
        self._offers = offers
        self._invites = invites
        self._life = life
        self._holding = holding
        self._sweep = sweep
        self._standing_in = standing_in
        self._book = book
        self._clock = clock
        self._retire = retire

    async def why(self, kept: Kept, held: Attestation) -> says.Why | None:
        """Why that person can't come into this room; None where they can."""
        if await self._is_confined(kept, held):
            return says.Why.SERVER
        team = [user for user, state in (await self._home.members(kept.room.room)).items() if state in IN]
        return says.Why.WORDS if await self._opening.blurs(kept, held.user, team) else None

    async def _is_confined(self, kept: Kept, held: Attestation) -> bool:
        if server_of(held.user) == server_of(self._home.user):
            return False
        create = await self._home.state(kept.room.room, "m.room.create") or {}
        return create.get("m.federate", True) is False

    async def has_begun(self, tap: Incoming) -> bool:
        """Whether that tap has made the other room already."""
        return await self._opening.opened_by(tap.event) is not None

    async def refused(self, kept: Kept, user: UserId, why: says.Why) -> str:
        """Why `user` can't have it go on elsewhere, as they read it; empty when they can."""
        if not self._standing_in.leads(kept.room, user):
            return says.elsewhere(why)
        if self._book.of(kept.room.opener, self._clock.now()) is None:
            return says.no_referent(why)
        return await self._holding.said_held(kept.room.room)

    async def go_on(self, kept: Kept, held: Attestation, tap: Incoming, what: str, reply: Reply) -> bool:
        """Open the other room with everybody and `held`, say so in both, close this one. Safe to repeat.

        False, and nothing has happened, where the server wants no such room. Raises HomeUnavailable.
        """
        room = kept.room.room
        try:
            new, words = await self._opening.opened_by(tap.event) or await self._open(kept, held, tap)
        except HomeRefused as error:
            log_event(log, "successor.refused", level=logging.WARNING, code=error.errcode)
            return False
        await self._invites.note(new, Invited(held.user, what, tap.sender, tap.sent_at))
        for told in await self._offers.told(room):
            await self._offers.tell(new, told)
        await self._life.call(new, kept.called)
        who = says.invited(held.name, what, self._name(tap.sender), tap.sent_at)
        begun = text(says.goes_on_here(kept.words, who))
        await self._home.send(new, begun, txn=f"goes-on-{digest(tap.event)}")
        if kept.room.closed_at is None:
            await reply(says.goes_on_there(words, held.name, link(new)))
            await self._retire(room, new)
            await self._sweep.close(kept, actor=tap.sender)
        return True

    async def _open(self, kept: Kept, held: Attestation, tap: Incoming) -> tuple[RoomId, str]:
        now = self._clock.now()
        members = await self._home.members(kept.room.room)
        inside = [self._book.of(user, now) for user, state in members.items() if state in IN]
        team = [each for each in inside if each is not None and each.user != kept.room.opener]
        opener = self._book.of(kept.room.opener, now)
        if opener is None:
            raise HomeRefused(403, "M_FORBIDDEN", "the referent is not verified any more")
        return await self._opening.open(opener, [*team, held], tap.event, kept.room.own_idle)

    def _name(self, user: UserId) -> str:
        return texts.named(self._book.of(user, self._clock.now()))
