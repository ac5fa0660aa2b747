"""Parts of FHIR resources in the directory's words: numbers, codes, structures, mailboxes, cards. Pure.

Source: ANS, API Annuaire Santé v2 (guide `ans.fhir.fr.annuaire` 1.1). Identifier systems of v1 are read as well; only
those of v2 are ever sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from colloque.directory.fhir_bundle import Resource, dicts, text
from colloque.errors import BadIdentifier
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import Card, Mailbox, MailboxKind

IDNPS_SYSTEM = "urn:oid:1.2.250.1.71.4.2.1"
"""System of the "Identification nationale PP": the type digit, then the number. The same in v1 and v2."""
RPPS_SYSTEM = "https://rpps.esante.gouv.fr"
ADELI_SYSTEM = "https://adeli.esante.gouv.fr"
_SYSTEMS = {
    IDNPS_SYSTEM: "IDNPS",
    RPPS_SYSTEM: "RPPS",
    ADELI_SYSTEM: "ADELI",
    "http://rpps.fr": "RPPS",
    "http://rpps.esante.gouv.fr": "RPPS",
    "http://adeli.esante.gouv.fr": "ADELI",
}
_TYPES = {
    "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203",
    "http://interopsante.org/CodeSystem/v2-0203",
    "http://interopsante.org/fhir/CodeSystem/fr-v2-0203",
}
"""Code systems of an identifier's type; they count where its own system is none of the above."""
_STRUCTURE_SYSTEM = "https://rppsrang.esante.gouv.fr"
"""System of a structure's number in the RPPS, the extraction's "Identifiant technique de la structure"."""
_TABLE = re.compile(r"/TRE_([A-Z]\d+)-", re.ASCII)
_CEDEX = re.compile(r"^\d{5}\s+|\s+CEDEX\b.*$", re.IGNORECASE)


def tokens(number: Rpps | Adeli) -> str:
    """What to search for as `identifier`: either of the two ways in which v2 writes the number."""
    system = RPPS_SYSTEM if isinstance(number, Rpps) else ADELI_SYSTEM
    return f"{IDNPS_SYSTEM}|{number.national},{system}|{number.value}"


def numbers_of(practitioner: Resource, *, test: bool) -> set[Rpps | Adeli]:
    """Its national numbers, from old and new systems. Malformed ones and those of other kinds are left out."""
    found: set[Rpps | Adeli] = set()
    for identifier in dicts(practitioner, "identifier"):
        codings = [c for concept in dicts(identifier, "type") for c in dicts(concept, "coding")]
        kinds = [text(c, "code") for c in codings if text(c, "system") in _TYPES]
        kind = _SYSTEMS.get(text(identifier, "system")) or (kinds[0] if kinds else "")
        value = text(identifier, "value")
        try:
            if kind == "RPPS" or (kind == "IDNPS" and value.startswith("8")):
                found.add(Rpps.parse(value, test=test))
            elif kind == "ADELI" or (kind == "IDNPS" and value.startswith("0")):
                found.add(Adeli.parse(value[1:] if kind == "IDNPS" else value))
        except BadIdentifier:
            continue
    return found


def codes(concepts: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """`(code, label)` by code list (`G15`, `R23`…), the first of each; the label is empty where FHIR gives none."""
    found: dict[str, tuple[str, str]] = {}
    for concept in concepts:
        for coding in dicts(concept, "coding"):
            table = _TABLE.search(text(coding, "system"))
            if table and text(coding, "code"):
                found.setdefault(table[1], (text(coding, "code"), text(coding, "display") or text(concept, "text")))
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """An Organization, as activities and mailboxes name it."""

    name: str = ""
    structure_id: str = ""
    postcode: str = ""
    town: str = ""


def place(organization: Resource) -> Place:
    """What it tells; an inactive one tells nothing but that it is."""
    numbers = [text(i, "value") for i in dicts(organization, "identifier") if i.get("system") == _STRUCTURE_SYSTEM]
    address = next(iter(dicts(organization, "address")), {})
    return Place(
        name=text(organization, "name"),
        structure_id=numbers[0] if numbers else "",
        postcode=text(address, "postalCode"),
        town=_CEDEX.sub("", text(address, "city")),
    )


def mailboxes(
    holder: Resource, *, structure: str = "", rpps: Rpps | None = None, adeli: Adeli | None = None
) -> Iterator[Mailbox]:
    """The MSSanté mailboxes among its telecoms; ordinary e-mails, malformed and patients' addresses are left out.

    ANS's own examples put the codes of "type de messagerie" (R256) and "type de BAL" (R257) in either extension, as
    Coding, CodeableConcept or code: the codes decide, wherever they stand. Without exactly one kind it stays out.
    """
    for telecom in dicts(holder, "telecom"):
        if telecom.get("system") != "email":
            continue
        told = set(_mailbox_codes(telecom))
        kinds = told & set(MailboxKind)
        if "MSSANTE" not in told or len(kinds) != 1:
            continue
        try:
            address = MssanteAddress.parse(text(telecom, "value"))
        except BadIdentifier:
            continue
        if not address.is_patient:
            kind = MailboxKind(kinds.pop())
            personal = kind is MailboxKind.PER
            yield Mailbox(address, kind, structure, rpps if personal else None, adeli if personal else None)


def _mailbox_codes(telecom: Mapping[str, Any]) -> Iterator[str]:
    for extension in dicts(telecom, "extension"):
        if extension_is(extension, "fr-core-contact-point-email-type"):
            yield from _codes_in(extension)
        elif extension_is(extension, "as-ext-mailbox-mss-metadata"):
            for part in dicts(extension, "extension"):
                if part.get("url") == "type":
                    yield from _codes_in(part)


def _codes_in(extension: Mapping[str, Any]) -> Iterator[str]:
    yield text(extension, "valueCode")
    concepts = dicts(extension, "valueCodeableConcept")
    for coding in [*dicts(extension, "valueCoding"), *(c for concept in concepts for c in dicts(concept, "coding"))]:
        yield text(coding, "code")


def cards(practitioner: Resource) -> Iterator[Card]:
    """Its cards; one without a number stays out."""
    for extension in dicts(practitioner, "extension"):
        if not extension_is(extension, "as-ext-smartcard"):
            continue
        parts = {text(part, "url"): part for part in dicts(extension, "extension")}
        nothing: Mapping[str, Any] = {}
        period = next(iter(dicts(parts.get("period", nothing), "valuePeriod")), nothing)
        opposed = parts.get("oppositionDate", nothing)
        kinds = list(_codes_in(parts.get("type", nothing)))
        if number := text(parts.get("number", nothing), "valueString"):
            yield Card(
                number=number,
                kind=next(filter(None, kinds), ""),
                valid_from=_day(text(period, "start")),
                valid_until=_day(text(period, "end")),
                opposed_on=_day(text(opposed, "valueDateTime") or text(opposed, "valueDate")),
            )


def extension_is(extension: Mapping[str, Any], name: str) -> bool:
    """Whether it is the extension of that name, in whichever guide's namespace and version."""
    return text(extension, "url").partition("|")[0].endswith("/" + name)


def moment(stamp: str) -> datetime | None:
    """A FHIR instant, aware UTC; None when it is none."""
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None


def _day(stamp: str) -> date | None:
    try:
        return date.fromisoformat(stamp[:10])
    except ValueError:
        return None
