"""What people read of the documents that leave, in French."""

from __future__ import annotations

from collections.abc import Sequence

from colloque.mail.hl7 import Moment, Precision

WRITTEN = "Rédigé le"
AUTHOR = "Auteur"
RECIPIENTS = "Destinataires"
ACT = "Acte"
ACT_DATE = "Date de l'acte"
SIGNER = "Responsable"
CUSTODIAN = "Conservé par"
PATIENT = "Patient"
BORN = "Naissance"
SEX = "Sexe"
INS = "Matricule INS"
OTHER_NUMBER = "Identifiant"
SEXES = {"F": "féminin", "M": "masculin", "U": "inconnu"}
IMAGE = "[Image : voir le document d'origine]"
FILE = "[Fichier joint dans le document d'origine]"


def moment(when: Moment) -> str:
    """`01/04/2021 à 13:47`, as far as it is known; in the time of the place where it was written."""
    forms = {Precision.YEAR: "%Y", Precision.MONTH: "%m/%Y", Precision.DAY: "%d/%m/%Y"}
    return when.at.strftime(forms.get(when.precision, "%d/%m/%Y à %H:%M"))


def uncovered(code: int) -> str:
    """In place of a character for which there is no glyph: nothing is lost without a trace."""
    return f"[caractère U+{code:04X}]"


def readme(*, sender: Sequence[tuple[str, str]], software: Sequence[tuple[str, str]], files: Sequence[str]) -> str:
    """README.TXT: who made the archive, and how it is read. Nothing about a patient."""

    def block(title: str, lines: Sequence[str]) -> list[str]:
        return [f"{title} :", "=" * (len(title) + 2), *lines, ""]

    def fields(pairs: Sequence[tuple[str, str]]) -> list[str]:
        return [f"  . {name} : {value}" for name, value in pairs if value]

    lines = [
        *block("Emetteur", fields(sender)),
        *block("Application de l'emetteur", fields(software)),
        *block("Instructions", ["  . Ouvrez INDEX.HTM dans un navigateur, ou l'archive dans un logiciel metier."]),
        *block("Arborescence", [f"  {name}" for name in files]),
    ]
    return "\r\n".join(lines)


INDEX_TITLE = "Documents de santé"
INDEX_SENDER = "Émetteur"
INDEX_DOCUMENTS = "Documents"
SUBMISSION = "Envoi par messagerie sécurisée de santé"
