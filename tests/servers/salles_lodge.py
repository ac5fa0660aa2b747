"""Rooms of other servers around one ward: what `@salles` follows, and is asked about. A fixture, `lodge`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Listed, Method, Servers, snapshot
from colloque.clock import FrozenClock
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import Incoming, MemberChange
from colloque.rooms.elsewhere import Copy
from colloque.rooms.mark import ROOM_MARK
from colloque.store.journal import Journal
from colloque_salles.elsewhere.asked import Asking
from colloque_salles.elsewhere.guests import Guests
from colloque_salles.store.elsewhere import Asked, AskedErasures, GuestRoom, GuestRooms
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.store.tables import salles_upgrades
from tests.servers.annuaire import rpps
from tests.servers.databases import Opener
from tests.servers.salles_ward import ANNE, BOB, Ward

US, A, C = "h.test", "chu-a.test", "chu-c.test"
ME, THEIRS, THIRD = UserId(f"@salles:{US}"), UserId(f"@salles:{A}"), UserId(f"@salles:{C}")
FAR = UserId(f"@far:{A}")
REF = "ab" * 10


def address(name: str) -> RoomId:
    """As rooms of version 12 have."""
    return RoomId("!" + name.ljust(43, "_"))


GUEST = address("guest")


def listed(ward: Ward, *servers: str, erases: bool = True, people: tuple[UserId, ...] = ()) -> None:
    """What the snapshot says from now on."""
    now = ward.clock.now()
    until = now + timedelta(days=30)
    names = [Listed(s, (UserId(f"@salles:{s}"),), "", until if erases else None) for s in servers]
    held = [ward.held(1, ANNE), ward.held(2, BOB)]
    for n, user in enumerate(people):
        held.append(
            Attestation(user, rpps(20 + n), f"FAR{n}", Method.PSC, now, until, professions=("10",), category="C")
        )
    serial = ward.book.serial + 1
    ward.writer.publish(snapshot(serial, now, held, {}, Servers(serial, until, tuple(names))))


def event(type_: str, sender: str = THEIRS, state_key: str = "", **content: Any) -> dict[str, Any]:
    return {"type": type_, "state_key": state_key, "sender": sender, "content": content}


STATE = [event("m.room.create"), event(ROOM_MARK, kind="patient"), event("m.room.name", name="Équipe · Pin Merle")]


@dataclass
class Homeserver:
    """What ours says of rooms that others made."""

    user: UserId = ME
    states: dict[RoomId, list[dict[str, Any]]] = field(default_factory=dict)
    known: set[RoomId] = field(default_factory=set)
    joined: list[RoomId] = field(default_factory=list)
    left: list[RoomId] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    async def state(self, room: RoomId) -> list[dict[str, Any]]:
        return self.states.get(room, [])

    async def room(self, room: RoomId) -> dict[str, Any] | None:
        return {} if room in self.known or room in self.states else None

    async def join(self, room: RoomId) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.joined.append(room)

    async def leave(self, room: RoomId) -> None:
        self.left.append(room)


@dataclass
class Begun:
    """An eraser that notes what it was to erase."""

    copies: list[tuple[Asked, Copy, GuestRoom | None]] = field(default_factory=list)

    async def start_copy(self, asked: Asked, copy: Copy, guest: GuestRoom | None) -> None:
        self.copies.append((asked, copy, guest))


class Lodge:
    """All of it around one ward."""

    def __init__(self, tmp: Path, db: Database, clock: FrozenClock) -> None:
        self.ward, self.db, self.clock = Ward(tmp, db, clock), db, clock
        self.server, self.eraser = Homeserver(), Begun()
        self.patients, self.rooms, self.asked, self.jobs = PatientRooms(db), GuestRooms(db), AskedErasures(db), Jobs(db)
        self.heard_until = float("inf")
        self.guests = Guests(
            home=self.server,
            admin=self.server,  # type: ignore[arg-type]
            rooms=self.rooms,
            patients=self.patients,
            book=self.ward.book,
            clock=clock,
        )
        self.asking = Asking(
            admin=self.server,  # type: ignore[arg-type]
            rows=self.asked,
            guests=self.rooms,
            patients=self.patients,
            jobs=self.jobs,
            eraser=self.eraser,  # type: ignore[arg-type]
            has_heard=lambda _, until: until <= self.heard_until,
            journal=Journal.open(tmp / "asked.jsonl", clock),
            clock=clock,
        )
        listed(self.ward, A, C)

    async def invited(self, inviter: UserId = THEIRS, *, room: RoomId = GUEST, shown: Any = STATE) -> None:
        await self.guests.hear(MemberChange(room, ME, inviter, "invite", None, tuple(shown)))

    async def lives_in(self, room: RoomId = GUEST) -> None:
        await self.invited(room=room)
        self.server.states[room] = STATE
        await self.guests.once()

    def message(self, sender: UserId, *files: str, event: str = "$e") -> Incoming:
        content = {"files": list(files)}
        return Incoming(GUEST, EventId(event), sender, self.clock.now(), "m.room.message", content, True, True)


@pytest.fixture
async def lodge(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Lodge:
    return Lodge(tmp_path, await opened(salles_upgrades()), clock)
