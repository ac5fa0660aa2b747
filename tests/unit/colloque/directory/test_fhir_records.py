"""FHIR resources read by value: both generations of identifiers, both shapes of mailboxes, odd and hostile ones."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.directory.fhir_bundle import FhirNonsense, bundle, issue_code
from colloque.directory.fhir_parts import mailboxes, numbers_of, tokens
from colloque.directory.fhir_records import FhirPerson, missing_organizations, person
from colloque.errors import BadIdentifier
from colloque.identity import Adeli, Rpps
from colloque.professional import Activity, Card, MailboxKind
from tests.servers import fhir_people as made

NOW = datetime(2026, 3, 3, 9, tzinfo=UTC)
ONE, TWO = Rpps(made.rpps(1)), Rpps(made.rpps(2))
OLD = Adeli("991234567")
MAILBOX = "alix@medecin.mssante.example"


def read(*resources: made.Json, number: Rpps | Adeli = ONE) -> FhirPerson:
    found = person(number, resources, NOW)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("ids", "numbers"),
    [
        (made.rpps_ids(ONE.value), {ONE}),
        (made.old_rpps_ids(ONE.value), {ONE}),
        (made.adeli_ids(OLD.value), {OLD}),
        (made.rpps_ids(ONE.value) + made.adeli_ids(OLD.value), {ONE, OLD}),
        (made.rpps_ids(ONE.value)[:1], {ONE}),
        ([made.identifier("RPPS", "urn:unknown", ONE.value)], {ONE}),
        ([made.identifier("RPPS", "urn:unknown", ONE.value, types="urn:other")], set()),
        ([made.identifier("IDNPS", "urn:oid:1.2.250.1.71.4.2.1", "3" + ONE.value)], set()),
        ([made.identifier("RPPS", "https://rpps.esante.gouv.fr", ONE.value[:-1])], set()),
        ([{"system": "https://rpps.esante.gouv.fr", "value": 7}], set()),
        ([{"system": [], "type": {"coding": [{"system": {}, "code": []}]}, "value": ONE.value}], set()),
    ],
)
def test_numbers_of_old_and_new_systems(ids: list[made.Json], numbers: set[Rpps | Adeli]) -> None:
    assert numbers_of({"identifier": ids}, test=False) == numbers


def test_only_new_systems_are_sent() -> None:
    for number in (ONE, OLD):
        assert "http://" not in tokens(number)
    assert tokens(OLD) == f"urn:oid:1.2.250.1.71.4.2.1|0{OLD.value},https://adeli.esante.gouv.fr|{OLD.value}"


@pytest.mark.parametrize("shape", ["concept", "code"])
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("kind", list(MailboxKind))
def test_mailboxes_in_both_shapes(shape: str, mixed: bool, kind: MailboxKind) -> None:
    (box,) = mailboxes({"telecom": [made.mailbox(MAILBOX, kind, shape=shape, mixed=mixed)]}, rpps=ONE)
    assert (box.address.value, box.kind) == (MAILBOX, kind)
    assert box.rpps == (ONE if kind is MailboxKind.PER else None)


def without(telecom: made.Json, place: int) -> made.Json:
    return telecom | {"extension": [e for i, e in enumerate(telecom["extension"]) if i != place]}


@pytest.mark.parametrize(
    "telecom",
    [
        made.mail("accueil@chu.example"),
        made.mailbox(MAILBOX, "PER") | {"system": "phone"},
        without(made.mailbox(MAILBOX, "PER"), 0),
        without(made.mailbox(MAILBOX, "PER"), 1),
        made.mailbox(MAILBOX, "XYZ"),
        made.mailbox("not an address", "PER"),
        made.mailbox("279035121518989@patient.mssante.example", "PER"),
        {"system": "email", "value": MAILBOX, "extension": "x"},
    ],
)
def test_what_is_no_mssante_mailbox_stays_out(telecom: made.Json) -> None:
    assert list(mailboxes({"telecom": [telecom]}, rpps=ONE)) == []


def test_an_organizations_mailboxes_are_nobodys_own() -> None:
    who = read(
        made.practitioner("p1", made.rpps_ids(ONE.value), telecom=[made.mailbox("cab@x.mssante.example", "CAB")]),
        made.role("r1", "p1", "o1"),
        made.organization("o1", "CHU", telecom=[made.mailbox("cardio@x.mssante.example", "ORG")]),
    )
    assert [(b.kind, b.rpps) for b in who.mailboxes] == [(MailboxKind.CAB, None)]
    assert who.professional is not None
    assert who.professional.personal_mailboxes == ()


def test_activities_say_what_the_extraction_says() -> None:
    who = read(
        made.practitioner("p1", made.rpps_ids(ONE.value)),
        made.role("r1", "p1", "o1"),
        made.organization("o1", "CHU", "54511 VANDOEUVRE-LES-NANCY CEDEX", "54511"),
    )
    assert who.activities == (
        Activity(
            profession_code="10",
            profession="Médecin",
            category_code="C",
            specialty_code="SM04",
            specialty="Cardiologie",
            mode_code="L",
            structure="CHU",
            structure_id="F754567860",
            postcode="54511",
            town="VANDOEUVRE-LES-NANCY",
        ),
    )
    assert [(s.type_code, s.code) for s in who.skills] == [("S", "SM04")]


def test_a_role_may_name_its_own_profession_and_absolute_references() -> None:
    code = [{"coding": [made.coding("G15", "21"), made.coding("R09", "M"), made.coding("R23", "S")]}]
    who = read(
        made.practitioner("p1", made.rpps_ids(ONE.value), qualification=[made.profession("10"), made.profession("21")]),
        made.role("r1", "p1", "o1", code=code, practitioner={"reference": "https://x.example/fhir/v2/Practitioner/p1"}),
        made.role("r2", "p1", "o1"),
        made.organization("o1", "CHU"),
    )
    told = [(a.profession_code, a.category_code, a.mode_code) for a in who.activities]
    assert told == [("21", "M", "S"), ("10", "C", "L"), ("21", "C", "L")]


def test_somebody_who_works_nowhere_keeps_their_profession() -> None:
    who = read(made.practitioner("p1", made.rpps_ids(ONE.value)))
    assert [(a.profession_code, a.structure) for a in who.activities] == [("10", "")]


def test_two_exercises_make_one_person_active_when_one_is() -> None:
    ended = made.deleted("p1", made.rpps_ids(ONE.value))
    other = made.practitioner("p2", made.rpps_ids(ONE.value), qualification=[made.profession("21")])
    assert read(ended, other).active
    assert [a.profession_code for a in read(ended, other).activities] == ["21"]
    assert not read(ended, made.deleted("p3", made.rpps_ids(ONE.value))).active


def test_contradictions_inside_fhir_are_doubts() -> None:
    first = made.practitioner("p1", made.rpps_ids(ONE.value))
    twice = made.practitioner("p2", [*made.rpps_ids(ONE.value), *made.rpps_ids(TWO.value)])
    assert read(first, made.practitioner("p2", made.rpps_ids(ONE.value), "MARTÉNOT")).doubts == ()
    assert read(first, made.practitioner("p2", made.rpps_ids(ONE.value), "OLIVEREAU")).doubts == ("name",)
    assert read(twice).doubts == ("identifier",)


@pytest.mark.parametrize(
    "resource",
    [
        made.practitioner("p1", made.rpps_ids(TWO.value)),
        made.practitioner("p1", []),
        made.practitioner("p1", made.rpps_ids(ONE.value), active="false"),
        made.practitioner("p1", made.rpps_ids(ONE.value), name=[{"given": ["Alix"]}]),
    ],
)
def test_what_answers_another_question_is_refused(resource: made.Json) -> None:
    with pytest.raises(FhirNonsense) as refused:
        person(ONE, [resource], NOW)
    assert ONE.value not in str(refused.value)
    assert TWO.value not in str(refused.value)


def test_a_bare_ended_exercise_counts_only_when_it_is_alone() -> None:
    assert not read(made.deleted("p1")).active
    with pytest.raises(FhirNonsense):
        person(ONE, [made.deleted("p1"), made.deleted("p2")], NOW)


def test_the_usual_name_and_its_title() -> None:
    names = [
        {"use": "old", "family": "AUTREFOIS", "given": ["Alix"]},
        {"use": "usual", "family": "MARTENOT", "given": ["Alix", "Maude"], "prefix": ["M"], "suffix": ["PR"]},
    ]
    who = read(made.practitioner("p1", made.rpps_ids(ONE.value), name=names))
    assert (who.family_name, who.given_name, who.title) == ("MARTENOT", "Alix Maude", "Professeur")


def test_cards_with_their_opposition() -> None:
    cards = [
        made.card("1"),
        made.card("2", opposed="2026-02-01"),
        {"url": f"{made.AS}/as-ext-smartcard"},
        {"url": "urn:x"},
    ]
    days = date(2024, 2, 21), date(2027, 2, 21)
    assert read(made.practitioner("p1", made.rpps_ids(ONE.value), extension=cards)).cards == (
        Card("1", "CPS", *days, None),
        Card("2", "CPS", *days, date(2026, 2, 1)),
    )


def test_the_latest_change_counts() -> None:
    who = read(made.practitioner("p1", made.rpps_ids(ONE.value)), made.role("r1", "p1", "o1"))
    assert who.updated_at == datetime(2026, 3, 1, 18, tzinfo=UTC)
    bare = made.practitioner("p1", made.rpps_ids(ONE.value), meta={"lastUpdated": "yesterday"})
    assert read(bare).updated_at is None


def test_which_organizations_are_still_to_be_asked_for() -> None:
    found = [
        made.role("r1", "p1", "o1"),
        made.role("r2", "p1", "o2"),
        made.role("r3", "p1", "o3", active=False),
        made.role("r4", "p1", "o4", organization={}),
        made.organization("o1", "X"),
    ]
    assert missing_organizations(found) == {"Organization/o2"}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"resourceType": "OperationOutcome", "issue": [{"code": "not-found", "diagnostics": "x"}]}', "not-found"),
        (b'{"resourceType": "OperationOutcome", "issue": [{"code": "89900000000"}, {"code": "login"}]}', "login"),
        (b'{"resourceType": "OperationOutcome"}', ""),
        (b'{"issue": [{"code": "login"}]}', ""),
        (b"Bad Gateway", ""),
    ],
)
def test_of_an_outcome_only_a_code_is_kept(raw: bytes, code: str) -> None:
    assert issue_code(raw) == code


NAMES = ["identifier", "system", "value", "type", "coding", "code", "family", "active", "telecom", "extension", "url"]
NAMES += ["valueCode", "qualification", "practitioner", "reference", "address", "city", "meta", "lastUpdated"]
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([ONE.value, "8" + ONE.value]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ELEMENTS = ["identifier", "active", "name", "telecom", "extension", "qualification", "meta", "code", "practitioner"]


@given(st.sampled_from(["Practitioner", "PractitionerRole", "Organization"]), st.sampled_from(ELEMENTS), JSON)
def test_no_shape_breaks_the_reader(kind: str, element: str, value: Any) -> None:
    """Whatever stands in an element: a person, nobody, or a clear refusal."""
    sound = [
        made.practitioner("p1", made.rpps_ids(ONE.value)),
        made.role("r1", "p1", "o1"),
        made.organization("o1", "CHU"),
    ]
    odd = [r | {element: value} if r["resourceType"] == kind else r for r in sound]
    try:
        page = bundle(json.dumps(made.bundle(odd)).encode())
        found = person(ONE, page.resources, NOW)
    except FhirNonsense:
        return
    assert found is not None
    assert found.rpps == ONE


@given(st.binary(max_size=200))
def test_no_bytes_break_the_bundle(raw: bytes) -> None:
    with pytest.raises(FhirNonsense):
        bundle(raw)


def test_fictive_numbers_need_the_test_mode() -> None:
    fictive = "10003461033"
    with pytest.raises(BadIdentifier):
        Rpps.parse(fictive)
    resource = {"identifier": made.rpps_ids(fictive)}
    assert numbers_of(resource, test=False) == set()
    assert numbers_of(resource, test=True) == {Rpps(fictive)}
