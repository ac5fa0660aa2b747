"""Mails that stand in a room already, as what the other of two people wrote there: linked to it, not shown again."""

from __future__ import annotations

import logging

from mautrix.util.async_db import Database

from colloque import logs
from colloque.identity import RoomId
from colloque.mail.message import Mail
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.schema import transaction
from colloque_mssante.mapping.store_talk import Sayings
from colloque_mssante.people.ghosts import Correspondent
from colloque_mssante.store.inbox import Inbox
from colloque_mssante.store.mailboxes import Place
from colloque_mssante.store.mails import Mails, stored
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.reading import Reads

logger = logging.getLogger(__name__)


class Twins:
    """One instance a process."""

    def __init__(
        self,
        *,
        db: Database,
        inbox: Inbox,
        mails: Mails,
        outbox: Outbox,
        sayings: Sayings,
        reads: Reads,
        keys: RoomKeys,
        journal: Journal,
    ) -> None:
        self._db = db
        self._inbox = inbox
        self._mails = mails
        self._outbox = outbox
        self._sayings = sayings
        self._reads = reads
        self._keys = keys
        self._journal = journal

    async def took(self, place: Place, mail: Mail, who: Correspondent, room: RoomId, key: str) -> bool:
        """True when the mail left from that very room, and is linked to what was written there. Safe to repeat.

        Only a mail that we sent, from that sender to this mailbox: anybody can copy a Message-ID.
        """
        sent = await self._outbox.of_message_id(mail.message_id) if mail.message_id else None
        box = place.box
        if (
            sent is None
            or sent.room != room
            or sent.event is None
            or sent.owner in {None, box.owner}
            or sent.sender.value != mail.sender.address
            or box.address.value not in sent.recipients
        ):
            return False
        token = await self._keys.token(room, room)
        ref = await self._keys.token(room, key)
        act = self._journal.begin("mail.deliver", actor=box.actor, room=token, ref=ref)
        row = stored(key, box, mail, room, sent.thread, listed=who.verified)
        async with transaction(self._db):
            await self._mails.put(row, place, ref, [sent.event])
            if await self._sayings.was_seen(sent.event):
                await self._reads.read_before(key)
            await self._inbox.take_away(place)
        self._journal.end(act, "delivered", parts=0)
        logs.event(logger, "mail.linked")
        return True
