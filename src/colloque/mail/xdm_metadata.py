"""METADATA.XML: the XDS metadata of a submission (ebRIM 3.0), taken from the headers of its CDA documents."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from lxml import etree

from colloque.errors import BadInput
from colloque.mail import texts, xds
from colloque.mail.cda import Act, Agent, ClinicalDocument, Patient
from colloque.mail.hl7 import Coded, Identifier, Moment, Precision, is_oid
from colloque.mail.xdm_classes import CLASSES
from colloque.mail.xds import LCM, RIM

_CLASSES_OID = "1.2.250.1.213.1.1.4.1"
_FORMATS_OID = "1.3.6.1.4.1.19376.1.2.3"
_PDF_FORMAT = Coded("urn:ihe:iti:xds-sd:pdf:2008", _FORMATS_OID, "Document à corps non structuré en Pdf/A-1")
_CONFIDENTIALITY = {"N": "Normal", "R": "Restreint", "V": "Très restreint"}
_OBJECT = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
_T = TypeVar("_T")
_APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
_ESCAPES = str.maketrans({"\\": "\\E\\", "^": "\\S\\", "&": "\\T\\", "|": "\\F\\", "~": "\\R\\"})
"""HL7 version 2's own escapes: its fields stand inside XML text here."""


@dataclass(frozen=True, slots=True)
class Described:
    """One document, as it goes into the archive."""

    name: str
    data: bytes = field(repr=False)
    document: ClinicalDocument
    class_code: str


def metadata(described: Sequence[Described], *, submission: Identifier, source: str, at: Moment) -> bytes:
    """Raises BadInput, naming what a document lacks."""
    if not (is_oid(source) and is_oid(submission.root)):
        raise BadInput("the sending system and its submissions are named by OIDs")
    request = etree.Element(f"{LCM}SubmitObjectsRequest", nsmap={"lcm": LCM[1:-1], "rim": RIM[1:-1]})
    objects = _add(request, "RegistryObjectList")
    writer = _Writer(submission)
    for each in described:
        writer.document(objects, each)
    writer.package(objects, described[0].document, source, at)
    for each in described:
        writer.member(objects, each)
    return etree.tostring(request, xml_declaration=True, encoding="UTF-8")


class _Writer:
    """Names what it writes by UUIDs that follow from the submission's id: the same archive, the same names."""

    def __init__(self, submission: Identifier) -> None:
        self._submission = submission
        self._count = 0

    def document(self, objects: etree._Element, each: Described) -> None:
        document, author, act = each.document, _author(each.document), _act(each.document)
        me = self._named(each.name)
        entry = _add(objects, "ExtrinsicObject", id=me, mimeType="text/xml", objectType=xds.DOCUMENT, status=_APPROVED)
        patient = _patient(document)
        local = next((number for number in patient.ids if number != patient.ins), None)
        _slot(entry, "creationTime", _needed(document.at, "date").dtm)
        _slot(entry, "hash", hashlib.sha1(each.data, usedforsecurity=False).hexdigest())
        _slot(entry, "languageCode", document.language)
        _slot(entry, "legalAuthenticator", _xcn(_needed(document.signer, "signer")))
        _slot(entry, "serviceStartTime", _needed(act.start, "act's start").dtm)
        if act.stop is not None:
            _slot(entry, "serviceStopTime", act.stop.dtm)
        _slot(entry, "size", str(len(each.data)))
        _slot(entry, "sourcePatientId", local.cx("PI") if local is not None else _number(patient).cx("NH"))
        _slot(entry, "sourcePatientInfo", *_traits(patient))
        _slot(entry, "URI", each.name)
        _localized(entry, document.title)
        self._author(entry, me, xds.DOCUMENT_AUTHOR, author)
        if each.class_code not in CLASSES:
            raise BadInput("the document's class is not one of JDV_J06")
        self._code(entry, me, xds.CLASS_CODE, Coded(each.class_code, _CLASSES_OID, CLASSES[each.class_code]))
        self._code(entry, me, xds.CONFIDENTIALITY_CODE, _confidentiality(document))
        self._code(entry, me, xds.FORMAT_CODE, _format(document))
        self._code(entry, me, xds.FACILITY_CODE, _needed(document.facility, "place of care"))
        self._code(entry, me, xds.PRACTICE_CODE, _needed(act.practice, "practice setting"))
        self._code(entry, me, xds.TYPE_CODE, _needed(document.type, "type"))
        self._external(entry, me, xds.DOCUMENT_PATIENT, _number(patient).cx("NH"), "XDSDocumentEntry.patientId")
        self._external(entry, me, xds.DOCUMENT_ID, _needed(document.id, "id").joined, "XDSDocumentEntry.uniqueId")

    def package(self, objects: etree._Element, document: ClinicalDocument, source: str, at: Moment) -> None:
        me = self._named("submission")
        package = _add(objects, "RegistryPackage", id=me, objectType=f"{_OBJECT}RegistryPackage", status=_APPROVED)
        _slot(package, "submissionTime", at.dtm)
        _localized(package, texts.SUBMISSION)
        self._author(package, me, xds.SET_AUTHOR, _author(document))
        # The place of care, from the list that JDV_J03 takes in: what the submission is about is not asked of anybody.
        self._code(package, me, xds.CONTENT_TYPE_CODE, _needed(document.facility, "place of care"))
        number = _number(_patient(document)).cx("NH")
        self._external(package, me, xds.SET_PATIENT, number, "XDSSubmissionSet.patientId")
        self._external(package, me, xds.SET_SOURCE, source, "XDSSubmissionSet.sourceId")
        self._external(package, me, xds.SET_ID, self._submission.joined, "XDSSubmissionSet.uniqueId")
        node = {"classifiedObject": me, "classificationNode": xds.SUBMISSION_SET}
        _add(objects, "Classification", id=self._next(), objectType=f"{_OBJECT}Classification", **node)

    def member(self, objects: etree._Element, each: Described) -> None:
        association = _add(
            objects,
            "Association",
            id=self._next(),
            associationType="urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember",
            objectType=f"{_OBJECT}Association",
            sourceObject=self._named("submission"),
            targetObject=self._named(each.name),
        )
        _slot(association, "SubmissionSetStatus", "Original")

    def _author(self, parent: etree._Element, me: str, scheme: str, author: Agent) -> None:
        found = self._classified(parent, me, scheme, "")
        place = author.organization
        if place is not None and place.number is not None:
            number = place.number
            _slot(found, "authorInstitution", f"{_v2(place.name)}^^^^^&{number.root}&ISO^IDNST^^^{number.extension}")
        _slot(found, "authorPerson", _xcn(author))
        if author.role is not None:
            _slot(found, "authorSpecialty", f"{author.role.code}^{_v2(author.role.label)}^{author.role.system}")

    def _code(self, parent: etree._Element, me: str, scheme: str, code: Coded) -> None:
        found = self._classified(parent, me, scheme, code.code)
        _slot(found, "codingScheme", code.system)
        _localized(found, code.label)

    def _classified(self, parent: etree._Element, me: str, scheme: str, node: str) -> etree._Element:
        return _add(
            parent,
            "Classification",
            id=self._next(),
            classificationScheme=scheme,
            classifiedObject=me,
            nodeRepresentation=node,
            objectType=f"{_OBJECT}Classification",
        )

    def _external(self, parent: etree._Element, me: str, scheme: str, value: str, name: str) -> None:
        found = _add(
            parent,
            "ExternalIdentifier",
            id=self._next(),
            identificationScheme=scheme,
            objectType=f"{_OBJECT}ExternalIdentifier",
            registryObject=me,
            value=value,
        )
        _localized(found, name)

    def _next(self) -> str:
        self._count += 1
        return self._named(str(self._count))

    def _named(self, what: str) -> str:
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{self._submission.joined}/{what}')}"


def _needed(value: _T | None, name: str) -> _T:
    if value is None:
        raise BadInput(f"a document can't be described without its {name}")
    return value


def _author(document: ClinicalDocument) -> Agent:
    return _needed(document.authors[0] if document.authors else None, "author")


def _act(document: ClinicalDocument) -> Act:
    return _needed(document.acts[0] if document.acts else None, "act")


def _patient(document: ClinicalDocument) -> Patient:
    return _needed(document.patient, "patient")


def _number(patient: Patient) -> Identifier:
    """The INS; without one, the first number."""
    return _needed(patient.ins or (patient.ids[0] if patient.ids else None), "patient's number")


def _confidentiality(document: ClinicalDocument) -> Coded:
    label = _needed(_CONFIDENTIALITY.get(document.confidentiality), "confidentiality")
    return Coded(document.confidentiality, "2.16.840.1.113883.5.25", label)


def _format(document: ClinicalDocument) -> Coded:
    """ASS_A12: of an N1 document, by its body. What is structured has a format a template, which we do not write."""
    if document.body is None or document.body.mime != "application/pdf":
        raise BadInput("only documents around a PDF are sent")
    return _PDF_FORMAT


def _xcn(who: Agent) -> str:
    """A person with a national number (HL7 v2.5 XCN, as ANS writes it)."""
    name, number = _needed(who.name, "author's name"), _needed(who.number, "author's number")
    return f"{_v2(number.extension)}^{_v2(name.family)}^{_v2(name.given)}^^^^^^&{number.root}&ISO^D^^^IDNPS"


def _traits(patient: Patient) -> tuple[str, ...]:
    """sourcePatientInfo: name (type L, of the birth certificate where it is known), birth, sex (HL7 v2.5 PID)."""
    born = patient.birth
    traits = [f"PID-5|{_v2(patient.family)}^{_v2(patient.given)}^^^^^L"]
    traits += [f"PID-7|{born.at.strftime('%Y%m%d')}"] if born is not None and born.precision is Precision.DAY else []
    return (*traits, f"PID-8|{patient.sex}") if patient.sex else tuple(traits)


def _v2(text: str) -> str:
    return text.translate(_ESCAPES)


def _slot(parent: etree._Element, name: str, *values: str) -> None:
    listed = _add(_add(parent, "Slot", name=name), "ValueList")
    for value in values:
        _add(listed, "Value").text = value


def _localized(parent: etree._Element, text: str) -> None:
    _add(_add(parent, "Name"), "LocalizedString", value=text)


def _add(parent: etree._Element, tag: str, /, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, RIM + tag, attributes)
