"""Imports the Annuaire Santé: streams the extractions into a new file, judges it, and puts it in place at once.

The file in use is never touched: whatever is refused, and wherever the process is killed, readers keep what they had.
A part that an import does not bring (people, mailboxes, white-list) is carried over from the file in use.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from colloque.clock import Clock, to_millis
from colloque.directory import whitelist
from colloque.directory.build import Build, is_ours, made_at, only_one, open_read_only
from colloque.directory.columns import ImportRefused, Kind
from colloque.directory.records import mailboxes, people
from colloque.directory.rows import Rows
from colloque.directory.sources import Source, collect

__all__ = ["FileReport", "ImportRefused", "ImportReport", "import_files"]

BATCH = 5_000
MAX_FALL = 0.05
"""ANS's own loader raises an alert past this share of changes."""
_NEEDED = (Kind.PEOPLE, Kind.MAILBOXES)
_KEPT = (*_NEEDED, Kind.WHITELIST)

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Called with (bytes read, bytes to read)."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file that was read."""

    kind: Kind
    name: str
    made_at: datetime
    encoding: str
    rows: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. Counts are of the whole directory, carried-over parts included."""

    imported_at: datetime
    people: int
    activities: int
    mailboxes: int
    domains: int
    """On the white-list."""
    files: tuple[FileReport, ...]
    carried: tuple[Kind, ...]
    """Parts kept from the directory that was in use."""
    rejected: dict[str, int]
    """Rows kept out, by reason."""
    noticed: dict[str, int]
    """Things kept that somebody may want to look at, by name."""
    ignored: tuple[str, ...]
    """Files that were not read: of a kind not used yet, or not recognised in a folder or zip."""
    forced: bool


@dataclass(slots=True)
class _Run:
    """One import under way."""

    build: Build
    clock: Clock
    force: bool
    test: bool
    old: dict[Kind, datetime]
    step: Callable[[int], None]
    files: dict[Kind, FileReport] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    ignored: list[str] = field(default_factory=list)


def import_files(
    paths: Sequence[Path],
    target: Path,
    clock: Clock,
    *,
    force: bool = False,
    test: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Import `.txt`, `.zip` and `.xml` files, or folders of them, into the directory file `target`.

    `force` overrides the guards on older files, falls in numbers, times in the future, expired white-lists and an
    unreadable file in use; never those on damaged files. `test` admits ANS's fictive identifiers.
    Raises ImportRefused (nothing was changed), Temporary when another import runs, OSError.
    """
    if not target.parent.is_dir():
        raise ImportRefused("target.folder", f"{target.parent}: no such folder")
    with only_one(target):
        old, counts = _in_use(target, force=force)
        sources = collect(paths)
        total, done = sum(s.size for s in sources), 0

        def step(size: int) -> None:
            nonlocal done
            done += size
            if progress is not None:
                progress(done, total)

        build = Build(target.with_name(f".{target.name}.importing"))
        try:
            run = _Run(build, clock, force, test, old, step)
            for source in sources:
                _read(run, source)
            report = _finish(run, target, counts)
            build.publish(target)
        except BaseException:
            build.discard()
            raise
        return report


def _in_use(target: Path, *, force: bool) -> tuple[dict[Kind, datetime], tuple[int, int]]:
    """Times of the parts in use, and how many people and mailboxes they hold; nothing when there is no file."""
    if not target.exists():
        return {}, (0, 0)
    try:
        with closing(open_read_only(target)) as db:
            if is_ours(db):
                counts = tuple(db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("people", "mailbox"))  # noqa: S608
                return made_at(db), (counts[0], counts[1])
    except sqlite3.Error:
        pass
    if not force:
        raise ImportRefused(
            "loaded.unreadable", "the directory in use can't be read, so nothing can be compared with it"
        )
    return {}, (0, 0)


def _read(run: _Run, source: Source) -> None:
    with source.open() as stream:
        head = stream.read(2_000)
    if source.named is Kind.WHITELIST or whitelist.looks_like(head):
        _read_whitelist(run, source)
        return
    with source.open() as stream:
        try:
            rows = Rows(stream, source.named, run.step)
        except ImportRefused as refused:
            if refused.reason != "file.unknown" or source.explicit:
                raise ImportRefused(refused.reason, f"{source.name}: {refused}") from None
            run.ignored.append(source.name)
            return
        kind = rows.columns.kind
        if kind not in _KEPT:
            run.ignored.append(source.name)
            return
        _admit(run, kind, source, source.made_at)
        try:
            if kind is Kind.PEOPLE:
                for batch in _batches(people(rows, test=run.test)):
                    run.build.add_people((p for p, _ in batch), (a for _, a in batch))
                run.build.index_people()
            else:
                for lot in _batches(mailboxes(rows, test=run.test)):
                    run.build.add_mailboxes(lot)
        except ImportRefused as refused:
            raise ImportRefused(refused.reason, f"{source.name}: {refused}") from None
    run.rejected.update(rows.rejected)
    _record(run, FileReport(kind, source.name, source.made_at, rows.encoding, rows.count))


def _read_whitelist(run: _Run, source: Source) -> None:
    with source.open() as stream:
        listed = whitelist.parse(stream.read(whitelist.MAX_BYTES + 1))
    run.step(source.size)
    made = listed.made_at or source.made_at
    _admit(run, Kind.WHITELIST, source, made)
    valid_until = listed.valid_until or made + whitelist.MAX_AGE
    if valid_until <= run.clock.now() and not run.force:
        raise ImportRefused("whitelist.expired", f"{source.name}: the white-list is no longer valid")
    run.build.add_domains(listed.domains)
    run.build.note("whitelist_valid_until", to_millis(valid_until))
    _record(run, FileReport(Kind.WHITELIST, source.name, made, "xml", len(listed.domains)))


def _admit(run: _Run, kind: Kind, source: Source, made: datetime) -> None:
    if kind in run.files:
        raise ImportRefused("file.twice", f"two files of the same kind ({kind}): {run.files[kind].name}, {source.name}")
    if run.force:
        return
    if kind in run.old and made < run.old[kind]:
        raise ImportRefused(
            "file.older", f"{source.name}: older than what is loaded ({run.old[kind]:%Y-%m-%d %H:%M} UTC)"
        )
    if made > run.clock.now() + timedelta(days=1):
        raise ImportRefused("file.future", f"{source.name}: its time is in the future")


def _record(run: _Run, report: FileReport) -> None:
    run.files[report.kind] = report
    run.build.add_source(report.kind, report.name, report.made_at, report.encoding, report.rows)


def _finish(run: _Run, target: Path, before: tuple[int, int]) -> ImportReport:
    if not run.files:
        raise ImportRefused("file.none", "there is no extraction to import in what was given")
    missing = [kind for kind in _NEEDED if kind not in run.files and kind not in run.old]
    if missing:
        raise ImportRefused("file.missing", "a first import needs people and mailboxes; missing: " + ", ".join(missing))
    carried = tuple(kind for kind in _KEPT if kind not in run.files and kind in run.old)
    if carried:
        run.build.carry_over(target, carried)
    run.build.seal()
    number = run.build.number
    now = run.clock.now()
    report = ImportReport(
        imported_at=now,
        people=number("SELECT count(*) FROM people"),
        activities=number("SELECT count(*) FROM activity"),
        mailboxes=number("SELECT count(*) FROM mailbox"),
        domains=number("SELECT count(*) FROM whitelist"),
        files=tuple(run.files.values()),
        carried=carried,
        rejected=dict(sorted(run.rejected.items())),
        noticed={name: found for name, query in _NOTICED.items() if (found := number(query))},
        ignored=tuple(run.ignored),
        forced=run.force,
    )
    _guard_numbers(report, before)
    run.build.note("imported_at", to_millis(now))
    run.build.note("forced", int(run.force))
    for name in ("people", "activities", "mailboxes"):
        run.build.note(name, getattr(report, name))
    return report


_NOTICED = {
    "mailbox.repeated": "SELECT coalesce(sum(repeats), 0) FROM mailbox",
    "mailbox.disputed": "SELECT coalesce(sum(disputed), 0) FROM mailbox",
    "mailbox.owner_not_listed": "SELECT count(*) FROM mailbox WHERE national IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM people WHERE people.national = mailbox.national)",
    "mailbox.domain_not_whitelisted": "SELECT count(*) FROM mailbox WHERE NOT EXISTS "
    "(SELECT 1 FROM whitelist WHERE domain = substr(address, instr(address, '@') + 1))",
    "person.adeli_only": "SELECT count(*) FROM people WHERE rpps IS NULL",
}


def _guard_numbers(report: ImportReport, before: tuple[int, int]) -> None:
    for what, now, was in (("people", report.people, before[0]), ("mailboxes", report.mailboxes, before[1])):
        if not now:
            raise ImportRefused(f"{what}.none", f"the files hold no usable {what}: {report.rejected}")
        if not report.forced and now < was * (1 - MAX_FALL):
            fall = 100 * (was - now) / was
            raise ImportRefused(f"{what}.fall", f"{now} {what} instead of {was}: a fall of {fall:.1f} %")


def _batches(rows: Iterable[T]) -> Iterator[list[T]]:
    it = iter(rows)
    while batch := list(islice(it, BATCH)):
        yield batch
