"""What the common tables promise, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import Inconsistent
from colloque.identity import EventId, UserId
from colloque.rooms.mark import RoomKind
from colloque.store.handled import Handled
from colloque.store.incidents import Incidents
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import BotRoom, Rooms
from tests.servers.databases import OTHER, ROOM, Opener, count

# room keys


async def test_a_token_is_steady_and_its_rooms_own(db: Database, opened: Opener) -> None:
    keys = RoomKeys(db)
    token = await keys.token(ROOM, "$event")
    assert len(token) == 20
    assert int(token, 16) >= 0
    assert await RoomKeys(await opened()).token(ROOM, "$event") == token
    assert len({token, await keys.token(ROOM, "$other"), await keys.token(OTHER, "$event")}) == 3


async def test_a_destroyed_key_never_comes_back(db: Database) -> None:
    keys = RoomKeys(db)
    before, kept = await keys.token(ROOM, "$event"), await keys.token(OTHER, "$event")
    await keys.destroy(ROOM)
    await keys.destroy(ROOM)
    assert await count(db, "room_key") == 1
    assert await keys.token(ROOM, "$event") != before
    assert await keys.token(OTHER, "$event") == kept


async def test_two_at_once_make_one_key(db: Database) -> None:
    tokens = await asyncio.gather(*(RoomKeys(db).token(ROOM, "$event") for _ in range(10)))
    assert len(set(tokens)) == 1


# handled events


async def test_the_position_is_kept(db: Database, clock: FrozenClock, opened: Opener) -> None:
    handled = Handled(db, clock)
    assert await handled.position() is None
    await handled.save_position("s1")
    await handled.save_position("s2")
    assert await Handled(await opened(), clock).position() == "s2"


async def test_marked_events_are_known_for_two_days(db: Database, clock: FrozenClock) -> None:
    handled = Handled(db, clock)
    assert not await handled.seen(EventId("$a"))
    await handled.mark(EventId("$a"), ROOM)
    await handled.mark(EventId("$a"), ROOM)
    clock.advance(hours=48)
    await handled.save_position("s1")
    assert await handled.seen(EventId("$a"))
    clock.advance(seconds=1)
    await handled.save_position("s2")
    assert not await handled.seen(EventId("$a"))


async def test_an_erased_room_leaves_no_event(db: Database, clock: FrozenClock) -> None:
    handled = Handled(db, clock)
    await handled.mark(EventId("$a"), ROOM)
    await handled.mark(EventId("$b"), OTHER)
    await handled.forget_room(ROOM)
    assert (await handled.seen(EventId("$a")), await handled.seen(EventId("$b"))) == (False, True)


# incidents


async def test_an_incident_is_news_once_even_after_a_restart(db: Database, clock: FrozenClock, opened: Opener) -> None:
    incidents = Incidents(db, clock)
    assert await incidents.open("mail.login", "Boîte arrêtée.")
    assert not await incidents.open("mail.login", "Autre texte.")
    again = Incidents(await opened(), clock)
    assert not await again.open("mail.login", "Boîte arrêtée.")
    [waiting] = await again.unposted()
    assert (waiting.key, waiting.text, waiting.opened_at, waiting.over) == (
        "mail.login",
        "Boîte arrêtée.",
        clock.now(),
        False,
    )
    await again.posted("mail.login")
    await again.posted("mail.login")
    assert await again.unposted() == []
    assert await again.current() == ["mail.login"]
    assert not await again.open("mail.login", "Boîte arrêtée.")


async def test_an_incident_that_comes_back_is_news_again(db: Database, clock: FrozenClock) -> None:
    incidents = Incidents(db, clock)
    assert not await incidents.close("mail.login")
    await incidents.open("mail.login", "Boîte arrêtée.")
    [first] = await incidents.unposted()
    await incidents.posted("mail.login")
    assert await incidents.close("mail.login")
    assert not await incidents.close("mail.login")
    assert (await incidents.current(), await count(db, "incident")) == ([], 0)
    clock.advance(hours=1)
    assert await incidents.open("mail.login", "Boîte arrêtée.")
    [second] = await incidents.unposted()
    assert first.txn != second.txn


async def test_an_incident_that_ended_untold_is_still_told(db: Database, clock: FrozenClock) -> None:
    incidents = Incidents(db, clock)
    await incidents.open("a", "A.")
    clock.advance(seconds=1)
    await incidents.open("b", "B.")
    assert await incidents.close("a")
    assert [(i.key, i.over) for i in await incidents.unposted()] == [("a", True), ("b", False)]
    await incidents.posted("a")
    assert [i.key for i in await incidents.unposted()] == ["b"]
    assert await count(db, "incident") == 1


# rooms


async def test_rooms_are_found_by_key_room_and_kind(db: Database) -> None:
    rooms = Rooms(db)
    owner = UserId("@anne:h.example")
    await rooms.put("home-1", ROOM, RoomKind.HOME, owner)
    await rooms.put("admin", OTHER, RoomKind.ADMIN, None)
    home = BotRoom("home-1", ROOM, RoomKind.HOME, owner)
    assert await rooms.get("home-1") == home == await rooms.by_room(ROOM)
    assert await rooms.all(RoomKind.HOME) == [home]
    assert await rooms.all(RoomKind.ADMIN) == [BotRoom("admin", OTHER, RoomKind.ADMIN, None)]
    assert await rooms.get("none") is None
    await rooms.forget(ROOM)
    await rooms.forget(ROOM)
    assert await rooms.by_room(ROOM) is None


async def test_a_room_made_anew_takes_its_key_over(db: Database) -> None:
    rooms = Rooms(db)
    await rooms.put("home-1", ROOM, RoomKind.HOME, None)
    await rooms.put("home-1", ROOM, RoomKind.HOME, None)
    await rooms.put("home-1", OTHER, RoomKind.HOME, None)
    assert (await rooms.by_room(ROOM), await count(db, "bot_room")) == (None, 1)


async def test_one_room_never_has_two_keys(db: Database) -> None:
    rooms = Rooms(db)
    await rooms.put("home-1", ROOM, RoomKind.HOME, None)
    with pytest.raises(Inconsistent):
        await rooms.put("home-2", ROOM, RoomKind.HOME, None)
