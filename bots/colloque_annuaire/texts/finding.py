"""What @annuaire says of people found. Short lines, for phones.

First lines hold no name and nothing that was typed: lock screens show them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from colloque.attestation import Attestation, Method
from colloque.clock import PARIS
from colloque.directory.lookup import Age, Understood
from colloque.professional import Activity, Mailbox, MailboxKind, Professional
from colloque_annuaire.rules.results import Line, Reach, distinct, places, trade, trades

_MOST = 3
"""Trades, towns or activities shown of one person in a list; `!qui` shows all."""

WHAT_TO_FIND = (
    "Dites qui vous cherchez : un nom, une profession, une ville, dans l'ordre que vous voulez.\n"
    "Par exemple : !chercher cardiologue Nancy"
)
TOO_LONG = "C'est trop long pour une recherche.\nQuelques mots suffisent : un nom, une profession, une ville."
NO_SEARCH = "Il n'y a pas de recherche à poursuivre.\nTapez par exemple : !chercher cardiologue Nancy"
NO_MORE = "Vous avez vu tous les résultats de cette recherche.\nPour une autre : !chercher"
WHO = (
    "Dites de qui il s'agit : le numéro d'un résultat, un compte, une adresse MSSanté ou un numéro RPPS.\n"
    "Par exemple : !qui 3"
)
BAD_NUMBER = (
    "Ce n'est pas un numéro RPPS valable : il compte 11 chiffres, le dernier est une clé.\n"
    "Vérifiez les chiffres, ou cherchez par le nom : !chercher"
)
TOO_FAST = "Beaucoup de recherches en une minute.\nPatientez un instant, puis recommencez."
TOO_MANY = (
    "Vous avez atteint le nombre de recherches permis pour aujourd'hui.\n"
    "Il repart à zéro à minuit. Si c'est trop peu, parlez-en à votre administrateur."
)
BOT = "C'est un automate de Colloque.\nCe n'est pas une personne."
GHOST = (
    "C'est le compte d'un correspondant MSSanté, tenu par l'automate « Ma boîte ».\nCe n'est pas un compte Colloque."
)
PATIENT_ADDRESS = "C'est la forme d'une adresse de patient.\nL'Annuaire Santé ne liste que des professionnels."
NOT_VERIFIED = (
    "⛔ Ce compte n'a pas d'identité vérifiée\n"
    "S'il existe, son titulaire l'obtient en tapant !inscription dans son salon « Colloque »."
)

_REACH = {
    Reach.COLLOQUE: "✅ sur Colloque",
    Reach.MSSANTE: "✉️ par MSSanté",
    Reach.NONE: "⛔ non joignable",
}
_METHODS = {
    Method.MAILBOX_CODE: "par un code envoyé à sa boîte MSSanté personnelle",
    Method.PSC: "par Pro Santé Connect",
    Method.CIBA: "par Pro Santé Connect",
    Method.VOUCHED: "sur la parole de deux confrères",
    Method.SPONSORED: "sur la parole du professionnel dont cette personne dépend",
    Method.BOOTSTRAP: "par l'exploitant du serveur",
}
_KINDS = {
    MailboxKind.PER: "personnelle",
    MailboxKind.ORG: "d'un service",
    MailboxKind.APP: "d'un logiciel",
    MailboxKind.CAB: "d'un cabinet",
}
_MODES = {"L": "libéral", "S": "salarié", "B": "bénévole"}


def page(lines: Sequence[Line], *, shown: int, total: int, understood: Understood, made_at: datetime, age: Age) -> str:
    """A page of results. `shown`: how many of `total` this page and those before it hold."""
    head = (
        "1 personne trouvée dans l'Annuaire Santé"
        if total == 1
        else f"{total} personnes trouvées dans l'Annuaire Santé"
    )
    blocks = ["\n".join([head, *_understood(understood)]), *(_result(line, understood.places) for line in lines)]
    foot = []
    if shown < total:
        foot.append(f"{shown} affichées sur {total}. La suite : !suite")
    first = next((line.n for line in lines if not line.is_asker), None)
    if first is not None:
        foot.append(f"Pour joindre quelqu'un : !contacter {first}")
    return "\n\n".join([*blocks, "\n".join([*foot, *source(made_at, age)])])


def nothing(understood: Understood, without: Sequence[tuple[str, int]], *, made_at: datetime, age: Age) -> str:
    """Nobody fits. `without`: wider searches that find somebody, as words to type and how many they find."""
    lines = ["Personne ne correspond dans l'Annuaire Santé", *_understood(understood)]
    if without:
        lines.append("Essayez plutôt :")
        lines += [
            f"• !chercher {words} ({count} {'personnes' if count > 1 else 'personne'})" for words, count in without
        ]
    lines.append("Vérifiez l'orthographe, ou donnez moins de mots : le nom seul, ou la profession et la ville.")
    return "\n".join([*lines, *source(made_at, age)])


def source(made_at: datetime, age: Age) -> list[str]:
    """Of which moment the directory speaks, and a warning when it is late."""
    lines = [f"Source : Annuaire Santé du {_day(made_at)}."]
    if age is Age.LATE:
        lines.append("⚠️ L'annuaire a du retard : un changement récent peut manquer.")
    elif age is Age.STALE:
        lines.append("⚠️ L'annuaire est trop ancien pour s'y fier : vérifiez avant d'écrire.")
    return lines


def identity(
    *,
    person: Professional | None,
    held: Attestation | None,
    valid: bool,
    made_at: datetime,
    age: Age,
    note: str = "",
    vouchers: Sequence[str] = (),
) -> str:
    """Everything known of one person: what we attested (`held`, still `valid` or not), then the directory.

    `vouchers`: the names of those on whose word the attestation rests.
    """
    lines = [standing(held, valid=valid), *([note] if note else [])]
    name = person.full_name if person is not None else held.name if held is not None else ""
    lines += [name] if name else []
    if person is not None:
        lines.append(f"RPPS {person.rpps}" if person.rpps else "Inscription ADELI, pas encore de numéro RPPS")
    if held is not None:
        lines += proof(held, valid=valid)
        lines += [f"Garants : {' ; '.join(vouchers)}."] if vouchers else []
    blocks = ["\n".join(lines)]
    if person is not None:
        blocks += _whole(person)
    elif held is not None:
        blocks.append("⚠️ L'Annuaire Santé ne liste plus cette personne.")
    return "\n\n".join([*blocks, "\n".join(source(made_at, age))])


def unknown_number(made_at: datetime, age: Age) -> str:
    """A well-formed national number that the directory does not list."""
    lines = "L'Annuaire Santé ne liste pas ce numéro.", "Vérifiez les chiffres, ou cherchez par le nom : !chercher"
    return "\n".join([*lines, *source(made_at, age)])


def unknown_address(*, whitelisted: bool, made_at: datetime, age: Age) -> str:
    """An address that the directory does not list."""
    why = (
        "Son domaine est bien de l'espace de confiance MSSanté, mais l'adresse n'est pas publiée."
        if whitelisted
        else "Son domaine n'est pas non plus de l'espace de confiance MSSanté : n'y envoyez pas de données de santé."
    )
    return "\n".join(["L'Annuaire Santé ne liste pas cette adresse.", why, *source(made_at, age)])


def shared_mailbox(box: Mailbox, *, made_at: datetime, age: Age) -> str:
    """A mailbox that stands for no single person."""
    if box.kind is MailboxKind.PER:
        why = "Adresse listée pour plusieurs personnes : rien ne dit laquelle l'a."
    else:
        why = f"C'est la boîte {_KINDS[box.kind]} : plusieurs personnes peuvent la lire."
    where = [box.structure] if box.structure else []
    return "\n".join(["Cette adresse ne désigne pas une personne précise.", why, *where, *source(made_at, age)])


OWN_ADDRESS = "L'adresse demandée est sa boîte personnelle."


def remote(server: str) -> str:
    """An account of another server."""
    return (
        "Ce compte est sur un autre serveur.\n"
        f"Son titulaire n'est pas admis ici : rien ne dit qui écrit depuis {server}."
    )


def no_result(n: int) -> str:
    """A number that was not given to this account today."""
    return (
        f"Le numéro {n} n'est pas un de vos résultats d'aujourd'hui.\n"
        "Les numéros valent pour vous seul, jusqu'à minuit. Refaites la recherche : !chercher"
    )


def _understood(understood: Understood) -> list[str]:
    parts = [" ".join(understood.names), _some(understood.trades, " / "), _some(understood.places, " / ")]
    lines = [f"Compris : {' · '.join(part for part in parts if part)}"] if any(parts) else []
    if understood.ignored:
        lines.append(f"Laissé de côté : {' '.join(understood.ignored)}")
    return lines


def _result(line: Line, asked: Sequence[str]) -> str:
    lines = [f"{line.n}. {line.person.full_name}"]
    if line.homonyms:
        lines += apart(line.person, asked)
    else:
        lines += [_some(trades(line.person), " / "), _some(places(line.person, asked), " / ")]
    lines.append("👤 c'est vous" if line.is_asker else _REACH[line.reach])
    return "\n".join(part for part in lines if part)


def apart(person: Professional, asked: Sequence[str] = ()) -> list[str]:
    """What tells homonyms apart, one line an activity."""
    found = distinct(person, asked)
    lines = [f"• {' · '.join(part for part in where if part)}" for where in found[:_MOST] if any(where)]
    return [*lines, f"• et {len(found) - _MOST} autres"] if len(found) > _MOST else lines


def _some(parts: Sequence[str], between: str) -> str:
    more = [f"+ {len(parts) - _MOST}"] if len(parts) > _MOST else []
    return between.join([*parts[:_MOST], *more])


def standing(held: Attestation | None, *, valid: bool) -> str:
    """The first line: whether an account is verified."""
    if held is None:
        return "Pas de compte Colloque vérifié"
    return "✅ Identité vérifiée" if valid else "⚠️ L'identité de ce compte n'est plus vérifiée"


def proof(held: Attestation, *, valid: bool) -> list[str]:
    """The account, how it was verified, and until when."""
    until = f"jusqu'au {_day(held.valid_until)}" if valid else f"terminée le {_day(held.valid_until)}"
    return [f"Compte : {held.user}", f"Vérifiée le {_day(held.issued_at)} {_METHODS[held.method]}, {until}."]


def _whole(person: Professional) -> list[str]:
    activities = [f"• {_activity(a)}" for a in person.activities]
    skills = list(dict.fromkeys(f"• {skill.label}" for skill in person.skills))
    boxes = [box_line(box) for box in person.mailboxes]
    return [
        "\n".join(["Activités :", *activities]) if activities else "Aucune activité listée.",
        *(["\n".join(["Savoir-faire :", *skills])] if skills else []),
        "\n".join(["Boîtes MSSanté :", *boxes]) if boxes else "Aucune boîte MSSanté listée.",
    ]


def _activity(activity: Activity) -> str:
    town = f"{activity.postcode} {activity.town}".strip()
    return " · ".join(p for p in (trade(activity), activity.structure, town, _MODES.get(activity.mode_code, "")) if p)


def box_line(box: Mailbox) -> str:
    """A mailbox: its address, what it is, where."""
    where = " · ".join(part for part in (_KINDS[box.kind], box.structure) if part)
    return f"• {box.address} ({where})"


def _day(at: datetime) -> str:
    return f"{at.astimezone(PARIS):%d/%m/%Y}"
