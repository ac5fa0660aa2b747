"""Several people hold a patient room, also a closed one, also from their home rooms; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from colloque.clock import FrozenClock, to_millis
from colloque.identity import RoomId
from colloque.rooms.keeping import Proof
from colloque.rooms.mark import HOLD
from colloque.rooms.patient_room import RoomState
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.life import Hold
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.texts import life as says
from colloque_salles.texts import rooms as texts
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB, CLEO
from tests.servers.salles_ward import DAY, ROOM, Ward

HOME = RoomId("!home-bob")
ANNES = RoomId("!home-anne")
OTHER = RoomId("!other")


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ward:
    """ANNE is the referent, BOB and CLEO are of the team."""
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    await ward.add()
    await ward.patients.members(ROOM, (ANNE, BOB, CLEO))
    ward.server.inside |= {BOB: "join", CLEO: "join"}
    return ward


async def reasons(ward: Ward) -> dict[str, str]:
    return {hold.by: hold.reason for hold in await ward.life.held(ROOM, ward.clock.now())}


def shown(ward: Ward) -> int:
    return int(ward.server.states[ROOM, HOLD]["until"])


async def test_nobody_replaces_or_lifts_a_colleagues_hold(ward: Ward) -> None:
    await ward.typed(BOB, "!patient suspendre-effacement expertise")
    until = ward.begin + 90 * DAY
    ward.day(1)
    await ward.typed(CLEO, "!patient suspendre-effacement x")
    assert await reasons(ward) == {BOB: "expertise", CLEO: "x"}
    assert (await ward.kept()).room.held_until == until + DAY
    said = await ward.typed(CLEO, "!patient reprendre-effacement")
    assert "CLEO a mis fin à sa suspension" in said
    assert "reste suspendu par BOB jusqu'au 31/05/2026" in said
    assert await reasons(ward) == {BOB: "expertise"}
    assert ((await ward.kept()).room.held_until, shown(ward)) == (until, to_millis(until))
    assert "suspendu par BOB" in await ward.typed(CLEO, "!patient reprendre-effacement")
    assert "effacement suspendu" in await ward.typed(CLEO, "!patients", room=HOME)
    count = len(ward.server.said)
    await ward.sweep.once()
    await ward.sweep.once()
    assert ward.server.said[count:] == [], "the room has read it"
    assert [hold.by for hold in await ward.life.holds()] == [BOB]
    assert says.RESUMED in await ward.typed(BOB, "!patient reprendre-effacement")
    assert (await ward.kept()).room.held_until == shown_at(ward)


def shown_at(ward: Ward) -> Any:
    assert shown(ward) == to_millis(ward.clock.now())
    return ward.clock.now()


async def test_the_referent_lifts_them_all_which_is_said_once(ward: Ward) -> None:
    for who in (ANNE, BOB, CLEO):
        await ward.typed(who, "!patient suspendre-effacement motif")
    assert "suspendu par ANNE, BOB et CLEO" in await ward.typed(BOB, "!patient salon")
    assert await ward.typed(ANNE, "!patient reprendre-effacement") == says.RESUMED
    assert await reasons(ward) == {}
    shown_at(ward)
    count = len(ward.server.said)
    for _ in range(3):
        await ward.sweep.once()
    assert ["a pris fin" in said for said in ward.server.said[count:]] == [True]
    assert await ward.life.holds() == []


async def test_a_hold_never_ends_sooner_by_another_or_by_being_renewed(ward: Ward) -> None:
    now = ward.clock.now()
    await ward.life.hold(Hold(ROOM, BOB, now, now + 90 * DAY, "long"))
    for who in (BOB, CLEO):
        await ward.life.hold(Hold(ROOM, who, now, now + DAY, "court"))
    assert (await ward.kept()).room.held_until == now + 90 * DAY
    assert {hold.by: hold.until for hold in await ward.life.holds()} == {BOB: now + 90 * DAY, CLEO: now + DAY}


@pytest.mark.parametrize("off", [-4000 * DAY, 4000 * DAY])
async def test_the_time_that_a_server_says_does_not_matter(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, off: timedelta
) -> None:
    real = ward._message
    monkeypatch.setattr(ward, "_message", lambda *a, **k: replace(real(*a, **k), sent_at=ward.clock.now() + off))
    await ward.typed(BOB, "!patient suspendre-effacement motif")
    (hold,) = await ward.life.held(ROOM, ward.clock.now())
    assert (hold.since, hold.until) == (ward.begin, ward.begin + 90 * DAY)
    assert shown(ward) == to_millis(hold.until)


async def test_the_last_hold_is_what_is_announced(ward: Ward) -> None:
    await ward.typed(BOB, "!patient suspendre-effacement un")
    ward.day(5)
    await ward.typed(CLEO, "!patient suspendre-effacement deux")
    count = len(ward.server.said)
    for day in (84, 87):
        ward.day(day)
        await ward.sweep.once()
    assert ward.server.said[count:] == [], "the room is held longer than that"
    ward.day(89)
    await ward.sweep.once()
    assert ward.server.said[count:] == [says.hold_ends(ward.begin + 95 * DAY, "")]
    ward.day(90)
    for _ in range(3):
        await ward.sweep.once()
    (said,) = ward.server.said[count + 1 :]
    assert "demandée par BOB a pris fin" in said
    assert "reste suspendu par CLEO" in said
    assert shown(ward) == to_millis(ward.begin + 95 * DAY)
    ward.day(95)
    for _ in range(3):
        await ward.sweep.once()
    assert ["La suspension de l'effacement" in each for each in ward.server.said[count + 2 :]] == [True, False]
    assert "⏳" in ward.server.said[-1], "the notice runs from now on"


async def test_one_pass_while_the_clock_stands_too_late_ends_no_hold(ward: Ward) -> None:
    await ward.patients.closed(ROOM, ward.clock.now(), None)
    await ward.typed(BOB, "!patient suspendre-effacement motif")
    ward.day(1000)
    await ward.sweep.once()
    ward.day(1)
    await ward.sweep.once()
    assert "reste suspendu par BOB" in ward.server.said[-1]
    assert await reasons(ward) == {BOB: "motif"}
    count = len(ward.server.said)
    await ward.sweep.once()
    assert ward.server.said[count:] == []
    assert says.RESUMED in await ward.typed(BOB, "!patient reprendre-effacement Pin Merle", room=HOME)


async def test_a_hold_that_a_clock_too_late_has_ended_is_the_referents_to_lift(ward: Ward) -> None:
    await ward.typed(BOB, "!patient suspendre-effacement motif")
    ward.day(1000)
    for _ in range(2):
        await ward.sweep.once()
    ward.day(1)
    assert await ward.life.holds() == []
    assert "suspendu par un membre de l'équipe" in await ward.typed(ANNE, "!patient terminer")
    assert "le référent, à toutes" in await ward.typed(BOB, "!patient reprendre-effacement")
    assert says.RESUMED in await ward.typed(ANNE, "!patient reprendre-effacement")
    assert (await ward.kept()).room.held_until == shown_at(ward)


async def test_a_hold_renewed_since_the_sweep_read_it_is_left_alone(ward: Ward) -> None:
    await ward.typed(BOB, "!patient suspendre-effacement un")
    ward.day(90)
    (read,) = await ward.life.holds()
    await ward.typed(BOB, "!patient suspendre-effacement deux")
    count = len(ward.server.said)
    await ward.holding._over(read, await ward.kept(), ward.clock.now())
    for mark in (ward.life.hold_told, ward.life.hold_warned, ward.life.hold_over):
        await mark(read)
    (hold,) = await ward.life.holds()
    assert (hold.reason, hold.told, hold.warned) == ("deux", False, False)
    assert ward.server.said[count:] == []


async def test_a_room_whose_row_cannot_be_read_keeps_its_holds(ward: Ward) -> None:
    await ward.typed(BOB, "!patient suspendre-effacement motif")
    await ward.db.execute(  # of a room that was erased meanwhile
        "INSERT INTO hold (room, by_user, since, until, reason) VALUES ($1, $2, 0, 1, 'x')", OTHER, BOB
    )
    await ward.db.execute("UPDATE patient_room SET state = 'what' WHERE room = $1", ROOM)
    ward.day(100)
    for _ in range(2):
        await ward.sweep.once()
    assert [hold.room for hold in await ward.life.holds()] == [ROOM]


async def test_an_opposition_closes_a_held_room_whose_erasure_waits(ward: Ward) -> None:
    await ward.typed(BOB, "!patient suspendre-effacement expertise")
    said = await ward.typed(CLEO, "!patient opposition")
    assert "L'effacement attend : il est suspendu par BOB jusqu'au 31/05/2026" in said
    assert "dans votre salon « Colloque », !patient reprendre-effacement Pin Merle" in said
    assert "puis effacé" not in said
    assert (await ward.kept()).room.state is RoomState.CLOSED
    await ward.archives.prove(ROOM, Proof.FILED)
    ward.day(83)
    await ward.sweep.once()
    assert ward.eraser.rooms == []
    assert "!patient suspendre-effacement Pin Merle suivi du motif" in ward.server.said[-1]
    assert "fermé, effacement suspendu" in await ward.typed(BOB, "!patients", room=HOME)
    said = await ward.typed(BOB, "!patient suspendre-effacement pin merle : toujours en cours", room=HOME)
    assert "Salon « Pin Merle »" in said
    assert await reasons(ward) == {BOB: "toujours en cours"}
    told = [c["body"] for room, c in ward.server.sent.values() if room == ROOM and "body" in c]
    assert "BOB a suspendu" in told[-1]
    assert "!patient reprendre-effacement Pin Merle" in told[-1]
    assert says.RESUMED in await ward.typed(ANNE, "!patient reprendre-effacement Pin Merle", room=ANNES)
    told = [c["body"] for room, c in ward.server.sent.values() if room == ROOM and "body" in c]
    assert told[-1] == says.RESUMED
    await ward.sweep.once()
    assert "!patient suspendre-effacement Pin Merle suivi du motif" in ward.server.said[-1]


async def test_a_room_is_named_by_its_words_from_the_home_room(ward: Ward) -> None:
    await ward.add(OTHER, "Pin Merle Cèdre")
    for typed in ("", " expertise", " Pin", " Lac Tulipe expertise"):
        said = await ward.typed(BOB, f"!patient suspendre-effacement{typed}", room=HOME)
        assert said == says.which(says.HOLD_EXAMPLE)
    assert await ward.typed(BOB, "!patient reprendre-effacement", room=HOME) == says.which(says.RESUME_EXAMPLE)
    assert await ward.typed(BOB, "!patient suspendre-effacement « Pin Merle »", room=HOME) == says.WHY_HOLD
    assert "suspendu" in await ward.typed(ANNE, "!patient suspendre-effacement PIN MERLE CEDRE motif", room=ANNES)
    assert [(hold.room, hold.reason) for hold in await ward.life.holds()] == [(OTHER, "motif")]
    said = await ward.typed(BOB, "!patient reprendre-effacement Pin Merle", room=HOME)
    assert said == f"Salon « Pin Merle ». {says.NOT_HELD}"
    assert await ward.typed(CLEO, "!patient reprendre-effacement Lac Tulipe", room=HOME) == says.which(
        says.RESUME_EXAMPLE
    )
    assert "suspendu" in await ward.typed(BOB, "!patient suspendre-effacement Pin Merle motif")
    assert await reasons(ward) == {BOB: "motif"}, "its words may stand there in the room itself, too"
    await ward.patients.closed(ROOM, ward.clock.now(), None)
    await ward.db.execute("UPDATE patient_room SET state = 'erasing' WHERE room = $1", ROOM)
    assert await ward.typed(BOB, "!patient suspendre-effacement Pin Merle motif", room=HOME) == texts.ALREADY_CLOSED


async def test_of_a_hold_and_the_beginning_of_the_erasure_the_first_counts(ward: Ward) -> None:
    """While the manifest is made, somebody may place one from home."""
    await ward.patients.closed(ROOM, ward.clock.now(), None)
    manifest, jobs = {"begun_at": to_millis(ward.clock.now())}, Jobs(ward.db)
    hold = Hold(ROOM, BOB, ward.clock.now(), ward.clock.now() + DAY, "motif")
    assert await ward.life.hold(hold)
    await jobs.start(ROOM, manifest)
    assert (await ward.kept()).room.state is RoomState.CLOSED
    assert await jobs.under_way() == []
    await ward.life.release(ROOM, ward.clock.now())
    await jobs.start(ROOM, manifest)
    assert [row.room for row in await jobs.under_way()] == [ROOM]
    assert not await ward.life.hold(hold)
    assert await ward.life.held(ROOM, ward.clock.now()) == []
