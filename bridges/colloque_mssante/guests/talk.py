"""What two people say to each other in a room that they share: it reaches the other at once, and leaves as mail too
only when its writer asks, or when it stayed unread for as long as both chose.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from colloque import logs
from colloque.clock import Clock
from colloque.errors import HomeRefused, NotFound, Refused, Temporary
from colloque.identity import EventId, RoomId, UserId, digest
from colloque.matrix.home import Incoming, Read, text
from colloque.matrix.nio_home import NioHome
from colloque.taps import is_sign, looks_like_number
from colloque_mssante.access.authors import Authors
from colloque_mssante.leaving.caught_up import CaughtUp
from colloque_mssante.leaving.gathering import By, Gathering
from colloque_mssante.leaving.whereto import WhereTo
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping import mapping
from colloque_mssante.mapping.drafts import RoomLocks
from colloque_mssante.mapping.mapping import Changed, No, Struck, Tap, Written
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.mapping.store_talk import Saying, Sayings
from colloque_mssante.mapping.targets import Target
from colloque_mssante.store.guests import Guests
from colloque_mssante.texts import guests as texts_guests
from colloque_mssante.texts import writing as texts_writing

KEPT = timedelta(days=7)
"""How long what was said can still be made a mail of."""
NO_MAILBOX = "no_mailbox"
"""Reason of a refusal: its writer has no mailbox to send from."""
_BEFORE = 50
"""Events looked through for the last message before the one that was read up to."""

logger = logging.getLogger(__name__)


class Talk:
    """One instance a process. `show`: bring a room's notices up to date; `wake`: a draft changed."""

    def __init__(
        self,
        *,
        home: NioHome,
        guests: Guests,
        sayings: Sayings,
        gathering: Gathering,
        where_to: WhereTo,
        authors: Authors,
        drafts: Drafts,
        locks: RoomLocks,
        clock: Clock,
        has_heard: Callable[[RoomId, float], bool],
        show: Callable[[RoomId], Awaitable[None]],
        wake: Callable[[], None],
    ) -> None:
        self._home = home
        self._guests = guests
        self._sayings = sayings
        self._gathering = gathering
        self._where_to = where_to
        self._authors = authors
        self._drafts = drafts
        self._locks = locks
        self._clock = clock
        self._caught_up = CaughtUp(has_heard)
        self._show = show
        self._wake = wake

    async def hear(self, said: Incoming) -> bool:
        """Take in what somebody of a shared room does there; False where it is about mail. Safe to repeat.

        Raises Temporary.
        """
        meant = mapping.to_meant(said)
        if isinstance(meant, Tap):
            return is_sign(meant.key, texts_guests.BY_MAIL) and await self._tapped(said, meant.on)
        if isinstance(meant, Struck | Changed):
            return await self._changed(said, meant)
        if not await self.shares(said.room) or not (said.encrypted and said.device_signed):
            return False
        if isinstance(meant, No):
            return meant is No.NOT_SENDABLE  # a sticker, a place: the other has it, and it is no mail's business
        async with self._locks[said.room]:
            if await self._is_of_a_mail(said, meant):
                return False
            await self._sayings.put(said.room, said.sender, meant)
        return True

    async def shares(self, room: RoomId) -> bool:
        """True for a room in which the correspondent is, too."""
        guest = await self._guests.of(room)
        return guest is not None and guest.joined

    async def read(self, read: Read) -> None:
        """One of the two read up to an event. Raises Temporary, HomeRefused."""
        if not await self._sayings.unseen(read.room, read.user):
            return
        if await self._sayings.see(read.room, read.user, read.thread, read.event):
            return
        for before in await self._home.before(read.room, read.event, _BEFORE):
            if await self._sayings.see(read.room, read.user, read.thread, before):
                return

    async def by_mail(self, room: RoomId, user: UserId, event: EventId | None) -> None:
        """That message of theirs leaves as mail too; None: the last they wrote. Raises Refused, Temporary."""
        saying = await (self._sayings.get(event) if event is not None else self._sayings.last_of(room, user))
        if saying is None or saying.room != room:
            raise Refused("not_said", texts_guests.BY_MAIL_WHAT)
        if saying.writer != user:
            raise Refused("not_yours", texts_guests.BY_MAIL_NOT_YOURS)
        if saying.settled and not await self._drafts.knows(saying.meant.line.event):
            raise Refused("withdrawn", texts_guests.BY_MAIL_WHAT)
        if saying.settled:
            raise Refused("already", texts_guests.BY_MAIL_ALREADY)
        async with self._locks[room]:
            await self._gather(saying, unattended=False)

    async def once(self) -> None:
        """What stayed unread leaves; what is old is forgotten. What fails is tried again at the next pass."""
        await self._sayings.drop(self._clock.now() - KEPT)
        rooms = {saying.meant.line.event: saying.room for saying in await self._sayings.due()}
        for event in self._caught_up.of(rooms):
            room = rooms[event]
            try:
                async with self._locks[room]:
                    # As it stands now: it may have been read, changed or withdrawn meanwhile.
                    if (saying := await self._sayings.still_due(event)) is not None:
                        await self._gather(saying, unattended=True)
            except Refused as refusal:
                logs.event(logger, "saying.refused", reason=refusal.reason)
                if refusal.reason != NO_MAILBOX:  # they were told when they chose
                    await self._say(room, event, str(refusal))
                await self._sayings.settle(event)
            except (Temporary, NotFound) as error:  # NotFound: the directory was not imported yet
                logs.event(logger, "saying.deferred", code=error.code)

    async def _is_of_a_mail(self, said: Incoming, meant: Written) -> bool:
        """An answer to the bot's question, or part of a mail that its writer began by a command."""
        if await self._drafts.knows(said.event):
            return True
        await self._show(said.room)
        if meant.answers is not None:
            return await self._drafts.of_notice(meant.answers) is not None
        for draft in await self._drafts.live(said.room, said.sender):
            if draft.loose or (draft.state == states.ASKING and looks_like_number(meant.line.words)):
                return meant.root is None
        return False

    async def _tapped(self, said: Incoming, on: EventId) -> bool:
        saying = await self._sayings.get(on)
        if saying is None or saying.room != said.room:
            return False
        try:
            await self.by_mail(said.room, said.sender, on)
        except Refused as refusal:
            logs.event(logger, "saying.refused", reason=refusal.reason)
            await self._say(said.room, on, str(refusal), said.event)
        return True

    async def _changed(self, said: Incoming, meant: Struck | Changed) -> bool:
        """A message that stands here alone was changed or withdrawn; one that left as mail is outbound's."""
        event = meant.what if isinstance(meant, Struck) else meant.line.event
        saying = await self._sayings.get(event)
        if saying is None or saying.writer != said.sender or saying.room != said.room or saying.settled:
            return False
        async with self._locks[said.room]:  # it may be about to leave
            if (saying := await self._sayings.get(event)) is None or saying.settled:
                return False
            if isinstance(meant, Struck) or not (meant.line.words.strip() or saying.meant.line.file):
                await self._sayings.settle(event)
            elif said.encrypted and said.device_signed:
                await self._sayings.reword(meant.line)
        return True

    async def _gather(self, saying: Saying, *, unattended: bool) -> None:
        line = saying.meant.line
        if not await self._drafts.knows(line.event):
            by = By(line.event, saying.room, saying.writer)
            if not self._authors.mailboxes(saying.writer):
                raise Refused(NO_MAILBOX, texts_writing.WRITE_NO_MAILBOX)
            target = await self._target(saying, unattended=unattended)
            if target is not None:
                await self._gathering.to_target(by, target, line)
            else:
                await self._gathering.ask(by, line, loose=False)
        await self._sayings.settle(line.event)
        self._wake()

    async def _target(self, saying: Saying, *, unattended: bool) -> Target | None:
        """Where it goes by what it answers; None where its writer has to say. Raises Refused.

        Unattended, what answers no mail begins one, where there is but one address on either side: no thread is
        guessed.
        """
        meant = saying.meant
        if meant.answers or meant.root:
            try:
                return await self._where_to.named(saying.room, saying.writer, meant.answers, meant.root)
            except Refused as refusal:
                if refusal.reason != "not_its_mail":
                    raise
        pairs = await self._where_to.pairs(saying.room, saying.writer) if unattended else ()
        return pairs[0].target if len(pairs) == 1 else None

    async def _say(self, room: RoomId, about: EventId, words: str, on: EventId | None = None) -> None:
        try:
            await self._home.send(room, text(words, reply_to=about), txn=digest(f"{on or about} by mail"))
        except HomeRefused as error:  # the room is gone: nobody is left to be told
            logs.event(logger, "saying.untold", errcode=error.errcode)
