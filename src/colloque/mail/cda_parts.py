"""Pieces of a CDA header to values: codes, identifiers, times, names, people, structures, the patient."""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from colloque.errors import BadInput
from colloque.mail.cda import Agent, Organization, Patient, PersonName, Recipient
from colloque.mail.hl7 import Coded, Identifier, Moment
from colloque.mail.message import NAME_LIMIT, one_line
from colloque.mail.parties import is_address

V3 = "{urn:hl7-org:v3}"
_ROLES = ("assignedAuthor", "assignedEntity", "intendedRecipient", "associatedEntity")
_PEOPLE = ("assignedPerson", "informationRecipient", "associatedPerson")
_PLACES = ("representedOrganization", "receivedOrganization", "scopingOrganization")
_TEXT_LIMIT = 300
_ID_LIMIT = 100


def first(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first element at that path of CDA names; None where any step is missing."""
    return element.find("/".join(V3 + step for step in path)) if element is not None else None


def attribute(element: etree._Element | None, name: str, limit: int = _TEXT_LIMIT) -> str:
    """An attribute as one clean line; empty when there is none."""
    return one_line(element.get(name) or "", limit) if element is not None else ""


def coded(element: etree._Element | None) -> Coded | None:
    """A CD/CE; None without a code."""
    code = attribute(element, "code")
    return Coded(code, attribute(element, "codeSystem"), attribute(element, "displayName")) if code else None


def identifier(element: etree._Element | None) -> Identifier | None:
    """An II; None without a root."""
    root = attribute(element, "root", _ID_LIMIT)
    return Identifier(root, attribute(element, "extension", _ID_LIMIT)) if root else None


def moment(element: etree._Element | None, problem: Callable[[], None] | None = None) -> Moment | None:
    """A TS; None when it is not told. `problem` is called when what is told is no time."""
    value = attribute(element, "value")
    try:
        return Moment.parse(value) if value else None
    except BadInput:
        if problem is not None:
            problem()
        return None


def words(element: etree._Element | None) -> str:
    """The text of an element and of those in it, as one line."""
    return one_line("".join(str(text) for text in element.itertext()), NAME_LIMIT) if element is not None else ""


def organization(element: etree._Element | None) -> Organization | None:
    """None when it has neither name nor number."""
    if element is None:
        return None
    found = Organization(words(first(element, "name")), identifier(first(element, "id")))
    return found if found.name or found.number else None


def agent(element: etree._Element) -> Agent:
    """The person, device or structure of an author, legalAuthenticator, performer or informationRecipient."""
    role = next((r for name in _ROLES if (r := first(element, name)) is not None), element)
    person = next((p for name in _PEOPLE if (p := first(role, name)) is not None), None)
    device = first(role, "assignedAuthoringDevice")
    ids = [found for each in role.findall(f"{V3}id") if (found := identifier(each)) is not None and found.extension]
    return Agent(
        name=_person_name(first(person, "name")),
        number=ids[0] if ids else None,
        role=coded(first(role, "code")),
        organization=organization(next((o for name in _PLACES if (o := first(role, name)) is not None), None)),
        device=words(first(device, "softwareName")) or words(first(device, "manufacturerModelName")),
        at=moment(first(element, "time")),
        addresses=_addresses(role),
    )


def recipient(element: etree._Element) -> Recipient:
    """An informationRecipient (typeCode PRCP when it is not told, CDA R2)."""
    return Recipient(agent(element), element.get("typeCode", "PRCP") != "TRC")


def patient(role: etree._Element) -> Patient:
    """A recordTarget's patientRole."""
    person = first(role, "patient")
    names = person.findall(f"{V3}name") if person is not None else []
    parts = [part for name in names for part in name]
    ids = [found for each in role.findall(f"{V3}id") if (found := identifier(each)) is not None and found.extension]

    def part(kind: str, *qualifiers: str | None) -> str:
        found = (p for q in qualifiers for p in parts if p.tag == f"{V3}{kind}" and p.get("qualifier") == q)
        return next((text for p in found if (text := words(p))), "")

    return Patient(
        ids=tuple(ids),
        birth_family=part("family", "BR"),
        birth_given=part("given", "BR"),
        birth_givens=part("given", None),
        used_family=part("family", "CL", "SP", None),
        used_given=part("given", "CL"),
        birth=moment(first(person, "birthTime")),
        sex=attribute(first(person, "administrativeGenderCode"), "code", 10),
        birth_place=words(first(person, "birthplace", "place", "addr", "county")),
    )


def _person_name(name: etree._Element | None) -> PersonName | None:
    if name is None:
        return None
    family = words(first(name, "family"))
    given = " ".join(text for each in name.findall(f"{V3}given") if (text := words(each)))
    if not family and not given:
        family = words(name)  # written as plain words
    prefix, suffix = words(first(name, "prefix")), words(first(name, "suffix"))
    return PersonName(family, given, prefix, suffix) if family or given else None


def _addresses(role: etree._Element) -> tuple[str, ...]:
    values = (attribute(each, "value") for each in role.findall(f"{V3}telecom"))
    mails = (value[7:].partition("?")[0].lower() for value in values if value.lower().startswith("mailto:"))
    return tuple(dict.fromkeys(mail for mail in mails if is_address(mail)))
