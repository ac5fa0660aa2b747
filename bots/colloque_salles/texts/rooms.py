"""Every French sentence that @salles says. First lines never hold anything about a patient."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from colloque.attestation import Attestation
from colloque.clock import PARIS
from colloque.identity import RoomId
from colloque.policy.admission import Reason
from colloque.rooms.lifecycle import is_held
from colloque.texts import span
from colloque_salles.rules.team import Team
from colloque_salles.rules.words import are_ours
from colloque_salles.store.rooms import Kept


def named(held: Attestation | None) -> str:
    """Somebody of a room's team, within a sentence."""
    return held.person if held is not None else "un membre de l'équipe"


def room_name(words: str, opener: str) -> str:
    """The room's name: two words and the opener, nothing about the patient."""
    return f"Équipe · {words} · {opener.split(' · ', maxsplit=1)[0]}"


def words_in(name: str, server: str) -> str:
    """How to call a room that `server` has named: by words as we give them, and by nothing else that stands there.

    With the server: one of ours may bear the same words.
    """
    words = (*name.split(" · "), "", "")[1]
    return f"{words} ({server})" if are_ours(words) else f"ouvert à {server}"


def when(at: datetime, now: datetime) -> str:
    """A moment, as a clinician reads it in Paris; with the time of day when it is near."""
    local = at.astimezone(PARIS)
    if at - now < timedelta(hours=1):
        return f"à {local:%H:%M:%S}"
    if at - now < timedelta(days=2):
        return f"le {local:%d/%m à %H:%M}"
    return f"le {local:%d/%m/%Y}"


INCIDENT_FAILED = (
    "⚠️ Un salon patient n'a pas pu être suivi (avertissement, fermeture ou effacement) : voyez les journaux du service "
    "salles. Les autres salons suivent leur cours."
)
INCIDENT_STUCK = "⚠️ Un effacement de salon n'avance plus depuis dix minutes : voyez les journaux du service salles."
NOBODY = (
    "Avec qui ? Nommez au moins un confrère vérifié, par exemple :\n"
    "!patient ouvrir Dupont\n"
    "Plusieurs noms se séparent par des virgules."
)
ONLY_PATIENT_ROOM = "Cette commande se tape dans le salon du patient concerné."
NONE_OPEN = "Aucun salon patient n'est ouvert pour vous."
ALREADY_CLOSED = "Ce salon est déjà fermé ; il va être effacé."
CLOSED = (
    "🔒 Salon fermé : on n'y écrit plus. Ses échanges vont à son référent, pour le dossier du patient ; une fois "
    "classés, le salon est effacé. Pour qu'il ne le soit pas encore : dans votre salon « Colloque », "
    "!patient suspendre-effacement, ses deux mots, puis le motif."
)
NOT_THE_OPENER = "Seul le référent de ce salon, ou qui le remplace, peut le terminer."


def nobody_else(people: Sequence[Attestation]) -> str:
    """Whom one may open a room with, when nobody was named."""
    if not people:
        return NOBODY + "\nAucun confrère n'est encore vérifié ici."
    return NOBODY + "\nVérifiés ici : " + " ; ".join(a.name for a in people[:9])


def unsettled(team: Team) -> str:
    """Some names could not be settled: nothing was opened."""
    lines = [NOTHING_OPENED]
    lines += [
        f"« {part} » : personne de vérifié sous ce nom ici. "
        "Demandez-lui de taper !inscription, ou donnez son numéro RPPS."
        for part in team.unknown
    ]
    for part, people in team.ambiguous:
        lines.append(f"« {part} » désigne plusieurs personnes. Précisez par le numéro RPPS :")
        lines += [f"– {a.name} : {a.rpps}" for a in people]
    return "\n".join(lines)


NOTHING_OPENED = "Rien n'a été ouvert."
NOBODY_INVITED = "Personne n'a été invité."


def not_admitted(
    refused: Sequence[tuple[Attestation, Reason]], opener: Attestation, *, nothing: str = NOTHING_OPENED
) -> str:
    """Somebody may not be in a patient room, or not open one: `nothing` was done."""
    lines = [nothing]
    for held, reason in refused:
        if held.user == opener.user:
            lines.append(_OPENER.get(reason, _OPENER[Reason.ACTOR_PROFESSION]))
        else:
            lines.append(f"– {held.name} : {_MEMBER.get(reason, _MEMBER[Reason.NOT_AVAILABLE])}")
    return "\n".join(lines)


_OPENER = {
    Reason.ACTOR_PROFESSION: (
        "Un salon patient s'ouvre par un professionnel de santé, en son nom : demandez-le à l'un d'eux, qui vous y "
        "invitera."
    ),
    Reason.ACTOR_FROZEN: (
        "L'Annuaire Santé ne vous liste plus : vous gardez vos salons, sans pouvoir en ouvrir. Voyez votre "
        "administrateur."
    ),
}
_MEMBER = {
    Reason.OTHER_PROFESSION: "sa profession n'est pas de celles qui entrent dans un salon patient.",
    Reason.OTHER_UNSPONSORED: "n'entre que dans un salon où se trouve le professionnel dont il ou elle dépend.",
    Reason.OTHER_STAFF: "un administrateur n'entre pas dans un salon patient.",
    Reason.OTHER_FROZEN: "l'Annuaire Santé ne le liste plus : il ne peut pas être invité.",
    Reason.OTHER_ERASURE: "son établissement ne sait pas encore effacer un salon avec reçu.",
    Reason.ACTOR_ERASURE: (
        "votre établissement ne sait pas encore prouver l'effacement d'un salon partagé. Voyez votre administrateur."
    ),
    Reason.NOT_AVAILABLE: "n'est pas disponible.",
}


def opened(words: str, link: str, team: Sequence[Attestation], life: timedelta) -> str:
    """The answer in the home room."""
    names = " ; ".join(a.name for a in team)
    return (
        f"Salon « {words} » ouvert avec {names}.\n{link}\n"
        f"Il se ferme {span(life)} après le dernier message : vous en recevez alors les échanges, pour le dossier ; "
        "une fois classés, tout est effacé."
    )


def first_words(opener: str, life: timedelta, notice: timedelta) -> str:
    """The first message in a patient room."""
    return (
        f"Salon patient ouvert par {opener}.\n"
        f"Il se ferme {span(life)} après le dernier message ; vous serez prévenus {span(notice)} avant. "
        "Son référent en reçoit alors échanges et fichiers, pour le dossier ; une fois classés, tout est effacé.\n"
        "Ce qui est écrit ici peut être communiqué au patient.\n"
        "Pas pour l'urgence vitale : appelez le 15."
    )


def erased(words: str, serial: int) -> str:
    """In the home room of each former member."""
    return f"Le salon « {words} » est effacé. Reçu d'effacement n° {serial}, gardé par votre établissement."


def room_state(kept: Kept, *, end: datetime, now: datetime, events: int, files: int, held: str = "") -> str:
    """`!patient salon`. `held`: what is to be said of a hold."""
    ends = held or f"Fermeture prévue {when(end, now)} si personne n'écrit."
    return f"Salon « {kept.words} » : {len(kept.room.members)} membres, {events} messages, {files} fichiers.\n{ends}"


def room_list(rooms: Sequence[tuple[Kept, datetime]], now: datetime, link: dict[RoomId, str]) -> str:
    """`!patients`: the room's words, how the team calls the patient, the last message, the end, a link."""
    return "\n".join(["Vos salons patients :", *(_listed(k, end, now, link[k.room.room]) for k, end in rooms)])


def _listed(kept: Kept, end: datetime, now: datetime, link: str) -> str:
    name = f" → {kept.called}" if kept.called else ""
    wrote = f"{kept.room.last_activity.astimezone(PARIS):%d/%m à %H:%M}"
    if kept.room.closed_at is not None:
        ends = "fermé" if kept.room.archived else "fermé, à classer au dossier par son référent"
        ends += ", effacement suspendu" if is_held(kept.room, now) else ""
    elif is_held(kept.room, now):
        ends = "effacement suspendu"
    else:
        ends = f"se ferme {when(end, now)}"
    return f"– {kept.words}{name} → dernier message le {wrote} → {ends} {link}"


def ending() -> str:
    """After `!patient terminer`."""
    return "Entendu : ce salon se ferme maintenant."


def state(*, rooms: int, waiting: int, erasing: int, receipts: int) -> str:
    """`!etat` in the admin room. `waiting`: closed, and nothing proves yet that they were kept."""
    return (
        f"Salons patients ouverts : {rooms}. Fermés, à classer au dossier : {waiting}. "
        f"Effacements en cours : {erasing}. Reçus émis : {receipts}."
    )
