"""Who is a patient room's referent: taken up when nobody is, handed on, once; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Kind, Method, snapshot
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.commands import Call, parse
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import Incoming
from colloque.rooms.mark import RoomKind
from colloque.rooms.patient_room import PatientRoom
from colloque.snapshot import SnapshotWriter
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.living.evicting import Evicting
from colloque_salles.living.leading import Leading
from colloque_salles.store.evicted import Evicted
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.store.tables import salles_upgrades
from tests.servers.annuaire import rpps
from tests.servers.databases import Opener
from tests.servers.dispatch import Recorder
from tests.servers.killing import dies, killed_after

KEY = b"k" * 32
ROOM = RoomId("!room")
ANNE, BOB, NURSE, AIDE = (UserId(f"@{name}:h.test") for name in ("anne", "bob", "nurse", "aide"))


class Server(Recorder):
    """One room."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = {ANNE: "join", BOB: "join", NURSE: "join", AIDE: "join"}

    async def members(self, room: RoomId) -> dict[UserId, str]:
        return dict(self.inside)

    async def rooms_of(self, user: UserId) -> dict[RoomId, str]:
        return {ROOM: self.inside.get(user, "leave")}

    async def set_state(self, room: RoomId, type_: str, content: dict[str, object], state_key: str = "") -> EventId:
        self.inside[UserId(state_key)] = "leave"
        return EventId("$x")


class Ward:
    """One patient room that ANNE opened."""

    def __init__(self, tmp: Path, db: Database, clock: FrozenClock) -> None:
        self.db, self.clock, self.server = db, clock, Server()
        self.patients, self.keys, self.incidents = PatientRooms(db), RoomKeys(db), Incidents(db, clock)
        self.writer, self.book = SnapshotWriter(tmp / "snapshot", KEY), AttestationBook(tmp / "snapshot", KEY)
        self.path = tmp / "journal.jsonl"
        self.journal = Journal.open(self.path, clock)
        self.serial, self.count = 0, 0
        self.held = {
            user: self._held(n, user, code)
            for n, (user, code) in enumerate(((ANNE, "10"), (BOB, "10"), (NURSE, "60"), (AIDE, "")))
        }
        aide = self.held[AIDE]
        self.held[AIDE] = replace(aide, kind=Kind.SUPERVISED, under=self.held[ANNE].rpps, rpps=self.held[ANNE].rpps)
        self.publish()
        parts = {"home": self.server, "book": self.book, "keys": self.keys, "journal": self.journal, "clock": clock}
        self.leading = Leading(patients=self.patients, **parts)  # type: ignore[arg-type]
        self.evicting = Evicting(
            server=self.server,
            patients=self.patients,
            evicted=Evicted(db),
            incidents=self.incidents,
            **parts,  # type: ignore[arg-type]
        )

    def _held(self, number: int, user: UserId, code: str) -> Attestation:
        now = self.clock.now()
        return Attestation(
            user,
            rpps(number),
            f"{user[1:].partition(':')[0].upper()} · médecin",
            Method.PSC,
            now,
            now + timedelta(days=9),
            professions=(code,) if code else (),
            category="C" if code else "",
        )

    def publish(self) -> None:
        self.serial += 1
        self.writer.publish(snapshot(self.serial, self.clock.now(), self.held.values()))

    async def end(self, *users: UserId) -> None:
        """Their access ends, and they are taken out."""
        for user in users:
            self.held[user] = replace(self.held[user], valid_until=self.clock.now(), frozen=user == BOB)
        self.publish()
        for user in users:
            await self.evicting.evict(user, "revoked")

    async def typed(self, who: UserId, words: str = "!patient referent", event: str = "") -> str:
        self.count += 1
        event = event or f"$e{self.count}"
        said: list[str] = []

        async def reply(body: str, html: str | None = None) -> EventId:
            said.append(body)
            return await self.server.send(ROOM, {"body": body}, txn=event)

        call = parse(words)
        assert isinstance(call, Call)
        message = Incoming(
            ROOM, EventId(event), who, self.clock.now(), "m.room.message", {}, encrypted=True, device_signed=True
        )
        await self.leading.table[call.command.name](call, message, reply)
        return said[0]

    async def referent(self) -> UserId:
        kept = await self.patients.get(ROOM)
        assert kept is not None
        return kept.room.opener


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ward:
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    now = clock.now()
    await ward.patients.add(PatientRoom(room=ROOM, opener=ANNE, opened_at=now, last_activity=now), "pin-merle")
    await Rooms(ward.db).put("patient-x", ROOM, RoomKind.PATIENT, None)
    return ward


async def test_nobody_takes_the_place_of_a_referent_who_is_there(ward: Ward) -> None:
    assert "a son référent : ANNE" in await ward.typed(BOB)
    ward.server.inside[ANNE] = "invite"
    assert "a son référent : ANNE" in await ward.typed(BOB), "nor before they have come in for the first time"
    assert await ward.referent() == ANNE


async def test_the_team_names_a_new_one_when_the_referent_is_gone(ward: Ward) -> None:
    await ward.end(ANNE)
    assert "désigner que soi" in await ward.typed(NURSE, "!patient referent bob")
    assert "professionnel de santé" in await ward.typed(AIDE)
    assert await ward.referent() == ANNE
    assert "NURSE · médecin est désormais le référent" in await ward.typed(NURSE)
    assert await ward.referent() == NURSE
    assert "a son référent : NURSE" in await ward.typed(BOB)
    assert ward.journal.open_intents() == ()
    text = ward.path.read_text(encoding="utf-8")
    assert '"room.lead"' in text
    assert ROOM not in text


async def test_the_referent_hands_on_to_one_who_is_there_and_may(ward: Ward) -> None:
    assert "passer la main" in await ward.typed(ANNE)
    assert "une seule personne" in await ward.typed(ANNE, "!patient referent camille")
    assert "une seule personne" in await ward.typed(ANNE, "!patient referent bob, nurse")
    assert "AIDE · médecin ne peut pas" in await ward.typed(ANNE, "!patient referent aide")
    ward.server.inside[NURSE] = "leave"
    assert "une seule personne" in await ward.typed(ANNE, "!patient referent nurse")
    assert await ward.referent() == ANNE
    assert "BOB · médecin est désormais" in await ward.typed(ANNE, f"!patient referent {BOB}")
    assert await ward.referent() == BOB


@pytest.mark.parametrize("last", ["send", "lead"])
async def test_killed_before_or_after_it_is_said_the_room_has_its_referent(
    ward: Ward, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ward.end(ANNE)
    with killed_after([(Recorder if last == "send" else PatientRooms, last)], 0, monkeypatch):
        assert await dies(lambda: ward.typed(BOB, event="$same"))
    await ward.leading.settle()
    assert ward.journal.open_intents() == ()
    await ward.typed(BOB, event="$same")
    await ward.typed(BOB, event="$same")
    assert await ward.referent() == BOB
    assert ward.server.said == ["BOB · médecin est désormais le référent de ce salon."]


async def test_administrators_are_told_once_that_nobody_is_left_who_could_be_one(ward: Ward) -> None:
    async def told() -> int:
        found = [i for i in await ward.incidents.unposted() if i.key.startswith("room.nobody.")]
        for incident in found:
            await ward.incidents.posted(incident.key)
        return len(found)

    await ward.end(ANNE)
    assert await told() == 0, "others can"
    await ward.end(NURSE, BOB)
    assert await told() == 1
    # Tried again: the homeserver refused it, or somebody who could not be one leaves too.
    ward.server.inside[BOB] = "join"
    await ward.end(BOB)
    await ward.end(AIDE)
    assert await told() == 0
    assert await ward.incidents.current() == []
