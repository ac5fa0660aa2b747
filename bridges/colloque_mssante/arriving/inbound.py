"""A mail arrives: from bytes in a mailbox to encrypted events in its owner's room. Every line can be run again.

Order: room, events (each under a transaction id that follows from the mail), then the link, with which the mail
leaves the inbox, and the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mautrix.util.async_db import Database

from colloque import logs
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused, Temporary
from colloque.identity import EventId, MssanteAddress, MxcUri, RoomId
from colloque.mail.message import Mail
from colloque.mail.mss import shown_subject
from colloque.mail.parse import digest_of, parse_mail
from colloque.mail.threading import parents
from colloque.matrix.home import JsonDict
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.schema import transaction
from colloque_mssante.arriving.again import standing
from colloque_mssante.arriving.quiet import Quiet
from colloque_mssante.arriving.scanning import INFECTED, Scanning
from colloque_mssante.arriving.twins import Twins
from colloque_mssante.mapping import attachments, mapping
from colloque_mssante.mapping.mapping import Draft
from colloque_mssante.mapping.targets import Answers, answers_to
from colloque_mssante.mapping.threads import Thread, Threads
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.people.crypto import Account
from colloque_mssante.people.ghosts import Correspondent, Ghosts, correspondent, operator
from colloque_mssante.rules.crowds import CROWDS
from colloque_mssante.rules.sends import CODES, ROOMS
from colloque_mssante.store.inbox import Inbox
from colloque_mssante.store.mailboxes import Cursor, Place
from colloque_mssante.store.mails import Mails, StoredMail, Uploads, stored
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.sending import Sending

AT_ONCE_BYTES = 16_000
"""Of a mail that is parsed at once; a bigger one is in a thread, and the loop goes on meanwhile."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Shown:
    """How a mail was shown: its token in the journal, its events and their transaction ids, its thread."""

    ref: str
    events: Sequence[EventId]
    thread: Thread
    txns: Sequence[str]


class Inbound:
    """One instance a process. `changed` is called when a report changed the state of a mail of ours.

    `only_reports` says of which mailbox nothing else is taken in.
    """

    def __init__(
        self,
        *,
        db: Database,
        inbox: Inbox,
        conversations: Conversations,
        ghosts: Ghosts,
        directory: Directory,
        mails: Mails,
        threads: Threads,
        uploads: Uploads,
        sending: Sending,
        outbox: Outbox,
        scanning: Scanning,
        keys: RoomKeys,
        journal: Journal,
        quiet: Quiet,
        twins: Twins,
        only_reports: Callable[[MssanteAddress], bool],
        changed: Callable[[], None],
    ) -> None:
        self._db = db
        self._inbox = inbox
        self._conversations = conversations
        self._threads = threads
        self._ghosts = ghosts
        self._directory = directory
        self._mails = mails
        self._uploads = uploads
        self._sending = sending
        self._outbox = outbox
        self._scanning = scanning
        self._keys = keys
        self._journal = journal
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._quiet = quiet
        self._twins = twins
        self._only_reports = only_reports
        self._changed = changed

    async def deliver(self, place: Place, raw: bytes) -> None:
        """Show one mail, or take in the report that it is. When this returns, it does not stand in the inbox any more.

        Raises Temporary (try again later), or anything else when this very mail can't be shown.
        """
        mail = await asyncio.to_thread(parse_mail, raw) if len(raw) > AT_ONCE_BYTES else parse_mail(raw)
        box = place.box
        key = mapping.mail_key(await self._name(box, mail.digest), mail.digest)
        if await self._mails.seen(key, box.owner):
            async with transaction(self._db):
                await self._mails.stands(key, place)
                await self._inbox.take_away(place)
            return
        told = await self._is_for_the_mailbox(mail) or await self._is_report(mail, box.address)
        if told or self._only_reports(box.address):
            # Nobody answers it from here, and an archive's subject names a patient whose room is to be gone.
            await self._link(stored(key, box, replace(mail, subject=""), None), place, None)
            return
        author = mail.sender.address
        who = operator(author) if mail.from_operator else correspondent(author, self._directory)
        who = await self._ghosts.settled(who)
        mail = replace(mail, subject=shown_subject(mail.subject))
        quiet = await self._quiet.is_quiet(mail, key, box.holder, who)
        async with self._locks[f"{box.holder} {box.address if quiet else who.key}"]:
            await self._show(place, mail, who, key, quiet=quiet)

    async def give_up(self, box: Cursor, raw: bytes) -> None:
        """A mail that can't be shown and won't be tried again: nothing waits for it any more."""
        digest = digest_of(raw)
        key = mapping.mail_key(await self._name(box, digest), digest)
        await self._mails.abandon(key)
        await self._sending.forget(key)

    async def settle(self) -> None:
        """At start: close the acts that a crash left open. The mails themselves come again from the inbox."""
        for intent in self._journal.open_intents():
            if intent.kind == "mail.deliver":
                done = await self._mails.delivered(intent.ref)
                self._journal.end(intent.act, "delivered" if done else "interrupted")
            elif intent.kind == INFECTED and await self._mails.delivered(intent.ref):
                await self._scanning.told(intent.act, intent.ref)
            elif intent.kind == "room.create":
                self._journal.end(intent.act, "interrupted")

    async def _name(self, box: Cursor, digest: str) -> str:
        """What the identifiers of a mail are made of: its mailbox, and who holds it today, for each is shown it anew.

        The mailbox alone, where a release that knew no holders showed the mail to this one, or began to.
        """
        before = mapping.mail_key(box.address.value, digest)
        if await self._mails.seen(before, box.owner) or await self._mails.arriving_in(before) is not None:
            return box.address.value
        return f"{box.address} {box.holder}"

    async def _is_for_the_mailbox(self, mail: Mail) -> bool:
        """True for what our services sent there because it is not for Matrix: a one-time code, a room's archive."""
        sent = await self._outbox.of_message_id(mail.message_id) if mail.message_id else None
        if sent is None or sent.caller not in {CODES, ROOMS}:
            return False
        return sent.sender.value == mail.sender.address and sent.recipients == tuple(p.address for p in mail.to)

    async def _is_report(self, mail: Mail, mailbox: MssanteAddress) -> bool:
        """True when every report in the mail speaks of mails we sent from this mailbox; their states are updated."""
        known = [await self._outbox.report(report, mailbox) for report in mail.reports]
        if any(known):
            self._changed()
        return bool(known) and all(known)

    async def _show(self, place: Place, mail: Mail, who: Correspondent, key: str, *, quiet: bool) -> None:
        box = place.box
        scanned = await self._scanning.scan(mail.attachments)
        if quiet:
            room, ghost = await self._conversations.documents(box.owner, box.address, who)
        else:
            room, ghost = await self._conversations.ensure(box.owner, who, team=box.team)
            if await self._twins.took(place, mail, who, room, key):
                return
        ref = await self._keys.token(room, key)
        act = self._journal.begin("mail.deliver", actor=box.actor, room=await self._keys.token(room, room), ref=ref)
        async with transaction(self._db):
            crowd = who.key if quiet or who.key in CROWDS else ""
            thread = await self._threads.place(mail, key, room, crowd)
            await self._mails.begin(key, room)
            begun = await self._sending.begin(key, room)
        drafts = mapping.to_drafts(
            mail,
            head=mapping.Head(who.label, who.warning, thread.number, self._answers(mail)),
            root=thread.root,
            answered=await self._answered(mail, box.address, room),
            cards=scanned.cards,
            quiet=quiet,
        )
        drafts = scanned.shown(drafts, box.address.value)
        events: list[EventId] = []
        name = await self._name(box, mail.digest)
        txns = [mapping.txn(name, mail.digest, draft.rank) for draft in drafts]
        try:
            known = await standing(
                begun, {txn: draft.rank for txn, draft in zip(txns, drafts, strict=True)}, ghost, room
            )
            for draft, txn in zip(drafts, txns, strict=True):
                event = known.get(draft.rank)
                if event is None:
                    content = draft.content if draft.file is None else await self._uploaded(draft, txn, ghost)
                    event = await ghost.send(room, content, txn=txn)
                    if draft is not drafts[-1]:  # the last one's id comes with the link
                        await self._sending.sent(key, room, draft.rank, event)
                events.append(event)
        except HomeRefused as error:
            if error.status in {403, 404}:
                await self._conversations.lost(room)
            else:
                self._conversations.changed(room)
            await self._mails.abandon(key)
            self._journal.end(act, "refused", status=error.status)
            raise
        infected = await self._scanning.tell(scanned, actor=box.actor, room=await self._keys.token(room, room), ref=ref)
        kept = stored(key, box, mail, room, thread.id, listed=who.verified, who=who.key)
        await self._link(kept, place, _Shown(ref, events, thread, txns))
        await self._scanning.told(infected, ref)
        self._journal.end(act, "delivered", parts=len(events))
        logs.event(logger, "mail.delivered", parts=len(events))

    async def _link(self, mail: StoredMail, place: Place, shown: _Shown | None) -> None:
        """All that is kept of a mail instead of its text, in one transaction. None: there was nothing to show."""
        async with transaction(self._db):
            if shown is not None:
                await self._threads.note(shown.thread, mail.message_id, mail.references, shown.events[0])
                await self._uploads.forget(shown.txns)
            await self._sending.forget(mail.id)
            await self._mails.put(mail, place, shown.ref if shown else "", shown.events if shown else ())
            await self._inbox.take_away(place)

    def _answers(self, mail: Mail) -> Answers:
        return answers_to(mail.sender, mail.reply_to, self._directory.whitelisted)

    async def _answered(self, mail: Mail, mailbox: MssanteAddress, room: RoomId) -> EventId | None:
        """The event that the mail answers, when that stands in this room: what its owner wrote, or an earlier mail."""
        for message_id in parents(mail):
            sent = await self._outbox.of_message_id(message_id)
            if sent is not None and sent.room == room and sent.event is not None:
                return sent.event
            event = await self._mails.event_of(mailbox, message_id, room)
            if event is not None:
                return event
        return None

    async def _uploaded(self, draft: Draft, txn: str, ghost: Account) -> JsonDict:
        """The content of a file's event, the file stored: once, whatever crashes come."""
        item = draft.file
        assert item is not None
        begun = await self._uploads.get(txn)
        if begun is None:
            await self._uploads.begin(txn, await ghost.api.reserve_media(), attachments.new_keys())
            begun = await self._uploads.get(txn)
            assert begun is not None
        mxc, keys, done = MxcUri(begun[0]), begun[1], begun[2]
        sealed, file = attachments.seal(item.data, keys, mxc)
        if not done:
            await self._put_media(txn, ghost, sealed, mxc)
        return mapping.file_content(item, file) | draft.content

    async def _put_media(self, txn: str, ghost: Account, sealed: bytes, mxc: MxcUri) -> None:
        try:
            await ghost.api.upload(sealed, mxc)
        except HomeRefused as error:
            if error.status in {403, 404}:  # reserved too long ago
                await self._uploads.forget([txn])
                raise Temporary("a reserved media address has expired") from None
            if error.errcode != "M_CANNOT_OVERWRITE_MEDIA":  # else a crash came between the upload and its note
                raise
        await self._uploads.done(txn)
