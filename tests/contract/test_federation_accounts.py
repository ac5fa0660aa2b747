"""One professional, one account: what two servers ask each other; on both databases."""

from __future__ import annotations

import pytest

from colloque.errors import BadInput, Refused
from colloque.identity import Rpps
from tests.servers.annuaire import doctor
from tests.servers.sides import Sides, acts


async def test_one_professional_has_one_account_in_the_federation(sides: Sides) -> None:
    a, b = sides.a, sides.b
    held = await b.attest(2)
    found = await a.accounts.elsewhere(held.rpps)
    assert [e.server for e in found.holders] == ["chu-b.test"]
    assert found.silent == ()
    other = await a.accounts.elsewhere((await b.attest(3)).rpps)
    assert [e.server for e in other.holders] == ["chu-b.test"]
    await b.revoke(3)
    nobody = await a.accounts.elsewhere(Rpps("89900000099"))
    assert (nobody.holders, nobody.silent) == ((), ())
    await b.stop()
    away = await a.accounts.elsewhere(held.rpps)
    assert away.holders == ()
    assert [e.server for e in away.silent] == ["chu-b.test"]
    await b.start()


async def test_an_account_moves_and_the_old_one_is_closed_everywhere(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await b.attest(2)
    await a.attest(1)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    sides.clock.advance(seconds=1)
    await a.attest(2)
    entry = a.keeper.entry("chu-b.test")
    assert entry is not None
    await a.accounts.move_here(a.user(2), entry)
    assert b.closed == [b.user(2)]
    held = await b.people.attestation_of(b.user(2))
    assert held is not None
    assert not held.is_valid(sides.clock.now())
    assert await b.knows(a.user(2))
    await b.telling.push()
    assert not await a.knows(b.user(2))
    await a.accounts.move_here(a.user(2), entry)
    assert b.closed == [b.user(2)]
    assert ("person.move_here", "nothing_there") in acts(sides)


async def test_nobody_moves_an_account_with_another_persons_attestation(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await b.attest(2)
    await a.attest(2)
    entry = a.keeper.entry("chu-b.test")
    assert entry is not None
    b.directory.people[1] = doctor(2, "AUTRE", "Anne")
    with pytest.raises(Refused, match="directory_name"):
        await a.accounts.move_here(a.user(2), entry)
    for body in ({}, {"attestation": 1}, {"attestation": "x.y.z"}):
        with pytest.raises(BadInput):
            await a.peers.ask(entry, "move", body)
    held = await b.people.attestation_of(b.user(2))
    assert held is not None
    assert held.is_valid(sides.clock.now())
