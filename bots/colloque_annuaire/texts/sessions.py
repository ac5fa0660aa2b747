"""What @annuaire says about sessions and encryption identities. First lines name nothing: lock screens show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from colloque.clock import PARIS
from colloque.matrix.admin import Session

UNPROVED = (
    "⚠️ L'identité de chiffrement d'un compte a été remplacée sans preuve d'identité récente. Son titulaire est "
    "prévenu ; s'il vous appelle, vérifiez qui il est, puis !revoquer si ce n'est pas lui. Le journal dit quel compte."
)
NOTHING_TO_CLOSE = "Aucune autre session n'est ouverte : il n'y a rien à fermer."
NO_SUCH_SESSION = "Cette session n'est pas dans la liste. Pour la voir : !sessions"
_UNNAMED = "Appareil sans nom"


def new_session(name: str, at: datetime) -> str:
    """A session was opened."""
    return (
        "Une nouvelle session vient d'être ouverte sur votre compte.\n"
        f"{name.strip()[:80] or _UNNAMED}, le {_when(at)}.\n"
        "C'est vous : il n'y a rien à faire. Ce n'est pas vous : tapez !sessions fermer, puis prévenez votre "
        "administrateur."
    )


def new_identity(at: datetime) -> str:
    """The encryption identity was replaced."""
    return (
        "🔐 L'identité de chiffrement de votre compte a été réinitialisée.\n"
        f"C'était le {_when(at)}. Vos anciens appareils doivent être confirmés à nouveau (Paramètres → Chiffrement).\n"
        "Ce n'est pas vous : prévenez votre administrateur tout de suite."
    )


def listing(mine: Sequence[Session], others: Sequence[Session]) -> str:
    """`!sessions`."""
    lines = ["Vos sessions ouvertes :"]
    lines += [f"• {_name(session)} – celle-ci" for session in mine]
    lines += [f"{n}. {_name(session)}{_used(session)}" for n, session in enumerate(others, 1)]
    if others:
        lines.append("Pour fermer toutes les autres : !sessions fermer. Une seule : !sessions fermer 1")
    return "\n".join(lines)


def closed(count: int) -> str:
    """`!sessions fermer`."""
    what = "La session est fermée." if count == 1 else f"{count} sessions sont fermées."
    return f"{what} Pour en rouvrir une, il faudra prouver son identité à nouveau."


def _name(session: Session) -> str:
    return session.name.strip()[:80] or _UNNAMED


def _used(session: Session) -> str:
    return f" – utilisée le {_when(session.last_seen)}" if session.last_seen is not None else ""


def _when(at: datetime) -> str:
    return f"{at.astimezone(PARIS):%d/%m à %H:%M}"
