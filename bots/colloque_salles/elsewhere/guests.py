"""Patient rooms that other servers' `@salles` made: ours goes in beside our people, and keeps account of their files.

It leads nothing there: no command, no warning, no archive. All of it is in `guest_room` and the ledger; our own rooms
are in `patient_room`, and no room is in both.
"""

from __future__ import annotations

import logging
from typing import Protocol

from colloque.book import AttestationBook
from colloque.clock import Clock, monotonic
from colloque.errors import HomeRefused, Temporary
from colloque.identity import RoomId, UserId, server_of
from colloque.logs import event as log_event
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.home import Heard, Incoming, MemberChange, Unreadable
from colloque.rooms.elsewhere import is_room, may_follow, read_copy
from colloque.rooms.media import files_in, server_of_media
from colloque_salles.store.elsewhere import GuestRoom, GuestRooms
from colloque_salles.store.rooms import PatientRooms

log = logging.getLogger(__name__)

WAIT_S = 20.0
"""Before an invitation is tried again that could not be taken up."""
_OUT = frozenset({"leave", "ban"})


class Doors(Protocol):
    """What goes in and out of rooms (`nio_home.NioHome`)."""

    @property
    def user(self) -> UserId:
        """Whose doors."""
        ...

    async def join(self, room: RoomId) -> None:
        """Accept an invitation. Raises HomeUnavailable, HomeRefused."""
        ...

    async def leave(self, room: RoomId) -> None:
        """Leave for good."""
        ...


class Guests:
    """One instance a service."""

    def __init__(
        self,
        *,
        home: Doors,
        admin: SynapseAdmin,
        rooms: GuestRooms,
        patients: PatientRooms,
        book: AttestationBook,
        clock: Clock,
    ) -> None:
        self._home = home
        self._admin = admin
        self._rooms = rooms
        self._patients = patients
        self._book = book
        self._clock = clock
        self._again: dict[RoomId, float] = {}

    async def hear(self, heard: Heard) -> None:
        """Note one event. Safe to hear twice."""
        if isinstance(heard, MemberChange):
            if heard.user == self._home.user and heard.membership == "invite":
                await self._invited(heard)
            elif heard.user == self._home.user and heard.membership in _OUT:
                # As a rule nobody of our people is left there, and we are invited again before the next one comes; but
                # that is the other server's word, and what is shared there meanwhile is in no ledger of ours.
                await self._rooms.left(heard.room)
        elif isinstance(heard, Incoming | Unreadable) and await self._rooms.get(heard.room) is not None:
            if isinstance(heard, Unreadable):
                await self._patients.heard(heard.room, heard.event, readable=False)
            else:
                ours = server_of(self._home.user)
                # Of this server's files those that its own people share there. Nobody else's word counts: a member
                # elsewhere could name any file that they have seen. Of other servers' files we hold but copies.
                files = tuple(
                    mxc
                    for mxc in files_in(heard.content)
                    if server_of_media(mxc) != ours or server_of(heard.sender) == ours
                )
                await self._patients.heard(heard.room, heard.event, readable=True, files=files)

    async def _invited(self, heard: MemberChange) -> None:
        inviter = server_of(heard.sender)
        if inviter == server_of(self._home.user):
            return
        if is_room(heard.room) and self._fits(heard.sender, heard.shown):
            await self._rooms.put(heard.room, inviter, self._clock.now())
        else:
            log_event(log, "guest.not_followed", level=logging.WARNING, server=inviter)

    def _fits(self, inviter: UserId, shown: tuple[dict[str, object], ...]) -> bool:
        self._book.refresh()
        salles = self._book.salles_of(server_of(inviter), self._clock.now())
        return may_follow(read_copy(shown), inviter, salles)

    async def once(self) -> None:
        """Take up the invitations that wait. What does not work now is tried again."""
        for guest in await self._rooms.to_join():
            if self._again.get(guest.room, 0.0) > monotonic():
                continue
            try:
                await self._enter(guest)
            except Temporary as error:
                self._again[guest.room] = monotonic() + WAIT_S
                log_event(log, "guest.deferred", server=guest.origin, code=error.code)

    async def _enter(self, guest: GuestRoom) -> None:
        try:
            await self._home.join(guest.room)
        except HomeRefused as error:
            log_event(log, "guest.invitation_gone", level=logging.WARNING, server=guest.origin, code=error.errcode)
            await self._rooms.closed(guest.room)
            return
        # An invitation shows what its sender wants; the room itself says who made it.
        copy = read_copy(await self._admin.state(guest.room))
        self._book.refresh()
        if copy.creator is None or not may_follow(
            copy, copy.creator, self._book.salles_of(guest.origin, self._clock.now())
        ):
            log_event(log, "guest.not_followed", level=logging.WARNING, server=guest.origin)
            await self._home.leave(guest.room)
            await self._rooms.drop(guest.room)
            return
        await self._rooms.names(guest.room, [mxc for mxc in copy.pictures if server_of_media(mxc) == guest.origin])
        await self._rooms.joined(guest.room)
