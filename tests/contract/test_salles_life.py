"""A patient room's end: announced twice, prolonged, held, too many at once; on both databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from colloque.clock import FrozenClock, to_millis
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import MemberChange
from colloque.rooms.keeping import Proof
from colloque.rooms.lifecycle import end_of
from colloque.rooms.mark import HOLD
from colloque.rooms.patient_room import RoomState
from colloque_salles.living.expire import MANY
from colloque_salles.living.hearing import Ledger
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB
from tests.servers.salles_ward import DAY, ROOM, RULE, Ward


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ward:
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    await ward.add()
    return ward


async def warned(ward: Ward) -> EventId:
    """The room's end is announced; by which message."""
    ward.day(23)
    await ward.sweep.once()
    (said,) = [txn for txn, (_, content) in ward.server.sent.items() if "⏳" in content.get("body", "")]
    return EventId(f"${said}")


async def test_the_end_is_said_twice_then_comes(ward: Ward) -> None:
    await warned(ward)
    await ward.sweep.once()
    assert len(ward.server.said) == 1
    ward.day(29)
    await ward.sweep.once()
    await ward.sweep.once()
    assert len(ward.server.said) == 2
    ward.day(30)
    await ward.sweep.once()
    kept = await ward.kept()
    assert kept.room.state is RoomState.CLOSED
    await ward.patients.heard_own(ROOM, EventId(list(ward.server.sent)[-1].join(["$", ""])))
    ward.day(31)
    await ward.sweep.once()
    assert ward.eraser.rooms == [], "nothing proves that it was kept"
    await ward.archives.prove(ROOM, Proof.FILED)
    await ward.sweep.once()
    assert ward.eraser.rooms == [ROOM]


async def test_who_writes_while_the_clock_stands_too_early_is_heard_all_the_same(ward: Ward) -> None:
    await warned(ward)
    ledger = Ledger(ward.patients, ward.membership, ward.clock)
    ward.day(0)
    await ledger.hear(ward._message(BOB, "$late", {"body": "encore là"}))
    ward.day(30)
    await ward.sweep.once()
    assert (await ward.kept()).room.state is RoomState.OPEN
    assert "n'a plus lieu" in ward.server.said[-1]


async def test_each_announcement_bears_the_sign_to_tap_once(ward: Ward) -> None:
    event = await warned(ward)
    taps = [c["m.relates_to"] for _, c in ward.server.sent.values() if "m.relates_to" in c]
    assert taps == [{"rel_type": "m.annotation", "event_id": event, "key": "➕"}]


async def test_who_writes_reads_once_that_the_end_moved(ward: Ward) -> None:
    await warned(ward)
    wrote = ward.day(25)
    await ward.patients.active(ROOM, wrote)
    await ward.sweep.once()
    await ward.sweep.once()
    assert [("n'a plus lieu" in said) for said in ward.server.said] == [False, True]
    kept = await ward.kept()
    assert (kept.room.state, end_of(kept.room, RULE)) == (RoomState.OPEN, wrote + 30 * DAY)


async def test_a_tap_prolongs_once_an_announcement(ward: Ward) -> None:
    event = await warned(ward)
    assert "a prolongé" in await ward.taps(BOB, event, "➕\ufe0f")
    assert end_of((await ward.kept()).room, RULE) == ward.begin + 45 * DAY
    assert "vit déjà" in await ward.taps(ANNE, event)
    assert end_of((await ward.kept()).room, RULE) == ward.begin + 45 * DAY
    await ward.sweep.once()
    assert not any("n'a plus lieu" in said for said in ward.server.said), "it was said already"


async def test_other_taps_do_nothing(ward: Ward) -> None:
    event = await warned(ward)
    assert await ward.taps(BOB, event, "👍") == ""
    assert await ward.taps(BOB, EventId("$other")) == ""
    await ward.add(RoomId("!other"), "Chat Noir")
    assert await ward.taps(BOB, event, room=RoomId("!other")) == ""
    assert end_of((await ward.kept()).room, RULE) == ward.begin + 30 * DAY


async def test_prolonging_by_words(ward: Ward) -> None:
    assert "16/04/2026" in await ward.typed(ANNE, "!patient prolonger")
    assert "26/04/2026" in await ward.typed(BOB, "!patient extend dix jours")
    for bad in ("!patient prolonger 91 jours", "!patient prolonger 0 jours", "!patient prolonger longtemps"):
        assert "De combien" in await ward.typed(ANNE, bad)
    assert end_of((await ward.kept()).room, RULE) == ward.begin + 55 * DAY


async def test_a_command_heard_again_prolongs_no_second_time(ward: Ward) -> None:
    await ward.typed(ANNE, "!patient prolonger 10 jours", "$once")
    assert await ward.typed(ANNE, "!patient prolonger 10 jours", "$once") == ""
    assert end_of((await ward.kept()).room, RULE) == ward.begin + 40 * DAY


async def test_a_closed_room_is_not_prolonged(ward: Ward) -> None:
    event = await warned(ward)
    await ward.patients.closed(ROOM, ward.clock.now(), None)
    assert "déjà fermé" in await ward.typed(ANNE, "!patient prolonger")
    assert "déjà fermé" in await ward.taps(ANNE, event)


async def test_a_held_room_does_not_end(ward: Ward) -> None:
    assert "Pour quel motif" in await ward.typed(BOB, "!patient suspendre-effacement")
    await warned(ward)
    said = await ward.typed(BOB, "!patient suspendre-effacement expertise en cours")
    assert "BOB a suspendu" in said
    assert "expertise" not in said, "why stands in the database alone"
    until = ward.begin + 113 * DAY
    assert ward.server.states[ROOM, HOLD] == {"until": to_millis(until)}
    (held,) = await ward.life.held(ROOM, ward.clock.now())
    assert (held.by, held.until, held.reason) == (BOB, until, "expertise en cours")
    assert "expertise" not in repr(held)
    assert await ward.holding.said_held(ROOM)
    count = len(ward.server.said)
    ward.day(100)
    await ward.sweep.once()
    assert len(ward.server.said) == count
    ward.day(106)
    await ward.sweep.once()
    await ward.sweep.once()
    assert [("prend fin le" in said) for said in ward.server.said[count:]] == [True]
    ward.day(113)
    await ward.sweep.once()
    assert "a pris fin" in ward.server.said[count + 1]
    assert await ward.life.held(ROOM, ward.clock.now()) == []
    kept = await ward.kept()
    assert kept.room.closed_at is None
    assert kept.room.warned_for == ward.begin + 120 * DAY


async def test_a_hold_is_renewed_and_lifted_by_those_who_may(ward: Ward) -> None:
    assert "n'est pas suspendu" in await ward.typed(ANNE, "!patient reprendre-effacement")
    await ward.typed(BOB, "!patient suspendre-effacement un")
    ward.day(10)
    await ward.typed(BOB, "!patient suspendre effacement deux")
    (held,) = await ward.life.held(ROOM, ward.clock.now())
    assert (held.reason, held.until) == ("deux", ward.begin + 100 * DAY)
    assert "Chacun ne met fin" in await ward.typed(UserId("@else:h.test"), "!patient reprendre-effacement")
    assert "n'est plus suspendu" in await ward.typed(ANNE, "!patient reprendre-effacement")
    await ward.sweep.once()
    await ward.sweep.once()
    assert await ward.life.holds() == []
    assert ward.server.states[ROOM, HOLD] == {"until": to_millis(ward.clock.now())}


async def test_a_closed_room_that_is_held_is_not_erased(ward: Ward) -> None:
    await ward.patients.closed(ROOM, ward.clock.now(), None)
    await ward.archives.prove(ROOM, Proof.FILED)
    await ward.typed(BOB, "!patient suspendre-effacement recherche du responsable")
    ward.day(80)
    await ward.sweep.once()
    assert ward.eraser.rooms == []
    await ward.typed(BOB, "!patient reprendre-effacement")
    await ward.sweep.once()
    assert ward.eraser.rooms == []
    ward.day(87)
    await ward.sweep.once()
    assert ward.eraser.rooms == [ROOM]


async def test_too_many_at_once_wait_for_an_administrator(ward: Ward) -> None:
    rooms = [RoomId(f"!r{n}") for n in range(9)]
    for n, room in enumerate(rooms):
        await ward.add(room, f"Mots {n}")
    for day in (23, 29, 30):
        ward.day(day)
        await ward.sweep.once()
    assert await ward.incidents.current() == [MANY]
    assert all(k.room.state is RoomState.WARNED for k in await ward.patients.all())
    await ward.sweep.once()
    assert all(k.room.state is RoomState.WARNED for k in await ward.patients.all())
    assert await ward.sweep.allow_many() == 10
    await ward.sweep.once()
    assert all(k.room.state is RoomState.CLOSED for k in await ward.patients.all())
    assert await ward.incidents.current() == []
    assert await ward.sweep.allow_many() == 0


async def test_what_people_end_themselves_is_not_counted(ward: Ward) -> None:
    for n in range(9):
        room = RoomId(f"!r{n}")
        await ward.add(room, f"Mots {n}")
        await ward.patients.closed(room, ward.clock.now(), None)
        await ward.archives.prove(room, Proof.FILED)
    ward.day(1)
    await ward.sweep.once()
    assert len(ward.eraser.rooms) == 9


async def test_whoever_is_left_alone_reads_so_once(ward: Ward) -> None:
    ledger = Ledger(ward.patients, ward.membership, ward.clock)
    for user, membership in ((ANNE, "join"), (BOB, "join"), (BOB, "leave")):
        await ward.sweep.once()
        assert ward.server.said == []
        await ledger.hear(MemberChange(ROOM, user, user, membership))
    await ward.sweep.once()
    await ward.sweep.once()
    assert ["désormais seul" in said for said in ward.server.said] == [True]


async def test_nobody_is_alone_when_somebody_comes_back(ward: Ward) -> None:
    ledger = Ledger(ward.patients, ward.membership, ward.clock)
    for user, membership in ((ANNE, "join"), (BOB, "join"), (BOB, "leave"), (BOB, "join")):
        await ledger.hear(MemberChange(ROOM, user, user, membership))
    await ward.sweep.once()
    assert ward.server.said == []


async def test_the_team_and_its_name_for_the_patient(ward: Ward) -> None:
    said = await ward.typed(BOB, "!patient equipe")
    assert said.splitlines() == [
        "Équipe de « Pin Merle » :",
        "– ANNE · médecin (référent)",
        "– BOB · médecin (invité, pas encore venu)",
    ]
    assert "Comment appelez-vous" in await ward.typed(BOB, "!patient appeler")
    assert "Comment appelez-vous" in await ward.typed(BOB, "!patient appeler " + "x" * 61)
    assert (await ward.kept()).called == ""
    await ward.typed(BOB, "!patient appeler  Mme D.,  hanche")
    assert (await ward.kept()).called == "Mme D., hanche"
    assert "hanche" not in repr(await ward.kept())
    await ward.typed(BOB, "!patient appeler rien")
    assert (await ward.kept()).called == ""


async def test_nothing_of_it_outlives_the_room(ward: Ward) -> None:
    event = await warned(ward)
    await ward.typed(BOB, "!patient suspendre-effacement un")
    await Jobs(ward.db).forget(ROOM)
    assert await ward.life.announces(event) is None
    assert await ward.life.holds() == []
    assert await ward.patients.get(ROOM) is None


async def test_a_hold_is_placed_before_it_is_said(ward: Ward) -> None:
    ward.server.errors = [RuntimeError("killed")]
    with pytest.raises(RuntimeError):
        await ward.typed(BOB, "!patient suspendre-effacement un", "$h")
    assert await ward.life.held(ROOM, ward.clock.now())
    ward.clock.advance(seconds=timedelta(minutes=1).total_seconds())
    assert "a suspendu" in await ward.typed(BOB, "!patient suspendre-effacement un", "$h")
