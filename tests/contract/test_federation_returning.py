"""Whoever gets their access back is presented again to the servers that knew them; on both databases."""

from __future__ import annotations

import pytest

from colloque.federation.http_client import Peers
from colloque.policy.ending import End
from colloque.policy.passport import LIFE
from colloque.store.journal import Journal
from colloque_annuaire.federation.people import Crossing
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.federation import Abroad
from colloque_annuaire.store.federation_own import OwnAbroad
from colloque_annuaire.store.federation_returning import REMEMBERED, Returns
from tests.servers.killing import dies, killed_after
from tests.servers.returning import A, B, met, revoked, waiting
from tests.servers.sides import Sides, acts


async def test_a_new_proof_brings_somebody_back_where_they_were_known(sides: Sides) -> None:
    a, b = sides.a, sides.b
    user = await revoked(sides)
    published, told = b.published, len(b.rooms.told(b.user(2)))
    await a.telling.present_again()
    assert not await b.knows(user), "nobody has proved anything yet"
    await a.attest(1)
    await a.telling.present_again()
    assert await b.knows(user)
    assert b.published > published
    assert await b.abroad.leaving() == [], "back before they were out"
    assert len(b.rooms.told(b.user(2))) == told, "no first contact: nobody is told of one"
    assert await waiting(sides) == {}
    assert await b.abroad.dropped(user) == ""
    assert ("remote.return", "told") in acts(sides)
    sides.clock.advance(seconds=1)
    await a.revoke(1)
    await a.telling.push()
    assert not await b.knows(user), "the next revocation finds its way too"


async def test_what_an_administrator_gives_back_is_presented_as_of_today(sides: Sides) -> None:
    a, b = sides.a, sides.b
    user, endings = await met(sides), Endings(a.db)
    await endings.begin(user, End.ADMIN, sides.clock.now())
    await a.telling.push()
    assert not await b.knows(user)
    sides.clock.advance(seconds=1)
    ending = await endings.of(user)
    assert ending is not None
    await endings.give_back(ending, ending.until)
    await a.telling.present_again()
    assert await b.knows(user)


async def test_somebody_whose_attestation_ended_by_itself_comes_back_too(sides: Sides) -> None:
    a, b = sides.a, sides.b
    user = await met(sides, days=2)
    sides.clock.advance(days=2)
    await b.upkeep.renew()
    assert not await b.knows(user)
    await a.upkeep.renew()
    await a.attest(1)
    await a.telling.present_again()
    assert await b.knows(user)


async def test_whom_nobody_asked_about_any_more_is_not_presented(sides: Sides) -> None:
    a = sides.a
    await met(sides)
    sides.clock.advance(seconds=LIFE.total_seconds())
    await a.upkeep.renew()
    assert await waiting(sides) == {}, "attested all along: it was B that let them go"


async def test_it_waits_for_a_server_that_is_away_also_through_a_restart(sides: Sides) -> None:
    a, b = sides.a, sides.b
    user = await met(sides)
    await b.stop()
    await a.revoke(1)
    await a.telling.push()
    await a.attest(1)
    await a.telling.present_again()
    assert len(await waiting(sides)) == 1
    sides.clock.advance(days=8)
    await a.upkeep.renew()
    await a.stop()
    await a.start()
    await b.start()
    await b.upkeep.renew()
    assert not await b.knows(user), "their passport has ended meanwhile"
    await a.telling.present_again()
    assert await b.knows(user)
    assert await waiting(sides) == {}


async def test_a_server_that_never_heard_of_the_revocation_has_it_undone(sides: Sides) -> None:
    a, b = sides.a, sides.b
    user = await met(sides)
    await b.stop()
    await a.revoke(1)
    await a.telling.push()
    await a.attest(1)
    await a.stop()
    await a.start()
    await b.start()
    await a.telling.push()
    before = await b.abroad.remote(user)
    await a.telling.present_again()
    after = await b.abroad.remote(user)
    assert before is not None
    assert after is not None
    assert after.attestation.issued_at > before.attestation.issued_at
    assert await waiting(sides) == {}


async def test_a_newer_revocation_cancels_it(sides: Sides) -> None:
    a, b = sides.a, sides.b
    user = await revoked(sides)
    await a.attest(1)
    before = await waiting(sides)
    sides.clock.advance(seconds=1)
    await a.revoke(1)
    await a.telling.present_again()
    assert not await b.knows(user)
    assert await waiting(sides) == {}
    # Whatever B answers to what was under way before is no answer to what comes after.
    await a.returns.knew(B, [user], sides.clock.now())
    await a.returns.over(before[B][0])
    sides.clock.advance(seconds=1)
    await a.attest(1)
    await a.telling.present_again()
    assert await b.knows(user)


async def test_whoever_is_frozen_waits(sides: Sides) -> None:
    a, b = sides.a, sides.b
    user = await revoked(sides)
    await a.attest(1)
    await a.db.execute("UPDATE attestation SET frozen = true")
    assert await waiting(sides) == {}
    await a.attest(1)
    await a.telling.present_again()
    assert await b.knows(user)


async def test_a_server_that_left_the_list_is_forgotten_and_one_of_an_ended_list_is_not(sides: Sides) -> None:
    a = sides.a
    await revoked(sides)
    sides.clock.advance(days=31)
    await a.attest(1)
    await a.telling.present_again()
    assert len(await waiting(sides)) == 1
    await sides.list(a)
    await a.stop()
    await a.start()
    await a.telling.present_again()
    assert await waiting(sides) == {}


async def test_nobody_is_waited_for_longer_than_an_attestation_holds(sides: Sides) -> None:
    a, b = sides.a, sides.b
    user = await revoked(sides)
    assert await b.abroad.dropped(user) == "revoked"
    for _ in range(2):
        sides.clock.advance(seconds=REMEMBERED.total_seconds() / 2)
        for side in (a, b):
            await side.upkeep.renew()
    await a.attest(1)
    assert await waiting(sides) == {}
    assert await b.abroad.dropped(user) == ""


TELLING = [
    (Returns, "knew"), (Peers, "ask"), (OwnAbroad, "taken_back"), (Crossing, "present"), (OwnAbroad, "give"),
    (Returns, "over"),
]  # fmt: skip
ALL = 7


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("survived", range(ALL + 1))
async def test_killed_at_any_line_they_are_back_and_can_be_revoked(
    sides: Sides, survived: int, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`first`: they are attested again before the service has started again."""
    a, b = sides.a, sides.b
    user = await met(sides)
    await a.revoke(1)

    async def back() -> None:
        sides.clock.advance(seconds=1)
        await a.attest(1)

    async def go() -> None:
        await a.telling.push()
        await back()
        await a.telling.present_again()

    with killed_after(TELLING, survived, monkeypatch) as left:
        killed = await dies(go)
        assert killed == (survived < ALL)
        assert killed or left() == 0, "every step was tried"
    await a.stop()
    if first:
        await a.start()
        await a.telling.push()
        await back()
    else:
        await a.start()
        await back()
        await a.telling.push()
    await a.telling.present_again()
    assert await b.knows(user)
    assert await waiting(sides) == {}
    sides.clock.advance(seconds=1)
    await a.revoke(1)
    await a.telling.push()
    assert not await b.knows(user)


@pytest.mark.parametrize("survived", range(6))
async def test_killed_at_any_line_who_admits_again_is_asked_again(
    sides: Sides, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = sides.a, sides.b
    user = await revoked(sides)
    await a.attest(1)
    passport = await a.crossing.present(user, B)
    steps = [(Crossing, "check"), (Crossing, "take"), (Abroad, "admit"), (Journal, "note"), (b.crossing, "_publish")]
    with killed_after(steps, survived, monkeypatch) as left:
        killed = await dies(lambda: b.answers.returned(A, {"attestation": passport}))
        assert killed == (survived < 5)
        assert killed or left() == 0, "every step was tried"
    await b.stop()
    await b.start()
    await a.telling.present_again()
    assert await b.knows(user)
    assert await b.abroad.leaving() == []
    assert await waiting(sides) == {}
