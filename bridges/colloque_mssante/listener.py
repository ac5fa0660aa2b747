"""Who hears what the bot hears. May be called again for the same event: every answer is safe to repeat."""

from __future__ import annotations

import logging
from collections.abc import Callable

from colloque import logs
from colloque.bot import Bot
from colloque.errors import HomeRefused, Temporary
from colloque.identity import UserId
from colloque.matrix.home import Heard, Home, Incoming, MemberChange, Read, Unreadable
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.store.rooms import Rooms
from colloque_mssante.access.opening_words import OpeningWords
from colloque_mssante.arriving.quiet import Quiet
from colloque_mssante.ends.room_life import RoomsLife
from colloque_mssante.guests.guests import Hosting
from colloque_mssante.guests.talk import Talk
from colloque_mssante.leaving.outbound import Outbound
from colloque_mssante.mailboxes.reading import Reading
from colloque_mssante.mapping.mapping import is_edit
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.people.crypto import Accounts
from colloque_mssante.sharing.handled import Handled
from colloque_mssante.sharing.team_rooms import TeamRooms

logger = logging.getLogger(__name__)


class Listener:
    """One instance a process. `is_ours` tells bots and ghosts from people."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        home: Home,
        rooms: Rooms,
        bot: Bot,
        conversations: Conversations,
        outbound: Outbound,
        reading: Reading,
        quiet: Quiet,
        handled: Handled,
        team_rooms: TeamRooms,
        hosting: Hosting,
        talk: Talk,
        life: RoomsLife,
        opening: OpeningWords,
        is_ours: Callable[[UserId], bool],
    ) -> None:
        self._accounts = accounts
        self._home = home
        self._rooms = rooms
        self._bot = bot
        self._conversations = conversations
        self._outbound = outbound
        self._reading = reading
        self._quiet = quiet
        self._handled = handled
        self._team_rooms = team_rooms
        self._hosting = hosting
        self._talk = talk
        self._life = life
        self._opening = opening
        self._is_ours = is_ours

    async def hear(self, heard: Heard) -> None:
        """One thing heard, in its room's order. Raises Temporary: it comes again then. Nothing else stops the rest."""
        try:
            if isinstance(heard, MemberChange):
                await self._member(heard)
            elif isinstance(heard, Read):
                await self._read(heard)
            elif isinstance(heard, Incoming | Unreadable):
                await self._life.hear(heard)
                if not self._is_ours(heard.sender):
                    await self._said(heard)
        except Temporary:
            raise
        except HomeRefused as error:
            # We were removed, or the room is gone: nobody is left to be told.
            logs.event(logger, "event.refused", level=logging.WARNING, errcode=error.errcode)
        except Exception:
            logger.exception("event.failed")
            if isinstance(heard, Incoming):
                await self._outbound.failed(heard)

    async def answer(self, said: Incoming) -> None:
        """A message of a mail room that is no command."""
        mark = await self._home.mark_of(said.room)
        if mark is not None:
            await self._mail_room(said, mark)

    async def _said(self, heard: Incoming | Unreadable) -> None:
        mark = await self._home.mark_of(heard.room)
        if mark is None:
            return
        if mark.kind is not RoomKind.MAIL or not await self._talk.shares(heard.room):
            await self._opening.hear(heard, mark)  # what two people say to each other needs no mailbox
        if mark.kind is not RoomKind.MAIL:
            await self._bot.hear(heard)
        elif isinstance(heard, Unreadable):
            await self._outbound.unreadable(heard.room, heard.event)
        elif not (heard.encrypted and heard.device_signed) or is_edit(heard):
            # The bot would stay silent, or speak once a day: whoever writes a mail must know each time.
            await self._mail_room(heard, mark)
        else:
            await self._bot.hear(heard)

    async def _mail_room(self, said: Incoming, mark: RoomMark) -> None:
        may = await self._conversations.takes_part(said.sender, said.room, mark)
        if may and (await self._quiet.hear(said) or await self._handled.hear(said) or await self._talk.hear(said)):
            return
        await self._outbound.hear(said, may=may)

    async def _read(self, read: Read) -> None:
        mark = None if self._is_ours(read.user) else await self._home.mark_of(read.room)
        if mark is None or mark.kind is not RoomKind.MAIL:
            return
        if await self._conversations.takes_part(read.user, read.room, mark):
            await self._reading.hear(read)
            await self._talk.read(read)

    async def _member(self, change: MemberChange) -> None:
        self._conversations.changed(change.room)
        if change.membership != "join" and not self._is_ours(change.user):
            self._accounts.rotate(change.room)  # who joins was invited, and given the keys then
        mark = await self._home.mark_of(change.room)
        if mark is not None and mark.kind is RoomKind.MAIL and not self._is_ours(change.user):
            await self._life.invited(change)
        if mark is None or (mark.kind is RoomKind.MAIL and await self._hosting.member(change)):
            return
        if change.membership not in {"join", "invite"}:
            return
        if change.user == self._home.user and mark.kind in {RoomKind.HOME, RoomKind.ADMIN}:
            if change.membership == "join":
                await self._rooms.put(mark.key, change.room, mark.kind, mark.owner)
        elif mark.kind is not RoomKind.MAIL or self._is_ours(change.user):
            return
        elif mark.owner is None:
            self._team_rooms.changed(change.room)
        elif change.user != mark.owner:
            # Nobody but us may invite here: only the server's own administration can have brought them.
            await self._home.set_state(change.room, "m.room.member", {"membership": "leave"}, change.user)
            logs.event(logger, "member.removed", level=logging.WARNING)
