"""What stood in the database of the last release is there after an upgrade: on SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.matrix.home import Read
from colloque.store.schema import new_upgrades, open_database
from colloque_mssante.store import tables
from colloque_mssante.store.inbox import Inbox
from colloque_mssante.store.reading import Reads
from colloque_mssante.store.sending import Sending
from colloque_mssante.store.tables_teams import register_teams
from colloque_mssante.store.tables_writing import register, register_writing
from tests.servers.postgres import PostgresServer


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_receipts_become_their_readers_and_what_was_stuck_is_fetched(
    engine: str, tmp_path: Path, clock: FrozenClock, request: pytest.FixtureRequest
) -> None:
    """A person's own room, a quiet one, a team's."""
    url = f"sqlite:{tmp_path}/b.db"
    if engine == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = await server.new_database()
    before = new_upgrades()
    register(before, "Ghosts, mailboxes, mails, outbox", tables._FIRST)
    register_writing(before)
    register_teams(before)
    db = await open_database(url, before, "colloque_mssante")
    await db.execute("INSERT INTO conversation (room_id, owner, who) VALUES ('!a', '@anne:h', 'rpps:1')")
    await db.execute("INSERT INTO conversation (room_id, owner, who, team) VALUES ('!t', '', 'rpps:1', 's@h')")
    await db.execute("INSERT INTO document_room (room_id, owner) VALUES ('!d', '@bruno:h')")
    for room in ("!a", "!t", "!d"):
        await db.execute("INSERT INTO receipt (room_id, thread, event_id) VALUES ($1, 'main', 'e1')", room)
    await db.execute("INSERT INTO stuck (mailbox, uidvalidity, uid, tries, next_at) VALUES ('a@h.test', 1, 7, 2, 0)")
    await db.execute(
        "INSERT INTO mail (id, mailbox, owner, uidvalidity, uid, refs, subject, author_name, author, room_id, ref, at) "
        "VALUES ('m', 'a@h.test', '@anne:h', 1, 1, '[]', '', '', 'b@h.test', '!a', '', 0)"
    )
    await db.execute("INSERT INTO arriving (mail, room_id) VALUES ('m', '!a')")
    rows = (("a", "salles", b"x"), ("w", "salles", None), ("p", "room", b"x"))
    for key, caller, raw in rows:
        await db.execute(
            "INSERT INTO outbox (key, caller, sender, recipients, owner, room_id, event_id, message_id, envid, ref, "
            "raw, state, next_at, made_at) "
            "VALUES ($1, $2, 's@h.test', '[]', '', '', '', $1, $1, $1, $3, 'doubtful', 0, 0)",
            key,
            caller,
            raw,
        )
    await db.stop()
    after = new_upgrades()
    tables.register_upgrades(after)
    db = await open_database(url, after, "colloque_mssante")
    heard = await Reads(db, clock).heard()
    assert await Inbox(db, clock).unfetched(MssanteAddress("a@h.test"), 1) == [7], "what could not be shown is fetched"
    states = {row["key"]: row["state"] for row in await db.fetch("SELECT key, state FROM outbox")}
    assert states == {"a": "deferred", "w": "doubtful", "p": "doubtful"}, (
        "what a writer decides, or was taken back, stays"
    )
    assert await db.fetch("SELECT * FROM reported") == [], "of the recipients of what left before nothing is known"
    assert await db.fetchval("SELECT who FROM mail WHERE id = 'm'") == ""
    begun = await Sending(db, clock).begin("m", RoomId("!a"))
    assert (begun.events, begun.repeatable) == ({}, False), "since when it was being shown, nobody knows"
    await db.stop()
    readers = {"!a": "@anne:h", "!t": "", "!d": "@bruno:h"}
    assert sorted(heard, key=lambda read: read.room) == [
        Read(RoomId(room), EventId("e1"), UserId(user), "main") for room, user in sorted(readers.items())
    ]
