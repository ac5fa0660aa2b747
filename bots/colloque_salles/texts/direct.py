"""What @salles says about conversations outside patient rooms: how long messages live, and what suspends that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from colloque.identity import RoomId
from colloque.texts import span
from colloque_salles.texts.life import day

NONE = "Vous n'avez aucune conversation hors salons patients. Pour en ouvrir une : !chercher, puis !contacter."
WHICH = "Quelle conversation ? Donnez son numéro dans la liste !echanges, par exemple :\n!echanges {what}"
HOLD_EXAMPLE = "suspendre-effacement 1 expertise demandée par l'assurance"
RESUME_EXAMPLE = "reprendre-effacement 1"
WHY = "Pour quel motif ? Lui seul le garde, avec la suspension, par exemple :\n!echanges " + HOLD_EXAMPLE
NOT_HELD = "L'effacement de cette conversation n'est pas suspendu."
NOT_YOURS = "C'est l'autre personne qui a suspendu cet effacement : elle seule peut le faire reprendre."
SOMEBODY = "un correspondant qui n'est plus vérifié ici"
NOBODY_ELSE = "vous seul"
INCIDENT_MANY = (
    "⚠️ Un grand nombre de conversations hors salons patients arrivent à échéance en même temps : rien n'y est effacé "
    "tant que personne n'a regardé. Vérifiez l'heure du serveur, puis tapez ici : !salons confirmer"
)


def which(example: str) -> str:
    """No number, or none of theirs."""
    return WHICH.format(what=example)


def lives(keep: timedelta, first: datetime, count: int) -> str:
    """To whoever has conversations of which they have not read how long messages live; `first`: nothing goes before."""
    rooms = "une de vos conversations" if count == 1 else f"{count} de vos conversations"
    return (
        f"Dans {rooms}, les messages s'effacent désormais au bout de {span(keep)}, rien avant le {day(first)}. "
        "Ce qui doit être gardé se classe au dossier.\nLa liste, et comment suspendre l'effacement : !echanges"
    )


def entered(keep: timedelta, room: RoomId) -> str:
    """To whoever came into a group."""
    return (
        f"Dans cette conversation, les messages s'effacent au bout de {span(keep)} (!echanges). Ce qui doit être gardé "
        f"se classe au dossier. https://matrix.to/#/{room}"
    )


def several(names: Sequence[str]) -> str:
    """Who is in a conversation."""
    if len(names) > 3:
        return f"{', '.join(names[:2])} et {len(names) - 2} autres"
    return " et ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), names[-1]])


@dataclass(frozen=True, slots=True)
class Line:
    """One conversation, for `!echanges`."""

    number: int
    other: str
    keep: timedelta
    end: datetime
    """When it goes whole, if nobody writes."""
    room: RoomId
    held_until: datetime | None = None


def listed(lines: Sequence[Line]) -> str:
    """`!echanges`."""
    return "\n".join(
        [
            "Vos conversations, hors salons patients et MSSanté :",
            *(_listed(line) for line in lines),
            "Suspendre l'effacement de l'une : !echanges suspendre-effacement, son numéro, le motif.",
        ]
    )


def _listed(line: Line) -> str:
    if line.held_until is not None:
        until = f"effacement suspendu jusqu'au {day(line.held_until)}"
    else:
        until = f"messages effacés au bout de {span(line.keep)}, la conversation le {day(line.end)} si personne n'écrit"
    return f"{line.number}. {line.other} → {until} https://matrix.to/#/{line.room}"


def held(other: str, until: datetime, number: int) -> str:
    """After `!echanges suspendre-effacement`."""
    return (
        f"🔒 L'effacement de votre conversation avec {other} est suspendu jusqu'au {day(until)}, sur ce serveur. Vos "
        f"applications peuvent encore retirer un message. Pour reprendre : !echanges reprendre-effacement {number}"
    )


def held_by(other: str, until: datetime) -> str:
    """The other one reads it."""
    return f"🔒 {other} a suspendu l'effacement de votre conversation jusqu'au {day(until)} (!echanges)."


def resumed(other: str, first: datetime) -> str:
    """After `!echanges reprendre-effacement`."""
    return f"L'effacement de votre conversation avec {other} reprend : rien n'y est effacé avant le {day(first)}."


def hold_ends(other: str, until: datetime) -> str:
    """Some days before it does."""
    return (
        f"La suspension de l'effacement de votre conversation avec {other} prend fin le {day(until)}. Pour la "
        "renouveler : !echanges suspendre-effacement, son numéro, le motif."
    )


def hold_over(other: str, first: datetime) -> str:
    """It is over."""
    return (
        f"La suspension de l'effacement de votre conversation avec {other} a pris fin : rien n'y est effacé avant le "
        f"{day(first)}."
    )


def erased(serial: int) -> str:
    """In the home room of each who was in it."""
    return (
        "Une de vos conversations, où personne n'écrivait plus, est effacée ; !contacter en ouvre une autre. "
        f"Reçu d'effacement n° {serial}, gardé par votre établissement."
    )
