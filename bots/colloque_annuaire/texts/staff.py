"""What @annuaire says in the administrators' room of who administers."""

from __future__ import annotations

from collections.abc import Sequence

from colloque.identity import UserId
from colloque.policy.staff import NoStaff

WHO_TO_ADD = "Dites qui, par prénom et nom.\nPar exemple : !administrateur ajouter zoe.durand"
WHO_TO_REMOVE = "Dites quel compte, @ et serveur compris.\nPar exemple : !administrateur retirer @zoe.durand:serveur"
_NO = {
    NoStaff.NOTHING_ASKED: (
        "Personne n'a demandé cet ajout depuis une heure, ou il est déjà fait.\n"
        "Demandez-le d'abord : !administrateur ajouter prenom.nom ; un autre administrateur confirmera."
    ),
    NoStaff.SAME_PERSON: "Un deuxième administrateur confirme : vous avez fait la demande.\nElle vaut une heure.",
    NoStaff.ALREADY: "Ce nom est déjà celui d'un administrateur.\nPour voir qui administre : !administrateurs",
    NoStaff.NOT_STAFF: (
        "Ce compte n'administre pas : il n'y a rien à retirer.\nPour voir qui administre : !administrateurs"
    ),
    NoStaff.NAMED: (
        "Ce compte administre parce que la configuration le nomme (admin.users).\n"
        "Retirez-le de ce fichier, puis redémarrez les services."
    ),
    NoStaff.LAST: "C'est le dernier administrateur : il en faut toujours un.\nAjoutez-en un autre d'abord.",
}
ACCESS_GIVEN = (
    "⚠️ L'exploitant du serveur vient de donner un nouvel accès à un administrateur (colloque admin access).\n"
    "Si aucun de vous ne l'a demandé, voyez avec lui tout de suite. Le journal dit à qui."
)


def may_not(why: NoStaff) -> str:
    """Why nothing was done."""
    return _NO[why]


def asked(name: str) -> str:
    """To all: a second one must confirm."""
    return (
        "Un deuxième administrateur doit confirmer cet ajout dans l'heure\n"
        f"Il tape ici : !administrateur ajouter {name} oui"
    )


def added(user: UserId, link: str) -> str:
    """The account is made. `link`: empty where no page is configured."""
    how = (
        f"Remettez-lui ce lien en main propre : {link}\nIl sert une seule fois, dans les 24 heures. S'il a déjà servi, "
        "retirez ce compte aussitôt."
        if link
        else f"L'exploitant du serveur lui donne son accès : colloque admin access {user} --out FICHIER"
    )
    return f"Le compte d'administration est prêt\n{user}\n{how}"


def removed(user: UserId) -> str:
    """They administer no more."""
    return f"C'est fait : ce compte n'administre plus\n{user}\nSes sessions se ferment, il sort de ce salon."


def listing(people: Sequence[tuple[UserId, str, bool]]) -> str:
    """Who administers: account, name, whether the configuration names them."""
    lines = [
        f"• {name or user}" + (f" ({user})" if name else "") + (" – nommé dans la configuration" if named else "")
        for user, name, named in people
    ]
    return "\n".join(["Administrent Colloque :", *lines])
