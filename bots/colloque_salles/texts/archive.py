"""What a copy of a room's conversation says, and what @salles says of it."""

from __future__ import annotations

from datetime import datetime

from colloque.clock import PARIS
from colloque.rooms.archive import Line, What

NO_HOME = (
    "Votre salon « Colloque » n'existe pas encore sur ce serveur : recommencez plus tard, ou demandez la copie à un "
    "confrère de l'établissement."
)
COPYING = (
    "La copie se prépare : elle arrive dans votre salon « Colloque ». Classez-la au dossier, elle est effacée avec ce "
    "salon."
)
AUTHOR = "Colloque"
OPENED = "Salon ouvert"
MADE = "Copie faite"
PART = "Partie"
WRITER = "Auteur"
NOTED = "Noté"
UNREADABLE_COUNT = "Messages illisibles"
NOTHING = "Rien n'a été écrit dans ce salon."
IDENTITY = "!patient identite […]"
"""In place of what was typed to us: a conversation that is kept holds no identity that was not confirmed."""
_UNREADABLE = "[message chiffré que l'automate n'a pas pu lire]"
_WITHDRAWN = "[message retiré par son auteur]"
_OTHER = "[position, sondage ou autocollant]"
UNPRINTABLE = "[message que l'automate n'a pas pu mettre en page]"
_UNPROVEN = "[appareil non confirmé par son propriétaire]"


def title(words: str) -> str:
    """The document's title."""
    return f"Échanges du salon « {words} »"


def part_title(words: str, rank: int, count: int) -> str:
    """The title of one part, as a document of its own."""
    return f"{title(words)} (partie {rank} / {count})" if count > 1 else title(words)


def footer(words: str, rank: tuple[int, int]) -> str:
    """Stands on every page."""
    return f"{words} · partie {rank[0]} / {rank[1]}"


def file_name(words: str, rank: int, count: int) -> str:
    """A copy's file: the room's words, which hold nothing about the patient."""
    part = f" {rank} sur {count}" if count > 1 else ""
    return f"Salon {words}{part}.pdf"


def writer(name: str, rpps: str) -> str:
    """Somebody who wrote, with their national number."""
    return f"{name} (RPPS {rpps})" if rpps else name


def moment(at: datetime) -> str:
    """Paris time."""
    return f"{at.astimezone(PARIS):%d/%m/%Y %H:%M:%S}"


def line(said: Line) -> str:
    """What was said, with what became of it."""
    match said.what:
        case What.UNREADABLE:
            return _UNREADABLE
        case What.WITHDRAWN:
            return _WITHDRAWN
        case What.OTHER:
            return _OTHER
    words = [said.text] if said.text else []
    if said.file is not None:
        digest = f"SHA-256 {said.file.digest}" if said.file.digest else "contenu non lu"
        words.insert(0, f"[fichier] {said.file.name} ({said.file.size} octets, {digest})")
    if said.changed_at is not None:
        words.append(f"[modifié le {moment(said.changed_at)}]")
    if not said.proven:
        words.append(_UNPROVEN)
    return "\n".join(words) or " "
