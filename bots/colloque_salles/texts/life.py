"""What @salles says about a room's end: announced, moved, held; and about who is in its team."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from colloque.clock import PARIS
from colloque.texts import span
from colloque_salles.texts.rooms import when

PROLONG = "➕"
"""Under an announced end: prolongs."""

HOW_LONG = "De combien ? Par exemple : !patient prolonger 15 jours (90 jours au plus à la fois)."
CLOSED = "Ce salon est déjà fermé : on n'y écrit plus, et son échéance ne peut plus être repoussée."
WHY_HOLD = (
    "Pour quel motif ? Il est gardé avec le salon, par exemple :\n"
    "!patient suspendre-effacement expertise demandée par l'assurance"
)
NOT_HELD = "L'effacement de ce salon n'est pas suspendu."
NOT_YOURS = "Seuls le référent et la personne qui a suspendu l'effacement peuvent le faire reprendre."
RESUMED = "L'effacement de ce salon n'est plus suspendu."
FORGOTTEN = "Ce salon n'a plus que ses deux mots dans la liste !patients."
ALONE = (
    "Vous êtes désormais seul dans ce salon : ce que vous y écrivez n'est lu par personne d'autre. "
    "Ouvrez un autre salon avec vos confrères (!patient ouvrir), ou terminez celui-ci (!patient terminer)."
)
INCIDENT_MANY = (
    "⚠️ Un grand nombre de salons patients arrivent à échéance en même temps : aucun n'est fermé ni effacé tant que "
    "personne n'a regardé. Vérifiez l'heure du serveur, puis tapez ici : !salons confirmer"
)
NOTHING_MANY = "Aucune échéance n'attend de confirmation."


def day(at: datetime) -> str:
    """A day, in Paris."""
    return f"{at.astimezone(PARIS):%d/%m/%Y}"


def warning(end: datetime, now: datetime, step: timedelta) -> str:
    """The promised end; said again, in the same words, as it comes near."""
    return (
        f"⏳ Ce salon se ferme {when(end, now)}. Son référent en reçoit alors les échanges et les fichiers, pour le "
        "dossier du patient ; une fois classés, tout est effacé ici.\n"
        "Écrire ici repousse la fermeture ; "
        f"{PROLONG} la repousse de {span(step)}.\n"
        "Ne peuvent être effacées d'ici : les copies déjà sur vos appareils et les sauvegardes du serveur."
    )


def postponed(end: datetime) -> str:
    """Somebody wrote, or prolonged, after the end was announced."""
    return f"La fermeture annoncée n'a plus lieu : ce salon vit jusqu'au {day(end)} si personne n'y écrit plus."


def prolonged(by: str, end: datetime) -> str:
    """After `!patient prolonger`, or a tap."""
    return f"{by[:1].upper()}{by[1:]} a prolongé ce salon jusqu'au {day(end)}."


def already(end: datetime) -> str:
    """Somebody tapped under an announcement that counts no more."""
    return f"Ce salon vit déjà jusqu'au {day(end)}."


def held(by: str, until: datetime) -> str:
    """After `!patient suspendre-effacement`."""
    return (
        f"🔒 {by} a suspendu l'effacement de ce salon jusqu'au {day(until)}. Rien n'y est fermé ni effacé d'ici là ; "
        "le motif est gardé avec le salon. Pour reprendre plus tôt : !patient reprendre-effacement"
    )


def held_back(by: str, until: datetime) -> str:
    """Somebody wants to end a room that is held."""
    return (
        f"L'effacement de ce salon est suspendu par {by} jusqu'au {day(until)} : il ne peut pas être terminé. "
        "Pour reprendre : !patient reprendre-effacement"
    )


def hold_ends(until: datetime) -> str:
    """Some days before it does."""
    return (
        f"La suspension de l'effacement prend fin le {day(until)}. Pour la renouveler : "
        "!patient suspendre-effacement suivi du motif."
    )


def hold_over(end: datetime | None) -> str:
    """It is over; `end` is when an open room ends if nobody writes."""
    if end is None:
        return "La suspension de l'effacement a pris fin : ce salon fermé sera effacé après le délai de prévenance."
    return f"La suspension de l'effacement a pris fin : ce salon vit jusqu'au {day(end)} si personne n'y écrit plus."


@dataclass(frozen=True, slots=True)
class Mate:
    """Somebody of a care team, for `!patient equipe`."""

    name: str
    """With the profession, as the directory has it."""
    referent: bool = False
    invited: bool = False
    """Has not come in yet."""
    unverified: bool = False


def team(words: str, mates: Sequence[Mate]) -> str:
    """`!patient equipe`."""
    lines = [f"Équipe de « {words} » :"]
    for mate in mates:
        notes = [
            note
            for note, holds in (
                ("référent", mate.referent),
                ("invité, pas encore venu", mate.invited),
                ("identité non vérifiée à ce jour", mate.unverified),
            )
            if holds
        ]
        lines.append(f"– {mate.name}" + (f" ({', '.join(notes)})" if notes else ""))
    return "\n".join(lines)


def called_how(most: int) -> str:
    """`!patient appeler` with nothing, or too much."""
    return (
        f"Comment appelez-vous ce patient entre vous, en {most} caractères au plus ? Ce nom n'apparaît que dans la "
        "liste !patients des membres, par exemple :\n!patient appeler Mme D., hanche\n"
        "« !patient appeler rien » le retire."
    )


def called(name: str) -> str:
    """After `!patient appeler`."""
    return f"Dans la liste !patients de l'équipe, ce salon s'appelle : {name}"


def many_confirmed(count: int) -> str:
    """After `!salons confirmer`."""
    return f"Entendu : {count} salons ou conversations dont l'échéance est passée prennent fin maintenant."
