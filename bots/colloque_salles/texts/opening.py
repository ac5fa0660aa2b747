"""What @salles says when a room is opened by taps, and what is noted of the patient."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from colloque.clock import PARIS
from colloque.taps import NUMBERS
from colloque.texts import span

DOOR, YES = "🩺", "✅"
WITH_WHOM = "Nouveau salon patient : avec qui ?"
NAME_THEM = "Nommez-les : !patient ouvrir Dupont, Durand"
TAP_A_NUMBER = "Touchez d'abord le numéro d'au moins un confrère, puis ✅."
SIGNS = {"informed": "🗣️", "consent": "🤝", "emergency": "🚨"}
_WHAT = {
    "informed": "patient informé",
    "consent": "consentement recueilli",
    "emergency": "urgence : le patient n'a pas pu être consulté",
    "opposed": "opposition du patient",
}


def door() -> str:
    """Stands in the home room of whoever may open rooms."""
    return f"Pour ouvrir un salon sur un patient : touchez {DOOR} ci-dessous, ou tapez !patient ouvrir suivi d'un nom."


def offer(words: str, names: Sequence[str], found: Sequence[str]) -> str:
    """Colleagues by number; `found` are in already."""
    lines = [words, *(f"{sign} {name}" for sign, name in zip(NUMBERS, names, strict=False))]
    if found:
        lines.append("Déjà choisis : " + " ; ".join(found))
    return "\n".join([*lines, f"Touchez les numéros, puis {YES}. {NAME_THEM}"])


def how_long(shortest: timedelta, longest: timedelta) -> str:
    """A length of life out of bounds."""
    return f"Rien n'a été ouvert : un salon vit entre {span(shortest)} et {span(longest)} après son dernier message."


def ask() -> str:
    """In a new room: one tap notes it."""
    return "À noter d'un toucher : " + " · ".join(f"{sign} {_WHAT[what]}" for what, sign in SIGNS.items())


def opposed(waits: str) -> str:
    """The room closes now. `waits`: what keeps it from being erased, if anything does."""
    begun = "Noté : le patient s'oppose à ces échanges. On n'écrit plus dans ce salon ; il est fermé avant son échéance"
    return f"{begun}. {waits}" if waits else f"{begun}, puis effacé."


def noted(what: str, by: str, at: datetime) -> str:
    """What was noted, by whom and when."""
    return f"Noté : {told(what, by, at)}."


def told(what: str, by: str, at: datetime) -> str:
    """The same, for a document."""
    return f"{_WHAT[what]} ({by}, le {at.astimezone(PARIS):%d/%m/%Y à %H:%M})"
