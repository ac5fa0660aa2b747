"""What the bridge tells of itself: incidents to the admin room, notices to home rooms, the metrics."""

from __future__ import annotations

from collections import Counter

from prometheus_client import CollectorRegistry, Gauge

from colloque.bot_service import Parts, post_incidents
from colloque.rooms.mark import ADMIN_KEY
from colloque_mssante.access.notices import Notices
from colloque_mssante.store.mailboxes import Mailboxes
from colloque_mssante.store.outbox import Outbox


class Telling:
    """One instance a process; `once` is called again and again."""

    def __init__(
        self, *, parts: Parts, notices: Notices, outbox: Outbox, mailboxes: Mailboxes, registry: CollectorRegistry
    ) -> None:
        self._parts = parts
        self._notices = notices
        self._outbox = outbox
        self._mailboxes = mailboxes
        self._mails = Gauge("colloque_outbox_mails", "Mails sent or to send", ["state"], registry=registry)
        self._boxes = Gauge("colloque_mailboxes", "Mailboxes watched", ["state"], registry=registry)

    async def once(self) -> None:
        """Everything that was not told yet, each thing once. Raises HomeUnavailable: the rest stays."""
        self._mails.clear()
        for state, count in (await self._outbox.counts()).items():
            self._mails.labels(state).set(count)
        self._boxes.clear()
        for state, count in Counter((await self._mailboxes.states()).values()).items():
            self._boxes.labels(state).set(count)
        await self._notices.post()
        admin_room = await self._parts.rooms.get(ADMIN_KEY)
        if admin_room is not None:
            await post_incidents(self._parts.home, self._parts.incidents, admin_room.room)
