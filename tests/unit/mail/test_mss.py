"""Subjects, file names and X-MSS- fields of mails with documents, as the référentiel writes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.errors import BadInput
from colloque.identity import MssanteAddress
from colloque.mail.cda import Act, Patient
from colloque.mail.hl7 import LOINC, Coded, Identifier, Moment
from colloque.mail.mss import PREFIX, headers, one_patient, parse_subject, pdf_name, plain, subject
from tests.clinical import DOCUMENT, INS_TEST, NUMBER, PATIENT

VIAL = replace(PATIENT, birth_family="Vial", birth_given="Paul", birth=Moment.parse("19781126"))
BIOLOGY = replace(DOCUMENT, patient=VIAL, type=Coded("11502-2", LOINC, "CR d'examens biologiques"))
DISCHARGE = replace(BIOLOGY, type=Coded("11490-0", LOINC, "Lettre de liaison à la sortie d'un établissement de soins"))
OTHER = replace(BIOLOGY, patient=replace(VIAL, ids=(Identifier(INS_TEST, "146026322000196"),)))
DOCTOR = MssanteAddress("anne@medecin.mssante.test")
MES = MssanteAddress(f"{NUMBER}@patient.mssante.test")


@pytest.mark.parametrize(
    ("documents", "written"),
    [
        ([BIOLOGY], "CR d'examens biologiques VIAL Paul 26/11/1978"),
        ([DISCHARGE], "Lettre de liaison à la sortie d'un établ VIAL Paul 26/11/1978"),
        ([BIOLOGY, DISCHARGE], "2 documents VIAL Paul 26/11/1978"),
        ([replace(BIOLOGY, patient=replace(VIAL, birth=None))], "CR d'examens biologiques VIAL Paul"),
        (
            [replace(BIOLOGY, patient=replace(VIAL, birth_family="Œuvré-D’Été", birth_given="Zoë"))],
            "CR d'examens biologiques OEUVRE-D'ETE Zoe 26/11/1978",
        ),
    ],
)
def test_subjects(documents: list, written: str):
    assert subject(documents) == PREFIX + written


@pytest.mark.parametrize(
    ("text", "shown", "count", "birth"),
    [
        ("XDM/1.0/DDM+CR d'examens VIAL Paul 26/11/1978", "CR d'examens VIAL Paul 26/11/1978", 1, date(1978, 11, 26)),
        ("xdm/1.0/ddm+ 12 documents VIAL Paul", "12 documents VIAL Paul", 12, None),
        ("Re: XDM/1.0/DDM+CR A B 31/02/1978", "Re: CR A B 31/02/1978", 1, None),
        (
            "[Annule et remplace] XDM/1.0/DDM+CR A B 01/01/2000",
            "[Annule et remplace] CR A B 01/01/2000",
            1,
            date(2000, 1, 1),
        ),
        ("[KO Intégration système !][902] XDM/1.0/DDM+CR", "[KO Intégration système !][902] CR", 1, None),
        ("XDM/1.0/DDM+", "", 1, None),
    ],
)
def test_a_subject_that_announces_documents(text: str, shown: str, count: int, birth: date | None):
    found = parse_subject(text)
    assert found is not None
    assert (found.shown, found.count, found.birth) == (shown, count, birth)
    assert "VIAL" not in repr(found)


@pytest.mark.parametrize("text", ["", "CR VIAL Paul", "Au sujet de XDM/1.0/DDM+CR", "XDM/1.0/DDM CR"])
def test_other_subjects(text: str):
    assert parse_subject(text) is None


NAMES = st.text(st.characters(min_codepoint=65, max_codepoint=0x24F), min_size=1, max_size=20).filter(plain)


@given(
    family=NAMES,
    given_name=NAMES,
    label=st.text(min_size=1, max_size=80).filter(lambda t: t.isprintable() and t.strip()),
)
def test_what_is_written_is_read(family: str, given_name: str, label: str):
    patient = replace(VIAL, birth_family=family, birth_given=given_name)
    written = subject([replace(BIOLOGY, patient=patient, type=Coded("1-8", LOINC, label))])
    found = parse_subject(written)
    assert found is not None
    assert found.birth == date(1978, 11, 26)
    assert found.shown == " ".join(written.removeprefix(PREFIX).split())
    tail = f" {plain(family).upper()} {plain(given_name)} 26/11/1978"
    assert written.endswith(tail)
    assert tail.isascii()
    assert len(written.removesuffix(tail).removeprefix(PREFIX)) <= 40


def test_file_names():
    day = replace(BIOLOGY, acts=(Act(start=Moment.parse("20210104")),))
    assert pdf_name(day) == "20210104_CR d'examens biologiques_VIAL_Paul.pdf"
    night = replace(day, acts=(Act(start=Moment.parse("202107012330+0000")),))
    assert pdf_name(night, "D_7/8") == "20210702_CR d'examens biologiques_VIAL_Paul_D-7-8.pdf"
    slashed = replace(day, type=Coded("1", LOINC, 'a/b\\c:d*e?"<f>|_g'))
    assert pdf_name(slashed) == "20210104_a-b-c-d-e-f-g_VIAL_Paul.pdf"


@pytest.mark.parametrize(
    "document",
    [
        replace(BIOLOGY, acts=()),
        replace(BIOLOGY, patient=None),
        replace(BIOLOGY, patient=Patient()),
        replace(BIOLOGY, type=None),
    ],
)
def test_a_file_name_lacks_nothing(document):
    with pytest.raises(BadInput):
        pdf_name(document)


def test_one_patient_a_mail():
    assert one_patient([BIOLOGY, DISCHARGE]) == VIAL
    local = replace(VIAL, ids=(Identifier("1.2.3.4", "IPP7"),))
    assert one_patient([BIOLOGY, replace(BIOLOGY, patient=local)]) == VIAL
    for documents in ([], [BIOLOGY, OTHER], [BIOLOGY, replace(BIOLOGY, patient=None)]):
        with pytest.raises(BadInput):
            one_patient(documents)
        if documents:
            with pytest.raises(BadInput):
                subject(documents)
            with pytest.raises(BadInput):
                headers(documents, [DOCTOR])


def test_fields_stand_exactly_where_they_belong():
    assert headers([], [DOCTOR]) == {}
    assert headers([BIOLOGY, DISCHARGE], [DOCTOR]) == {"X-MSS-CODECDA": "11502-2,11490-0", "X-MSS-INS": "O"}
    unqualified = replace(BIOLOGY, patient=replace(VIAL, sex=""))
    assert headers([BIOLOGY, unqualified], [DOCTOR])["X-MSS-INS"] == "N"
    assert headers([], [MES], last=True) == {"X-MSS-MES": "FIN"}
    assert headers([BIOLOGY], [MES], last=True)["X-MSS-MES"] == "FIN"
    assert "X-MSS-MES" not in headers([BIOLOGY], [MES])


@pytest.mark.parametrize("to", [[], [DOCTOR], [MES, DOCTOR]])
def test_only_patients_can_be_told_not_to_answer(to: list[MssanteAddress]):
    with pytest.raises(BadInput):
        headers([], to, last=True)


@pytest.mark.parametrize("code", ["", "a,b", "a b", "a\r\nBcc: x@y.test", "é"])
def test_a_type_cannot_inject_a_field(code: str):
    with pytest.raises(BadInput):
        headers([replace(BIOLOGY, type=Coded(code, LOINC, "x"))], [DOCTOR])
