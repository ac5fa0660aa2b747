"""Makes a closed room's archive: its documents, stored as files of the room, and what of them goes into which mail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from colloque.attestation import Kind
from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.commands import Call, parse
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused, Inconsistent, NotFound, Temporary
from colloque.identity import RoomId
from colloque.logs import event as log_event
from colloque.mail.standing import Standing, standings
from colloque.mail.xdm import FILE_NAME
from colloque.professional import Professional
from colloque.rooms.archive import What
from colloque.rooms.keeping import Proof
from colloque.rooms.lifecycle import LifetimeRule
from colloque.store.roomkeys import RoomKeys
from colloque_salles.archive.conversation import Reader, Reading
from colloque_salles.archive.documenting import MIME, Papers, archives
from colloque_salles.archive.printing import Conversation, parts
from colloque_salles.rules.document import Document
from colloque_salles.rules.packing import Item, files_of, fits, item_of, pack
from colloque_salles.store.archive import Archive, Archives
from colloque_salles.store.copies import Copies
from colloque_salles.store.identity import Given, Identities
from colloque_salles.store.rooms import Kept
from colloque_salles.texts import archive as papers

_FILES_WAIT = timedelta(days=1)
"""How long an archive waits for files that our own server has and does not give; then they are left to be fetched."""
log = logging.getLogger(__name__)


class Making:
    """One instance a service. `limit`: bytes of one mail as it leaves. `domain`: of the services' own mailbox.

    `exists`: has the server still that room?
    """

    def __init__(
        self,
        *,
        home: Reading,
        reader: Reader,
        archives: Archives,
        copies: Copies,
        identities: Identities,
        book: AttestationBook,
        directory: Directory,
        keys: RoomKeys,
        clock: Clock,
        rule: LifetimeRule,
        limit: int,
        domain: str,
        exists: Callable[[RoomId], Awaitable[bool]],
    ) -> None:
        self._home = home
        self._reader = reader
        self._archives = archives
        self._copies = copies
        self._identities = identities
        self._book = book
        self._directory = directory
        self._keys = keys
        self._clock = clock
        self._rule = rule
        self._limit = limit
        self._domain = domain
        self._exists = exists

    async def make(self, kept: Kept, archive: Archive) -> Proof | None:
        """Safe to repeat. Where there is nothing to keep: what proves that. Raises Temporary, HomeRefused."""
        room, since = kept.room.room, kept.room.closed_at or self._clock.now()
        try:
            said = await self._reader.read(kept, wait=self._clock.now() < since + self._rule.linger + _FILES_WAIT)
        except HomeRefused:
            if await self._exists(room):
                raise
            return Proof.UNREACHABLE
        if not said.lines and kept.room.last_activity > kept.room.opened_at:
            raise Inconsistent("somebody wrote in a room, and its history is empty")
        if all(line.what is What.TEXT and isinstance(parse(line.text), Call) for line in said.lines):  # to us alone
            return Proof.NOTHING_SAID
        sheets = await asyncio.to_thread(parts, said)
        documents, how = await self._documents(kept, archive, said, sheets)
        named = [papers.file_name(kept.words, rank, len(sheets)) for rank in range(1, len(sheets) + 1)]
        items = [
            await self._store(room, sheet, name, "application/pdf") for sheet, name in zip(sheets, named, strict=True)
        ]
        zipped = [await self._store(room, each, FILE_NAME, MIME) for each in documents]
        files, unread = files_of(said.lines)
        # A mail that carries documents of health carries nothing else: who receives it may take in these alone.
        pairs = [list(pair) for pair in zip(items, zipped, strict=False)]
        mails, big = pack(files if pairs else [*items, *files], self._limit)
        left = [*unread, *(item.name for item in big)]
        at_home = archive.at_home or any(item.ours for item in big)
        if at_home:
            mails, left = [[*items, *zipped]], [*unread, *(item.name for item in files)]
        else:
            mails = [*pairs, *mails]
        await self._archives.made(room, mails, left, at_home=at_home, document=how)
        return None

    async def _store(self, room: RoomId, data: bytes, name: str, mime: str) -> Item:
        """As a file of the room: it is erased with it."""
        mxc = await self._home.reserve_file()
        await self._copies.keep(room, mxc)
        shared = await self._home.upload_encrypted(data, name, mime, to=mxc)
        return item_of(shared, len(data), ours=True)

    async def _documents(
        self, kept: Kept, archive: Archive, said: Conversation, sheets: Sequence[bytes]
    ) -> tuple[Sequence[bytes], Document]:
        """The conversation in the patient's name, one a sheet, or why not: that never keeps an archive back."""
        given = await self._identities.of(kept.room.room)
        if given is None:
            return (), Document.NONE
        if given.confirmed_by is None:
            return (), Document.UNCONFIRMED
        if self._book.of(given.confirmed_by, self._clock.now()) is None:
            return (), Document.UNVERIFIED
        found = self._author(archive, given)
        if found is None:
            return (), Document.UNPLACED
        token = await self._keys.token(archive.room, archive.referent)
        common = Papers(
            words=kept.words,
            patient=given.identity.patient,
            person=found[0],
            standing=found[1],
            opened_at=kept.room.opened_at,
            closed_at=kept.room.closed_at or said.made_at,
            made_at=said.made_at,
            name=f"{token}-archive-{archive.attempt}",
            domain=self._domain,
        )
        try:
            made = await asyncio.to_thread(archives, sheets, common)
        except Exception as error:  # noqa: BLE001  whatever it is, the PDF goes; its text may hold a trait
            log_event(log, "archive.document_failed", level=logging.ERROR, error=type(error).__name__)
            return (), Document.FAILED
        pairs = zip(sheets, made, strict=True)
        if not archive.at_home and not all(fits(map(len, pair), self._limit) for pair in pairs):
            return (), Document.TOO_BIG
        return made, Document.ENCLOSED

    def _author(self, archive: Archive, given: Given) -> tuple[Professional, Standing] | None:
        """Whoever gets it, in the one standing that they have, or that they chose when they confirmed the identity."""
        held = self._book.of(archive.referent, self._clock.now())
        try:
            professional = held is not None and held.kind is Kind.PROFESSIONAL
            person = self._directory.by_rpps(held.rpps) if professional and held is not None else None
        except NotFound:
            raise Temporary("the directory was not imported yet") from None
        if person is None:
            return None
        found = standings(person)
        if len(found) > 1:
            chosen = given.standing if given.confirmed_by == archive.referent else ""
            found = tuple(each for each in found if each.key == chosen)
        return (person, found[0]) if found else None
