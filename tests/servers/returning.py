"""Somebody of server A whom server B knows, revoked and back: what the tests of returns share."""

from __future__ import annotations

from colloque.errors import ColloqueError, Refused
from colloque.identity import UserId
from colloque_annuaire.federation.answers import RETURNED
from colloque_annuaire.store.federation_returning import Back
from tests.servers.sides import Sides

A, B = "chu-a.test", "chu-b.test"


async def met(sides: Sides, days: float = 365) -> UserId:
    """Somebody of A whom B knows."""
    a, b = sides.a, sides.b
    await a.attest(1, days)
    await b.attest(2)
    await a.refused(a.user(1), b.user(2))
    await a.meet()
    assert await b.knows(a.user(1))
    sides.clock.advance(seconds=1)
    return a.user(1)


async def revoked(sides: Sides) -> UserId:
    """The same, revoked since, as B has heard."""
    user = await met(sides)
    await sides.a.revoke(1)
    await sides.a.telling.push()
    assert not await sides.b.knows(user)
    sides.clock.advance(seconds=1)
    return user


async def waiting(sides: Sides) -> dict[str, list[Back]]:
    return await sides.a.returns.due(sides.clock.now())


async def answer(sides: Sides, attestation: object) -> str:
    """What B says when A presents that."""
    entry = sides.a.keeper.entry(B)
    assert entry is not None
    try:
        await sides.a.peers.ask(entry, RETURNED, {"attestation": attestation})
    except ColloqueError as error:
        return error.reason if isinstance(error, Refused) else error.code
    return "taken"
