"""Which mails of threads that are to end their mailboxes are still to be asked about, and what they said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mautrix.util.async_db import Database

from colloque.identity import MssanteAddress, UserId
from colloque.mail.imap_finding import Sought

AT_ONCE = 200
"""Mails that one visit asks about."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mail that its mailbox is to be asked about."""

    thread: str
    mail: str
    sought: Sought


class Seeking:
    """Queries over `thread_original`, for the half that knows no room."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def waiting(self) -> list[tuple[MssanteAddress, UserId]]:
        """Mailboxes that are still to be asked, with whose they are (empty: a team's)."""
        rows: list[Any] = await self._db.fetch(
            "SELECT DISTINCT mailbox, owner FROM thread_original WHERE found IS NULL"
        )
        return [(MssanteAddress(row["mailbox"]), UserId(row["owner"])) for row in rows]

    async def wanted(self, mailbox: MssanteAddress, owner: UserId) -> list[Wanted]:
        """The next mails that a mailbox is to be asked about, for that owner."""
        rows: list[Any] = await self._db.fetch(
            "SELECT * FROM thread_original WHERE found IS NULL AND mailbox = $1 AND owner = $2 "
            "ORDER BY thread, mail LIMIT $3",
            mailbox.value,
            owner,
            AT_ONCE,
        )
        return [
            Wanted(row["thread"], row["mail"], Sought(row["message_id"], row["uidvalidity"], row["uid"]))
            for row in rows
        ]

    async def answered(self, wanted: Wanted, *, found: bool) -> None:
        """What a mailbox said of a mail."""
        await self._db.execute(
            "UPDATE thread_original SET found = $3 WHERE thread = $1 AND mail = $2", wanted.thread, wanted.mail, found
        )
