"""A conversation as documents of health: the header minimum by XPath, the archive by its reader, the very PDF."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from lxml import etree

from colloque.errors import BadInput
from colloque.mail.documents import documents_in
from colloque.mail.message import Attachment
from colloque.mail.standing import standings
from colloque.mail.xdm_read import read_xdm
from colloque_salles.archive.documenting import TYPE, Papers, archives
from colloque_salles.archive.printing import Conversation, Writer, parts
from tests.header_minimum import lacking
from tests.pdfa import faults
from tests.servers.annuaire import doctor, rpps
from tests.servers.salles_server import BOB
from tests.unit.mail.test_standing import ALONE, CLINIC, FINESS
from tests.unit.salles.test_qualified import NIR, TEST, ZELIE

OPENED, CLOSED = datetime(2026, 2, 1, 8, 0, tzinfo=UTC), datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
MADE = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ANNE = doctor(1, "ESSAI", "Anne", CLINIC)
PAPERS = Papers(
    words="Pin Merle",
    patient=ZELIE.patient,
    person=ANNE,
    standing=standings(ANNE)[0],
    opened_at=OPENED,
    closed_at=CLOSED,
    made_at=MADE,
    name="token-archive-1",
    domain="services.mssante.test",
)
RIM = {"r": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}
V3 = {"h": "urn:hl7-org:v3"}


@pytest.fixture(scope="module")
def sheet() -> bytes:
    (sheet,) = parts(Conversation("Pin Merle", OPENED, [], {BOB: Writer("Bob", "")}, MADE))
    assert faults(sheet) == []
    return sheet


def inside(archive: bytes) -> tuple[bytes, etree._Element]:
    """The document, and the metadata."""
    files = zipfile.ZipFile(io.BytesIO(archive))
    folder = "IHE_XDM/SUBSET01"
    return files.read(f"{folder}/DOC00001.XML"), etree.fromstring(files.read(f"{folder}/METADATA.XML"))


def test_it_has_the_header_minimum_and_names_the_patient_and_the_referent(sheet: bytes) -> None:
    (archive,) = archives([sheet], PAPERS)
    document, _ = inside(archive)
    assert lacking(document) == []
    root = etree.fromstring(document)

    def said(path: str) -> list[str]:
        return [str(found) for found in root.xpath(path, namespaces=V3)]

    patient = "h:recordTarget/h:patientRole"
    assert said(f"{patient}/h:id/@root") == [NIR]
    assert said(f"{patient}/h:id/@extension") == [ZELIE.number]
    assert said(f"{patient}/h:patient/h:name/h:family[@qualifier='BR']/text()") == ["ESSAI-DUPONT"]
    assert said(f"{patient}/h:patient/h:name/h:given[@qualifier='BR']/text()") == ["ZELIE"]
    assert said(f"{patient}/h:patient/h:name/h:given[not(@qualifier)]/text()") == ["ZELIE ANNE"]
    assert said(f"{patient}/h:patient/h:birthTime/@value") == ["19790328"]
    assert said(f"{patient}/h:patient/h:administrativeGenderCode/@code") == ["F"]
    assert said(f"{patient}//h:county/text()") == ["51215"]
    for who in ("h:author/h:assignedAuthor", "h:legalAuthenticator/h:assignedEntity"):
        assert said(f"{who}/h:id/@extension") == [f"8{rpps(1).value}"]
        assert said(f"{who}/h:code/@code") == ["G15_10"]
        assert said(f"{who}/h:representedOrganization/h:id/@extension") == [f"1{FINESS}"]
    assert said("h:custodian//h:name/text()") == ["CLINIQUE D'ESSAI"]
    assert said("h:code/@code") == ["34133-9"]
    assert said("h:confidentialityCode/@code") == ["N"]
    assert said("h:documentationOf//h:low/@value") == ["20260201090000+0100"]
    assert said("h:componentOf//h:code/@code") == ["SA04"]


def test_its_archive_is_read_by_its_reader_and_holds_the_very_pdf(sheet: bytes) -> None:
    (archive,) = archives([sheet], PAPERS)
    document, metadata = inside(archive)
    (entry,) = read_xdm(archive).entries
    assert entry.problems == ()
    assert entry.patient == ZELIE.patient.ins
    assert entry.document is not None
    assert entry.document.body is not None
    assert entry.document.body.data == sheet
    assert entry.document.patient == ZELIE.patient
    assert entry.document.patient is not None
    assert entry.document.patient.qualified
    digest = metadata.xpath("//r:Slot[@name='hash']//r:Value/text()", namespaces=RIM)
    assert digest == [hashlib.sha1(document, usedforsecurity=False).hexdigest()]
    classes = metadata.xpath(
        "//r:Classification[@classificationScheme='urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a']/@nodeRepresentation",
        namespaces=RIM,
    )
    assert classes == ["11"], "Synthèse"


def test_each_part_is_a_document_of_its_own(sheet: bytes) -> None:
    made = archives([sheet, sheet], PAPERS)
    found = [documents_in([Attachment("IHE_XDM.ZIP", "application/zip", each)]).documents[0].document for each in made]
    assert [each.title for each in found if each] == [
        "Échanges du salon « Pin Merle » (partie 1 / 2)",
        "Échanges du salon « Pin Merle » (partie 2 / 2)",
    ]
    assert len({each.id for each in found if each}) == len({each.set_id for each in found if each}) == 2
    assert {each.type for each in found if each} == {TYPE}
    assert made == archives([sheet, sheet], PAPERS), "the same each time"


def test_who_works_alone_keeps_it_themselves(sheet: bytes) -> None:
    alone = doctor(1, "ESSAI", "Anne", ALONE)
    (archive,) = archives([sheet], replace(PAPERS, person=alone, standing=standings(alone)[0]))
    document, _ = inside(archive)
    assert lacking(document) == []
    assert b"representedOrganization><id" not in document


def test_a_test_identity_is_written_and_read_as_one(sheet: bytes) -> None:
    (archive,) = archives([sheet], replace(PAPERS, patient=replace(ZELIE, authority=TEST).patient))
    (entry,) = read_xdm(archive).entries
    assert entry.document is not None
    assert "ins-test" in entry.document.problems


@pytest.mark.parametrize(
    "changes", [{"patient": replace(ZELIE.patient, birth_place="")}, {"patient": replace(ZELIE.patient, sex="")}]
)
def test_what_lacks_the_minimum_is_not_written(sheet: bytes, changes: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        archives([sheet], replace(PAPERS, **changes))  # type: ignore[arg-type]


def test_what_does_not_read_as_it_was_written_is_not_given() -> None:
    """A body that is no PDF is read as something else."""
    with pytest.raises(BadInput):
        archives([b"\x89PNG\r\n\x1a\n"], PAPERS)
