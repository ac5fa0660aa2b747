"""From a row of an extraction to what the directory keeps. Identifiers pass through `colloque.identity` or stay out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from colloque.directory.build import ActivityRow, MailboxRow, PersonRow
from colloque.directory.rows import Rows
from colloque.errors import BadIdentifier
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import MailboxKind

_ELEVEN = re.compile(r"\d{11}", re.ASCII)
_CEDEX = re.compile(r"^\d{5}\s+|\s+CEDEX\b.*$", re.IGNORECASE)


class BadRow(Exception):
    """This row stays out. `reason` is the code it is counted under."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@lru_cache(maxsize=4_096)
def national_id(kind: str, value: str, *, test: bool) -> tuple[str, str | None]:
    """`(Identification nationale PP, RPPS or None)` from a type (`8` RPPS, `0` ADELI) and an identifier.

    Raises BadRow. `test` admits wrong RPPS keys (ANS's fictive people).
    """
    try:
        if kind == "8":
            rpps = Rpps.parse(value, test=test)
            return rpps.national, rpps.value
        if kind == "0":
            return Adeli.parse(value).national, None
    except BadIdentifier:
        raise BadRow("identifier.key" if _ELEVEN.fullmatch(value) else "identifier.malformed") from None
    raise BadRow("identifier.type")


def people(rows: Rows, *, test: bool) -> Iterator[tuple[PersonRow, ActivityRow]]:
    """Each activity with its person; what can't be kept is counted in `rows.rejected`."""
    at = rows.columns.at
    kind, value, national = at("Type d'identifiant PP"), at("Identifiant PP"), at("Identification nationale PP")
    family, given, title = at("Nom d'exercice"), at("Prénom d'exercice"), at("Libellé civilité d'exercice")
    profession_code, profession = at("Code profession"), at("Libellé profession")
    category = at("Code catégorie professionnelle")
    skill_code, skill, mode = at("Code savoir-faire"), at("Libellé savoir-faire"), at("Code mode exercice")
    name, sign = at("Raison sociale site"), at("Enseigne commerciale site")
    structure_id = at("Identifiant technique de la structure")
    postcode, cedex = at("Code postal (coord. structure)"), at("Bureau cedex (coord. structure)")
    town = at("Libellé commune (coord. structure)")
    for f in rows:
        try:
            who, rpps = national_id(f[kind], f[value], test=test)
            if f[national] != who:
                raise BadRow("identifier.contradiction")
            if not f[family]:
                raise BadRow("name.missing")
        except BadRow as bad:
            rows.rejected[bad.reason] += 1
            continue
        yield (
            (who, rpps, f[family], f[given], f[title]),
            (
                *(who, f[profession_code], f[profession], f[category], f[skill_code], f[skill], f[mode]),
                *(f[name] or f[sign], f[structure_id], f[postcode], f[town] or _CEDEX.sub("", f[cedex])),
            ),
        )


def mailboxes(rows: Rows, *, test: bool) -> Iterator[MailboxRow]:
    """Each mailbox; what can't be kept is counted in `rows.rejected`."""
    at = rows.columns.at
    box, address = at("Type de BAL"), at("Adresse BAL")
    kind, value = at("Type Identifiant PP"), at("Identifiant PP")
    name, sign = at("Raison Sociale structure BAL"), at("Enseigne commerciale structure BAL")
    service = at("Service de rattachement")
    for f in rows:
        try:
            parsed = _address(f[address])
            national = rpps = None
            if f[box] == MailboxKind.PER:
                national, rpps = national_id(f[kind], f[value], test=test)
            elif f[box] not in {MailboxKind.ORG, MailboxKind.APP}:
                raise BadRow("mailbox.kind")
        except BadRow as bad:
            rows.rejected[bad.reason] += 1
            continue
        where = f[name] or f[sign]
        yield parsed.value, f[box], national, rpps, " - ".join(part for part in (where, f[service]) if part)


def _address(text: str) -> MssanteAddress:
    try:
        parsed = MssanteAddress.parse(text)
    except BadIdentifier:
        raise BadRow("mailbox.address") from None
    if parsed.is_patient:
        raise BadRow("mailbox.patient")
    return parsed
