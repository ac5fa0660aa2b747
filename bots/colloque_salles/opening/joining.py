"""Who was invited to a patient room and has not come, or can't read it: its referent learns it, and may have them told.

By a mail that says nothing but that a room waits: no word of the patient, the room, or who is in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused, NotFound, Refused, Temporary
from colloque.identity import EventId, MssanteAddress, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Heard, Home, Incoming, reaction, text
from colloque.rooms.mark import home_key
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque.taps import is_sign, tapped
from colloque_salles.store.joining import Missing, MissingPeople
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.texts import joining as says

log = logging.getLogger(__name__)


class Mailer(Protocol):
    """Sends one mail to a mailbox of the directory (`colloque.mailer.BridgeMailer`)."""

    async def send(self, *, key: str, to: MssanteAddress, subject: str, text: str) -> None:
        """Queue a mail; the same `key` is never queued twice."""
        ...


class Joining:
    """One instance a service. `reaches`: can that account read what is written in encrypted rooms?"""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        rooms: Rooms,
        missing: MissingPeople,
        book: AttestationBook,
        directory: Directory,
        mailer: Mailer,
        keys: RoomKeys,
        clock: Clock,
        after: timedelta,
        reaches: Callable[[UserId], Awaitable[bool]],
    ) -> None:
        self._home = home
        self._patients = patients
        self._rooms = rooms
        self._missing = missing
        self._book = book
        self._directory = directory
        self._mailer = mailer
        self._keys = keys
        self._clock = clock
        self._after = after
        self._reaches = reaches
        self._speaking = asyncio.Lock()
        """Held until what was said is kept: whoever taps as soon as they see it does so for good."""

    async def once(self) -> None:
        """Each open room is looked at once, `after` its opening or the last invitation. Raises HomeUnavailable."""
        for room, later in await self._missing.due(self._clock.now() - self._after):
            kept = await self._patients.get(room)
            if kept is None:
                continue
            try:
                async with self._speaking:
                    await self._look(kept, later)
            except HomeRefused as error:  # the room is gone, or its referent left their home room
                log_event(log, "joining.refused", code=error.errcode)
                await self._missing.put(Missing(room, kept.room.opener, EventId(""), ()))

    async def _look(self, kept: Kept, later: int) -> None:
        room, opener = kept.room.room, kept.room.opener
        members = await self._home.members(room)
        nobody = {self._home.user, opener}
        people = {user: state for user, state in members.items() if user not in nobody and not self._book.is_bot(user)}
        absent = [user for user, state in people.items() if state == "invite"]
        deaf = [user for user, state in people.items() if state == "join" and not await self._reaches(user)]
        event = EventId("")
        if absent or deaf:
            home = await self._rooms.get(home_key(opener))
            where = home.room if home is not None else room  # a referent of another server has no home room here
            words = says.missing(kept.words, [*map(self._name, absent)], [*map(self._name, deaf)])
            once = digest(f"missing {room} {later}" if later else f"missing {room}")
            event = await self._home.send(where, text(words), txn=f"missing-{once}")
            await self._home.send(where, reaction(event, says.MAIL), txn=f"missing-{once}-tap", type_="m.reaction")
        await self._missing.put(Missing(room, opener, event, (*absent, *deaf)))

    async def hear(self, heard: Heard) -> None:
        """The sign beneath that message. Safe to repeat. Raises HomeUnavailable, HomeRefused."""
        tap = tapped(heard.content) if isinstance(heard, Incoming) and heard.type == "m.reaction" else None
        if not isinstance(heard, Incoming) or tap is None or not is_sign(tap[1], says.MAIL):
            return
        async with self._speaking:
            missing = await self._missing.of(tap[0])
        if missing is None or missing.referent != heard.sender:
            return
        try:
            reached = {self._name(user): await self._write(missing, user) for user in missing.people}
        except Temporary as error:  # not waited for here: everybody else's words would wait, too
            log_event(log, "joining.deferred", code=error.code)
            await self._home.send(heard.room, text(says.LATER), txn=f"later-{digest(heard.event)}")
            return
        told, untold = ([name for name, is_told in reached.items() if is_told is way] for way in (True, False))
        answer = text(says.written(told, untold))
        await self._home.send(heard.room, answer, txn=f"written-{digest(tap[0])}")

    async def _write(self, missing: Missing, user: UserId) -> bool:
        """False for somebody who has no mailbox that we may write to."""
        held = self._book.of(user, self._clock.now())
        try:
            person = self._directory.by_rpps(held.rpps) if held is not None else None
        except NotFound:  # no directory was imported yet
            person = None
        key = f"{await self._keys.token(missing.room, user)}-missing"
        for box in person.personal_mailboxes if person is not None else ():
            try:
                await self._mailer.send(key=key, to=box.address, subject=says.SUBJECT, text=says.BODY)
            except Refused as refusal:
                log_event(log, "joining.not_written", code=refusal.reason)
                continue
            return True
        return False

    def _name(self, user: UserId) -> str:
        self._book.refresh()
        held = self._book.state.by_user.get(user)
        return held.person if held is not None else user
