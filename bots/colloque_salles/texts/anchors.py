"""What @salles shows in the admin room of the chain of erasure receipts."""

from __future__ import annotations

from datetime import date

from colloque.rooms.anchors import Anchor


def anchor(day: date, head: Anchor, receipts: int) -> str:
    """Once a day: number, count and hash of the newest receipt; and what to do with it."""
    lines = [
        f"⚓ Reçus d'effacement au {day:%d/%m/%Y} : dernier n° {head.serial}, {_count(receipts)}, empreinte {head}",
        f"Pour vérifier que rien n'y manque : colloque receipt verify receipt-*.json --key CLÉ.pem --anchor {head}",
    ]
    if receipts != head.serial:
        lines.append("⚠️ Leur nombre n'est pas le numéro du dernier : il en manque dans la base du service salles.")
    return "\n".join(lines)


def _count(receipts: int) -> str:
    return f"{receipts} reçu{'s' if receipts > 1 else ''} en tout"
