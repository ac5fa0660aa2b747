"""What people read of clinical documents, in French. The first line is neutral: lock screens show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from colloque.clock import PARIS
from colloque_mssante.texts.mails import NO_SUBJECT

DOCUMENT_TITLE = "📄 Document de santé"
DOCUMENTS_TITLE = "📄 Documents de santé"
ROOM_NAME = "Documents MSSanté (sans sonnerie)"
ANSWER_ONE = (
    "Rien n'est parti. Ce salon reçoit les documents de nombreux expéditeurs : répondez à l'un d'eux (appui long, "
    "« Répondre »), ou écrivez à quelqu'un avec « !ecrire »."
)
UNREADABLE_TITLE = "⚠️ Document de santé illisible"
PATIENT = "Patient : "
NO_TYPE = "Document sans type"
NO_AUTHOR = "auteur non précisé"
NO_DATE = "date non précisée"
COPY = " (copie)"
NOT_PRINTED = "Document trop long pour être mis en PDF : il se lit dans le fichier d'origine."
ONE_ARCHIVE = (
    "Ce message n'est pas parti : il contient plusieurs archives IHE_XDM. Envoyez-les une par une, car un message ne "
    "concerne qu'un patient."
)
INCOMPLETE = (
    "Il manque au document ce qu'une archive IHE_XDM doit en dire : son auteur, son signataire, son patient, son acte, "
    "ses dates ou son lieu."
)
UNNAMED = "Le document ne dit pas son type, ou ne nomme pas son patient."

_PROBLEMS = {
    "ins-test": "Matricule INS de test : ce document ne concerne pas un patient réel.",
    "ins-bad": "Matricule INS invalide : vérifiez l'identité du patient.",
    "ins-unqualified": "Identité du patient non qualifiée.",
    "ins-missing": "Document sans matricule INS.",
    "patient-missing": "Document sans patient.",
    "patient-number-missing": "Document sans identifiant de patient.",
    "patient-differs": "L'envoi et le document ne désignent pas le même patient.",
    "patients-several": "L'envoi concerne plusieurs patients.",
    "content-unreadable": "Une partie du contenu est illisible.",
    "content-mislabelled": "Un fichier inclus n'est pas du type annoncé.",
    "content-missing": "Document vide.",
    "hash-differs": "Empreinte incorrecte : le fichier a été modifié ou abîmé.",
    "size-differs": "Taille incorrecte : le fichier est incomplet ou abîmé.",
    "file-missing": "Le fichier annoncé manque dans l'archive.",
    "nested-archive": "Archive dans l'archive : elle n'est pas ouverte.",
    "archives-many": "Trop d'archives dans le même message : certaines ne sont pas ouvertes.",
    "file-unlisted": "L'archive contient un document qu'elle n'annonce pas.",
    "zip-encrypted": "Archive protégée par un mot de passe.",
    "zip-damaged": "Archive abîmée.",
    "xdm-no-metadata": "Archive sans description de son contenu.",
    "xml-dtd": "Fichier refusé : il contient des instructions dangereuses.",
    "not-cda": "Le fichier n'est pas un document de santé au format attendu.",
}
_SUSPICIOUS = "Fichier refusé : il est anormal ou dangereux."
_QUIET = {
    "hash-missing",
    "size-missing",
    "id-missing",
    "title-missing",
    "date-missing",
    "author-missing",
    "type-missing",
}
"""Seen in the card itself, or of no use to whoever reads it."""


def problems(codes: Sequence[str]) -> list[str]:
    """What is wrong with a document, each once."""
    told = (_PROBLEMS.get(code, _SUSPICIOUS) for code in codes if code not in _QUIET)
    return list(dict.fromkeys(told))


def not_sent(reasons: Sequence[str]) -> str:
    """An archive that must not leave, and why."""
    return (
        "Ce message n'est pas parti : son destinataire ne pourrait pas se fier aux documents joints.\n"
        + "\n".join(f"• {reason}" for reason in reasons)
        + "\nCorrigez l'archive dans le logiciel qui l'a faite, puis envoyez-la de nouveau."
    )


PATIENT_RINGS = "Les messages d'un patient sonnent toujours, dans leur propre salon."


def rings_now(who: str) -> str:
    """A bell was tapped on a mail of that sender."""
    return f"🔔 Noté : les prochains messages de {who} sonneront, dans leur propre salon."


def quiet_now(who: str) -> str:
    """The same, the other way."""
    return (
        f"🔕 Noté : les prochains messages de {who} arriveront sans sonner dans « {ROOM_NAME} », sauf urgence. "
        "Touchez 🔔 sous l'un d'eux pour revenir en arrière."
    )


def daily(lines: Sequence[tuple[datetime, str, str]], count: int) -> str:
    """The daily list: `(moment, sender, subject)` a mail, of `count` in all."""
    said = [f"{DOCUMENTS_TITLE} : {count} depuis la dernière liste", ""]
    for at, who, subject in lines:
        said.append(f"• {at.astimezone(PARIS).strftime('%d/%m à %H:%M')}, {who} : {subject or NO_SUBJECT}")
    if count > len(lines):
        said.append(f"… et {count - len(lines)} autres, plus haut dans ce salon.")
    return "\n".join([*said, "", "Un expéditeur doit sonner ? Touchez 🔔 sous l'un de ses messages."])


def more(count: int) -> str:
    """Documents beyond those that are shown."""
    them = "1 autre document se lit" if count == 1 else f"{count} autres documents se lisent"
    return f"{them} dans le fichier d'origine, joint à ce message."


def by(author: str) -> str:
    """Who wrote it."""
    return f"Auteur : {author}"


def on(date: str) -> str:
    """When it was written."""
    return f"Date : {date}"


def title(words: str) -> str:
    """Its title, where that says more than its type."""
    return f"Titre : {words}"


def recipients(names: Sequence[str]) -> str:
    """For whom it was written."""
    return f"Destinataires : {', '.join(names)}"


def patient(name: str, born: str, sex: str) -> str:
    """Stands inside an encrypted event only."""
    return PATIENT + ", ".join(part for part in (name, born, sex) if part)


def born(date: str) -> str:
    """A date of birth."""
    return f"né(e) le {date}"


def original(name: str) -> str:
    """Where the document itself is, when it could not be read."""
    return f"Le fichier d'origine reste joint : « {name} »."
