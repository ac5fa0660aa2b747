"""What a guest leaves in a mailbox: a copy of what was sent, and the flags of what its owner did. Nothing is removed.

A connection of its own for each visit: the one that reads keeps INBOX open read-only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from colloque.errors import BadInput, MailDeferred, MailRefused, NotFound
from colloque.mail import imap_answers as answers
from colloque.mail.imap import ImapClient
from colloque.mail.imap_answers import MONTHS, Response
from colloque.mail.imap_wire import CommandRefused

TOLD = "$MDNSent"
"""Keyword of mails whose author was told that they were read, by whatever program (RFC 3503)."""

_LIST = re.compile(rb'\* LIST \(([^)]*)\) (?:NIL|"(?:\\.|[^"\\])*") (.*)\Z', re.IGNORECASE | re.DOTALL)
_SENT_NAMES = {
    b"sent", b"sent items", b"sent messages", b"envoy&aok-s", b"messages envoy&aok-s", b"&amk-l&aok-ments envoy&aok-s",
}  # fmt: skip
"""Of folders for sent mail where no attribute tells them (RFC 6154), in IMAP's modified UTF-7, folded."""
MESSAGE_ID = re.compile(r"<[!#-;=?-\[\]-~]{1,900}>\Z")
"""One that may stand in a search."""


class FilingClient(ImapClient):
    """Made by `connect`; everything raises MailDeferred besides what is said."""

    async def sent_folder(self) -> bytes | None:
        """The folder for sent mail, as the server writes its name; None when the mailbox has none."""
        found = [read_folder(parts) for parts in await self._ask(b'LIST "" "*"')]
        folders = [(flags, name) for flags, name in found if name and b"\\noselect" not in flags]
        by_flag = next((name for flags, name in folders if b"\\sent" in flags), None)
        return by_flag or next((n for _, n in folders if re.split(rb"[/.]", n.lower())[-1] in _SENT_NAMES), None)

    async def file(self, folder: bytes, raw: bytes, message_id: str, sent_at: datetime) -> bool:
        """Put a copy of a sent mail there, read; False when one of that Message-ID stands there already.

        Raises MailRefused when the server will not take it.
        """
        name = quoted(folder)
        if await self.holds(folder, message_id):
            return False
        at = sent_at.astimezone(UTC)
        date = f"{at.day:02d}-{MONTHS[at.month - 1]}-{at.year} {at:%H:%M:%S} +0000"
        command = b'APPEND %s (\\Seen) "%s" {%d}' % (name, date.encode(), len(raw))
        try:
            await self._wire.command(command, answer=lambda _: raw)
        except CommandRefused as refused:
            raise MailRefused(0, refused.code) from None
        return True

    async def holds(self, folder: bytes, message_id: str) -> bool:
        """True when a mail of that Message-ID stands in a folder. Raises BadInput when that is no Message-ID."""
        if not MESSAGE_ID.match(message_id):
            raise BadInput("a Message-ID is malformed")
        await self._ask(b"SELECT " + quoted(folder))
        return bool(answers.searched(await self._ask(f'UID SEARCH HEADER Message-ID "{message_id}"'.encode())))

    async def again(self, uidvalidity: int, uid: int, folder: Path) -> bytes | None:
        """A mail of INBOX that was read before, by way of `folder` (see `fetch`); None when it is not there any more.

        Raises NoRoom when the disk does not take it.
        """
        if (await self.examine()).uidvalidity != uidvalidity:
            return None
        try:
            return (await self.fetch(uid, folder)).take()
        except NotFound:
            return None

    async def flag(self, uidvalidity: int, uids: Sequence[int], flag: str) -> dict[int, frozenset[str]]:
        """Set a flag of mails of INBOX; all flags, in small letters, of those that are still there.

        A keyword that the server does not keep is not set: the flags tell.
        """
        if answers.uidvalidity(await self._ask(b"SELECT INBOX")) != uidvalidity:
            return {}
        await self._ask(f"UID STORE {answers.sequence_set(uids)} +FLAGS.SILENT ({flag})".encode())
        return await self.flags(uids)  # asked for: of a flag that was there before, some servers answer nothing


def read_folder(parts: Response) -> tuple[bytes, bytes]:
    """`(attributes, name)` of a LIST answer, whose name is an atom, a quoted string or a literal."""
    match = _LIST.match(parts[0])
    if match is None:
        return b"", b""
    if len(parts) > 1:
        return match[1].lower(), parts[1]
    name = match[2]
    return match[1].lower(), re.sub(rb"\\(.)", rb"\1", name[1:-1]) if name.startswith(b'"') else name


def quoted(name: bytes) -> bytes:
    """A folder's name, as a command says it. Raises MailDeferred."""
    if b"\r" in name or b"\n" in name or b"\0" in name:
        raise MailDeferred("a folder's name can't be written")
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
