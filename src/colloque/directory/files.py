"""Reads one extraction into the new directory file: whole the first time, later only the lines that are not as before.

Both ways end in the same directory. Whoever a changed line speaks of is forgotten and read again from all of their
lines, in the file's order, by the code that reads the whole file; whoever has none left is gone.
"""

from __future__ import annotations

import gc
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from colloque.directory.attached import RowLoader
from colloque.directory.build import Build
from colloque.directory.columns import Columns, ImportRefused, Kind
from colloque.directory.lines import Matching, Memory, digests
from colloque.directory.mailboxes import MailboxLoader
from colloque.directory.people import PeopleLoader
from colloque.directory.records import REASONS, WIDTH, Numbers
from colloque.directory.rows import Rows


class Loader(Protocol):
    """Puts the lines of one kind of file into the tables it owns."""

    touched: bytearray

    @property
    def tables(self) -> Sequence[str]:
        """What it fills."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """By table, what to select to take its rows over when ids grow by `{0}`."""
        ...

    def feed(self, texts: list[str]) -> list[int]:
        """Take in lines; what came of each."""
        ...

    def touch(self, texts: list[str]) -> None:
        """These lines are new: flag whoever they speak of and is known."""
        ...

    def doubles(self) -> bool:
        """After a first reading: forget whoever was taken for several, flag them, say whether there was anybody."""
        ...

    def forget(self) -> None:
        """Drop what hangs on whoever is flagged; lines fed from now on may speak of somebody known."""
        ...

    def finish(self) -> None:
        """All is fed."""
        ...


def loader(db: sqlite3.Connection, columns: Columns, numbers: Numbers, highest: int = 0) -> Loader:
    """The one for that kind of file; `highest`: an id that new people's are above."""
    if columns.kind is Kind.PEOPLE:
        return PeopleLoader(db, columns, numbers, highest)
    if columns.kind is Kind.MAILBOXES:
        return MailboxLoader(db, columns, numbers)
    return RowLoader(db, columns, numbers)


def take_in(rows: Rows, into: Loader, memory: Memory) -> None:
    """Every line, into tables that hold nothing of this kind yet."""
    with _no_collector():
        for lines in rows.blocks():
            memory.digests.extend(digests(lines))
            memory.refs.extend(into.feed(rows.texts(lines)))


@contextmanager
def _no_collector() -> Iterator[None]:
    """Millions of lists come and go here, none in a cycle: looking for cycles among them costs a tenth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def settle(again: Callable[[], Rows], into: Loader, memory: Memory, build: Build) -> None:
    """After `take_in`: indexes the tables. `again` serves when rows of one person do not follow each other."""
    build.index(into.tables)
    if into.doubles():
        rows = again()
        sizes = [len(lines) for lines in rows.unchecked()]
        _again(rows, sizes, into, memory, bytearray(len(memory.refs)))


def read_changes(rows: Rows, into: Loader, old: Memory, *, same: bool) -> Memory:
    """Only what `old`, the memory of the file that the tables were filled from, does not hold.

    `same`: whether the same line means the same in both files.
    """
    memory, matching = Memory(), Matching(old if same else Memory())
    sizes, fresh = [], bytearray()
    # With `same` a matched line was held against the same encoding when it was first read.
    trusted = same and rows.decided
    with _no_collector():
        for lines in rows.unchecked():
            sizes.append(len(lines))
            found = digests(lines)
            memory.digests.extend(found)
            refs, missed = matching.match(found)
            memory.refs.extend(refs)
            flags = bytearray(len(lines))
            if missed:
                new = [lines[n] for n in missed]
                rows.check(new if trusted else lines)
                into.touch(rows.texts(new))
                for n in missed:
                    flags[n] = 1
            elif not trusted:
                rows.check(lines)
            fresh.extend(flags)
    touched = into.touched
    for ref, unseen in zip(old.refs, matching.unseen if same else bytes([1]) * len(old.refs), strict=True):
        if unseen and ref > 0:
            touched[ref] = 1
    into.forget()
    _again(rows, sizes, into, memory, fresh)
    into.finish()
    return memory


def _again(rows: Rows, sizes: list[int], into: Loader, memory: Memory, fresh: bytearray) -> None:
    """Reads the lines of whoever is touched, and those flagged in `fresh`, and corrects their refs.

    `sizes`: lines in each block of `rows`. Blocks without any such line are not read.
    """
    touched, refs = into.touched, memory.refs
    flagged = bytearray(flag or (ref > 0 and touched[ref]) for flag, ref in zip(fresh, refs, strict=True))
    start = 0
    with _no_collector():
        for number, size in enumerate(sizes):
            part = flagged[start : start + size]
            if 1 in part:
                lines = rows.again(number)
                if len(lines) != size:
                    raise ImportRefused("file.changed", "the file was written to while it was read")
                wanted = [n for n, flag in enumerate(part) if flag]
                for n, ref in zip(wanted, into.feed(rows.texts([lines[n] for n in wanted])), strict=True):
                    refs[start + n] = ref
            start += size


def tally(memory: Memory, too_long: int) -> tuple[int, int, Counter[str]]:
    """Rows in the file, rows kept, rows kept out by reason: the first is always the sum of the others.

    Raises ImportRefused when the last line is not whole, which a cut file shows.
    """
    if memory.refs and memory.refs[-1] == WIDTH:
        raise ImportRefused("file.truncated", "the file's last row is not whole: the file was cut")
    counts = Counter(ref for ref in memory.refs if ref < 0)
    rejected = Counter({REASONS[-1 - ref]: count for ref, count in counts.items()})
    if too_long:
        rejected["row.too_long"] = too_long
    total = len(memory.refs) + too_long
    return total, total - rejected.total(), rejected
