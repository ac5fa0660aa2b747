"""Whoever a new directory lacks, asked of ANS's FHIR API: what it settles, and its silence; on both databases."""

from __future__ import annotations

from colloque.directory.fhir_records import FhirPerson
from colloque.identity import Rpps
from colloque.policy.presence import State
from tests.extracts import rpps
from tests.servers.verification import ADMIN, BEGIN, House, a_house, user  # noqa: F401 - a fixture


def fhir_person(number: int, *, active: bool) -> FhirPerson:
    fields = dict.fromkeys(FhirPerson.__dataclass_fields__)
    fields |= {
        "rpps": Rpps(rpps(number)),
        "active": active,
        "doubts": (),
        "activities": (),
        "mailboxes": (),
        "asked_at": BEGIN,
        "family_name": f"NOM{number}",
    }
    return FhirPerson(**fields)  # type: ignore[arg-type]


async def test_fhir_settles_where_it_answers(house: House) -> None:
    house.fhir = {rpps(3): fhir_person(3, active=True), rpps(4): fhir_person(4, active=False)}
    await house.day(without=(3, 4))
    assert await house.state(3) is State.DOUBTED
    assert await house.state(4) is State.MISSING
    assert house.server.told(3) == []
    assert house.acts("person.contradiction") == [("note", "")]
    assert house.acts("person.inactive") == []
    await house.day(without=(3, 4))
    assert house.acts("person.contradiction") == [("note", "")]
    assert house.acts("person.inactive") == [("note", "")]
    assert not house.snapshot()[user(4)].is_valid(house.clock.now()), "twice inactive: their access ends"
    await house.closing.run_once()
    assert [act for act, who in house.server.acts if who == user(4)] == ["lock", "close", "evict inactive"]
    house.fhir.clear()
    await house.day(without=(3, 4))
    assert await house.state(3) is State.MISSING


async def test_whoever_is_active_again_stays_out_until_an_administrator_says_so(house: House) -> None:
    async def listed_again() -> int:
        return sum(i.key.startswith("ended.listed.") for i in await house.incidents.unposted())

    house.fhir = {rpps(4): fhir_person(4, active=False)}
    for _ in range(9):
        await house.day(without=(4,))
        await house.closing.run_once()
    assert await house.state(4) is State.GONE
    assert len(house.server.told(4)) == 1, "that they are missing; once revoked they read nothing any more"
    assert await listed_again() == 0
    house.fhir.clear()
    await house.day()
    await house.day()
    await house.closing.run_once()
    assert await listed_again() == 1, "the administrators, once"
    assert len(house.server.told(4)) == 1
    held = await house.people.attestation_of(user(4))
    assert held is not None
    assert await house.endings.barred(user(4), held.rpps)
    assert not house.snapshot()[user(4)].is_valid(house.clock.now())
    assert "L'accès est rendu" in await house.closing.give_back(user(4), actor=ADMIN)
    await house.closing.run_once()
    assert house.snapshot()[user(4)].is_valid(house.clock.now())
    assert not house.snapshot()[user(4)].frozen
    assert await house.presences.all() == {}


async def test_a_silent_fhir_is_left_alone_soon(house: House) -> None:
    await house.day(without=tuple(range(10)))
    await house.verification.confirm(ADMIN)
    house.asked.clear()
    await house.verification.run_once()
    assert len(house.asked) == 2
    assert len(await house.presences.all()) == 10
