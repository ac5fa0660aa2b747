"""A CDA is read as its author wrote it; what is missing or odd is named; what can't be read is refused by name."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colloque.identity import Rpps
from colloque.mail.cda import Bullets, Cell, Figure, Paragraph, Table
from colloque.mail.cda_read import read_cda
from colloque.mail.hl7 import Precision
from colloque.mail.refusal import DocumentRefused
from tests.clinical import INS_NIR, INS_TEST, NAME, NUMBER, PDF, cda, media, n1_body, n3_body


def test_the_header_is_read():
    document = read_cda(cda())
    assert document.id is not None
    assert document.id.joined == "1.2.3.4.5^DOC-1"
    assert document.type is not None
    assert (document.type.code, document.type.label) == ("11502-2", "CR d'examens biologiques")
    assert document.title == "Compte rendu d'examens biologiques"
    assert document.at is not None
    assert (document.at.hl7, document.at.precision) == ("20210401134745+0100", Precision.SECOND)
    assert document.version == 2
    assert document.facility is not None
    assert document.facility.code == "SA07"
    [act] = document.acts
    assert act.start is not None
    assert act.start.hl7 == "202101040734+0100"
    assert act.practice is not None
    assert act.practice.code == "AMBULATOIRE"
    assert document.problems == ("ins-test",)


def test_who_wrote_and_who_shall_read():
    document = read_cda(cda())
    person, device = document.authors
    assert (person.label, person.rpps) == ("Dr Marc ESSAI", Rpps("99700000010"))
    assert person.role is not None
    assert person.role.code == "G15_10/SM03"
    assert person.organization is not None
    assert person.organization.name == "Laboratoire d'essai"
    assert (device.label, device.rpps) == ("Logiciel d'essai", None)
    first, copy = document.recipients
    assert (first.who.label, first.primary, first.who.addresses) == (
        "Dr Léa ESSAI-B",
        True,
        ("lea.essai@cabinet.mssante.test",),
    )
    assert (copy.who.label, copy.primary) == ("CHU d'essai", False)


def test_the_patient_is_read_and_never_shown_by_accident():
    patient = read_cda(cda()).patient
    assert patient is not None
    assert (patient.birth_family, patient.birth_given, patient.birth_givens) == ("ESSAI-DUPONT", "Zélie", "Zélie Anne")
    assert (patient.used_family, patient.sex, patient.birth_place) == ("MARTIN", "F", "51215")
    assert patient.ins is not None
    assert (patient.ins.root, patient.ins.extension) == (INS_TEST, NUMBER)
    assert patient.birth is not None
    assert patient.birth.hl7 == "19790328"
    for shown in ("ESSAI-DUPONT", "MARTIN", "Zélie", NUMBER, "IPP7", "1979"):
        assert shown not in repr(read_cda(cda()))


@pytest.mark.parametrize(
    ("changed", "problems", "qualified"),
    [
        ({}, ("ins-test",), True),
        ({"oid": INS_NIR}, (), True),
        ({"oid": INS_NIR, "number": "279035121518988"}, ("ins-bad", "ins-unqualified"), False),
        ({"oid": INS_NIR, "birth": "1979"}, ("ins-unqualified",), False),
        ({"oid": INS_NIR, "name": NAME.replace('qualifier="BR"', "")}, ("ins-unqualified",), False),
        ({"oid": "1.2.3.9"}, ("ins-missing",), False),
        ({"patients": 0}, ("patient-missing",), None),
        ({"patients": 2}, ("patients-several",), None),
        ({"title": " "}, ("title-missing", "ins-test"), True),
        ({"at": "hier"}, ("date-bad", "ins-test"), True),
        ({"at": ""}, ("date-missing", "ins-test"), True),
        ({"body": ""}, ("content-missing", "ins-test"), True),
        ({"body": n1_body(b"")}, ("content-unreadable", "ins-test"), True),
        ({"body": n1_body().replace("</text>", "*</text>")}, ("content-unreadable", "ins-test"), True),
        ({"body": n1_body(b"GIF89a")}, ("content-mislabelled", "ins-test"), True),
    ],
)
def test_what_is_odd_is_named(changed: dict[str, str], problems: tuple[str, ...], qualified: bool | None):
    document = read_cda(cda(**changed))
    assert document.problems == problems
    assert (document.patient.qualified if document.patient else None) == qualified


def test_nothing_is_ever_fetched():
    text = '<text mediaType="application/pdf"><reference value="http://127.0.0.1:9/a.pdf"/></text>'
    document = read_cda(cda(f"<component><nonXMLBody>{text}</nonXMLBody></component>"))
    assert document.body is None
    assert "content-unreadable" in document.problems


def test_n1_holds_its_pdf():
    document = read_cda(cda())
    assert document.body is not None
    assert (document.body.mime, document.body.data) == ("application/pdf", PDF)
    assert document.files == (document.body,)
    text = read_cda(cda('<component><nonXMLBody><text mediaType="text/plain">Été</text></nonXMLBody></component>'))
    assert text.body is not None
    assert (text.body.mime, text.body.data.decode()) == ("text/plain", "Été")


def test_what_bytes_are_counts_more_than_what_they_are_said_to_be():
    document = read_cda(cda(n3_body(media=media(b"\x89PNG\r\n\x1a\n.", "image/jpeg"))))
    assert [(m.mime, m.ref) for m in document.media] == [("image/png", "img-1")]
    assert "content-mislabelled" in document.problems


def test_a_narrative_keeps_every_word_in_its_place():
    results, conclusion = read_cda(cda(n3_body())).sections
    assert (results.title, results.level, conclusion.title, conclusion.level) == ("Résultats", 1, "Conclusion", 2)
    assert results.blocks == (
        Paragraph("Prélevé à jeun."),
        Table(
            (
                (Cell("Examen", heading=True), Cell("Résultat", heading=True)),
                (Cell("Hémogramme", down=2), Cell("Leucocytes 6,1 10^9/L")),
                (Cell("Plaquettes 250\nContrôle"),),
            ),
            "Bilan",
        ),
        Bullets(("Un", "Deux ~~Trois~~")),
        Paragraph("Fin."),
        Figure("img-1"),
    )
    assert conclusion.blocks == (Paragraph("Rien d'anormal."),)


def in_text(narrative: str) -> str:
    return n3_body(f"<component><section><text>{narrative}</text></section></component>")


def test_blocks_inside_other_elements_are_found():
    listed = "<paragraph>Avant<list><item>a</item></list>après</paragraph>"
    [section] = read_cda(cda(in_text(f"{listed}<content><table><tr><td>b</td></tr></table></content>"))).sections
    assert section.blocks == (Paragraph("Avant"), Bullets(("a",)), Paragraph("après"), Table(((Cell("b"),),)))


@pytest.mark.parametrize(
    "deep",
    [
        n3_body("<component><section><title>t</title>" * 500 + "</section></component>" * 500),
        in_text("<content>" * 1500 + "<list/>x" + "</content>" * 1500),
        in_text("<table><tr><td>" * 400 + "x" + "</td></tr></table>" * 400),
        in_text("<table><tr>" + '<td colspan="99999999999" rowspan="-3">x</td>' * 500 + "</tr></table>"),
    ],
)
def test_depth_and_breadth_do_not_matter(deep: str):
    start = time.perf_counter()
    assert read_cda(cda(deep)).sections
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("data", [b"<a/>", b'<ClinicalDocument xmlns="urn:other"/>', b"<ClinicalDocument/>"])
def test_other_xml_is_no_cda(data: bytes):
    with pytest.raises(DocumentRefused) as caught:
        read_cda(data)
    assert caught.value.reason == "not-cda"


def test_an_empty_document_is_read_with_everything_missing():
    assert set(read_cda(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>').problems) == {
        "id-missing", "type-missing", "title-missing", "date-missing", "author-missing", "patient-missing",
        "content-missing",
    }  # fmt: skip


def test_a_pdf_of_30_mb():
    data = b"%PDF-1.4" + b"x" * 30_000_000
    document = read_cda(cda(n1_body(data)))
    assert document.body is not None
    assert document.body.data == data


@settings(max_examples=200)
@given(st.sampled_from([cda(), cda(n3_body())]), st.integers(0, 9000), st.binary(max_size=6), st.integers(0, 40))
def test_a_damaged_document_is_read_or_refused(raw: bytes, at: int, put: bytes, cut: int):
    at %= len(raw)
    try:
        document = read_cda(raw[:at] + put + raw[at + cut :])
    except DocumentRefused:
        return
    assert document.at is None or document.at.at.tzinfo is not None
    assert "\n" not in document.title


@given(st.text("<>/&;aé\n ", max_size=60), st.sampled_from(["td", "item", "content", "paragraph", "section", "br"]))
def test_any_narrative(text: str, tag: str):
    with suppress(DocumentRefused):
        read_cda(cda(in_text(f"<{tag}>{text}</{tag}>")))
