"""Who takes part: professionals of the sample directory, their accounts and mailboxes."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from colloque.directory.lookup import Directory
from colloque.errors import Inconsistent
from colloque.identity import MssanteAddress, Rpps, UserId
from colloque.professional import Professional
from colloque_demo.settings import ADMIN, SERVER_NAME
from colloque_demo.settings import password as new_password

FREE_CLINICIANS = 6
"""Accounts that the scenario never touches: no device, no identity, not verified."""
FREE_MAILBOXES = 4
"""Mailboxes of professionals without an account that the scenario never touches."""


class Role(StrEnum):
    """What somebody is, as `access.json` says it."""

    CLINICIAN = "clinician"
    UNVERIFIED = "unverified"
    ADMIN = "admin"


@dataclass
class Person:
    """One professional with a mailbox at the operator and, unless `user` is None, an account."""

    professional: Professional
    address: MssanteAddress
    mail_password: str = field(repr=False)
    user: UserId | None = None
    password: str = field(default="", repr=False)
    role: Role = Role.CLINICIAN
    used: bool = False
    recovery_key: str | None = field(default=None, repr=False)

    @property
    def rpps(self) -> Rpps:
        """Their number. Raises Inconsistent for those still under an ADELI number."""
        if self.professional.rpps is None:
            raise Inconsistent("this person has no RPPS number")
        return self.professional.rpps

    @property
    def short(self) -> str:
        """For the demo's own lines: "Dr Anne MARTIN"."""
        return self.professional.full_name

    @property
    def account(self) -> UserId:
        """Their Matrix user. Raises Inconsistent for those who have none."""
        if self.user is None:
            raise Inconsistent("this person has no account")
        return self.user


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody. The scenario knows `anne`… only by what they do in it."""

    author: Person
    """A: enrols, gets mail, opens the patient room."""
    colleague: Person
    """C: enrols, works with A."""
    outsider: Person
    """U: never verified."""
    correspondent: Person
    """B: a mailbox, no account."""
    admin: Person
    clinicians: tuple[Person, ...]
    """Untouched."""
    mailboxes: tuple[Person, ...]
    """Untouched, without account."""

    @property
    def accounts(self) -> tuple[Person, ...]:
        """Everybody with an account, the untouched first."""
        return (*self.clinicians, self.admin, self.author, self.colleague, self.outsider)

    @property
    def with_mailbox(self) -> tuple[Person, ...]:
        """Everybody: all have a mailbox. The untouched first."""
        return (*self.mailboxes, *self.accounts, self.correspondent)


def choose(extraction: Path, directory: Directory) -> Cast:
    """The first professionals, in the extraction's order, who have exactly one own mailbox and a name of their own.

    Raises Inconsistent when the directory is too small.
    """
    found = _candidates(extraction, directory)
    with_account = FREE_CLINICIANS + 4
    people = [_person(p) for p in _take(found, with_account + FREE_MAILBOXES + 1)]
    members, mailboxes = people[:with_account], people[with_account:]
    author, colleague, outsider, admin = members[:4]
    for person in members:
        name = _localpart(person.professional)
        person.user = UserId(f"@{name}:{SERVER_NAME}")
        person.password = new_password()
    admin.user, admin.role = UserId(f"@{ADMIN}:{SERVER_NAME}"), Role.ADMIN
    outsider.role = Role.UNVERIFIED
    for person in (author, colleague, outsider, mailboxes[0]):
        person.used = True
    return Cast(author, colleague, outsider, mailboxes[0], admin, tuple(members[4:]), tuple(mailboxes[1:]))


def _candidates(extraction: Path, directory: Directory) -> Iterator[Professional]:
    """Doctors with one PER mailbox, no two of one name."""
    names: set[str] = set()
    [file] = extraction.glob("*MSSante*.txt")
    with file.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows, delimiter="|"):
            if row["Type de BAL"] != "PER" or not row["Identifiant PP"]:
                continue
            person = directory.by_rpps(Rpps.parse(row["Identifiant PP"]))
            if person is None or person.title.casefold() != "docteur" or len(person.personal_mailboxes) != 1:
                continue
            if person.family_name not in names:
                names.add(person.family_name)
                yield person


def _take(found: Iterable[Professional], count: int) -> list[Professional]:
    out = [person for person, _ in zip(found, range(count), strict=False)]
    if len(out) < count:
        raise Inconsistent("the sample directory holds too few people with a mailbox")
    return out


def _person(professional: Professional) -> Person:
    return Person(professional, professional.personal_mailboxes[0].address, new_password())


def _localpart(person: Professional) -> str:
    """`anne.martin`: easy to type for a newcomer."""
    plain = unicodedata.normalize("NFKD", f"{person.given_name}.{person.family_name}")
    plain = "".join(c for c in plain if not unicodedata.combining(c)).lower()
    return re.sub(r"[^a-z0-9.]+", "-", plain).strip("-.")
