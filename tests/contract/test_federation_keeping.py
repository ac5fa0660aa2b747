"""Two servers that know each other's people: renewals, revocations, lists; on both databases."""

from __future__ import annotations

import pytest

from colloque.errors import BadInput, Temporary
from colloque.policy.passport import LIFE, REFRESH_AFTER
from colloque_annuaire.federation.leaving import AGAIN_S
from colloque_annuaire.rules import pace
from tests.federation import listing
from tests.servers.sides import Sides, acts


async def test_a_revocation_reaches_every_server_that_knows_the_person(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    await a.telling.push()
    assert await b.knows(a.user(1)), "nobody was revoked"
    sides.clock.advance(seconds=1)
    await a.revoke(1)
    await a.telling.push()
    assert not await b.knows(a.user(1))
    await b.leaving.run_once()
    assert b.rooms.evicted == [(a.user(1), "revoked")]
    await b.leaving.run_once()
    assert len(b.rooms.evicted) == 1
    assert ("remote.revoke", "told") in acts(sides)
    assert ("remote.drop", "revoked") in acts(sides)
    assert await a.own.owed(sides.clock.now()) == {}


async def test_a_revocation_waits_for_a_server_that_is_away_also_through_a_restart(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    await b.stop()
    sides.clock.advance(seconds=1)
    await a.revoke(1)
    await a.telling.push()
    assert await a.own.owed(sides.clock.now()) == {"chu-b.test": [a.user(1)]}
    await a.stop()
    await a.start()
    await b.start()
    assert await b.knows(a.user(1))
    await a.telling.push()
    assert not await b.knows(a.user(1))


async def test_who_proves_themselves_again_is_admitted_again(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await b.attest(2)
    for _ in range(2):
        await a.attest(1)
        await a.refused(a.user(1), b.user(2))
        await a.meet()
        assert await b.knows(a.user(1))
        sides.clock.advance(seconds=1)
        await a.revoke(1)
        await a.telling.push()
        assert not await b.knows(a.user(1))
        sides.clock.advance(seconds=1)
    assert [leaver.user for leaver in await b.abroad.leaving()] == [a.user(1)]
    await a.attest(1)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    assert await b.abroad.leaving() == [], "back before they were out"


async def test_a_server_revokes_its_own_people_only(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    entry = b.keeper.entry("chu-a.test")
    assert entry is not None
    for revoked in (
        [{"user": a.user(1), "at": 0}],
        [{"user": b.user(2)}],
        [7],
        "all",
        [{"user": b.user(2), "at": 0}] * 101,
    ):
        with pytest.raises(BadInput):
            await b.peers.ask(entry, "revocations", {"revoked": revoked})
    assert await a.knows(b.user(2))


async def test_a_revocation_overtakes_a_passport_under_way(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    passport = await a.crossing.present(a.user(1), "chu-b.test")
    with b.crossing.exchange("chu-a.test"):
        checked = await b.crossing.check(passport, "chu-a.test")
        await a.revoke(1)
        await a.telling.push()
        await b.crossing.take(checked)
    assert not await b.knows(a.user(1))


async def test_people_are_asked_about_every_day_and_dropped_when_their_server_says_no(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    before = await a.abroad.remote(b.user(2))
    sides.clock.advance(seconds=REFRESH_AFTER.total_seconds() - 1)
    await a.upkeep.renew()
    assert await a.abroad.remote(b.user(2)) == before
    sides.clock.advance(seconds=1)
    await a.upkeep.renew()
    after = await a.abroad.remote(b.user(2))
    assert before is not None
    assert after is not None
    assert after.attestation.valid_until > before.attestation.valid_until
    sides.clock.advance(days=1)
    await b.revoke(2)
    await a.upkeep.renew()
    assert not await a.knows(b.user(2))
    assert [(each.user, each.reason) for each in await a.abroad.leaving()] == [(b.user(2), "revoked")]


async def test_known_people_outlive_an_outage_until_their_passport_ends(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    await b.stop()
    sides.clock.advance(seconds=LIFE.total_seconds() - 1)
    await a.upkeep.renew()
    assert await a.knows(b.user(2))
    sides.clock.advance(seconds=1)
    await a.upkeep.renew()
    assert not await a.knows(b.user(2))
    assert [(each.user, each.reason) for each in await a.abroad.leaving()] == [(b.user(2), "ended")]
    await b.start()


async def test_our_directory_losing_somebody_waits_for_their_own_server(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    del a.directory.people[1]
    sides.clock.advance(days=2)
    await a.upkeep.renew()
    assert await a.knows(b.user(2))
    sides.clock.advance(days=5)
    await a.upkeep.renew()
    assert not await a.knows(b.user(2))


async def test_removing_a_server_removes_its_people(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    published = a.published
    await sides.list(a)
    assert a.published > published
    assert not await a.knows(b.user(2))
    assert [(each.user, each.reason) for each in await a.abroad.leaving()] == [(b.user(2), "delisted")]
    [incident] = await a.incidents.unposted()
    assert "chu-b.test" in incident.text
    assert "admis ici : 1" in incident.text
    entry = b.keeper.entry("chu-a.test")
    assert entry is not None
    with pytest.raises(Temporary):
        await b.peers.ask(entry, "account", {})


async def test_a_list_that_ends_drops_nobody_and_admits_nobody(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await b.attest(3)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    sides.clock.advance(days=31)
    await a.upkeep.follow()
    assert await a.abroad.leaving() == []
    await a.refused(a.user(1), b.user(3))
    await a.meet()
    assert "(remote_not_listed)" in a.rooms.told(a.user(1))[-1]


async def test_what_a_withdrawn_key_signed_is_signed_anew_or_counts_for_nothing(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    b.member.kid = "k-2"
    await sides.list(a, b)
    await b.stop()
    await b.start()
    await a.upkeep.renew()
    kept = await a.abroad.remote(b.user(2))
    assert kept is not None
    assert kept.kid == "k-2"
    await b.stop()
    b.member.kid = "k-3"
    sides.version += 1
    sides.press.issue(listing(a.member, b.member, version=sides.version, now=sides.clock.now()))
    await a.upkeep.refresh(ordered=True)
    await a.upkeep.renew()
    assert not await a.knows(b.user(2))
    assert await a.abroad.leaving() == [], "they may come back when their server does"
    await b.start()


async def test_who_can_not_be_taken_out_yet_stays_on_the_list(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    now = pace.monotonic()
    # Moved by hand: on a slow disk the pause would be over too early.
    monkeypatch.setattr(pace, "monotonic", lambda: now)
    a, b = sides.a, sides.b
    await b.attest(2)
    await a.attest(1)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    await sides.list(a)
    a.rooms.stuck = 1
    await a.leaving.run_once()
    await a.stop()
    await a.start()
    assert [(each.user, each.reason) for each in await a.abroad.leaving()] == [(b.user(2), "delisted")]
    await a.leaving.run_once()
    a.rooms.stuck = 0
    tried = len(a.rooms.evicted)
    await a.leaving.run_once()
    assert len(a.rooms.evicted) == tried, "not at once"
    now += AGAIN_S[0]
    await a.leaving.run_once()
    assert await a.abroad.leaving() == []
