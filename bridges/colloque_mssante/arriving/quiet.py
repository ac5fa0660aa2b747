"""Which mails ring. Machines' documents go to one quiet room a mailbox; people, and what is marked as urgent, ring."""

from __future__ import annotations

import logging

from colloque.directory.lookup import Directory
from colloque.errors import BadIdentifier
from colloque.identity import MssanteAddress, digest
from colloque.mail.message import Mail
from colloque.matrix.home import Home, Incoming, text
from colloque.professional import MailboxKind
from colloque_mssante.mapping import mapping
from colloque_mssante.mapping.mapping import Tap
from colloque_mssante.people.ghosts import Correspondent, Ghosts, correspondent
from colloque_mssante.store.documents import Documents
from colloque_mssante.store.mails import Mails
from colloque_mssante.texts import documents as texts

RING, HUSH = "🔔", "🔕"

logger = logging.getLogger(__name__)


class Quiet:
    """One instance a process."""

    def __init__(self, *, home: Home, directory: Directory, ghosts: Ghosts, mails: Mails, documents: Documents) -> None:
        self._home = home
        self._directory = directory
        self._ghosts = ghosts
        self._mails = mails
        self._documents = documents

    async def is_quiet(self, mail: Mail, key: str, holder: str, who: Correspondent) -> bool:
        """Whether a mail (`key`: see `mapping.mail_key`) goes to the quiet room of `holder` (`store.Cursor.holder`).

        What its holder chose for that sender comes first. A mail that was begun goes on where it was begun. A patient
        stands in no room with others.
        """
        begun = await self._mails.arriving_in(key)
        if begun is not None:
            return await self._documents.holds(begun)
        rings = await self._documents.rings(holder, who.key)
        if mail.urgent or mail.reports or who.patient:
            return False
        return not rings if rings is not None else self._is_automatic(mail)

    def _is_automatic(self, mail: Mail) -> bool:
        """A document that a software sent by itself (X-MSS-CODECDA), or a mailbox of machines (APP)."""
        return mail.coded or self._kind(mail.sender.address) is MailboxKind.APP

    def _kind(self, address: str) -> MailboxKind | None:
        try:
            box = self._directory.by_mssante(MssanteAddress.parse(address))
        except BadIdentifier:
            return None
        return box.kind if box is not None else None

    async def hear(self, said: Incoming) -> bool:
        """Take in a bell that was tapped on a mail by who may; False for anything else. Safe to repeat."""
        meant = mapping.to_meant(said) if said.type == "m.reaction" else None
        if not isinstance(meant, Tap) or _plain(meant.key) not in {RING, HUSH}:
            return False
        await self._mails.linked(said.room, meant.on)
        mail = await self._mails.shown_by(meant.on)
        if mail is None or mail.room != said.room or not mail.came_to(said.sender):
            return False
        who = await self._ghosts.settled(correspondent(mail.author.address, self._directory))
        rings = _plain(meant.key) == RING
        if who.patient:
            words = texts.PATIENT_RINGS
        else:
            await self._documents.choose(mail.owner or mail.mailbox.value, who.key, rings=rings)
            words = texts.rings_now(who.label) if rings else texts.quiet_now(who.label)
        await self._home.send(said.room, text(words, reply_to=meant.on), txn=digest(f"{said.event} bell"))
        return True


def _plain(key: str) -> str:
    """A sign without the invisible mark that some clients add to it."""
    return key.removesuffix("\ufe0f")
