"""`colloque annuaire diff OLD NEW`: what differs between two days."""

from __future__ import annotations

import argparse
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from colloque.cli import directory_text as told
from colloque.cli.directory_say import say, say_json
from colloque.cli.exits import NoInput
from colloque.clock import SystemClock
from colloque.directory.difference import Change, difference
from colloque.directory.engine import is_ours, open_read_only
from colloque.directory.extract import import_files
from colloque.errors import BadInput

_SIGNS = {"added": "+", "changed": "~", "gone": "-"}
_MAGIC = b"SQLite format 3\0"


def run_diff(args: argparse.Namespace) -> int:
    """Each person and mailbox that was added, changed, or is gone, then how many."""
    counts: Counter[str] = Counter()
    listed: list[dict[str, str | None]] = []
    with _as_directory(args.old) as old, _as_directory(args.new) as new:
        for change in difference(old, new):
            counts[f"{change.subject}.{change.what}"] += 1
            if args.json:
                listed.append(_plain(change))
            else:
                say(_line(change))
    if args.json:
        say_json({"counts": counts, "changes": listed})
    else:
        say(told.changes(counts))
    return 0


def _line(change: Change) -> str:
    who = change.address or _number(change.national)
    before = f" (before: {_number(change.former)})" if change.former else ""
    return f"{_SIGNS[change.what]} {change.subject} {who}{before}"


def _plain(change: Change) -> dict[str, str | None]:
    numbers = {"number": _number(change.national), "former": _number(change.former)}
    return {"subject": change.subject, "what": change.what, **numbers, "address": change.address}


def _number(national: str | None) -> str | None:
    """RPPS or ADELI number, as people know it."""
    return national[1:] if national else None


@contextmanager
def _as_directory(path: Path) -> Iterator[Path]:
    """A directory file as it is; extractions imported aside. Raises BadInput, NoInput, ImportRefused."""
    if _is_sqlite(path):
        if not _is_directory(path):
            raise BadInput(f"{path}: not a directory file of this version")
        yield path
        return
    with TemporaryDirectory(prefix="colloque-") as folder:
        target = Path(folder) / "directory.sqlite"
        import_files([path], target, SystemClock(), force=True)
        yield target


def _is_sqlite(path: Path) -> bool:
    if path.is_dir():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise NoInput(path, error.strerror) from None


def _is_directory(path: Path) -> bool:
    try:
        with closing(open_read_only(path)) as db:
            return is_ours(db)
    except sqlite3.Error:
        return False
