"""Whether mails are still in a mailbox, in whatever folder: asked by Message-ID, read-only. Nothing is touched.

What is marked as deleted, or stands among deleted or unwanted mails, does not count: mail programs and operators empty
these by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from colloque.mail import imap_answers as answers
from colloque.mail.imap import ImapClient
from colloque.mail.imap_filing import MESSAGE_ID, quoted, read_folder

_INBOX = b"INBOX"
_PASSING = (b"\\noselect", b"\\nonexistent", b"\\trash", b"\\junk", b"\\drafts")
_PASSING_NAMES = {
    b"trash", b"corbeille", b"deleted items", b"deleted messages", b"&amk-l&aok-ments supprim&aok-s",
    b"messages supprim&aok-s", b"junk", b"junk email", b"spam", b"ind&aok-sirables", b"courrier ind&aok-sirable",
    b"drafts", b"brouillons",
}  # fmt: skip
"""Of such folders where no attribute tells them (RFC 6154), in IMAP's modified UTF-7, folded."""


@dataclass(frozen=True, slots=True)
class Sought:
    """A mail: its Message-ID, and where INBOX had it (UIDVALIDITY and UID); 0 for what never stood there."""

    message_id: str | None
    uidvalidity: int = 0
    uid: int = 0


class FindingClient(ImapClient):
    """Made by `connect`; everything raises MailDeferred."""

    async def standing(self, sought: Sequence[Sought]) -> list[bool]:
        """For each, whether the mailbox has it now."""
        found = [False] * len(sought)
        for folder in await self._folders():
            waiting = [rank for rank, is_there in enumerate(found) if not is_there]
            if not waiting:
                break
            validity = answers.uidvalidity(await self._ask(b"EXAMINE " + quoted(folder)))
            for rank in waiting:
                one = sought[rank]
                found[rank] = await self._has_id(one.message_id) or (
                    folder.upper() == _INBOX
                    and one.uid > 0
                    and one.uidvalidity == validity
                    and await self._has(one.uid)
                )
        return found

    async def _has_id(self, message_id: str | None) -> bool:
        if message_id is None or not MESSAGE_ID.match(message_id):
            return False
        return bool(
            answers.searched(await self._ask(f'UID SEARCH UNDELETED HEADER Message-ID "{message_id}"'.encode()))
        )

    async def _has(self, uid: int) -> bool:
        return uid in answers.searched(await self._ask(f"UID SEARCH UNDELETED UID {uid}".encode()))

    async def _folders(self) -> list[bytes]:
        """Where mails are kept, INBOX first."""
        listed = [read_folder(parts) for parts in await self._ask(b'LIST "" "*"')]
        kept = {name for flags, name in listed if name and not _passes(flags, name)}
        return [_INBOX, *sorted(name for name in kept if name.upper() != _INBOX)]


def _passes(flags: bytes, name: bytes) -> bool:
    return any(flag in flags for flag in _PASSING) or re.split(rb"[/.]", name.lower())[-1] in _PASSING_NAMES
