"""Taking an account out of patient rooms, on both databases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mautrix.util.async_db import Database

from colloque.book import AttestationBook
from colloque.clock import FrozenClock, SystemClock
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import EventId, RoomId, UserId
from colloque.rooms.patient_room import PatientRoom
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_salles.living.evicting import Evicting
from colloque_salles.store.evicted import Evicted
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener
from tests.servers.dispatch import Recorder

BOB = UserId("@bob:chu-b.test")
IN, INVITED, OUT, STUCK, HOME, FOREIGN = (RoomId(f"!{n}") for n in ("in", "invited", "out", "stuck", "home", "foreign"))


class Server(Recorder):
    """Where BOB is; taking him out of STUCK is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.where = {IN: "join", INVITED: "invite", OUT: "leave", STUCK: "join", HOME: "join", FOREIGN: "join"}
        self.away = False

    async def rooms_of(self, user: UserId) -> dict[RoomId, str]:
        if self.away:
            raise HomeUnavailable("away")
        return dict(self.where) if user == BOB else {}

    async def set_state(self, room: RoomId, type_: str, content: dict[str, Any], state_key: str = "") -> EventId:
        assert (type_, content) == ("m.room.member", {"membership": "leave"})
        if room == STUCK:
            raise HomeRefused(403, "M_FORBIDDEN")
        self.where[room] = "leave"
        return EventId("$x")

    async def members(self, room: RoomId) -> dict[UserId, str]:
        return {BOB: self.where[room]}


def evictions(server: Server, db: Database, tmp: Path, journal: Journal) -> Evicting:
    clock = SystemClock()
    return Evicting(
        home=server,
        server=server,
        patients=PatientRooms(db),
        evicted=Evicted(db),
        book=AttestationBook(tmp / "snapshot", b"k" * 32),
        incidents=Incidents(db, clock),
        keys=RoomKeys(db),
        journal=journal,
        clock=clock,
    )


@pytest.fixture
async def db(opened: Opener, clock: FrozenClock) -> Database:
    made, now = await opened(salles_upgrades()), clock.now()
    for room in (IN, INVITED, OUT, STUCK):
        await PatientRooms(made).add(PatientRoom(room=room, opener=BOB, opened_at=now, last_activity=now), str(room))
    return made


async def test_out_of_every_patient_room_and_no_other(db: Database, tmp_path: Path, clock: FrozenClock) -> None:
    server, journal = Server(), Journal.open(tmp_path / "journal.jsonl", clock)
    evicting = evictions(server, db, tmp_path, journal)
    try:
        assert await evicting.evict(BOB, "revoked") == 1
        assert {room for room, state in server.where.items() if state in {"join", "invite"}} == {STUCK, HOME, FOREIGN}
        assert await evicting.evict(BOB, "revoked") == 1
        assert await evicting.evict(UserId("@nobody:chu-b.test"), "revoked") == 0
        server.away = True
        with pytest.raises(HomeUnavailable):
            await evicting.evict(BOB, "revoked")
        assert journal.open_intents() == ()
    finally:
        journal.close()
    text = (tmp_path / "journal.jsonl").read_text(encoding="utf-8")
    entries = [json.loads(line) for line in text.splitlines()]
    assert [e["outcome"] for e in entries if e["phase"] == "result"] == ["out", "out", "refused", "refused"]
    assert not any(room in text for room in server.where)


async def test_what_a_crash_cut_short_is_closed_in_the_journal(
    db: Database, tmp_path: Path, clock: FrozenClock
) -> None:
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    try:
        journal.begin("room.evict", actor=BOB, reason="revoked")
        server = Server()
        evicting = evictions(server, db, tmp_path, journal)
        await evicting.settle()
        assert journal.open_intents() == ()
    finally:
        journal.close()
