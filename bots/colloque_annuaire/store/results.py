"""What a search left behind: numbered results, how often somebody asked, an open question; and direct rooms.

No word that anybody typed is kept. Times are milliseconds since 1970, UTC; days are those of Paris, `2026-03-02`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, RoomId, UserId
from colloque.store.schema import migration, transaction
from colloque_annuaire.rules.results import Listed, number_from, number_key, today

_KEEP = timedelta(days=2)
"""Results and counts older than that are deleted: later than any day's end, even when the clock is set back."""


def register_upgrades(table: UpgradeTable) -> None:
    """Add this family's migration after the service's others."""

    @migration(table, "Numbered search results, their count, direct rooms")
    async def results(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE result (
                user_id  TEXT NOT NULL,
                day      TEXT NOT NULL,
                n        INTEGER NOT NULL,
                event    TEXT NOT NULL,
                person   TEXT NOT NULL,
                homonyms INTEGER NOT NULL,
                PRIMARY KEY (user_id, day, n)
            )"""
        )
        await conn.execute("CREATE INDEX result_by_day ON result (day)")
        await conn.execute(
            "CREATE TABLE asked (event TEXT PRIMARY KEY, user_id TEXT NOT NULL, what TEXT NOT NULL, at BIGINT NOT NULL)"
        )
        await conn.execute("CREATE INDEX asked_by_user ON asked (user_id, what, at)")
        await conn.execute("CREATE INDEX asked_by_age ON asked (at)")
        await conn.execute(
            """CREATE TABLE question (
                user_id TEXT PRIMARY KEY,
                day     TEXT NOT NULL,
                n       INTEGER NOT NULL,
                at      BIGINT NOT NULL
            )"""
        )
        await conn.execute(
            """CREATE TABLE direct_room (
                pair      TEXT PRIMARY KEY,
                mark      TEXT NOT NULL UNIQUE,
                room      TEXT,
                asker     TEXT NOT NULL,
                other     TEXT NOT NULL,
                ready     BOOLEAN NOT NULL DEFAULT false,
                made_at   BIGINT NOT NULL
            )"""
        )


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody was asked to confirm: contacting result `n` of `day`."""

    day: date
    n: int
    at: datetime


class Results:
    """Queries over results, counts and questions."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def number(self, user: UserId, day: date, event: EventId, people: Sequence[Listed]) -> list[int]:
        """The numbers of a page's people: the next ones of that account and day, never given before.

        The same event with the same people gets the same numbers again.
        """
        wanted = [(number_key(p.number), p.homonyms) for p in people]
        async with transaction(self._db) as conn:
            rows = await conn.fetch(
                "SELECT n, person, homonyms FROM result WHERE user_id = $1 AND day = $2 AND event = $3 ORDER BY n",
                user,
                day.isoformat(),
                event,
            )
            if rows and [(row["person"], row["homonyms"]) for row in rows] == wanted:
                return [int(row["n"]) for row in rows]
            last = await conn.fetchval(
                "SELECT COALESCE(MAX(n), 0) FROM result WHERE user_id = $1 AND day = $2", user, day.isoformat()
            )
            numbers = list(range(int(last) + 1, int(last) + 1 + len(wanted)))
            for n, (person, homonyms) in zip(numbers, wanted, strict=True):
                await conn.execute(
                    "INSERT INTO result (user_id, day, n, event, person, homonyms) VALUES ($1, $2, $3, $4, $5, $6)",
                    user,
                    day.isoformat(),
                    n,
                    event,
                    person,
                    homonyms,
                )
        return numbers

    async def get(self, user: UserId, day: date, n: int) -> Listed | None:
        """Result `n` of that account on that day; None when it was never shown to them."""
        row = await self._db.fetchrow(
            "SELECT person, homonyms FROM result WHERE user_id = $1 AND day = $2 AND n = $3", user, day.isoformat(), n
        )
        return Listed(number_from(row["person"]), row["homonyms"]) if row else None

    async def count(self, user: UserId, what: str, event: EventId, now: datetime) -> None:
        """Remember that the account asked for `what`; the same event counts once."""
        await self._db.execute(
            "INSERT INTO asked (event, user_id, what, at) VALUES ($1, $2, $3, $4) ON CONFLICT (event) DO NOTHING",
            event,
            user,
            what,
            to_millis(now),
        )

    async def counted(self, user: UserId, what: str, since: datetime, but: EventId) -> int:
        """How often the account asked for it since then, the event `but` left out."""
        value = await self._db.fetchval(
            "SELECT COUNT(*) FROM asked WHERE user_id = $1 AND what = $2 AND at >= $3 AND event <> $4",
            user,
            what,
            to_millis(since),
            but,
        )
        return int(value)

    async def ask(self, user: UserId, question: Question) -> None:
        """The account was asked to confirm; an older question is dropped."""
        await self._db.execute(
            "INSERT INTO question (user_id, day, n, at) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (user_id) DO UPDATE SET day = $2, n = $3, at = $4",
            user,
            question.day.isoformat(),
            question.n,
            to_millis(question.at),
        )

    async def question(self, user: UserId) -> Question | None:
        """What the account was last asked."""
        row = await self._db.fetchrow("SELECT day, n, at FROM question WHERE user_id = $1", user)
        return Question(date.fromisoformat(row["day"]), row["n"], from_millis(row["at"])) if row else None

    async def forget_old(self, now: datetime) -> None:
        """Delete what is of no use any more, of everybody."""
        async with transaction(self._db) as conn:
            await conn.execute("DELETE FROM result WHERE day < $1", today(now - _KEEP).isoformat())
            await conn.execute("DELETE FROM asked WHERE at < $1", to_millis(now - _KEEP))
            await conn.execute("DELETE FROM question WHERE at < $1", to_millis(now - _KEEP))

    async def drop_question(self, user: UserId) -> None:
        """Something else came: a later "oui" means nothing."""
        await self._db.execute("DELETE FROM question WHERE user_id = $1", user)


@dataclass(frozen=True, slots=True)
class DirectRoom:
    """The one room of two people. `mark` is the key of its mark, another for each room made for them."""

    pair: str
    mark: str
    room: RoomId | None
    """None until it is created."""
    asker: UserId
    other: UserId
    ready: bool
    """True once people can write in it and the bot has left."""
    made_at: datetime


class DirectRooms:
    """Queries over direct rooms, by the pair's key."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, pair: str) -> DirectRoom | None:
        """The pair's room, ready or under way."""
        return _direct(await self._db.fetchrow("SELECT * FROM direct_room WHERE pair = $1", pair))

    async def by_mark(self, mark: str) -> DirectRoom | None:
        """The room that bears that mark."""
        return _direct(await self._db.fetchrow("SELECT * FROM direct_room WHERE mark = $1", mark))

    async def unready(self) -> list[DirectRoom]:
        """Those under way, oldest first."""
        rows = await self._db.fetch("SELECT * FROM direct_room WHERE NOT ready ORDER BY made_at")
        return [found for row in rows if (found := _direct(row)) is not None]

    async def begin(self, pair: str, asker: UserId, other: UserId, now: datetime) -> DirectRoom:
        """A room for them is under way, under a new mark; the one they had is forgotten."""
        mark = f"direct-{secrets.token_hex(16)}"
        await self._db.execute(
            "INSERT INTO direct_room (pair, mark, room, asker, other, ready, made_at) "
            "VALUES ($1, $2, NULL, $3, $4, false, $5) ON CONFLICT (pair) DO UPDATE SET "
            "mark = $2, room = NULL, asker = $3, other = $4, ready = false, made_at = $5",
            pair,
            mark,
            asker,
            other,
            to_millis(now),
        )
        return DirectRoom(pair, mark, None, asker, other, ready=False, made_at=now)

    async def created(self, mark: str, room: RoomId) -> None:
        """The room exists."""
        await self._db.execute("UPDATE direct_room SET room = $2 WHERE mark = $1", mark, room)

    async def ready(self, mark: str) -> None:
        """It is theirs."""
        await self._db.execute("UPDATE direct_room SET ready = true WHERE mark = $1", mark)

    async def forget(self, mark: str) -> None:
        """It came to nothing."""
        await self._db.execute("DELETE FROM direct_room WHERE mark = $1", mark)

    async def forget_room(self, room: RoomId) -> None:
        """It is gone; only one that was theirs."""
        await self._db.execute("DELETE FROM direct_room WHERE room = $1 AND ready", room)


def _direct(row: Any) -> DirectRoom | None:
    if row is None:
        return None
    return DirectRoom(
        pair=row["pair"],
        mark=row["mark"],
        room=RoomId(row["room"]) if row["room"] is not None else None,
        asker=UserId(row["asker"]),
        other=UserId(row["other"]),
        ready=bool(row["ready"]),
        made_at=from_millis(row["made_at"]),
    )
