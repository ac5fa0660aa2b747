"""`ClinicalDocument` to a CDA R2 N1: ANS's header minimum ("Volet Structuration minimale") around a PDF.

The same value always gives the same bytes, and `read_cda` gives the value back.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from lxml import etree

from colloque.errors import BadInput
from colloque.mail.cda import Act, Agent, ClinicalDocument, Organization, Patient, PersonName, Recipient
from colloque.mail.cda_parts import V3
from colloque.mail.hl7 import IDNPS, IDNST, Coded, Identifier, Moment, is_oid

TEMPLATES = ("2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1", "1.3.6.1.4.1.19376.1.2.20")
"""HL7 France, CI-SIS, and IHE XDS-SD: a document that is not structured declares these three and no other."""
_PREFIXES = {"", "M", "MLLE", "MME", "DR", "MC", "MG", "PC", "PG", "PR"}
_SUFFIXES = {"", "DR", "MC", "MG", "PC", "PG", "PR"}
_SEXES = {"M": "Masculin", "F": "Féminin", "U": "Inconnu"}
_CONFIDENTIALITY = {"N": "Normal", "R": "Restreint", "V": "Très restreint"}
_NOT_ASKED = {"nullFlavor": "NASK"}


def write_cda(document: ClinicalDocument) -> bytes:
    """Write an N1 document. Raises BadInput, naming every field that the header minimum lacks."""
    lacking = list(_lacking(document))
    if lacking:
        raise BadInput(f"a CDA can't be written without: {', '.join(lacking)}")
    try:
        root = _written(document)
    except ValueError:
        raise BadInput("a CDA can't hold control characters") from None
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _lacking(document: ClinicalDocument) -> Iterator[str]:
    authors, acts, patient = document.authors, document.acts, document.patient
    main, holder = acts[0] if acts else Act(), document.custodian
    checks = {
        "id": document.id is not None and is_oid(document.id.root),
        "set_id": document.set_id is not None and is_oid(document.set_id.root),
        "version": document.version is not None and document.version > 0,
        "type": _is_coded(document.type),
        "title": bool(document.title),
        "at": document.at is not None,
        "language fr-FR": document.language == "fr-FR",
        "confidentiality N, R or V": document.confidentiality in _CONFIDENTIALITY,
        "author": bool(authors) and all(_is_professional(each) and each.at is not None for each in authors),
        "custodian": holder is not None and _is_national(holder) and bool(holder.name),
        "signer": document.signer is not None and _is_professional(document.signer) and document.signer.at is not None,
        "act's start": bool(acts) and all(act.start is not None for act in acts),
        "act's practice": _is_coded(main.practice),
        "performer": main.performer is not None and _is_professional(main.performer),
        "facility": _is_coded(document.facility),
        "recipients' family names": all(r.who.name is not None and r.who.name.family for r in document.recipients),
        "a PDF as its body": document.body is not None and document.body.mime == "application/pdf",
    }  # fmt: skip
    yield from (name for name, there in checks.items() if not there)
    yield from _lacking_of(patient) if patient is not None else ["patient"]


def _lacking_of(patient: Patient) -> Iterator[str]:
    if not patient.ids or not all(each.extension and is_oid(each.root) for each in patient.ids):
        yield "patient's number"
    if not patient.birth_family and not patient.used_family:
        yield "patient's name"
    if patient.birth is None:
        yield "patient's birth date"
    if patient.sex not in _SEXES:
        yield "patient's sex"
    traits = (patient.birth_family, patient.birth_given, patient.birth_givens, patient.birth_place)
    if patient.ins is not None and not all(traits):
        yield "patient's INS traits (birth name, first given name, given names, place of birth)"


def _is_coded(code: Coded | None) -> bool:
    return code is not None and bool(code.code and code.label) and is_oid(code.system)


def _is_professional(who: Agent) -> bool:
    name, place = who.name, who.organization
    return (
        name is not None
        and bool(name.family)
        and name.prefix in _PREFIXES
        and name.suffix in _SUFFIXES
        and who.number is not None
        and who.number.root == IDNPS
        and bool(who.number.extension)
        and (who.role is None or _is_coded(who.role))
        and (place is None or _is_national(place))
    )


def _is_national(place: Organization) -> bool:
    return place.number is None or (place.number.root == IDNST and bool(place.number.extension))


def _written(document: ClinicalDocument) -> etree._Element:
    root = etree.Element(f"{V3}ClinicalDocument", nsmap={None: V3[1:-1]})  # type: ignore[dict-item]  # stubs lack None
    _add(root, "realmCode", code="FR")
    _add(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    for template in TEMPLATES:
        _add(root, "templateId", root=template)
    _id(root, "id", document.id)
    _code(root, "code", document.type)
    _add(root, "title", document.title)
    _time(root, "effectiveTime", document.at)
    _code(
        root,
        "confidentialityCode",
        Coded(document.confidentiality, "2.16.840.1.113883.5.25", _CONFIDENTIALITY[document.confidentiality]),
    )
    _add(root, "languageCode", code=document.language)
    _id(root, "setId", document.set_id)
    _add(root, "versionNumber", value=str(document.version))
    assert document.patient is not None
    _patient(_add(root, "recordTarget"), document.patient)
    for author in document.authors:
        _agent(_add(root, "author"), author, "assignedAuthor")
    assert document.custodian is not None
    holder = _add(_add(root, "custodian"), "assignedCustodian")
    _place(holder, "representedCustodianOrganization", document.custodian)
    for recipient in document.recipients:
        _recipient(root, recipient)
    assert document.signer is not None
    _agent(_add(root, "legalAuthenticator"), document.signer, "assignedEntity", signature=True)
    for act in document.acts:
        _act(_add(root, "documentationOf"), act)
    if document.replaces is not None:
        _id(_add(_add(root, "relatedDocument", typeCode="RPLC"), "parentDocument"), "id", document.replaces)
    encounter = _add(_add(root, "componentOf"), "encompassingEncounter")
    _time(_add(encounter, "effectiveTime"), "low", document.acts[0].start)
    _code(_add(_add(encounter, "location"), "healthCareFacility"), "code", document.facility)
    assert document.body is not None
    text = base64.b64encode(document.body.data).decode()
    body = _add(_add(root, "component"), "nonXMLBody")
    _add(body, "text", text, mediaType=document.body.mime, representation="B64")
    return root


def _patient(target: etree._Element, patient: Patient) -> None:
    role = _add(target, "patientRole")
    for number in patient.ids:
        _id(role, "id", number)
    _add(role, "addr", **_NOT_ASKED)
    _add(role, "telecom", **_NOT_ASKED)
    person = _add(role, "patient", classCode="PSN")
    name = _add(person, "name")
    parts = (
        ("family", "BR", patient.birth_family),
        ("given", "", patient.birth_givens),
        ("given", "BR", patient.birth_given),
        ("family", "CL", patient.used_family),
        ("given", "CL", patient.used_given),
    )
    for kind, qualifier, value in parts:
        if value:
            _add(name, kind, value, **({"qualifier": qualifier} if qualifier else {}))
    _code(person, "administrativeGenderCode", Coded(patient.sex, "2.16.840.1.113883.5.1", _SEXES[patient.sex]))
    _time(person, "birthTime", patient.birth)
    if patient.birth_place:
        _add(_add(_add(_add(person, "birthplace"), "place"), "addr"), "county", patient.birth_place)


def _agent(parent: etree._Element, who: Agent, kind: str, *, signature: bool = False) -> None:
    if who.at is not None:
        _time(parent, "time", who.at)
    if signature:
        _add(parent, "signatureCode", code="S")
    role = _add(parent, kind)
    _id(role, "id", who.number)
    if who.role is not None:
        _code(role, "code", who.role)
    _add(role, "addr", **_NOT_ASKED)
    _add(role, "telecom", **_NOT_ASKED)
    assert who.name is not None
    _name(_add(role, "assignedPerson"), who.name)
    if who.organization is not None:
        _place(role, "representedOrganization", who.organization)


def _act(parent: etree._Element, act: Act) -> None:
    event = _add(parent, "serviceEvent")
    if act.code is not None:
        _code(event, "code", act.code)
    span = _add(event, "effectiveTime")
    _time(span, "low", act.start)
    if act.stop is not None:
        _time(span, "high", act.stop)
    if act.performer is None:
        return
    performer = _add(event, "performer", typeCode="PRF")
    _agent(performer, act.performer, "assignedEntity")
    if act.practice is not None:
        role = performer[-1]
        place = role.find(f"{V3}representedOrganization")
        _code(
            place if place is not None else _add(role, "representedOrganization"),
            "standardIndustryClassCode",
            act.practice,
        )


def _recipient(root: etree._Element, recipient: Recipient) -> None:
    who = recipient.who
    attributes = {} if recipient.primary else {"typeCode": "TRC"}
    role = _add(_add(root, "informationRecipient", **attributes), "intendedRecipient")
    if who.number is not None:
        _id(role, "id", who.number)
    for address in who.addresses:
        _add(role, "telecom", value=f"mailto:{address}")
    assert who.name is not None
    _name(_add(role, "informationRecipient"), who.name)
    if who.organization is not None:
        _place(role, "receivedOrganization", who.organization)


def _name(person: etree._Element, name: PersonName) -> None:
    parts = (("prefix", name.prefix), ("given", name.given), ("family", name.family), ("suffix", name.suffix))
    element = _add(person, "name")
    for kind, value in parts:
        if value:
            _add(element, kind, value)


def _place(parent: etree._Element, kind: str, place: Organization) -> None:
    element = _add(parent, kind)
    if place.number is not None:
        _id(element, "id", place.number)
    if place.name:
        _add(element, "name", place.name)
    _add(element, "telecom", **_NOT_ASKED)
    _add(element, "addr", **_NOT_ASKED)


def _id(parent: etree._Element, name: str, value: Identifier | None) -> None:
    assert value is not None
    _add(parent, name, root=value.root, **({"extension": value.extension} if value.extension else {}))


def _code(parent: etree._Element, name: str, value: Coded | None) -> None:
    assert value is not None
    _add(parent, name, code=value.code, codeSystem=value.system, displayName=value.label)


def _time(parent: etree._Element, name: str, value: Moment | None) -> None:
    assert value is not None
    _add(parent, name, value=value.hl7)


def _add(parent: etree._Element, name: str, text: str | None = None, /, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, V3 + name, attributes)
    element.text = text
    return element
