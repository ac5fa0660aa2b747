"""Proofs of identity that are not settled yet, and the columns that kinds of people need. Times are milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.attestation import Method
from colloque.clock import to_millis
from colloque.identity import EventId, Rpps, UserId
from colloque.policy.professions import Trade
from colloque.store.schema import migration, transaction


def register_proofs(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Kinds of attested people, open proofs, servers still to be asked")
    async def proofs(conn: Connection) -> None:
        # A new table: a number may be borne by several rows now (those who work under it), by one professional only.
        await conn.execute(
            """CREATE TABLE attested (
                user_id     TEXT PRIMARY KEY,
                rpps        TEXT NOT NULL,
                name        TEXT NOT NULL,
                method      TEXT NOT NULL,
                issued_at   BIGINT NOT NULL,
                valid_until BIGINT NOT NULL,
                by_event    TEXT NOT NULL,
                name_set    BOOLEAN NOT NULL DEFAULT false,
                kind        TEXT NOT NULL DEFAULT 'professional',
                profession  TEXT NOT NULL DEFAULT '',
                category    TEXT NOT NULL DEFAULT '',
                under       TEXT NOT NULL DEFAULT '',
                frozen      BOOLEAN NOT NULL DEFAULT false
            )"""
        )
        await conn.execute(
            "INSERT INTO attested (user_id, rpps, name, method, issued_at, valid_until, by_event, name_set) "
            "SELECT user_id, rpps, name, method, issued_at, valid_until, by_event, name_set FROM attestation"
        )
        await conn.execute("DROP TABLE attestation")
        await conn.execute("ALTER TABLE attested RENAME TO attestation")
        await conn.execute("CREATE UNIQUE INDEX attestation_holder ON attestation (rpps) WHERE kind = 'professional'")
        await conn.execute("CREATE INDEX attestation_by_event ON attestation (by_event)")
        await conn.execute(
            """CREATE TABLE proof (
                user_id    TEXT PRIMARY KEY,
                rpps       TEXT NOT NULL,
                method     TEXT NOT NULL,
                ref        TEXT NOT NULL UNIQUE,
                at         BIGINT NOT NULL,
                profession TEXT NOT NULL DEFAULT '',
                category   TEXT NOT NULL DEFAULT '',
                moving     BOOLEAN NOT NULL DEFAULT false
            )"""
        )
        await conn.execute(
            """CREATE TABLE unasked (
                user_id TEXT NOT NULL,
                server  TEXT NOT NULL,
                moving  BOOLEAN NOT NULL,
                PRIMARY KEY (user_id, server)
            )"""
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody has proved that they are the professional of that number, and that the account is theirs."""

    user: UserId
    rpps: Rpps
    method: Method
    ref: EventId
    """What it came by: the event, or an identifier made up once. The same proof taken twice attests once."""
    trade: Trade | None = None
    """Under which of several exercises; None until it is known."""
    moving: bool = False
    """True when the person asked that their account on another server be closed."""


@dataclass(frozen=True, slots=True)
class Unasked:
    """A server that did not answer whether it has the person behind an account."""

    user: UserId
    server: str
    moving: bool
    """True when the person asked that their account there be closed."""


class Proofs:
    """Queries over the tables above. One open proof an account: a newer one replaces it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, proof: Proof, now: datetime, code: EventId | None = None) -> None:
        """Keep a proof until it is settled; in one transaction with the one-time code that it used up, if any."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "INSERT INTO proof (user_id, rpps, method, ref, at, profession, category, moving) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (user_id) DO UPDATE SET rpps = $2, method = $3, "
                "ref = $4, at = $5, profession = $6, category = $7, moving = $8",
                proof.user,
                proof.rpps.value,
                proof.method.value,
                proof.ref,
                to_millis(now),
                proof.trade.code if proof.trade else "",
                proof.trade.category if proof.trade else "",
                proof.moving,
            )
            if code is not None:
                await conn.execute("UPDATE code SET state = 'used' WHERE event = $1", code)

    async def of(self, user: UserId, since: datetime) -> Proof | None:
        """The account's open proof, unless it is older than `since`."""
        row = await self._db.fetchrow("SELECT * FROM proof WHERE user_id = $1 AND at >= $2", user, to_millis(since))
        return _proof(row) if row else None

    async def by_ref(self, ref: EventId) -> Proof | None:
        """The open proof that came by that."""
        row = await self._db.fetchrow("SELECT * FROM proof WHERE ref = $1", ref)
        return _proof(row) if row else None

    async def narrow(self, proof: Proof) -> None:
        """Keep what the person chose; its age stays."""
        await self._db.execute(
            "UPDATE proof SET profession = $3, category = $4, moving = $5 WHERE user_id = $1 AND ref = $2",
            proof.user,
            proof.ref,
            proof.trade.code if proof.trade else "",
            proof.trade.category if proof.trade else "",
            proof.moving,
        )

    async def drop(self, user: UserId) -> None:
        """The account's open proof leads nowhere."""
        await self._db.execute("DELETE FROM proof WHERE user_id = $1", user)

    async def drop_ref(self, ref: EventId) -> None:
        """The open proof that came by that leads nowhere; no error when there is none."""
        await self._db.execute("DELETE FROM proof WHERE ref = $1", ref)

    async def forget_old(self, before: datetime) -> None:
        """Drop proofs that were never settled."""
        await self._db.execute("DELETE FROM proof WHERE at < $1", to_millis(before))

    # other servers that could not be asked whether they have the person

    async def unasked(self) -> list[Unasked]:
        """Every question that is still to be asked."""
        rows = await self._db.fetch("SELECT * FROM unasked ORDER BY server, user_id")
        return [Unasked(UserId(row["user_id"]), str(row["server"]), bool(row["moving"])) for row in rows]

    async def ask_later(self, user: UserId, servers: Sequence[str], *, moving: bool) -> None:
        """Exactly these are still to be asked about that account."""
        async with transaction(self._db) as conn:
            await conn.execute("DELETE FROM unasked WHERE user_id = $1", user)
            for server in servers:
                await conn.execute(
                    "INSERT INTO unasked (user_id, server, moving) VALUES ($1, $2, $3)", user, server, moving
                )

    async def asked(self, question: Unasked, *, freeze: bool = False) -> None:
        """It is answered; `freeze`: the person has two accounts, and begins nothing new with this one."""
        async with transaction(self._db) as conn:
            await conn.execute("DELETE FROM unasked WHERE user_id = $1 AND server = $2", question.user, question.server)
            if freeze:
                await conn.execute("UPDATE attestation SET frozen = true WHERE user_id = $1", question.user)
                await conn.execute("UPDATE attestation_serial SET serial = serial + 1")


def _proof(row: Any) -> Proof:
    return Proof(
        user=UserId(row["user_id"]),
        rpps=Rpps(row["rpps"]),
        method=Method(row["method"]),
        ref=EventId(row["ref"]),
        trade=Trade(row["profession"], row["category"]) if row["profession"] else None,
        moving=bool(row["moving"]),
    )
