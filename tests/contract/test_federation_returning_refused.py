"""Who is not taken back, whatever another server presents: attacks, replays, our own reasons; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colloque.errors import BadInput
from colloque.federation.ed25519 import PrivateKey
from colloque.federation.http_client import Peers
from colloque.policy.exchange import Signer
from colloque.policy.passport import LIFE, REFRESH_AFTER, Passport, sign_passport
from colloque_annuaire.federation import telling
from colloque_annuaire.federation.answers import RETURNED
from colloque_annuaire.rules import pace
from tests.servers.annuaire import doctor, rpps
from tests.servers.returning import A, B, answer, met, revoked, waiting
from tests.servers.sides import Sides, acts


async def test_a_revocation_that_overtakes_a_return_wins(sides: Sides) -> None:
    a, b = sides.a, sides.b
    user = await revoked(sides)
    await a.attest(1)
    passport = await a.crossing.present(user, B)
    sides.clock.advance(seconds=1)
    await a.revoke(1)
    await a.telling.push()
    assert await answer(sides, passport) == "passport_revoked"
    assert not await b.knows(user)


async def test_an_attestation_from_before_the_revocation_brings_nobody_back(sides: Sides) -> None:
    a, b = sides.a, sides.b
    user = await met(sides)
    old = await a.crossing.present(user, B)
    sides.clock.advance(seconds=1)
    await a.revoke(1)
    await a.telling.push()
    assert await answer(sides, old) == "passport_revoked"
    # The same when B found out by asking.
    sides.clock.advance(seconds=1)
    await a.attest(1)
    await a.telling.present_again()
    old = await a.crossing.present(user, B)
    sides.clock.advance(seconds=REFRESH_AFTER.total_seconds())
    await a.revoke(1)
    await b.upkeep.renew()
    assert not await b.knows(user)
    assert await answer(sides, old) == "passport_revoked"
    sides.clock.advance(seconds=1)
    await a.attest(1)
    assert await answer(sides, await a.crossing.present(user, B)) == "taken"


async def test_nobody_comes_in_who_was_not_known(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await revoked(sides)
    await a.attest(3)
    never = await a.crossing.present(a.user(3), B)
    assert await answer(sides, never) == "not_known"
    del b.directory.people[2]
    assert await answer(sides, never) == "not_known", "nor is anything said of our directory"
    assert not await b.knows(a.user(3))


@pytest.mark.parametrize("why", ["rpps_has_account", "passport_too_long", "delisted", "key_withdrawn"])
async def test_nobody_comes_back_whom_we_ended_ourselves(sides: Sides, why: str) -> None:
    a, b = sides.a, sides.b
    user = await met(sides)
    await b.crossing.drop([user], why, leave=True)
    await a.revoke(1)
    await a.telling.push()
    sides.clock.advance(seconds=1)
    await a.attest(1)
    await a.telling.present_again()
    assert not await b.knows(user)
    assert await waiting(sides) == {}, "answered for good"
    assert ("remote.return", "not_known") in acts(sides)
    # Only a contact brings them in: then everything is looked at as the first time.
    await a.refused(user, b.user(2))
    await a.meet()
    assert await b.knows(user)


async def test_what_others_sign_or_forge_brings_nobody_back(sides: Sides) -> None:
    a, b = sides.a, sides.b
    user = await revoked(sides)
    await a.attest(1)
    now = sides.clock.now()
    whole = Passport(
        user=user,
        rpps=rpps(1),
        name="Dr Anne NOM1",
        professions=("10",),
        method="mailbox_code",
        kind="professional",
        issued_at=now,
        valid_until=now + LIFE,
    )
    stranger = Signer(A, a.member.kid, PrivateKey.generate().sign)
    good = sign_passport(a.member.signer, whole)
    for forged in (
        sign_passport(stranger, whole),
        sign_passport(b.member.signer, whole),
        good[:-8] + "AAAAAAAA",
        "x.y.z",
        "",
        None,
        7,
    ):
        assert await answer(sides, forged) == BadInput.code
    # Another listed server presents what A signed, and A what is B's.
    theirs = a.keeper.entry(B)
    assert theirs is not None
    as_b = Peers(http=a.http, us=b.member.signer, key_of=a.keeper.key_of, clock=sides.clock, ca=a.ca)
    with pytest.raises(BadInput):
        await as_b.ask(theirs, RETURNED, {"attestation": good})
    assert await answer(sides, await b.crossing.present(b.user(2), A)) == BadInput.code
    assert not await b.knows(user)
    assert await answer(sides, good) == "taken"


@pytest.mark.parametrize(
    ("which", "code"),
    [
        ("name", "directory_name"),
        ("unknown", "directory_unknown"),
        ("taken", "rpps_has_account"),
    ],
)
async def test_all_is_verified_as_the_first_time(sides: Sides, which: str, code: str) -> None:
    a, b = sides.a, sides.b
    user = await revoked(sides)
    if which == "name":
        b.directory.people[0] = doctor(1, "AUTRE", "Anne")
    if which == "unknown":
        del b.directory.people[0]
    if which == "taken":
        await b.attest(1)
    await a.attest(1)
    await a.telling.present_again()
    assert not await b.knows(user)
    assert await waiting(sides) == {}, "answered for good"
    assert ("remote.return", code) in acts(sides)


async def test_an_old_directory_there_is_waited_for(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    now = pace.monotonic()
    # Moved by hand: on a slow disk the pause would be over too early.
    for module in (pace, telling):
        monkeypatch.setattr(module, "monotonic", lambda: now)
    a, b = sides.a, sides.b
    user = await revoked(sides)
    await a.attest(1)
    b.directory.old = timedelta(days=8)
    await a.telling.present_again()
    assert len(await waiting(sides)) == 1
    b.directory.old = timedelta(0)
    await a.telling.present_again()
    assert not await b.knows(user), "tried again, but not at once"
    now += telling.WAIT_S[0]
    await a.telling.present_again()
    assert await b.knows(user), "presented again"
