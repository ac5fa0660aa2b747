"""What @salles says of people whose servers don't know each other's people."""

from __future__ import annotations

from collections.abc import Sequence

LATER = (
    "Le serveur de l'autre établissement ne répond pas : on ne sait pas s'il reconnaît toute l'équipe. Rien n'est "
    "ouvert, personne n'est invité ; réessayez dans quelques minutes."
)
NOT_TOGETHER = "Rien n'est ouvert, personne n'est invité : toute l'équipe doit être reconnue par chaque établissement."


def unknown(name: str, there: Sequence[str]) -> str:
    """`there`: who of the team is of the server that does not admit them."""
    return (
        f"– {name} : l'établissement de {', '.join(there)} ne peut pas vérifier cette identité. Les personnes qui "
        "exercent sous la responsabilité d'un confrère restent dans leur établissement ; sinon, dites-le aux "
        "administrateurs."
    )
