"""The columns of ANS's public extractions, and how to find them in a file whose header drifted.

Columns are found by normalised name, never by position. Sources: the extractions of 2026 (section 1a of the project's
facts): 56 columns for people, of which older files lack the last four; 31 for mailboxes. Older headers say `fonction`
for `rôle`, `genre d'activité` for `genre activité`, and `Code département (coord. structure)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from colloque.directory.folding import fold
from colloque.errors import BadInput


class ImportRefused(BadInput):
    """An import was refused; what was loaded before stays. `reason` is a stable code, e.g. `columns.missing`."""

    code = "directory.import_refused"

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Kind(StrEnum):
    """What a file of the Annuaire Santé holds."""

    PEOPLE = "people"
    """PS_LibreAcces_Personne_activite: one row an activity."""
    MAILBOXES = "mailboxes"
    """Extraction_Correspondance_MSSante: one row a mailbox."""
    WHITELIST = "whitelist"
    """The white-list of MSSanté domains (XML)."""
    SKILLS = "skills"
    """PS_LibreAcces_SavoirFaire."""
    DIPLOMAS = "diplomas"
    """PS_LibreAcces_Dipl_AutExerc."""
    CARDS = "cards"
    """porteurs-cps-cpf: cards and their opposition."""
    MOVES = "moves"
    """Correspondance_ADELI_RPPS: ADELI numbers that became RPPS numbers."""


_PERSON = ("Type d'identifiant PP", "Identifiant PP", "Identification nationale PP")
_NAME = ("Nom d'exercice", "Prénom d'exercice")
_TRADE = (
    *("Code profession", "Libellé profession", "Code catégorie professionnelle", "Libellé catégorie professionnelle"),
    *("Code type savoir-faire", "Libellé type savoir-faire", "Code savoir-faire", "Libellé savoir-faire"),
)

HEADERS: dict[Kind, tuple[str, ...]] = {
    Kind.PEOPLE: (
        *_PERSON,
        *("Code civilité d'exercice", "Libellé civilité d'exercice", "Code civilité", "Libellé civilité"),
        *_NAME,
        *_TRADE,
        *("Code mode exercice", "Libellé mode exercice", "Numéro SIRET site", "Numéro SIREN site"),
        *("Numéro FINESS site", "Numéro FINESS établissement juridique", "Identifiant technique de la structure"),
        *("Raison sociale site", "Enseigne commerciale site", "Complément destinataire (coord. structure)"),
        *("Complément point géographique (coord. structure)", "Numéro Voie (coord. structure)"),
        *("Indice répétition voie (coord. structure)", "Code type de voie (coord. structure)"),
        *("Libellé type de voie (coord. structure)", "Libellé Voie (coord. structure)"),
        *("Mention distribution (coord. structure)", "Bureau cedex (coord. structure)"),
        *("Code postal (coord. structure)", "Code commune (coord. structure)", "Libellé commune (coord. structure)"),
        *("Code pays (coord. structure)", "Libellé pays (coord. structure)", "Téléphone (coord. structure)"),
        *("Téléphone 2 (coord. structure)", "Télécopie (coord. structure)", "Adresse e-mail (coord. structure)"),
        *("Code Département (structure)", "Libellé Département (structure)", "Ancien identifiant de la structure"),
        *("Autorité d'enregistrement", "Code secteur d'activité", "Libellé secteur d'activité"),
        *("Code section tableau pharmaciens", "Libellé section tableau pharmaciens"),
        *("Code rôle", "Libellé rôle", "Code genre activité", "Libellé genre activité"),
    ),
    Kind.MAILBOXES: (
        *("Type de BAL", "Adresse BAL", "Type Identifiant PP", "Identifiant PP", "Identification nationale PP"),
        *("Type identifiant structure", "Identification Structure", "Service de rattachement", "Civilité d'exercice"),
        *("Nom d'exercice", "Prénom d'exercice", "Catégorie profession", "Libellé de catégorie profession"),
        *("Code Profession", "Libellé Profession", "Code savoir-faire", "Libellé savoir-faire", "Dématérialisation"),
        *("Raison Sociale structure BAL", "Enseigne commerciale structure BAL"),
        *("L2COMPLEMENTLOCALISATION structure BAL", "L3COMPLEMENTDISTRIBUTION structure BAL"),
        *("L4NUMEROVOIE structure BAL", "L4COMPLEMENTNUMEROVOIE structure BAL", "NL4TYPEVOIE structure BAL"),
        *("L4LIBELLEVOIE structure BAL", "L5LIEUDITMENTION structure BAL", "L6LIGNEACHEMINEMENT structure BAL"),
        *("Code postal structure BAL", "Département structure BAL", "Pays structure BAL"),
    ),
    Kind.DIPLOMAS: (
        *_PERSON,
        *_NAME,
        *("Code type diplôme obtenu", "Libellé type diplôme obtenu", "Code diplôme obtenu", "Libellé diplôme obtenu"),
        *("Code type autorisation", "Libellé type autorisation"),
        *("Code discipline autorisation", "Libellé discipline autorisation"),
    ),
    Kind.CARDS: (
        *("Code type de carte", "Libellé", "Numéro carte", "Identifiant national contenu dans la carte"),
        *("Date début validité", "Date fin validité", "Date opposition", "Date de mise à jour"),
    ),
    Kind.MOVES: ("N° ADELI", "N° RPPS"),
    Kind.SKILLS: (*_PERSON, *_NAME, *_TRADE),
}
"""Canonical headers in the order of the files. More particular kinds stand first: SKILLS is a part of PEOPLE."""

MANDATORY: dict[Kind, tuple[str, ...]] = {
    Kind.PEOPLE: (
        *_PERSON,
        *_NAME,
        *("Libellé civilité d'exercice", "Code profession", "Libellé profession", "Code catégorie professionnelle"),
        *("Code savoir-faire", "Libellé savoir-faire", "Code mode exercice", "Raison sociale site"),
        *("Identifiant technique de la structure", "Enseigne commerciale site"),
        *("Code postal (coord. structure)", "Bureau cedex (coord. structure)", "Libellé commune (coord. structure)"),
    ),
    Kind.MAILBOXES: (
        *("Type de BAL", "Adresse BAL", "Type Identifiant PP", "Identifiant PP"),
        *("Raison Sociale structure BAL", "Enseigne commerciale structure BAL", "Service de rattachement"),
    ),
    Kind.DIPLOMAS: (*_PERSON, "Code type diplôme obtenu", "Code diplôme obtenu", "Libellé diplôme obtenu"),
    Kind.CARDS: (
        *("Code type de carte", "Numéro carte", "Identifiant national contenu dans la carte"),
        *("Date début validité", "Date fin validité", "Date opposition", "Date de mise à jour"),
    ),
    Kind.MOVES: ("N° ADELI", "N° RPPS"),
    Kind.SKILLS: (*_PERSON, "Code type savoir-faire", "Code savoir-faire", "Libellé savoir-faire"),
}
"""What we can't do without, by kind; a file that lacks one of these is refused."""

_ALIASES = {
    "code fonction": "code role",
    "libelle fonction": "libelle role",
    "code genre d activite": "code genre activite",
    "libelle genre d activite": "libelle genre activite",
    "code departement coord structure": "code departement structure",
    "libelle departement coord structure": "libelle departement structure",
    "type d identifiant structure": "type identifiant structure",
    "type d identifiant pp": "type identifiant pp",
    "adresse bal mssante": "adresse bal",
}


def key(name: str) -> str:
    """A header name without accents, case, punctuation and known drift."""
    folded = fold(name)
    return _ALIASES.get(folded, folded)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the columns of one file stand. `width` is their number, the empty one after the last `|` not counted."""

    kind: Kind
    width: int
    index: dict[str, int]
    """Normalised name to position, from 0."""
    mark: str = "|"
    """What stands between fields."""

    def at(self, name: str) -> int:
        """Position of a column given by its canonical name. Raises KeyError when the file lacks it."""
        return self.index[key(name)]

    def may(self, name: str) -> int:
        """The same; `width + 1`, where the loaders put an empty field, when the file lacks it."""
        return self.index.get(key(name), self.width + 1)


def cut(line: str, width: int, mark: str = "|") -> list[str] | None:
    """The fields of a line, quotes kept as data; None when there are not `width` of them.

    A `|` after the last field is an end, not a field: the real files have it on every line, copies of them may not.
    """
    fields = line.split(mark)
    if len(fields) == width + 1 and not fields[-1]:
        fields.pop()
    return fields if len(fields) == width else None


def recognise(line: str, named: Kind | None) -> Columns:
    """What a file is, from its header line and from what its name says (`named`, None when it says nothing).

    Raises ImportRefused: `columns.missing` names them, `columns.twice`, or `file.unknown`.
    """
    mark = ";" if "|" not in line and ";" in line else "|"
    header = line.split(mark)
    if not header[-1]:
        header.pop()
    index: dict[str, int] = {}
    for position, name in enumerate(header):
        if index.setdefault(key(name), position) != position:
            raise ImportRefused("columns.twice", f"the header names this column twice: {name}")
    for kind in (named,) if named is not None else HEADERS:
        missing = [name for name in MANDATORY[kind] if key(name) not in index]
        if not missing:
            return Columns(kind, len(header), index, mark)
        if named is not None:
            raise ImportRefused("columns.missing", "the header lacks these columns: " + ", ".join(missing))
    raise ImportRefused("file.unknown", "neither its name nor its header is one of an extraction we know")
