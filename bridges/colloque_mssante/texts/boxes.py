"""What people read of their mailboxes, in French."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from colloque.clock import PARIS
from colloque_mssante.store.choices import OFF, PAUSED
from colloque_mssante.texts.mails import moment

OPEN_HOW = (
    "Rien n'est changé. Écrivez un jour passé, d'un an au plus, pour voir aussi les messages reçus depuis : "
    "« !boite connecter 01/10/2026 ». Sans date : « !boite connecter »."
)
OPEN_ALREADY = (
    "Votre boîte MSSanté est déjà relevée. Pour voir aussi des messages plus anciens, ajoutez un jour : "
    "« !boite connecter 01/10/2026 »."
)
TO_OPEN = "Elle est fermée pour l'instant : « !boite ouvrir » l'ouvre par votre e-CPS."
_STATES = {
    "ok": "relevée en continu",
    "waiting": "momentanément injoignable, nouvel essai en cours",
    "unscanned": "en attente : l'antivirus ne répond pas, vos messages restent dans la boîte",
    "refused": "arrêtée : l'opérateur refuse l'accès",
    "tampered": "arrêtée : le certificat de l'opérateur n'est pas reconnu",
    "starting": "connexion en cours",
    "closed": "fermée : votre e-CPS l'ouvre (« !boite ouvrir »), ce qui arrive y reste",
    PAUSED: "en pause",
    OFF: "déconnectée",
}


def boxes(lines: Sequence[tuple[str, str, datetime | None]]) -> str:
    """Answer to `!boite etat`: `(address, state, since when)` a mailbox."""
    said = ["Votre boîte MSSanté"]
    for address, state, at in lines:
        since = f" depuis le {moment(at)} (« !boite connecter » la reprend)" if at is not None else ""
        said.append(f"• {address} : {state_of(state)}{since}")
    return "\n".join(said)


def state_of(code: str) -> str:
    """What a mailbox's state is called; of one that nobody reads, too."""
    return _STATES.get(code, "non relevée")


def unopened(count: int) -> str:
    """One more line of the answer to `!etat`: boxes whose holders did not open them; empty when there are none."""
    return f"\n• Boîtes qui attendent l'e-CPS de leur titulaire : {count}" if count else ""


def closed(addresses: Sequence[str], how: str) -> str:
    """Answer to `!boite pause` and `!boite deconnecter`."""
    which = ", ".join(addresses)
    if how == PAUSED:
        return (
            f"⏸️ En pause : {which}\n"
            "Les messages qui arrivent restent dans la boîte ; vous pouvez encore écrire d'ici. « !boite connecter » "
            "reprend là où la relève s'est arrêtée."
        )
    return (
        f"⏹️ Déconnectée : {which}\n"
        "Plus rien n'est relevé ni envoyé d'ici ; la boîte et vos salons restent. « !boite connecter » la relie de "
        "nouveau, à partir du jour même."
    )


def opened(lines: Sequence[tuple[str, datetime, datetime | None]]) -> str:
    """Answer to `!boite connecter`: `(address, first day shown, when it was paused)` a mailbox."""
    said = ["▶️ Votre boîte MSSanté est relevée"]
    for address, since, paused in lines:
        day = since.astimezone(PARIS).strftime("%d/%m/%Y")
        start = f"reprise après la pause du {moment(paused)}" if paused else f"messages reçus depuis le {day}"
        said.append(f"• {address} : {start}")
    return "\n".join([*said, "Ce qui est déjà affiché ne l'est pas une deuxième fois."])
