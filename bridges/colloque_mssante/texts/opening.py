"""What people read of mailboxes that open by e-CPS, in French. First lines are neutral: lock screens show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time

from colloque.clock import PARIS
from colloque.psc.claims import No
from colloque_mssante.rules.opening_rules import EARLIEST, LATEST, MOST_HOURS
from colloque_mssante.store.opening import Opening, Stage
from colloque_mssante.texts.mails import moment

OPEN_SIGN = "🔓"
_HOW = f"Pour l'ouvrir : touchez {OPEN_SIGN} sous ce message, ou « !boite ouvrir »."
_KEPT = "Ce qui arrive reste dans la boîte, ce que vous écrivez attend : rien n'est perdu."

NOTHING = "Aucune de vos boîtes MSSanté ne s'ouvre par e-CPS."
ALREADY = "Votre boîte MSSanté est déjà ouverte."
UNAVAILABLE = (
    "Votre boîte MSSanté ne peut pas être ouverte pour l'instant : Pro Santé Connect, ou le service qui lui parle, ne "
    "répond pas. Réessayez dans quelques minutes."
)
TROUBLE = (
    "Les boîtes MSSanté personnelles ne peuvent pas être ouvertes : Pro Santé Connect, ou le processus qui garde les "
    "sessions (colloque_mssante.keeper), ne répond pas comme il faut. À vérifier : ce processus, et mssante.psc."
)
TOO_OFTEN = "Votre téléphone a été interrogé trop souvent. Réessayez dans une heure."
HOURS_HOW = (
    "Rien n'est changé. Écrivez les heures auxquelles votre téléphone peut vous demander d'ouvrir votre boîte, "
    f"{MOST_HOURS} au plus, entre {EARLIEST:%H:%M} et {LATEST:%H:%M} : « !boite heures 7:30 13:45 ». Pour ne plus être "
    "interrogé que lorsque vous écrivez : « !boite heures non »."
)

_REASONS = {
    No.DENIED: "vous avez refusé la demande dans votre application e-CPS",
    No.EXPIRED: "la demande n'a pas été validée à temps",
    No.GONE: "la demande n'est plus valable",
    No.OTHER_PERSON: "une autre personne que vous a répondu",
    No.UNKNOWN_PERSON: "Pro Santé Connect ne trouve pas d'application e-CPS à votre nom",
    No.ACR: "il faut la carte CPS ou l'application e-CPS",
    No.NO_EXERCISE: "Pro Santé Connect ne vous connaît aucun exercice",
    No.NOT_RPPS: "Pro Santé Connect ne vous connaît pas de numéro RPPS",
    No.FAILED: "Pro Santé Connect n'a pas mené la demande à son terme",
}


def notice(one: Opening, addresses: Sequence[str]) -> str:
    """The one message about a closure, as it reads now."""
    which = ", ".join(addresses)
    match one.stage:
        case Stage.ASKING:
            return f"🔐 Votre boîte MSSanté s'ouvre par votre e-CPS\n{_check(one)}\n{which}"
        case Stage.REFUSED:
            why = _REASONS.get(No(one.reason), "") if one.reason in set(No) else ""
            return f"🔒 Votre boîte MSSanté reste fermée{f' : {why}' if why else ''}.\n{which}\n{_KEPT}\n{_HOW}"
        case Stage.OPEN:
            return f"🔓 Votre boîte MSSanté est ouverte\n{which}\nLa relève est en cours."
        case Stage.DONE:
            return f"🔓 Votre boîte MSSanté est ouverte{_at(one.opened_at)}\n{which}\n{_came(one)}"
        case _:
            since = f" depuis le {moment(one.closed_at)}" if one.closed_at is not None else ""
            return f"🔒 Votre boîte MSSanté est fermée{since}.\n{which}\n{_KEPT}\n{_HOW}"


def asked(one: Opening) -> str:
    """Answer to `!boite ouvrir`."""
    return _check(one)


def waits(one: Opening, addresses: Sequence[str]) -> str:
    """Under what somebody wrote while their mailbox is closed."""
    said = f"🔒 Votre boîte MSSanté est fermée : ce qui part de {', '.join(addresses)} attend, deux jours au plus."
    return f"{said}\n{_check(one)}" if one.stage is Stage.ASKING else f"{said}\n« !boite ouvrir » l'ouvre."


def hours(chosen: Sequence[time]) -> str:
    """Answer to `!boite heures`."""
    if not chosen:
        return (
            "Votre téléphone ne vous demande rien de lui-même : la question vient quand vous écrivez, ou par "
            "« !boite ouvrir »."
        )
    when = ", ".join(f"{hour:%H:%M}" for hour in chosen)
    return (
        f"Si votre boîte est fermée, votre téléphone vous demandera de l'ouvrir à {when}.\n"
        "« !boite heures non » y met fin."
    )


def _check(one: Opening) -> str:
    until = f" avant {one.until.astimezone(PARIS):%H:%M:%S}" if one.until is not None else ""
    return (
        f"Validez le nombre {one.binding} dans votre application e-CPS{until}. "
        "Si elle montre un autre nombre, refusez : ce n'est pas votre demande."
    )


def _at(at: datetime | None) -> str:
    return f" depuis le {moment(at)}" if at is not None else ""


def _came(one: Opening) -> str:
    many = f"{one.mails} messages MSSanté" if one.mails > 1 else f"{one.mails or 'Aucun'} message MSSanté"
    if one.closed_at is None:
        return f"{many} à l'ouverture."
    return f"{many} depuis sa fermeture, le {moment(one.closed_at)}."
