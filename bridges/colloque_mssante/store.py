"""What the bridge remembers of mailboxes: how far each was read, and what could not be shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.audit import SYSTEM
from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import MssanteAddress, UserId
from colloque.store.schema import transaction
from colloque_mssante.teams import SHARED


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


@dataclass(frozen=True, slots=True)
class Stuck:
    """A mail that could not be shown although Matrix answers."""

    uid: int
    tries: int
    next_at: datetime


class Mailboxes:
    """Cursors. A cursor moves last, when everything up to it is dealt with (shown, skipped or noted as stuck)."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def start(self, address: MssanteAddress, owner: UserId, since: datetime) -> Cursor:
        """The mailbox's cursor, made at the first call. Another owner begins anew, from their own `since`."""
        async with transaction(self._db):
            found = await self.get(address)
            if found is not None and found.owner == owner:
                return found
            await self._db.execute("DELETE FROM stuck WHERE mailbox = $1", address.value)
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
        if row is None:
            return None
        return Cursor(
            address,
            UserId(row["owner"]),
            from_millis(row["since"]),
            row["uidvalidity"],
            row["uid"],
            row["refused"] or "",
            row["opened"],
        )

    async def move(self, cursor: Cursor, uidvalidity: int, uid: int) -> None:
        """Everything up to `uid` is dealt with."""
        await self._db.execute(
            "UPDATE mailbox SET uidvalidity = $2, uid = $3 WHERE address = $1 AND owner = $4 AND opened = $5",
            cursor.address.value,
            uidvalidity,
            uid,
            cursor.owner,
            cursor.opened,
        )

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

    async def stuck(self, address: MssanteAddress, uidvalidity: int) -> list[Stuck]:
        """Mails to try again now."""
        rows: list[Any] = await self._db.fetch(
            "SELECT uid, tries, next_at FROM stuck WHERE mailbox = $1 AND uidvalidity = $2 AND NOT given_up "
            "AND next_at <= $3 ORDER BY uid",
            address.value,
            uidvalidity,
            to_millis(self._clock.now()),
        )
        return [Stuck(row["uid"], row["tries"], from_millis(row["next_at"])) for row in rows]

    async def note_stuck(
        self, address: MssanteAddress, uidvalidity: int, uid: int, next_at: datetime, *, limit: int
    ) -> bool:
        """One more failure of a mail; True when it is given up now, after `limit` of them."""
        async with transaction(self._db):
            await self._db.execute(
                "INSERT INTO stuck (mailbox, uidvalidity, uid, tries, next_at) VALUES ($1, $2, $3, 1, $4) "
                "ON CONFLICT (mailbox, uidvalidity, uid) "
                "DO UPDATE SET tries = stuck.tries + 1, next_at = excluded.next_at",
                address.value,
                uidvalidity,
                uid,
                to_millis(next_at),
            )
            key = (address.value, uidvalidity, uid)
            where = "mailbox = $1 AND uidvalidity = $2 AND uid = $3"
            tries = await self._db.fetchval(f"SELECT tries FROM stuck WHERE {where}", *key)  # noqa: S608
            if tries < limit:
                return False
            await self._db.execute(f"UPDATE stuck SET given_up = true WHERE {where}", *key)  # noqa: S608
        return True

    async def unstick(self, address: MssanteAddress, uidvalidity: int, uid: int) -> None:
        """It worked, or it is gone."""
        await self._db.execute(
            "DELETE FROM stuck WHERE mailbox = $1 AND uidvalidity = $2 AND uid = $3", address.value, uidvalidity, uid
        )
