"""What people read of threads that end, in French."""

from __future__ import annotations

from datetime import datetime, timedelta

from colloque.clock import PARIS

KEEP_WHY = (
    "Pour quel motif ? Par exemple : !fil garder expertise en cours\n"
    "En réponse à un message, seul son fil est gardé ; sans réponse, tout ce salon."
)
NOT_KEPT = "Rien n'est gardé ici au-delà de la durée prévue."
NO_THREAD = (
    "Ce message n'est d'aucun fil. Répondez à un message reçu ou envoyé, ou gardez tout le salon (sans réponse)."
)
ENDING = "Trop tard : ce fil est en train de s'effacer d'ici. Les originaux sont dans votre boîte MSSanté."
NOT_YOURS = "Seules les personnes de ce salon peuvent le garder."
INCIDENT_STUCK = (
    "⚠️ L'effacement d'un fil de mails a commencé et n'aboutit pas depuis un jour. Regardez le journal de @mssante "
    "(« thread.… ») et celui de @salles (« mail_thread.… »)."
)
KEEP_REFUSED = "Rien n'est gardé : le serveur n'a pas pris cette demande. Réessayez."


def entry(lifetime: timedelta) -> str:
    """How long threads stay, said in every mail room."""
    return (
        f"Ici, les messages s'effacent {_span(lifetime)} après le dernier de leur fil ; "
        "votre boîte MSSanté garde les mails (!fil garder : les garder ici aussi)."
    )


def ended(number: int, serial: int) -> str:
    """A thread is gone; its receipt, where there is one."""
    receipt = f" Reçu d'effacement n° {serial}." if serial else ""
    return f"Le fil {number} a pris fin ici. Les originaux sont dans votre boîte MSSanté.{receipt}"


def missing(number: int) -> str:
    """A thread stays: its room has the only copy of a mail."""
    return (
        f"Le fil {number} reste ici au-delà de la durée prévue : votre boîte MSSanté n'a plus tous ses messages. "
        "Remettez-les dans un dossier de votre boîte, ou classez-les au dossier du patient."
    )


def unasked(address: str) -> str:
    """Threads stay: their mailbox can't be asked."""
    return (
        f"Des fils de mails restent affichés au-delà de la durée prévue : {address} ne peut pas être consultée pour "
        "vérifier qu'elle a les originaux. « !boite etat » dit pourquoi."
    )


def kept(until: datetime, number: int | None) -> str:
    """Somebody keeps a thread, or (None) all of a room."""
    what = "Ce salon et tous ses fils sont gardés" if number is None else f"Le fil {number} est gardé"
    return f"{what} jusqu'au {_day(until)}. Pour prolonger : !fil garder ; pour arrêter : !fil ne plus garder."


def kept_until(until: datetime, number: int | None) -> str:
    """That will be over soon."""
    what = "Ce salon n'est plus gardé" if number is None else f"Le fil {number} n'est plus gardé"
    return f"{what} à partir du {_day(until)}. Pour prolonger : !fil garder, suivi du motif."


def released(number: int | None) -> str:
    """Nobody keeps it any more."""
    what = "Ce salon n'est plus gardé" if number is None else f"Le fil {number} n'est plus gardé"
    return f"{what} : ses fils suivent de nouveau la durée prévue."


def _day(at: datetime) -> str:
    return f"{at.astimezone(PARIS):%d/%m/%Y}"


def _span(length: timedelta) -> str:
    days = length // timedelta(days=1)
    if days:
        return f"{days} jours" if days > 1 else "un jour"
    return "moins d'un jour"
