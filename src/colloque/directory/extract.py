"""Imports the Annuaire Santé: streams the extractions into a new file, judges it, and puts it in place at once.

The file in use is never touched: whatever is refused, and wherever the process is killed, readers keep what they had.
The new file begins as a copy of the one in use, so that parts an import does not bring stay, and only what changed is
read; the first import, and a forced one over a file that can't be read, begin empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from colloque.clock import Clock, from_millis, to_millis
from colloque.directory import words
from colloque.directory.build import Build, disk, only_one
from colloque.directory.changes import Changes
from colloque.directory.columns import ImportRefused, Kind
from colloque.directory.guards import InUse, admit, guard_numbers, in_use, recognised
from colloque.directory.intake import Run, read
from colloque.directory.mending import reindex
from colloque.directory.moves import name_former
from colloque.directory.noticed import noticed
from colloque.directory.parts import WORTH_PEOPLE, Namer, Noticer, Reader, share
from colloque.directory.report import FileReport, ImportReport
from colloque.directory.sources import Source, collect

__all__ = ["FileReport", "ImportRefused", "ImportReport", "Progress", "import_files"]

_ORDER = (Kind.MOVES, Kind.PEOPLE, Kind.MAILBOXES, Kind.SKILLS, Kind.DIPLOMAS, Kind.CARDS, Kind.WHITELIST)
"""Moves first: they say who the others speak of."""
_FACTS = ("people", "activities", "mailboxes")

Progress = Callable[[int, int], None]
"""Called with (bytes read, bytes to read); what is read again because it changed is not counted."""


def import_files(
    paths: Sequence[Path],
    target: Path,
    clock: Clock,
    *,
    force: bool = False,
    test: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Import `.txt`, `.csv`, `.zip` and `.xml` files, or folders of them, into the directory file `target`.

    `force` overrides the guards on older files, falls in numbers, times in the future, expired white-lists and an
    unreadable file in use; never those on damaged files. `test` admits ANS's fictive identifiers.
    Raises ImportRefused (nothing was changed), Temporary when another import runs, OSError.
    """
    if not target.parent.is_dir():
        raise ImportRefused("target.folder", f"{target.parent}: no such folder")
    with only_one(target):
        before = in_use(target, force=force)
        known, ignored = recognised(collect(paths))
        admit(known, before, clock, force=force)
        steps = _Steps(sum(source.size for source in known.values()), progress)
        try:
            return _import(known, ignored, target, Run(clock, force, test, before, steps.step))
        except ImportRefused as refused:
            if refused.reason != "loaded.unreadable" or not force:
                raise
        # What is in use is damaged: it is made anew from the files alone.
        admit(known, InUse(), clock, force=force)
        return _import(known, ignored, target, Run(clock, force, test, InUse(), steps.step))


class _Steps:
    """Adds up the bytes read."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._done = 0
        self._progress = progress

    def step(self, size: int) -> None:
        """That many more."""
        self._done = min(self._total, self._done + size)
        if self._progress is not None:
            self._progress(self._done, self._total)


def _import(known: dict[Kind, Source], ignored: list[str], target: Path, run: Run) -> ImportReport:
    aside = target.with_name(f".{target.name}.importing")
    with disk():
        run.build = Build(aside, target if run.before.parts else None)
        try:
            run.highest = run.build.number("SELECT coalesce(max(id), 0) FROM people")
            if not run.before.parts:
                run.cut, jobs = share(known)
                run.helper = Reader(aside, jobs, test=run.test) if jobs else None
            for kind in sorted(known, key=_ORDER.index):
                read(run, kind, known[kind])
            if run.helper:
                run.helper.close()
            report = _finish(run, target, ignored)
            run.build.publish(target)
        except BaseException:
            if run.helper:
                run.helper.close()
            run.build.discard()
            raise
    return report


def _finish(run: Run, target: Path, ignored: list[str]) -> ImportReport:
    db, number, facts = run.build.db, run.build.number, run.before.facts
    run.build.index(("people", "activity", "mailbox", "skill", "diploma", "card", "move"))
    name_former(db)
    counts = {
        "people": number("SELECT count(*) FROM people"),
        "activities": number("SELECT count(*) FROM activity"),
        "mailboxes": number("SELECT count(*) FROM mailbox"),
    }
    rejected: Counter[str] = sum((Counter(f.rejected) for f in run.files.values()), Counter())
    guard_numbers(counts, facts, rejected, force=run.force)
    changes = None
    if run.before.parts:
        changes, found = _compare(run, target, counts["people"])
    else:
        found = _index_words(run)
    likely = tuple(changes.likely_moves) if changes else ()
    if likely:
        found["move.likely"] = len(likely)
    now = run.clock.now()
    for name in ("imported_at", *_FACTS):
        if name in facts:
            run.build.note(f"previous_{name}", facts[name])
    for kind, at in run.before.parts.items():
        run.build.note(f"previous_{kind}_made_at", to_millis(at))
    for name, value in counts.items():
        run.build.note(name, value)
    run.build.note("imported_at", to_millis(now))
    run.build.note("forced", int(run.force))
    return ImportReport(
        imported_at=now,
        **counts,
        domains=number("SELECT count(*) FROM whitelist"),
        files=tuple(run.files.values()),
        carried=tuple(kind for kind in _ORDER if kind in run.before.parts and kind not in run.files),
        rejected=dict(sorted(rejected.items())),
        noticed=found,
        ignored=tuple(ignored),
        forced=run.force,
        changes=dict(sorted(changes.counts.items())) if changes else None,
        previous=from_millis(facts["imported_at"]) if "imported_at" in facts else None,
        likely_moves=likely,
    )


def _index_words(run: Run) -> dict[str, int]:
    """The search tables of a first import; and what is noticed."""
    build = run.build
    if run.helper is None:
        words.index(build.db)
        return noticed(build.db)
    with closing(Namer(build)) as namer:
        words.index_work(build.db)
        found = noticed(build.db)
        namer.join(build)
    words.finish(build.db)
    return found


def _compare(run: Run, target: Path, people: int) -> tuple[Changes, dict[str, int]]:
    """What changed, after which the search tables are mended; and what is noticed."""
    build = run.build
    touched = run.touched.get(Kind.PEOPLE, bytearray(build.number("SELECT coalesce(max(id), 0) + 1 FROM people")))
    for before, after in run.moved.items():
        for person in (before, after):
            touched.extend(bytes(max(0, person + 1 - len(touched))))
            touched[person] = 1
    run.touched[Kind.PEOPLE] = touched
    changes = Changes(build.db)
    with ExitStack() as stack:
        noticer = stack.enter_context(closing(Noticer(build))) if people > WORTH_PEOPLE else None
        stack.enter_context(build.attached(target, "old"))
        changes.note(touched, run.moved, run.touched.get(Kind.MAILBOXES, bytearray()))
        reindex(build.db, _reindexed(run))
        return changes, noticer.result() if noticer else noticed(build.db)


def _reindexed(run: Run) -> list[int]:
    """Ids of whoever the search tables may hold otherwise than before."""
    ids = {person for person, flag in enumerate(run.touched[Kind.PEOPLE]) if flag}
    for national in run.renamed:
        ids.update(n for (n,) in run.build.db.execute("SELECT id FROM people WHERE national = ?", (national,)))
    return sorted(ids)
