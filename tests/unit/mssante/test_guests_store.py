"""Who was brought into which room, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.identity import MssanteAddress, RoomId, Rpps
from colloque.rooms.mark import RoomKind
from colloque.store.rooms import Rooms
from colloque_mssante.store.guests import Guests
from tests.unit.mssante.test_store import ANNE, BRUNO, ROOM, db  # noqa: F401

OTHER = RoomId("!other")
B, A_KEY = Rpps("10000000016"), "rpps:10000000024"


async def test_from_the_invitation_to_the_end(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    guests = Guests(db, clock)
    await guests.put(ROOM, ANNE, BRUNO, B, A_KEY)
    first = await guests.of(ROOM)
    clock.advance(days=1)
    await guests.put(ROOM, ANNE, BRUNO, B, A_KEY)
    assert await guests.of(ROOM) == first
    assert first is not None
    assert (first.owner, first.user, first.rpps, first.joined, first.since) == (
        ANNE,
        BRUNO,
        B,
        False,
        clock.now() - timedelta(days=1),
    )
    assert await guests.met(BRUNO, A_KEY) is None
    await guests.join(ROOM)
    met = await guests.met(BRUNO, A_KEY)
    assert met is not None
    assert met.joined
    assert await guests.met(ANNE, A_KEY) is None
    assert await guests.between(BRUNO, ANNE) == await guests.between(ANNE, BRUNO) == met
    assert await guests.all() == [met]
    await guests.forget(ROOM)
    assert await guests.of(ROOM) is None


async def test_what_both_chose(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    guests = Guests(db, clock)
    await guests.put(ROOM, ANNE, BRUNO, B, A_KEY)
    await guests.remember(ROOM, MssanteAddress("b@x.mssante.test"), "a@x.mssante.test")
    for user, after, agreed in ((ANNE, 1, 0), (BRUNO, 3, 3), (ANNE, 5, 5), (BRUNO, 0, 0)):
        await guests.choose(ROOM, user, timedelta(hours=after))
        found = await guests.of(ROOM)
        assert found is not None
        assert found.after == timedelta(hours=agreed)
    assert (found.sender, found.recipient) == ("b@x.mssante.test", "a@x.mssante.test")


async def test_a_hint_is_due_once_in_peoples_own_conversations(db: Database, clock: FrozenClock) -> None:  # noqa: F811
    guests, rooms = Guests(db, clock), Rooms(db)
    rows = ((ROOM, ANNE, A_KEY, ""), (OTHER, ANNE, "address:x@y", ""), (RoomId("!team"), "", A_KEY, "s@x.mssante.test"))
    for number, (room, owner, who, team) in enumerate(rows):
        await rooms.put(f"mail-{number}", room, RoomKind.MAIL, ANNE)
        await db.execute(
            "INSERT INTO conversation (room_id, owner, who, team) VALUES ($1, $2, $3, $4)", room, owner, who, team
        )
    assert await guests.to_hint([]) == await guests.to_hint(["rpps:1"]) == []
    many = [f"rpps:{number}" for number in range(1200)]
    assert await guests.to_hint([*many, A_KEY]) == [(ROOM, ANNE, A_KEY)]
    await guests.hinted(ROOM)
    assert await guests.to_hint([A_KEY]) == []
