"""What any of our bots may say, in French. First lines never repeat what the person typed: lock screens show them."""

from __future__ import annotations

from datetime import timedelta

from colloque.commands import Command
from colloque.rooms.mark import RoomKind

UNSIGNED_DEVICE = (
    "Je n'ai pas traité votre message : cet appareil n'est pas encore confirmé comme étant le vôtre.\n"
    "C'est fréquent après une nouvelle connexion, et cela se règle en une minute. Dans Element X : "
    "Paramètres → Chiffrement, puis « Confirmer votre identité ».\n"
    "Renvoyez ensuite votre message."
)
NOT_ENCRYPTED = (
    "Je n'ai pas traité votre message : il est arrivé sans chiffrement.\n"
    "Mettez votre application à jour, puis renvoyez-le."
)
UNREADABLE = (
    "Je n'ai pas pu lire ce message : sa clé de chiffrement ne m'est pas parvenue.\n"
    "Pouvez-vous l'envoyer à nouveau ?"
)  # fmt: skip
ONLY_COMMANDS = (
    "Je suis un automate : je ne comprends que les commandes, qui commencent par « ! ».\nÉcrivez !aide pour les voir."
)
NOT_ATTESTED = (
    "Pour cela, votre identité doit d'abord être vérifiée.\n"
    "Dans votre salon « Colloque », écrivez !inscription suivi de votre numéro RPPS."
)
TRY_LATER = (
    "Je n'ai pas pu terminer : un service ne répond pas pour le moment.\n"
    "Réessayez dans quelques minutes."
)  # fmt: skip

_PLACES = {
    RoomKind.HOME: "dans votre salon « Colloque »",
    RoomKind.PATIENT: "dans le salon du patient",
    RoomKind.MAIL: "dans le salon de la correspondance",
    RoomKind.ADMIN: "dans le salon d'administration",
}


def span(length: timedelta) -> str:
    """A length of time: "30 jours", "2 heures", "45 secondes"."""
    seconds = max(0, round(length.total_seconds()))
    for size, unit in ((86400, "jour"), (3600, "heure"), (60, "minute"), (1, "seconde")):
        if seconds >= 2 * size or (seconds >= size and size == 1):
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "quelques instants"


def unknown_command(near: Command | None) -> str:
    """No such command; the one probably meant, when there is one."""
    guess = f"Vouliez-vous écrire {near.usage} ?\n" if near else ""
    return (
        f"Je ne connais pas cette commande.\n{guess}Écrivez !aide dans votre salon « Colloque » pour les voir toutes."
    )


def wrong_room(command: Command) -> str:
    """The command exists, elsewhere."""
    places = " ou ".join(place for kind, place in _PLACES.items() if kind.value in command.rooms)
    return f"Cette commande ne s'utilise pas ici.\n{command.usage} s'écrit {places}."


def failed(reference: str) -> str:
    """Something broke; the reference leads an administrator to the log."""
    return (
        "Désolé, une erreur m'a empêché de terminer.\n"
        f"Si cela se reproduit, donnez cette référence à votre administrateur : {reference}"
    )
