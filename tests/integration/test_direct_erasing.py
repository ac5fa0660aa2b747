"""What two people wrote goes, whole or only what is old, on SQLite and on PostgreSQL, with the helper as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from colloque.clock import SystemClock
from colloque.errors import HomeRefused, Refused
from colloque.identity import EventId
from colloque.rooms.direct import End, Purge
from colloque.rooms.leftovers import EXPECTED, EXPECTED_PURGED
from colloque.sockets import Client
from colloque_salles.store.direct import DirectRooms
from colloque_salles.store.life import Hold
from tests.servers.direct_talk import a_talk, begun, over
from tests.servers.leftovers import Place
from tests.servers.leftovers_place import a_place
from tests.servers.postgres import PostgresServer

LEFT_BY_PURGE = {"event_reports", "event_txn_id_device_id", "receipts_linearized", "threads"}
"""What the old messages of these rooms have there, and Synapse's purge of history does not delete."""


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    url = None
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = await server.new_database()
    async with a_place(tmp_path_factory.mktemp(request.param), url) as made:
        yield made


async def test_old_messages_go_and_young_ones_stay(place: Place) -> None:
    talk, beside = await a_talk(place), await a_talk(place)
    assert set(place.scan(talk.old)) >= LEFT_BY_PURGE
    young, other = place.lasting(talk.young), place.lasting([*beside.old, *beside.young])
    what = await begun(place, talk)
    assert isinstance(what, Purge)
    assert set(what.events) == set(talk.old)
    receipt = await over(place)
    after = place.scan(talk.old)
    assert set(after) <= set(EXPECTED_PURGED)
    assert place.events_of("event_json", talk.old) == [], "named by the next event alone"
    counted = {left["name"]: (left["count"], left["why"]) for left in receipt["residue"]}
    assert counted == {table: (count, EXPECTED_PURGED[table]) for table, count in after.items()}
    assert (receipt["kind"], receipt["before"]["events"], receipt["after"]["events"]) == (
        "direct_messages",
        len(talk.old),
        0,
    )
    assert (receipt["before"]["members"], receipt["after"]["members"]) == (2, 2)
    assert "messages_gone" in receipt["proven"]
    assert "server_identifiers" not in receipt["out_of_reach"]
    assert [talk.readable(event) for event in talk.old] == [False] * len(talk.old)
    assert [talk.readable(event) for event in talk.young] == [True] * len(talk.young)
    assert place.lasting(talk.young) == young
    assert place.lasting([*beside.old, *beside.young]) == other
    assert talk.say(2), "people go on writing"
    assert await DirectRooms(place.db).get(talk.room) is not None


async def test_what_stands_beside_the_first_young_message_waits(place: Place) -> None:
    """Two who write at once make messages of the same depth: Synapse's purge goes by depth, and leaves both."""
    talk = await a_talk(place)
    beside = talk.old[-1]
    place.plant(
        "UPDATE events SET (topological_ordering, depth) = "
        f"(SELECT topological_ordering, depth FROM events WHERE event_id = '{talk.young[0]}') "
        f"WHERE event_id = '{beside}'"
    )
    what = await begun(place, talk)
    assert isinstance(what, Purge)
    assert beside in what.events
    receipt = await over(place)
    assert (receipt["before"]["events"], receipt["undecryptable"]) == (len(talk.old) - 1, len(talk.old) - 1)
    assert [event for event in talk.old if talk.readable(event)] == [beside]
    assert set(place.scan(talk.old[:-1])) <= set(EXPECTED_PURGED)
    receipts = len(place.receipts())
    assert await begun(place, talk) == Purge((EventId(beside),), EventId(talk.young[0]))
    await over(place)
    assert len(place.receipts()) == receipts, "nothing of it went: no receipt, and no job that stands still"
    assert talk.readable(beside)


async def test_the_helper_touches_no_message_that_lives(place: Place) -> None:
    talk = await a_talk(place)
    helper = Client(place.config.socket("cleaner"), "salles")
    before = place.lasting(talk.young)
    await helper.call("note_messages", room="purge-of-nothing", events=talk.young, files=[])
    with pytest.raises(Refused) as refused:
        await helper.call("clean_messages", room="purge-of-nothing")
    assert refused.value.reason == "messages.live"
    assert place.lasting(talk.young) == before
    await helper.call("forget", room="purge-of-nothing")


async def test_a_purge_killed_at_any_step_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = await a_talk(place, old=2, young=1)
    await begun(place, talk)
    receipts = len(place.receipts())
    died = 0
    for name in ("at_step", "noted", "add", "forget"):
        write = getattr(place.jobs, name)

        async def dying(*args: Any, _write: Any = write, _seen: list[int] = [], **more: Any) -> None:  # noqa: B006
            nonlocal died
            _seen.append(1)
            if len(_seen) % 2:
                died += 1
                place.helper.kill()
                place.helper.start()
                raise HomeRefused(400, "M_KILLED", "killed")
            await _write(*args, **more)

        monkeypatch.setattr(place.jobs, name, dying)
    receipt = await over(place)
    assert died >= 6
    assert len(place.receipts()) == receipts + 1, "one receipt"
    assert receipt["before"]["events"] == len(talk.old)
    assert set(place.scan(talk.old)) <= set(EXPECTED_PURGED)


async def test_a_conversation_where_nobody_writes_goes_whole(place: Place) -> None:
    talk = await a_talk(place, young=0)
    talk.cut = SystemClock().now() + timedelta(days=1)
    what = await begun(place, talk)
    assert isinstance(what, End)
    receipt = await over(place)
    assert set(place.scan([talk.room, *talk.old])) <= set(EXPECTED)
    assert (receipt["kind"], receipt["before"]["events"], receipt["after"]["members"]) == ("direct", len(talk.old), 0)
    assert receipt["undecryptable"] == len(talk.old), "which files they named is unknown"
    assert {"room_gone"} <= set(receipt["proven"])
    assert "server_identifiers" not in receipt["out_of_reach"]
    assert await DirectRooms(place.db).get(talk.room) is None


async def test_who_writes_or_holds_before_the_deletion_stops_it(place: Place) -> None:
    receipts = len(place.receipts())
    written = await a_talk(place, young=0)
    written.cut = SystemClock().now() + timedelta(milliseconds=300)
    await begun(place, written)
    await asyncio.sleep(0.4)
    last = written.say(1)
    held = await a_talk(place, young=0)
    held.cut = SystemClock().now() + timedelta(days=1)
    await begun(place, held)
    now = SystemClock().now()
    await DirectRooms(place.db).hold(Hold(held.room, place.user("bob"), now, now + timedelta(days=90), "expertise"))
    partly = await a_talk(place)
    await begun(place, partly)
    await DirectRooms(place.db).hold(Hold(partly.room, place.user("bob"), now, now + timedelta(days=90), "expertise"))
    await place.eraser.go_on()
    assert await place.jobs.under_way() == []
    assert len(place.receipts()) == receipts
    for talk in (written, held, partly):
        events = [*talk.old, *talk.young, *(last if talk is written else [])]
        assert all(talk.readable(event) for event in events)
        assert await DirectRooms(place.db).get(talk.room) is not None
