"""A reply leaves: from a message in a mail room to a mail in the outbox, or to words that say why nothing left."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Protocol

from colloque import logs
from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.config import MssanteConfig
from colloque.directory.lookup import Directory
from colloque.errors import BadIdentifier, BadInput, HomeRefused, Refused, Tampered
from colloque.identity import EventId, MssanteAddress, RoomId, digest
from colloque.mail.compose import compose, encoded_size, envid, message_id
from colloque.mail.message import Attachment, Outgoing, Party
from colloque.mail.threading import reply_headers, reply_subject
from colloque.matrix.home import Home, Incoming, JsonDict, text
from colloque.professional import Professional
from colloque.rooms.mark import RoomMark
from colloque.store.roomkeys import RoomKeys
from colloque_mssante import mapping, texts
from colloque_mssante.credentials import Credentials
from colloque_mssante.mapping import No, Reply
from colloque_mssante.outbox import ROOM, Outbox, Send
from colloque_mssante.store import Mails, StoredMail

logger = logging.getLogger(__name__)


class FileHome(Home, Protocol):
    """A home that can fetch attachments (`colloque.matrix.nio_home.NioHome`)."""

    async def download(self, content: JsonDict) -> bytes:
        """The bytes of an encrypted attachment. Raises BadInput, Tampered, HomeRefused, HomeUnavailable."""
        ...


class Outbound:
    """One instance a process. `whitelisted` says whether a domain belongs to MSSanté."""

    def __init__(
        self,
        *,
        config: MssanteConfig,
        home: FileHome,
        book: AttestationBook,
        directory: Directory,
        whitelisted: Callable[[str], bool],
        credentials: Credentials,
        mails: Mails,
        outbox: Outbox,
        keys: RoomKeys,
        clock: Clock,
        secret: bytes,
        wake: Callable[[], None],
    ) -> None:
        self._config = config
        self._home = home
        self._book = book
        self._directory = directory
        self._whitelisted = whitelisted
        self._credentials = credentials
        self._mails = mails
        self._outbox = outbox
        self._keys = keys
        self._clock = clock
        self._secret = secret
        self._wake = wake

    async def hear(self, said: Incoming, mark: RoomMark) -> None:
        """Take in one message of a mail room (commands apart: they are the bot's). Safe to repeat.

        Raises HomeUnavailable and other Temporary errors: nothing has left then.
        """
        if await self._outbox.get(said.event) is not None:
            self._wake()
            return
        meant = mapping.to_reply(said)
        if isinstance(meant, No):
            if meant in mapping.SAID:
                await self._say(said, mapping.SAID[meant])
            return
        if said.encrypted and not said.device_signed:
            note = text(texts.UNSIGNED_DEVICE, reply_to=said.event)
            await self._home.send_to_all_devices(said.room, note, txn=_txn(said.event, "unsigned"))
            return
        try:
            send = await self._composed(said, meant, mark)
        except Refused as refusal:
            logs.event(logger, "reply.refused", reason=refusal.reason)
            await self._say(said, str(refusal))
            return
        await self._outbox.put(send)
        self._wake()

    async def unreadable(self, room: RoomId, event: EventId) -> None:
        """A message that could not be decrypted: its writer must know that nothing left."""
        await self._home.send_to_all_devices(
            room, text(texts.UNREADABLE, reply_to=event), txn=_txn(event, "unreadable")
        )

    async def failed(self, said: Incoming) -> None:
        """Something broke on our side: its writer must know that nothing left."""
        try:
            await self._say(said, texts.FAILED)
        except HomeRefused as error:
            logs.event(logger, "reply.untold", level=logging.WARNING, errcode=error.errcode)

    async def _say(self, said: Incoming, words: str) -> None:
        await self._home.send(said.room, text(words, reply_to=said.event), txn=_txn(said.event, "said"))

    async def _composed(self, said: Incoming, reply: Reply, mark: RoomMark) -> Send:
        """The mail to queue. Raises Refused; its message is what the writer reads."""
        owner = self._owner(said, mark)
        mail = await self._mails.shown_by(reply.to)
        if mail is None or mail.room != said.room or mail.owner != said.sender:
            raise Refused("not_its_mail", texts.NOT_ITS_MAIL)
        author = self._author(mail)
        sender = self._sender(owner, mail)
        files = (await self._file(reply),) if reply.file is not None else ()
        in_reply_to, references = reply_headers(mail.message_id, mail.references)
        outgoing = Outgoing(
            message_id=message_id(self._secret, said.event, mail.mailbox.domain),
            sender=sender,
            to=(Party(mail.author.name, author.value),),
            subject=reply_subject(mail.subject),
            text=reply.text or texts.FILE_ONLY,
            date=said.sent_at,
            nil=self._config.nil,
            attachments=files,
            in_reply_to=in_reply_to,
            references=references,
        )
        try:
            raw = compose(outgoing)
        except BadInput:
            raise Refused("not_composable", texts.NOT_SENDABLE) from None
        if len(raw) > self._config.size_limit:
            raise Refused("too_big", texts.too_big(self._config.size_limit))
        now = self._clock.now()
        return Send(
            key=said.event,
            caller=ROOM,
            sender=mail.mailbox,
            recipients=outgoing.recipients,
            owner=said.sender,
            room=said.room,
            event=said.event,
            message_id=outgoing.message_id,
            envid=envid(self._secret, said.event),
            ref=await self._keys.token(said.room, said.event),
            raw=raw,
            state="queued",
            status="",
            tries=0,
            next_at=now,
            made_at=now,
            told="",
        )

    def _owner(self, said: Incoming, mark: RoomMark) -> Professional:
        """Who writes, as the directory knows them: the room's owner, attested, on an encrypted line."""
        if said.sender != mark.owner:
            raise Refused("not_owner", texts.NOT_OWNER)
        if not said.encrypted:
            raise Refused("cleartext", texts.CLEARTEXT)
        attestation = self._book.of(said.sender, self._clock.now())
        person = self._directory.by_rpps(attestation.rpps) if attestation else None
        if person is None:
            raise Refused("not_attested", texts.NOT_ATTESTED)
        return person

    def _author(self, mail: StoredMail) -> MssanteAddress:
        """The one recipient of an answer: the author of that mail, where MSSanté knows the domain."""
        try:
            author = MssanteAddress.parse(mail.author.address)
        except BadIdentifier:
            raise Refused("no_author", texts.NO_AUTHOR) from None
        if not self._whitelisted(author.domain):
            raise Refused("not_listed", texts.NOT_LISTED)
        return author

    def _sender(self, owner: Professional, mail: StoredMail) -> Party:
        """The address the mail came to, provided that it is still the writer's own and open to us."""
        mine = next((m for m in owner.personal_mailboxes if m.address == mail.mailbox), None)
        if mine is None or self._credentials.of(mail.mailbox) is None:
            raise Refused("no_mailbox", texts.NO_MAILBOX)
        return Party(mapping.sender_label(owner, mine), mail.mailbox.value)

    async def _file(self, reply: Reply) -> Attachment:
        """The file, decrypted. Its size is judged before it is fetched where its writer told it."""
        assert reply.file is not None
        if reply.file_size is not None and encoded_size(reply.file_size) > self._config.size_limit:
            raise Refused("too_big", texts.too_big(self._config.size_limit))
        try:
            data = await self._home.download({"file": dict(reply.file)})
        except (BadInput, Tampered, HomeRefused):
            raise Refused("file_gone", texts.FILE_GONE) from None
        return Attachment(reply.file_name, reply.file_mime, data)


def service_send(
    *,
    config: MssanteConfig,
    secret: bytes,
    clock: Clock,
    caller: str,
    key: str,
    to: MssanteAddress,
    subject: str,
    words: str,
) -> Send:
    """A service's own mail (a code), from the service's mailbox. `caller` and `key` decide its Message-ID and ENVID."""
    seed, now = f"{caller}:{key}", clock.now()
    outgoing = Outgoing(
        message_id=message_id(secret, seed, config.sender.domain),
        sender=Party(texts.SERVICE_LABEL, config.sender.value),
        to=(Party("", to.value),),
        subject=subject,
        text=words,
        date=now,
        nil=config.nil,
        extra={"Auto-Submitted": "auto-generated"},
    )
    return Send(
        key=seed,
        caller=caller,
        sender=config.sender,
        recipients=outgoing.recipients,
        owner=None,
        room=None,
        event=None,
        message_id=outgoing.message_id,
        envid=envid(secret, seed),
        ref=hashlib.sha256(secret + seed.encode()).hexdigest()[:20],
        raw=compose(outgoing),
        state="queued",
        status="",
        tries=0,
        next_at=now,
        made_at=now,
        told="",
    )


def _txn(event: EventId, use: str) -> str:
    return digest(f"{event} {use}")
