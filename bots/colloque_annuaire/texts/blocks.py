"""What @annuaire says of personal blocks. First lines hold no name."""

from __future__ import annotations

from collections.abc import Sequence

from colloque.identity import UserId
from colloque_annuaire.rules.unnamed import Unnamed
from colloque_annuaire.texts.finding import BAD_NUMBER

PAGE = 100
"""Accounts in one message: with the longest names it stays, encrypted, under the 64 KiB that Matrix lets it have."""

NOBODY = (
    "Vous ne bloquez personne.\nPour bloquer un compte : !bloquer suivi du numéro d'un résultat, du compte ou du RPPS."
)
WHOM_TO_FREE = (
    "Dites quel compte débloquer : le numéro d'un résultat, le compte ou le RPPS.\nPour voir qui est bloqué : !bloquer"
)
NOT_BLOCKED = "Ce compte n'est pas bloqué : il n'y a rien à faire.\nPour voir qui l'est : !bloquer"
MYSELF = "C'est votre propre compte.\nOn ne se bloque pas soi-même."
SPONSOR = (
    "Ce compte est celui du professionnel sous la responsabilité de qui vous travaillez : il ne se bloque pas.\n"
    "En cas de difficulté, voyez votre administrateur."
)
_UNNAMED = {
    Unnamed.NOTHING: "Dites de qui il s'agit : un numéro de résultat, un compte ou un RPPS.\nPar exemple : !bloquer 3",
    Unnamed.BAD_NUMBER: BAD_NUMBER,
    Unnamed.NO_RESULT: ("Ce numéro n'est pas un de vos résultats d'aujourd'hui.\nRefaites la recherche : !chercher."),
    Unnamed.NO_ACCOUNT: (
        "Cette personne n'a pas de compte Colloque : elle ne peut pas vous inviter.\nIl n'y a rien à bloquer."
    ),
    Unnamed.BOT: "Les automates de Colloque ne se bloquent pas.\nIls n'invitent que sur demande d'une personne.",
    Unnamed.ELSEWHERE: (
        "Ce compte n'est ni d'ici ni d'un serveur relié : il ne peut pas vous inviter.\n"
        "Vérifiez-le, @ et serveur compris."
    ),
}


def unnamed(why: Unnamed) -> str:
    """No account is meant that could be blocked."""
    return _UNNAMED[why]


def full(most: int) -> str:
    """The list is as long as it may be."""
    return f"Vous bloquez déjà {most} comptes, le plus qui soit permis.\nDébloquez-en un d'abord : !debloquer @compte"


def blocked(user: UserId, name: str) -> str:
    """After `!bloquer`."""
    return (
        "C'est fait : ce compte ne peut plus vous inviter\n"
        f"{_who(user, name)}\n"
        "Cette personne lit seulement que vous n'êtes pas disponible. Vos conversations en cours restent : "
        "quittez celles dont vous ne voulez plus.\n"
        f"Pour revenir en arrière : !debloquer {user}"
    )


def unblocked(user: UserId, name: str) -> str:
    """After `!debloquer`."""
    return f"C'est fait : ce compte peut de nouveau vous inviter\n{_who(user, name)}"


def listing(people: Sequence[tuple[UserId, str]]) -> list[str]:
    """`!bloquer` alone: one message or more."""
    one = len(people) == 1
    head = "Un compte ne peut pas vous inviter :" if one else f"{len(people)} comptes ne peuvent pas vous inviter :"
    lines = [f"• {_who(user, name)}" for user, name in people]
    said = [[head if n == 0 else "Suite de la liste :", *lines[n : n + PAGE]] for n in range(0, len(lines), PAGE)]
    said[-1].append(f"Pour débloquer : !debloquer {people[0][0]}")
    return ["\n".join(each) for each in said]


def _who(user: UserId, name: str) -> str:
    return f"{name} ({user})" if name else user
