"""What people read from the bridge, in French. First lines are neutral: lock screens show them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from colloque.clock import PARIS
from colloque.mail.message import WHOLE_MAIL, Meeting
from colloque_mssante.texts.refusals import reason

MAIL_TITLE = "✉️ Nouveau message MSSanté"
FILE_TITLE = "📎 Pièce jointe MSSanté"
NO_SUBJECT = "(sans objet)"
FILE_ONLY = "Document joint."
SERVICE_LABEL = "Colloque"
NO_TEXT = "(message sans texte)"
CUT = "\n\n[…] La suite est dans la pièce jointe « message.txt »."
FROM_UNVERIFIED = "⚠️ Expéditeur absent de l'Annuaire Santé"
FROM_PATIENT = "🧑 Message d'un patient"

GHOST_UNVERIFIED = "Expéditeur non vérifié"
GHOST_PATIENT = "Patient · MSSanté"
GHOST_OPERATOR = "Opérateur MSSanté"
GHOST_SUFFIX = " · MSSanté"

SENT = "📤 envoyé"
DELIVERED = "✅ remis"
READ = "👁️ lu"
READ_THERE = "👁️ lu ailleurs"
ANSWERED_THERE = "↩️ répondu ailleurs"
DEFERRED = "⏳ en attente"

NOT_ITS_MAIL = (
    "Rien n'est parti.\n"
    "Votre réponse ne porte pas sur un message reçu par MSSanté. Répondez au message de votre correspondant."
)
NOT_OWNER = "Rien n'est parti.\nSeul le titulaire de la boîte peut répondre ici."
NOT_ATTESTED = (
    "Rien n'est parti.\nVotre identité n'est plus vérifiée. Écrivez « !inscription » dans votre salon « Colloque »."
)
UNSIGNED_DEVICE = (
    "Rien n'est parti : cet appareil n'est pas encore validé.\n"
    "Validez-le depuis un appareil déjà connecté ou avec votre clé de récupération : "
    "Paramètres, puis « Vérifier cet appareil ». Renvoyez ensuite votre message."
)
UNREADABLE = (
    "Rien n'est parti : votre message n'a pas pu être déchiffré.\n"
    "Écrivez-le de nouveau. Si cela se répète, fermez puis rouvrez l'application."
)
FAILED = "Rien n'est parti : une erreur est survenue. Réessayez ; si cela se répète, prévenez votre administrateur."
PUT_OFF = (
    "⏳ Pas encore parti : un service dont l'envoi a besoin ne répond pas. Il partira dès que possible, dans "
    "la journée ; « ❌ » ou supprimer votre message l'annule."
)
CLEARTEXT = "Rien n'est parti : votre message n'était pas chiffré. Écrivez-le de nouveau."
NOT_SENDABLE = (
    "Rien n'est parti : ce type de message ne s'envoie pas par MSSanté. Écrivez un texte ou joignez un fichier."
)
FILE_IN_CLEAR = "Rien n'est parti : ce fichier n'était pas chiffré. Joignez-le de nouveau."
FILE_GONE = "Rien n'est parti : ce fichier n'a pas pu être lu. Joignez-le de nouveau."
EMPTY = "Rien n'est parti : votre message est vide."
NO_MAILBOX = "Rien n'est parti : la boîte MSSanté qui a reçu ce message n'est plus reliée."
NO_AUTHOR = "Rien n'est parti : ce message n'a pas d'adresse d'expéditeur valable."
NOT_LISTED = (
    "Rien n'est parti : l'adresse de votre correspondant n'est pas dans l'espace de confiance MSSanté.\n"
    "Choisissez une autre adresse dans l'Annuaire Santé."
)

RESEND_WHAT = "Répondez « !renvoyer » au message concerné."
RESEND_DONE = "Nouvel envoi demandé."
NO_SENDS = "Aucun envoi pour l'instant."
BOX_OFF = (
    "Ce message n'est pas parti : vous avez déconnecté cette boîte MSSanté. « !boite connecter » la relie de nouveau, "
    "puis renvoyez-le."
)
NO_BOX = (
    "Aucune boîte MSSanté n'est relevée pour vous.\n"
    "L'Annuaire Santé ne vous connaît pas de boîte personnelle, ou elle n'est pas reliée à ce service."
)

_STATES = {
    "queued": "en attente d'envoi",
    "data": "en cours d'envoi",
    "sent": "envoyé",
    "delivered": "remis",
    "read": "lu par votre correspondant",
    "deferred": "en attente : la boîte est fermée, ou l'opérateur demande de patienter",
    "refused": "refusé par l'opérateur",
    "failed": "non remis",
    "doubtful": "incertain",
    "withdrawn": "annulé avant de partir",
}


def not_resendable(state: str, status: str) -> str:
    """Answer to `!renvoyer` where sending again would be wrong."""
    return f"Rien à renvoyer : ce message est {state_word(state, status)}."


def state_word(state: str, status: str) -> str:
    """A send's state, in a word or two; its writer may have taken it back."""
    return _STATES.get("withdrawn" if status == "withdrawn" else state, state)


def too_big(limit: int) -> str:
    """`limit` in bytes, of the encoded mail."""
    return (
        f"Rien n'est parti : le message dépasse la limite de l'opérateur ({limit // 1_000_000} Mo, "
        "soit un fichier d'environ trois quarts de cette taille)."
    )


def refused(status: str) -> str:
    """`status` is an enhanced status code (RFC 3463) or an SMTP reply code."""
    return f"❌ Non envoyé : {reason(status)}.\nVotre correspondant n'a rien reçu."


def failed(status: str) -> str:
    """A delivery report says that it failed."""
    return f"❌ Non remis : {reason(status)}.\nVotre correspondant n'a rien reçu."


def login_refused() -> str:
    """The writer's own credentials were refused at sending."""
    return (
        "❌ Non envoyé : l'opérateur refuse l'accès à votre boîte MSSanté.\n"
        "Votre correspondant n'a rien reçu. Contactez votre administrateur, puis répondez « !renvoyer » à ce message."
    )


def doubtful() -> str:
    """The answer to DATA was lost and no report settled it."""
    return (
        "❔ Envoi incertain : la connexion a été coupée au moment de l'envoi.\n"
        "Votre correspondant a peut-être reçu votre message. Rien n'est renvoyé automatiquement : "
        "pour renvoyer, répondez « !renvoyer » à ce message."
    )


def mail_head(
    *,
    author: str,
    warning: str,
    thread: int,
    to: Sequence[str],
    cc: Sequence[str],
    answers_to: str,
    ignored: Sequence[str],
    subject: str,
    sent_at: datetime | None,
    notes: Sequence[str] = (),
) -> str:
    """Everything above a mail's text. Its first line names the thread by its number and says nothing of anybody.

    `warning`: what its sender is, where that is no listed colleague; `answers_to`: where answers go when its sender
    asked for another address; `ignored`: addresses asked for in vain.
    `notes`: what is to be known of this mail, each a line.
    """
    lines = [f"{MAIL_TITLE} · fil {thread}"]
    if warning:
        lines.append(warning)
    lines.append(f"De : {author}")
    lines.append(f"À : {', '.join(to) or '(non précisé)'}")
    if cc:
        lines.append(f"Copie : {', '.join(cc)}")
    if answers_to:
        lines.append(f"Les réponses iront à : {answers_to} (demandé par l'expéditeur)")
    if ignored:
        lines.append(f"⚠️ Adresse de réponse non suivie : {', '.join(ignored)}")
    if sent_at is not None:
        lines.append(f"Date : {moment(sent_at)}")
    lines.append(f"Objet : {subject or NO_SUBJECT}")
    return "\n".join([*lines, *notes])


def patient_room(number: int) -> str:
    """The name of a room in which a patient reads: no name of theirs."""
    return f"Patient {number} · lu par le patient"


AUTOMATIC_REPLY = "🤖 Réponse automatique"
AUTOMATIC = "🤖 Message automatique"
ENCRYPTED = (
    "🔒 Ce message est chiffré (S/MIME) : il ne peut pas être lu ici. Ouvrez-le dans votre messagerie habituelle, "
    "ou avec le fichier joint « .p7m »."
)
ENCRYPTED_PGP = (
    "🔒 Ce message est chiffré (PGP) : il ne peut pas être lu ici. Ouvrez-le dans votre messagerie habituelle."
)

MANY_FILES = (
    f"📎 Ce message a trop de fichiers pour les montrer tous : il est joint en entier, « {WHOLE_MAIL} », à ouvrir avec "
    "une messagerie."
)

_MEETINGS = {
    "request": "Invitation",
    "cancel": "Rendez-vous annulé",
    "reply": "Réponse à une invitation",
    "counter": "Autre horaire proposé",
    "publish": "Rendez-vous",
}


def meeting(told: Meeting) -> str:
    """One line of a calendar's meeting: 📅 Invitation : 02/03/2026 de 09:00 à 10:00 · titre · lieu : lieu."""
    parts = [_when(told.start, told.end) + (" (répété)" if told.repeated else "")]
    parts += [told.title] if told.title else []
    parts += [f"lieu : {told.place}"] if told.place else []
    return f"📅 {_MEETINGS[told.method]} : {' · '.join(parts)}"


def _when(start: date, end: date | None) -> str:
    """Days, or moments in Paris."""
    if not isinstance(start, datetime):
        day = f"{start:%d/%m/%Y}"
        return f"du {day} au {end:%d/%m/%Y}" if end is not None and end != start else f"{day}, toute la journée"
    if not isinstance(end, datetime) or end == start:
        return moment(start)
    if end.astimezone(PARIS).date() != start.astimezone(PARIS).date():
        return f"du {moment(start)} au {moment(end)}"
    return f"{start.astimezone(PARIS):%d/%m/%Y de %H:%M} à {end.astimezone(PARIS):%H:%M}"


def moment(at: datetime) -> str:
    """A date and time as read in Paris: 23/11/2026 à 14:32."""
    return at.astimezone(PARIS).strftime("%d/%m/%Y à %H:%M")


def sends(lines: Sequence[tuple[datetime, str, str]]) -> str:
    """Answer to `!envois`: `(moment, recipient, state's word)` a send."""
    return "\n".join(["Vos derniers envois", *(f"• {moment(at)}, à {to} : {word}" for at, to, word in lines)])


def box_refused(address: str) -> str:
    """Told once in the owner's home room."""
    return (
        "Votre boîte MSSanté n'est plus relevée.\n"
        f"L'opérateur refuse l'accès à {address}. Vos messages restent dans la boîte : rien n'est perdu. "
        "Contactez votre administrateur."
    )


def box_unshown(address: str) -> str:
    """Told while mails that came are not shown."""
    return (
        f"Depuis plus d'une heure, des messages MSSanté arrivés dans votre boîte {address} ne s'affichent pas ici.\n"
        "Lisez-les avec votre messagerie habituelle : ils s'afficheront ici dès que possible. "
        "L'administrateur est prévenu."
    )


def mail_given_up(address: str) -> str:
    """Told once a mail that can't be shown."""
    return (
        "Un message MSSanté n'a pas pu être affiché ici.\n"
        f"Il est resté dans votre boîte {address} : lisez-le avec votre messagerie habituelle. "
        "L'administrateur est prévenu."
    )


def admin_state(
    *, boxes_ok: int, boxes_waiting: int, boxes_stopped: int, queue: int, doubtful: int, problems: Sequence[str]
) -> str:
    """Answer to `!etat` in the admin room."""
    return "\n".join(
        [
            "Ma boîte (automate)",
            f"• Boîtes relevées : {boxes_ok} ; injoignables : {boxes_waiting} ; arrêtées : {boxes_stopped}",
            f"• Envois en attente : {queue} ; incertains : {doubtful}",
            f"• Problèmes en cours : {' ; '.join(dict.fromkeys(problems)) or 'aucun'}",
        ]
    )


def incident(key: str) -> str:
    """An incident in a few words, for `!etat`."""
    words = {
        "mssante.tls": "certificat de l'opérateur non reconnu",
        "mssante.sender": "boîte d'envoi du service refusée",
        "mssante.login": "boîte refusée par l'opérateur",
        "mssante.infected": "pièce jointe infectée retenue",
        "mssante.keeper": "sessions Pro Santé Connect indisponibles",
        "mssante.threads": "fil de mails dont l'effacement n'aboutit pas",
        "mssante.antivirus": "signatures de l'antivirus trop anciennes",
    }
    return next((found for start, found in words.items() if key.startswith(start)), key)


INCIDENT_LOGIN = "Une boîte MSSanté est arrêtée : l'opérateur refuse l'accès. Vérifiez ses identifiants."
INCIDENT_TLS = "L'opérateur MSSanté présente un certificat qui n'est pas reconnu : plus rien n'est relevé ni envoyé."
INCIDENT_GIVEN_UP = (
    "Un message MSSanté n'a pas pu être remis dans Matrix après plusieurs essais. Son titulaire est prévenu."
)
INCIDENT_UNSHOWN = "Des messages MSSanté reçus ne s'affichent pas dans Matrix, ou pas à temps."
INCIDENT_SENDER = "Le service ne peut pas envoyer de codes : l'opérateur refuse la boîte d'envoi."
