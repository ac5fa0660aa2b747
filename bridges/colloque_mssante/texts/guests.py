"""What people read where both ends of mail share a room, in French. First lines are neutral: lock screens show them."""

from __future__ import annotations

from datetime import timedelta

BY_MAIL = "✉️"

BRING_WHERE = "Cette commande s'utilise dans le salon de votre propre correspondant, ouvert par votre boîte MSSanté."
BRING_TEAM = "Ce salon est celui d'une boîte partagée : un correspondant ne peut pas y entrer."
BRING_NOBODY = (
    "Votre correspondant n'a pas de compte vérifié connu ici : ce que vous écrivez lui parvient par MSSanté, comme "
    "avant. S'il en a un dans un autre établissement, « !contacter » (dans votre salon « Colloque ») le fait connaître."
)
BRING_DRAFT = (
    "Ce correspondant est sur un autre serveur : la conversation doit continuer dans un nouveau salon. Envoyez ou "
    "annulez d'abord le message en préparation ici."
)
BRING_LATER = "L'annuaire ne répond pas pour l'instant. Réessayez dans une minute."
BRING_REFUSED = "Ce compte ne peut pas être invité pour l'instant : continuez par MSSanté."
BRING_ALREADY = "Votre correspondant est déjà dans ce salon."
BRING_AGAIN = "L'invitation est déjà partie : votre correspondant doit l'accepter."
BRING_ELSEWHERE = "Votre correspondant vous a déjà ouvert un salon : acceptez son invitation, ou continuez là-bas."
END_NOBODY = "Votre correspondant n'est pas dans ce salon."

BY_MAIL_WHAT = (
    "Rien n'est parti par MSSanté.\n"
    "Répondez « !envoyer-par-mail » à un de vos messages de ces sept derniers jours, ou touchez ✉️ sous lui."
)
BY_MAIL_NOT_YOURS = "Rien n'est parti par MSSanté : ce message n'est pas le vôtre."
BY_MAIL_ALREADY = "Ce message part déjà par MSSanté, ou vous y avez renoncé : écrivez-le de nouveau au besoin."
BY_MAIL_ALONE = (
    "Votre correspondant n'est pas dans ce salon : tout ce que vous y écrivez part par MSSanté. "
    "« !inviter » l'y fait venir."
)
AFTER_HOW = (
    "Dites après combien de temps, d'une minute à sept jours, par exemple : « !envoyer-par-mail 2h ». "
    "Pour ne plus le faire : « !envoyer-par-mail jamais »."
)
AFTER_NO_MAILBOX = "Aucune de vos boîtes MSSanté n'est reliée ici : vos messages à vous ne peuvent pas partir ainsi."
AFTER_NEVER = "Noté : rien ne part plus par MSSanté sans que vous le demandiez."


def room_name(one: str, other: str) -> str:
    """A room that both share, named alike for both."""
    return f"{one} · {other}"


def hint(name: str) -> str:
    """Once in a conversation whose correspondent has an account."""
    return (
        f"💬 {name} a un compte vérifié ici\n"
        "« !inviter » lui ouvre ce salon : ce que vous y écrirez lui parviendra aussitôt, sans passer par sa boîte."
    )


def invited(name: str) -> str:
    """To whoever brings somebody in."""
    return (
        f"{name} est invité dans ce salon\n"
        "Jusqu'à son arrivée, ce que vous écrivez ici part par MSSanté, comme avant. Il ne verra pas ce qui précède."
    )


def invited_elsewhere(name: str, link: str) -> str:
    """To whoever brings somebody in whose account is on another server."""
    return (
        f"{name} est invité ; son compte est dans un autre établissement\n"
        f"La conversation continue dans ce nouveau salon : {link}\n"
        "Jusqu'à son arrivée, ce que vous y écrivez part par MSSanté, comme avant. Il ne verra pas ce qui précède."
    )


def succeeded(link: str) -> str:
    """The last message of a room whose conversation goes on elsewhere."""
    return (
        f"➡️ Cette conversation continue ici : {link}\n"
        "Ce salon reste lisible ; on n'y écrit plus. Les prochains mails arriveront dans le nouveau."
    )


def proposal(name: str, room: str) -> str:
    """To whoever is brought in, in their home room."""
    return (
        f"💬 {name} vous propose d'échanger directement\n"
        f"Acceptez l'invitation au salon « {room} » : ce que vous vous y écrirez arrivera aussitôt, et ses mails y "
        "seront montrés aussi. Sans réponse de votre part, rien ne change."
    )


def joined(name: str) -> str:
    """In the room, when the guest came."""
    return (
        f"🤝 {name} est dans ce salon\n"
        "Ce que vous écrivez ici arrive aussitôt à l'autre, et ne part plus par MSSanté. Pour qu'un message y parte "
        "aussi : touchez ✉️ sous lui, ou répondez-lui « !envoyer-par-mail ». Pour ce qui reste non lu : "
        "« !envoyer-par-mail 2h », que l'autre doit écrire aussi."
    )


def left(name: str, unread: int) -> str:
    """In the room, when the guest is no longer there; `unread`: messages that they may not have read."""
    words = f"⚠️ {name} n'est plus dans ce salon\nCe que vous écrivez ici part de nouveau par MSSanté."
    if not unread:
        return words
    count = "votre dernier message" if unread == 1 else f"vos {unread} derniers messages"
    return f"{words}\nIl n'a peut-être pas lu {count} : touchez ✉️ sous ce qui doit partir par MSSanté."


def declined(name: str) -> str:
    """In the room, when the guest does not come."""
    return f"{name} ne vient pas dans ce salon\nCe que vous écrivez ici part par MSSanté, comme avant."


def moved(name: str, link: str) -> str:
    """In the guest's own room with the same correspondent."""
    return f"➡️ La suite de vos échanges avec {name} est ici : {link}"


def after(own: timedelta, agreed: timedelta) -> str:
    """To the room: one chose how long something may stay unread; `agreed` is zero while the other did not."""
    if agreed:
        return (
            f"Convenu : ce qui reste non lu pendant {_span(agreed)} part aussi par MSSanté "
            "(le plus long des deux délais choisis)."
        )
    return (
        f"Noté : {_span(own)}. Rien ne part ainsi tant que l'autre n'a pas écrit aussi, par exemple, "
        f"« !envoyer-par-mail {_short(own)} »."
    )


def _span(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    if minutes % 1440 == 0:
        return "1 jour" if minutes == 1440 else f"{minutes // 1440} jours"
    if minutes % 60 == 0:
        return "1 heure" if minutes == 60 else f"{minutes // 60} heures"
    return f"{minutes} min"


def _short(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}min"
