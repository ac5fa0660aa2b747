"""What the Annuaire Santé says of one person. All exercises, activities and addresses are kept, none is picked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from colloque.errors import Inconsistent
from colloque.identity import Adeli, MssanteAddress, Rpps


class MailboxKind(StrEnum):
    """Kinds of MSSanté mailboxes (Type de BAL)."""

    PER = "PER"
    """A person's own."""
    ORG = "ORG"
    """A service's or team's; proves no person."""
    APP = "APP"
    """A software's (never in the public extraction)."""
    CAB = "CAB"
    """A practice's, shared; proves no person (in FHIR only)."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One MSSanté mailbox as the directory lists it."""

    address: MssanteAddress
    kind: MailboxKind
    structure: str = ""
    """Name of the structure it belongs to ("Raison sociale structure BAL"); empty when none."""
    rpps: Rpps | None = None
    """Whose it is, for PER; None when that person is still under an ADELI number, or when two people claim it."""
    adeli: Adeli | None = None
    """Whose it is, for PER of somebody still under an ADELI number."""


@dataclass(frozen=True, slots=True)
class Activity:
    """One place and way in which a profession is exercised (one row of the extraction)."""

    profession_code: str
    """TRE_G15 code, e.g. `10` for Médecin."""
    profession: str
    category_code: str = "C"
    """C civil, M militaire, E étudiant."""
    specialty_code: str = ""
    """Savoir-faire, e.g. `SM04`; empty when none."""
    specialty: str = ""
    mode_code: str = ""
    """L libéral, S salarié, B bénévole."""
    structure: str = ""
    structure_id: str = ""
    postcode: str = ""
    town: str = ""
    department_code: str = ""
    """Of the structure, e.g. `54`."""
    sector_code: str = ""
    """TRE_R02 code of the place's kind, e.g. `SA01`."""
    role_code: str = ""
    genre_code: str = ""
    """Genre d'activité, e.g. `GENR01`."""


@dataclass(frozen=True, slots=True)
class Skill:
    """A savoir-faire held by a person, beyond what each activity names."""

    type_code: str
    """S spécialité ordinale, C compétence, CEX compétence exclusive, CAPA capacité, FQ fonction qualifiée, …"""
    code: str
    label: str


@dataclass(frozen=True, slots=True)
class Diploma:
    """A diploma, or a permit to practise (autorisation d'exercice); the half that it is not stays empty."""

    type_code: str
    code: str
    label: str
    permit_type_code: str = ""
    permit_code: str = ""
    """Discipline of the permit."""
    permit: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A professional's smart card (CPS, CPF…)."""

    number: str
    kind: str
    """As its source codes it: TRE_R87 in FHIR, e.g. `CPS`."""
    valid_from: date | None
    valid_until: date | None
    opposed_on: date | None
    """When it was opposed (lost, stolen, withdrawn). None when it was not, or where that is not told: ANS keeps it out
    of FHIR's public profile."""


@dataclass(frozen=True, slots=True)
class Professional:
    """One person of the directory: under an RPPS number, or still under an ADELI number."""

    rpps: Rpps | None
    """None for somebody still under ADELI."""
    family_name: str
    """Nom d'exercice, as the directory writes it (upper case)."""
    given_name: str
    """Prénom d'exercice."""
    title: str = ""
    """Civilité d'exercice, e.g. "Docteur"; empty when none."""
    activities: tuple[Activity, ...] = ()
    mailboxes: tuple[Mailbox, ...] = field(default=())
    adeli: Adeli | None = None
    """Their only number, or the one they had before their RPPS: the same person."""
    skills: tuple[Skill, ...] = ()
    former: tuple[Adeli, ...] = ()
    """Every ADELI number known to have become their RPPS; some had several."""

    @property
    def number(self) -> Rpps | Adeli:
        """The number they go by today. Raises Inconsistent when they have none."""
        found = self.rpps or self.adeli
        if found is None:
            raise Inconsistent("a professional without any national number")
        return found

    @property
    def personal_mailboxes(self) -> tuple[Mailbox, ...]:
        """PER mailboxes only: the ones that prove the person."""
        return tuple(m for m in self.mailboxes if m.kind is MailboxKind.PER)

    @property
    def professions(self) -> tuple[str, ...]:
        """Distinct profession labels, in the directory's order."""
        return tuple(dict.fromkeys(a.profession for a in self.activities))

    @property
    def towns(self) -> tuple[str, ...]:
        """Distinct towns, in the directory's order."""
        return tuple(dict.fromkeys(a.town for a in self.activities if a.town))

    @property
    def full_name(self) -> str:
        """For people to read: "Dr Anne MARTIN", "Anne MARTIN"."""
        prefix = "Dr " if self.title.casefold() in {"docteur", "dr"} else ""
        return f"{prefix}{self.given_name} {self.family_name}"

    @property
    def display_name(self) -> str:
        """The name shown in Matrix: name, profession(s), town(s). The directory alone decides it."""
        parts = [self.full_name, " / ".join(p.lower() for p in self.professions), " / ".join(self.towns)]
        return " · ".join(p for p in parts if p)
