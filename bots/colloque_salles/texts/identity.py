"""What @salles says of a patient's qualified identity, in their encrypted room, and of the document made with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from colloque.clock import PARIS
from colloque.identity import INS_OIDS
from colloque.mail.standing import Standing
from colloque.taps import NUMBERS
from colloque_salles.rules.document import Document
from colloque_salles.rules.qualified import Doubt, QualifiedIdentity, Wrong

YES = "✅"
_FORM = (
    "!patient identite matricule avec sa clé ; NIR ou NIA ; nom de naissance ; prénoms séparés par des virgules ; "
    "date de naissance ; F ou M ; code INSEE du lieu"
)
HOW = (
    "Pour que l'archive de ce salon parte aussi en document de santé (CDA), donnez l'identité INS qualifiée du "
    f"patient, recopiée de votre logiciel ou du téléservice INSi, jamais de mémoire :\n{_FORM}\n"
    "Pour l'ôter : !patient identite retirer"
)
NOT_YOURS = "Seul le référent de ce salon, ou qui le remplace, donne, montre, confirme ou retire l'identité du patient."
CLOSED = "Ce salon est fermé : l'identité du patient ne change plus."
NONE = "Aucune identité du patient n'est notée pour ce salon."
WITHDRAWN = "Retirée : plus rien de l'identité du patient n'est noté, l'archive partira en PDF seul."
DOUBTED = "Confirmation retirée : l'identité du patient ne compte plus. Retouchez le signe, ou redonnez-la."
_WRONG = {
    Wrong.NUMBER: "le matricule a 15 caractères, clé comprise",
    Wrong.KEY: "la clé du matricule est fausse : un chiffre a été mal recopié",
    Wrong.AUTHORITY: "dites si le matricule est un NIR ou un NIA (ou donnez l'OID de son autorité)",
    Wrong.NAME: "il manque le nom de naissance",
    Wrong.GIVEN: "il manque le ou les prénoms de naissance",
    Wrong.UNSPLIT: "séparez les prénoms par des virgules, le premier d'abord : Jean Pierre, Marie",
    Wrong.LETTERS: "un nom ou un prénom n'a que des lettres, des tirets et des apostrophes",
    Wrong.BIRTH: "la date de naissance s'écrit JJ/MM/AAAA",
    Wrong.SEX: "le sexe est F ou M",
    Wrong.PLACE: "le lieu de naissance est un code INSEE de 5 caractères (99… à l'étranger), pas un code postal",
    Wrong.TWICE: "un trait est donné deux fois",
    Wrong.EXTRA: "un des champs ne se comprend pas",
}
_DOUBTS = {
    Doubt.BIRTH: "le matricule n'est pas de ce mois de naissance",
    Doubt.SEX: "le matricule n'est pas de ce sexe",
    Doubt.PLACE: "le matricule n'est pas de ce lieu de naissance",
}


def unclear(wrong: Collection[Wrong]) -> str:
    """Everything at once; nothing of what was typed is repeated."""
    lines = [f"– {said}" for each, said in _WRONG.items() if each in wrong]
    return "\n".join(["Rien n'est noté :", *lines, f"La ligne entière : {_FORM}"])


def _traits(identity: QualifiedIdentity) -> list[str]:
    number = identity.number
    grouped = " ".join((number[0], number[1:3], number[3:5], number[5:7], number[7:10], number[10:13], number[13:]))
    return [
        f"Matricule : {grouped} ({INS_OIDS[identity.authority]})",
        f"Nom de naissance : {identity.name}",
        f"Premier prénom : {identity.given}",
        f"Prénoms : {identity.givens}",
        f"Date de naissance : {identity.born:%d/%m/%Y}",
        f"Sexe : {'féminin' if identity.sex == 'F' else 'masculin'}",
        f"Lieu de naissance (INSEE) : {identity.place}",
    ]


def ask(identity: QualifiedIdentity, standings: Sequence[Standing]) -> str:
    """Read back before it counts. With several places of work, the tap says which one, too."""
    lines = ["Relisez l'identité du patient ; elle ne compte pas encore.", *_traits(identity)]
    lines += [f"⚠️ À vérifier : {_DOUBTS[doubt]}." for doubt in identity.doubts]
    if identity.authority not in _REAL:
        lines.append("⚠️ C'est une identité de test.")
    if not standings:
        lines.append("⚠️ L'Annuaire ne dit pas où vous exercez : l'archive partirait en PDF seul.")
    statement = (
        "vous affirmez qu'elle est qualifiée, prise au téléservice INSi ou dans votre logiciel, et vous en répondez ; "
        "l'archive du salon portera ce nom, sous la signature de son référent"
    )
    if len(standings) > 1:
        lines.append(f"Touchez le numéro du lieu où vous suivez ce patient : ainsi {statement}.")
        lines += [f"{sign} {_place(each)}" for sign, each in zip(NUMBERS, standings, strict=False)]
    else:
        lines.append(f"Touchez {YES} : ainsi {statement}.")
    return "\n".join(lines)


_REAL = {oid for oid, label in INS_OIDS.items() if label in {"INS-NIR", "INS-NIA"}}


def _place(standing: Standing) -> str:
    names = (standing.place.name if standing.place is not None else "", standing.facility.label, standing.role.label)
    return ", ".join(filter(None, names))


def confirmed(by: str, at: datetime) -> str:
    """After the tap; no trait is said again."""
    return (
        f"Noté : identité qualifiée du patient confirmée par {by}, le {at.astimezone(PARIS):%d/%m/%Y à %H:%M}. "
        f"{_CHANGE}"
    )


def shown(identity: QualifiedIdentity, by: str, at: datetime | None) -> str:
    """`!patient identite` alone."""
    state = f"Confirmée par {by}, le {at.astimezone(PARIS):%d/%m/%Y à %H:%M}." if at is not None else _NOT_YET
    return "\n".join(["Identité notée pour ce salon :", *_traits(identity), state, _CHANGE])


_CHANGE = "Pour la corriger, redonnez-la ; pour l'ôter : !patient identite retirer"
_NOT_YET = "Pas confirmée : elle ne compte pas. Touchez le signe sous sa relecture, ou redonnez-la."
_DOCUMENT = {
    Document.NONE: "",
    Document.ENCLOSED: "Aussi en document de santé (CDA, dans IHE_XDM.ZIP), au nom du patient tel que confirmé.",
    Document.UNCONFIRMED: "En PDF seul : l'identité du patient n'a pas été confirmée avant la fermeture.",
    Document.UNVERIFIED: "En PDF seul : qui a confirmé l'identité du patient n'est plus vérifié.",
    Document.UNPLACED: "En PDF seul : l'Annuaire ne dit pas à quel titre et où vous suivez ce patient.",
    Document.TOO_BIG: "En PDF seul : avec le document de santé (CDA), un message serait trop gros.",
    Document.FAILED: "En PDF seul : le document de santé (CDA) n'a pas pu être fait.",
}


def document(how: Document) -> list[str]:
    """What became of the document, in the message that an archive has left or is here."""
    return [said] if (said := _DOCUMENT[how]) else []
