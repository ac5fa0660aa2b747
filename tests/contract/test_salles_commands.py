"""What is asked about patient rooms, in the home room, in the room, in the admin room; on both databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.errors import ServiceUnavailable
from colloque.identity import RoomId
from colloque.rooms.patient_room import RoomState
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.texts import life as texts_life
from colloque_salles.texts import rooms as texts
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB, CLEO
from tests.servers.salles_ward import ROOM, Ward

HOME = RoomId("!home-anne")


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ward:
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    await ward.add()
    await ward.patients.members(ROOM, (ANNE, BOB))
    return ward


async def test_each_sees_their_own_rooms(ward: Ward) -> None:
    await ward.typed(ANNE, "!patient appeler Mme D., hanche")
    for who in (ANNE, BOB):
        said = await ward.typed(who, "!patients", room=HOME)
        assert "Pin Merle → Mme D., hanche → dernier message le" in said
        assert "https://matrix.to/#/!room" in said
    assert await ward.typed(CLEO, "!patients", room=HOME) == texts.NONE_OPEN


async def test_the_referent_ends_a_room_and_nobody_else(ward: Ward) -> None:
    assert await ward.typed(BOB, "!patient terminer") == texts.NOT_THE_OPENER
    assert await ward.typed(ANNE, "!patient terminer", room=HOME) == texts.ONLY_PATIENT_ROOM
    assert (await ward.kept()).room.state is RoomState.OPEN
    assert texts.ending() in await ward.typed(ANNE, "!patient terminer")
    assert (await ward.kept()).room.state is RoomState.CLOSED
    assert await ward.typed(ANNE, "!patient terminer") == texts.ALREADY_CLOSED
    assert "à classer au dossier" in await ward.typed(ANNE, "!patients", room=HOME)


async def test_who_stands_in_for_the_referent_acts_for_them(ward: Ward) -> None:
    await ward.goes_away(ANNE, CLEO, days=3)
    assert await ward.typed(CLEO, "!patient terminer") == texts.NOT_THE_OPENER, "not in the room"
    await ward.goes_away(ANNE, BOB, days=3)
    await ward.typed(ANNE, "!patient suspendre-effacement expertise")
    assert texts_life.RESUMED in await ward.typed(BOB, "!patient reprendre-effacement")
    await ward.sweep.once()
    ward.day(4)
    assert await ward.typed(BOB, "!patient terminer") == texts.NOT_THE_OPENER, "she is back"
    await ward.goes_away(ANNE, BOB, days=3)
    assert texts.ending() in await ward.typed(BOB, "!patient terminer")


async def test_while_the_bridge_is_away_what_it_said_last_counts(ward: Ward) -> None:
    await ward.goes_away(ANNE, BOB, days=3)
    ward.bridge_errors = [ServiceUnavailable("away")]
    await ward.standing_in.once()
    assert texts.ending() in await ward.typed(BOB, "!patient terminer")


async def test_a_held_room_is_not_ended(ward: Ward) -> None:
    await ward.typed(BOB, "!patient suspendre-effacement expertise")
    assert "ne peut pas être terminé" in await ward.typed(ANNE, "!patient terminer")
    assert (await ward.kept()).room.state is RoomState.OPEN
    assert "effacement suspendu" in await ward.typed(ANNE, "!patients", room=HOME)
    assert "suspendu par BOB" in await ward.typed(BOB, "!patient salon")


async def test_many_rooms_end_at_once_when_an_administrator_says_so(ward: Ward) -> None:
    assert await ward.typed(CLEO, "!salons confirmer") == texts_life.NOTHING_MANY
    for number in range(9):
        await ward.add(RoomId(f"!r{number}"), f"Mot{number} Merle")
    for day in (23, 29, 30):
        ward.day(day)
        await ward.sweep.once()
    assert {kept.room.state for kept in await ward.patients.all()} == {RoomState.WARNED}
    assert await ward.typed(CLEO, "!salons confirmer") == texts_life.many_confirmed(10)
    await ward.sweep.once()
    assert {kept.room.state for kept in await ward.patients.all()} == {RoomState.CLOSED}


async def test_the_admin_room_counts(ward: Ward) -> None:
    assert await ward.typed(CLEO, "!etat") == texts.state(rooms=1, waiting=0, erasing=0, receipts=0)
    ward.clock.advance(seconds=timedelta(days=1).total_seconds())
    await ward.typed(ANNE, "!patient terminer")
    assert await ward.typed(CLEO, "!etat") == texts.state(rooms=0, waiting=1, erasing=0, receipts=0)
