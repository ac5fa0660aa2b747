"""Why a mail did not leave, or did not arrive, in French. First lines are neutral: lock screens show them."""

from __future__ import annotations

_REASONS = {
    "5.1.1": "cette adresse n'existe pas",
    "5.1.2": "le domaine de cette adresse n'existe pas",
    "5.2.1": "cette boîte est fermée",
    "5.2.2": "cette boîte est pleine",
    "5.3.4": "le message est trop volumineux",
    "4.4.7": "l'opérateur ne l'a pas pris en deux jours",
    "closed": "cette boîte MSSanté est restée fermée deux jours",
    "5.6.0": "ce message ne peut pas s'écrire comme un mail",
    "5.7.1": "l'opérateur n'autorise pas cet envoi",
    "mailbox_off": "vous avez déconnecté cette boîte MSSanté (« !boite connecter » la relie)",
    "not_attested": "votre identité n'est plus vérifiée",
    "not_yours": "vous n'écrivez plus depuis cette boîte MSSanté",
}


def reason(status: str) -> str:
    """`status`: an enhanced status code (RFC 3463), an SMTP reply code, or a word of ours (`sends.Send.status`)."""
    known = _REASONS.get(status) or next((t for c, t in _REASONS.items() if status.startswith(c[:3] + ".")), "")
    return known or (f"l'opérateur l'a refusé (code {status})" if status else "l'opérateur l'a refusé")


def failed_at(address: str, status: str) -> str:
    """A delivery report says that one of several recipients did not get it; `address` is empty where it names none."""
    who = f"{address} n'a pas reçu ce message" if address else "L'opérateur ne dit pas lequel"
    return f"❌ Non remis à l'un des destinataires : {reason(status)}.\n{who} (ce rapport ne dit rien des autres)."
