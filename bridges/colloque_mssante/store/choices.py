"""What owners chose for their mailboxes: read as usual, paused (nothing is read), or off (nothing is read nor sent)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, start_of_day_in_paris, to_millis
from colloque.identity import MssanteAddress, UserId
from colloque.store.schema import transaction
from colloque_mssante.store.inbox import give_back

PAUSED, OFF = "paused", "off"


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for one mailbox by its owner."""

    address: MssanteAddress
    owner: UserId
    closed: str
    """Empty, `paused` or `off`."""
    at: datetime
    """When that was chosen; 1970 where nothing ever was."""
    opened: int
    """Grows each time that its owner has it read anew."""
    since: datetime
    """Mails received before are not shown."""


class Choices:
    """What differs from reading as usual is known in memory, so that rules can ask without waiting."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._known: dict[tuple[MssanteAddress, UserId], Choice] = {}
        self.version = 0
        """Grows with every choice."""

    async def load(self) -> None:
        """At start; and again and again where another process writes them."""
        before = dict(self._known)
        self._note(await self._db.fetch("SELECT * FROM mailbox WHERE closed <> '' OR opened > 0"))
        if self._known != before:
            self.version += 1

    def closed(self, address: MssanteAddress, owner: UserId) -> str:
        """Empty, `paused` or `off`."""
        found = self._known.get((address, owner))
        return found.closed if found is not None else ""

    def opened(self, address: MssanteAddress, owner: UserId) -> int:
        """See `Choice.opened`."""
        found = self._known.get((address, owner))
        return found.opened if found is not None else 0

    async def of(self, owner: UserId) -> list[Choice]:
        """All of somebody's mailboxes that were ever read here."""
        return self._note(await self._db.fetch("SELECT * FROM mailbox WHERE owner = $1 ORDER BY address", owner))

    def _note(self, rows: list[Any]) -> list[Choice]:
        found = [
            Choice(
                MssanteAddress(row["address"]),
                UserId(row["owner"]),
                row["closed"],
                from_millis(row["closed_at"]),
                row["opened"],
                from_millis(row["since"]),
            )
            for row in rows
        ]
        self._known |= {(each.address, each.owner): each for each in found}
        return found

    async def close(self, owner: UserId, how: str) -> list[Choice]:
        """Pause or disconnect all of somebody's mailboxes; as they are then. What was not shown yet is not kept."""
        async with transaction(self._db):
            for box in await self.of(owner):
                await give_back(self._db, box.address)
            await self._db.execute(
                "UPDATE mailbox SET closed = $2, closed_at = $3 WHERE owner = $1 AND closed <> $2",
                owner,
                how,
                to_millis(self._clock.now()),
            )
        self.version += 1
        return await self.of(owner)

    async def open(self, owner: UserId, since: datetime | None) -> list[Choice]:
        """Have all of somebody's mailboxes read again; as they are then.

        A paused one goes on where it stopped, one that was off begins today. With `since`, all begin there: what was
        shown already is not shown again.
        """
        today = start_of_day_in_paris(self._clock.now())
        async with transaction(self._db):
            await self._db.execute(
                "UPDATE mailbox SET since = $2, uidvalidity = NULL, uid = 0 WHERE owner = $1 AND (closed = $3 OR $4)",
                owner,
                to_millis(since or today),
                OFF,
                since is not None,
            )
            await self._db.execute(
                "UPDATE mailbox SET closed = '', closed_at = 0, refused = NULL, opened = opened + 1 WHERE owner = $1",
                owner,
            )
        self.version += 1
        return await self.of(owner)
