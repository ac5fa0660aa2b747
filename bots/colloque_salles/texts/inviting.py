"""What @salles says when somebody is to come into a patient room that is open already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from colloque.taps import NUMBERS
from colloque_salles.texts.opening import SIGNS, told

WHOM = "Qui inviter dans ce salon ? Par exemple : !patient inviter Dupont"
CLOSED = "Ce salon est fermé : on n'y invite plus personne."
NOBODY = "Personne de vérifié sous ce nom ici. Demandez-lui de taper !inscription, ou donnez son numéro RPPS."
ELSEWHERE = (
    "Ce confrère est sur le serveur d'un autre établissement, et ce salon ne sort pas du vôtre. Seul son référent, ou "
    "qui le remplace, peut le faire continuer avec lui, dans un autre salon."
)
NO_REFERENT = (
    "Ce confrère est sur le serveur d'un autre établissement : il faut un autre salon, donc un référent, et celui de "
    "ce salon n'est plus vérifié. Tapez d'abord !patient referent."
)


def inside(name: str) -> str:
    """Nothing to do."""
    return f"{name} est déjà dans ce salon, ou y est invité."


def refused(name: str) -> str:
    """The server did not want it: nothing is noted."""
    return (
        f"Le serveur n'accepte pas l'invitation de {name} : personne n'est invité, et rien n'est noté. Réessayez plus "
        "tard, ou dites-le à vos administrateurs."
    )


def which(names: Sequence[str]) -> str:
    """Several may be meant: none is picked."""
    lines = [f"{sign} {name}" for sign, name in zip(NUMBERS, names, strict=False)]
    return "\n".join(["Qui inviter ? Touchez le numéro.", *lines])


def ask(name: str, *, elsewhere: bool) -> str:
    """Outside the team that the patient knows of. `elsewhere`: this room can't be entered from their server."""
    signs = " · ".join(f"{sign} {_SHORT[what]}" for what, sign in SIGNS.items())
    if elsewhere:
        where = (
            f"Inviter {name}, d'un autre établissement ? Ce salon ne sort pas du vôtre : l'équipe continue avec cette "
            "personne dans un nouveau salon. Celui-ci se ferme, et ses échanges vont à son référent."
        )
    else:
        where = f"Inviter {name} dans ce salon, au-delà de l'équipe ?"
    return (
        f"{where} Cette personne lira ce qui s'écrit à partir de maintenant, pas ce qui précède.\n"
        f"Le patient : {signs}. Touchez ce qui est vrai : l'invitation part, et c'est noté."
    )


_SHORT = {"informed": "informé", "consent": "consentement recueilli", "emergency": "urgence, pas pu être consulté"}


def invited(name: str, what: str, by: str, at: datetime) -> str:
    """In the room, and in its archive."""
    return f"{name} est invité dans ce salon : {told(what, by, at)}."


def goes_on_there(words: str, name: str, where: str) -> str:
    """The last thing that is said in a room before it closes: where its team goes on."""
    return (
        f"➡️ L'équipe continue dans le salon « {words} », avec {name} : {where}\n"
        "Acceptez-y l'invitation. Ici on n'écrit plus ; les échanges vont au référent, pour le dossier du patient."
    )


def goes_on_here(words: str, invited_: str) -> str:
    """The same in the new one."""
    return f"Ce salon prend la suite de « {words} », qui se ferme : ce qui s'y est écrit n'est pas ici. {invited_}"
