"""What we write has ANS's header minimum, whoever checks it, and is read back as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from colloque.errors import BadInput
from colloque.mail.cda import Act, ClinicalDocument, Media, Patient, PersonName
from colloque.mail.cda_read import read_cda
from colloque.mail.cda_write import write_cda
from colloque.mail.hl7 import IDNPS, LOINC, Coded, Identifier, Moment
from tests.clinical import AT, DOCTOR, DOCUMENT, PATIENT
from tests.header_minimum import lacking

WITHOUT_INS = replace(PATIENT, ids=(Identifier("1.2.3.4", "IPP7"),), birth_place="", birth_givens="", birth_given="")
WORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Cf", "Cs", "Zs", "Zl", "Zp"]),
    min_size=1,
    max_size=30,
)


@pytest.mark.parametrize(
    "document",
    [
        DOCUMENT,
        replace(DOCUMENT, patient=WITHOUT_INS),
        replace(DOCUMENT, replaces=Identifier("1.2.3.4.5.0"), version=2, confidentiality="V", recipients=()),
        replace(
            DOCUMENT, authors=(DOCTOR, replace(DOCTOR, organization=None, role=None, name=PersonName("B", "", "M")))
        ),
        replace(DOCUMENT, acts=(*DOCUMENT.acts, Act(start=Moment.parse("2026"), stop=Moment.parse("20260301")))),
    ],
    ids=["usual", "no INS", "new version", "two authors", "two acts"],
)
def test_the_header_minimum_is_there_and_all_is_read_back(document: ClinicalDocument):
    written = write_cda(document)
    assert lacking(written) == []
    assert read_cda(written) == replace(document, problems=() if document.patient is PATIENT else ("ins-missing",))
    assert write_cda(document) == written


def test_the_checker_sees_what_is_missing():
    # Else it would prove nothing above.
    for path in ("custodian", "legalAuthenticator", "setId", "documentationOf", "componentOf", "languageCode"):
        root = etree.fromstring(write_cda(DOCUMENT))
        root.remove(root.find(f"{{urn:hl7-org:v3}}{path}"))
        assert lacking(etree.tostring(root)) != []
    county = b"<county>51215</county>"
    assert lacking(write_cda(DOCUMENT).replace(county, b"<city>x</city>")) == ["an INS without its traits"]


@pytest.mark.parametrize(
    ("changed", "lacks"),
    [
        ({"id": None}, "id"),
        ({"id": Identifier("not an oid")}, "id"),
        ({"set_id": None}, "set_id"),
        ({"version": 0}, "version"),
        ({"type": Coded("34133-9", LOINC, "")}, "type"),
        ({"title": ""}, "title"),
        ({"at": None}, "at"),
        ({"language": "en"}, "language fr-FR"),
        ({"confidentiality": "X"}, "confidentiality N, R or V"),
        ({"authors": ()}, "author"),
        ({"authors": (replace(DOCTOR, at=None),)}, "author"),
        ({"authors": (replace(DOCTOR, name=PersonName("A", "", "Docteur")),)}, "author"),
        ({"authors": (replace(DOCTOR, number=Identifier("1.2.3", "8")),)}, "author"),
        ({"custodian": None}, "custodian"),
        ({"signer": None}, "signer"),
        ({"acts": ()}, "act's start, act's practice, performer"),
        ({"acts": (replace(DOCUMENT.acts[0], performer=None),)}, "performer"),
        ({"facility": None}, "facility"),
        ({"body": Media("text/plain", b"x")}, "a PDF as its body"),
        ({"body": None}, "a PDF as its body"),
        ({"patient": None}, "patient"),
        ({"patient": Patient()}, "patient's number, patient's name, patient's birth date, patient's sex"),
        (
            {"patient": replace(PATIENT, birth_place="")},
            "patient's INS traits (birth name, first given name, given names, place of birth)",
        ),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_written(changed: dict[str, object], lacks: str):
    with pytest.raises(BadInput) as caught:
        write_cda(replace(DOCUMENT, **changed))
    assert str(caught.value) == f"a CDA can't be written without: {lacks}"


def test_errors_name_no_patient():
    with pytest.raises(BadInput) as caught:
        write_cda(replace(DOCUMENT, title="\x00", patient=replace(PATIENT, birth_family="ESSAI\x01")))
    assert str(caught.value) == "a CDA can't hold control characters"


@given(family=WORDS, given_name=WORDS, title=WORDS, label=WORDS, data=st.binary(max_size=200))
def test_any_words_survive(family: str, given_name: str, title: str, label: str, data: bytes):
    document = replace(
        DOCUMENT,
        title=title,
        type=Coded("34133-9", LOINC, label),
        patient=replace(PATIENT, birth_family=family, birth_given=given_name),
        authors=(replace(DOCTOR, name=PersonName(family, given_name), number=Identifier(IDNPS, "899700000010")),),
        body=Media("application/pdf", b"%PDF-1.4" + data),
        at=Moment.of(AT),
    )
    written = write_cda(document)
    assert read_cda(written) == document
    assert lacking(written) == []
