"""What @annuaire says before and after an attestation ends."""

from __future__ import annotations

from colloque.attestation import Attestation, Method
from colloque.clock import PARIS


def renew(held: Attestation, days: int) -> str:
    """`days` before the end; 0: it has ended."""
    until = f"{held.valid_until.astimezone(PARIS):%d/%m/%Y}"
    if days == 0:
        return (
            "La vérification de votre identité a pris fin.\n"
            "Vos salons vous attendent : dès que vous l'aurez renouvelée, vous y écrirez de nouveau.\n" + _how(held)
        )
    when = "demain" if days == 1 else f"le {until}"
    return f"La vérification de votre identité prend fin {when}.\n" + _how(held)


def card_opposed(held: Attestation) -> str:
    """Their card was opposed, and no other one serves."""
    return (
        "Prouvez votre identité à nouveau.\n"
        "L'Annuaire Santé indique que votre carte (CPS ou e-CPS) a été mise en opposition, et n'en connaît pas d'autre "
        f"en service. Votre vérification vaut encore jusqu'au {held.valid_until.astimezone(PARIS):%d/%m/%Y}.\n"
        f"{_how(held)}"
    )


def _how(held: Attestation) -> str:
    said = f"Pour la renouveler (deux minutes) : !inscription {held.rpps}"
    if held.method is Method.VOUCHED:
        said += "\nSans boîte MSSanté, deux confrères peuvent de nouveau se porter garants."
    return said
