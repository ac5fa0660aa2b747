"""Who says to be whom, and who vouches for them. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.attestation import Method
from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, Rpps, UserId
from colloque.policy.ending import End
from colloque.policy.vouching import NEEDED
from colloque.store.schema import migration, transaction
from colloque_annuaire.store.ending import Step


def register_vouching(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Claims to be somebody, and who vouches")
    async def vouching(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE claim (
                ref     TEXT PRIMARY KEY,
                user_id TEXT NOT NULL,
                rpps    TEXT NOT NULL,
                at      BIGINT NOT NULL,
                stage   TEXT NOT NULL
            )"""
        )
        await conn.execute("CREATE INDEX claim_by_user ON claim (user_id, at)")
        await conn.execute("CREATE INDEX claim_by_rpps ON claim (rpps, at)")
        await conn.execute(
            """CREATE TABLE vouch (
                ref      TEXT NOT NULL,
                voucher  TEXT NOT NULL,
                rpps     TEXT NOT NULL,
                name     TEXT NOT NULL,
                at       BIGINT NOT NULL,
                reported BOOLEAN NOT NULL DEFAULT false,
                PRIMARY KEY (ref, voucher)
            )"""
        )
        await conn.execute("CREATE INDEX vouch_by_voucher ON vouch (voucher, at)")


INTRODUCED = "introduced-"
"""How the reference of a claim begins that a colleague made, account and all, for somebody who has none."""


class Stage(StrEnum):
    """What happens next to a claim."""

    NOTICE = "notice"
    """The mailboxes that the directory lists are to be told; nobody can vouch before."""
    OPEN = "open"
    """Waits for colleagues."""
    READY = "ready"
    """Enough vouched: the proof is to be taken."""
    ASKED = "asked"
    """It was taken, and the person must still say something."""
    TELL = "tell"
    """Attested: those who vouched are to be told."""
    DONE = "done"
    REPLACED = "replaced"
    """The account says to be somebody else since, or whoever had it made lost their access."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An account says to be a professional. `ref`: the event that said so; the proof's reference, later."""

    ref: EventId
    user: UserId
    rpps: Rpps
    at: datetime
    stage: Stage


@dataclass(frozen=True, slots=True)
class Vouch:
    """A colleague's word for a claim; their number and name as of then."""

    ref: EventId
    voucher: UserId
    rpps: Rpps
    name: str
    at: datetime


class Vouches:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim_by(self, ref: EventId) -> Claim | None:
        """The claim that a given `!inscription` made."""
        row = await self._db.fetchrow("SELECT * FROM claim WHERE ref = $1", ref)
        return _claim(row) if row else None

    async def claim_of(self, user: UserId, since: datetime) -> Claim | None:
        """The account's present claim, unless it is older than `since`."""
        row = await self._db.fetchrow(
            "SELECT * FROM claim WHERE user_id = $1 AND at > $2 AND stage <> $3",
            user,
            to_millis(since),
            Stage.REPLACED.value,
        )
        return _claim(row) if row else None

    async def introduced(self, rpps: Rpps, since: datetime) -> Claim | None:
        """The claim that a colleague made about that number, unless it is older than `since`."""
        row = await self._db.fetchrow(
            "SELECT * FROM claim WHERE rpps = $1 AND at > $2 AND stage <> $3 AND ref LIKE $4 ORDER BY at DESC LIMIT 1",
            rpps.value,
            to_millis(since),
            Stage.REPLACED.value,
            f"{INTRODUCED}%",
        )
        return _claim(row) if row else None

    async def claims_since(self, since: datetime, *, user: UserId, rpps: Rpps) -> int:
        """How many were made since then by the account or about the number: the greater."""
        at = to_millis(since)
        by_user = await self._db.fetchval("SELECT COUNT(*) FROM claim WHERE user_id = $1 AND at > $2", user, at)
        by_rpps = await self._db.fetchval("SELECT COUNT(*) FROM claim WHERE rpps = $1 AND at > $2", rpps.value, at)
        return max(int(by_user), int(by_rpps))

    async def put(self, claim: Claim) -> None:
        """Keep a new claim; it replaces the account's others."""
        async with transaction(self._db) as conn:
            await conn.execute("UPDATE claim SET stage = $2 WHERE user_id = $1", claim.user, Stage.REPLACED.value)
            await conn.execute(
                "INSERT INTO claim (ref, user_id, rpps, at, stage) VALUES ($1, $2, $3, $4, $5)",
                claim.ref,
                claim.user,
                claim.rpps.value,
                to_millis(claim.at),
                claim.stage.value,
            )

    async def go_on(self, claim: Claim, stage: Stage) -> None:
        """A step is done; nothing happens when the claim stands elsewhere meanwhile."""
        await self._db.execute(
            "UPDATE claim SET stage = $3 WHERE ref = $1 AND stage = $2", claim.ref, claim.stage.value, stage.value
        )

    async def under_way(self) -> list[Claim]:
        """Those for which something is to be done, oldest first."""
        rows = await self._db.fetch(
            "SELECT * FROM claim WHERE stage IN ($1, $2, $3, $4) ORDER BY at, ref",
            *(stage.value for stage in (Stage.NOTICE, Stage.READY, Stage.ASKED, Stage.TELL)),
        )
        return [_claim(row) for row in rows]

    async def vouch(self, vouch: Vouch) -> None:
        """Keep a word; with the last that was needed the claim is ready. No error when it was given already."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "INSERT INTO vouch (ref, voucher, rpps, name, at) VALUES ($1, $2, $3, $4, $5) "
                "ON CONFLICT (ref, voucher) DO NOTHING",
                vouch.ref,
                vouch.voucher,
                vouch.rpps.value,
                vouch.name,
                to_millis(vouch.at),
            )
            count = await conn.fetchval("SELECT COUNT(DISTINCT rpps) FROM vouch WHERE ref = $1", vouch.ref)
            if int(count) >= NEEDED:
                await conn.execute(
                    "UPDATE claim SET stage = $2 WHERE ref = $1 AND stage = $3",
                    vouch.ref,
                    Stage.READY.value,
                    Stage.OPEN.value,
                )

    async def of(self, ref: EventId) -> list[Vouch]:
        """Every word for a claim, oldest first."""
        rows = await self._db.fetch("SELECT * FROM vouch WHERE ref = $1 ORDER BY at, voucher", ref)
        return [_vouch(row) for row in rows]

    async def given_since(self, voucher: UserId, since: datetime, *, but: EventId) -> int:
        """For how many other claims somebody has vouched since then."""
        count = await self._db.fetchval(
            "SELECT COUNT(*) FROM vouch WHERE voucher = $1 AND at > $2 AND ref <> $3", voucher, to_millis(since), but
        )
        return int(count)

    async def behind(self, user: UserId) -> list[Vouch]:
        """On whose word the account's attestation rests; empty when it rests on something else."""
        rows = await self._db.fetch(
            "SELECT vouch.* FROM vouch JOIN attestation ON attestation.by_event = vouch.ref "
            "WHERE attestation.user_id = $1 AND attestation.method = $2 ORDER BY vouch.at, vouch.voucher",
            user,
            Method.VOUCHED.value,
        )
        return [_vouch(row) for row in rows]

    async def in_doubt(self, now: datetime) -> list[Vouch]:
        """Words on which an attestation in force rests, of people whose access was taken away since; told once."""
        rows = await self._db.fetch(
            "SELECT vouch.*, ending.why FROM vouch JOIN attestation ON attestation.by_event = vouch.ref "
            "JOIN ending ON ending.user_id = vouch.voucher WHERE attestation.method = $1 "
            "AND attestation.valid_until > $2 AND NOT vouch.reported",
            Method.VOUCHED.value,
            to_millis(now),
        )
        return [_vouch(row) for row in rows if End(row["why"]).bars]

    async def withdrawn(self) -> list[Vouch]:
        """Words that have not verified anybody yet, of people whose access was taken away since."""
        rows = await self._db.fetch(
            "SELECT vouch.*, ending.why FROM vouch JOIN claim ON claim.ref = vouch.ref JOIN ending "
            "ON ending.user_id = vouch.voucher OR (ending.rpps = vouch.rpps AND ending.rpps <> '') "
            "WHERE claim.stage IN ($1, $2, $3) AND ending.step <> $4 "
            "AND NOT EXISTS (SELECT 1 FROM attestation WHERE attestation.by_event = vouch.ref) "
            "ORDER BY vouch.at, vouch.voucher",
            *(stage.value for stage in (Stage.OPEN, Stage.READY, Stage.ASKED)),
            Step.UNLOCK.value,
        )
        return list(dict.fromkeys(_vouch(row) for row in rows if End(row["why"]).bars))

    async def withdraw(self, claim: Claim, gone: Collection[Vouch], stage: Stage) -> None:
        """Drop these words of a claim, which stands at `stage` without them."""
        async with transaction(self._db) as conn:
            for each in gone:
                await conn.execute("DELETE FROM vouch WHERE ref = $1 AND voucher = $2", claim.ref, each.voucher)
            await conn.execute("UPDATE claim SET stage = $2 WHERE ref = $1", claim.ref, stage.value)

    async def reported(self, vouch: Vouch) -> None:
        """The administrators were told."""
        await self._db.execute(
            "UPDATE vouch SET reported = true WHERE ref = $1 AND voucher = $2", vouch.ref, vouch.voucher
        )

    async def forget_old(self, claims: datetime, vouches: datetime) -> None:
        """Drop claims and words from before then; what must still be done, or an attestation rests on, stays."""
        await self._db.execute(
            "DELETE FROM claim WHERE at < $1 AND stage NOT IN ($2, $3)",
            to_millis(claims),
            Stage.READY.value,
            Stage.TELL.value,
        )
        await self._db.execute(
            "DELETE FROM vouch WHERE at < $1 AND ref NOT IN (SELECT by_event FROM attestation)", to_millis(vouches)
        )


def _claim(row: Any) -> Claim:
    return Claim(
        ref=EventId(row["ref"]),
        user=UserId(row["user_id"]),
        rpps=Rpps(row["rpps"]),
        at=from_millis(row["at"]),
        stage=Stage(row["stage"]),
    )


def _vouch(row: Any) -> Vouch:
    return Vouch(
        ref=EventId(row["ref"]),
        voucher=UserId(row["voucher"]),
        rpps=Rpps(row["rpps"]),
        name=str(row["name"]),
        at=from_millis(row["at"]),
    )
