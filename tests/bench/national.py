"""The country's sample and its directory, which several benches need: made once, kept in `.bench`.

COLLOQUE_BENCH_PEOPLE=20000 makes a smaller country: to try a bench, never to judge by it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from colloque import directory as package
from colloque.clock import FrozenClock
from colloque.directory.extract import import_files
from colloque.directory.sample import write_sample

PEOPLE = int(os.environ.get("COLLOQUE_BENCH_PEOPLE", "1300000"))
CHANGED = 0.01
SEED = 1
MADE = datetime(2026, 3, 1, 5, 30, tzinfo=UTC)
KEPT = Path(".bench").resolve()
CODE = Path(package.__file__).parent


def sample() -> Path:
    """A folder with the extractions of one day."""
    return _once("sample", "sample*.py", lambda out: write_sample(out, PEOPLE, SEED, MADE))


def next_day() -> Path:
    """A folder with the extractions of the day after: one row in a hundred differs."""
    made = MADE + timedelta(days=1)
    return _once("next", "sample*.py", lambda out: write_sample(out, PEOPLE, SEED, made, changed=CHANGED))


def directory() -> Path:
    """The directory's SQLite file, imported from `sample()`. Open it for reading only: others use it too."""
    source = sample()

    def make(out: Path) -> None:
        out.mkdir()
        import_files([source], out / "directory.sqlite", clock())

    return _once("directory", "*.py", make) / "directory.sqlite"


def clock() -> FrozenClock:
    """An hour after the second day's extraction: nothing is old, nothing in the future."""
    return FrozenClock(MADE + timedelta(days=1, hours=1))


def _once(what: str, code: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` fills; an older one, or one that a crash left, is made again."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(CODE.glob(code)))).hexdigest()[:12]
    prefix = f"{what}-{PEOPLE}"
    folder = KEPT / f"{prefix}-{digest}"
    print(f"{what} of {PEOPLE:,} people: {folder.name}", flush=True)
    if not folder.exists():
        for old in KEPT.glob(f"{prefix}-*"):
            shutil.rmtree(old)
        KEPT.mkdir(exist_ok=True)
        part = KEPT / f"{prefix}-part"
        make(part)
        part.rename(folder)
    return folder
