"""What two people wrote goes, whole or only what is old, on SQLite and on PostgreSQL, with the helper as a process."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from colloque.clock import SystemClock, to_millis
from colloque.errors import HomeRefused, Refused
from colloque.identity import EventId, MxcUri, RoomId
from colloque.rooms.direct import DirectRoom, End, Purge, plan
from colloque.rooms.leftovers import EXPECTED, EXPECTED_PURGED
from colloque.rooms.patient_room import PatientRoom
from colloque.sockets import Client
from colloque_salles.store_direct import DirectRooms, Found
from colloque_salles.store_life import Hold
from tests.servers.leftovers import Place
from tests.servers.leftovers_place import a_place
from tests.servers.postgres import PostgresServer
from tests.waiting import until

CLIENT = "/_matrix/client/v3"
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


@dataclass
class Talk:
    """A conversation of Anne and Bob; old messages, then young ones."""

    place: Place
    room: RoomId
    old: list[str] = field(default_factory=list)
    young: list[str] = field(default_factory=list)
    cut: datetime = field(default_factory=SystemClock().now)
    people: tuple[str, ...] = ("anne", "bob")
    keep: timedelta = timedelta(days=1)

    def send(self, content: dict[str, Any], kind: str = "m.room.encrypted", *, by: str = "anne") -> str:
        path = f"{CLIENT}/rooms/{quote(self.room)}/send/{kind}/{secrets.token_hex(6)}"
        event: str = self.place.call("PUT", path, content, getattr(self.place, by))["event_id"]
        return event

    def say(self, count: int) -> list[str]:
        said = []
        for number in range(count):
            content = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": f"{secrets.token_hex(8)}"}
            said.append(self.send(content, by=("anne", "bob")[number % 2]))
        return said

    def readable(self, event: str) -> bool:
        try:
            self.place.call("GET", f"{self.at}/event/{quote(event)}")
        except RuntimeError as error:
            if ": 404 " not in str(error):
                raise
            return False
        return True

    @property
    def at(self) -> str:
        return f"{CLIENT}/rooms/{quote(self.room)}"


async def a_talk(place: Place, *, old: int = 8, young: int = 4) -> Talk:
    return await asyncio.to_thread(_a_talk, place, old, young)


def _a_talk(place: Place, old: int, young: int) -> Talk:
    spec = {"preset": "private_chat", "is_direct": True, "invite": [place.user("bob")]}
    room = RoomId(place.call("POST", f"{CLIENT}/createRoom", spec)["room_id"])
    place.call("POST", f"{CLIENT}/join/{quote(room)}", {}, place.bob)
    talk = Talk(place, room)
    talk.old = talk.say(old)
    root, in_thread = {"msgtype": "m.text", "body": "un"}, {"msgtype": "m.text", "body": "fil"}
    first = talk.send(root, "m.room.message")
    relates = {"rel_type": "m.thread", "event_id": first}
    last = talk.send(in_thread | {"m.relates_to": relates}, "m.room.message", by="bob")
    react = {"m.relates_to": {"rel_type": "m.annotation", "event_id": first, "key": "👍"}}
    talk.old += [first, last, talk.send(react, "m.reaction")]
    place.call("POST", f"{talk.at}/report/{quote(first)}", {"reason": "voir"}, place.bob)
    place.call("POST", f"{talk.at}/receipt/m.read/{quote(last)}", {}, place.bob)
    talk.cut = SystemClock().now()
    talk.young = talk.say(young)
    if young:
        place.call("POST", f"{talk.at}/report/{quote(talk.young[0])}", {"reason": "récent"}, place.bob)
    return talk


async def followed(place: Place, talk: Talk) -> DirectRoom:
    """@salles knows it, and its people know how long messages live."""
    directs, opened = DirectRooms(place.db), talk.cut - timedelta(days=9)
    people = tuple(map(place.user, talk.people))
    await directs.follow(Found(talk.room, people, opened_at=opened, promised=talk.keep), talk.keep)
    found = await directs.get(talk.room)
    assert found is not None
    return found


async def begun(place: Place, talk: Talk) -> End | Purge | None:
    """What goes, by what the server lists; its job is begun."""
    room, erasing = await followed(place, talk), place.eraser._directs
    cut = to_millis(talk.cut)
    what = plan(room, await erasing.history(talk.room, cut=cut), talk.cut)
    assert what is not None
    await erasing.start(room, what, cut)
    return what


async def over(place: Place) -> dict[str, Any]:
    """Go on until no job is left; the newest receipt."""
    async with asyncio.timeout(90):
        while await place.jobs.under_way():
            await place.eraser.go_on()
            await asyncio.sleep(0.1)
    return place.receipts()[-1]


async def test_old_messages_go_and_young_ones_stay(place: Place) -> None:
    talk, beside = await a_talk(place), await a_talk(place)
    assert set(place.scan(talk.old)) >= LEFT_BY_PURGE
    young, other = place.scan(talk.young), place.scan([*beside.old, *beside.young])
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
    moving = "cache_invalidation_stream_by_instance"
    assert {t: n for t, n in place.scan(talk.young).items() if t != moving} == {
        t: n for t, n in young.items() if t != moving
    }
    assert {t: n for t, n in place.scan([*beside.old, *beside.young]).items() if t != moving} == {
        t: n for t, n in other.items() if t != moving
    }
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
    before = place.scan(talk.young)
    await helper.call("note_messages", room="purge-of-nothing", events=talk.young, files=[])
    with pytest.raises(Refused) as refused:
        await helper.call("clean_messages", room="purge-of-nothing")
    assert refused.value.reason == "messages.live"
    assert place.scan(talk.young) == before
    await helper.call("forget", room="purge-of-nothing")


async def test_a_purge_killed_at_any_step_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = await a_talk(place, old=2, young=1)
    await begun(place, talk)
    receipts = len(place.receipts())
    died = 0
    for name in ("at_step", "noted", "add", "forget"):
        write = getattr(place.jobs, name)

        async def dying(*args: Any, _write: Any = write, _seen: list[int] = []) -> None:  # noqa: B006 - its memory
            nonlocal died
            _seen.append(1)
            if len(_seen) % 2:
                died += 1
                place.helper.kill()
                place.helper.start()
                raise HomeRefused(400, "M_KILLED", "killed")
            await _write(*args)

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


async def test_a_file_of_a_patient_room_stays(place: Place) -> None:
    """Bob's old file is in a living patient room; Anne's is in none, but she is in a room that nobody knows here."""
    talk = await a_talk(place, young=0)
    old = SystemClock().now() + timedelta(days=10)
    uploads = place.eraser._directs._uploads
    mine, kept = await uploads.of([place.user("anne"), place.user("bob")], old)
    assert mine == [], "both are in rooms that @salles does not know"
    before = kept.get("may_be_elsewhere", 0)
    place.upload()
    _, kept = await uploads.of([place.user("anne")], old)
    assert kept["may_be_elsewhere"] == before + 1
    assert talk.room not in await DirectRooms(place.db).known()


async def test_files_of_whoever_is_only_where_we_can_see(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Carl has been in one conversation and in one patient room; Bob's file there, unknown to its ledger, is Bob's."""
    name = f"carl{secrets.token_hex(3)}"
    token = await asyncio.to_thread(place.server.register, name, secrets.token_urlsafe())
    carl = place.user(name)
    spec = {"preset": "private_chat", "invite": [carl]}
    rooms = [RoomId(place.call("POST", f"{CLIENT}/createRoom", spec)["room_id"]) for _ in range(2)]
    for room in rooms:
        place.call("POST", f"{CLIENT}/join/{quote(room)}", {}, token)
    patient, direct = rooms
    anne, place.anne = place.anne, token
    try:
        shared, lonely = place.upload(), place.upload()
    finally:
        place.anne = anne
    uploads = place.eraser._directs._uploads
    monkeypatch.setattr(uploads, "_spare", timedelta(0))
    old, talk = SystemClock().now(), Talk(place, direct, people=("anne", name), keep=timedelta(seconds=1))
    await followed(place, talk)

    async def later() -> bool:
        return SystemClock().now() > old + timedelta(seconds=1.5)

    await until(later, "what was uploaded is old")
    await place.patients.heard(patient, EventId("$x"), readable=True, files=(shared,))
    assert (await uploads.of([carl], old))[0] == [], "a patient room that is not followed"
    now = SystemClock().now()
    ours = PatientRoom(room=patient, opener=place.user("anne"), members=(carl,), opened_at=now, last_activity=now)
    await place.patients.add(ours, "Pin Merle")
    assert await uploads.of([carl], old) == ([lonely], {})
    assert await uploads.of([carl], now - timedelta(days=1)) == ([], {}), "a young one"
    await DirectRooms(place.db).hold(Hold(direct, carl, now, now + timedelta(days=9), "expertise"))
    assert (await uploads.of([carl], old))[0] == [], "a conversation of theirs is held"
    hold = await DirectRooms(place.db).held(direct, carl)
    assert hold is not None
    await place.db.execute("UPDATE direct_hold SET until = 1")
    await DirectRooms(place.db).release(hold, now)
    await place.patients.heard(patient, EventId("$y"), readable=False)
    assert (await uploads.of([carl], old))[0] == [], "a message there could not be read"
    await place.patients.heard(patient, EventId("$y"), readable=True)
    place.call("PUT", f"{CLIENT}/profile/{quote(carl)}/avatar_url", {"avatar_url": lonely}, token)
    assert (await uploads.of([carl], old))[0] == [], "their picture"
    place.call("PUT", f"{CLIENT}/profile/{quote(carl)}/avatar_url", {"avatar_url": ""}, token)
    place.call("PUT", f"{talk.at}/state/m.room.avatar", {"url": lonely})
    assert (await uploads.of([carl], old))[0] == [], "a room's picture"
    place.call("PUT", f"{talk.at}/state/m.room.avatar", {})
    talk.cut = old
    await begun(place, talk)
    await over(place)
    assert await place.eraser._is_there(MxcUri(shared))
    assert not await place.eraser._is_there(MxcUri(lonely))
