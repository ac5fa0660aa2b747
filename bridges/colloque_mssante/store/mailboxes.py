"""What the bridge remembers of mailboxes: how far each was read, and how that goes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.audit import SYSTEM
from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import MssanteAddress, UserId
from colloque.store.schema import transaction
from colloque_mssante.rules.teams import SHARED


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a mailbox was read. `since`: nothing older is shown. `uidvalidity` is None before the first look."""

    address: MssanteAddress
    owner: UserId
    since: datetime
    uidvalidity: int | None
    uid: int
    refused: str
    """Why the operator does not let us in, as a code; empty while it does. Kept until the credentials change."""
    opened: int = 0
    """How often its owner had it read anew: a reader of before moves nothing."""

    @property
    def team(self) -> MssanteAddress | None:
        """Its address where a team shares it; None for somebody's own."""
        return self.address if self.owner == SHARED else None

    @property
    def holder(self) -> str:
        """Whose choices count for it: its owner, or itself where a team shares it."""
        return self.owner or self.address.value

    @property
    def actor(self) -> str:
        """For whom it is read, in the journal."""
        return self.owner or SYSTEM


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mail stands: in which mailbox, under which UID."""

    box: Cursor
    uidvalidity: int
    uid: int


class Mailboxes:
    """Cursors, made here; `store_inbox.Inbox` moves them, with the mails that they pass over."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def start(self, address: MssanteAddress, owner: UserId, since: datetime, *, instead: bool = True) -> Cursor:
        """The mailbox's cursor, made at the first call. Another owner begins anew, from their own `since`.

        Without `instead` the owner that it had keeps it: the cursor is theirs then.
        """
        async with transaction(self._db):
            found = await self.get(address)
            if found is not None and (found.owner == owner or not instead):
                return found
            await self._db.execute("DELETE FROM inbox WHERE mailbox = $1", address.value)
            await self._db.execute(
                "INSERT INTO mailbox (address, owner, since, uid) VALUES ($1, $2, $3, 0) "
                "ON CONFLICT (address) DO UPDATE SET owner = excluded.owner, since = excluded.since, "
                "uidvalidity = NULL, uid = 0, refused = NULL, closed = '', closed_at = 0",
                address.value,
                owner,
                to_millis(since),
            )
            made = await self.get(address)
        assert made is not None
        return made

    async def get(self, address: MssanteAddress) -> Cursor | None:
        """The cursor, None when the mailbox was never watched."""
        row: Any = await self._db.fetchrow("SELECT * FROM mailbox WHERE address = $1", address.value)
        return None if row is None else read_cursor(row)

    async def refuse(self, address: MssanteAddress, code: str) -> bool:
        """The operator does not let us in (`""`: it does again). True when that is news."""
        async with transaction(self._db):
            before = await self._db.fetchval("SELECT refused FROM mailbox WHERE address = $1", address.value)
            news = (before or "") != code
            if news:  # thousands of mailboxes come back together: each write is waited for by the disk
                await self._db.execute(
                    "UPDATE mailbox SET refused = $2 WHERE address = $1", address.value, code or None
                )
        return news

    async def note_state(self, address: MssanteAddress, state: str, *, only_from: str = "") -> None:
        """How its reading goes now; `only_from`: where it went otherwise, that stays."""
        await self._db.execute(
            "UPDATE mailbox SET state = $2, state_at = $3 WHERE address = $1 AND state <> $2 "
            "AND ($4 = '' OR state = $4)",
            address.value,
            state,
            to_millis(self._clock.now()),
            only_from,
        )

    async def states(self, since: datetime | None = None) -> dict[MssanteAddress, str]:
        """How the reading of each goes that is read; with `since`, only what was noted from then on."""
        rows: list[Any] = await self._db.fetch(
            "SELECT address, state FROM mailbox WHERE state <> '' AND state_at >= $1", to_millis(since) if since else 0
        )
        return {MssanteAddress(row["address"]): row["state"] for row in rows}

    async def unreachable(self, since: datetime) -> bool:
        """True when some mailbox has been out of reach since then: for health."""
        found = await self._db.fetchval(
            "SELECT 1 FROM mailbox WHERE state = 'waiting' AND state_at <= $1 LIMIT 1", to_millis(since)
        )
        return found is not None


def read_cursor(row: Any) -> Cursor:
    """A row of `mailbox`."""
    return Cursor(
        MssanteAddress(row["address"]),
        UserId(row["owner"]),
        from_millis(row["since"]),
        row["uidvalidity"],
        row["uid"],
        row["refused"] or "",
        row["opened"],
    )


def box_ref(address: MssanteAddress, *more: str) -> str:
    """20 hex digits for the journal and for keys of incidents."""
    return hashlib.sha256(" ".join((address.value, *more)).encode()).hexdigest()[:20]
