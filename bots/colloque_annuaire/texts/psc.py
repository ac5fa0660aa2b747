"""What @annuaire says of Pro Santé Connect. First lines hold nothing personal: lock screens show them."""

from __future__ import annotations

from datetime import timedelta

from colloque.identity import Rpps
from colloque.psc.claims import No
from colloque_annuaire.texts.annuaire import duration

_AGAIN = "Pour recommencer : !inscription suivi de votre numéro RPPS."


def asked(binding: str, life: timedelta, rpps: Rpps) -> str:
    """The question is on the phone."""
    return (
        f"Validez le nombre {binding} dans votre application e-CPS ({duration(life)}).\n"
        "Si elle montre un autre nombre, refusez : ce n'est pas votre demande.\n"
        f"Sans e-CPS sous la main, recevez un code dans votre boîte MSSanté : !inscription {rpps} boite\n"
        f"Sans l'une ni l'autre, deux confrères vérifiés se portent garants de vous : !inscription {rpps} garants"
    )


ENDED = f"Cette demande est terminée.\n{_AGAIN}"
UNAVAILABLE = (
    "Pro Santé Connect ne répond pas pour l'instant.\n"
    "Réessayez dans quelques minutes, ou demandez un code par votre boîte MSSanté."
)
OUT_OF_ORDER = (
    "La vérification par Pro Santé Connect est en panne ici ; votre administrateur est prévenu.\n"
    "En attendant, demandez un code par votre boîte MSSanté."
)
TOO_MANY = (
    "Trop de demandes ont été faites aujourd'hui pour ce numéro ou ce compte.\n"
    "Réessayez demain, ou voyez votre administrateur."
)
TROUBLE = (
    "Pro Santé Connect n'accepte pas ce service, ou ses réponses ne sont pas sûres.\n"
    "À vérifier : annuaire.psc dans la configuration (identifiant, secret, adresses, ancres de confiance)."
)

_REFUSED = {
    No.NOT_RPPS: (
        "Votre identité n'est pas vérifiée : Pro Santé Connect ne vous connaît pas de numéro RPPS.\n"
        "Votre ordre, ou l'autorité qui tient votre inscription, peut vous en donner un."
    ),
    No.NO_EXERCISE: (
        "Votre identité n'est pas vérifiée : Pro Santé Connect ne vous connaît aucun exercice.\n"
        "Voyez qui tient votre inscription à l'Annuaire Santé."
    ),
    No.ACR: f"Votre identité n'est pas vérifiée : il faut la carte CPS ou l'application e-CPS.\n{_AGAIN}",
    No.OTHER_PERSON: (
        "Votre identité n'est pas vérifiée : une autre personne a répondu que celle du numéro demandé.\n"
        f"Vérifiez votre numéro RPPS. {_AGAIN}"
    ),
    No.DENIED: f"La demande a été refusée dans l'application e-CPS.\n{_AGAIN}",
    No.EXPIRED: f"La demande n'a pas été validée à temps dans l'application e-CPS.\n{_AGAIN}",
    No.GONE: f"La demande n'est plus valable.\n{_AGAIN}",
    No.UNKNOWN_PERSON: (
        "Pro Santé Connect ne trouve pas d'application e-CPS pour ce numéro.\n"
        "Vérifiez les chiffres, activez votre e-CPS, ou tapez !inscription, votre numéro, et le mot boite ou garants."
    ),
    No.FAILED: f"Pro Santé Connect n'a pas mené la demande à son terme.\n{_AGAIN}",
}


def refused(reason: str) -> str:
    """Why a login or a question proves nothing, and what to do. `reason`: one of `claims.No`."""
    return _REFUSED[No(reason)]
