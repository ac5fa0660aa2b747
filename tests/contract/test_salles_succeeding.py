"""A colleague of another server joins a team whose room can't leave ours: it goes on in another; on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable, ServiceUnavailable
from colloque.identity import EventId, RoomId, UserId
from colloque.rooms.patient_room import RoomState
from colloque_salles.store.offers import Told
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.texts import acquainting as texts_acquainting
from colloque_salles.texts import inviting as texts_inviting
from colloque_salles.texts.inviting import Why
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB, CLEO
from tests.servers.salles_ward import DAY, ROOM, Ward

NEW = RoomId("!made0")
ELSEWHERE = texts_inviting.elsewhere(Why.SERVER)


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ward:
    """Everybody is of another server than @salles, to which the room is confined."""
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    await ward.add()
    await ward.patients.members(ROOM, (ANNE, BOB))
    await ward.life.call(ROOM, "Mme D.")
    await ward.offers.tell(ROOM, Told("informed", ANNE, clock.now()))
    ward.server.states[ROOM, "m.room.create"] = {"m.federate": False}
    ward.server.user = UserId("@salles:elsewhere.test")
    return ward


def last(ward: Ward, words: str) -> EventId:
    return [EventId(f"${txn}") for txn, (_, c) in ward.server.sent.items() if words in c.get("body", "")][-1]


def told(ward: Ward, room: RoomId) -> str:
    return "\n".join(c["body"] for where, c in ward.server.sent.values() if where == room and "body" in c)


async def test_the_team_goes_on_in_another_room_and_this_one_closes(ward: Ward) -> None:
    asked = await ward.typed(ANNE, "!patient inviter Cleo")
    assert "nouveau salon" in asked
    assert ward.server.made == {}, "nothing before what the patient knows is noted"
    assert "continue dans le salon" in await ward.taps(ANNE, last(ward, "nouveau salon"), "🤝")
    ((room, spec),) = ward.server.made.values()
    assert (room, set(spec.invite)) == (NEW, {ANNE, BOB, CLEO})
    assert ward.server.retired == {ROOM: NEW}
    old, new = await ward.kept(), await ward.kept(NEW)
    assert (old.room.state, old.room.closed_at) == (RoomState.CLOSED, ward.clock.now())
    assert (new.room.opener, new.called, new.room.closed_at) == (ANNE, "Mme D.", None)
    assert new.words in told(ward, ROOM)
    assert old.words in told(ward, NEW)
    assert [each.what for each in await ward.offers.told(NEW)] == ["informed"]
    (noted,) = await ward.invites.invited(NEW)
    assert (noted.person, noted.what, noted.by) == (CLEO, "consent", ANNE)
    assert await ward.invites.invited(ROOM) == []
    assert await ward.taps(ANNE, last(ward, "nouveau salon"), "🤝") == "", "asked and answered"


async def test_only_who_leads_the_room_may_close_it_so(ward: Ward) -> None:
    assert await ward.typed(BOB, "!patient inviter Cleo") == ELSEWHERE
    await ward.typed(ANNE, "!patient inviter Cleo")
    assert await ward.taps(BOB, last(ward, "nouveau salon"), "🤝") == ELSEWHERE
    assert ward.server.made == {}
    await ward.goes_away(ANNE, BOB, days=2)
    assert "continue dans le salon" in await ward.taps(BOB, last(ward, "nouveau salon"), "🤝")
    assert (await ward.kept(NEW)).room.opener == ANNE


async def test_a_room_that_is_held_does_not_close(ward: Ward) -> None:
    await ward.typed(ANNE, "!patient inviter Cleo")
    await ward.typed(BOB, "!patient suspendre-effacement expertise")
    assert "suspendu" in await ward.taps(ANNE, last(ward, "nouveau salon"), "🤝")
    assert "suspendu" in await ward.typed(ANNE, "!patient inviter Cleo")
    assert ward.server.made == {}


async def test_a_referent_who_is_not_verified_any_more_opens_nothing(ward: Ward) -> None:
    await ward.typed(ANNE, "!patient inviter Cleo")
    succeeding, kept = ward.inviting._succeeding, await ward.kept()
    assert await succeeding.refused(kept, ANNE, Why.SERVER) == ""
    ward.day(401)
    assert await succeeding.refused(kept, ANNE, Why.SERVER) == texts_inviting.no_referent(Why.SERVER)


async def test_each_crash_is_repaired_by_hearing_the_tap_again(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    await ward.typed(ANNE, "!patient inviter Cleo")
    event, count = last(ward, "nouveau salon"), ward.count
    for calls in range(30):
        ward.count = count
        left = [calls]

        def dying(real: Any, left: list[int] = left) -> Any:
            async def call(*args: Any, **kwargs: Any) -> Any:
                if not left[0]:
                    raise HomeUnavailable("away")
                left[0] -= 1
                return await real(*args, **kwargs)

            return call

        with monkeypatch.context() as patched:
            for name in ("send", "create_room", "set_state", "state", "members", "retire"):
                patched.setattr(ward.server, name, dying(getattr(ward.server, name)))
            try:
                await ward.taps(ANNE, event, "🤝")
            except HomeUnavailable:
                continue
        break
    else:
        pytest.fail("it never came to an end")
    assert calls > 6
    assert len(ward.server.made) == 1
    assert ward.server.retired == {ROOM: NEW}
    assert (await ward.kept()).room.closed_at == ward.clock.now()
    assert told(ward, NEW).count("prend la suite") == 1
    assert told(ward, ROOM).count("continue dans le salon") == 1


async def test_a_room_that_the_server_does_not_want_leaves_all_as_it_was(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: Any) -> RoomId:
        raise HomeRefused(403, "M_FORBIDDEN")

    await ward.typed(ANNE, "!patient inviter Cleo")
    with monkeypatch.context() as patched:
        patched.setattr(ward.server, "create_room", refused)
        assert "n'accepte pas" in await ward.taps(ANNE, last(ward, "nouveau salon"), "🤝")
    assert (await ward.kept()).room.closed_at is None
    assert ward.server.retired == {}


async def test_its_time_goes_on_as_it_was_chosen(ward: Ward) -> None:
    await ward.offers.shape(ROOM, 10 * DAY, await ward.server.reserve_file(), EventId("$asked"))
    await ward.typed(ANNE, "!patient inviter Cleo")
    await ward.taps(ANNE, last(ward, "nouveau salon"), "🤝")
    assert (await ward.kept(NEW)).room.own_idle == 10 * DAY


async def test_whom_another_server_does_not_know_can_not_join_them(ward: Ward) -> None:
    """Nor can anybody be asked while that server is away."""
    far = UserId("@cleo:elsewhere.test")
    held = ward.held(3, far)
    here = [ward.held(1, ANNE), ward.held(2, BOB)]
    ward.unknown = {"elsewhere.test": [BOB]}
    said = await ward.acquainting.refused([*here, held])
    assert "BOB" in said
    assert "CLEO" in said
    assert "ANNE" not in said
    ward.unknown = {}
    assert await ward.acquainting.refused([*here, held]) == ""
    ward.bridge_errors = [ServiceUnavailable("away")]
    assert await ward.acquainting.refused([*here, held]) == texts_acquainting.LATER
    ward.bridge_errors = [ServiceUnavailable("away")]
    assert await ward.acquainting.refused(here) == "", "nobody is asked about people of one server"


async def test_neither_room_is_touched_while_somebody_is_unknown_there(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ward.typed(ANNE, "!patient inviter Cleo")

    async def refused(_: object) -> str:
        return texts_acquainting.LATER

    monkeypatch.setattr(ward.acquainting, "refused", refused)
    assert await ward.taps(ANNE, last(ward, "nouveau salon"), "🤝") == texts_acquainting.LATER
    assert await ward.typed(ANNE, "!patient inviter Cleo") == texts_acquainting.LATER
    assert await ward.typed(ANNE, "!patient ouvrir Cleo", room=RoomId("!home-anne")) == texts_acquainting.LATER
    assert (ward.server.made, ward.server.retired) == ({}, {})
