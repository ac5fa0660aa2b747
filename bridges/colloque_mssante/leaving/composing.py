"""From a draft to the mail that leaves. What a mail must pass is checked when it is written, and when it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from colloque import __version__
from colloque.clock import Clock, from_millis
from colloque.config import MssanteConfig
from colloque.directory.lookup import Directory
from colloque.errors import BadIdentifier, BadInput, HomeRefused, Refused, Tampered, Temporary
from colloque.identity import MssanteAddress, UserId
from colloque.mail.bodies import escaped
from colloque.mail.compose import compose, encoded_size, envid, message_id
from colloque.mail.message import Attachment, Outgoing, Party
from colloque.mail.mss import headers, shown_subject
from colloque.mail.xdm_write import Sender
from colloque.matrix.home import Home, JsonDict
from colloque.store.roomkeys import RoomKeys
from colloque_mssante.access.authors import Authors
from colloque_mssante.arriving.scanning import Scanning
from colloque_mssante.mapping import enclosing, forwarding
from colloque_mssante.mapping.drafts import Draft, Line
from colloque_mssante.mapping.enclosing import Enclosed, Maker
from colloque_mssante.mapping.targets import Target, Whitelisted, listed_address
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.people.ghosts import still_of
from colloque_mssante.rules.sends import ROOM, Send, queued
from colloque_mssante.store.originals import Originals
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import writing as texts_writing

SOFTWARE = "Colloque"
"""What made an archive, for whoever opens it."""
GONE_FROM_DIRECTORY = "address_gone"
"""Reason of a refusal: the directory no longer lists the recipient."""
_STOPS = "address_gone_for_good"
"""The same, where no other address of theirs can be proposed."""
_FETCH_TRIES = 580
"""How often a mail that is forwarded is asked for: some two days, as long as other mail is held back."""


class FileHome(Home, Protocol):
    """A home that can fetch attachments (`colloque.matrix.nio_home.NioHome`)."""

    async def download(self, content: JsonDict) -> bytes:
        """The bytes of an encrypted attachment. Raises BadInput, Tampered, HomeRefused, HomeUnavailable."""
        ...


class Composer:
    """One instance a process. Everything raises Refused whose message is what the writer reads."""

    def __init__(
        self,
        *,
        config: MssanteConfig,
        home: FileHome,
        authors: Authors,
        directory: Directory,
        conversations: Conversations,
        whitelisted: Whitelisted,
        scanning: Scanning,
        originals: Originals,
        keys: RoomKeys,
        clock: Clock,
        secret: bytes,
    ) -> None:
        self._config = config
        self._home = home
        self._authors = authors
        self._directory = directory
        self._conversations = conversations
        self._whitelisted = whitelisted
        self._scanning = scanning
        self._originals = originals
        self._keys = keys
        self._clock = clock
        self._secret = secret

    def check_writer(self, user: UserId) -> None:
        """Whoever writes is verified today."""
        self._authors.name(user)

    def check(self, user: UserId, target: Target) -> Party:
        """How the sender is written; every recipient may be written to."""
        sender = self._authors.sender(user, target.sender)
        for party in target.recipients:
            self._may_get(party, target)
        return sender

    def check_size(self, target: Target | None, lines: Sequence[Line]) -> None:
        """What the sending clients say of their files, before anything is fetched."""
        sizes = (line.file.get("size") for line in lines if line.file is not None)
        limit = self._limit(target)
        if sum(encoded_size(size) for size in sizes if isinstance(size, int)) > limit:
            raise Refused("too_big", texts.too_big(limit))

    async def compose(self, draft: Draft, lines: Sequence[Line]) -> Send:
        """The mail to queue. Raises Temporary when a file can't be fetched or scanned now."""
        target = draft.target
        assert target is not None
        sender = self.check(draft.owner, target)
        await self._check_owner(draft, target)
        self.check_size(target, lines)
        words, rich = self._words(draft, target, lines)
        files = [await self._file(line.file) for line in lines if line.file is not None]
        if target.forwards:
            below, beside = await self._forwarded(draft)
            words, rich, files = f"{words}\n\n{below}", "", [*files, *beside]
        await self._scanning.check(files)
        now, known_as = self._clock.now(), message_id(self._secret, draft.id, target.sender.domain)
        enclosed = Enclosed(())
        if files:
            maker = Maker(self._maker(draft.owner, sender), known_as, self._config.sender.domain, now)
            enclosed = await asyncio.to_thread(enclosing.enclosed, files, maker)
        named = texts_writing.subject(
            enclosed.subject or draft.subject or target.subject,
            self._authors.name(draft.owner),
            replaces=bool(target.replaces),
        )
        outgoing = Outgoing(
            message_id=known_as,
            sender=sender,
            to=target.to,
            cc=target.cc,
            subject=named,
            text=words,
            html=rich,
            date=now,
            nil=self._config.nil,
            attachments=enclosed.files,
            in_reply_to=target.in_reply_to,
            references=target.references,
            extra={**enclosed.extra, **headers((), _addresses(target), last=target.last)},
        )
        try:
            raw = compose(outgoing)
        except BadInput:
            raise Refused("not_composable", texts.NOT_SENDABLE) from None
        limit = self._limit(target)
        if len(raw) > limit:
            raise Refused("too_big", texts.too_big(limit))
        return queued(
            outgoing,
            raw,
            key=draft.id,
            caller=ROOM,
            sender=target.sender,
            envid=envid(self._secret, draft.id),
            ref=await self._keys.token(draft.room, draft.id),
            owner=draft.owner,
            room=draft.room,
            event=lines[-1].event,
            thread=target.thread or draft.id,
            target=replace(target, subject=shown_subject(named)).dump(),
        )

    def _maker(self, user: UserId, sender: Party) -> Sender:
        """Who an archive says made it."""
        place = self._authors.place(MssanteAddress.parse(sender.address))
        return Sender(self._authors.name(user), place, SOFTWARE, __version__, sender.address)

    def _words(self, draft: Draft, target: Target, lines: Sequence[Line]) -> tuple[str, str]:
        """What the mail says, as text and as HTML; the latter is empty where the text says as much."""
        said = [line for line in lines if line.words.strip()] or [Line(lines[-1].event, texts.FILE_ONLY)]
        said_above = texts_writing.corrects if draft.corrects else texts_writing.replaces
        above = said_above(from_millis(target.replaces), target.subject) if target.replaces else ""
        below = self._authors.signature(draft.owner, target.sender)
        words = "\n\n".join(filter(None, (above, "\n".join(line.words for line in said), below)))
        if not any(line.html for line in said):
            return words, ""
        rich = "<br>\n".join(line.html or escaped(line.words) for line in said)
        return words, "<br><br>\n".join(filter(None, (escaped(above), rich, escaped(below))))

    async def _forwarded(self, draft: Draft) -> tuple[str, tuple[Attachment, ...]]:
        found = await self._originals.of(draft.id)
        if found is None or found.gone:
            raise Refused("original_gone", texts_writing.FORWARD_GONE)
        if found.raw is None and draft.tries > _FETCH_TRIES:
            raise Refused("original_unreached", texts_writing.FORWARD_UNREACHED)
        if found.raw is None:
            raise Temporary("the mail to forward was not fetched yet")
        return await asyncio.to_thread(forwarding.forwarded, found.raw)

    def _may_get(self, party: Party, target: Target) -> None:
        try:
            address = MssanteAddress.parse(party.address)
        except BadIdentifier:
            raise Refused("no_author", texts.NO_AUTHOR) from None
        if listed_address(party.address, self._whitelisted) is None:
            raise Refused("not_listed", texts.NOT_LISTED)
        if target.listed and party == target.to[0] and self._directory.by_mssante(address) is None:
            reason = _STOPS if target.everyone else GONE_FROM_DIRECTORY
            raise Refused(reason, texts_writing.ADDRESS_GONE)

    async def _check_owner(self, draft: Draft, target: Target) -> None:
        """Its first recipient's address is still theirs: the directory may have given it to somebody else since."""
        conversation = await self._conversations.of(draft.room, draft.owner)
        who = target.who or (conversation.who if conversation is not None else "")
        if not target.listed or ":" not in who:  # in a room of many senders it is not known of what came long ago
            return
        if still_of(who, MssanteAddress.parse(target.to[0].address), self._directory):
            return
        # Another address of that person is asked for; not where the same one would be proposed, or others get it too.
        asks = not who.startswith("address:") and not target.everyone
        raise Refused(GONE_FROM_DIRECTORY if asks else _STOPS, texts_writing.ADDRESS_ANOTHERS)

    def _limit(self, target: Target | None) -> int:
        """Bytes of the encoded mail: patients' mailboxes take more (référentiel MSSanté)."""
        to_patients = target is not None and target.to_patients
        return self._config.patient_size_limit if to_patients else self._config.size_limit

    async def _file(self, file: JsonDict) -> Attachment:
        try:
            data = await self._home.download({"file": file["file"]})
        except (BadInput, Tampered, HomeRefused):
            raise Refused("file_gone", texts.FILE_GONE) from None
        return Attachment(file["name"], file["mime"], data)


def _addresses(target: Target) -> list[MssanteAddress]:
    return [MssanteAddress.parse(party.address) for party in target.recipients]
