"""What `!qui` says of accounts that are no professional's own. First lines hold no name."""

from __future__ import annotations

from collections.abc import Sequence

from colloque.attestation import Attestation
from colloque.professional import Professional
from colloque_annuaire.texts.finding import proof, standing


def supervised(held: Attestation, sponsor: Professional | None, *, valid: bool, source: Sequence[str]) -> str:
    """Somebody who works under a professional. `valid`: today, the professional's verification included."""
    who = f"{sponsor.full_name}, RPPS {sponsor.rpps}" if sponsor is not None else f"RPPS {held.under}"
    lines = [standing(held, valid=valid), held.name, f"Travaille sous la responsabilité de {who}."]
    return "\n".join([*lines, *proof(held, valid=valid), *source])


def staff(held: Attestation, *, valid: bool) -> str:
    """An administrator."""
    then = "Ce compte administre Colloque : il ne participe pas aux échanges de soins."
    return "\n".join([standing(held, valid=valid), held.name, then, *proof(held, valid=valid)])
