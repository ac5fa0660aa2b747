"""Erasure jobs and receipts, as rows: what makes an erasure survive a crash at any line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from mautrix.util.async_db import Connection, Database

from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.rooms.erasure import Kind
from colloque.rooms.patient_room import RoomState
from colloque.store.schema import transaction

ROOM_TABLES = (
    *("ledger_event", "ledger_file", "notice", "hold", "told_patient", "missing", "evicted", "copy", "copy_file"),
    *("archive", "archive_mail", "archive_event", "proposal", "invited", "patient_identity", "echo", "early_tap"),
    *("companion", "guest_room"),
    *("erasure", "patient_room"),
    *("direct_number", "direct_hold", "direct"),
)
"""Tables with rows about a room; the last ones last."""
DROPPED_LAST = frozenset({*ROOM_TABLES, "bot_room", "room_key", "seen_event", "peer_erasure", "asked_erasure"})
"""Where this service itself still names a room until its erasure's very last step, and the room's address alone until
the other servers that had members have answered (`peer_erasure`; the receipt counts that)."""


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """A durable erasure job: the step it is at, and what it found at its start."""

    room: RoomId
    step: str
    manifest: dict[str, Any]

    @property
    def of_messages(self) -> bool:
        """Is it about messages of a room that lives on? Then `room` is the job's own name."""
        return "room" in self.manifest

    @property
    def is_unclosed(self) -> bool:
        """Is it about a whole room that nobody of ours could close first?"""
        return self.manifest.get("kind") in {Kind.DIRECT, Kind.GROUP}


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """A signed receipt, and who is still to be told."""

    serial: int
    body: str
    words: str
    members: tuple[UserId, ...]


class Jobs:
    """Queries over `erasure` and `receipt` (made by this service's migrations)."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.chain = asyncio.Lock()
        """Held from reading the newest receipt to adding the next: one serial is given once."""

    async def start(
        self, room: RoomId, manifest: dict[str, Any], *, step: str = "delete", events: Sequence[EventId] = ()
    ) -> None:
        """Begin the durable job; `events`: those that it is about, where it is not about a whole room.

        The `servers` that the manifest names are asked to erase their copies from now on. A job that is about no room
        stands under a name of its own where a room would; nothing happens while it is under way, nor where a patient
        room has been held since the manifest was made.
        """
        async with transaction(self._db) as conn:
            if await conn.fetchrow("SELECT 1 FROM erasure WHERE room = $1", room) is not None:
                return
            await conn.execute(
                "UPDATE patient_room SET state = $2 WHERE room = $1 AND COALESCE(held_until, 0) <= $3",
                room,
                RoomState.ERASING.value,
                manifest.get("begun_at", 0),
            )
            held = "SELECT 1 FROM patient_room WHERE room = $1 AND state <> $2"
            if await conn.fetchrow(held, room, RoomState.ERASING.value) is not None:
                return
            await conn.execute(
                "INSERT INTO erasure (room, step, manifest) VALUES ($1, $2, $3)", room, step, json.dumps(manifest)
            )
            for event in events:
                await conn.execute(
                    "INSERT INTO ledger_event (room, event, readable) VALUES ($1, $2, false)", room, event
                )
            for server in manifest.get("servers", ()):
                await conn.execute(
                    "INSERT INTO peer_erasure (room, server, ref, since, again_at) VALUES ($1, $2, $3, $4, $4) "
                    "ON CONFLICT DO NOTHING",
                    room,
                    server,
                    manifest["token"],
                    manifest["begun_at"],
                )

    async def under_way(self) -> list[ErasureRow]:
        """Jobs under way."""
        return [_erasure(row) for row in await self._db.fetch("SELECT * FROM erasure ORDER BY room")]

    async def get(self, room: RoomId) -> ErasureRow | None:
        """The job of a room; None when there is none, or none any more."""
        row = await self._db.fetchrow("SELECT * FROM erasure WHERE room = $1", room)
        return _erasure(row) if row is not None else None

    async def at_step(self, room: RoomId, step: str) -> None:
        """Move a job on."""
        await self._db.execute("UPDATE erasure SET step = $2 WHERE room = $1", room, step)

    async def noted(self, room: RoomId, step: str, found: dict[str, Any]) -> None:
        """Move a job on, with what was found on the way (it replaces what was found before under these names)."""
        async with transaction(self._db) as conn:
            row = await conn.fetchrow("SELECT manifest FROM erasure WHERE room = $1", room)
            if row is not None:
                manifest = json.dumps(json.loads(row["manifest"]) | found)
                await conn.execute("UPDATE erasure SET step = $2, manifest = $3 WHERE room = $1", room, step, manifest)

    async def events(self, room: RoomId) -> list[EventId]:
        """The room's events that this service heard."""
        rows = await self._db.fetch("SELECT event FROM ledger_event WHERE room = $1 ORDER BY event", room)
        return [EventId(row["event"]) for row in rows]

    async def missed(self, room: RoomId, events: Sequence[EventId]) -> None:
        """These are the room's; those that this service never heard count as unread. Safe to repeat."""
        async with transaction(self._db) as conn:
            await conn.executemany(
                "INSERT INTO ledger_event (room, event, readable) VALUES ($1, $2, false) ON CONFLICT DO NOTHING",
                [(room, event) for event in events],
            )

    async def taken(self, but: RoomId | None = None) -> frozenset[MxcUri]:
        """Files that jobs under way are to delete, all of them but that one."""
        return frozenset(
            MxcUri(mxc) for row in await self.under_way() if row.room != but for mxc in row.manifest["files"]
        )

    async def known_in(self, mxc: MxcUri, but: RoomId) -> tuple[bool, bool]:
        """Whether any other room knows the file: one that is not being erased; one that is, and can still be read."""
        rows = await self._db.fetch(
            "SELECT e.step FROM ledger_file f LEFT JOIN erasure e ON e.room = f.room WHERE f.mxc = $1 AND f.room <> $2",
            mxc,
            but,
        )
        steps = {row["step"] for row in rows}
        return None in steps, "delete" in steps

    async def forget(self, room: RoomId) -> None:
        """Drop every row about the room; the last step of its erasure."""
        async with transaction(self._db) as conn:
            for table in ROOM_TABLES:
                await conn.execute(f"DELETE FROM {table} WHERE room = $1", room)  # noqa: S608 - fixed names
            await conn.execute("UPDATE asked_erasure SET room = '' WHERE room = $1 AND serial IS NOT NULL", room)

    async def narrow(self, room: RoomId, events: Collection[EventId], found: dict[str, Any]) -> None:
        """A job is not about these events any more; `found` replaces what was found before."""
        async with transaction(self._db) as conn:
            for event in events:
                await conn.execute("DELETE FROM ledger_event WHERE room = $1 AND event = $2", room, event)
            row = await conn.fetchrow("SELECT manifest FROM erasure WHERE room = $1", room)
            if row is not None:
                manifest = json.dumps(json.loads(row["manifest"]) | found)
                await conn.execute("UPDATE erasure SET manifest = $2 WHERE room = $1", room, manifest)

    async def stop(self, room: RoomId) -> None:
        """A job that has deleted nothing is over; what it was about lives on."""
        async with transaction(self._db) as conn:
            for table in ("ledger_event", "erasure"):
                await conn.execute(f"DELETE FROM {table} WHERE room = $1", room)  # noqa: S608 - fixed names

    async def last(self) -> tuple[int, str | None]:
        """Serial and body of the newest receipt; (0, None) before the first."""
        row = await self._db.fetchrow("SELECT serial, body FROM receipt ORDER BY serial DESC LIMIT 1")
        return (int(row["serial"]), row["body"]) if row else (0, None)

    async def on_disk(self) -> tuple[int, ReceiptRow] | None:
        """How many receipts are written as files, and the newest of these; None before the first."""
        row = await self._db.fetchrow("SELECT * FROM receipt WHERE written ORDER BY serial DESC LIMIT 1")
        count = await self._db.fetchval("SELECT COUNT(*) FROM receipt WHERE serial <= $1", row["serial"]) if row else 0
        return (int(count), _receipt(row)) if row else None

    async def add(
        self,
        receipt: ReceiptRow,
        room: RoomId,
        *,
        asked: str = "",
        settle: Callable[[str, int], Awaitable[None]] | None = None,
    ) -> None:
        """Keep the signed receipt and mark the job, in one transaction: no room ever gets two.

        `asked`: the other server's request that it answers. `settle` marks the job of what is no patient room, named in
        the room's stead.
        """
        async with transaction(self._db) as conn:
            await _insert(conn, receipt)
            if settle is not None:
                await settle(room, receipt.serial)
                return
            await conn.execute("UPDATE erasure SET step = 'forget' WHERE room = $1", room)
            await conn.execute("UPDATE peer_erasure SET serial = $2 WHERE room = $1", room, receipt.serial)
            await conn.execute("UPDATE asked_erasure SET serial = $2 WHERE asked = $1", asked, receipt.serial)

    async def add_supplement(self, supplement: ReceiptRow, room: RoomId) -> None:
        """Keep what other servers answered; the room's address is needed no more."""
        async with transaction(self._db) as conn:
            await _insert(conn, supplement)
            await conn.execute("DELETE FROM peer_erasure WHERE room = $1", room)

    async def receipt(self, serial: int) -> ReceiptRow:
        """One that exists."""
        return _receipt(await self._db.fetchrow("SELECT * FROM receipt WHERE serial = $1", serial))

    async def to_write(self) -> list[ReceiptRow]:
        """Receipts whose file was not written yet."""
        return [_receipt(r) for r in await self._db.fetch("SELECT * FROM receipt WHERE NOT written ORDER BY serial")]

    async def written(self, serial: int) -> None:
        """The receipt's file is on the disk."""
        await self._db.execute("UPDATE receipt SET written = true WHERE serial = $1", serial)

    async def to_tell(self) -> list[ReceiptRow]:
        """Receipts on the disk whose former members were not told yet."""
        rows = await self._db.fetch("SELECT * FROM receipt WHERE written AND NOT told ORDER BY serial")
        return [_receipt(r) for r in rows]

    async def told(self, serial: int) -> None:
        """Everybody was told: who they were, and how their room was called, is forgotten."""
        await self._db.execute("UPDATE receipt SET told = true, members = '[]', words = '' WHERE serial = $1", serial)


async def _insert(conn: Connection, receipt: ReceiptRow) -> None:
    await conn.execute(
        "INSERT INTO receipt (serial, body, words, members) VALUES ($1, $2, $3, $4)",
        receipt.serial,
        receipt.body,
        receipt.words,
        json.dumps(list(receipt.members)),
    )


def _erasure(row: Any) -> ErasureRow:
    return ErasureRow(RoomId(row["room"]), row["step"], json.loads(row["manifest"]))


def _receipt(row: Any) -> ReceiptRow:
    members = tuple(UserId(u) for u in json.loads(row["members"]))
    return ReceiptRow(row["serial"], row["body"], row["words"], members)
