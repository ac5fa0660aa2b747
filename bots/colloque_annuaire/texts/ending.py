"""What @annuaire says when somebody's access ends, and when it is given back. Others never read why."""

from __future__ import annotations

from datetime import datetime

from colloque.clock import PARIS
from colloque.policy.ending import End

NOT_ENDED = "L'accès de ce compte n'a pas été retiré : il n'y a rien à rétablir."
MOTIVES = {
    "depart": "a quitté son exercice ou l'établissement",
    "sanction": "n'a plus le droit d'exercer",
    "usurpation": "n'est pas la personne qu'il prétend être",
    "securite": "compte ou appareil compromis",
    "autre": "autre raison",
}
"""What the journal keeps of an administrator's reason: a word, never a free text."""
_MOTIVES = "\n".join(f"• {word} : {meaning}" for word, meaning in MOTIVES.items())
WHO = f"Dites quel compte, et pourquoi en un mot :\n{_MOTIVES}\nPar exemple : !revoquer @prenom.nom:serveur depart"
WHO_BACK = "Dites de quel compte il s'agit, par exemple :\n!retablir @prenom.nom:serveur"
MOTIVE = f"Dites aussi pourquoi, en un mot, que seul le journal garde :\n{_MOTIVES}"
UNKNOWN = "Aucune personne d'ici n'a ce compte. Vérifiez-le, @ et serveur compris."
YOURSELF = "On ne retire pas son propre accès : demandez-le à un autre administrateur."
REVOKED = (
    "C'est fait : plus rien n'est accepté de ce compte. Ses sessions se ferment, il sort des salons patients, ici et "
    "sur les serveurs reliés : comptez une minute."
)


def confirm(name: str, user: str, motive: str) -> str:
    """Before a revocation."""
    return (
        f"Retirer tout accès à {name or user} ?\n"
        "Ses sessions seront fermées, ce compte sortira de tous les salons patients.\n"
        f"Pour confirmer : !revoquer {user} {motive} oui"
    )


def given_back(until: datetime | None) -> str:
    """`!retablir`: the answer in the admin room."""
    if until is None:
        return (
            "Le compte est rouvert. Cette personne doit prouver son identité à nouveau : elle le lira à sa connexion."
        )
    return f"L'accès est rendu, jusqu'au {until.astimezone(PARIS):%d/%m/%Y}. Ses salons encore ouverts lui reviennent."


def back(*, valid: bool) -> str:
    """To the person."""
    said = "Votre accès à Colloque vous est rendu.\n"
    if valid:
        return said + "Vos salons patients encore ouverts vous invitent à nouveau."
    return said + "Prouvez votre identité à nouveau : !inscription suivi de votre numéro RPPS. Vos salons suivront."


def ended_admin(why: End) -> str:
    """To the administrators, once; the journal says whose."""
    if why is End.FHIR:
        return (
            "L'Annuaire Santé indique deux fois de suite qu'un professionnel d'ici n'exerce plus : son accès est "
            "retiré. Si c'est une erreur : !retablir @compte. Le journal dit lequel."
        )
    return "Un accès a été retiré par un administrateur. Le journal dit lequel, par qui et pourquoi."


def partner_ended(name: str) -> str:
    """To whoever has a conversation of two with them."""
    return (
        "Un de vos correspondants n'a plus accès à Colloque.\n"
        f"{name or 'Cette personne'} ne lit plus votre conversation : écrivez autrement, ou à un autre confrère."
    )


def stuck(count: int) -> str:
    """An end that does not get through."""
    who = "Un retrait d'accès n'aboutit" if count == 1 else f"{count} retraits d'accès n'aboutissent"
    return (
        f"⚠️ {who} pas depuis plus d'une minute. Rien n'est accepté de ces comptes, mais ils peuvent encore figurer "
        "dans des salons : voyez l'état des services (!etat)."
    )


def unused_soon(days: int) -> str:
    """A month before an unused account is closed."""
    return (
        f"Votre compte Colloque sera fermé dans {days} jours, faute d'usage.\n"
        "Pour le garder, il suffit de vous connecter et d'ouvrir un salon."
    )


UNUSED_SUBJECT = "Votre compte Colloque, inutilisé, va être fermé"


def unused_mail(user: str, days: int) -> str:
    """The same, by mail."""
    return (
        "Bonjour,\n\n"
        f"Votre compte Colloque ({user}) n'a pas été utilisé depuis près d'un an. Il sera fermé dans {days} jours.\n\n"
        "Pour le garder, il suffit de vous connecter avant cette date. Une fois fermé, il se rouvre en prouvant votre "
        "identité à nouveau.\n"
    )
