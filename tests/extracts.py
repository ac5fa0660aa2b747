"""Small extractions written by hand, for tests. Headers come from `tests/data/directory`, typed from ANS's files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from colloque.identity import luhn_key

DATA = Path(__file__).parent / "data/directory"
STAMP = "202603010630"

Row = dict[str, str]


def header(name: str) -> str:
    """A header line, its last `|` included, without line end."""
    return (DATA / f"{name}.header").read_text(encoding="utf-8").rstrip("\n")


def rpps(number: int) -> str:
    """A valid RPPS number outside the ranges in use."""
    digits = f"899{number:07}"
    return digits + luhn_key(digits)


def person(number: int, **over: str) -> Row:
    """A row of people by its usual column names; `over` by short names below."""
    row = {
        "Type d'identifiant PP": "8",
        "Identifiant PP": rpps(number),
        "Libellé civilité d'exercice": "Docteur",
        "Nom d'exercice": f"NOM{number}",
        "Prénom d'exercice": "Hélène",
        "Code profession": "10",
        "Libellé profession": "Médecin",
        "Code catégorie professionnelle": "C",
        "Code savoir-faire": "SM04",
        "Libellé savoir-faire": "Cardiologie et Maladies vasculaires",
        "Code mode exercice": "L",
        "Raison sociale site": 'CABINET "L\'HORLOGE"',
        "Identifiant technique de la structure": "F699000017",
        "Code postal (coord. structure)": "54000",
        "Libellé commune (coord. structure)": "NANCY",
    }
    short = {
        "kind": "Type d'identifiant PP",
        "id": "Identifiant PP",
        "national": "Identification nationale PP",
        "family": "Nom d'exercice",
        "given": "Prénom d'exercice",
        "profession": "Libellé profession",
        "structure": "Raison sociale site",
        "sign": "Enseigne commerciale site",
        "town": "Libellé commune (coord. structure)",
        "cedex": "Bureau cedex (coord. structure)",
    }
    row |= {short[name]: value for name, value in over.items()}
    row.setdefault("Identification nationale PP", row["Type d'identifiant PP"] + row["Identifiant PP"])
    return row


def mailbox(address: str, number: int | None = None, **over: str) -> Row:
    """A row of mailboxes: PER of that person, ORG without one."""
    row = {
        "Type de BAL": "ORG",
        "Adresse BAL": address,
        "Raison Sociale structure BAL": "CHU",
        "Dématérialisation": "True",
    }
    if number is not None:
        row |= {"Type de BAL": "PER", "Type Identifiant PP": "8", "Identifiant PP": rpps(number)}
    short = {
        "box": "Type de BAL",
        "kind": "Type Identifiant PP",
        "id": "Identifiant PP",
        "service": "Service de rattachement",
    }
    return row | {short[name]: value for name, value in over.items()}


def text(head: str, rows: Iterable[Mapping[str, str]], usual: str | None = None) -> str:
    """A whole file; rows are laid out by the names of `usual`, position for position, else by those of `head`."""
    names = (usual or head).split("|")[:-1][: head.count("|")]
    lines = ["".join(row.get(name, "") + "|" for name in names) for row in rows]
    return "\n".join([head, *lines, ""])


def people_file(folder: Path, rows: Iterable[Row], *, stamp: str = STAMP, encoding: str = "utf-8") -> Path:
    """PS_LibreAcces_Personne_activite with these rows."""
    path = folder / f"PS_LibreAcces_Personne_activite_{stamp}.txt"
    path.write_bytes(text(header("people_56"), rows).encode(encoding))
    return path


def mailbox_file(folder: Path, rows: Iterable[Row], *, stamp: str = STAMP) -> Path:
    """Extraction_Correspondance_MSSante with these rows."""
    path = folder / f"Extraction_Correspondance_MSSante_{stamp}.txt"
    path.write_bytes(text(header("mailboxes_31"), rows).encode())
    return path


def whitelist_xml(
    *domains: str, start: str = "2026-03-01T00:00:00+01:00", end: str = "2026-04-01T00:00:00+01:00"
) -> str:
    """A white-list; an empty `end` leaves it out."""
    last = f"<DateFinValidite>{end}</DateFinValidite>" if end else ""
    names = "".join(f"<Domaine><Nom>{domain}</Nom></Domaine>" for domain in domains)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListeBlanche xmlns="https://listeblanche.mssante.fr/schema">'
        f"<DateDebutValidite>{start}</DateDebutValidite>{last}{names}</ListeBlanche>"
    )


NEXT = "202603020630"
"""The day after `STAMP`, half past six in Paris."""


def people(folder: Path, count: int, stamp: str = NEXT) -> Path:
    """That many people."""
    return people_file(folder, [person(n) for n in range(count)], stamp=stamp)


def boxes(folder: Path, count: int, stamp: str = NEXT) -> Path:
    """That many people's mailboxes, `a0@x.test` and on."""
    return mailbox_file(folder, [mailbox(f"a{n}@x.test", n) for n in range(count)], stamp=stamp)


def first_files(folder: Path) -> Path:
    """A folder with 40 people, 40 mailboxes and a white-list, made on 1 March."""
    folder.mkdir()
    (folder / "list.xml").write_text(whitelist_xml("x.test"), encoding="utf-8")
    people(folder, 40, STAMP)
    boxes(folder, 40, STAMP)
    return folder
