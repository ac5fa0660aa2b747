"""What the directory says of somebody's work, as a document's header tells it; what it does not say is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from colloque.identity import luhn_key
from colloque.mail.hl7 import IDNPS, IDNST, Coded, Identifier
from colloque.mail.standing import agent_of, keeper_of, standings
from colloque.professional import Activity
from tests.servers.annuaire import activity, doctor, rpps

FINESS = "54000001" + luhn_key("54000001")
CLINIC = replace(activity("NANCY", "CLINIQUE D'ESSAI", mode="S"), sector_code="SA04", structure_id=f"F{FINESS}")
ALONE = replace(activity("NANCY"), sector_code="SA07")


def test_a_place_with_its_national_number() -> None:
    person = doctor(1, "ESSAI", "Anne", CLINIC)
    (found,) = standings(person)
    assert found.role == Coded("G15_10", "1.2.250.1.213.1.1.4.5", "Médecin")
    assert found.facility == Coded("SA04", "1.2.250.1.71.4.2.4", "Etablissement privé non PSPH")
    assert found.practice == Coded("ETABLISSEMENT", "1.2.250.1.213.1.1.4.9", "Etablissement de santé")
    assert found.place is not None
    assert (found.place.name, found.place.number) == ("CLINIQUE D'ESSAI", Identifier(IDNST, f"1{FINESS}"))
    assert keeper_of(person, found) == found.place
    author = agent_of(person, found, None)
    assert author.number == Identifier(IDNPS, f"8{rpps(1).value}")
    assert author.rpps == rpps(1)
    assert author.label == "Dr Anne ESSAI"
    assert author.organization == found.place


def test_who_works_in_no_structure_keeps_their_documents_themselves() -> None:
    person = doctor(1, "ESSAI", "Anne", ALONE)
    (found,) = standings(person)
    assert found.place is None
    assert (found.facility.label, found.practice.code) == ("Cabinet individuel", "AMBULATOIRE")
    assert keeper_of(person, found).name == "Dr Anne ESSAI"
    assert keeper_of(person, found).number is None


@pytest.mark.parametrize("number", ["", "F", "F750000001", f"C{FINESS}", "R10000000800887"])
def test_a_structures_number_that_is_no_finess_is_not_made_into_one(number: str) -> None:
    (found,) = standings(doctor(1, "ESSAI", "Anne", replace(CLINIC, structure_id=number)))
    assert found.place is not None
    assert found.place.number is None


@pytest.mark.parametrize(
    "odd",
    [
        replace(ALONE, sector_code=""),
        replace(ALONE, sector_code="SA24"),
        replace(ALONE, profession_code="71"),
        replace(ALONE, category_code="E"),
    ],
)
def test_what_no_list_holds_is_no_standing(odd: Activity) -> None:
    """A sector that is not told or is no place of care, a profession that has no code there, a student."""
    assert standings(doctor(1, "ESSAI", "Anne", odd)) == ()


def test_each_once_and_apart() -> None:
    found = standings(doctor(1, "ESSAI", "Anne", CLINIC, ALONE, replace(CLINIC, specialty_code="SM26"), CLINIC))
    assert [each.facility.code for each in found] == ["SA04", "SA07"]
    assert len({each.key for each in found}) == 2
