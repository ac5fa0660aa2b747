"""Who is in the administrators' room: whoever administers, and nobody who no longer does; on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from colloque.attestation import NO_RPPS, Kind
from colloque.book import AttestationBook, changes_of
from colloque.clock import FrozenClock
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import RoomSpec
from colloque.rights import Rights
from colloque.snapshot import SnapshotWriter
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.store.people import People
from colloque_annuaire.store.tables import annuaire_upgrades
from tests.attested import KEY, NOW, held, whole
from tests.servers.databases import Opener
from tests.servers.dispatch import CONFIG, SERVER, Recorder

ONE, TWO, NAMED = held(1, SERVER).user, held(2, SERVER).user, UserId(f"@named:{SERVER}")


class Room(Recorder):
    """A home with one room in it."""

    user = CONFIG.bot("annuaire")

    def __init__(self) -> None:
        super().__init__()
        self.who: dict[UserId, str] = {}

    async def create_room(self, spec: RoomSpec) -> RoomId:
        self.who = {self.user: "join"} | dict.fromkeys(spec.invite, "join")
        return RoomId("!admin")

    async def members(self, room: RoomId) -> dict[UserId, str]:
        return dict(self.who)

    async def invite(self, room: RoomId, user: UserId) -> None:
        self.who[user] = "join"

    async def set_state(self, room: RoomId, type_: str, content: dict[str, Any], state_key: str = "") -> EventId:
        assert (room, type_) == ("!admin", "m.room.member")
        self.who[UserId(state_key)] = content["membership"]
        return EventId("$state")

    @property
    def inside(self) -> set[UserId]:
        return {user for user, membership in self.who.items() if membership == "join"} - {*CONFIG.bots}


def staff(*numbers: int) -> list[Any]:
    return [held(n, SERVER, kind=Kind.STAFF, rpps=NO_RPPS, professions=()) for n in numbers]


@pytest.fixture
async def homes(tmp_path: Path, opened: Opener) -> tuple[Homes, Room]:
    db, room, clock = await opened(annuaire_upgrades(), "colloque_annuaire"), Room(), FrozenClock(NOW)

    async def signed(user: UserId) -> bool:
        return False

    made = Homes(
        config=CONFIG,
        home=room,
        rooms=Rooms(db),
        keys=RoomKeys(db),
        people=People(db),
        journal=Journal.open(tmp_path / "journal.jsonl", clock),
        clock=clock,
        has_signed_device=signed,
        rights=Rights([NAMED], AttestationBook(tmp_path / "snapshot", KEY), clock),
    )
    return made, room


async def test_the_room_follows_who_administers(homes: tuple[Homes, Room], tmp_path: Path) -> None:
    made, room = homes
    writer = SnapshotWriter(tmp_path / "snapshot", KEY)
    writer.publish(whole(*staff(1, 2)))
    await made.ensure_admin()
    assert room.inside == {NAMED, ONE, TWO}
    assert {*CONFIG.bots} <= {user for user, membership in room.who.items() if membership == "join"}
    writer.publish(whole(*staff(1), serial=2))
    await made.ensure_admin()
    assert room.inside == {NAMED, ONE}
    writer.publish(whole(*staff(1, 2), serial=3))
    await made.ensure_admin()
    assert room.inside == {NAMED, ONE}, "whoever left is not pulled in again and again"
    await made.let_into_admin(TWO)
    assert room.inside == {NAMED, ONE, TWO}


async def test_nobody_is_put_out_while_the_snapshot_cannot_be_read(homes: tuple[Homes, Room], tmp_path: Path) -> None:
    made, room = homes
    SnapshotWriter(tmp_path / "snapshot", KEY).publish(whole(*staff(1)))
    await made.ensure_admin()
    room.who[TWO] = "join"
    for file in (tmp_path / "snapshot", changes_of(tmp_path / "snapshot")):
        file.unlink()
    await made.ensure_admin()
    assert room.inside == {NAMED, ONE, TWO}
    SnapshotWriter(tmp_path / "snapshot", KEY).publish(whole(*staff(1), serial=5))
    await made.ensure_admin()
    assert room.inside == {NAMED, ONE}
