"""A conversation goes on in another room: the one that it has can't be entered from other servers, and never will be.

What stood in the old room stays there, to be read. Its mails keep their threads; what comes from now on stands, and is
answered, in the new one.
"""

from __future__ import annotations

import logging

from colloque import logs
from colloque.errors import HomeRefused, Refused
from colloque.identity import RoomId, digest
from colloque.matrix.home import text
from colloque.matrix.nio_home import NioHome
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.people.conversations import Conversation, Conversations
from colloque_mssante.store.guests import Moves
from colloque_mssante.texts import guests as texts

logger = logging.getLogger(__name__)


class Succession:
    """One instance a process."""

    def __init__(self, *, home: NioHome, conversations: Conversations, drafts: Drafts, moves: Moves) -> None:
        self._home = home
        self._conversations = conversations
        self._drafts = drafts
        self._moves = moves

    async def shared(self, conversation: Conversation) -> RoomId:
        """The conversation's room if other servers may take part in it; else the one that takes its place from now on.

        Raises Refused while a mail is being written there, HomeUnavailable, HomeRefused.
        """
        room = conversation.room
        if (await self._home.state(room, "m.room.create") or {}).get("m.federate", True):
            return room
        if await self._drafts.live(room, conversation.owner):
            raise Refused("draft", texts.BRING_DRAFT)
        successor = await self._conversations.succeed(conversation)
        await self.once()
        return successor

    async def once(self) -> None:
        """Rooms whose place was taken say so, and are closed. Raises HomeUnavailable: the rest is done later."""
        for old, new in await self._moves.open():
            try:
                words = texts.succeeded(f"https://matrix.to/#/{new}")
                await self._home.send(old, text(words), txn=digest(f"{old} succeeded"))
                await self._home.retire(old, new)
            except HomeRefused as error:  # it is gone: nobody is left to be told
                logs.event(logger, "succession.untold", errcode=error.errcode)
            await self._moves.done(old)
