"""The archive we make: the tree and names that IHE and the CI-SIS ask, one patient, the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree

from colloque.errors import BadInput
from colloque.mail.cda_write import write_cda
from colloque.mail.hl7 import Identifier
from colloque.mail.refusal import DocumentRefused
from colloque.mail.xdm_read import read_xdm
from colloque.mail.xdm_write import Sender, build_xdm
from tests.clinical import AT, DOCUMENT, NUMBER, PATIENT, cda

SENDER = Sender("Dr Anne ESSAI", "Cabinet d'été", "Colloque", "0.1", "anne@cabinet.mssante.test")
SUBMISSION, SOURCE = Identifier("1.2.3.9", "S1"), "1.2.3"
RIM = {"r": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}
SECOND = replace(DOCUMENT, id=Identifier("1.2.3.4.5.2"), title="Deuxième")
ISO_9660 = re.compile(r"([A-Z0-9_]{1,8}/)*[A-Z0-9_]{1,8}\.[A-Z]{3}")


def built(*documents: bytes, at=AT, class_code: str = "11") -> bytes:
    return build_xdm([(d, class_code) for d in documents], submission=SUBMISSION, source=SOURCE, sender=SENDER, at=at)


@pytest.fixture(scope="module")
def made() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(built(write_cda(DOCUMENT), write_cda(SECOND))))


@pytest.fixture(scope="module")
def metadata(made: zipfile.ZipFile) -> etree._Element:
    return etree.fromstring(made.read("IHE_XDM/SUBSET01/METADATA.XML"))


def texts(element: etree._Element, path: str) -> list[str]:
    return [str(found) for found in element.xpath(path, namespaces=RIM)]


def slot(element: etree._Element, name: str) -> list[str]:
    return texts(element, f"r:Slot[@name='{name}']/r:ValueList/r:Value/text()")


def test_the_tree(made: zipfile.ZipFile):
    folder = "IHE_XDM/SUBSET01"
    assert made.namelist() == [
        "README.TXT", "INDEX.HTM", f"{folder}/METADATA.XML", f"{folder}/DOC00001.XML", f"{folder}/DOC00002.XML"
    ]  # fmt: skip
    assert all(ISO_9660.fullmatch(name) for name in made.namelist())
    assert made.testzip() is None


def test_readme_and_index_are_plain_and_name_no_patient(made: zipfile.ZipFile):
    readme, index = made.read("README.TXT"), made.read("INDEX.HTM")
    assert b"\r\n" in readme
    assert b"\n" not in readme.replace(b"\r\n", b"")
    assert readme.isascii()
    for part in (b"Emetteur :", b"Application de l'emetteur :", b"Instructions :", b"Arborescence :", b"Cabinet d'ete"):
        assert part in readme
    page = etree.fromstring(index, etree.XMLParser(load_dtd=False, no_network=True))
    links = page.xpath("//*[local-name()='a']/@href")
    assert links == ["IHE_XDM/SUBSET01/DOC00001.XML", "IHE_XDM/SUBSET01/DOC00002.XML", "README.TXT"]
    for word in ("ESSAI-DUPONT", "Zelie", "Zélie", NUMBER, "1979", "MARTIN"):
        assert word.encode() not in readme + index


def test_each_document_is_described_by_its_header(made: zipfile.ZipFile, metadata: etree._Element):
    first, second = metadata.iter(f"{{{RIM['r']}}}ExtrinsicObject")
    data = made.read("IHE_XDM/SUBSET01/DOC00001.XML")
    assert first.get("objectType") == "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
    assert first.get("mimeType") == "text/xml"
    assert slot(first, "URI") == ["DOC00001.XML"]
    assert slot(first, "size") == [str(len(data))]
    assert slot(first, "hash") == [hashlib.sha1(data, usedforsecurity=False).hexdigest()]
    assert slot(first, "creationTime") == ["20260302093000"]
    assert slot(first, "serviceStartTime") == ["20260302093000"]
    assert slot(first, "languageCode") == ["fr-FR"]
    assert slot(first, "legalAuthenticator") == ["899700000010^ESSAI^Anne^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"]
    assert slot(first, "sourcePatientId") == ["IPP7^^^&1.2.3.4&ISO^PI"]
    assert slot(first, "sourcePatientInfo") == ["PID-5|ESSAI-DUPONT^Zélie^^^^^L", "PID-7|19790328", "PID-8|F"]
    codes = {
        str(each.get("classificationScheme"))[9:17]: (each.get("nodeRepresentation"), slot(each, "codingScheme"))
        for each in first.iter(f"{{{RIM['r']}}}Classification")
    }
    assert codes == {
        "93606bcf": ("", []),
        "41a5887f": ("11", ["1.2.250.1.213.1.1.4.1"]),
        "f4f85eac": ("N", ["2.16.840.1.113883.5.25"]),
        "a09d5840": ("urn:ihe:iti:xds-sd:pdf:2008", ["1.3.6.1.4.1.19376.1.2.3"]),
        "f33fb8ac": ("SA07", ["1.2.250.1.71.4.2.4"]),
        "cccf5598": ("AMBULATOIRE", ["1.2.250.1.213.1.1.4.9"]),
        "f0306f51": ("34133-9", ["2.16.840.1.113883.6.1"]),
    }
    assert texts(first, "r:ExternalIdentifier/@value") == [f"{NUMBER}^^^&1.2.250.1.213.1.4.8&ISO^NH", "1.2.3.4.5.1"]
    assert texts(second, "r:Name/r:LocalizedString/@value") == ["Deuxième"]


def test_the_submission_holds_the_documents(metadata: etree._Element):
    [package] = metadata.iter(f"{{{RIM['r']}}}RegistryPackage")
    assert slot(package, "submissionTime") == ["20260302093000"]
    values = texts(package, "r:ExternalIdentifier/@value")
    assert values == [f"{NUMBER}^^^&1.2.250.1.213.1.4.8&ISO^NH", "1.2.3", "1.2.3.9^S1"]
    [node] = texts(metadata, "//r:Classification/@classificationNode")
    assert node == "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
    documents = texts(metadata, "//r:ExtrinsicObject/@id")
    assert texts(metadata, "//r:Association/@targetObject") == documents
    assert set(texts(metadata, "//r:Association/@sourceObject")) == {package.get("id")}
    ids = texts(metadata, "//@id")
    assert len(set(ids)) == len(ids)


def test_it_is_read_back_whole_and_is_the_same_each_time():
    documents = [write_cda(DOCUMENT), write_cda(SECOND)]
    data = built(*documents)
    package = read_xdm(data)
    assert [entry.data for entry in package.entries] == documents
    assert package.problems == ()
    assert all(entry.problems == () for entry in package.entries)
    assert built(*documents) == data
    assert built(*documents, at=AT + timedelta(days=1)) != data


def test_signs_that_mean_something_in_hl7_are_written_out():
    odd = replace(DOCUMENT, patient=replace(PATIENT, birth_family="A&B^C|D~E\\F"))
    with zipfile.ZipFile(io.BytesIO(built(write_cda(odd)))) as made:
        request = etree.fromstring(made.read("IHE_XDM/SUBSET01/METADATA.XML"))
    info = texts(request, "//r:Slot[@name='sourcePatientInfo']//r:Value/text()")
    assert info[0] == r"PID-5|A\T\B\S\C\F\D\R\E\E\F^Zélie^^^^^L"


def test_one_patient_an_archive():
    other = replace(DOCUMENT, patient=replace(PATIENT, ids=(Identifier("1.2.250.1.213.1.4.8", "146026322000196"),)))
    with pytest.raises(BadInput, match="one patient"):
        built(write_cda(DOCUMENT), write_cda(other))


@pytest.mark.parametrize(
    ("documents", "class_code", "says"),
    [
        ([], "11", "at least one document"),
        ([write_cda(DOCUMENT)], "00", "class"),
        ([cda()], "11", "signer"),
    ],
)
def test_what_cannot_be_described_is_not_sent(documents: list[bytes], class_code: str, says: str):
    with pytest.raises(BadInput, match=says):
        built(*documents, class_code=class_code)


def test_what_is_no_cda_is_not_sent():
    with pytest.raises(DocumentRefused):
        built(b"<a/>")
