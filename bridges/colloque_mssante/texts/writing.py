"""What people read while they write mails, in French. First lines are neutral: lock screens show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from colloque.clock import PARIS
from colloque_mssante.texts.mails import NO_SUBJECT

SEND_NOW, CANCEL, TO_ALL = "✅", "❌", "👥"

ADDRESS_ANOTHERS = "Rien n'est parti : l'Annuaire Santé n'attribue plus cette adresse à votre correspondant."
ADDRESS_GONE = "Rien n'est parti : l'Annuaire Santé ne connaît plus cette adresse de votre correspondant."
EXPIRED = "Rien n'est parti : ce message attendait votre réponse depuis plus d'une journée. Écrivez-le de nouveau."
NO_ADDRESS = "Rien n'est parti : votre correspondant n'a pas d'adresse MSSanté connue à laquelle écrire."
OWN_TO_ALL = (
    "Rien n'est parti : ce message allait à plusieurs personnes. Répondez au message reçu, ou touchez 👥 sous lui."
)
STRUCK_AFTER = "Trop tard : ce message est parti par MSSanté, ou a pu partir. Un mail ne se rappelle pas."
NEVER_LEFT = "Ce message n'est pas parti : votre correspondant n'a rien reçu. S'il doit partir, écrivez-le de nouveau."
WITHDRAWN = (
    "❌ Annulé : rien de ce message n'est parti, ni texte ni fichier.\nPour envoyer quand même, écrivez-le de nouveau."
)
EDITED_IN_PART = (
    "Modification non prise en compte : ce message attend de partir, avec plusieurs lignes ou un fichier.\n"
    "Supprimez-en une ligne ici : rien n'en partira. Puis écrivez-le de nouveau en entier."
)
CAPTION_COMMAND = (
    "Rien n'est parti : la légende de ce fichier commence par « ! », comme une commande. "
    "Joignez-le de nouveau avec une autre légende."
)
NOT_A_NUMBER = "Rien n'est parti. Répondez par un des chiffres proposés."
EDITED_AWAY = "Ce message ne partira pas : sa nouvelle version est vide, ou une commande."
JOINED_TOO_LATE = "Ce message-là est déjà parti. Choisissez un autre chiffre."
NOT_IN_A_MAIL = "Pour répondre à tous, touchez 👥 sous le message reçu, ou répondez-lui « !repondre-tous »."
NOBODY_ELSE = "Ce message n'a pas d'autre destinataire que vous : répondez-lui simplement."
TOO_MANY = "Ce message a plus de 50 destinataires : répondez à tous depuis votre messagerie MSSanté habituelle."
SUBJECT_DONE = "Objet noté."
SUBJECT_HOW = "Écrivez l'objet à la suite, par exemple : « !objet Demande d'avis »."
PATIENT_READS = "🧑 Le patient lira ce message."
PATIENT_LAST = "🧑 Le patient lira ce message, et ne pourra pas y répondre."
LAST_HOW = "Écrivez d'abord votre message au patient ; puis, avant qu'il parte, « !sans-reponse »."
LAST_DONE = "Noté : le patient ne pourra pas répondre à ce message."
FORWARD_WHAT = (
    "Répondez au message à transférer par « !transferer » suivi d'une adresse MSSanté ou d'un numéro de résultat, "
    "par exemple : « !transferer 3 »."
)
FORWARDS = "↪️ Le message transféré et ses pièces jointes partiront avec."
FORWARD_UNREACHED = (
    "Rien n'est parti : le message à transférer n'a pas pu être relu dans votre boîte MSSanté. "
    "« !boite etat » dit pourquoi."
)
FORWARD_GONE = "Rien n'est parti : le message à transférer n'est plus dans votre boîte MSSanté."
REPLACES = "[Annule et remplace]"
CORRECTS = "[Correction]"

_SHOWN = 1_000
"""Characters of a correction that are shown before it leaves."""

WRITE_HOW = "Écrivez l'adresse MSSanté ou le numéro d'un résultat à la suite, par exemple : « !ecrire 3 »."
WRITE_UNKNOWN_RESULT = (
    "Ce numéro ne correspond à aucun résultat d'aujourd'hui. Cherchez d'abord : « !chercher nom ville »."
)
WRITE_NOT_LISTED = "Cette adresse n'est pas dans l'espace de confiance MSSanté : on ne peut pas lui écrire d'ici."
WRITE_NO_MAILBOX = "Aucune de vos boîtes MSSanté n'est reliée ici : « !boite etat » dit pourquoi."
WRITE_NO_ADDRESS = "L'Annuaire Santé ne connaît pas d'adresse MSSanté à cette personne."
WRITE_LATER = "L'annuaire ne répond pas pour l'instant. Réessayez dans une minute."
WRITE_SELF = "Cette adresse est la vôtre."


def opened(who: str, homonyms: int, link: str) -> str:
    """Answer to `!ecrire`: whom, and where to write."""
    lines = [f"Écrire à {who}", f"Écrivez votre message dans ce salon : {link}"]
    if homonyms:
        lines.insert(1, "⚠️ Votre recherche a trouvé des personnes du même nom : vérifiez que c'est bien celle-ci.")
    return "\n".join(lines)


def subject(chosen: str, writer: str, *, replaces: bool) -> str:
    """The subject of a mail; a new one without any names its writer alone."""
    plain = chosen or f"Message de {writer}"
    return f"{REPLACES} {plain}" if replaces and not plain.startswith((REPLACES, CORRECTS)) else plain


def replaces(left_at: datetime, title: str) -> str:
    """First line of a mail that replaces another (référentiel socle MSSanté #2)."""
    on = left_at.astimezone(PARIS).strftime("%d/%m/%Y à %H:%M")
    return f"Ce message annule et remplace le message du {on} ayant pour objet : {title.removeprefix(REPLACES).strip()}"


def replacing_subject(title: str) -> str:
    """The subject of a mail that replaces the one so titled."""
    return title if title.startswith(REPLACES) else f"{REPLACES} {title}"


def correcting_subject(title: str) -> str:
    """The subject of a mail that corrects one passage of the one so titled."""
    return f"{CORRECTS} {title.removeprefix(REPLACES).removeprefix(CORRECTS).strip()}"


def corrects(left_at: datetime, title: str) -> str:
    """First line of a mail that corrects one passage of another, where the rest of it stands."""
    on = left_at.astimezone(PARIS).strftime("%d/%m/%Y à %H:%M")
    return f"Correction d'un passage du message du {on} ayant pour objet : {title} ; le reste est inchangé."


def receipt_subject(title: str) -> str:
    """Subject of the mail that tells an author that theirs was read."""
    return f"Lu : {title or NO_SUBJECT}"


def receipt(at: datetime) -> str:
    """Its words."""
    on = at.astimezone(PARIS).strftime("%d/%m/%Y à %H:%M")
    return f"Votre message a été affiché à son destinataire le {on}. Cela ne dit pas s'il a été compris, ni traité."


def thread_name(number: int, title: str) -> str:
    """How a thread is named inside encrypted events."""
    return f"fil {number} · {title or NO_SUBJECT}"


def clock_time(at: datetime) -> str:
    """`14:32`, as read in Paris."""
    return at.astimezone(PARIS).strftime("%H:%M")


def option_thread(number: int, title: str, last: datetime) -> str:
    """An option: answer in that thread."""
    return f"{thread_name(number, title)} (dernier message le {last.astimezone(PARIS).strftime('%d/%m à %H:%M')})"


def option_join(to: Sequence[str]) -> str:
    """An option: with the draft that waits already."""
    return f"avec le message qui va partir (à {', '.join(to)})"


OPTION_NEW = "nouveau message"


def option_pair(sender: str, recipient: str) -> str:
    """An option: the two addresses of a new mail."""
    return f"de {sender} à {recipient}"


def asking(options: Sequence[str], *, written: bool) -> str:
    """The question where a draft goes."""
    head = "❓ Rien n'est parti : où va ce message ?" if written else "❓ De quelle adresse à quelle adresse ?"
    lines = [f"{rank}. {label}" for rank, label in enumerate(options, 1)]
    return "\n".join([head, *lines, "Touchez un chiffre sous ce message, ou répondez par ce chiffre. ❌ annule."])


def forwarded(*, author: str, to: Sequence[str], cc: Sequence[str], title: str, at: datetime | None, words: str) -> str:
    """A mail below the one that forwards it."""
    lines = ["---------- Message transféré ----------", f"De : {author}"]
    if at is not None:
        lines.append(f"Date : {at.astimezone(PARIS):%d/%m/%Y à %H:%M}")
    lines.append(f"À : {', '.join(to)}")
    if cc:
        lines.append(f"Copie : {', '.join(cc)}")
    return "\n".join([*lines, f"Objet : {title or NO_SUBJECT}", "", words]).rstrip()


def to_be_written(sender: str, to: Sequence[str], title: str, *, patient: str, forwards: bool) -> str:
    """A new mail without a word yet."""
    return "\n".join(
        [
            "✏️ Nouveau message MSSanté",
            f"De : {sender}",
            f"À : {', '.join(to)}",
            *([patient] if patient else []),
            f"Objet : {title}",
            *([FORWARDS] if forwards else []),
            "Écrivez-le dans ce salon. « !objet » suivi d'un objet le change. ❌ annule.",
        ]
    )


def to_all(to: Sequence[str], left_out: Sequence[str]) -> str:
    """Before an answer to everybody is written."""
    lines = ["👥 Répondre à tous", *(f"• {one}" for one in to)]
    if left_out:
        lines.append(f"Hors MSSanté, laissés de côté : {', '.join(left_out)}")
    return "\n".join([*lines, "Répondez à ce message-ci pour leur écrire à tous. ❌ annule."])


def waiting(
    at: datetime,
    sender: str,
    to: Sequence[str],
    where: str,
    *,
    lines: int,
    files: int,
    patient: str,
    forwards: bool,
) -> str:
    """A draft that is about to leave."""
    return "\n".join(
        [
            f"✉️ Partira à {clock_time(at)}",
            f"De : {sender}",
            f"À : {', '.join(to)}",
            *([patient] if patient else []),
            f"{where} · {_count(lines, files)}",
            *([FORWARDS] if forwards else []),
            "✅ envoie maintenant, ❌ annule.",
        ]
    )


def confirming_all(to: Sequence[str], left_out: Sequence[str]) -> str:
    """An answer to everybody, written."""
    lines = [f"👥 Rien n'est parti : envoyer à {len(to)} destinataires ?", *(f"• {one}" for one in to)]
    if left_out:
        lines.append(f"Hors MSSanté, laissés de côté : {', '.join(left_out)}")
    return "\n".join([*lines, "✅ envoie, ❌ annule."])


def confirming_replacement(to: Sequence[str]) -> str:
    """An edited message that left before."""
    return "\n".join(
        [
            "✏️ L'ancienne version est partie, ou a pu partir. Envoyer celle-ci ?",
            f"À : {', '.join(to)}, avec la mention « {REPLACES} »",
            "✅ envoie, ❌ garde l'ancienne.",
        ]
    )


def confirming_correction(to: Sequence[str], title: str, above: str, words: str) -> str:
    """An edited message of a mail that left with more than that one: what would leave is shown."""
    shown = f"{words[:_SHOWN]} […]" if len(words) > _SHOWN else words
    return "\n".join(
        [
            "✏️ L'ancienne version est partie, ou a pu partir, avec d'autres lignes ou fichiers. Envoyer ce correctif ?",
            f"À : {', '.join(to)}",
            f"Objet : {title}",
            above,
            shown,
            "✅ envoie, ❌ garde l'ancienne.",
        ]
    )


def confirming_rewritten(to: Sequence[str]) -> str:
    """An edited message whose mail had not left, and was taken back."""
    return "\n".join(
        [
            "✏️ L'ancienne version n'est pas partie et ne partira pas. Envoyer celle-ci ?",
            f"À : {', '.join(to)}",
            "✅ envoie, ❌ n'envoie rien.",
        ]
    )


GONE = "✉️ Message confié à l'envoi."
CANCELLED = "✉️ Annulé : rien n'est parti."
MERGED = "✉️ Ajouté au message qui va partir."
STOPPED = "✉️ Rien n'est parti."


def _count(lines: int, files: int) -> str:
    words = "1 message" if lines == 1 else f"{lines} messages"
    if not files:
        return words
    return f"{words}, {files} pièce jointe" if files == 1 else f"{words}, {files} pièces jointes"
