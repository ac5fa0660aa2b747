"""What re-verification keeps: who is not simply present, and which directory was dealt with. Times are milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.attestation import Attestation
from colloque.clock import from_millis, to_millis
from colloque.identity import Rpps, UserId
from colloque.policy.presence import Presence, State, Turn
from colloque.store.schema import migration, transaction


def register_presence(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Presence in the directory, and the directory last dealt with")
    async def presence(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE presence (
                user_id     TEXT PRIMARY KEY,
                rpps        TEXT NOT NULL,
                state       TEXT NOT NULL,
                since       BIGINT,
                counted     TEXT,
                days        INTEGER NOT NULL,
                inactive    INTEGER NOT NULL,
                inactive_on TEXT,
                ref         TEXT NOT NULL,
                tell        TEXT NOT NULL
            )"""
        )
        await conn.execute(
            """CREATE TABLE verified (
                id          INTEGER PRIMARY KEY,
                made_at     BIGINT NOT NULL,
                imported_at BIGINT NOT NULL,
                stage       TEXT NOT NULL
            )"""
        )


@dataclass(frozen=True, slots=True)
class Edition:
    """One directory in use, told apart from any other by its two times."""

    made_at: datetime
    imported_at: datetime


class Stage(StrEnum):
    """How far re-verification against an edition has come."""

    DONE = "done"
    HELD = "held"
    """It lacks too many people: waits for an administrator."""
    CONFIRMED = "confirmed"
    """An administrator said go on."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One person's row. Nobody who is simply present and was told everything has one."""

    user: UserId
    rpps: Rpps
    presence: Presence
    ref: str = ""
    """The journal's reference of the act that brought them here."""
    tell: Turn = Turn.NONE
    """What they were not told yet."""


class Presences:
    """Queries over the tables above, and over `attestation` where both must change together."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def all(self) -> dict[UserId, Kept]:
        """Every row, by user."""
        return {kept.user: kept for kept in map(_kept, await self._db.fetch("SELECT * FROM presence"))}

    async def put(self, kept: Kept) -> None:
        """Keep somebody's row; simply present and nothing to tell: drop it."""
        await _put(self._db, kept)

    async def freeze(self, kept: Kept, *, frozen: bool) -> None:
        """From now on the person begins nothing new, or does again; with their row, in one transaction."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "UPDATE attestation SET frozen = $3 WHERE user_id = $1 AND rpps = $2",
                kept.user,
                kept.rpps.value,
                frozen,
            )
            await _put(conn, kept)
            await conn.execute("UPDATE attestation_serial SET serial = serial + 1")

    async def rename(self, names: Sequence[tuple[Attestation, str]]) -> None:
        """Give attested people the directory's new name; all of them and the snapshot's serial in one transaction."""
        async with transaction(self._db) as conn:
            for attestation, name in names:
                await conn.execute(
                    "UPDATE attestation SET name = $3, name_set = false WHERE user_id = $1 AND rpps = $2",
                    attestation.user,
                    attestation.rpps.value,
                    name,
                )
            await conn.execute("UPDATE attestation_serial SET serial = serial + 1")

    # what people must still be told

    async def to_tell(self) -> list[Kept]:
        """Those who were not told yet."""
        rows = await self._db.fetch("SELECT * FROM presence WHERE tell <> $1 ORDER BY user_id", Turn.NONE.value)
        return [_kept(row) for row in rows]

    async def told(self, kept: Kept) -> None:
        """They were told that; harmless when something else is to be told by now."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "UPDATE presence SET tell = $3 WHERE user_id = $1 AND tell = $2",
                kept.user,
                kept.tell.value,
                Turn.NONE.value,
            )
            await conn.execute(
                "DELETE FROM presence WHERE user_id = $1 AND state = $2 AND tell = $3",
                kept.user,
                State.PRESENT.value,
                Turn.NONE.value,
            )

    # editions

    async def verified(self) -> tuple[Edition, Stage] | None:
        """The edition last dealt with, and how far; None before the first."""
        row = await self._db.fetchrow("SELECT * FROM verified WHERE id = 1")
        if row is None:
            return None
        return Edition(from_millis(row["made_at"]), from_millis(row["imported_at"])), Stage(row["stage"])

    async def set_verified(self, edition: Edition, stage: Stage) -> None:
        """Remember it."""
        await self._db.execute(
            "INSERT INTO verified (id, made_at, imported_at, stage) VALUES (1, $1, $2, $3) "
            "ON CONFLICT (id) DO UPDATE SET made_at = $1, imported_at = $2, stage = $3",
            to_millis(edition.made_at),
            to_millis(edition.imported_at),
            stage.value,
        )


async def _put(db: Database | Connection, kept: Kept) -> None:
    p = kept.presence
    if p == Presence() and kept.tell is Turn.NONE:
        await db.execute("DELETE FROM presence WHERE user_id = $1", kept.user)
        return
    await db.execute(
        "INSERT INTO presence (user_id, rpps, state, since, counted, days, inactive, inactive_on, ref, tell) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (user_id) DO UPDATE SET rpps = $2, state = $3, "
        "since = $4, counted = $5, days = $6, inactive = $7, inactive_on = $8, ref = $9, tell = $10",
        kept.user,
        kept.rpps.value,
        p.state.value,
        to_millis(p.since) if p.since else None,
        p.counted.isoformat() if p.counted else None,
        p.days,
        p.inactive,
        p.inactive_on.isoformat() if p.inactive_on else None,
        kept.ref,
        kept.tell.value,
    )


def _kept(row: Any) -> Kept:
    return Kept(
        user=UserId(row["user_id"]),
        rpps=Rpps(row["rpps"]),
        presence=Presence(
            state=State(row["state"]),
            since=from_millis(row["since"]) if row["since"] is not None else None,
            counted=_date(row["counted"]),
            days=row["days"],
            inactive=row["inactive"],
            inactive_on=_date(row["inactive_on"]),
        ),
        ref=row["ref"],
        tell=Turn(row["tell"]),
    )


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
