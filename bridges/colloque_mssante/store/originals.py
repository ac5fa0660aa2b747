"""Mails that are being forwarded: fetched once more from their mailbox, kept until what forwards them has left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mautrix.util.async_db import Database, UpgradeTable

from colloque.identity import MssanteAddress, UserId
from colloque_mssante.store.tables_writing import register


def register_originals(table: UpgradeTable) -> None:
    """Add this family's migration after those of drafts."""
    register(table, "Mails that are forwarded", _TABLES)


_TABLES = (
    # One row a draft that forwards a mail. `raw` is NULL until it was fetched; `gone`: it is in its mailbox no more.
    """CREATE TABLE original (
        draft TEXT PRIMARY KEY,
        mail  TEXT NOT NULL,
        raw   BYTEA,
        gone  BOOLEAN NOT NULL DEFAULT false
    )""",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A mail to fetch for a draft."""

    draft: str
    mailbox: MssanteAddress
    owner: UserId
    uidvalidity: int
    uid: int


@dataclass(frozen=True, slots=True)
class Original:
    """What was found. `raw` is None while nobody looked."""

    raw: bytes | None = field(repr=False)
    gone: bool


class Originals:
    """Queries over `original`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def ask(self, draft: str, mail: str) -> None:
        """That draft forwards that mail. Safe to repeat."""
        await self._db.execute(
            "INSERT INTO original (draft, mail) VALUES ($1, $2) ON CONFLICT (draft) DO NOTHING", draft, mail
        )

    async def of(self, draft: str) -> Original | None:
        """What is known of the mail that a draft forwards; None when it forwards none."""
        row: Any = await self._db.fetchrow("SELECT raw, gone FROM original WHERE draft = $1", draft)
        return None if row is None else Original(None if row["raw"] is None else bytes(row["raw"]), bool(row["gone"]))

    async def sweep(self) -> None:
        """Forget what was fetched for drafts that left or were given up."""
        await self._db.execute(
            "DELETE FROM original WHERE EXISTS (SELECT 1 FROM draft WHERE draft.id = original.draft "
            "AND draft.state NOT IN ('asking', 'open', 'waiting', 'confirming'))"
        )

    async def asked(self) -> list[Asked]:
        """What is still to be fetched."""
        rows: list[Any] = await self._db.fetch(
            "SELECT original.draft, mail.mailbox, mail.owner, mail.uidvalidity, mail.uid FROM original "
            "JOIN mail ON mail.id = original.mail WHERE original.raw IS NULL AND NOT original.gone"
        )
        return [
            Asked(row["draft"], MssanteAddress(row["mailbox"]), UserId(row["owner"]), row["uidvalidity"], row["uid"])
            for row in rows
        ]

    async def found(self, draft: str, raw: bytes | None) -> None:
        """It was fetched; None: it is not there any more."""
        await self._db.execute("UPDATE original SET raw = $2, gone = $3 WHERE draft = $1", draft, raw, raw is None)
