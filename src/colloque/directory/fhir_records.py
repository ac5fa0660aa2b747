"""From FHIR resources to what the directory says of a person or a mailbox. Pure.

A Practitioner is an exercise (numbers, name, profession, skills, cards), a PractitionerRole one place of it, an
Organization that place (source: ANS, API Annuaire Santé v2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from colloque.directory.fhir_bundle import FhirNonsense, Resource, dicts, pointed_at, reference_of, text
from colloque.directory.fhir_parts import Place, cards, codes, mailboxes, moment, numbers_of, place
from colloque.directory.folding import fold
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import Activity, Card, Mailbox, Professional, Skill

_TITLES = {"DR": "Docteur", "PR": "Professeur"}
"""Civilité d'exercice (TRE_R11) as the extraction spells it."""
_PROFESSIONS = ("G15", "R94", "R95", "R291")
_SKILLS = ("R38", "R39", "R40", "R42", "R43", "R44", "R45", "R97", "G13")


@dataclass(frozen=True, slots=True)
class FhirPerson:
    """One person as FHIR tells of them today."""

    active: bool
    """False: no exercise of theirs is active. Then FHIR gives numbers at most: no name, no activity."""
    rpps: Rpps | None
    adeli: Adeli | None
    """With an RPPS beside it: proof that the one became the other."""
    family_name: str
    given_name: str
    title: str
    activities: tuple[Activity, ...]
    """Where FHIR does not say of which profession a place is, it stands under each. Labels may be empty."""
    mailboxes: tuple[Mailbox, ...]
    """Their own (PER) and their practice's (CAB)."""
    skills: tuple[Skill, ...]
    cards: tuple[Card, ...]
    updated_at: datetime | None
    """When FHIR last changed any part of it; None when it does not tell."""
    asked_at: datetime
    """When we were told."""
    doubts: tuple[str, ...] = ()
    """Where FHIR contradicts itself: `identifier`, `name`."""

    @property
    def professional(self) -> Professional | None:
        """The same person in the directory's words; None when inactive."""
        if not self.active:
            return None
        return Professional(
            rpps=self.rpps,
            family_name=self.family_name,
            given_name=self.given_name,
            title=self.title,
            activities=self.activities,
            mailboxes=self.mailboxes,
            adeli=self.adeli,
            skills=self.skills,
        )


def person(
    number: Rpps | Adeli, resources: Sequence[Resource], asked_at: datetime, *, test: bool = False
) -> FhirPerson | None:
    """Who goes by `number` in these resources (every page of the answer); None when there is no such exercise.

    Several exercises make one person, active when one of them is. Raises FhirNonsense: an exercise of somebody else
    (the server did not understand the question), one that does not say whether it is active, an active one unnamed.
    """
    exercises = [r for r in resources if r["resourceType"] == "Practitioner"]
    if not exercises:
        return None
    numbers = _numbers(number, exercises, test=test)
    current = [e for e in exercises if e["active"]]
    names = [_name(e) for e in current]
    rpps = number if isinstance(number, Rpps) else min((n for n in numbers if isinstance(n, Rpps)), default=None)
    adeli = number if isinstance(number, Adeli) else min((n for n in numbers if isinstance(n, Adeli)), default=None)
    several = {"identifier": bool(numbers - {rpps, adeli}), "name": len({fold(name[0]) for name in names}) > 1}
    roles = _roles(current, resources)
    places = _places(resources)
    boxes: dict[MssanteAddress, Mailbox] = {}
    for holder in [*roles, *current]:
        where = _place_of(holder, places).name
        for box in mailboxes(holder, structure=where, rpps=rpps, adeli=None if rpps else adeli):
            boxes.setdefault(box.address, box)
    return FhirPerson(
        active=bool(current),
        rpps=rpps,
        adeli=adeli,
        family_name=names[0][0] if names else "",
        given_name=names[0][1] if names else "",
        title=next((title for _, _, title in names if title), ""),
        activities=tuple(dict.fromkeys(a for e in current for a in _activities(e, _roles([e], resources), places))),
        mailboxes=tuple(boxes.values()),
        skills=tuple(dict.fromkeys(skill for e in current for skill in _skills(e))),
        cards=tuple(dict.fromkeys(card for e in current for card in cards(e))),
        updated_at=max(filter(None, map(_updated, [*exercises, *roles])), default=None),
        asked_at=asked_at,
        doubts=tuple(what for what, doubt in several.items() if doubt),
    )


def owned_mailboxes(
    address: MssanteAddress, resources: Sequence[Resource], *, test: bool = False
) -> tuple[Mailbox, ...]:
    """Every listing of `address` in these resources, with whose it is; several when FHIR lists it in several places.

    Raises FhirNonsense when resources were found and none of them holds it, as any kind of telecom.
    """
    values = [text(telecom, "value").casefold() for r in resources for telecom in dicts(r, "telecom")]
    if resources and address.value not in values:
        raise FhirNonsense("the FHIR answer is about other mailboxes")
    by_reference = {reference_of(r): r for r in resources}
    places = _places(resources)
    found: list[Mailbox] = []
    for holder in resources:
        if holder.get("active") is False:
            continue
        owner = by_reference.get(pointed_at(holder, "practitioner"), holder)
        numbers = sorted(numbers_of(owner, test=test), key=lambda n: isinstance(n, Adeli))
        first = numbers[0] if numbers else None
        where = place(holder) if holder["resourceType"] == "Organization" else _place_of(holder, places)
        found += mailboxes(
            holder,
            structure=where.name,
            rpps=first if isinstance(first, Rpps) else None,
            adeli=first if isinstance(first, Adeli) else None,
        )
    return tuple(dict.fromkeys(box for box in found if box.address == address))


def missing_organizations(resources: Iterable[Resource]) -> set[str]:
    """`Organization/id` that active places name and that are not among these resources."""
    resources = list(resources)
    named = {pointed_at(r, "organization") for r in resources if r["resourceType"] == "PractitionerRole" and _on(r)}
    return named - {"", *map(reference_of, resources)}


def _numbers(number: Rpps | Adeli, exercises: Sequence[Resource], *, test: bool) -> set[Rpps | Adeli]:
    numbers: set[Rpps | Adeli] = {number}
    for exercise in exercises:
        found = numbers_of(exercise, test=test)
        # ANS: of a deleted exercise "only the id and the active field" are left.
        bare = len(exercises) == 1 and exercise.get("active") is False and not dicts(exercise, "identifier")
        if number not in found and not bare:
            raise FhirNonsense("the FHIR answer is about somebody else")
        if not isinstance(exercise.get("active"), bool):
            raise FhirNonsense("the FHIR answer does not say whether an exercise is active")
        numbers |= found
    return numbers


def _name(exercise: Resource) -> tuple[str, str, str]:
    """Family name, given names, title; the usual name where there are several."""
    names = sorted(dicts(exercise, "name"), key=lambda name: name.get("use") != "usual")
    found = next((name for name in names if text(name, "family")), None)
    if found is None:
        raise FhirNonsense("the FHIR answer holds an active exercise without a name")
    title = next((_TITLES[word] for word in _words(found, "suffix", "prefix") if word in _TITLES), "")
    return text(found, "family"), " ".join(_words(found, "given")), title


def _words(name: Mapping[str, object], *elements: str) -> Iterator[str]:
    for element in elements:
        value = name.get(element)
        yield from (word for word in (value if isinstance(value, list) else [value]) if isinstance(word, str))


def _on(role: Resource) -> bool:
    return role.get("active") is not False


def _roles(exercises: Iterable[Resource], resources: Iterable[Resource]) -> list[Resource]:
    """The active places of these exercises."""
    of = set(map(reference_of, exercises))
    roles = [r for r in resources if r["resourceType"] == "PractitionerRole" and _on(r)]
    return [role for role in roles if pointed_at(role, "practitioner") in of]


def _places(resources: Iterable[Resource]) -> dict[str, Place]:
    return {reference_of(r): place(r) for r in resources if r["resourceType"] == "Organization"}


def _place_of(holder: Resource, places: Mapping[str, Place]) -> Place:
    return places.get(pointed_at(holder, "organization"), Place())


def _activities(exercise: Resource, roles: Sequence[Resource], places: Mapping[str, Place]) -> Iterator[Activity]:
    """One a profession and place; a profession exercised nowhere stands alone."""
    held = [codes([code]) for q in dicts(exercise, "qualification") for code in dicts(q, "code")]
    trades = [tables for tables in held if any(table in tables for table in _PROFESSIONS)]
    ordinal = [skill for skill in _skills(exercise) if skill.type_code == "S"]
    specialty = ordinal[0] if len(ordinal) == 1 else Skill("", "", "")
    spots = [(codes(dicts(role, "code")), _place_of(role, places)) for role in roles] or [({}, Place())]
    for tables, spot in spots:
        named = [tables] if any(table in tables for table in _PROFESSIONS) else trades
        for trade in named:
            code, label = next(trade[table] for table in _PROFESSIONS if table in trade)
            yield Activity(
                profession_code=code,
                profession=label,
                category_code=trade.get("R09", ("C", ""))[0],
                specialty_code=specialty.code,
                specialty=specialty.label,
                mode_code=tables.get("R23", ("", ""))[0],
                structure=spot.name,
                structure_id=spot.structure_id,
                postcode=spot.postcode,
                town=spot.town,
            )


def _skills(exercise: Resource) -> Iterator[Skill]:
    for qualification in dicts(exercise, "qualification"):
        tables = codes(dicts(qualification, "code"))
        for code, label in (tables[table] for table in _SKILLS if table in tables):
            yield Skill(tables.get("R04", ("S" if "R38" in tables else "", ""))[0], code, label)


def _updated(resource: Resource) -> datetime | None:
    return next((moment(text(meta, "lastUpdated")) for meta in dicts(resource, "meta")), None)
