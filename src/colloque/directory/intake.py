"""One import under way: each file into the new directory file, whole or only what changed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO, cast

from colloque.clock import Clock, to_millis
from colloque.directory import whitelist
from colloque.directory.attached import RowLoader
from colloque.directory.build import Build
from colloque.directory.columns import ImportRefused, Kind
from colloque.directory.files import Loader, loader, read_changes, settle, take_in, tally
from colloque.directory.guards import InUse, guard_time, made_at
from colloque.directory.lines import Memory
from colloque.directory.moves import apply_moves, read_moves
from colloque.directory.parts import Piece, Reader, Seen, join
from colloque.directory.records import Numbers
from colloque.directory.report import FileReport
from colloque.directory.rows import Rows, one_encoding
from colloque.directory.sources import Source


@dataclass(slots=True)
class Run:
    """One import under way."""

    clock: Clock
    force: bool
    test: bool
    before: InUse
    step: Callable[[int], None]
    build: Build = field(init=False)
    files: dict[Kind, FileReport] = field(default_factory=dict)
    touched: dict[Kind, bytearray] = field(default_factory=dict)
    """Flags by id of who and what was read again."""
    moved: dict[int, int] = field(default_factory=dict)
    highest: int = 0
    """The highest id of a person in the directory before: it is nobody else's today."""
    helper: Reader | None = None
    cut: int | None = None
    """The byte of the people's file from which on the helper reads."""
    seen: dict[Kind, Seen] | None = None
    """What the helper says, once it is done."""
    renamed: set[str] = field(default_factory=set)
    """National numbers whose skills came or went."""


def read(run: Run, kind: Kind, source: Source) -> None:
    """One file. Raises ImportRefused."""
    if kind is Kind.WHITELIST:
        _read_whitelist(run, source)
        return
    with source.open() as stream:
        try:
            cut = kind is Kind.PEOPLE and run.cut is not None
            piece = cast("BinaryIO", Piece(stream, 0, run.cut)) if cut else stream
            rows = Rows(piece, source.named, lambda size: _step(run, size))
            layout = _layout(rows, test=run.test)
            if kind is Kind.MOVES:
                total, rejected = _read_moves(run, rows)
                kept, encoding = total - rejected.total(), rows.encoding
            else:
                memory, seen = _read_rows(run, kind, rows, stream, layout)
                total, kept, rejected = tally(memory, seen.too_long)
                memory.store(run.build.db, kind)
                encoding = seen.encoding
        except ImportRefused as refused:
            raise ImportRefused(refused.reason, f"{source.name}: {refused}") from None
    report = FileReport(
        *(kind, source.name, made_at(source, run.clock), encoding, total, kept),
        rejected=dict(sorted(rejected.items())),
        dated_by="name" if source.is_stamped else "file",
    )
    _record(run, report, layout)


def _step(run: Run, size: int) -> None:
    run.step(size + (run.helper.progress() if run.helper and run.seen is None else 0))


def _read_moves(run: Run, rows: Rows) -> tuple[int, Counter[str]]:
    db = run.build.db
    run.build.index(["move"])
    total, rejected, new = read_moves(rows, Numbers(db, test=run.test), db)
    if run.before.parts:
        run.moved = apply_moves(db, new)
    return total, rejected


def _read_rows(run: Run, kind: Kind, rows: Rows, stream: BinaryIO, layout: str) -> tuple[Memory, Seen]:
    db = run.build.db
    numbers = Numbers(db, test=run.test)
    into: Loader = loader(db, rows.columns, numbers, run.highest)

    def again(encoding: str) -> Rows:
        stream.seek(0)
        return Rows(stream, kind, lambda _size: None, encoding)

    if kind in run.before.parts:
        old = Memory.load(db, kind)
        memory = read_changes(rows, into, old, same=run.before.layouts[kind] == layout)
        seen = Seen(rows.encoding, rows.too_long)
    elif run.helper and kind in run.helper.kinds:
        memory = Memory()
        if kind is Kind.PEOPLE:
            take_in(rows, into, memory)
        if run.seen is None:
            run.seen = run.helper.seen()
        seen = run.seen[kind]
        if kind is Kind.PEOPLE:
            seen = Seen(one_encoding(rows.encoding, seen.encoding), rows.too_long + seen.too_long)
        memory.extend(join(run.build, run.helper, kind, into.columns))
        into = loader(db, rows.columns, numbers, run.highest)
        settle(partial(again, seen.encoding), into, memory, run.build)
    else:
        memory = Memory()
        take_in(rows, into, memory)
        settle(partial(again, rows.encoding), into, memory, run.build)
        seen = Seen(rows.encoding, rows.too_long)
    run.touched[kind] = into.touched
    if isinstance(into, RowLoader) and kind is Kind.SKILLS:
        run.renamed |= into.people
    return memory, seen


def _layout(rows: Rows, *, test: bool) -> str:
    """What else decides what becomes of a line: the header, the encoding, whether fictive numbers are admitted."""
    return hashlib.sha256(f"{rows.header}\n{rows.encoding == 'cp1252'}\n{test}".encode()).hexdigest()[:32]


def _read_whitelist(run: Run, source: Source) -> None:
    with source.open() as stream:
        listed = whitelist.parse(stream.read(whitelist.MAX_BYTES + 1))
    run.step(source.size)
    made = listed.made_at or made_at(source, run.clock)
    guard_time(Kind.WHITELIST, source.name, made, run.before, run.clock, force=run.force)
    valid_until = listed.valid_until or made + whitelist.MAX_AGE
    if valid_until <= run.clock.now() and not run.force:
        raise ImportRefused("whitelist.expired", f"{source.name}: the white-list is no longer valid")
    db = run.build.db
    db.execute("DELETE FROM whitelist")
    db.executemany("INSERT INTO whitelist VALUES (?)", ((domain,) for domain in sorted(listed.domains)))
    run.build.note("whitelist_valid_until", to_millis(valid_until))
    count = len(listed.domains)
    dated = "content" if listed.made_at else "name" if source.is_stamped else "file"
    _record(run, FileReport(Kind.WHITELIST, source.name, made, "xml", count, count, dated_by=dated), "")


def _record(run: Run, report: FileReport, layout: str) -> None:
    run.files[report.kind] = report
    run.build.db.execute(
        "INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(report.kind, report.name, to_millis(report.made_at), report.dated_by),
            *(report.encoding, report.rows, report.kept, layout),
        ),
    )
