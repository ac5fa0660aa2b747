"""What @salles says when somebody is to come into a patient room that is open already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from colloque.taps import NUMBERS
from colloque_salles.texts_opening import SIGNS, told

WHOM = "Qui inviter dans ce salon ? Par exemple : !patient inviter Dupont"
CLOSED = "Ce salon est fermé : on n'y invite plus personne."
NOBODY = "Personne de vérifié sous ce nom ici. Demandez-lui de taper !inscription, ou donnez son numéro RPPS."
ELSEWHERE = (
    "Ce confrère est sur le serveur d'un autre établissement, et ce salon ne sort pas du vôtre. Ouvrez avec lui un "
    "autre salon sur ce patient : !patient ouvrir, suivi de son nom."
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


def ask(name: str) -> str:
    """Outside the team that the patient knows of."""
    signs = " · ".join(f"{sign} {_SHORT[what]}" for what, sign in SIGNS.items())
    return (
        f"Inviter {name} dans ce salon, au-delà de l'équipe ? Cette personne lira ce qui s'écrit à partir de "
        f"maintenant, pas ce qui précède.\nLe patient : {signs}. "
        "Touchez ce qui est vrai : l'invitation part, et c'est noté."
    )


_SHORT = {"informed": "informé", "consent": "consentement recueilli", "emergency": "urgence, pas pu être consulté"}


def invited(name: str, what: str, by: str, at: datetime) -> str:
    """In the room, and in its archive."""
    return f"{name} est invité dans ce salon : {told(what, by, at)}."
