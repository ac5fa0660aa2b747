"""What @annuaire says between a proof of identity and the attestation."""

from __future__ import annotations

from collections.abc import Sequence

from colloque.policy.professions import PROFESSIONS, Category, Trade
from colloque.professional import Professional

NOTHING_ASKED = (
    "Il n'y a rien à choisir pour l'instant.\nPour faire vérifier votre identité : !inscription suivi de votre RPPS."
)
NOTHING_TO_MOVE = (
    "Aucun compte n'est à déménager.\n"
    "La question se pose à l'inscription, quand un autre serveur a déjà un compte à votre nom."
)
_STATUS = {Category.CIVIL: "", Category.MILITARY: " (militaire)", Category.STUDENT: " (étudiant)"}


def which_exercise(person: Professional, offered: Sequence[Trade]) -> str:
    """Several exercises: the person says which, and is not verified before."""
    lines = []
    for n, trade in enumerate(offered, 1):
        places = dict.fromkeys(
            a.town for a in person.activities if (a.profession_code, a.category_code) == (trade.code, trade.category)
        )
        where = ", ".join(place for place in places if place)
        status = _STATUS[Category(trade.category)]
        lines.append(f"{n}. {PROFESSIONS[trade.code].label}{status}" + (f" – {where}" if where else ""))
    return (
        "Une question avant de finir : l'Annuaire Santé vous connaît plusieurs exercices.\n"
        + "\n".join(lines)
        + "\nSous lequel entrez-vous ici ? Répondez par son numéro, par exemple : 1"
    )


def elsewhere(organisations: Sequence[str]) -> str:
    """The same professional has an account on another server."""
    where = ", ".join(organisations)
    return (
        "Vous avez déjà un compte Colloque, et un professionnel n'en a qu'un.\n"
        f"Il est sur le serveur de : {where}.\n"
        "• Pour continuer avec lui : il n'y a rien à faire, connectez-vous là-bas.\n"
        "• Pour venir ici et fermer l'autre : répondez !demenager (dans l'heure)."
    )


def moved(organisation: str) -> str:
    """The other account is closed."""
    return f"L'ancien compte ({organisation}) est fermé."


def move_waits(organisation: str) -> str:
    """The other server does not answer."""
    return f"L'autre serveur ({organisation}) ne répond pas : l'ancien compte sera fermé dès qu'il répondra."


def move_refused(organisation: str) -> str:
    """The other server said no."""
    return (
        f"L'autre serveur ({organisation}) n'a pas fermé l'ancien compte.\n"
        "Votre administrateur peut régler cela avec le sien."
    )


def twice(organisation: str) -> str:
    """A server that had not answered says that it has the person too."""
    return (
        "Un autre serveur a déjà un compte à votre nom, et un professionnel n'en a qu'un.\n"
        f"Il est sur le serveur de : {organisation}.\n"
        "En attendant, vous gardez vos salons, sans pouvoir en ouvrir de nouveaux.\n"
        "Pour garder ce compte-ci : refaites !inscription, puis !demenager.\n"
        "Pour garder l'autre : connectez-vous là-bas."
    )


def twice_admin(organisation: str) -> str:
    """The same, to the administrators: without a name."""
    return (
        "Un professionnel d'ici a aussi un compte sur un autre serveur, qui n'avait pas répondu à son inscription "
        f"({organisation}). Son compte d'ici ne peut rien commencer tant qu'il n'a pas choisi."
    )
