"""What people read of mailboxes that a team shares, in French. First lines are neutral: lock screens show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from colloque.clock import PARIS
from colloque_mssante.texts.mails import moment

HANDLED, UNHANDLED = "☑️", "↩️"
UNNAMED = "boîte partagée"
NOT_YOURS = "Ce message est celui d'un collègue : lui seul peut le compléter, l'envoyer ou l'annuler."

WRITE_WHERE = "Vous partagez plusieurs boîtes : tapez « !ecrire » dans un salon de celle d'où le message doit partir."
HANDLE_WHAT = "Répondez « !traite » au message reçu, ou touchez ☑️ sous lui. Seuls les messages d'une boîte partagée."
UNHANDLE_WHAT = "Répondez « !a-traiter » au message dont le traitement est à reprendre."
NOT_HANDLED = "Ce message n'est pas noté comme traité."

TEAM_HOW = (
    "Dites quelle boîte, et quel compte.\n"
    "Par exemple : !equipe ajouter secretariat@hopital.mssante.fr @zoe.durand:serveur"
)
TEAM_NOT_SHARED = (
    "Seule une boîte d'organisation (ORG) ou de cabinet (CAB) listée par l'Annuaire Santé peut être partagée."
)
TEAM_NOT_VERIFIED = "Ce compte n'est pas celui d'une personne de ce serveur, vérifiée aujourd'hui."
TEAM_NOT_IN = "Ce compte n'est pas dans l'équipe de cette boîte."
TEAM_NONE = "Aucune boîte partagée.\nPour en ouvrir une : !equipe ajouter adresse @compte"
NO_CREDENTIAL = "⚠️ Le fichier des boîtes ne donne pas de quoi l'ouvrir (mssante.mailboxes) : rien n'en est relevé."
LATER = "L'annuaire n'est pas encore importé. Réessayez plus tard."

AWAY_HOW = (
    "Dites jusqu'à quel jour, et par qui : un numéro de résultat ou un compte.\n"
    "Par exemple : « !absence 12/03 3 », après une recherche. À votre retour : « !absence fin »."
)
AWAY_SELF = "Nommez quelqu'un d'autre que vous."
AWAY_UNVERIFIED = "Cette personne n'a pas de compte vérifié ici : elle ne peut pas vous remplacer."
AWAY_BACK = "Bon retour : plus personne ne vous remplace."
AWAY_NOBODY = "Personne ne vous remplaçait."


def signature(name: str, structure: str) -> str:
    """Last line of a mail that somebody wrote for a team."""
    return f"— {name}, pour {structure}"


def room_name(correspondent: str, structure: str) -> str:
    """A team's room with one correspondent."""
    return f"{correspondent} · pour {structure}"


def handled(name: str, at: datetime) -> str:
    """Under a mail that somebody dealt with."""
    return f"{HANDLED} Message traité par {name} le {moment(at)}"


def handled_before(name: str, at: datetime) -> str:
    """To whoever comes second."""
    return f"Déjà traité par {name} le {moment(at)}. Pour le reprendre, répondez-lui « !a-traiter »."


def unhandled(name: str, at: datetime) -> str:
    """In the place of `handled`, when that was taken back."""
    return f"{UNHANDLED} Message de nouveau à traiter ({name}, le {moment(at)})"


def shared(address: str, state: str, waiting: int) -> str:
    """One line of `!boite etat`."""
    count = {0: "rien à traiter", 1: "1 message à traiter"}.get(waiting, f"{waiting} messages à traiter")
    return f"• {address} (partagée) : {state} · {count}"


def team(address: str, members: Sequence[tuple[str, str, datetime | None, bool]]) -> str:
    """A team for an administrator: `(account, for whom it stands in, until when, verified today)` each."""
    lines = []
    for user, absent, until, verified in members:
        line = f"• {user}"
        if until is not None:
            line += f", remplace {absent} jusqu'au {_last_day(until)}"
        lines.append(line if verified else f"{line} ⚠️ pas vérifié aujourd'hui")
    return "\n".join([f"Équipe de {address}", *lines])


def added(address: str, user: str) -> str:
    """An administrator named a member."""
    return f"C'est fait : {user} est dans l'équipe de {address}."


def removed(address: str, user: str, *, last: bool) -> str:
    """An administrator removed one."""
    end = "\n⚠️ L'équipe est vide : la boîte n'est plus relevée, ses messages y restent." if last else ""
    return f"C'est fait : {user} n'est plus dans l'équipe de {address}, ni qui le remplaçait.{end}"


_ROOMS = "les salons patients où vous êtes tous deux"
_THEIR_ROOMS = "leurs salons patients communs"


def away(name: str, until: datetime, mailboxes: Sequence[str]) -> str:
    """To whoever goes away."""
    return f"{name} vous remplace jusqu'au {_last_day(until)} compris, pour : {', '.join([*mailboxes, _ROOMS])}."


def stands_in(name: str, until: datetime, mailboxes: Sequence[str]) -> str:
    """To the stand-in."""
    lines = [
        "Vous remplacez un collègue",
        f"{name} vous confie jusqu'au {_last_day(until)} compris : {', '.join([*mailboxes, _ROOMS])}.",
        "Dans un salon patient où vous êtes tous deux, vous agissez en référent à sa place.",
    ]
    if mailboxes:
        lines.append(
            "Vous êtes dans les salons de ces boîtes ; ce que vous y écrivez part au nom de l'équipe, "
            "suivi de votre nom."
        )
    return "\n".join(lines)


def told_admins(absent: str, user: str, until: datetime, mailboxes: Sequence[str]) -> str:
    """To the administrators."""
    places = ", ".join([*mailboxes, _THEIR_ROOMS])
    return f"{absent} se fait remplacer par {user} jusqu'au {_last_day(until)} : {places}."


def _last_day(until: datetime) -> str:
    """The last whole day before `until`, which is a midnight in Paris."""
    return f"{(until - timedelta(hours=1)).astimezone(PARIS):%d/%m/%Y}"
