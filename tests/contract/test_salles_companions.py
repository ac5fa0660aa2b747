"""Each other server's own bot in rooms of ours; on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import MemberChange
from colloque_salles.living.hearing import Ledger
from tests.servers.salles_lodge import (
    FAR,
    ME,
    THEIRS,
    US,
    A,
    C,
    Lodge,
    listed,
)
from tests.servers.salles_ward import ANNE, ROOM


async def test_each_other_server_has_its_own_bot_in_the_room_first(lodge: Lodge) -> None:
    ward = lodge.ward
    listed(ward, US, A, C, people=(FAR,))
    ward.server.user = ME
    await ward.typed(ANNE, f"!patient ouvrir {FAR}", room=RoomId("!home-anne"))
    ((room, spec),) = ward.server.made.values()
    assert spec.invite == (THEIRS, ANNE, FAR)
    assert spec.shared
    assert await ward.companions._rows.all() == {room: {THEIRS}}


async def test_nobody_comes_in_of_a_server_that_can_prove_no_erasure(lodge: Lodge) -> None:
    ward = lodge.ward
    listed(ward, A, people=(FAR,))
    said = await ward.typed(ANNE, f"!patient ouvrir {FAR}", room=RoomId("!home-anne"))
    assert "votre établissement ne sait pas encore prouver" in said
    listed(ward, US, people=(FAR,))
    said = await ward.typed(ANNE, f"!patient ouvrir {FAR}", room=RoomId("!home-anne"))
    assert "ne sait pas encore effacer un salon avec reçu" in said
    assert ward.server.made == {}


async def test_who_is_invited_later_has_their_bot_there_before(lodge: Lodge) -> None:
    ward = lodge.ward
    await ward.add()
    listed(ward, A, people=(FAR,))
    ward.server.user, ward.server.inside[ME] = ME, "join"
    await ward.companions.invite(ROOM, [FAR])
    assert ward.server.invited == [THEIRS]


async def test_whoever_is_missing_is_invited_and_who_has_nobody_left_goes(
    lodge: Lodge, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward = lodge.ward
    await ward.add()
    await ward.patients.members(ROOM, (ANNE, FAR))
    ward.server.user = ME
    ward.server.inside = {ANNE: "join", FAR: "join", ME: "join"}
    out = []

    async def set_state(room: RoomId, type_: str, content: dict[str, Any], state_key: str = "") -> EventId:
        out.append((UserId(state_key), content))
        ward.server.inside[UserId(state_key)] = "leave"
        return EventId("$s")

    monkeypatch.setattr(ward.server, "set_state", set_state)
    await ward.companions.once()
    assert ward.server.invited == [THEIRS]
    ward.server.inside[THEIRS] = "join"
    for _ in range(3):
        await ward.companions.once()
    assert (ward.server.invited, out) == ([THEIRS], [])
    ward.server.inside[FAR] = "leave"
    await ward.patients.members(ROOM, (ANNE,))
    await ward.companions.once()
    assert out == [(THEIRS, {"membership": "leave"})]
    await ward.companions.once()
    assert await ward.companions._rows.all() == {}
    assert len(out) == 1


async def test_the_bot_of_a_server_that_is_listed_no_more_goes(lodge: Lodge, monkeypatch: pytest.MonkeyPatch) -> None:
    ward = lodge.ward
    await ward.add()
    ward.server.user = ME
    ward.server.inside = {ANNE: "join", FAR: "join", ME: "join", THEIRS: "join"}
    await ward.companions.note(ROOM, [THEIRS])
    listed(ward, C)
    out = []

    async def set_state(room: RoomId, type_: str, content: dict[str, Any], state_key: str = "") -> EventId:
        out.append(state_key)
        return EventId("$s")

    monkeypatch.setattr(ward.server, "set_state", set_state)
    await ward.companions.once()
    assert out == [THEIRS], "their people's own going is the annuaire service's business"


async def test_a_companion_is_no_member_of_the_team(lodge: Lodge) -> None:
    ward = lodge.ward
    await ward.add()
    ledger = Ledger(ward.patients, ward.membership, ward.clock)
    for user in (ANNE, THEIRS):
        await ledger.hear(MemberChange(ROOM, user, user, "join"))
    assert (await ward.kept()).room.members == (ANNE,)
    ward.server.inside = {ANNE: "join", THEIRS: "join"}
    assert "salles" not in await ward.typed(ANNE, "!patient equipe")
