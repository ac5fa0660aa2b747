"""Access comes back to somebody who was taken out of a patient room, and may go again at any moment; both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.errors import HomeUnavailable
from colloque.identity import RoomId, UserId
from colloque_salles.store.evicted import Evicted
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB
from tests.servers.salles_ward import ROOM, Ward

_GONE = "n'a plus accès"


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ward:
    """BOB has lost his access and is out; ANNE has read it."""
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    await ward.add()
    await ward.patients.members(ROOM, (ANNE, BOB))
    ward.server.inside[BOB] = "join"
    ward.loses_access(BOB)
    assert await ward.evicting.evict(BOB, "revoked") == 0
    await ward.returning.run_once()
    assert [body for body in ward.server.said if _GONE in body]
    ward.day(1)
    return ward


async def gone(ward: Ward) -> list[UserId]:
    return [each.user for each in await Evicted(ward.db).all()]


async def test_whoever_has_their_access_back_is_invited_again_once(ward: Ward) -> None:
    await ward.returning.run_once()
    assert (ward.server.inside[BOB], await gone(ward)) == ("leave", [BOB])
    ward.has_access(2, BOB)
    for _ in range(2):
        await ward.returning.run_once()
    assert (ward.server.invited, await gone(ward)) == ([BOB], [])


@pytest.mark.parametrize("cut_short", [False, True])
async def test_whoever_loses_it_again_while_they_are_invited_is_out_again(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, cut_short: bool
) -> None:
    """Their second eviction came before the invitation, and found nothing. A crash may come in between."""
    ward.has_access(2, BOB)
    invite = ward.server.invite

    async def invites(room: RoomId, user: UserId) -> None:
        await invite(room, user)
        ward.loses_access(BOB)
        if cut_short:
            raise HomeUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(ward.server, "invite", invites)
        if cut_short:
            with pytest.raises(HomeUnavailable):
                await ward.returning.run_once()
            assert ward.server.inside[BOB] == "invite"
        await ward.returning.run_once()
    assert (ward.server.inside[BOB], await gone(ward)) == ("leave", [BOB])
    ward.has_access(2, BOB)
    await ward.returning.run_once()
    assert (ward.server.inside[BOB], await gone(ward)) == ("invite", []), "their access is back for good"


async def test_an_eviction_that_comes_just_before_the_first_one_is_forgotten_is_not_forgotten_with_it(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.has_access(2, BOB)
    forget = Evicted.forget

    async def forgets(self: Evicted, each: object) -> None:
        ward.loses_access(BOB)
        assert await ward.evicting.evict(BOB, "revoked") == 0
        await forget(self, each)  # type: ignore[arg-type]  # handed on

    with monkeypatch.context() as patched:
        patched.setattr(Evicted, "forget", forgets)
        await ward.returning.run_once()
    assert (ward.server.inside[BOB], await gone(ward)) == ("leave", [BOB])
    assert len([body for body in ward.server.said if _GONE in body]) == 1


async def test_of_a_room_that_is_closed_nothing_is_kept(ward: Ward) -> None:
    await ward.patients.closed(ROOM, ward.clock.now(), None)
    ward.has_access(2, BOB)
    await ward.returning.run_once()
    assert (ward.server.invited, await gone(ward)) == ([], [])
