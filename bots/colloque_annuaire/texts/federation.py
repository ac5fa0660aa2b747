"""What @annuaire says of people on other servers."""

from __future__ import annotations

from datetime import timedelta

from colloque_annuaire.rules.federation_outcome import Met
from colloque_annuaire.texts.contact import lives


def told(met: Met, *, other: str, organisation: str, reason: str, link: str, keep: timedelta) -> str:
    """To whoever wanted to reach somebody of another server: what came of it, and the next step.

    `keep`: how long messages live in the conversation that `link` opens.
    """
    why, then = _TOLD[met]
    if link:
        opened = f"{why}\n{_OPENED}".format(other=other, organisation=organisation, link=link)
        return f"{opened}\n{lives(keep)}"
    code = f"({reason or met.value})"
    return "\n".join((why.format(other=other, organisation=organisation), then.format(other=other), code))


def wants(*, name: str, organisation: str) -> str:
    """To somebody to whom a colleague of another server is about to write for the first time."""
    return (
        f"{name} ({organisation}) veut vous écrire : vos deux identités sont vérifiées.\n"
        "L'invitation arrive de l'automate de son serveur ; acceptez-la pour lui répondre."
    )


def came(*, name: str, organisation: str) -> str:
    """To somebody whom a colleague of another server could not reach so far."""
    return (
        f"{name} ({organisation}) a voulu vous inviter. Nos serveurs viennent de vérifier vos deux identités.\n"
        "La prochaine invitation arrivera."
    )


def delisted(server: str, organisation: str, people: int) -> str:
    """To the admin room."""
    return (
        f"Le serveur {server} ({organisation}) n'est plus dans la liste des serveurs reliés. "
        "Il n'y a plus aucun échange avec lui.\n"
        f"Comptes de ce serveur qui étaient admis ici : {people}. Ils quittent les salons."
    )


def list_trouble(code: str, until: str) -> str:
    """To the admin room, while the list can't be renewed."""
    then = f"Celle en vigueur vaut jusqu'au {until}." if until else "Aucune n'est en vigueur : tous sont refusés."
    return f"La liste des serveurs reliés ne peut pas être renouvelée ({code}).\n{then}"


def moved_away(organisation: str) -> str:
    """In the home room of an account that is closed."""
    return (
        f"Votre identité vient d'être vérifiée sur un autre serveur : {organisation}.\n"
        "Votre compte est désormais là-bas. "
        "Ce compte-ci ne donne plus accès à rien. Ce n'était pas vous ? Prévenez votre administrateur sans attendre."
    )


def moved_away_admin(organisation: str) -> str:
    """To the admin room: counts only, the journal names the account."""
    return f"Un compte de ce serveur a été déplacé vers {organisation}, à la demande de ce serveur (voir le journal)."


_OPENED = (
    "Votre conversation avec {other} est ouverte : {link}\nUn salon déjà créé reste entre comptes de votre serveur."
)
_WAIT = "Réessayez dans quelques minutes. Si cela dure, écrivez par MSSanté ou voyez votre administrateur."
_MAIL = "Écrivez-lui par MSSanté, ou voyez votre administrateur."

_TOLD = {
    Met.KNOWN: (
        "✅ {other} est bien connu de son serveur ({organisation}) : vos deux identités sont vérifiées.",
        "Cherchez-le avec !chercher, puis tapez !contacter suivi de son numéro dans la liste.",
    ),
    Met.NOT_LISTED: ("{other} a son compte sur un serveur qui n'est pas relié au vôtre.", _MAIL),
    Met.AWAY: ("Le serveur de {other} ({organisation}) ne répond pas : son identité n'a pas pu être vérifiée.", _WAIT),
    Met.UNVERIFIED: (
        "{other} n'a pas d'identité vérifiée sur son serveur ({organisation}).",
        "Demandez-lui de se faire vérifier là-bas, puis recommencez.",
    ),
    Met.US: (
        "Le serveur de {other} ({organisation}) n'admet pas votre identité.",
        "Voyez votre administrateur, en lui donnant le code ci-dessous.",
    ),
    Met.THEM: (
        "L'identité que le serveur {organisation} donne à {other} ne correspond pas à l'annuaire.",
        _MAIL,
    ),
    Met.OURS: (
        "Votre identité n'est pas vérifiée : personne d'un autre serveur ne peut être joint.",
        "Tapez ici !inscription suivi de votre numéro RPPS : cela prend une minute.",
    ),
    Met.NO_DIRECTORY: ("L'annuaire est trop ancien pour vérifier quelqu'un de nouveau.", _WAIT),
}
