"""What administrators read of what an erasure left on the server."""

from __future__ import annotations

from collections.abc import Sequence


def schema_not_reviewed(version: int) -> str:
    """Synapse was upgraded past what the cleaning was reviewed for."""
    return (
        f"⚠️ La base de Synapse est au schéma {version}, pour lequel le nettoyage qui suit un effacement n'a pas été "
        "relu : il n'est plus fait. Les salons sont effacés, les reçus comptent ce qui reste. Mettez Colloque à jour."
    )


def left_of_direct(places: Sequence[str]) -> str:
    """The same, of a conversation outside patient rooms."""
    return (
        "⚠️ Conversation hors salons patients : après l'effacement, des identifiants restent sur le serveur "
        f"({', '.join(places)}). Le reçu les compte. Voyez docs/admin.md, « What an erasure leaves »."
    )


def left(words: str, places: Sequence[str]) -> str:
    """A look found what no rule expects."""
    return (
        f"⚠️ Salon patient « {words} » : après l'effacement, des identifiants du salon restent sur le serveur "
        f"({', '.join(places)}). Le reçu les compte. Voyez docs/admin.md, « What an erasure leaves »."
    )
