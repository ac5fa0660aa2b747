"""What @annuaire says of vouching: to whoever asks for it, to those who vouch, to the mailboxes. First lines hold no
name."""

from __future__ import annotations

from datetime import datetime

from colloque.clock import PARIS
from colloque.identity import UserId
from colloque.policy.vouching import CLAIM_LIFE, MOST, NEEDED, WITHIN, NoVouch
from colloque.professional import Professional
from colloque_annuaire.rules.results import trades

TOO_MANY = "Trop de demandes de garants ont été faites aujourd'hui.\nRéessayez demain, ou voyez votre administrateur."
WHO = (
    "Dites de quel compte vous vous portez garant, tel que votre confrère vous l'a donné.\n"
    "Par exemple : !garant @prenom.nom:serveur. S'il n'en a pas encore : !garant suivi de son numéro RPPS"
)
NO_CLAIM = (
    "Ce compte n'a pas de demande de garants en cours.\n"
    "Vérifiez-le avec votre confrère : il doit d'abord taper !inscription suivi de son numéro RPPS et du mot garants."
)
ALREADY_VERIFIED = "L'identité de ce compte est déjà vérifiée, ou va l'être.\nIl n'y a rien à faire, merci."
NOT_LISTED = (
    "L'Annuaire Santé ne liste plus la personne que ce compte dit être.\n"
    "Personne ne peut s'en porter garant pour l'instant."
)
HAS_ACCOUNT = (
    "Cette personne a un compte ici, ou en avait un.\n"
    "Pour lui écrire : !chercher son nom. Si elle ne peut plus s'en servir, qu'elle voie votre administrateur."
)
ASK_FOR_THE_ACCOUNT = (
    "Un confrère s'est déjà porté garant de cette personne, et lui a remis un compte.\n"
    "Demandez-lui ce compte, de vive voix si possible, puis tapez : !garant suivi de ce compte"
)
UNVERIFIED = "Compte à vérifier"
"""What others see of an account before anybody has verified whose it is."""
_NO = {
    NoVouch.MYSELF: "On ne se porte pas garant de soi-même.\nDemandez-le à deux confrères.",
    NoVouch.KIND: (
        "Seul un professionnel inscrit en son nom peut se porter garant.\nVotre confrère peut le demander à d'autres."
    ),
    NoVouch.VOUCHED: (
        "Votre propre identité repose sur la parole de confrères : elle ne permet pas d'en garantir une autre.\n"
        "Faites-la vérifier autrement (!inscription), puis recommencez."
    ),
    NoVouch.FROZEN: (
        "L'Annuaire Santé ne confirme plus votre inscription : votre parole ne peut pas en garantir une autre.\n"
        "Votre confrère peut le demander à d'autres."
    ),
    NoVouch.STUDENT: "Un étudiant ne peut pas se porter garant.\nVotre confrère peut le demander à d'autres.",
    NoVouch.TOO_MANY: (
        f"Vous vous êtes porté garant de {MOST} personnes en {WITHIN.days} jours, le plus qui soit permis.\n"
        "Votre confrère peut le demander à d'autres."
    ),
}


def may_not(why: NoVouch) -> str:
    """Why this person's word does not count."""
    return _NO[why]


def claimed(user: UserId, *, missing: int, mailbox: bool) -> str:
    """To whoever asks for vouchers. `missing`: how many still; `mailbox`: the directory lists one of theirs."""
    why = (
        "Un mot part aussi vers votre boîte MSSanté, pour que personne ne se fasse passer pour vous."
        if mailbox
        else "L'Annuaire Santé ne vous connaît pas de boîte MSSanté personnelle, où un code pourrait partir."
    )
    who = "deux confrères" if missing == NEEDED else "encore un confrère"
    return (
        f"Il manque la parole de {who} pour vérifier votre identité\n"
        f"{why}\n"
        "Demandez-la de vive voix à des professionnels déjà vérifiés ici. Dans leur salon « Colloque », ils tapent :\n"
        f"!garant {user}\n"
        f"Votre demande vaut {CLAIM_LIFE.days} jours."
    )


def missing_again(user: UserId, missing: int) -> str:
    """To whoever had been vouched for, before they were verified: a word does not count any more."""
    who = "deux confrères" if missing == NEEDED else "encore un confrère"
    return (
        f"Il manque de nouveau la parole de {who} pour vérifier votre identité\n"
        "Une parole donnée pour vous ne compte plus. Dans leur salon « Colloque », vos confrères tapent :\n"
        f"!garant {user}"
    )


CLAIM_OVER = (
    "Votre demande de garants ne vaut plus\n"
    "Refaites-la en tapant !inscription suivi de votre numéro RPPS et du mot garants, ou voyez votre administrateur."
)


def confirm(user: UserId, person: Professional) -> str:
    """To a colleague: who the directory says that it is."""
    lines = [person.full_name, " / ".join(trades(person)), ", ".join(person.towns), f"RPPS {person.rpps}"]
    return "\n".join(
        [
            "Connaissez-vous cette personne ?",
            *(line for line in lines if line),
            f"Compte : {user}",
            "Répondez oui si vous la connaissez, et si c'est bien elle qui vous a donné ce compte.",
            "Votre nom sera lié à cette vérification. Dans le doute, ne répondez pas.",
        ]
    )


def confirm_introduction(person: Professional) -> str:
    """Before an account is made for somebody who has none."""
    lines = [person.full_name, " / ".join(trades(person)), ", ".join(person.towns), f"RPPS {person.rpps}"]
    return "\n".join(
        [
            "Faire un compte pour cette personne, et vous en porter garant ?",
            *(line for line in lines if line),
            "Vous recevrez un lien, à lui remettre en main propre. Un deuxième confrère devra aussi se porter garant.",
            "Répondez oui si vous la connaissez. Votre nom sera lié à cette vérification.",
        ]
    )


def hand_over(user: UserId, link: str) -> str:
    """The link to the account just made."""
    return (
        f"Le compte : {user}\n"
        f"Remettez ce lien à cette personne, en main propre : {link}\n"
        "Il sert une seule fois, dans les 48 heures. Elle donne ensuite son compte à un deuxième confrère."
    )


def without_page(user: UserId) -> str:
    """No page is configured."""
    return f"Le compte : {user}\nSon accès s'ouvre chez votre administrateur."


def noted(missing: int) -> str:
    """To a colleague who has vouched."""
    then = (
        "Il manque encore la parole d'un autre confrère."
        if missing
        else "C'était la deuxième : ce confrère est prévenu, et vous le serez dès que c'est fait."
    )
    return f"Merci, votre parole est notée\n{then}"


def vouched(name: str, until: datetime) -> str:
    """To those who vouched."""
    return (
        "Le confrère dont vous vous êtes porté garant est vérifié\n"
        f"{name}, jusqu'au {until.astimezone(PARIS):%d/%m/%Y}.\n"
        "Si vous apprenez que ce n'était pas la bonne personne, prévenez aussitôt votre administrateur."
    )


CLAIM_SUBJECT = "Quelqu'un demande à être reconnu comme vous sur Colloque"


def claim_mail(user: UserId, person: Professional) -> str:
    """To a mailbox that the directory lists for the professional."""
    return (
        f"Bonjour {person.full_name},\n\n"
        f"Le compte Matrix {user} dit être le vôtre sur Colloque, et demande à deux confrères de s'en porter "
        "garants.\n\n"
        "C'est bien vous ? Il n'y a rien à faire.\n\n"
        "Ce n'est pas vous ? Prévenez tout de suite l'administrateur de Colloque dans votre établissement, et vos "
        "confrères : sans leur parole, ce compte ne sera pas vérifié.\n"
    )


IN_DOUBT = (
    "⚠️ Une identité vérifiée repose sur la parole d'un professionnel dont l'accès a été retiré depuis.\n"
    "Rien n'a été changé : voyez dans le journal de qui il s'agit (person.vouch_in_doubt), et faites-la revérifier "
    "ou retirez-la (!revoquer)."
)
