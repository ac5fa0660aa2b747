"""The annuaire service's tables, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colloque.attestation import Attestation, Method
from colloque.identity import EventId, MssanteAddress, Rpps, UserId
from colloque_annuaire.store.people import Code, People, RefusedAct
from colloque_annuaire.store.tables import annuaire_upgrades
from tests.servers.databases import Opener

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ANNE, PAUL = UserId("@anne:h.test"), UserId("@paul:h.test")
RPPS, OTHER = Rpps("89900000008"), Rpps("89900000016")


@pytest.fixture
async def people(opened: Opener) -> People:
    return People(await opened(annuaire_upgrades(), "colloque_annuaire"))


def code(event: str, user: UserId = ANNE, rpps: Rpps = RPPS) -> Code:
    return Code(EventId(event), user, rpps, MssanteAddress("a@m.mssante.test"), NOW + timedelta(minutes=2), 0, "open")


def attestation(user: UserId = ANNE, rpps: Rpps = RPPS) -> Attestation:
    return Attestation(user, rpps, "Dr Anne", Method.MAILBOX_CODE, NOW, NOW + timedelta(days=1))


async def test_accounts_are_welcomed_once(people: People) -> None:
    await people.saw_account(ANNE)
    assert await people.to_welcome(NOW) == []
    await people.saw_account(ANNE, NOW)
    await people.saw_account(ANNE)
    assert await people.to_welcome(NOW) == [ANNE]
    assert await people.to_welcome(NOW + timedelta(seconds=1)) == []
    await people.welcomed(ANNE)
    assert await people.to_welcome(NOW) == []


async def test_a_new_code_supersedes_the_one_before(people: People) -> None:
    await people.add_code(code("$1"), NOW)
    await people.add_code(code("$2"), NOW + timedelta(seconds=1))
    await people.add_code(code("$3", PAUL, OTHER), NOW + timedelta(seconds=2))
    newest = await people.newest_code(ANNE)
    assert newest is not None
    assert (newest.event, newest.state, newest.expires_at) == ("$2", "open", NOW + timedelta(minutes=2))
    first = await people.code_asked_by(EventId("$1"))
    assert first is not None
    assert first.state == "superseded"
    assert await people.codes_since(NOW, user=ANNE, rpps=RPPS) == (2, 2)
    assert await people.codes_since(NOW + timedelta(seconds=1), user=PAUL, rpps=RPPS) == (1, 1)
    assert await people.newest_code(UserId("@nobody:h.test")) is None


async def test_wrong_answers_kill_a_code(people: People) -> None:
    await people.add_code(code("$1"), NOW)
    assert [await people.count_try(EventId("$1"), 3) for _ in range(4)] == [2, 1, 0, 0]
    dead = await people.newest_code(ANNE)
    assert dead is not None
    assert dead.state == "dead"


async def test_an_attestation_and_the_serial_move_together(people: People) -> None:
    await people.attest(attestation(), EventId("$answer"))
    assert await people.all_attestations() == (1, [attestation()])
    assert await people.attested_by_event(EventId("$answer")) == attestation()
    assert await people.holder_of(RPPS) == ANNE
    assert await people.holder_of(OTHER) is None
    assert await people.names_to_set() == [attestation()]
    await people.name_set(ANNE)
    assert await people.names_to_set() == []
    await people.attest(attestation(), EventId("$again"))
    assert (await people.all_attestations())[0] == 2
    assert await people.names_to_set() == [attestation()]


async def test_no_second_account_becomes_the_same_person(people: People) -> None:
    await people.attest(attestation(), EventId("$a"))
    with pytest.raises(Exception, match=r"(?i)unique"):
        await people.attest(attestation(PAUL), EventId("$b"))
    assert (await people.all_attestations())[0] == 1


async def test_refusals_wait_until_they_are_told(people: People) -> None:
    first, second = (RefusedAct(n, ANNE, PAUL, "invite", "other_unverified") for n in ("a", "b"))
    await people.add_refusal(second, NOW + timedelta(seconds=1))
    await people.add_refusal(first, NOW)
    assert await people.refusals() == [first, second]
    await people.refusal_told("a")
    assert await people.refusals() == [second]
