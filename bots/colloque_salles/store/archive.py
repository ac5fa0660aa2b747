"""Archives of closed rooms: who gets one, what it holds, how far it came. The rows end with their room."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.rooms.keeping import Keeping, Proof
from colloque.store.schema import migration, transaction
from colloque_salles.rules.document import Document
from colloque_salles.rules.packing import Item


def register_archives(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "Rooms are archived before they are erased")
    async def archives(conn: Connection) -> None:
        await conn.execute("ALTER TABLE patient_room ADD COLUMN archived TEXT NOT NULL DEFAULT ''")
        await conn.execute(
            """CREATE TABLE archive (
                room         TEXT PRIMARY KEY,
                referent     TEXT NOT NULL,
                attempt      INTEGER NOT NULL,
                boxes        TEXT NOT NULL,
                address      TEXT NOT NULL DEFAULT '',
                at_home      BOOLEAN NOT NULL DEFAULT false,
                made         BOOLEAN NOT NULL DEFAULT false,
                whole        BOOLEAN NOT NULL DEFAULT true,
                left_out     TEXT NOT NULL DEFAULT '[]',
                sent_at      BIGINT,
                delivered_at BIGINT,
                reminded_at  BIGINT,
                not_before   BIGINT,
                decided      TEXT NOT NULL DEFAULT ''
            )"""
        )
        await conn.execute(
            """CREATE TABLE archive_mail (
                room  TEXT NOT NULL,
                rank  INTEGER NOT NULL,
                items TEXT NOT NULL,
                PRIMARY KEY (room, rank)
            )"""
        )
        await conn.execute(
            "CREATE TABLE archive_event (event TEXT PRIMARY KEY, room TEXT NOT NULL, asks TEXT NOT NULL)"
        )
        await conn.execute("CREATE TABLE archive_box (person TEXT PRIMARY KEY, address TEXT NOT NULL)")


class Asks(StrEnum):
    """What a message of ours lets its reader tap."""

    COMING = "coming"
    """It will come: which mailbox, or nothing at all."""
    FILED = "filed"
    """It came: is it in the record?"""
    FILES = "files"
    """What of the files that no mail could take?"""
    WHY = "why"
    """Why is nothing to be kept?"""


@dataclass(frozen=True, slots=True)
class Archive:
    """One room's."""

    room: RoomId
    referent: UserId
    """Who gets it, and says that it is in the record."""
    attempt: int
    """One more each time that it is begun again, for somebody else or in another way."""
    boxes: tuple[str, ...]
    """Their mailboxes when it was announced, in the order in which they were numbered."""
    address: MssanteAddress | None
    """The mailbox that it goes to; None while none was chosen, or there is none."""
    at_home: bool
    """True when it goes to their home room instead."""
    made: bool
    """True once its documents are stored."""
    whole: bool
    """False when files are left that must be fetched from the room."""
    left_out: tuple[str, ...] = field(repr=False)
    """Names of these."""
    sent_at: datetime | None
    delivered_at: datetime | None
    reminded_at: datetime | None
    not_before: datetime | None
    """Its referent is away, or was, until then: their time begins there."""
    decided: Proof | None
    """What its referent said."""
    document: Document

    @property
    def keeping(self) -> Keeping:
        """What the rule looks at, once it was handed over."""
        assert self.sent_at is not None
        kept = Keeping(self.sent_at, self.whole, self.delivered_at, self.reminded_at)
        return kept if self.not_before is None else kept.from_(self.not_before)


class Archives:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def awaited(self) -> list[RoomId]:
        """Closed rooms of which nothing proves yet that they were kept, the oldest first."""
        rows = await self._db.fetch(
            "SELECT room FROM patient_room WHERE state = 'closed' AND archived = '' ORDER BY closed_at"
        )
        return [RoomId(row["room"]) for row in rows]

    async def get(self, room: RoomId) -> Archive | None:
        """One room's."""
        row = await self._db.fetchrow("SELECT * FROM archive WHERE room = $1", room)
        return _archive(row) if row else None

    async def of(self, event: EventId) -> tuple[Archive, Asks] | None:
        """The one that a message of ours is about, and what that message asks."""
        row = await self._db.fetchrow(
            "SELECT archive.*, asks FROM archive JOIN archive_event ON archive_event.room = archive.room "
            "WHERE archive_event.event = $1",
            event,
        )
        return (_archive(row), Asks(row["asks"])) if row else None

    async def asked(self, room: RoomId, event: EventId, asks: Asks) -> None:
        """That message of ours is about the room's archive. Safe to repeat."""
        await self._db.execute(
            "INSERT INTO archive_event (event, room, asks) VALUES ($1, $2, $3) ON CONFLICT (event) DO NOTHING",
            event,
            room,
            asks.value,
        )

    async def begin(
        self, room: RoomId, referent: UserId, attempt: int, boxes: Sequence[MssanteAddress], box: MssanteAddress | None
    ) -> None:
        """It is announced; what another attempt made is forgotten, unless something was decided meanwhile."""
        async with transaction(self._db) as conn:
            await conn.execute("DELETE FROM archive WHERE room = $1 AND decided = ''", room)
            begun = await conn.fetchval(
                "INSERT INTO archive (room, referent, attempt, boxes, address, at_home) "
                "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (room) DO NOTHING RETURNING 1",
                room,
                referent,
                attempt,
                json.dumps([each.value for each in boxes]),
                box.value if box is not None else "",
                not boxes,
            )
            if begun is not None:
                await conn.execute("DELETE FROM archive_mail WHERE room = $1", room)

    async def made(
        self,
        room: RoomId,
        mails: Sequence[Sequence[Item]],
        left: Sequence[str],
        *,
        at_home: bool,
        document: Document = Document.NONE,
    ) -> None:
        """Its documents are stored, and what goes into which mail is settled for good."""
        async with transaction(self._db) as conn:
            for rank, items in enumerate(mails, 1):
                await conn.execute(
                    "INSERT INTO archive_mail (room, rank, items) VALUES ($1, $2, $3)",
                    room,
                    rank,
                    json.dumps([item.described for item in items]),
                )
            await conn.execute(
                "UPDATE archive SET made = true, whole = $2, left_out = $3, at_home = $4, document = $5 "
                "WHERE room = $1",
                room,
                not left,
                json.dumps(list(left)),
                at_home,
                document.value,
            )

    async def mails(self, room: RoomId) -> list[list[Item]]:
        """What goes into which mail."""
        rows = await self._db.fetch("SELECT items FROM archive_mail WHERE room = $1 ORDER BY rank", room)
        return [[Item(**each) for each in json.loads(row["items"])] for row in rows]

    async def go_home(self, room: RoomId, left: Sequence[str]) -> None:
        """No mailbox takes it: it goes to the referent's home room; `left` is to be fetched from the room itself.

        What was asked about the files that were left out by mail counts no more: these are others.
        """
        async with transaction(self._db) as conn:
            await conn.execute(
                "DELETE FROM archive_event WHERE room = $1 AND asks = $2 "
                "AND EXISTS (SELECT 1 FROM archive WHERE archive.room = $1 AND NOT at_home)",
                room,
                Asks.FILES.value,
            )
            await conn.execute(
                "UPDATE archive SET at_home = true, whole = $2, left_out = $3, sent_at = NULL, delivered_at = NULL, "
                "reminded_at = NULL, attempt = attempt + 1 WHERE room = $1 AND NOT at_home",
                room,
                not left,
                json.dumps(list(left)),
            )

    async def sent(self, room: RoomId, event: EventId, at: datetime) -> None:
        """It is on its way, or there, and that was said."""
        await self.asked(room, event, Asks.FILED)
        await self._db.execute("UPDATE archive SET sent_at = $2 WHERE room = $1", room, to_millis(at))

    async def delivered(self, room: RoomId, at: datetime) -> None:
        """Every part is in the mailbox."""
        await self._db.execute(
            "UPDATE archive SET delivered_at = $2 WHERE room = $1 AND delivered_at IS NULL", room, to_millis(at)
        )

    async def reminded(self, room: RoomId, event: EventId, at: datetime) -> None:
        """Its referent read again that it waits for them."""
        await self.asked(room, event, Asks.FILED)
        await self._db.execute("UPDATE archive SET reminded_at = $2 WHERE room = $1", room, to_millis(at))

    async def not_before(self, room: RoomId, at: datetime) -> None:
        """Its referent's time begins then."""
        await self._db.execute("UPDATE archive SET not_before = $2 WHERE room = $1", room, to_millis(at))

    async def decide(self, archive: Archive, proof: Proof) -> bool:
        """What its referent said; False when something was said before, or it is somebody else's by now."""
        said = await self._db.fetchval(
            "UPDATE archive SET decided = $2 WHERE room = $1 AND decided = '' AND referent = $3 RETURNING 1",
            archive.room,
            proof.value,
            archive.referent,
        )
        return said is not None

    async def prove(self, room: RoomId, proof: Proof) -> None:
        """From now on the room may be erased."""
        await self._db.execute(
            "UPDATE patient_room SET archived = $2 WHERE room = $1 AND archived = ''", room, proof.value
        )

    # mailboxes

    async def box(self, person: UserId) -> str:
        """The mailbox that somebody chose among theirs; empty when they never did."""
        return str(await self._db.fetchval("SELECT address FROM archive_box WHERE person = $1", person) or "")

    async def choose(self, person: UserId, address: MssanteAddress) -> None:
        """They want archives there; one that is on its way to another goes there whole."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "INSERT INTO archive_box (person, address) VALUES ($1, $2) "
                "ON CONFLICT (person) DO UPDATE SET address = $2",
                person,
                address.value,
            )
            await conn.execute(
                "UPDATE archive SET address = $2 WHERE referent = $1 AND NOT at_home AND (address = '' OR NOT made)",
                person,
                address.value,
            )


def _archive(row: Any) -> Archive:
    moments = {
        name: from_millis(row[name]) if row[name] is not None else None
        for name in ("sent_at", "delivered_at", "reminded_at", "not_before")
    }
    return Archive(
        room=RoomId(row["room"]),
        referent=UserId(row["referent"]),
        attempt=row["attempt"],
        boxes=tuple(json.loads(row["boxes"])),
        address=MssanteAddress(row["address"]) if row["address"] else None,
        at_home=bool(row["at_home"]),
        made=bool(row["made"]),
        whole=bool(row["whole"]),
        left_out=tuple(json.loads(row["left_out"])),
        decided=Proof(row["decided"]) if row["decided"] else None,
        document=Document(row["document"]),
        **moments,
    )
