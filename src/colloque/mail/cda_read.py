"""Bytes to `ClinicalDocument`. What is missing or odd is named in `problems`; what can't be read at all is refused."""

from __future__ import annotations

import base64
from dataclasses import replace

from lxml import etree

from colloque.errors import BadIdentifier
from colloque.identity import INS_OIDS, Ins
from colloque.mail.cda import Act, ClinicalDocument, Media, Patient
from colloque.mail.cda_narrative import flat, sections
from colloque.mail.cda_parts import (
    V3,
    agent,
    attribute,
    coded,
    first,
    identifier,
    moment,
    organization,
    patient,
    recipient,
)
from colloque.mail.hl7 import Identifier
from colloque.mail.message import SUBJECT_LIMIT, one_line
from colloque.mail.refusal import DocumentRefused
from colloque.mail.xml import parse_xml

_TEST_INS = {oid for oid, label in INS_OIDS.items() if label not in {"INS-NIR", "INS-NIA"}}
_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"PK\x03\x04", "application/zip"),
    (b"{\\rtf", "text/rtf"),
)
_KNOWN = {mime for _, mime in _MAGIC}
_PDF_WINDOW = 1024
"""Bytes in which a PDF's mark may come: its readers forgive that much before it."""


def read_cda(data: bytes) -> ClinicalDocument:
    """Read a CDA document (N1 or N3). Raises DocumentRefused: `not-cda`, and what `parse_xml` refuses."""
    root = parse_xml(data)
    if root.tag != f"{V3}ClinicalDocument":
        raise DocumentRefused("not-cda")
    problems: list[str] = []
    targets = root.findall(f"{V3}recordTarget/{V3}patientRole")
    who = patient(targets[0]) if len(targets) == 1 else None
    title, signer = first(root, "title"), first(root, "legalAuthenticator")
    version = attribute(first(root, "versionNumber"), "value", 9)
    document = ClinicalDocument(
        id=identifier(first(root, "id")),
        type=coded(first(root, "code")),
        title=one_line(flat(title), SUBJECT_LIMIT) if title is not None else "",
        at=moment(first(root, "effectiveTime"), lambda: problems.append("date-bad")),
        patient=who,
        authors=tuple(agent(each) for each in root.findall(f"{V3}author")),
        custodian=organization(first(root, "custodian", "assignedCustodian", "representedCustodianOrganization")),
        signer=agent(signer) if signer is not None else None,
        recipients=tuple(recipient(each) for each in root.findall(f"{V3}informationRecipient")),
        acts=tuple(_act(each) for each in root.findall(f"{V3}documentationOf/{V3}serviceEvent")),
        facility=coded(first(root, "componentOf", "encompassingEncounter", "location", "healthCareFacility", "code")),
        set_id=identifier(first(root, "setId")),
        version=int(version) if version.isascii() and version.isdecimal() else None,
        replaces=_replaced(root),
        confidentiality=attribute(first(root, "confidentialityCode"), "code"),
        language=attribute(first(root, "languageCode"), "code"),
        body=_body(root, problems),
        sections=tuple(s for each in root.findall(f"{V3}component/{V3}structuredBody") for s in sections(each)),
        media=tuple(_inside(root, problems)),
    )
    problems += _missing(document, len(targets), problems)
    problems += _about(who) if who is not None else []
    return replace(document, problems=tuple(dict.fromkeys(problems)))


def _missing(document: ClinicalDocument, patients: int, problems: list[str]) -> list[str]:
    needed = {
        "id-missing": document.id is not None,
        "type-missing": document.type is not None,
        "title-missing": bool(document.title),
        "date-missing": document.at is not None or "date-bad" in problems,
        "author-missing": any(author.label for author in document.authors),
        "patient-missing": patients > 0,
        "patients-several": patients < 2,
        "content-missing": bool(document.sections or document.files) or "content-unreadable" in problems,
    }
    return [name for name, found in needed.items() if not found]


def _about(who: Patient) -> list[str]:
    """What is odd about an identity. A test matricule in real mail must be kept apart, never merged."""
    if who.ins is None:
        return ["ins-missing"] if who.ids else ["patient-number-missing"]
    problems = ["ins-test"] if who.ins.root in _TEST_INS else []
    try:
        Ins.parse(who.ins.extension)
    except BadIdentifier:
        problems.append("ins-bad")
    return problems if who.qualified else [*problems, "ins-unqualified"]


def _body(root: etree._Element, problems: list[str]) -> Media | None:
    """The file that is the whole content of an N1 document."""
    text = first(root, "component", "nonXMLBody", "text")
    return _media(text, "", problems) if text is not None else None


def _inside(root: etree._Element, problems: list[str]) -> list[Media]:
    """The files inside a structured document."""
    values = ((held.get("ID", ""), first(held, "value")) for held in root.iter(f"{V3}observationMedia"))
    found = (_media(value, ref, problems) for ref, value in values if value is not None)
    return [media for media in found if media is not None]


def _media(value: etree._Element, ref: str, problems: list[str]) -> Media | None:
    declared = attribute(value, "mediaType").lower()
    text = value.text or ""
    if value.get("representation") != "B64":
        if text.strip():
            return Media(declared or "text/plain", text.encode(), ref)
        problems.append("content-unreadable")  # a reference, perhaps: what stands elsewhere is never fetched
        return None
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        data = b""
    if not data:
        problems.append("content-unreadable")
        return None
    seen = next((mime for mark, mime in _MAGIC if data.startswith(mark)), "")
    seen = seen or ("application/pdf" if b"%PDF-" in data[:_PDF_WINDOW] else "")
    if seen != declared and (seen or declared in _KNOWN):
        problems.append("content-mislabelled")
    return Media(seen or declared or "application/octet-stream", data, ref)


def _act(event: etree._Element) -> Act:
    time, performer = first(event, "effectiveTime"), first(event, "performer")
    low = first(time, "low")
    return Act(
        start=moment(low if low is not None else time),
        stop=moment(first(time, "high")),
        code=coded(first(event, "code")),
        performer=agent(performer) if performer is not None else None,
        practice=coded(first(performer, "assignedEntity", "representedOrganization", "standardIndustryClassCode")),
    )


def _replaced(root: etree._Element) -> Identifier | None:
    related = root.findall(f"{V3}relatedDocument")
    found = next((each for each in related if each.get("typeCode") == "RPLC"), None)
    return identifier(first(found, "parentDocument", "id"))
