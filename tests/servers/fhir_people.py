"""Generated people and structures as the Annuaire Santé's FHIR API v2 writes them (after ANS's documented examples)."""

from __future__ import annotations

from typing import Any

from colloque.directory.sample_people import rpps_number

NOS = "https://mos.esante.gouv.fr/NOS"
TYPES = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
OLD_TYPES = "http://interopsante.org/CodeSystem/v2-0203"
AS = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition"
EMAIL_TYPE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-contact-point-email-type"
TABLES = {
    "G15": "TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante",
    "R04": "TRE_R04-TypeSavoirFaire/FHIR/TRE-R04-TypeSavoirFaire",
    "R09": "TRE_R09-CategorieProfessionnelle/FHIR/TRE-R09-CategorieProfessionnelle",
    "R14": "TRE_R14-TypeDiplome/FHIR/TRE-R14-TypeDiplome",
    "R21": "TRE_R21-Fonction/FHIR/TRE-R21-Fonction",
    "R22": "TRE_R22-GenreActivite/FHIR/TRE-R22-GenreActivite",
    "R23": "TRE_R23-ModeExercice/FHIR/TRE-R23-ModeExercice",
    "R38": "TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale",
    "R48": "TRE_R48-DiplomeEtatFrancais/FHIR/TRE-R48-DiplomeEtatFrancais",
    "R87": "TRE_R87-TypeCarte/FHIR/TRE-R87-TypeCarte",
    "R256": "TRE_R256-TypeMessagerie/FHIR/TRE-R256-TypeMessagerie",
    "R257": "TRE_R257-TypeBAL/FHIR/TRE-R257-TypeBAL",
}

Json = dict[str, Any]


def rpps(number: int) -> str:
    """The `number`th generated RPPS."""
    return rpps_number(number, 3)


def coding(table: str, code: str, display: str = "") -> Json:
    out = {"system": f"{NOS}/{TABLES[table]}", "code": code}
    return out | ({"display": display} if display else {})


def concept(*codings: Json) -> Json:
    return {"coding": list(codings)}


def identifier(kind: str, system: str, value: str, types: str = TYPES) -> Json:
    return {"use": "official", "type": concept({"system": types, "code": kind}), "system": system, "value": value}


def rpps_ids(number: str) -> list[Json]:
    return [
        identifier("IDNPS", "urn:oid:1.2.250.1.71.4.2.1", "8" + number),
        identifier("RPPS", "https://rpps.esante.gouv.fr", number),
    ]


def old_rpps_ids(number: str) -> list[Json]:
    """As v1 wrote them."""
    return [
        identifier("IDNPS", "urn:oid:1.2.250.1.71.4.2.1", "8" + number, OLD_TYPES),
        identifier("RPPS", "http://rpps.fr", number, OLD_TYPES),
    ]


def adeli_ids(number: str) -> list[Json]:
    return [
        identifier("IDNPS", "urn:oid:1.2.250.1.71.4.2.1", "0" + number),
        identifier("ADELI", "https://adeli.esante.gouv.fr", number),
    ]


def mail(address: str) -> Json:
    """An ordinary e-mail."""
    return {"system": "email", "value": address}


def mailbox(address: str, kind: str, *, shape: str = "concept", mixed: bool = False) -> Json:
    """An MSSanté mailbox; `shape` of its type: `concept` (directory guide) or `code` (write-API draft)."""
    first, second = ("R257", "R256") if mixed else ("R256", "R257")
    told = {"valueCode": kind} if shape == "code" else {"valueCodeableConcept": concept(coding(second, kind))}
    return {
        "system": "email",
        "value": address,
        "extension": [
            {"url": EMAIL_TYPE, "valueCoding": coding(first, "MSSANTE")},
            {
                "url": f"{AS}/as-ext-mailbox-mss-metadata",
                "extension": [
                    {"url": "type", **told},
                    {"url": "description", "valueString": "Secrétariat"},
                    {"url": "digitization", "valueBoolean": True},
                ],
            },
        ],
    }


def card(number: str, *, opposed: str = "") -> Json:
    parts: list[Json] = [
        {"url": "type", "valueCodeableConcept": concept(coding("R87", "CPS"))},
        {"url": "number", "valueString": number},
        {"url": "period", "valuePeriod": {"start": "2024-02-21", "end": "2027-02-21"}},
    ]
    if opposed:
        parts.append({"url": "oppositionDate", "valueDateTime": opposed})
    return {"url": f"{AS}/as-ext-smartcard", "extension": parts}


def profession(code: str, label: str = "", category: str = "C") -> Json:
    return {"code": concept(coding("R09", category), coding("G15", code, label))}


def specialty(code: str, label: str = "") -> Json:
    return {"code": concept(coding("R04", "S"), coding("R38", code, label))}


def practitioner(ident: str, ids: list[Json], family: str = "MARTENOT", **more: Any) -> Json:
    """An exercise; `more` adds or replaces elements."""
    return {
        "resourceType": "Practitioner",
        "id": ident,
        "meta": {
            "versionId": "1",
            "lastUpdated": "2026-03-01T18:19:26.335+02:00",
            "source": "https://annuaire.sante.fr",
            "profile": [f"{AS}/as-dp-practitioner"],
        },
        "language": "fr",
        "identifier": ids,
        "active": True,
        "name": [{"use": "usual", "family": family, "given": ["Alix"], "prefix": ["MME"], "suffix": ["DR"]}],
        "qualification": [
            {"code": concept(coding("R48", "DE05"), coding("R14", "DE"))},
            profession("10", "Médecin"),
            specialty("SM04", "Cardiologie"),
        ],
    } | more


def deleted(ident: str, ids: list[Json] | None = None) -> Json:
    """What is left of an exercise that ended."""
    out: Json = {"resourceType": "Practitioner", "id": ident, "active": False}
    out["meta"] = {"lastUpdated": "2026-03-02T02:00:00.000+01:00"}
    return out | ({"identifier": ids} if ids else {})


def role(ident: str, of: str, at: str, mode: str = "L", **more: Any) -> Json:
    """A place of exercise: one CodeableConcept a code, as production writes them."""
    return {
        "resourceType": "PractitionerRole",
        "id": ident,
        "meta": {"versionId": "1", "lastUpdated": "2026-03-01T19:00:00.000+01:00"},
        "identifier": [{"use": "official", "system": "https://rpps.esante.gouv.fr", "value": "1013186038"}],
        "active": True,
        "practitioner": {"reference": f"Practitioner/{of}"},
        "organization": {"reference": f"Organization/{at}"},
        "code": [concept(coding("R22", "GENR01")), concept(coding("R23", mode)), concept(coding("R21", "FON-05"))],
    } | more


def organization(ident: str, name: str, town: str = "54000 NANCY CEDEX", postcode: str = "54000", **more: Any) -> Json:
    return {
        "resourceType": "Organization",
        "id": ident,
        "identifier": [
            identifier("IDNST", "urn:oid:1.2.250.1.71.4.2.2", "1754567860"),
            identifier("FINEG", "https://finess.esante.gouv.fr", "754567860"),
            identifier("INTRN", "https://rppsrang.esante.gouv.fr", "F754567860"),
        ],
        "active": True,
        "name": name,
        "address": [{"city": town, "postalCode": postcode}],
    } | more


def bundle(resources: list[Json], following: str | None = None, **more: Any) -> Json:
    links = [{"relation": "self", "url": "https://fhir.example/fhir/v2/Practitioner"}]
    if following is not None:
        links.append({"relation": "next", "url": following})
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": links,
        "entry": [{"resource": r, "search": {"mode": "match"}} for r in resources],
    } | more
