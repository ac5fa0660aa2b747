"""What a real Synapse lists of a room, and @salles never heard, is counted before the room is erased."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from colloque.clock import SystemClock
from colloque.identity import EventId, MxcUri, RoomId
from colloque.rooms.patient_room import PatientRoom
from colloque_salles.erasing import unheard
from colloque_salles.erasing.unheard import Listing
from tests.servers.leftovers import Filled, Place
from tests.servers.leftovers_place import a_place

SECRET = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"}


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with a_place(tmp_path_factory.mktemp("unheard")) as made:
        yield made


class Said:
    """A room of ANNE's and BOB's, which @salles follows."""

    def __init__(self, place: Place) -> None:
        self.place = place
        made = place.call("POST", "/_matrix/client/v3/createRoom", {"invite": [place.user("bob")]})
        self.room = RoomId(made["room_id"])
        self.at = f"/_matrix/client/v3/rooms/{quote(self.room)}"
        place.call("POST", f"/_matrix/client/v3/join/{quote(self.room)}", {}, place.bob)

    def says(self, kind: str, content: dict[str, object], *, withdrawn: bool = False) -> EventId:
        event: str = self.place.call("PUT", f"{self.at}/send/{kind}/{secrets.token_hex(6)}", content, self.place.bob)[
            "event_id"
        ]
        if withdrawn:
            self.place.call("PUT", f"{self.at}/redact/{quote(event)}/{secrets.token_hex(6)}", {}, self.place.bob)
        return EventId(event)

    async def ends(self) -> None:
        anne, bob, now = self.place.user("anne"), self.place.user("bob"), SystemClock().now()
        room = PatientRoom(room=self.room, opener=anne, members=(anne, bob), opened_at=now, last_activity=now)
        await self.place.patients.add(room, f"Pin {secrets.token_hex(3)}")
        kept = await self.place.patients.get(self.room)
        assert kept is not None
        await self.place.eraser.start(kept)


async def test_what_was_withdrawn_before_it_was_heard_is_counted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unheard, "_PAGE", 2)
    said = Said(place)
    heard = said.says("m.room.encrypted", SECRET)
    missed = [said.says("m.room.encrypted", SECRET, withdrawn=True), said.says("m.room.encrypted", SECRET)]
    missed.append(said.says("m.room.message", {"msgtype": "m.text", "body": "un"}, withdrawn=True))
    mark = {"m.relates_to": {"rel_type": "m.annotation", "event_id": heard, "key": "👍"}}
    said.says("m.reaction", mark, withdrawn=True)
    said.says("m.reaction", mark)
    await place.patients.heard(said.room, heard, readable=True)
    listing = Listing(place.session, place.server.url, place.admin_token)
    assert [page async for page in listing.said(said.room, place.user("bob")) if page] == [], "our own say nothing new"
    assert [page async for page in listing.said(RoomId("!nothing"), place.user("bob")) if page] == []
    await said.ends()
    assert set(await place.jobs.events(said.room)) == {heard, *missed}
    row = await place.row(said.room)
    assert row is not None
    assert (row.manifest["events"], row.manifest["undecryptable"]) == (4, 3)
    receipt = (await place.erased(Filled(said.room, "")))[-1]
    assert receipt["undecryptable"] == 3
    assert "files_in_unread_events" in receipt["not_proven"]


async def test_a_file_that_a_living_room_came_to_know_is_neither_deleted_nor_looked_for(place: Place) -> None:
    """The helper is told of files after the last moment at which one may be left to another room."""
    ends, lives = Said(place), Said(place)
    files = [place.upload(), place.upload()]
    for file in files:
        await place.patients.heard(ends.room, EventId(f"${file[-8:]}"), readable=True, files=(MxcUri(file),))
    await ends.ends()
    await place.eraser.go_on()
    await place.patients.heard(lives.room, EventId("$forwarded"), readable=True, files=(files[0],))
    receipt = (await place.erased(Filled(ends.room, "")))[-1]
    assert receipt["files_deleted"] == 1
    assert {"name": "kept_files", "count": 1, "why": "known_in_another_room"} in receipt["residue"]
    assert not [left for left in receipt["residue"] if left["why"] in {"not_removed", "unexpected"}]
    assert place.scan([files[1].rpartition("/")[2]]) == {}
    assert set(place.scan([files[0].rpartition("/")[2]])) >= {"local_media_repository", "media"}
