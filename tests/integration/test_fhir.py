"""The FHIR client against a server that answers in the real shapes; its troubles are in `test_fhir_trouble`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from colloque.clock import FrozenClock
from colloque.config import FhirConfig
from colloque.directory.fhir import Fhir
from colloque.directory.settle import Absent, Silent
from colloque.errors import BadIdentifier
from colloque.files import write_private
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import MailboxKind
from tests.servers.fhir import FhirServer
from tests.servers.fhir_client import (  # noqa: F401 - fixtures
    NOW,
    ONE,
    Make,
    answer,
    everything,
    fhir_http,
    fhir_make,
    fhir_server,
    refuse,
)
from tests.servers.fhir_people import (
    adeli_ids,
    bundle,
    card,
    deleted,
    mailbox,
    old_rpps_ids,
    organization,
    practitioner,
    role,
    rpps_ids,
)
from tests.waiting import until


async def test_a_person_with_places_mailboxes_and_numbers(server: FhirServer, make: Make) -> None:
    server.resources = everything()
    who = await make().person(ONE)
    assert who is not None
    assert who.active
    assert (who.rpps, who.family_name, who.title, who.asked_at) == (ONE, "MARTENOT", "Docteur", NOW)
    assert {(a.structure, a.mode_code, a.town) for a in who.activities} == {
        ("CABINET DES TILLEULS", "L", "NANCY"),
        ("CHU", "S", "NANCY"),
    }
    assert {(b.address.value, b.kind.value, b.structure, b.rpps) for b in who.mailboxes} == {
        ("alix@medecin.mssante.example", "PER", "", ONE),
        ("alix@chu.mssante.example", "PER", "CHU", ONE),
    }
    assert who.professional is not None
    assert who.professional.display_name == "Dr Alix MARTENOT · médecin · NANCY"


async def test_numbers_never_stand_in_addresses_and_only_new_systems_are_sent(server: FhirServer, make: Make) -> None:
    server.resources = everything()
    await make().person(ONE)
    assert [method for method, _, _ in server.calls] == ["POST", "POST"]
    assert not any(ONE.value in path for _, path, _ in server.calls)
    sent = dict(server.calls[0][2])["identifier"]
    assert sent == f"urn:oid:1.2.250.1.71.4.2.1|8{ONE},https://rpps.esante.gouv.fr|{ONE}"


async def test_what_v1_wrote_is_found_and_read(server: FhirServer, make: Make) -> None:
    server.resources = [practitioner("p1", old_rpps_ids(ONE.value))]
    who = await make().person(ONE)
    assert who is not None
    assert who.rpps == ONE


async def test_an_adeli_that_became_an_rpps(server: FhirServer, make: Make) -> None:
    old = Adeli("991234567")
    server.resources = [practitioner("p1", adeli_ids(old.value) + rpps_ids(ONE.value))]
    who = await make().person(old)
    assert who is not None
    assert (who.rpps, who.adeli) == (ONE, old)


@pytest.mark.parametrize("ids", [rpps_ids(ONE.value), None])
async def test_an_ended_exercise_is_inactive(
    server: FhirServer, make: Make, ids: list[dict[str, object]] | None
) -> None:
    server.faults.append(answer(json.dumps(bundle([deleted("p1", ids)]))))
    who = await make().person(ONE)
    assert who is not None
    assert (who.active, who.professional, who.asked_at) == (False, None, NOW)


async def test_nobody_is_an_absence_with_its_time(server: FhirServer, make: Make) -> None:
    fhir = make()
    assert await fhir.person(ONE) is None
    assert await fhir.word(ONE) == Absent(NOW)


async def test_every_page_is_read(server: FhirServer, make: Make) -> None:
    server.page = 2
    places = [organization(f"o{i}", f"CENTRE {i}") for i in range(7)]
    server.resources = [
        practitioner("p1", rpps_ids(ONE.value)),
        *(role(f"r{i}", "p1", f"o{i}") for i in range(7)),
        *places,
    ]
    who = await make().person(ONE)
    assert who is not None
    assert {a.structure for a in who.activities} == {f"CENTRE {i}" for i in range(7)}
    assert [method for method, _, _ in server.calls] == ["POST", "POST", "GET", "GET", "GET"]


async def test_a_page_of_ten_thousand_entries(server: FhirServer, make: Make) -> None:
    crowd = [role(f"r{i}", "p1", "o1", telecom=[mailbox(f"a{i}@x.mssante.example", "PER")]) for i in range(9_998)]
    server.faults.append(
        answer(json.dumps(bundle([practitioner("p1", rpps_ids(ONE.value)), organization("o1", "X"), *crowd])))
    )
    who = await make().person(ONE)
    assert who is not None
    assert len(who.mailboxes) == 9_998
    assert len(server.calls) == 1


async def test_a_total_that_lies_changes_nothing(server: FhirServer, make: Make) -> None:
    server.faults.append(answer(json.dumps(bundle([practitioner("p1", rpps_ids(ONE.value))], total=0))))
    assert await make().person(ONE) is not None


async def test_one_question_for_all_who_ask_it(server: FhirServer, make: Make) -> None:
    server.resources = [practitioner("p1", rpps_ids(ONE.value))]
    server.delay_s = 0.1
    fhir = make()
    assert len({id(who) for who in await asyncio.gather(*(fhir.person(ONE) for _ in range(20)))}) == 1
    assert len(server.calls) == 1
    await fhir.person(ONE)
    assert len(server.calls) == 1
    await fhir.person(ONE, fresh=True)
    assert len(server.calls) == 2


async def test_memory_ends(server: FhirServer, make: Make) -> None:
    fhir = make(keep_s=0.0)
    await fhir.person(ONE)
    await fhir.person(ONE)
    assert len(server.calls) == 2


async def test_one_who_gives_up_leaves_the_others_their_answer(server: FhirServer, make: Make) -> None:
    server.resources = [practitioner("p1", rpps_ids(ONE.value))]
    server.delay_s = 0.2
    fhir = make()
    first = asyncio.create_task(fhir.person(ONE))
    second = asyncio.create_task(fhir.person(ONE))

    async def under_way() -> bool:
        return len(server.calls) == 1

    await until(under_way, "the question is asked")
    first.cancel()
    assert await second is not None
    assert first.cancelled()


async def test_when_all_give_up_nothing_goes_on(server: FhirServer, make: Make) -> None:
    server.faults.extend(refuse(500) for _ in range(50))
    task = asyncio.create_task(make().person(ONE))

    async def under_way() -> bool:
        return len(server.calls) >= 1

    await until(under_way, "the question is asked")
    before = asyncio.all_tasks()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async def still() -> bool:
        return all(t.done() for t in before if "_fly" in repr(t))

    await until(still, "the question is given up", within=5)


async def test_whose_a_mailbox_is(server: FhirServer, make: Make) -> None:
    server.resources = everything()
    fhir = make()
    (own,) = await fhir.mailbox(MssanteAddress.parse("alix@chu.mssante.example"))
    assert (own.kind, own.rpps, own.structure) == (MailboxKind.PER, ONE, "CHU")
    (shared,) = await fhir.mailbox(MssanteAddress.parse("cardio@chu.mssante.example"))
    assert (shared.kind, shared.rpps, shared.structure) == (MailboxKind.ORG, None, "CHU")
    assert await fhir.mailbox(MssanteAddress.parse("personne@chu.mssante.example")) == ()
    assert all(name != "mailbox-mss:contains" for _, _, form in server.calls for name, _ in form)


async def test_a_mailbox_with_signs_of_the_search_language(server: FhirServer, make: Make) -> None:
    odd = MssanteAddress.parse("a$b|c@chu.mssante.example")
    server.resources = [organization("o1", "CHU", telecom=[mailbox(odd.value, "APP")])]
    (box,) = await make().mailbox(odd)
    assert (box.address, box.kind) == (odd, MailboxKind.APP)


async def test_cards_and_opposition(server: FhirServer, make: Make) -> None:
    extension = [card("3100345668"), card("3100345669", opposed="2026-02-01T10:00:00+01:00")]
    server.resources = [practitioner("p1", rpps_ids(ONE.value), extension=extension)]
    who = await make().person(ONE)
    assert who is not None
    assert [(c.number, c.kind, c.opposed_on is not None) for c in who.cards] == [
        ("3100345668", "CPS", False),
        ("3100345669", "CPS", True),
    ]


async def test_fictive_numbers_in_test_mode_only(
    server: FhirServer, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    fictive = "10003461033"
    with pytest.raises(BadIdentifier):
        Rpps.parse(fictive)
    server.resources = [practitioner("p1", rpps_ids(fictive))]
    write_private(tmp_path / "k", server.key)
    config, number = FhirConfig(key=tmp_path / "k", url=server.url), Rpps.parse(fictive, test=True)
    assert await Fhir(http, config, FrozenClock(NOW), test=True).person(number) is not None
    assert isinstance(await Fhir(http, config, FrozenClock(NOW)).word(number), Silent)
