"""Bringing a correspondent who has a verified account into the room where their mails stand, and out again.

The room is then both people's: mails between them stand there, whoever's mailbox they come to. Somebody whose
verification ends, or who leaves, is out, and what is written there leaves as mail again.
"""

from __future__ import annotations

import asyncio
import logging

from colloque import logs
from colloque.attestation import Kind
from colloque.book import AttestationBook
from colloque.clock import Clock, monotonic
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused, NotFound, Refused, Temporary
from colloque.identity import RoomId, UserId, digest
from colloque.matrix.home import Home, MemberChange, text
from colloque.professional import Professional
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_mssante.access.authors import Authors
from colloque_mssante.access.notices import Notices
from colloque_mssante.guests.hints import Hints
from colloque_mssante.guests.succession import Succession
from colloque_mssante.guests.talk import Talk
from colloque_mssante.mapping.store_talk import Sayings
from colloque_mssante.people.conversations import Conversation, Conversations
from colloque_mssante.people.ghosts import Ghosts, correspondent
from colloque_mssante.people.neighbours import Neighbour, Neighbours
from colloque_mssante.store.guests import Guest, Guests
from colloque_mssante.texts import guests as texts

_LOOK_S = 2.0
_PAUSE_S = 5.0

logger = logging.getLogger(__name__)


class Hosting:
    """One instance a process."""

    def __init__(
        self,
        *,
        home: Home,
        guests: Guests,
        talk: Talk,
        hints: Hints,
        succession: Succession,
        neighbours: Neighbours,
        sayings: Sayings,
        conversations: Conversations,
        ghosts: Ghosts,
        authors: Authors,
        book: AttestationBook,
        directory: Directory,
        notices: Notices,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._home = home
        self._guests = guests
        self._talk = talk
        self._hints = hints
        self._succession = succession
        self._neighbours = neighbours
        self._sayings = sayings
        self._conversations = conversations
        self._ghosts = ghosts
        self._authors = authors
        self._book = book
        self._directory = directory
        self._notices = notices
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._lock = asyncio.Lock()
        self._settled: set[RoomId] = set()
        """Rooms whose guest is known to be invited or in them."""
        self._later: dict[RoomId, float] = {}

    async def bring(self, room: RoomId, owner: UserId) -> str:
        """Invite the correspondent of a room; what to tell its owner. Raises Refused, NotFound, Temporary."""
        conversation, found = await self._meant(room, owner)
        guest = found.account.user
        near = self._neighbours.is_near(found)
        async with self._lock:
            if not near:
                room = await self._succession.shared(conversation)
            there = await self._guests.between(owner, guest)
            if there is not None and there.room != room:
                raise Refused("elsewhere", texts.BRING_ELSEWHERE)
            if there is not None and there.joined:
                raise Refused("already", texts.BRING_ALREADY)
            who = await self._key_of(owner)
            await self._guests.put(room, owner, guest, found.rpps, who)
        name = self._authors.name(owner)
        if there is None:
            self._journal.note("guest.invited", actor=owner, room=await self._keys.token(room, room))
        try:
            await self._settle_one(room)
        except HomeRefused:
            await self._guests.forget(room)  # what was said to have failed does not happen later
            raise
        invited = await self._guests.of(room)
        if invited is not None and near:
            proposal = texts.proposal(name, self._name_of_room(found.person, owner))
            await self._notices.add(f"guest-{_once(invited, 'proposal')}", guest, proposal)
        if there is not None:
            return texts.BRING_AGAIN
        if room != conversation.room:
            return texts.invited_elsewhere(found.person.full_name, f"https://matrix.to/#/{room}")
        return texts.invited(found.person.full_name)

    async def _meant(self, room: RoomId, owner: UserId) -> tuple[Conversation, Neighbour]:
        """Somebody's own conversation, and the account of its correspondent. Raises Refused, NotFound."""
        conversation = await self._conversations.of(room, owner)
        if conversation is None or conversation.owner != owner:
            raise Refused("where", texts.BRING_TEAM if conversation and conversation.team else texts.BRING_WHERE)
        found = self._neighbours.account(conversation.who)
        if found is None or found.account.user == owner:
            raise Refused("nobody", texts.BRING_NOBODY)
        if self._book.refuses(found.account.user, owner):
            raise Refused("refused", texts.BRING_REFUSED)
        return conversation, found

    async def end(self, room: RoomId, user: UserId) -> None:
        """Either of the two wants it to end. Raises Refused, HomeUnavailable."""
        guest = await self._guests.of(room)
        if guest is None or user not in {guest.owner, guest.user}:
            raise Refused("nobody", texts.END_NOBODY)
        await self._end(guest)

    async def member(self, change: MemberChange) -> bool:
        """Somebody's membership of a mail room changed; False when they are no guest there. Raises Temporary."""
        guest = await self._guests.of(change.room)
        if guest is None or guest.user != change.user:
            return False
        if change.membership == "join" and not guest.joined:
            self._settled.discard(change.room)  # what fails here is looked at again at the next pass
            await self._joined(guest)
        elif change.membership in {"leave", "ban"}:
            await self._end(guest)
        return True

    async def run(self) -> None:
        """Follow attestations, invitations, what stayed unread and what is to be hinted at, for ever."""
        while True:
            await self.once()
            await self._talk.once()
            await self._hints.once()
            await self._succession.once()
            await asyncio.sleep(_LOOK_S)

    async def once(self) -> None:
        """One pass over every shared room. What fails is tried again at the next."""
        for guest in await self._guests.all():
            if monotonic() < self._later.get(guest.room, 0.0):
                continue
            try:
                if not self._is_welcome(guest):
                    await self._end(guest)
                elif guest.room not in self._settled:
                    await self._settle_one(guest.room)
            except Temporary as error:
                logs.event(logger, "guest.deferred", code=error.code)
            except HomeRefused as error:
                # Not to be invited yet: Synapse may read who is verified a moment after us.
                logs.event(logger, "guest.refused", level=logging.WARNING, errcode=error.errcode)
                self._later[guest.room] = monotonic() + _PAUSE_S

    async def _settle_one(self, room: RoomId) -> None:
        """Whoever is to be there is invited; who came or left while we did not listen is noticed."""
        guest = await self._guests.of(room)
        if guest is None:
            return
        membership = (await self._home.members(room)).get(guest.user)
        if membership == "join" and not guest.joined:
            await self._joined(guest)
        elif membership != "join" and guest.joined:
            await self._end(guest)
            return
        elif membership not in {"join", "invite"}:
            await self._home.invite(room, guest.user)
        self._settled.add(room)

    async def _joined(self, guest: Guest) -> None:
        name = await self._title(guest)
        if name and await self._home.state(guest.room, "m.room.name") != {"name": name}:
            await self._home.set_state(guest.room, "m.room.name", {"name": name})
        words = texts.joined(self._name(guest.user))
        await self._home.send(guest.room, text(words), txn=_once(guest, "joined"))
        own = await self._conversations.own_room(guest.user, guest.who)
        if own is not None and own != guest.room:
            words = texts.moved(self._name(guest.owner), f"https://matrix.to/#/{guest.room}")
            try:
                await self._home.send(own, text(words), txn=_once(guest, "moved"))
            except HomeRefused as error:  # they closed that one
                logs.event(logger, "guest.untold", errcode=error.errcode)
        await self._guests.join(guest.room)
        self._conversations.changed(guest.room)
        self._journal.note("guest.joined", actor=guest.user, room=await self._keys.token(guest.room, guest.room))

    async def _end(self, guest: Guest) -> None:
        """Out first, then said; forgotten last: a crash in between is repaired by the next pass."""
        room = guest.room
        try:
            if (await self._home.members(room)).get(guest.user) in {"join", "invite"}:
                await self._home.set_state(room, "m.room.member", {"membership": "leave"}, guest.user)
            title = await self._ghost_title(guest)
            if title and await self._home.state(room, "m.room.name") != {"name": title}:
                await self._home.set_state(room, "m.room.name", {"name": title})
            name = self._name(guest.user)
            unread = await self._sayings.unseen_of(room, guest.owner)
            words = texts.left(name, unread) if guest.joined else texts.declined(name)
            await self._home.send(room, text(words), txn=_once(guest, "left"))
        except HomeRefused as error:  # the room is gone, or we are not in it
            logs.event(logger, "guest.untold", errcode=error.errcode)
        await self._guests.forget(room)
        self._settled.discard(room)
        self._conversations.changed(room)
        self._journal.note("guest.left", actor=guest.user, room=await self._keys.token(room, room))

    def _is_welcome(self, guest: Guest) -> bool:
        """Both are still who they were, and neither refuses the other."""
        now = self._clock.now()
        held, owner = self._book.of(guest.user, now), self._book.of(guest.owner, now)
        return (
            held is not None
            and held.kind is Kind.PROFESSIONAL
            and held.rpps == guest.rpps
            and self._neighbours.counts(held, now)
            and owner is not None
            and owner.kind is Kind.PROFESSIONAL
            and not self._book.refuses(guest.user, guest.owner)
            and not self._book.refuses(guest.owner, guest.user)
        )

    async def _key_of(self, owner: UserId) -> str:
        """The owner of a room as their correspondents know them. Raises Refused when they have no mailbox."""
        mine = self._authors.mailboxes(owner)
        if not mine:
            raise Refused("where", texts.BRING_WHERE)
        return (await self._ghosts.settled(correspondent(mine[0].value, self._directory))).key

    async def _title(self, guest: Guest) -> str:
        """The room's name for both; empty while the directory does not know them."""
        person = self._directory.by_rpps(guest.rpps)
        return self._name_of_room(person, guest.owner) if person is not None else ""

    def _name_of_room(self, person: Professional, owner: UserId) -> str:
        return texts.room_name(person.full_name, self._name(owner))

    async def _ghost_title(self, guest: Guest) -> str:
        """The room's name before: its correspondent's."""
        person = self._directory.by_rpps(guest.rpps)
        if person is None or not person.mailboxes:
            return ""
        return correspondent(person.mailboxes[0].address.value, self._directory).name

    def _name(self, user: UserId) -> str:
        try:
            return self._authors.name(user)
        except (Refused, NotFound):  # no longer verified, or no directory yet
            return user


def _once(guest: Guest, what: str) -> str:
    """The transaction id of what is said once of one invitation."""
    return digest(f"{guest.room} {guest.user} {guest.since.isoformat()} {what}")
