"""Writes a made-up Annuaire Santé in ANS's exact file formats, for demonstrations, tests and measurements.

RPPS numbers begin with 899 and have valid keys: outside the ranges in use, so they are nobody's. All mail domains end
in the reserved `.test`: nothing can ever reach a real mailbox. Same arguments, same bytes; memory does not grow with
size.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import escape

from colloque.clock import PARIS
from colloque.directory.columns import HEADERS, Kind
from colloque.directory.sample_people import Person, Population, Post, Structure
from colloque.directory.sample_trades import MODES, SECTORS
from colloque.directory.whitelist import NAMESPACE
from colloque.identity import luhn_key

_NAMES = {
    Kind.PEOPLE: "PS_LibreAcces_Personne_activite_{stamp}.txt",
    Kind.SKILLS: "PS_LibreAcces_SavoirFaire_{stamp}.txt",
    Kind.DIPLOMAS: "PS_LibreAcces_Dipl_AutExerc_{stamp}.txt",
    Kind.CARDS: "porteurs-cps-cpf.txt",
    Kind.MAILBOXES: "Extraction_Correspondance_MSSante_{stamp}.txt",
}
_WHITELIST = "listeblanchemssante.xml"
_VALIDITY = timedelta(days=365)
_CATEGORIES = {"C": "Civil", "M": "Militaire", "E": "Etudiant"}


@dataclass(frozen=True, slots=True)
class SampleReport:
    """What was written."""

    folder: Path
    files: tuple[Path, ...]
    made_at: datetime
    people: int
    """With an RPPS number: as many as were asked for."""
    adeli: int
    """Older registrations, on top."""
    activities: int
    mailboxes: int
    """Rows; a few addresses stand in two rows, as in the real file."""
    domains: int


def write_sample(out_dir: Path, people: int, seed: int, made_at: datetime) -> SampleReport:
    """Write the six files into `out_dir` (made if need be; files of the same names are replaced).

    `made_at` (aware) gives the time in the names, to the minute. Raises ValueError when `people` is not within 1 and
    1,500,000, OSError.
    """
    population = Population(people, seed)
    stamp = made_at.astimezone(PARIS).strftime("%Y%m%d%H%M")
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = {kind: out_dir / name.format(stamp=stamp) for kind, name in _NAMES.items()}
    with ExitStack() as stack:
        tables = {kind: _Table(stack.enter_context(_aside(path)), kind) for kind, path in paths.items()}
        whitelist = stack.enter_context(_aside(out_dir / _WHITELIST))
        chance = random.Random(f"{seed}/rows")  # noqa: S311  # repeatable on purpose
        domains: set[str] = set()
        adeli = 0
        for person in population.people():
            adeli += person.id_type == "0"
            _write_person(tables, person, chance, made_at, domains)
        for structure in population.structures():
            for address, service in structure.mailboxes:
                domains.add(address.partition("@")[2])
                tables[Kind.MAILBOXES].row(_org_row(structure, address, service))
        _write_whitelist(whitelist, domains, made_at)
    return SampleReport(
        folder=out_dir,
        files=(*paths.values(), out_dir / _WHITELIST),
        made_at=made_at.astimezone(PARIS).replace(second=0, microsecond=0),
        people=people,
        adeli=adeli,
        activities=tables[Kind.PEOPLE].count,
        mailboxes=tables[Kind.MAILBOXES].count,
        domains=len(domains),
    )


@contextmanager
def _aside(path: Path) -> Iterator[TextIO]:
    """A file that takes its name only once it is whole."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as out:
            yield out
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


class _Table:
    """One extraction being written: `|` after every field, the last included, and nothing quoted."""

    def __init__(self, out: TextIO, kind: Kind) -> None:
        self._out = out
        self._width = len(HEADERS[kind])
        self.count = -1
        self.row(HEADERS[kind])

    def row(self, fields: tuple[str, ...]) -> None:
        """Write a row; its fields hold neither `|` nor line ends."""
        if len(fields) != self._width:
            raise ValueError(f"{len(fields)} fields instead of {self._width}")
        self._out.write("|".join(fields) + "|\n")
        self.count += 1


def _write_person(
    tables: dict[Kind, _Table], person: Person, chance: random.Random, made_at: datetime, domains: set[str]
) -> None:
    who = (person.id_type, person.identifier, person.national)
    for post in person.posts:
        tables[Kind.PEOPLE].row(_activity_row(who, person, post))
    for post in {post.trade.code: post for post in person.posts}.values():
        name = (person.family, person.given)
        tables[Kind.DIPLOMAS].row(
            (
                *who,
                *name,
                "DE",
                "Diplôme d'Etat français",
                f"DE{post.trade.code}",
                f"Diplôme {post.trade.label}",
                *[""] * 4,
            )
        )
        skills = [("S", "Spécialité ordinale", *post.specialty)] if post.specialty[0] else []
        if post.trade.code == "10" and chance.random() < 0.05:
            skills.append(("C", "Compétence", "C05", "Médecine appliquée aux sports"))
        for skill in skills:
            tables[Kind.SKILLS].row((*who, *name, *_trade(post), *skill))
    for address in person.mailboxes:
        domains.add(address.partition("@")[2])
        # One row a profession, and now and then the same address again in other letters: both as in the real file.
        for post in {post.trade.code: post for post in person.posts}.values():
            tables[Kind.MAILBOXES].row(_per_row(who, person, post, address))
        if chance.random() < 0.004:
            tables[Kind.MAILBOXES].row(_per_row(who, person, person.posts[0], address.upper()))
    if chance.random() < 0.8:
        tables[Kind.CARDS].row(_card_row(person, chance, made_at))


def _trade(post: Post) -> tuple[str, str, str, str]:
    return post.trade.code, post.trade.label, post.category, _CATEGORIES[post.category]


def _activity_row(who: tuple[str, str, str], person: Person, post: Post) -> tuple[str, ...]:
    civility = ("MME", "Madame") if person.woman else ("M", "Monsieur")
    skill = ("S", "Spécialité ordinale", *post.specialty) if post.specialty[0] else ("",) * 4
    mode = (post.mode, MODES.get(post.mode, ""))
    head = (*who, *person.title, *civility, person.family, person.given, *_trade(post), *skill, *mode)
    place = post.structure
    if place is None:
        return (*head, *[""] * 37)
    siren = place.siret[:9]
    legal = place.finess
    phone = f"019900{person.number % 10_000:04}"  # a range that is set aside for fiction
    return (
        *head,
        *(place.siret, siren, place.finess, legal, place.technical_id, place.name, "", "", ""),
        *(place.street[0], "", *place.street[1:], "", f"{place.postcode} {place.town}"),
        *(place.postcode, place.insee, place.town, "99000", "France", phone, "", "", ""),
        *(place.department, "", f"1{place.finess}" if place.finess else "", "ARS/ARS/ARS"),
        *(place.sector, SECTORS[place.sector], *_section(post), "", "", "GENR01", "Activité standard de soin"),
    )


def _section(post: Post) -> tuple[str, str]:
    """Pharmacists stand in sections of their Order's table."""
    return ("D", "Pharmaciens adjoints d'officine") if post.trade.code == "21" else ("", "")


def _per_row(who: tuple[str, str, str], person: Person, post: Post, address: str) -> tuple[str, ...]:
    place = post.structure if post.mode == "S" else None
    trade = (post.category, _CATEGORIES[post.category], post.trade.code, post.trade.label, *post.specialty)
    mine = (person.title[1], person.family, person.given, *trade)
    return ("PER", address, *who, *_structure_id(place), "", *mine, "True", *_place_fields(place))


def _org_row(place: Structure, address: str, service: str) -> tuple[str, ...]:
    return ("ORG", address, "", "", "", *_structure_id(place), service, *[""] * 9, "True", *_place_fields(place))


def _structure_id(place: Structure | None) -> tuple[str, str]:
    if place is None:
        return "", ""
    return ("1", place.finess) if place.finess else ("3", place.siret)


def _place_fields(place: Structure | None) -> tuple[str, ...]:
    if place is None:
        return ("",) * 13
    number, _, way, street = place.street
    line6 = f"{place.postcode} {place.town}"
    return (
        *(place.name, place.name, "", "", number, "", way, street, "", line6, place.postcode, place.department),
        "France",
    )


def _card_row(person: Person, chance: random.Random, made_at: datetime) -> tuple[str, ...]:
    today = made_at.astimezone(PARIS).date()
    start = today - timedelta(days=chance.randrange(1, 1000))
    opposed = str(today - timedelta(days=chance.randrange(1, 30))) if chance.random() < 0.01 else ""
    digits = f"2899{person.number:07}"
    number = digits + luhn_key(digits)
    end = start + timedelta(days=3 * 365)
    return (
        "CPS",
        "Carte de professionnel de santé",
        number,
        person.national,
        str(start),
        str(end),
        opposed,
        str(today),
    )


def _write_whitelist(out: TextIO, domains: set[str], made_at: datetime) -> None:
    start = made_at.astimezone(PARIS).replace(second=0, microsecond=0)
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    out.write(f'<ListeBlanche xmlns="{NAMESPACE}">\n')
    out.write(f"  <DateDebutValidite>{start.isoformat()}</DateDebutValidite>\n")
    out.write(f"  <DateFinValidite>{(start + _VALIDITY).isoformat()}</DateFinValidite>\n")
    out.writelines(f"  <Domaine><Nom>{escape(domain)}</Nom></Domaine>\n" for domain in sorted(domains))
    out.write("</ListeBlanche>\n")
