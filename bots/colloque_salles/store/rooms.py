"""The patient-room service's own tables: rooms, the ledger of what was shared in them, erasures, receipts."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.logs import event as log_event
from colloque.rooms.patient_room import PatientRoom, RoomState
from colloque.store.schema import migration, transaction

log = logging.getLogger(__name__)


def register_upgrades(table: UpgradeTable) -> None:
    """Add this service's migrations to the common ones."""

    @migration(table, "Patient rooms, ledger, erasures, receipts")
    async def rooms(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE patient_room (
                room          TEXT PRIMARY KEY,
                words         TEXT NOT NULL,
                opener        TEXT NOT NULL,
                members       TEXT NOT NULL,
                state         TEXT NOT NULL,
                opened_at     BIGINT NOT NULL,
                last_activity BIGINT NOT NULL,
                warned_for    BIGINT,
                warned_at     BIGINT,
                closed_at     BIGINT,
                close_event   TEXT,
                close_heard   BOOLEAN NOT NULL DEFAULT false
            )"""
        )
        await conn.execute(
            """CREATE TABLE ledger_event (
                room     TEXT NOT NULL,
                event    TEXT NOT NULL,
                readable BOOLEAN NOT NULL,
                PRIMARY KEY (room, event)
            )"""
        )
        await conn.execute(
            """CREATE TABLE ledger_file (
                room TEXT NOT NULL,
                mxc  TEXT NOT NULL,
                PRIMARY KEY (room, mxc)
            )"""
        )
        await conn.execute("CREATE INDEX ledger_file_by_mxc ON ledger_file (mxc)")
        await conn.execute(
            """CREATE TABLE erasure (
                room     TEXT PRIMARY KEY,
                step     TEXT NOT NULL,
                manifest TEXT NOT NULL
            )"""
        )
        await conn.execute(
            """CREATE TABLE receipt (
                serial  INTEGER PRIMARY KEY,
                body    TEXT NOT NULL,
                words   TEXT NOT NULL,
                members TEXT NOT NULL,
                written BOOLEAN NOT NULL DEFAULT false,
                told    BOOLEAN NOT NULL DEFAULT false
            )"""
        )
        await conn.execute("CREATE TABLE used_words (words TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE)")


def register_echoes(table: UpgradeTable) -> None:
    """Add a later migration."""

    @migration(table, "Own messages that came back are kept: one may come before it is known to close its room")
    async def echoes(conn: Connection) -> None:
        await conn.execute("CREATE TABLE echo (room TEXT NOT NULL, event TEXT NOT NULL, PRIMARY KEY (room, event))")


@dataclass(frozen=True, slots=True)
class Kept:
    """A patient room with what only this service needs of it."""

    room: PatientRoom
    words: str
    """Its two words, which hold nothing about the patient."""
    close_heard: bool
    """True once our own sync brought back the closing message: the ledger is complete up to it."""
    called: str = field(default="", repr=False)
    """How the team calls the patient; health data, for members' encrypted rooms alone."""


class PatientRooms:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.unreadable = 0
        """How many rooms `all` passed over when it was last asked: their rows contradict themselves."""

    async def words_taken(self) -> set[str]:
        """Every pair of words ever given: none is reused."""
        return {row["words"] for row in await self._db.fetch("SELECT words FROM used_words")}

    async def words_for(self, key: str) -> str | None:
        """The words given to the room with that mark key, if any."""
        value = await self._db.fetchval("SELECT words FROM used_words WHERE key = $1", key)
        return str(value) if value else None

    async def reserve_words(self, words: str, key: str) -> None:
        """Give a pair of words out, for good."""
        await self._db.execute("INSERT INTO used_words (words, key) VALUES ($1, $2)", words, key)

    async def add(self, room: PatientRoom, words: str) -> None:
        """Start to follow a room; no effect when it is followed already."""
        await self._db.execute(
            "INSERT INTO patient_room (room, words, opener, members, state, opened_at, last_activity) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (room) DO NOTHING",
            room.room,
            words,
            room.opener,
            json.dumps(list(room.members)),
            room.state.value,
            to_millis(room.opened_at),
            to_millis(room.last_activity),
        )

    async def get(self, room: RoomId) -> Kept | None:
        """One room; None, too, for one whose row can't be read: that is logged."""
        row = await self._db.fetchrow("SELECT * FROM patient_room WHERE room = $1", room)
        return _kept(row) if row else None

    async def follows(self, room: RoomId) -> bool:
        """Whether it is a patient room of ours, be its row readable or not."""
        return await self._db.fetchval("SELECT 1 FROM patient_room WHERE room = $1", room) is not None

    async def all(self) -> list[Kept]:
        """Every room not erased yet, oldest activity first. One that can't be read holds back no other."""
        rows = await self._db.fetch("SELECT * FROM patient_room ORDER BY last_activity")
        found = [kept for row in rows if (kept := _kept(row)) is not None]
        self.unreadable = len(rows) - len(found)
        return found

    async def active(self, room: RoomId, at: datetime) -> None:
        """Somebody wrote. Never moves backwards; a promised end is void from then on."""
        await self._db.execute(
            "UPDATE patient_room SET last_activity = $2 WHERE room = $1 AND last_activity < $2", room, to_millis(at)
        )

    async def members(self, room: RoomId, members: tuple[UserId, ...]) -> None:
        """Who is in the room now."""
        await self._db.execute(
            "UPDATE patient_room SET members = $2 WHERE room = $1", room, json.dumps(sorted(members))
        )

    async def lead(self, room: RoomId, user: UserId) -> None:
        """Somebody else is the referent from now on."""
        await self._db.execute("UPDATE patient_room SET opener = $2 WHERE room = $1", room, user)

    async def warned(self, room: RoomId, end: datetime, at: datetime) -> None:
        """The end was promised; no effect on a room that somebody closed while that was said."""
        await self._db.execute(
            "UPDATE patient_room SET state = $2, warned_for = $3, warned_at = $4 WHERE room = $1 AND closed_at IS NULL",
            room,
            RoomState.WARNED.value,
            to_millis(end),
            to_millis(at),
        )

    async def closed(self, room: RoomId, at: datetime, event: EventId | None) -> None:
        """Writing stopped; `event` is our closing message, None when the room can't be reached any more.

        No effect on a room that is closed already: it may be erased by now, and its time runs from then. Our sync may
        have brought the message back already: while we waited for the answer, or before a crash.
        """
        async with transaction(self._db) as conn:
            await conn.execute(
                "UPDATE patient_room SET state = $2, closed_at = $3, close_event = $4, close_heard = $5 "
                "WHERE room = $1 AND closed_at IS NULL",
                room,
                RoomState.CLOSED.value,
                to_millis(at),
                event,
                event is None,
            )
            # A statement of its own: whoever held the row before has committed, and is seen.
            await conn.execute(
                "UPDATE patient_room SET close_heard = true WHERE room = $1 AND close_event = $2 "
                "AND EXISTS (SELECT 1 FROM echo WHERE room = $1 AND event = $2)",
                room,
                event,
            )

    async def heard_own(self, room: RoomId, event: EventId) -> None:
        """Our sync brought back one of our own messages."""
        async with transaction(self._db) as conn:
            # The room's row first, as in `closed`: of the two, one waits for the other, and sees what it wrote.
            await conn.execute(
                "UPDATE patient_room SET close_heard = close_heard OR COALESCE(close_event, '') = $2 WHERE room = $1",
                room,
                event,
            )
            await conn.execute("INSERT INTO echo (room, event) VALUES ($1, $2) ON CONFLICT DO NOTHING", room, event)

    async def picture(self, room: RoomId) -> MxcUri | None:
        """The file that is its picture."""
        found = await self._db.fetchval("SELECT picture FROM patient_room WHERE room = $1", room)
        return MxcUri(str(found)) if found else None

    # the ledger

    async def heard(self, room: RoomId, event: EventId, *, readable: bool, files: tuple[MxcUri, ...] = ()) -> None:
        """One event of the room, and the files it names. Safe to repeat; readable wins over unreadable."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "INSERT INTO ledger_event (room, event, readable) VALUES ($1, $2, $3) "
                "ON CONFLICT (room, event) DO UPDATE SET readable = $3 OR ledger_event.readable",
                room,
                event,
                readable,
            )
            for mxc in files:
                await conn.execute(
                    "INSERT INTO ledger_file (room, mxc) VALUES ($1, $2) ON CONFLICT DO NOTHING", room, mxc
                )

    async def counts(self, room: RoomId) -> tuple[int, int]:
        """Events heard, and how many of them could not be decrypted."""
        row = await self._db.fetchrow(
            "SELECT COUNT(*) AS heard, COUNT(CASE WHEN readable THEN NULL ELSE 1 END) AS blind "
            "FROM ledger_event WHERE room = $1",
            room,
        )
        return (int(row["heard"]), int(row["blind"])) if row else (0, 0)

    async def files(self, room: RoomId) -> list[tuple[MxcUri, bool]]:
        """Each file of the room, and whether a room that is not being erased knows it too (then it is kept)."""
        rows = await self._db.fetch(
            "SELECT mxc, EXISTS (SELECT 1 FROM ledger_file o WHERE o.mxc = f.mxc AND o.room <> f.room "
            "AND NOT EXISTS (SELECT 1 FROM erasure e WHERE e.room = o.room)) AS shared "
            "FROM ledger_file f WHERE room = $1 ORDER BY mxc",
            room,
        )
        return [(MxcUri(r["mxc"]), bool(r["shared"])) for r in rows]


_MOMENTS = ("warned_for", "warned_at", "reminded_at", "prolonged_until", "held_until", "closed_at")


def _kept(row: Any) -> Kept | None:
    try:
        return _read(row)
    except Exception as error:  # noqa: BLE001  whatever is wrong with that row, the others are to be read
        log_event(log, "room.unreadable", level=logging.ERROR, why=type(error).__name__)
        return None


def _read(row: Any) -> Kept:
    return Kept(
        room=PatientRoom(
            room=RoomId(row["room"]),
            opener=UserId(row["opener"]),
            members=tuple(UserId(u) for u in json.loads(row["members"])),
            opened_at=from_millis(row["opened_at"]),
            last_activity=from_millis(row["last_activity"]),
            state=RoomState(row["state"]),
            own_idle=None if row["own_idle"] is None else timedelta(seconds=row["own_idle"]),
            archived=row["archived"],
            **{name: from_millis(row[name]) if row[name] is not None else None for name in _MOMENTS},
        ),
        words=row["words"],
        close_heard=bool(row["close_heard"]),
        called=row["called"],
    )
