"""What @salles says of people who were invited and are not there; and the mail that reaches them."""

from __future__ import annotations

from collections.abc import Sequence

MAIL = "✉️"
LATER = "Le courrier ne répond pas pour l'instant. Retirez ce signe, puis touchez-le de nouveau plus tard."
SUBJECT = "Colloque : un salon vous attend"
BODY = (
    "Bonjour,\n\n"
    "Un confrère vous attend dans l'application Colloque : ouvrez-la, acceptez l'invitation et, si elle vous le "
    "demande, confirmez votre appareil (Paramètres, Chiffrement).\n\n"
    "Ce message est envoyé par un automate, à la demande de ce confrère : il ne contient aucune information sur un "
    "patient. Ne répondez pas."
)


def missing(words: str, absent: Sequence[str], deaf: Sequence[str]) -> str:
    """In the referent's home room."""
    lines = [f"Salon « {words} » :"]
    if absent:
        lines.append("– pas encore venu : " + ", ".join(absent))
    if deaf:
        lines.append("– ne peut pas lire, aucun appareil confirmé : " + ", ".join(deaf))
    return "\n".join([*lines, f"Touchez {MAIL} : un mail MSSanté sans contenu le leur dira."])


def written(told: Sequence[str], untold: Sequence[str]) -> str:
    """After the tap."""
    lines = []
    if told:
        lines.append("Un mail MSSanté, sans rien sur le patient, part vers : " + ", ".join(told))
    if untold:
        lines.append("Pas de boîte MSSanté connue : " + ", ".join(untold) + ". Appelez-les.")
    return "\n".join(lines)
