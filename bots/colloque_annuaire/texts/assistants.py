"""What @annuaire says to professionals of the people who work under them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from colloque.attestation import Attestation
from colloque.clock import PARIS
from colloque.identity import UserId
from colloque_annuaire.store.assistants import Assistant

ROLE = "secrétariat"
WHO = (
    "Dites qui vous invitez : prénom, nom, et ce que fait cette personne. Par exemple :\n"
    "!assistant inviter Zoé Durand, secrétaire"
)
WHICH = "Dites de qui il s'agit par son numéro. Pour les voir : !assistants"
NOT_A_SPONSOR = (
    "Seul un professionnel de santé vérifié, en son nom, peut répondre d'une autre personne.\n"
    "Demandez-le à celui sous la responsabilité duquel elle travaille."
)
NOBODY = (
    "Personne ne travaille encore ici sous votre responsabilité.\n"
    "Pour inviter quelqu'un : !assistant inviter Zoé Durand, secrétaire"
)
TOO_MANY = "Vous répondez déjà de dix personnes, c'est le plus possible. Pour mettre fin à l'accès d'une : !assistants"


def name(assistant: Assistant, sponsor: Attestation) -> str:
    """As everybody sees them."""
    under = sponsor.person
    return f"{assistant.given_name} {assistant.family_name.upper()} · {assistant.role} · avec {under}"


def confirm_invitation(given_name: str, family_name: str, role: str) -> str:
    """Before an account is made."""
    return (
        "Créer un compte pour cette personne, sous votre responsabilité ?\n"
        f"{given_name} {family_name.upper()} ({role})\n"
        "Elle verra les salons patients où vous êtes et où elle est invitée ; vous répondez de ce qu'elle y fait.\n"
        "Pour confirmer, répondez oui."
    )


def confirm_end(assistant: Assistant) -> str:
    """Before an access ends."""
    return (
        "Mettre fin à l'accès de cette personne ?\n"
        f"{_who(assistant)}\n"
        "Ses sessions seront fermées, ce compte sortira des salons patients. Pour confirmer, répondez oui."
    )


def suspended(sponsor: str) -> str:
    """To somebody whose professional is not verified any more."""
    return (
        "Votre accès est suspendu\n"
        f"L'identité de {sponsor}, sous la responsabilité de qui vous travaillez, n'est plus vérifiée. Vous gardez vos "
        "salons, sans y inviter ni en rejoindre d'autres.\n"
        "Voyez avec cette personne : votre accès revient dès que son identité est vérifiée à nouveau."
    )


def suspended_with_you(assistant: Assistant) -> str:
    """To the professional."""
    return (
        "Une personne dont vous répondez est suspendue, comme vous\n"
        f"{_who(assistant)}\n"
        "Son accès revient dès que votre identité est vérifiée à nouveau : !inscription suivi de votre numéro RPPS."
    )


def invited(assistant: Assistant, user: UserId, link: str, *, fresh: bool) -> str:
    """The link, to be handed over."""
    head = "Le compte est prêt." if fresh else "Voici un nouveau lien."
    return (
        f"{head}\n"
        f"{_who(assistant)} : {user}\n"
        f"Donnez-lui ce lien en main propre, ou par un moyen sûr : {link}\n"
        "Il sert une seule fois, dans les 48 heures, et montre un mot de passe de dix minutes. Vous répondez de ce que "
        "cette personne fait ici ; elle n'entre que dans les salons patients où vous êtes."
    )


def without_page(assistant: Assistant, user: UserId) -> str:
    """No page is configured."""
    return f"{_who(assistant)} : {user}\nSon accès s'ouvre chez votre administrateur, qui peut vous remettre un lien."


def listing(known: Sequence[tuple[Assistant, Attestation | None]], now: datetime) -> str:
    """`!assistants`."""
    lines = ["Sous votre responsabilité :"]
    for assistant, held in known:
        if held is not None and held.is_valid(now):
            state = f"jusqu'au {_day(held.valid_until)}"
        else:
            state = "accès terminé" if held is not None else "compte en cours de création"
        lines.append(f"{assistant.n}. {_who(assistant)} – {state}")
    lines.append("!assistant acces 1 (nouveau lien), !assistant prolonger 1, !assistant terminer 1")
    return "\n".join(lines)


def ended(assistant: Assistant) -> str:
    """Their access has ended."""
    return f"L'accès de {_who(assistant)} a pris fin. Pour le rouvrir : !assistant prolonger {assistant.n}"


def renewed(assistant: Assistant, until: datetime) -> str:
    """`!assistant prolonger`."""
    return f"L'accès de {_who(assistant)} vaut jusqu'au {_day(until)}."


def over(assistant: Assistant) -> str:
    """`!assistant terminer`."""
    return (
        f"C'est fait : {_who(assistant)} n'a plus accès. Ses sessions se ferment, ce compte sort des salons patients."
    )


def barred(assistant: Assistant) -> str:
    """An administrator took it away."""
    return f"L'accès de {_who(assistant)} a été retiré par l'administrateur : lui seul peut le rendre."


def ends_soon(assistant: Assistant, until: datetime) -> str:
    """To the professional, in time."""
    return (
        "L'accès d'une personne dont vous répondez va prendre fin.\n"
        f"{_who(assistant)}, le {_day(until)}. Pour la garder : !assistant prolonger {assistant.n}\n"
        "Sinon, il n'y a rien à faire."
    )


def _who(assistant: Assistant) -> str:
    return f"{assistant.given_name} {assistant.family_name.upper()} ({assistant.role})"


def _day(at: datetime) -> str:
    return f"{at.astimezone(PARIS):%d/%m/%Y}"
