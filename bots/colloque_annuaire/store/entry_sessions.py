"""Browsers on the page `/entrer`, from what they began until a password was shown. Times are milliseconds, UTC.

Of a browser only a digest of its cookie is kept. Nothing here opens an account, and no token is ever kept: the words
of a login are worth nothing without the code that Pro Santé Connect gives once, to the browser.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.attestation import Method
from colloque.clock import to_millis
from colloque.identity import EventId, Rpps, UserId
from colloque.psc.authorize import Begun
from colloque.store.schema import migration, transaction

VISIT = timedelta(minutes=15)
"""How long each step of a visit waits for the next one."""
AGAIN = timedelta(seconds=30)
"""How long a button that is pressed twice counts, after the password was shown: the second answer is the one seen."""


def register_entry_sessions(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Browsers on the page by which people come in")
    async def entry_sessions(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE entry_session (
                id       TEXT PRIMARY KEY,
                until    BIGINT NOT NULL,
                state    TEXT NOT NULL DEFAULT '',
                nonce    TEXT NOT NULL DEFAULT '',
                verifier TEXT NOT NULL DEFAULT '',
                code     TEXT NOT NULL DEFAULT '',
                rpps     TEXT NOT NULL DEFAULT '',
                method   TEXT NOT NULL DEFAULT '',
                ref      TEXT NOT NULL DEFAULT '',
                moving   BOOLEAN NOT NULL DEFAULT false,
                result   TEXT NOT NULL DEFAULT ''
            )"""
        )


def visit_id(cookie: str) -> str:
    """What is kept of a browser's cookie."""
    return hashlib.sha256(f"colloque visit v1\0{cookie}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Proved:
    """Who a browser's holder has proved to be, before they have an account."""

    rpps: Rpps
    method: Method
    ref: EventId
    """Made up once: the same proof taken twice attests once."""
    moving: bool = False
    """True when they asked that their account on another server be closed."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What one browser has done so far; a blank one has done nothing, and is kept nowhere."""

    id: str = field(repr=False)
    code: EventId | None = None
    """The one-time code that was mailed for it."""
    proved: Proved | None = None
    result: UserId | None = None
    """The account whose password was shown just now."""


class Visits:
    """Queries over the table above. Whatever is begun anew replaces what was begun before."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of(self, id_: str, now: datetime) -> Visit:
        """What the browser has done; blank once that is too long ago."""
        row = await self._db.fetchrow("SELECT * FROM entry_session WHERE id = $1 AND until > $2", id_, to_millis(now))
        return _visit(row) if row else Visit(id_)

    async def to_psc(self, id_: str, login: Begun, now: datetime) -> None:
        """The browser goes to Pro Santé Connect."""
        await self._anew(id_, now, state=login.state, nonce=login.nonce, verifier=login.verifier)

    async def from_psc(self, id_: str, now: datetime) -> Begun | None:
        """The login that the browser began: once. None when there is none (any more)."""
        async with transaction(self._db) as conn:
            row = await conn.fetchrow(
                "SELECT * FROM entry_session WHERE id = $1 AND until > $2 AND state <> ''", id_, to_millis(now)
            )
            await conn.execute("UPDATE entry_session SET state = '', nonce = '', verifier = '' WHERE id = $1", id_)
        return Begun("", row["state"], row["nonce"], row["verifier"]) if row else None

    async def mailed(self, id_: str, code: EventId, now: datetime) -> None:
        """A code is on its way for that browser."""
        await self._anew(id_, now, code=code)

    async def prove(self, id_: str, proved: Proved, now: datetime) -> None:
        """The right code or login: kept until an account and its password follow from it. The mailed code stays."""
        await self._db.execute(
            "INSERT INTO entry_session (id, until, rpps, method, ref, moving) VALUES ($1, $2, $3, $4, $5, $6) "
            "ON CONFLICT (id) DO UPDATE SET until = $2, rpps = $3, method = $4, ref = $5, moving = $6, result = ''",
            id_,
            to_millis(now + VISIT),
            proved.rpps.value,
            proved.method.value,
            proved.ref,
            proved.moving,
        )

    async def show(self, id_: str, user: UserId, now: datetime) -> None:
        """A password of that account is being shown; nothing else of the visit counts any more."""
        await self._anew(id_, now, life=AGAIN, result=user)

    async def forget_old(self, now: datetime) -> None:
        """Browsers that came no further."""
        await self._db.execute("DELETE FROM entry_session WHERE until <= $1", to_millis(now))

    async def _anew(self, id_: str, now: datetime, *, life: timedelta = VISIT, **words: str) -> None:
        names = list(words)
        places = ", ".join(f"${n}" for n in range(3, 3 + len(names)))
        async with transaction(self._db) as conn:
            await conn.execute("DELETE FROM entry_session WHERE id = $1", id_)
            await conn.execute(
                f"INSERT INTO entry_session (id, until, {', '.join(names)}) VALUES ($1, $2, {places})",  # noqa: S608
                id_,
                to_millis(now + life),
                *words.values(),
            )


def _visit(row: Any) -> Visit:
    proved = None
    if row["ref"]:
        proved = Proved(Rpps(row["rpps"]), Method(row["method"]), EventId(row["ref"]), bool(row["moving"]))
    return Visit(
        row["id"],
        code=EventId(row["code"]) if row["code"] else None,
        proved=proved,
        result=UserId(row["result"]) if row["result"] else None,
    )
