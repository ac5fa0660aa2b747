"""First contacts of people on two servers, over real HTTP; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from colloque.errors import BadInput, HomeUnavailable, Refused
from colloque.identity import UserId
from tests.servers.annuaire import doctor
from tests.servers.sides import Sides, acts


async def test_two_people_meet_and_both_servers_know_both(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    await b.meet()
    assert await a.knows(b.user(2))
    assert await b.knows(a.user(1))
    assert a.published >= 1
    assert b.published >= 1
    assert a.rooms.opened == [(a.user(1), b.user(2))]
    [told] = a.rooms.told(a.user(1))
    assert "Dr Anne NOM2" in told
    assert "https://matrix.to" in told or "!direct" in told
    [heard] = b.rooms.told(b.user(2))
    assert heard.startswith("Dr Anne NOM1")
    assert ("remote.meet", "remote_known") in acts(sides)
    remote = await a.abroad.remote(b.user(2))
    assert remote is not None
    assert (remote.attestation.professions, remote.attestation.category) == (("10",), "C")


async def test_meeting_again_changes_nothing_and_tells_the_other_nothing(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    for _ in range(2):
        await a.refused(a.user(1), b.user(2))
        await a.meet()
        await b.meet()
    assert len(b.rooms.told(b.user(2))) == 1


async def test_an_invitation_from_elsewhere_is_looked_into_and_ours_is_told(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await b.refused(a.user(1), b.user(2))
    await b.meet()
    assert await b.knows(a.user(1))
    [told] = b.rooms.told(b.user(2))
    assert "La prochaine invitation arrivera" in told
    assert b.rooms.opened == []


@pytest.mark.parametrize(
    ("which", "code"),
    [
        ("theirs_unverified", "remote_unverified"),
        ("ours_unverified", "actor_unverified"),
        ("not_listed", "remote_not_listed"),
        ("away", "federation.peer_unavailable"),
        ("name", "directory_name"),
        ("unknown", "directory_unknown"),
        ("stale", "directory_stale"),
        ("their_stale", "asker.directory_stale"),
        ("taken", "rpps_has_account"),
    ],
)
async def test_who_does_not_meet(sides: Sides, which: str, code: str) -> None:
    a, b = sides.a, sides.b
    if which != "ours_unverified":
        await a.attest(1)
    if which != "theirs_unverified":
        await b.attest(2)
    if which == "taken":
        await a.attest(2)
    if which == "away":
        await b.stop()
    if which == "name":
        a.directory.people[1] = doctor(2, "AUTRE", "Anne")
    if which == "unknown":
        del a.directory.people[1]
    a.directory.old = timedelta(days=8 if which == "stale" else 0)
    b.directory.old = timedelta(days=8 if which == "their_stale" else 0)
    other = UserId("@p2:nowhere.test") if which == "not_listed" else b.user(2)
    await a.refused(a.user(1), other)
    await a.meet()
    assert not await a.knows(other)
    assert a.rooms.opened == []
    [told] = a.rooms.told(a.user(1))
    assert f"({code})" in told
    if which in {"theirs_unverified", "ours_unverified", "their_stale"}:
        assert not await b.knows(a.user(1))


async def test_nobody_learns_of_an_account_without_an_attested_person_of_their_own(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await b.attest(2)
    entry = a.keeper.entry("chu-b.test")
    assert entry is not None

    async def ask(**body: object) -> str:
        try:
            await a.peers.ask(entry, "attestation", body)
        except Refused as error:
            return error.reason
        except BadInput:
            return "bad"
        return "answered"

    assert await ask(user=b.user(2), presented=None) == "asker_missing"
    assert await ask(user=b.user(3), presented=None) == "asker_missing"
    assert await ask(user=b.user(2), presented="x.y.z") == "bad"
    assert await ask(user=b.user(2), presented=7) == "bad"
    for user in (a.user(1), "@p2", None, ["@p2:chu-b.test"]):
        assert await ask(user=user, presented=None) == "bad"
    forged = replace(await a.attest(1))
    passport = await a.crossing.present(forged.user, "chu-b.test")
    await a.revoke(1)
    await a.telling.push()
    assert await ask(user=b.user(2), presented=passport) == "answered", "signed, and not revoked as far as B knows"


async def test_what_was_reported_outlives_a_crash_before_it_was_told(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    await a.refused(a.user(1), b.user(2))
    await a.stop()
    await a.start()
    a.rooms.errors = [HomeUnavailable("x")]
    await a.meet()
    assert len(a.rooms.told(a.user(1))) == 1


async def test_a_client_that_tries_for_ever_is_not_told_for_ever(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    for _ in range(20):
        await a.refused(a.user(1), b.user(2))
        await a.meet()
    assert len(a.rooms.told(a.user(1))) <= 5


async def test_reports_about_nobody_of_ours_are_dropped(sides: Sides) -> None:
    a, b = sides.a, sides.b
    strangers = [(b.user(1), b.user(2)), (a.user(1), a.user(2)), (UserId(""), b.user(2))]
    acts = [{"actor": actor, "other": other, "act": "invite", "reason": "remote_unknown"} for actor, other in strangers]
    acts += [{"actor": a.user(1), "other": b.user(2), "act": "invite", "reason": "other_frozen"}, {"actor": 7}]
    acts += [{"actor": b.user(1), "other": a.user(2), "act": "invite", "reason": "room_local"}]
    assert await a.meetings.note(acts) == acts
    assert await a.own.meetings() == []


async def test_a_conversation_with_somebody_known_is_opened_by_our_bot(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await a.attest(1)
    await b.attest(2)
    for reason in ("remote_unknown", "room_local"):
        await a.refused(a.user(1), b.user(2), reason)
        await a.meet()
    assert a.rooms.opened == [(a.user(1), b.user(2))] * 2
