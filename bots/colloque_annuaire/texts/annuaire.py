"""Every French sentence that @annuaire says. Short, without blame, with the next step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from colloque.attestation import Attestation
from colloque.clock import PARIS
from colloque.commands import Command
from colloque.identity import MssanteAddress, UserId
from colloque.professional import Professional
from colloque_annuaire.rules.enrol import No

HOME_NAME = "Colloque"
HOME_TOPIC = "Votre salon personnel avec les automates Colloque. Tapez !aide."
ADMIN_NAME = "Colloque – administration"

CODE_SUBJECT = "Votre code d'inscription à Colloque"

BAD_RPPS = (
    "Ce numéro n'est pas un RPPS valable : il compte 11 chiffres, le dernier est une clé.\n"
    "Vérifiez-le sur votre carte CPS ou e-CPS, puis retapez : !inscription 1 0000 00000 0"
)
NO_RPPS = "Indiquez votre numéro RPPS (11 chiffres), par exemple : !inscription 10000000000"
BAD_CODE = "Le code compte 6 chiffres. Exemple : !code 123456"
DIRECTORY_EMPTY = "L'annuaire n'est pas encore chargé. Réessayez plus tard ; l'administrateur est prévenu."


def duration(life: timedelta) -> str:
    """A short duration: "2 minutes", "1 heure", "45 secondes"."""
    seconds = round(life.total_seconds())
    for size, one, many in ((86400, "jour", "jours"), (3600, "heure", "heures"), (60, "minute", "minutes")):
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {many if count > 1 else one}"
    return f"{seconds} secondes"


def code_sent(address: MssanteAddress, life: timedelta) -> str:
    """After `!inscription`."""
    return (
        f"Un code à 6 chiffres part vers votre boîte MSSanté {address}.\n"
        f"Il vaut {duration(life)}. Répondez ici, par exemple : !code 123456"
    )


def code_mail(digits: str, *, user: UserId, person: Professional | None, life: timedelta) -> str:
    """The mail that carries the code: who asked, and what to do when it was not you."""
    hello = f"Bonjour {person.full_name}," if person else "Bonjour,"
    return (
        f"{hello}\n\n"
        f"Le compte Matrix {user} demande à être reconnu comme étant le vôtre sur Colloque.\n\n"
        f"Votre code : {digits}\n\n"
        f"Dans votre salon « {HOME_NAME} », répondez : !code {digits}\n"
        f"Ce code vaut {duration(life)} et ne sert qu'une fois.\n\n"
        "Ce n'était pas vous ? Ne donnez ce code à personne et n'en faites rien : sans lui, personne ne peut se "
        "faire passer pour vous. Si cela se répète, prévenez l'administrateur de votre établissement.\n"
        "Colloque ne vous demandera jamais ce code par téléphone.\n"
    )


def attested(attestation: Attestation) -> str:
    """After the right code."""
    until = attestation.valid_until.astimezone(PARIS)
    return (
        f"✅ Identité vérifiée : {attestation.name}.\n"
        f"Elle vaut jusqu'au {until:%d/%m/%Y}. Vos confrères vous voient désormais sous ce nom.\n"
        "Tapez !aide pour la suite."
    )


def refusal(no: No, *, person: Professional | None = None, tries_left: int | None = None) -> str:
    """Why an enrolment stopped, and what to do."""
    if no is No.WRONG:
        if tries_left:
            return f"Ce n'est pas le bon code. Il vous reste {tries_left} essai{'s' if tries_left > 1 else ''}."
        return _REFUSALS[No.DEAD]
    if no is No.PROFESSION and person is not None and person.professions:
        return f"{_REFUSALS[no]}\n(Annuaire Santé : {', '.join(person.professions)})"
    if no is No.CHOOSE and person is not None:
        lines = [f"{n}. {box.address}" for n, box in enumerate(person.personal_mailboxes, 1)]
        return (
            "L'annuaire vous connaît plusieurs boîtes MSSanté :\n"
            + "\n".join(lines)
            + f"\nLaquelle relevez-vous ? Répondez par exemple : !inscription {person.rpps} 1"
        )
    return _REFUSALS[no]


_REFUSALS = {
    No.ALREADY: "Votre identité est déjà vérifiée : il n'y a rien à faire.",
    No.OTHER_RPPS: (
        "Ce compte appartient à un autre numéro RPPS. Un compte ne change pas de personne : "
        "demandez un compte à votre nom à votre administrateur."
    ),
    No.TAKEN: (
        "Ce numéro RPPS a déjà un compte Colloque. Si c'est le vôtre, connectez-vous avec ce compte. "
        "Sinon, prévenez votre administrateur."
    ),
    No.UNKNOWN: (
        "L'Annuaire Santé ne connaît pas ce numéro RPPS. Vérifiez les chiffres ; si vous venez d'être inscrit, "
        "l'annuaire se met à jour chaque jour."
    ),
    No.PROFESSION: (
        "La profession que l'Annuaire Santé indique pour vous n'est pas de celles qui sont admises ici. "
        "Si c'est une erreur, voyez qui tient votre inscription ; sinon, votre administrateur."
    ),
    No.NO_MAILBOX: (
        "L'Annuaire Santé ne vous connaît pas de boîte MSSanté personnelle, et le code ne part que là. "
        "Ouvrez-en une (Mailiz est gratuit), ou voyez votre administrateur."
    ),
    No.CHOOSE: "L'annuaire vous connaît plusieurs boîtes MSSanté : précisez laquelle.",
    No.TOO_MANY: "Trop de codes ont été demandés aujourd'hui. Réessayez demain, ou voyez votre administrateur.",
    No.BARRED: (
        "L'accès de ce professionnel a été retiré. Seul votre administrateur peut le rendre : prenez contact avec lui."
    ),
    No.OTHER_KIND: (
        "Ce compte n'est pas celui d'un professionnel inscrit en son nom. "
        "Demandez un compte à votre nom à votre administrateur."
    ),
    No.NO_CODE: "Aucun code n'est attendu. Demandez-en un : !inscription suivi de votre numéro RPPS.",
    No.EXPIRED: "Ce code a expiré. Demandez-en un nouveau : !inscription suivi de votre numéro RPPS.",
    No.DEAD: "Trop d'essais : ce code est annulé. Demandez-en un nouveau : !inscription suivi de votre numéro RPPS.",
}

_WELCOME = (
    "Bienvenue sur Colloque.\n"
    "Ce salon chiffré est le vôtre : vous y parlez aux automates, vos confrères n'y sont pas.\n"
)


def welcome(*, verified: bool) -> str:
    """The first greeting."""
    if verified:
        return _WELCOME + "Votre identité est vérifiée : tapez !chercher et un nom, ou !aide pour la suite."
    return _WELCOME + (
        "Pour écrire à des confrères, faites d'abord vérifier votre identité : "
        "tapez !inscription suivi de votre numéro RPPS."
    )


def help_text(commands: Sequence[Command], *, verified: bool, under: str = "") -> str:
    """The answer to `!aide`. `under`: the name, with their professional's in it, of somebody who works under one."""
    lines = [f"{c.usage} – {c.help}" for c in commands]
    head = "Voici ce que vous pouvez taper :"
    if not verified:
        head = "Votre identité n'est pas encore vérifiée : commencez par !inscription.\n" + head
    foot = [f"Vous êtes ici : {under}. Ce professionnel répond de votre accès."] if under else []
    return "\n".join([head, *lines, *foot])


def state(*, people: int, mailboxes: int, made_at: str, attested_count: int, homes: int) -> str:
    """`!etat` in the admin room."""
    return (
        f"Annuaire du {made_at} : {people} professionnels, {mailboxes} boîtes MSSanté.\n"
        f"Identités vérifiées : {attested_count}. Salons personnels : {homes}."
    )
