"""Which files go with what two people wrote, on a real homeserver: never one that may be another room's."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import quote

import pytest

from colloque.clock import SystemClock
from colloque.identity import EventId, MxcUri, RoomId
from colloque.rooms.patient_room import PatientRoom
from colloque_salles.store.direct import DirectRooms
from colloque_salles.store.life import Hold
from tests.servers.direct_talk import CLIENT, Talk, a_talk, begun, followed, over
from tests.servers.leftovers import Place
from tests.servers.leftovers_place import a_place
from tests.servers.postgres import PostgresServer
from tests.waiting import until


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    url = None
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = await server.new_database()
    async with a_place(tmp_path_factory.mktemp(request.param), url) as made:
        yield made


async def test_a_file_of_a_patient_room_stays(place: Place) -> None:
    """Bob's old file is in a living patient room; Anne's is in none, but she is in a room that nobody knows here."""
    talk = await a_talk(place, young=0)
    old = SystemClock().now() + timedelta(days=10)
    uploads = place.eraser._directs.uploads
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
    uploads = place.eraser._directs.uploads
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
