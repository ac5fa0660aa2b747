"""Somebody comes into a room that is open already, once what the patient knows is noted; on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import EventId, RoomId, UserId
from colloque_salles.store.evicted import Evicted
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.texts import inviting as texts_inviting
from colloque_salles.texts import rooms as texts
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB, CLEO
from tests.servers.salles_ward import ROOM, Ward


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ward:
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    await ward.add()
    await ward.patients.members(ROOM, (ANNE, BOB))
    ward.server.inside[BOB] = "join"
    return ward


def last(ward: Ward, words: str) -> EventId:
    return [EventId(f"${txn}") for txn, (_, c) in ward.server.sent.items() if words in c.get("body", "")][-1]


async def test_nobody_is_invited_before_what_the_patient_knows_is_noted(ward: Ward) -> None:
    asked = await ward.typed(BOB, "!patient inviter Cleo")
    assert "CLEO" in asked
    assert "pas ce qui précède" in asked
    assert ward.server.invited == []
    assert await ward.taps(ANNE, last(ward, "au-delà"), "👍") == ""
    assert "patient informé (ANNE" in await ward.taps(ANNE, last(ward, "au-delà"), "🗣️")
    assert ward.server.invited == [CLEO]
    assert await ward.taps(BOB, last(ward, "au-delà"), "🤝") == "", "asked and answered"
    (noted,) = await ward.invites.invited(ROOM)
    assert (noted.person, noted.what, noted.by) == (CLEO, "informed", ANNE)


async def test_names_that_are_nearly_so_are_numbered_and_never_picked(ward: Ward) -> None:
    assert "1️⃣ CLEO" in await ward.typed(ANNE, "!patient inviter Cleq")
    assert await ward.taps(ANNE, last(ward, "Qui inviter"), "🗣️") == ""
    assert "au-delà" in await ward.taps(ANNE, last(ward, "Qui inviter"), "1️⃣")
    assert ward.server.invited == []


async def test_who_is_there_already_and_who_is_unknown(ward: Ward) -> None:
    assert "déjà dans ce salon" in await ward.typed(ANNE, "!patient inviter Bob")
    assert await ward.typed(ANNE, "!patient inviter Zoé") == texts_inviting.NOBODY
    assert await ward.typed(ANNE, "!patient inviter") == texts_inviting.WHOM
    assert await ward.typed(ANNE, "!patient inviter Cleo", room=RoomId("!home-anne")) == texts.ONLY_PATIENT_ROOM


async def test_a_closed_room_lets_nobody_in(ward: Ward) -> None:
    await ward.typed(ANNE, "!patient inviter Cleo")
    await ward.patients.closed(ROOM, ward.clock.now(), None)
    assert await ward.taps(ANNE, last(ward, "au-delà"), "🤝") == texts_inviting.CLOSED
    assert await ward.typed(ANNE, "!patient inviter Cleo") == texts_inviting.CLOSED
    assert ward.server.invited == []


async def test_a_crash_after_the_invitation_is_repaired_by_hearing_the_tap_again(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ward.typed(ANNE, "!patient inviter Cleo")
    event = last(ward, "au-delà")
    ward.server.errors = [HomeUnavailable("away")]
    with pytest.raises(HomeUnavailable):
        await ward.taps(ANNE, event, "🤝")
    assert ward.server.invited == [CLEO]
    assert "consentement recueilli" in await ward.taps(ANNE, event, "🤝")
    assert ward.server.invited == [CLEO]


@pytest.mark.parametrize("cut_short", [False, True])
async def test_who_loses_their_access_while_they_are_invited_is_out_again(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, cut_short: bool
) -> None:
    """Their eviction came before the invitation, and found nothing. A crash may come in between."""
    await ward.typed(ANNE, "!patient inviter Cleo")
    event, invite = last(ward, "au-delà"), ward.server.invite

    async def invites(room: RoomId, user: UserId) -> None:
        await invite(room, user)
        ward.loses_access(CLEO)
        if cut_short:
            raise HomeUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(ward.server, "invite", invites)
        if cut_short:
            with pytest.raises(HomeUnavailable):
                await ward.taps(ANNE, event, "🤝")
            assert ward.server.inside[CLEO] == "invite"
        await ward.taps(ANNE, event, "🤝")
    assert ward.server.inside[CLEO] == "leave"
    assert [gone.user for gone in await Evicted(ward.db).all()] == [CLEO]


async def test_whom_the_server_refuses_is_not_noted_as_invited(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    await ward.typed(ANNE, "!patient inviter Cleo")
    event = last(ward, "au-delà")

    async def refused(room: RoomId, user: UserId) -> None:
        assert [each.person for each in await ward.invites.invited(ROOM)] == [CLEO], "a crash now leaves it noted"
        raise HomeRefused(403, "M_FORBIDDEN")

    monkeypatch.setattr(ward.server, "invite", refused)
    assert "n'accepte pas" in await ward.taps(ANNE, event, "🤝")
    assert await ward.invites.invited(ROOM) == []
    monkeypatch.undo()
    assert await ward.taps(ANNE, event, "🤝") == "", "it was answered"
    await ward.typed(ANNE, "!patient inviter Cleo")
    assert "consentement recueilli" in await ward.taps(ANNE, last(ward, "au-delà"), "🤝")
    assert ward.server.invited == [CLEO]


async def test_a_refusal_leaves_what_was_noted_before(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    await ward.typed(ANNE, "!patient inviter Cleo")
    await ward.taps(ANNE, last(ward, "au-delà"), "🤝")
    noted = await ward.invites.invited(ROOM)
    ward.server.inside[CLEO] = "leave"
    ward.clock.advance(days=1)
    await ward.typed(ANNE, "!patient inviter Cleo")

    async def refused(room: RoomId, user: UserId) -> None:
        raise HomeRefused(403, "M_FORBIDDEN")

    monkeypatch.setattr(ward.server, "invite", refused)
    assert "n'accepte pas" in await ward.taps(ANNE, last(ward, "au-delà"), "🗣️")
    assert await ward.invites.invited(ROOM) == noted


async def test_a_crash_before_a_refusal_is_told_leaves_nothing_noted(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ward.typed(ANNE, "!patient inviter Cleo")
    event = last(ward, "au-delà")
    answers: list[Exception] = [HomeUnavailable("away"), HomeRefused(403, "M_FORBIDDEN")]

    async def refused(room: RoomId, user: UserId) -> None:
        raise answers.pop(0)

    monkeypatch.setattr(ward.server, "invite", refused)
    with pytest.raises(HomeUnavailable):
        await ward.taps(ANNE, event, "🤝")
    assert "n'accepte pas" in await ward.taps(ANNE, event, "🤝")
    assert await ward.invites.invited(ROOM) == []


async def test_nothing_of_it_outlives_the_room(ward: Ward) -> None:
    await ward.typed(ANNE, "!patient inviter Cleo")
    await ward.taps(ANNE, last(ward, "au-delà"), "🤝")
    await ward.typed(ANNE, "!patient inviter Cleo")
    await Jobs(ward.db).forget(ROOM)
    for table in ("proposal", "invited"):
        assert await ward.db.fetch(f"SELECT * FROM {table}") == []
