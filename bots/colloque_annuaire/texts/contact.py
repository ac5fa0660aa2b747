"""What @annuaire says when somebody wants to write to a person found. First lines hold no name."""

from __future__ import annotations

from datetime import datetime, timedelta

from colloque.directory.lookup import Age
from colloque.identity import RoomId, UserId
from colloque.professional import MailboxKind, Professional
from colloque.texts import span
from colloque_annuaire.rules.results import Unopened
from colloque_annuaire.texts.finding import apart, box_line, source

WHICH_RESULT = "Indiquez le numéro d'un résultat.\nPar exemple : !contacter 3"
MYSELF = "C'est vous.\nOn ne s'écrit pas à soi-même : choisissez un autre résultat."
_UNOPENED = {
    Unopened.TOO_MANY: (
        "Vous avez ouvert beaucoup de conversations aujourd'hui.\n"
        "Réessayez demain, ou parlez-en à votre administrateur."
    ),
    Unopened.HOME: (
        "La conversation n'a pas pu être ouverte : le serveur l'a refusée.\n"
        "L'identité d'un de vous deux n'est peut-être plus vérifiée. Refaites la recherche."
    ),
    Unopened.LEFT: (
        "La conversation n'a pas été ouverte : votre compte n'y est pas entré.\nPour recommencer, refaites la commande."
    ),
}


def unopened(why: Unopened) -> str:
    """Why no room was opened, and what to do."""
    return _UNOPENED[why]


def gone(made_at: datetime, age: Age) -> str:
    """The result's person is no longer listed."""
    return "\n".join(
        ["L'Annuaire Santé ne liste plus cette personne.", "Refaites la recherche : !chercher", *source(made_at, age)]
    )


def confirm(n: int, person: Professional, homonyms: int) -> str:
    """Somebody else found bears the same name: which one is meant?"""
    others = "Une autre personne porte" if homonyms == 1 else f"{homonyms} autres personnes portent"
    return "\n".join(
        [
            "Est-ce bien cette personne ?",
            f"{n}. {person.full_name}",
            *apart(person),
            f"{others} ce nom dans vos résultats.",
            f"Si c'est la bonne, répondez oui (ou tapez !contacter {n} oui).",
        ]
    )


def lives(keep: timedelta) -> str:
    """How long what is written in a direct room lives."""
    return (
        f"Les messages s'y effacent au bout de {span(keep)} (!echanges) : ce qui doit être gardé se classe au dossier."
    )


def opened(
    n: int, person: Professional, link: str, *, fresh: bool, joined: bool, keep: timedelta = timedelta(0)
) -> str:
    """A direct room exists for both; `keep`: how long messages live in a fresh one."""
    head = "Conversation chiffrée ouverte" if fresh else "Cette conversation existe déjà"
    state = "Vous y êtes tous les deux." if joined else "Vous y êtes ; son invitation attend sa réponse."
    end = "Vous seuls pouvez la lire : les automates n'y sont pas."
    return "\n".join([head, *_who(n, person), state, end, *([lives(keep)] if fresh else []), link])


def to_accept(n: int, person: Professional, link: str) -> str:
    """The other one had opened it, and the asker has not accepted yet."""
    return "\n".join(
        ["Cette conversation existe déjà : une invitation vous attend.", *_who(n, person), "Acceptez-la :", link]
    )


def invited(asker: str, link: str, keep: timedelta) -> str:
    """To somebody whom a colleague wants to talk to."""
    return (
        "Un confrère souhaite échanger avec vous.\n"
        f"{asker}\n"
        "Son identité est vérifiée. L'invitation vous vient de l'annuaire, qui a déjà quitté la conversation : "
        f"vous seuls pourrez la lire. {lives(keep)}\n"
        f"Acceptez ou refusez ici : {link}"
    )


def by_mail(n: int, person: Professional) -> str:
    """Not on Colloque, but with mailboxes: how to write there today."""
    boxes = sorted(person.mailboxes, key=lambda box: box.kind is not MailboxKind.PER)
    one = len(boxes) == 1
    return "\n".join(
        [
            "Cette personne n'est pas sur Colloque. Elle a une boîte MSSanté :"
            if one
            else f"Cette personne n'est pas sur Colloque. Elle a {len(boxes)} boîtes MSSanté :",
            *(box_line(box) for box in boxes),
            *_who(n, person),
            f"Si votre boîte est relevée ici (voyez !boite etat), écrivez-lui d'ici : !ecrire {n}",
            "Sinon, écrivez-lui depuis votre messagerie MSSanté habituelle.",
        ]
    )


def unreachable(n: int, person: Professional) -> str:
    """Neither account nor mailbox."""
    return "\n".join(
        [
            "Cette personne n'est joignable ni par Colloque ni par MSSanté.",
            *_who(n, person),
            "L'annuaire dont nous disposons n'a pas de téléphone : passez par sa structure ou son secrétariat.",
            "Dès qu'elle aura un compte ou une boîte MSSanté, la recherche le montrera.",
        ]
    )


def not_available(n: int, person: Professional) -> str:
    """They refuse the asker, who is not told so."""
    boxes = sorted(person.mailboxes, key=lambda box: box.kind is not MailboxKind.PER)
    then = ["Écrivez-lui par MSSanté :", *map(box_line, boxes)] if boxes else ["Passez par sa structure."]
    return "\n".join(["Cette personne n'est pas joignable par Colloque.", *_who(n, person), *then, "(not_available)"])


def blocked_by_asker(user: UserId) -> str:
    """The asker refuses them."""
    return f"Vous avez bloqué le compte de cette personne.\nPour lui écrire, débloquez-le d'abord : !debloquer {user}"


def link_to(room: RoomId) -> str:
    """What opens a room in a client."""
    return f"https://matrix.to/#/{room}"


def _who(n: int, person: Professional) -> list[str]:
    return [f"{n}. {person.full_name}", *apart(person)]
