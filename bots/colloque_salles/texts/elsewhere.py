"""What administrators read of other servers' copies of erased rooms."""

from __future__ import annotations

_WHY = {
    "unanswered": "il n'a pas répondu",
    "under_way": "son effacement n'est pas terminé",
    "not_listed": "il n'est plus relié au vôtre",
    "no_federation": "aucun serveur n'est plus relié au vôtre",
    "receipt_invalid": "son reçu ne peut pas être vérifié",
}


def not_confirmed(serial: int, server: str, outcome: str) -> str:
    """In the admin room, once a server and erasure."""
    why = _WHY.get(outcome, "il refuse")
    return (
        f"Effacement n° {serial} : le serveur {server} n'a pas confirmé l'effacement de sa copie ({why}). Le reçu le "
        f"dit. Voyez avec ses responsables.\n({outcome})"
    )
