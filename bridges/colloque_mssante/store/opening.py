"""Mailboxes that open by their holders' word: what each holder was told and asked. No token, and no part of one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Any

from mautrix.util.async_db import Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, MssanteAddress, UserId
from colloque_mssante.store.tables_writing import register

ASKED_KEPT = 20
"""Moments of questions that are remembered: more than any rule looks back."""


class Stage(StrEnum):
    """Where somebody's mailbox stands."""

    NEW = ""
    """Nothing was ever told."""
    CLOSED = "closed"
    ASKING = "asking"
    REFUSED = "refused"
    """Closed still: a question came to nothing."""
    OPEN = "open"
    """Open; what came meanwhile is being shown."""
    DONE = "done"
    """Open, and told how much had come."""


@dataclass(frozen=True, slots=True)
class Opening:
    """One person's. `version` grows with every change; the message in their home room shows version `told`."""

    owner: UserId
    stage: Stage = Stage.NEW
    closed_at: datetime | None = None
    """Since when it is, or was last, closed; None where it was never open before."""
    opened_at: datetime | None = None
    question: str = ""
    """The keeper's name of the last question; empty before any of this closure."""
    binding: str = ""
    until: datetime | None = None
    reason: str = ""
    """Why the last question opened nothing (`psc.claims.No`)."""
    mails: int = 0
    """How many had come while it was closed."""
    hours: tuple[time, ...] = ()
    """When they want to be asked, in Paris."""
    asked: tuple[datetime, ...] = ()
    """When they were asked without opening it, the last times."""
    notice: EventId | None = None
    """The message about this closure; None until it is sent."""
    version: int = 0
    told: int = 0

    @property
    def is_closed(self) -> bool:
        """True while nothing is read or sent."""
        return self.stage in {Stage.CLOSED, Stage.ASKING, Stage.REFUSED}


class Openings:
    """Queries over `opening`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def all(self) -> list[Opening]:
        """Everybody's."""
        return [_read(row) for row in await self._db.fetch("SELECT * FROM opening ORDER BY owner")]

    async def put(self, one: Opening) -> None:
        """Keep it as it is."""
        values = (
            one.owner, one.stage.value, _millis(one.closed_at), _millis(one.opened_at), one.question, one.binding,
            _millis(one.until), one.reason, one.mails, json.dumps([each.isoformat("minutes") for each in one.hours]),
            json.dumps([to_millis(each) for each in one.asked[-ASKED_KEPT:]]), one.notice or "", one.version, one.told,
        )  # fmt: skip
        names = [name for name in _COLUMNS if name != "owner"]
        await self._db.execute(
            f"INSERT INTO opening ({', '.join(_COLUMNS)}) "  # noqa: S608 - names of our own
            f"VALUES ({', '.join(f'${n}' for n in range(1, len(_COLUMNS) + 1))}) "
            f"ON CONFLICT (owner) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in names)}",
            *values,
        )

    async def mails_since(self, owner: UserId, addresses: list[MssanteAddress], since: datetime) -> int:
        """How many mails were shown from these mailboxes since then."""
        counts = [
            await self._db.fetchval(
                "SELECT COUNT(*) FROM mail WHERE mailbox = $1 AND owner = $2 AND at >= $3 AND room_id <> ''",
                address.value,
                owner,
                to_millis(since),
            )
            for address in addresses
        ]
        return sum(map(int, counts))

    async def arriving(self, addresses: list[MssanteAddress]) -> bool:
        """True while something of these mailboxes was fetched and is not shown yet."""
        for address in addresses:
            if await self._db.fetchval("SELECT 1 FROM inbox WHERE mailbox = $1 LIMIT 1", address.value) is not None:
                return True
        return False


_COLUMNS = (
    "owner", "stage", "closed_at", "opened_at", "question", "binding", "until", "reason", "mails", "hours", "asked",
    "notice", "version", "told",
)  # fmt: skip


def _read(row: Any) -> Opening:
    return Opening(
        owner=UserId(row["owner"]),
        stage=Stage(row["stage"]),
        closed_at=_moment(row["closed_at"]),
        opened_at=_moment(row["opened_at"]),
        question=row["question"],
        binding=row["binding"],
        until=_moment(row["until"]),
        reason=row["reason"],
        mails=row["mails"],
        hours=tuple(time.fromisoformat(each) for each in json.loads(row["hours"])),
        asked=tuple(from_millis(each) for each in json.loads(row["asked"])),
        notice=EventId(row["notice"]) if row["notice"] else None,
        version=row["version"],
        told=row["told"],
    )


def _millis(at: datetime | None) -> int:
    return to_millis(at) if at is not None else 0


def _moment(ms: int) -> datetime | None:
    return from_millis(ms) if ms else None


def register_opening(table: UpgradeTable) -> None:
    """Add this family's migration."""
    register(table, "Mailboxes that open by Pro Santé Connect", _TABLES)


_TABLES = (
    # One row a holder; see `Opening`. `until` 0, `closed_at` 0, `opened_at` 0: no such moment.
    """CREATE TABLE opening (
        owner     TEXT PRIMARY KEY,
        stage     TEXT NOT NULL,
        closed_at BIGINT NOT NULL,
        opened_at BIGINT NOT NULL,
        question  TEXT NOT NULL,
        binding   TEXT NOT NULL,
        until     BIGINT NOT NULL,
        reason    TEXT NOT NULL,
        mails     INTEGER NOT NULL,
        hours     TEXT NOT NULL,
        asked     TEXT NOT NULL,
        notice    TEXT NOT NULL,
        version   INTEGER NOT NULL,
        told      INTEGER NOT NULL
    )""",
)
