"""A mailbox read over IMAP, as a guest: EXAMINE, BODY.PEEK; nothing is moved, flagged or deleted.

UIDs and their validity are the only progress marks for mails (RFC 3501 section 2.3.1.1); for their flags also the
mailbox's modification sequence, where the server keeps one (RFC 7162).
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import IO, cast

from colloque.errors import MailDeferred, NoRoom, NotFound
from colloque.mail import imap_answers as answers
from colloque.mail.access import Password, XOAuth2
from colloque.mail.imap_answers import MONTHS
from colloque.mail.imap_session import ImapSession
from colloque.mail.imap_wire import CommandRefused

__all__ = ["Box", "Changes", "Fetched", "ImapClient", "Password", "XOAuth2"]

CHUNK = 1 << 20
"""Bytes asked for at once, and the most of one message that stands in memory here: the rest goes to a file."""
_MAX_UID = 0xFFFFFFFF
ANSWERED, SEEN = "\\Answered", "\\Seen"


@dataclass(frozen=True, slots=True)
class Box:
    """INBOX when it was opened. `uidnext` is 0 where the server does not say."""

    uidvalidity: int
    uidnext: int
    exists: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message. `internal_date` is when the operator received it, aware."""

    uid: int
    internal_date: datetime
    size: int
    body: IO[bytes] = field(repr=False)
    """At its beginning. In memory while it is small, else a file without a name, which ends when this is closed."""

    def take(self) -> bytes:
        """The whole, in memory; its file is given up."""
        with self.body:
            return self.body.read()


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to mails: new flags by UID, and who is not there any more, as far as the server tells."""

    flags: dict[int, frozenset[str]]
    gone: frozenset[int]


class ImapClient(ImapSession):
    """A connection that reads."""

    async def examine(self) -> Box:
        """Open INBOX read-only. To be called once, before anything below."""
        self._exists = self._modseq = 0
        if {"QRESYNC", "ENABLE"} <= self.capabilities:
            with contextlib.suppress(CommandRefused):
                await self._wire.command(b"ENABLE QRESYNC")
        # Without one of the two, a server need not tell of flags that change (RFC 7162 section 3.1).
        asks = b" (CONDSTORE)" if "CONDSTORE" in self.capabilities and not self._qresync else b""
        found = await self._ask(b"EXAMINE INBOX" + asks)
        validity = answers.uidvalidity(found)
        if validity is None:
            raise MailDeferred("the mail server gave no UIDVALIDITY")
        self._modseq = answers.highest_modseq(found)
        self._news = False
        return Box(validity, answers.uidnext(found), self._exists)

    @property
    def modseq(self) -> int:
        """The newest modification sequence heard of: every change up to it can be asked for. 0 where none is kept."""
        return self._modseq

    async def uids(self, after_uid: int, since: date | None = None) -> list[int]:
        """UIDs above `after_uid`, rising; with `since`, those received that day or later, and some of the day before.

        (Servers compare dates in a zone of their own: the caller compares `internal_date` itself.)
        """
        if after_uid >= _MAX_UID:
            return []
        day = since - timedelta(days=1) if since else None
        when = f" SINCE {day.day}-{MONTHS[day.month - 1]}-{day.year}" if day else ""
        found = await self._ask(f"UID SEARCH UID {after_uid + 1}:*{when}".encode())
        # `n:*` always holds the last message, even when its UID is below n (RFC 3501 section 9, seq-range).
        listed = sorted({uid for uid in answers.searched(found) if uid > after_uid})
        self._after = dict(pairwise(listed))
        return listed

    async def fetch(self, uid: int, folder: Path | None = None) -> Fetched:
        """One message, in pieces of `CHUNK`, which go to a file in `folder` as they come where it is more than one.

        The one that `uids` listed after it is on its way then, while the caller deals with this one. Raises NotFound
        when it is not there any more, NoRoom when the disk does not take it.
        """
        piece, at = await self._piece(uid, 0, None)
        size, body = len(piece), cast("IO[bytes]", io.BytesIO(piece))
        if size == CHUNK:  # shorter: the end; longer: a server that does not cut
            body = _file(folder)
            try:
                while True:
                    await asyncio.to_thread(_add, body, piece)
                    if len(piece) != CHUNK:
                        break
                    piece, at = await self._piece(uid, size, at)
                    size += len(piece)
                body.seek(0)
            except BaseException:
                with contextlib.suppress(OSError):  # it tries once more to write what the disk did not take
                    body.close()
                raise
        following = self._after.pop(uid, None)
        if following is not None:
            self._wire.ahead(_asks(following, 0))
        return Fetched(uid, at, size, body)

    async def _piece(self, uid: int, offset: int, at: datetime | None) -> tuple[bytes, datetime]:
        for parts in await self._ask(_asks(uid, offset)):
            piece = answers.piece(parts)
            if piece is not None and piece.uid == uid:
                at = at or piece.internal_date
                if at is None:
                    raise MailDeferred("the mail server gave no date of arrival")
                return piece.raw, at
        if at is None:
            raise NotFound("the message is not in the mailbox any more")
        raise MailDeferred("the message went away while it was read")

    async def flags(self, uids: Sequence[int]) -> dict[int, frozenset[str]]:
        """Flags and keywords, in small letters, of those of these mails that are there."""
        if not uids:
            return {}
        return answers.flags(await self._ask(f"UID FETCH {answers.sequence_set(uids)} (FLAGS)".encode()))

    async def changes(self, uids: Sequence[int], since: int) -> Changes:
        """What happened to these mails after `since`, an earlier `modseq` (not 0) under the same UIDVALIDITY."""
        if not uids:
            return Changes({}, frozenset())
        more = " VANISHED" if self._qresync else ""
        asked = f"UID FETCH {answers.sequence_set(uids)} (FLAGS) (CHANGEDSINCE {since}{more})"
        found = await self._ask(asked.encode())
        told, wanted = answers.flags(found), set(uids)
        return Changes({uid: told[uid] for uid in told.keys() & wanted}, answers.vanished(found, wanted))


def _file(folder: Path | None) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(dir=folder)  # whoever gets it closes it
    except OSError as error:
        raise _no_room(error) from None


def _add(body: IO[bytes], piece: bytes) -> None:
    try:
        body.write(piece)
        body.flush()  # else a disk that is full shows later, when the file is read or closed
    except OSError as error:
        raise _no_room(error) from None


def _no_room(error: OSError) -> NoRoom:
    return NoRoom(f"a mail can't be kept on the disk: {error.strerror}")


def _asks(uid: int, offset: int) -> bytes:
    return f"UID FETCH {uid} (UID INTERNALDATE BODY.PEEK[]<{offset}.{CHUNK}>)".encode()
