"""Whose access has ended, why, and how far what follows has come. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.attestation import Kind
from colloque.clock import from_millis, to_millis
from colloque.identity import Rpps, UserId
from colloque.policy.ending import End
from colloque.store.schema import migration, transaction


def register_ending(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Ended accesses, unused accounts")
    async def ending(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE ending (
                user_id TEXT PRIMARY KEY,
                rpps    TEXT NOT NULL,
                why     TEXT NOT NULL,
                at      BIGINT NOT NULL,
                until   BIGINT NOT NULL,
                step    TEXT NOT NULL
            )"""
        )
        await conn.execute("CREATE INDEX ending_by_rpps ON ending (rpps)")
        await conn.execute("CREATE TABLE unused (user_id TEXT PRIMARY KEY, warned_at BIGINT NOT NULL)")


class Step(StrEnum):
    """What is to be done next."""

    PUBLISH = "publish"
    LOCK = "lock"
    SESSIONS = "sessions"
    EVICT = "evict"
    TELL = "tell"
    ENDED = "ended"
    """Nothing: it has ended."""
    UNLOCK = "unlock"
    """The access is given back."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One account's end. `until`: when its attestation would have ended otherwise."""

    user: UserId
    rpps: Rpps
    why: End
    at: datetime
    until: datetime
    step: Step


class Endings:
    """Queries over the tables above, and over `attestation` where both must change together."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(self, user: UserId, why: End, now: datetime) -> None:
        """End the account's attestation and take up what follows, in one transaction.

        Safe to repeat. An end that is under way or done is replaced by one that bars, and by no other.
        """
        async with transaction(self._db) as conn:
            row = await conn.fetchrow("SELECT * FROM ending WHERE user_id = $1", user)
            known = _ending(row) if row else None
            if known is not None and known.step is not Step.UNLOCK and (known.why.bars or not why.bars):
                return
            held = await conn.fetchrow("SELECT rpps, kind, valid_until FROM attestation WHERE user_id = $1", user)
            until = held["valid_until"] if held is not None else to_millis(now)
            if known is not None and until <= to_millis(now):
                until = to_millis(known.until)  # Ended before for another reason: what it would have held until.
            # Who works under somebody bears their number: it must not be barred with them.
            own = held is not None and held["kind"] == Kind.PROFESSIONAL.value
            await conn.execute(
                "UPDATE attestation SET valid_until = $2 WHERE user_id = $1 AND valid_until > $2", user, to_millis(now)
            )
            await conn.execute("UPDATE attestation_serial SET serial = serial + 1")
            await conn.execute("DELETE FROM proof WHERE user_id = $1", user)
            await conn.execute(
                "INSERT INTO ending (user_id, rpps, why, at, until, step) VALUES ($1, $2, $3, $4, $5, $6) "
                "ON CONFLICT (user_id) DO UPDATE SET rpps = $2, why = $3, at = $4, until = $5, step = $6",
                user,
                held["rpps"] if held is not None and own else "",
                why.value,
                to_millis(now),
                until,
                Step.PUBLISH.value,
            )

    async def of(self, user: UserId) -> Ending | None:
        """The account's end."""
        row = await self._db.fetchrow("SELECT * FROM ending WHERE user_id = $1", user)
        return _ending(row) if row else None

    async def barred(self, user: UserId, rpps: Rpps) -> bool:
        """Whether no proof of that account, or of that professional, counts."""
        rows = await self._db.fetch(
            "SELECT * FROM ending WHERE user_id = $1 OR (rpps = $2 AND rpps <> '')", user, rpps.value
        )
        return any(end.why.bars and end.step is not Step.UNLOCK for end in map(_ending, rows))

    async def under_way(self) -> list[Ending]:
        """Those for which something is to be done, oldest first."""
        rows = await self._db.fetch("SELECT * FROM ending WHERE step <> $1 ORDER BY at, user_id", Step.ENDED.value)
        return [_ending(row) for row in rows]

    async def proved_again(self) -> list[Ending]:
        """Ended accesses whose holders have been attested since."""
        rows = await self._db.fetch(
            "SELECT ending.* FROM ending JOIN attestation ON attestation.user_id = ending.user_id "
            "WHERE ending.step = $1 AND attestation.issued_at > ending.at",
            Step.ENDED.value,
        )
        return [_ending(row) for row in rows]

    async def go_on(self, ending: Ending, step: Step) -> None:
        """A step is done."""
        await self._db.execute(
            "UPDATE ending SET step = $3 WHERE user_id = $1 AND step = $2", ending.user, ending.step.value, step.value
        )

    async def give_back(self, ending: Ending, valid_until: datetime | None) -> None:
        """Take up the way back; with `valid_until` the attestation holds again until then."""
        async with transaction(self._db) as conn:
            await conn.execute("UPDATE ending SET step = $2 WHERE user_id = $1", ending.user, Step.UNLOCK.value)
            if valid_until is not None:
                await conn.execute(
                    "UPDATE attestation SET valid_until = $2, frozen = false WHERE user_id = $1",
                    ending.user,
                    to_millis(valid_until),
                )
                await conn.execute("UPDATE attestation_serial SET serial = serial + 1")

    async def over(self, ending: Ending) -> None:
        """The way back is gone to its end."""
        await self._db.execute("DELETE FROM ending WHERE user_id = $1 AND step = $2", ending.user, Step.UNLOCK.value)

    # direct rooms

    async def partners(self, user: UserId) -> list[UserId]:
        """With whom the account has a room of two."""
        rows = await self._db.fetch(
            "SELECT asker, other FROM direct_room WHERE ready AND (asker = $1 OR other = $1)", user
        )
        found = {UserId(row["asker"]) for row in rows} | {UserId(row["other"]) for row in rows}
        return sorted(found - {user})

    # unused accounts

    async def ended(self) -> set[UserId]:
        """Everybody whose access has ended, or is about to come back."""
        return {UserId(row["user_id"]) for row in await self._db.fetch("SELECT user_id FROM ending")}

    async def logins(self) -> dict[UserId, datetime]:
        """When each account last opened a session: the homeserver forgets it with the session."""
        rows = await self._db.fetch("SELECT user_id, login_at FROM account WHERE login_at IS NOT NULL")
        return {UserId(row["user_id"]): from_millis(row["login_at"]) for row in rows}

    async def warned(self) -> dict[UserId, datetime]:
        """Whose account is about to be closed, and when they were told."""
        rows = await self._db.fetch("SELECT user_id, warned_at FROM unused")
        return {UserId(row["user_id"]): from_millis(row["warned_at"]) for row in rows}

    async def warn(self, user: UserId, now: datetime) -> None:
        """They were told."""
        await self._db.execute(
            "INSERT INTO unused (user_id, warned_at) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING",
            user,
            to_millis(now),
        )

    async def forget_warning(self, user: UserId) -> None:
        """The account is used again, or closed."""
        await self._db.execute("DELETE FROM unused WHERE user_id = $1", user)


def _ending(row: Any) -> Ending:
    return Ending(
        user=UserId(row["user_id"]),
        rpps=Rpps(row["rpps"]),
        why=End(row["why"]),
        at=from_millis(row["at"]),
        until=from_millis(row["until"]),
        step=Step(row["step"]),
    )
