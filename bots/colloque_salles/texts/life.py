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
HOLD_EXAMPLE = "!patient suspendre-effacement Cerise Moulin expertise demandée"
RESUME_EXAMPLE = "!patient reprendre-effacement Cerise Moulin"
NOT_HELD = "L'effacement de ce salon n'est pas suspendu."
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


def which(example: str) -> str:
    """A command about a room, typed in the home room without the words of one of theirs."""
    return f"De quel salon ? Donnez ses deux mots, comme dans la liste !patients, par exemple :\n{example}"


def about(words: str, said: str) -> str:
    """In the home room, what is said in a room."""
    return f"Salon « {words} ». {said}"


def _typed(command: str, words: str) -> str:
    """`words`: those of a room that is closed, where nobody can type any more."""
    return f"dans votre salon « Colloque », {command} {words}" if words else command


def held(by: str, until: datetime, closed: str) -> str:
    """After `!patient suspendre-effacement`. `closed`: the words of a room that is."""
    return (
        f"🔒 {by} a suspendu l'effacement de ce salon jusqu'au {day(until)}. Rien n'y est fermé ni effacé d'ici là ; "
        f"le motif est gardé avec le salon. Pour reprendre plus tôt : {_typed('!patient reprendre-effacement', closed)}"
    )


def held_back(by: str, until: datetime) -> str:
    """Somebody wants to end a room that is held."""
    return (
        f"L'effacement de ce salon est suspendu par {by} jusqu'au {day(until)} : il ne peut pas être terminé. "
        "Pour reprendre : !patient reprendre-effacement"
    )


def waits(by: str, until: datetime, words: str) -> str:
    """A room that is held closes all the same."""
    return (
        f"L'effacement attend : il est suspendu par {by} jusqu'au {day(until)}. Pour le faire reprendre, "
        f"{_typed('!patient reprendre-effacement', words)} ; pour le suspendre plus longtemps, "
        f"!patient suspendre-effacement {words} suivi du motif."
    )


def not_yours(by: str, until: datetime) -> str:
    """Somebody else holds it."""
    return (
        f"L'effacement de ce salon est suspendu par {by} jusqu'au {day(until)}. Chacun ne met fin qu'à sa propre "
        "suspension ; le référent, à toutes."
    )


def partly_resumed(by: str, others: str, until: datetime) -> str:
    """Somebody lifted their hold, and others' stand."""
    return f"{by} a mis fin à sa suspension. {still_held(others, until)}"


def partly_over(by: str, others: str, until: datetime) -> str:
    """Somebody's hold ended, and others' stand."""
    return f"La suspension demandée par {by} a pris fin. {still_held(others, until)}"


def still_held(by: str, until: datetime) -> str:
    """It goes on."""
    return f"L'effacement de ce salon reste suspendu par {by} jusqu'au {day(until)}."


def hold_ends(until: datetime, closed: str) -> str:
    """Some days before the last one does."""
    return (
        f"La suspension de l'effacement prend fin le {day(until)}. Pour la renouveler : "
        f"{_typed('!patient suspendre-effacement', closed)} suivi du motif."
    )


def hold_over(end: datetime | None, words: str) -> str:
    """The last one is over; `end` is when an open room ends if nobody writes."""
    if end is None:
        return (
            "La suspension de l'effacement a pris fin : ce salon fermé sera effacé après le délai de prévenance. Pour "
            f"le suspendre de nouveau : {_typed('!patient suspendre-effacement', words)} suivi du motif."
        )
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
