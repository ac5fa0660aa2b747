"""Writes a made-up Annuaire Santé in ANS's exact file formats, for demonstrations, tests and measurements.

RPPS numbers begin with 899 and have valid keys: outside the ranges in use, so they are nobody's. All mail domains end
in the reserved `.test`: nothing can ever reach a real mailbox. Same arguments, same bytes; memory does not grow with
size.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import escape

from colloque.clock import PARIS
from colloque.directory import sample_rows as rows
from colloque.directory.columns import Kind
from colloque.directory.sample_changes import NextDay
from colloque.directory.sample_people import Person, Population
from colloque.directory.whitelist import NAMESPACE

_NAMES = {
    Kind.PEOPLE: "PS_LibreAcces_Personne_activite_{stamp}.txt",
    Kind.SKILLS: "PS_LibreAcces_SavoirFaire_{stamp}.txt",
    Kind.DIPLOMAS: "PS_LibreAcces_Dipl_AutExerc_{stamp}.txt",
    Kind.CARDS: "porteurs-cps-cpf.txt",
    Kind.MAILBOXES: "Extraction_Correspondance_MSSante_{stamp}.txt",
}
PATIENTS = "patient.mssante.test"
"""Patients' own mailboxes: white-listed, and in no extraction."""
_WHITELIST = "listeblanchemssante.xml"
_SWITCHED = "Extraction_Correspondance_ADELI_RPPS_{stamp}.csv"
_VALIDITY = timedelta(days=365)
_REPEATED = 169 / 455_000
"""Share of PER mailboxes that stand in two rows, as in the real file."""
_BUFFER = 1 << 20
_LOT = 500


@dataclass(frozen=True, slots=True)
class SampleReport:
    """What was written."""

    folder: Path
    files: tuple[Path, ...]
    made_at: datetime
    people: int
    """With an RPPS number."""
    adeli: int
    """Older registrations, on top."""
    activities: int
    mailboxes: int
    """Rows; a few addresses stand in two rows, as in the real file."""
    domains: int


def write_sample(out_dir: Path, people: int, seed: int, made_at: datetime, *, changed: float = 0.0) -> SampleReport:
    """Write the files into `out_dir` (made if need be; files of the same names are replaced).

    `made_at` (aware) gives the time in the names, to the minute, and when the files count as written (some names say no
    time). `changed` (a share, above 0) writes what the same people look like a day later instead, that share of rows
    being different, and a seventh file: who moved from ADELI to RPPS. Raises ValueError when `people` is not within 1
    and 1,500,000 or `changed` not within 0 and 0.2; OSError.
    """
    population = Population(people, seed)
    day = NextDay(population, changed) if changed else None
    stamp = made_at.astimezone(PARIS).strftime("%Y%m%d%H%M")
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = {kind: out_dir / name.format(stamp=stamp) for kind, name in _NAMES.items()}
    listed = out_dir / _WHITELIST
    switched = out_dir / _SWITCHED.format(stamp=stamp)
    with ExitStack() as stack:
        files = {kind: _Table(stack.enter_context(_aside(path, made_at)), kind) for kind, path in paths.items()}
        whitelist = stack.enter_context(_aside(listed, made_at))
        # Dates on cards stay the same all year, so that two samples of one year differ by what changed only.
        writer = _Writer(files, date(made_at.year, 1, 1))
        writer.domains.add(PATIENTS)
        writer.write_people(day.people() if day else population.people())
        for place in population.places.all():
            for address, service in day.boxes(place) if day else place.mailboxes:
                writer.domains.add(address.partition("@")[2])
                files[Kind.MAILBOXES].add(rows.service_box(place, address, service))
        for table in files.values():
            table.flush()
        _write_whitelist(whitelist, writer.domains, made_at)
        if day:
            out = stack.enter_context(_aside(switched, made_at, encoding="latin-1"))
            out.writelines(f"{old};{new}\n" for old, new in [("N° ADELI", "N° RPPS"), *day.switched])
    return SampleReport(
        folder=out_dir,
        files=(*paths.values(), listed, *([switched] if day else [])),
        made_at=made_at.astimezone(PARIS).replace(second=0, microsecond=0),
        people=writer.people - writer.adeli,
        adeli=writer.adeli,
        activities=files[Kind.PEOPLE].count,
        mailboxes=files[Kind.MAILBOXES].count,
        domains=len(writer.domains),
    )


@contextmanager
def _aside(path: Path, made_at: datetime, encoding: str = "utf-8") -> Iterator[TextIO]:
    """A file that takes its name only once it is whole, and counts as written at `made_at`."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding=encoding, newline="\n", buffering=_BUFFER) as out:
            yield out
        os.utime(part, (made_at.timestamp(), made_at.timestamp()))
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


class _Table:
    """One extraction being written."""

    def __init__(self, out: TextIO, kind: Kind) -> None:
        self._out = out
        self._lot = [rows.header(kind)]
        self.count = 0

    def add(self, row: str) -> None:
        """One row, line end included."""
        self._lot.append(row)
        self.count += 1
        if len(self._lot) >= _LOT:
            self.flush()

    def extend(self, lot: Iterable[str]) -> None:
        """Several."""
        for row in lot:
            self.add(row)

    def flush(self) -> None:
        """Hand everything to the file."""
        self._out.write("".join(self._lot))
        self._lot.clear()


class _Writer:
    """Writes people into their files."""

    def __init__(self, files: dict[Kind, _Table], since: date) -> None:
        self._files = files
        self._since = since
        self._repeated = False
        self.domains: set[str] = set()
        self.people = self.adeli = 0

    def write_people(self, people: Iterable[Person]) -> None:
        """Everybody."""
        activities, skills, diplomas, cards, boxes = (self._files[kind] for kind in rows.KINDS)
        for person in people:
            self.people += 1
            self.adeli += person.id_type == "0"
            activities.extend(rows.activities(person))
            skills.extend(rows.skills(person))
            diplomas.extend(rows.diplomas(person))
            if card := rows.card(person, self._since):
                cards.add(card)
            for address in person.mailboxes:
                self.domains.add(address.partition("@")[2])
                boxes.add(rows.personal_box(person, address))
            # The first owner always, so that the smallest sample has the case too.
            if person.mailboxes and (person.extras.repeat < _REPEATED or not self._repeated):
                self._repeated = True
                boxes.add(rows.personal_box(person, person.mailboxes[0].upper()))


def _write_whitelist(out: TextIO, domains: set[str], made_at: datetime) -> None:
    start = made_at.astimezone(PARIS).replace(second=0, microsecond=0)
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    out.write(f'<ListeBlanche xmlns="{NAMESPACE}">\n')
    out.write(f"  <DateDebutValidite>{start.isoformat()}</DateDebutValidite>\n")
    out.write(f"  <DateFinValidite>{(start + _VALIDITY).isoformat()}</DateFinValidite>\n")
    out.writelines(f"  <Domaine><Nom>{escape(domain)}</Nom></Domaine>\n" for domain in sorted(domains))
    out.write("</ListeBlanche>\n")
