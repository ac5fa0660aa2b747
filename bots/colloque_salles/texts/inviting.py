"""What @salles says when somebody is to come into a patient room that is open already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from colloque.taps import NUMBERS
from colloque_salles.texts.opening import SIGNS, told

WHOM = "Qui inviter dans ce salon ? Par exemple : !patient inviter Dupont"
CLOSED = "Ce salon est fermé : on n'y invite plus personne."
NOBODY = "Personne de vérifié sous ce nom ici. Demandez-lui de taper !inscription, ou donnez son numéro RPPS."


class Why(StrEnum):
    """Why somebody can't come into a room, and its team goes on with them in another."""

    SERVER = "server"
    """It can't be entered from their server."""
    WORDS = "words"
    """They have a room already whose name is like this one's."""


_WHY = {
    Why.SERVER: "Ce confrère est sur le serveur d'un autre établissement, et ce salon ne sort pas du vôtre.",
    Why.WORDS: "Ce confrère a déjà un salon au nom trop proche de celui-ci : il prendrait l'un pour l'autre.",
}


def elsewhere(why: Why) -> str:
    """Somebody who may not close the room proposes them."""
    return (
        f"{_WHY[why]} Seul le référent de ce salon, ou qui le remplace, peut faire continuer l'équipe avec lui, dans "
        "un autre salon : demandez-lui de taper !patient inviter."
    )


def no_referent(why: Why) -> str:
    """Nobody could open the other room."""
    return (
        f"{_WHY[why]} Il faut donc un autre salon, et un référent : celui de ce salon n'est plus vérifié. Tapez "
        "d'abord !patient referent."
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


def ask(name: str, why: Why | None) -> str:
    """Outside the team that the patient knows of. `why` it is to go on in another room, if it is."""
    signs = " · ".join(f"{sign} {_SHORT[what]}" for what, sign in SIGNS.items())
    goes_on = (
        "l'équipe continue avec cette personne dans un nouveau salon. Celui-ci se ferme, et ses échanges vont à son "
        "référent."
    )
    match why:
        case Why.SERVER:
            where = f"Inviter {name}, d'un autre établissement ? Ce salon ne sort pas du vôtre : {goes_on}"
        case Why.WORDS:
            where = (
                f"Inviter {name}, qui a déjà un salon au nom trop proche de celui-ci ? Pour les distinguer, {goes_on}"
            )
        case None:
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
