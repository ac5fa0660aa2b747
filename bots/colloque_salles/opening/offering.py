"""`!patient ouvrir`, typed or tapped: who is meant, proposed by number where that is not settled; then the room.

Three taps open a room: the sign that stands in one's home room, a colleague's number, and yes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from colloque.attestation import Attestation
from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call, duration
from colloque.errors import HomeRefused
from colloque.identity import EventId, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Heard, Home, Incoming, reaction, text
from colloque.rooms.lifecycle import LifetimeRule
from colloque.rooms.mark import RoomKind
from colloque.taps import NUMBERS, is_sign, number_of, tapped
from colloque_salles.living.commands import link, mentions
from colloque_salles.opening.acquainting import Acquainting
from colloque_salles.opening.opening import Opening
from colloque_salles.rules.admitting import refusals
from colloque_salles.rules.team import recent, understand
from colloque_salles.store.offers import Offer, Offers
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.texts import opening as says
from colloque_salles.texts import rooms as texts

log = logging.getLogger(__name__)

SHORTEST, LONGEST = timedelta(days=1), timedelta(days=180)
"""What a room may be made to live after its last message."""
_SMALL_HOUSE = 9
"""Where so few colleagues are verified, all of them are proposed."""


class Offering:
    """One instance a service."""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        offers: Offers,
        opening: Opening,
        book: AttestationBook,
        clock: Clock,
        rule: LifetimeRule,
        acquainting: Acquainting,
    ) -> None:
        self._home = home
        self._patients = patients
        self._offers = offers
        self._opening = opening
        self._book = book
        self._clock = clock
        self._rule = rule
        self._acquainting = acquainting

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"patient ouvrir": self.open}

    async def open(self, call: Call, message: Incoming, reply: Reply) -> None:
        """Open a room with the named colleagues; nothing is opened while a name is unknown or shared."""
        idle, typed = _lasting(call.rest)
        if idle is not None and not SHORTEST <= idle <= LONGEST:
            await reply(says.how_long(SHORTEST, LONGEST))
            return
        me = message.sender
        people = [held for held in self._book.all(self._clock.now()) if held.user != me]
        team = understand(typed, mentions(message), people, me)
        if team.unknown or team.ambiguous:
            close = [held for _, several in (*team.ambiguous, *team.near) for held in several]
            await self._offer(message, reply, texts.unsettled(team), close, found=team.found, idle=idle)
        elif team.found:
            await reply(await self._open(me, team.found, message.event, idle))
        else:
            await self._propose(message, reply, people, idle)

    async def _propose(
        self, message: Incoming, reply: Reply, people: Sequence[Attestation], idle: timedelta | None
    ) -> None:
        by_user = {held.user: held for held in people}
        rooms = [kept.room for kept in await self._patients.all()]
        known = [by_user[user] for user in recent(rooms, message.sender) if user in by_user]
        others = [held for held in people if held not in known] if len(people) <= _SMALL_HOUSE else []
        await self._offer(message, reply, says.WITH_WHOM, (*known, *others), idle=idle)

    async def _offer(
        self,
        message: Incoming,
        reply: Reply,
        words: str,
        candidates: Sequence[Attestation],
        *,
        found: Sequence[Attestation] = (),
        idle: timedelta | None = None,
    ) -> None:
        """Number them. The signs to tap come after the offer is kept: none of them is tapped in vain."""
        shown = list(dict.fromkeys(candidates))[: len(NUMBERS)]
        if not shown:
            await reply(f"{words}\n{says.NAME_THEM}" if words != says.WITH_WHOM else texts.NOBODY)
            return
        event = await reply(says.offer(words, [held.name for held in shown], [held.name for held in found]))
        chosen = {held.user: EventId("") for held in found}
        await self._offers.put(Offer(message.sender, event, tuple(held.user for held in shown), chosen, idle))
        for sign in (*NUMBERS[: len(shown)], says.YES):
            await self._home.send(
                message.room, reaction(event, sign), txn=f"offer-{digest(f'{event} {sign}')}", type_="m.reaction"
            )

    async def hear(self, heard: Heard) -> None:
        """What is tapped in a home room. Safe to repeat. Raises HomeUnavailable, HomeRefused."""
        if not isinstance(heard, Incoming) or heard.type not in {"m.reaction", "m.room.redaction"}:
            return
        mark = await self._home.mark_of(heard.room)
        held = self._book.of(heard.sender, self._clock.now())
        if mark is None or mark.kind is not RoomKind.HOME or mark.owner != heard.sender or held is None:
            return
        tap = tapped(heard.content)
        if heard.type == "m.room.redaction":
            await self._withdraw(heard)
        elif tap is not None and is_sign(tap[1], says.DOOR):
            if await self._offers.door(heard.sender) == tap[0]:
                await self._propose(heard, self._reply(heard), self._others(heard.sender), None)
        elif tap is not None:
            await self._tapped(heard, *tap)

    async def _tapped(self, heard: Incoming, on: EventId, key: str) -> None:
        offer = await self._offers.of(heard.sender)
        if offer is None or offer.event != on:
            return
        rank = number_of(key)
        if 0 < rank <= len(offer.people):
            await self._offers.choose(offer, {**offer.chosen, offer.people[rank - 1]: heard.event})
        elif is_sign(key, says.YES):
            now = self._clock.now()
            team = [held for user in offer.chosen if (held := self._book.of(user, now)) is not None]
            reply = self._reply(heard)
            if not team:
                await reply(says.TAP_A_NUMBER)
                return
            await reply(await self._open(heard.sender, team, offer.event, offer.idle))
            await self._offers.take_away(offer)

    async def _withdraw(self, heard: Incoming) -> None:
        """A number is tapped again, or its sign taken away: not them."""
        offer, gone = await self._offers.of(heard.sender), heard.content.get("redacts")
        if offer is not None and gone in offer.chosen.values():
            await self._offers.choose(offer, {user: by for user, by in offer.chosen.items() if by != gone})

    async def _open(self, user: UserId, team: Sequence[Attestation], event: EventId, idle: timedelta | None) -> str:
        """Open it, and what to say of it."""
        now = self._clock.now()
        opener = self._book.of(user, now)
        if opener is None:
            return texts.NOBODY
        refused = refusals(
            opener,
            team,
            answered=lambda number: self._book.of_rpps(number, now) is not None,
            erases=lambda server: self._book.erases(server, now),
            refuses=self._book.refuses,
        )
        if refused:
            return texts.not_admitted(refused, opener)
        if apart := await self._acquainting.refused([opener, *team]):
            return apart
        room, words = await self._opening.open(opener, team, event, idle)
        return texts.opened(words, link(room), team, idle or self._rule.idle)

    def _others(self, me: UserId) -> list[Attestation]:
        return [held for held in self._book.all(self._clock.now()) if held.user != me]

    async def once(self) -> None:
        """Everybody who may open rooms has the sign to tap in their home room. Raises HomeUnavailable."""
        now = self._clock.now()
        for room, owner in await self._offers.without_door():
            held = self._book.of(owner, now)
            if held is None or refusals(held, (), answered=bool, erases=bool, refuses=_nobody):
                continue
            once = digest(f"door {room}")
            try:
                event = await self._home.send(room, text(says.door(), notice=True), txn=f"door-{once}")
                await self._home.send(room, reaction(event, says.DOOR), txn=f"bell-{once}", type_="m.reaction")
            except HomeRefused as error:  # the room is gone, or they left it: another will have its door
                log_event(log, "door.refused", code=error.errcode)
                event = EventId("")
            await self._offers.put_door(owner, room, event)

    def _reply(self, to: Incoming) -> Reply:
        async def reply(body: str, html: str | None = None) -> EventId:
            return await self._home.send(to.room, text(body, html=html), txn=f"tap-{digest(to.event)}")

        return reply


def _nobody(_user: UserId, _other: UserId) -> bool:
    return False


def _lasting(typed: str) -> tuple[timedelta | None, str]:
    """How long the room is to live, where that stands first ("10 jours Dupont", "pour 48h"), and the rest."""
    words = typed.split()
    if words and words[0].casefold() in {"pour", "pendant", "for"}:
        words = words[1:]
    for count in (2, 1):
        idle = duration(" ".join(words[:count]))
        if idle is not None:
            return idle, " ".join(words[count:])
    return None, typed
