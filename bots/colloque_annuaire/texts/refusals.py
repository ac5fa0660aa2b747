"""Why the homeserver refused what somebody tried, in French: who, why, what to do, and a code that never changes."""

from __future__ import annotations

from collections.abc import Mapping

_ACTS = {
    "invite": "Inviter {other}",
    "create_room": "Créer un salon",
    "join": "Rejoindre ce salon",
    "third_party": "Inviter par adresse ou téléphone",
    "change": "Modifier ce salon",
    "redact": "Supprimer cet élément du salon",
    "alias": "Donner une adresse à ce salon",
    "publish": "Publier ce salon",
    "knock": "Demander à entrer dans ce salon",
}
_REASONS = {
    "actor_unverified": (
        "Votre identité n'est pas encore vérifiée.",
        "Tapez ici !inscription suivi de votre numéro RPPS : cela prend une minute.",
    ),
    "other_unverified": (
        "{other} n'a pas encore d'identité vérifiée.",
        "Demandez-lui de taper !inscription dans son salon « Colloque », puis recommencez.",
    ),
    "actor_staff": (
        "Les comptes d'administration n'échangent pas avec les soignants.",
        "Demandez un compte de soignant si vous en êtes un.",
    ),
    "other_staff": (
        "{other} est un compte d'administration : il ne participe pas aux échanges de soins.",
        "Invitez un confrère dont l'identité est vérifiée.",
    ),
    "actor_frozen": (
        "L'Annuaire Santé ne confirme plus votre inscription : vous gardez vos salons, sans en ouvrir ni y inviter.",
        "Voyez qui tient votre inscription (ordre ou agence régionale de santé), puis votre administrateur.",
    ),
    "other_frozen": (
        "L'inscription de {other} à l'Annuaire Santé n'est plus confirmée.",
        "Invitez un autre confrère, ou écrivez-lui dans un salon que vous partagez déjà.",
    ),
    "actor_profession": (
        "Cette action demande une profession de santé exercée en son nom, tenue au secret de l'équipe de soins.",
        "Si l'Annuaire Santé se trompe, voyez qui tient votre inscription ; sinon, demandez à un confrère.",
    ),
    "other_profession": (
        "La profession de {other} ne permet pas d'entrer dans le salon d'un patient.",
        "Écrivez-lui hors du salon du patient.",
    ),
    "actor_unsponsored": (
        "Le professionnel dont vous dépendez n'est pas dans ce salon de patient.",
        "Demandez-lui d'y entrer d'abord.",
    ),
    "other_unsponsored": (
        "{other} dépend d'un professionnel qui n'est pas dans ce salon de patient.",
        "Invitez d'abord ce professionnel.",
    ),
    "held": (
        "L'effacement de ce salon est suspendu par son équipe : rien n'y est supprimé.",
        "Si le motif a disparu, tapez dans le salon : !patient reprendre-effacement",
    ),
    "not_available": (
        "{other} n'est pas disponible.",
        "Écrivez par MSSanté, ou invitez un autre confrère.",
    ),
    "other_erasure": (
        "L'établissement de {other} ne sait pas encore effacer un salon patient avec reçu.",
        "Écrivez-lui par MSSanté, ou dans une conversation à deux.",
    ),
    "actor_erasure": (
        "Cet établissement ne sait pas encore effacer un salon patient avec reçu.",
        "Ouvrez vous-même le salon patient, ou écrivez par MSSanté.",
    ),
    "internal": (
        "Le contrôle des identités n'a pas pu se faire ; par prudence, rien n'a été accepté.",
        "Réessayez dans un instant. Si cela dure, prévenez votre administrateur.",
    ),
    "room_public": (
        "Les salons publics ou non chiffrés n'existent pas sur Colloque.",
        "Gardez ce salon privé et chiffré.",
    ),
    "room_local": (
        "Ce salon n'est pas de ceux que l'on partage avec un autre serveur.",
        "Écrivez à votre confrère depuis votre salon « Colloque » : tapez !aide.",
    ),
    "not_invited": (
        "On entre dans un salon sur invitation seulement.",
        "Demandez à un de ses membres de vous inviter.",
    ),
    "mark": (
        "Seuls les automates de Colloque disent à quoi sert un salon.",
        "Il n'y a rien à faire.",
    ),
    "name": (
        "Le nom affiché est celui de l'Annuaire Santé, le même dans tous les salons.",
        "S'il est faux, voyez qui tient votre inscription.",
    ),
    "alias": (
        "Les salons n'ont pas d'adresse : elle resterait après leur effacement.",
        "Invitez vos confrères par leur nom.",
    ),
    "third_party": (
        "On n'invite ici que des comptes dont l'identité est vérifiée.",
        "Invitez le compte Matrix de votre confrère.",
    ),
    "remote": (
        "{other} a son compte sur un serveur qui n'est pas relié au vôtre.",
        "Écrivez-lui par MSSanté, ou voyez votre administrateur.",
    ),
    "remote_unknown": (
        "L'identité de {other}, qui a son compte sur un autre serveur, n'est pas encore confirmée ici.",
        "La vérification est en cours : recommencez dans un instant.",
    ),
}

_SUPERVISED = {
    "actor_frozen": (
        "Le professionnel dont vous dépendez n'est plus vérifié : vous gardez vos salons, sans y inviter.",
        "Voyez avec lui : votre accès revient avec le sien.",
    ),
    "other_frozen": (
        "{other} travaille sous la responsabilité d'un professionnel qui n'est plus vérifié.",
        "Invitez un confrère, ou écrivez-lui dans un salon que vous partagez déjà.",
    ),
}
"""Instead of the above, when it is about somebody who works under a professional."""


def refused_act(act: str, reason: str, *, other: str, supervised: bool = False) -> str:
    """Why the server refused what somebody just tried: who, why, what to do.

    `supervised`: the account at fault is of somebody who works under a professional.
    """
    tried = _tried(act, other)
    reasons = _REASONS | _SUPERVISED if supervised else _REASONS
    why, then = reasons.get(reason, ("La règle de l'établissement ne le permet pas.", "Voyez votre administrateur."))
    lines = f"{tried} : refusé.", why.format(other=other or "cette personne"), then.format(other=other), f"({reason})"
    return "\n".join(line[:1].upper() + line[1:] for line in lines)


def refused_again(act: str, reason: str, times: int) -> str:
    """The same, after it was told once and tried again meanwhile."""
    often = "encore une fois" if times == 1 else f"encore {times} fois"
    return f"{_tried(act, '')} : refusé {often} depuis, pour la même raison.\n({reason})"


def refused_other(*, actor: str) -> str:
    """To somebody not verified whom a verified colleague tried to invite."""
    return (
        f"{actor[:1].upper()}{actor[1:]} a voulu vous inviter : refusé, car votre identité n'est pas encore vérifiée.\n"
        "Tapez ici !inscription suivi de votre numéro RPPS, puis demandez une nouvelle invitation.\n"
        "(other_unverified)"
    )


def left_shared(reason: str) -> str:
    """To somebody whom the server took out of a room of another server, because of somebody else in it."""
    return (
        "Vous avez été retiré d'un salon d'un autre serveur.\n"
        "Ce salon n'était pas sûr : il s'ouvrait à d'autres, ou quelqu'un dont l'identité n'est pas vérifiée s'y "
        "trouvait.\n"
        "Proposez à votre confrère une nouvelle conversation depuis votre salon « Colloque ».\n"
        f"({reason})"
    )


def refused_counts(counts: Mapping[str, int]) -> str:
    """For the admin room: how many of what, of nobody."""
    lines = [f"– {reason} : {counts[reason]}" for reason in sorted(counts, key=lambda r: (-counts[r], r))]
    return "\n".join(["Refus du serveur depuis la dernière heure comptée :", *lines])


def _tried(act: str, other: str) -> str:
    return _ACTS.get(act, "Cette action").format(other=other or "cette personne")
