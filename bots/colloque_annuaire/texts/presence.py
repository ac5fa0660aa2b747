"""What @annuaire says of who is still listed, of the directory's age and of imports. In French."""

from __future__ import annotations

from datetime import datetime, timedelta

from colloque.clock import PARIS
from colloque.directory.lookup import Age
from colloque.policy.presence import Grace, Turn


def day(at: datetime) -> str:
    """A date as people read it."""
    return f"{at.astimezone(PARIS):%d/%m/%Y}"


def moment(at: datetime) -> str:
    """A date and time."""
    return f"{at.astimezone(PARIS):%d/%m/%Y %H:%M}"


def _days(count: int) -> str:
    return f"{count} jour{'s' if count > 1 else ''}"


# to the person


def presence(turn: Turn, since: datetime | None, grace: Grace) -> str:
    """To somebody whose place in the directory changed: what, why, what to do, until when."""
    match turn:
        case Turn.MISSING if since is not None:
            return (
                f"⚠️ L'Annuaire Santé du {day(since)} ne vous mentionne plus.\n"
                "Pour l'instant rien ne change : vous gardez tous vos accès, au moins jusqu'au "
                f"{day(since + timedelta(days=grace.freeze_days))}.\n"
                "Si c'est une erreur, voyez qui tient votre inscription (votre Ordre, ou l'ARS) et prévenez votre "
                "administrateur. Dès que l'annuaire vous mentionne à nouveau, tout rentre dans l'ordre sans "
                "démarche de votre part."
            )
        case Turn.FROZEN if since is not None:
            return (
                "⚠️ Vous ne pouvez plus rien commencer sur Colloque pour l'instant.\n"
                f"Depuis le {day(since)}, l'Annuaire Santé ne vous mentionne plus : vous gardez vos salons et vous y "
                "écrivez, sans pouvoir en ouvrir, inviter, ni être invité. Sans changement, votre accès prend fin, au "
                f"plus tôt le {day(since + timedelta(days=grace.end_days))}.\n"
                "Voyez qui tient votre inscription (votre Ordre, ou l'ARS) et prévenez votre administrateur."
            )
        case Turn.BACK:
            return (
                "✅ L'Annuaire Santé vous mentionne à nouveau : votre identité reste vérifiée.\n"
                "Il n'y a rien à faire, et rien n'a été perdu."
            )
        case Turn.GONE:
            return (
                "Votre identité n'est plus vérifiée.\n"
                f"Depuis {_days(grace.end_days)} d'extractions à jour, l'Annuaire Santé ne vous mentionne plus. "
                "Vous êtes sorti des salons patients, et vous ne pouvez plus inviter ni rejoindre de salon.\n"
                "Si c'est une erreur, voyez qui tient votre inscription (votre Ordre, ou l'ARS) et prévenez votre "
                "administrateur. Quand l'annuaire vous mentionnera à nouveau, vous serez prévenu ici : il suffira de "
                "taper !inscription suivi de votre numéro RPPS."
            )
        case Turn.RETURNED:
            return (
                "L'Annuaire Santé vous mentionne à nouveau.\n"
                "Votre vérification avait pris fin entre-temps. Pour retrouver vos accès, tapez ici !inscription suivi "
                "de votre numéro RPPS : cela prend une minute."
            )
        case _:
            raise ValueError(turn)


def stale(made_at: datetime) -> str:
    """Why nobody new is admitted today."""
    return (
        f"L'inscription est suspendue : l'annuaire dont nous disposons date du {day(made_at)}, c'est trop ancien pour "
        "vérifier une identité.\n"
        "Réessayez dans un jour ou deux ; l'administrateur est prévenu. Les personnes déjà vérifiées ne sont pas "
        "concernées."
    )


# to the admin room

LISTED_AGAIN = (
    "L'Annuaire Santé mentionne à nouveau un professionnel dont l'accès a été retiré parce qu'il n'exerçait plus. "
    "L'accès ne revient pas de lui-même : !retablir @compte. Le journal dit lequel."
)


def state(made_at: datetime, age: Age, *, whitelist_until: datetime | None, missing: int, held: bool) -> str:
    """What `!etat` adds about the directory's age and about people who are missing."""
    lines = []
    if age is not Age.FRESH:
        lines.append(f"⚠️ L'annuaire {_AGES[age]} : il date du {moment(made_at)}.")
    if held:
        lines.append("⚠️ Vérification suspendue : voyez !annuaire confirmer.")
    lines.append(f"En délai parce qu'absents de l'annuaire : {missing}.")
    until = f"valable jusqu'au {moment(whitelist_until)}" if whitelist_until else "jamais importée"
    lines.append(f"Liste blanche MSSanté : {until}.")
    return "\n".join(lines)


_AGES = {Age.LATE: "est en retard", Age.STALE: "est périmé"}

NO_DIRECTORY = (
    "⚠️ L'annuaire n'est pas chargé : personne ne peut être vérifié. Importez l'extraction (colloque annuaire import)."
)
UNREADABLE = (
    "⚠️ L'annuaire en service ne se lit plus : personne ne peut être vérifié. "
    "Importez à nouveau l'extraction (colloque annuaire import --force)."
)


def late(made_at: datetime) -> str:
    """No extraction for longer than usual."""
    return (
        f"⚠️ L'annuaire est en retard : le dernier date du {moment(made_at)}. Rien d'autre ne change pour l'instant.\n"
        "Vérifiez que le téléchargement quotidien fonctionne, et l'état du service de l'ANS."
    )


def too_old(made_at: datetime) -> str:
    """Stale: what no longer happens."""
    return (
        f"⚠️ L'annuaire est périmé : le dernier date du {moment(made_at)}.\n"
        "Les nouvelles inscriptions sont suspendues. Les personnes déjà vérifiées continuent, et aucun délai "
        "d'absence ne court. Importez une extraction récente (colloque annuaire import)."
    )


def whitelist_ending(until: datetime) -> str:
    """The white-list ends soon."""
    return (
        f"⚠️ La liste blanche MSSanté n'est valable que jusqu'au {moment(until)}. "
        "Importez la nouvelle (colloque annuaire import), sinon les envois MSSanté s'arrêteront."
    )


WHITELIST_OVER = (
    "⚠️ Il n'y a pas de liste blanche MSSanté valable : aucun domaine n'est reconnu, "
    "les échanges MSSanté sont arrêtés.\n"
    "Importez la liste blanche (colloque annuaire import)."
)


def verified(made_at: datetime, *, missing: int, gone: int, waiting: int, inactive: int) -> str:
    """After a new directory: how many people it lacks."""
    lines = [f"Annuaire du {moment(made_at)}, identités vérifiées à nouveau :"]
    if missing:
        lines.append(f"– absentes de cet annuaire (leur délai commence) : {missing}")
    if gone:
        lines.append(f"– délai écoulé, vérification terminée : {gone}")
    lines.append(f"– en délai au total : {waiting}")
    if inactive:
        lines.append(f"– déclarées inactives par l'ANS à deux reprises, à examiner : {inactive}")
    return "\n".join(lines)


def held(made_at: datetime, *, missing: int, attested: int) -> str:
    """A directory that lacks too many: nothing is done before somebody looked."""
    return (
        f"⚠️ L'annuaire du {moment(made_at)} ne mentionne plus {missing} des {attested} personnes vérifiées ici.\n"
        "C'est trop pour être normal : personne n'est touché tant que vous n'avez pas vérifié ce fichier.\n"
        "S'il est bon, tapez : !annuaire confirmer. S'il est mauvais, importez-en un autre."
    )


CONFIRMED = "C'est noté : la vérification reprend avec cet annuaire."
NOTHING_HELD = "Aucun annuaire n'attend de confirmation."


def import_refused(reason: str) -> str:
    """An import failed; the old directory stays."""
    why = _REASONS.get(reason, _REASONS.get(reason.partition(".")[0], "le fichier n'a pas été accepté"))
    return (
        f"⚠️ Import de l'annuaire refusé : {why} ({reason}).\n"
        "L'annuaire en service n'a pas changé. Le détail est dans la réponse de colloque annuaire import."
    )


_REASONS = {
    "file.older": "un des fichiers est plus ancien que ce qui est déjà chargé",
    "file.future": "un des fichiers est daté du futur",
    "file.twice": "deux fichiers du même type",
    "file.none": "rien à importer dans ce qui est donné",
    "file.missing": "il manque un des deux fichiers du premier import",
    "people.fall": "trop peu de professionnels par rapport à l'annuaire en service",
    "mailboxes.fall": "trop peu de boîtes MSSanté par rapport à l'annuaire en service",
    "whitelist": "la liste blanche n'est pas acceptable",
    "zip": "un des fichiers zip est abîmé ou démesuré",
    "path": "un des fichiers est introuvable",
    "import.failed": "l'import s'est interrompu",
    "temporary": "un autre import est en cours",
}
