"""The import at national size: against the `sqlite3` shell doing the same job, its memory, the next day's, its readers.

The shell is given its best: no journal, no sync, the same page cache as ours, one index less, no search by profession,
town or misspelt name. Both write through to the disk at the end. Every import is a process of its own, as operators run
it. All times are by the wall clock and taken in turn on the same files.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from colloque.clock import monotonic
from colloque_demo.processes import memory_mib
from tests.bench import national
from tests.bench.result import Goal, Result, result

PAIRS = 3
_KIB = 16_000
_PRAGMAS = f"PRAGMA journal_mode = OFF;\nPRAGMA synchronous = OFF;\nPRAGMA cache_size = -{_KIB};\n"
_INDEXES = """
CREATE INDEX people_national ON people (c2);
CREATE INDEX mailbox_address ON mailbox (c1);
CREATE INDEX mailbox_national ON mailbox (c4);
CREATE VIRTUAL TABLE names USING fts5 (name, tokenize = "trigram");
INSERT INTO names SELECT DISTINCT c7 || ' ' || c8 FROM people;
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Seconds of one import of ours, of the shell's bare `.import`, and of the shell's whole job."""

    ours: float
    bare: float
    shell: float


def _files(folder: Path) -> tuple[Path, Path]:
    """People and mailboxes of one day."""
    [people] = folder.glob("PS_LibreAcces_Personne_activite_*.txt")
    [mailboxes] = folder.glob("Extraction_Correspondance_MSSante_*.txt")
    return people, mailboxes


@contextmanager
def _folder() -> Iterator[Path]:
    """On the disk that the sample lies on, not in memory."""
    national.KEPT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=national.KEPT, prefix="import-") as name:
        yield Path(name)


def _start(target: Path, source: Path) -> subprocess.Popen[bytes]:
    """An import of ours."""
    command = [sys.executable, "-m", "colloque.cli.main", "annuaire", "import", *map(str, _files(source))]
    return subprocess.Popen([*command, "--target", str(target)], stdout=subprocess.DEVNULL)


def _ours(target: Path, source: Path) -> float:
    began = monotonic()
    if _start(target, source).wait():
        raise RuntimeError("the import failed")
    return monotonic() - began


def _shell(target: Path, source: Path) -> tuple[float, float]:
    """Seconds of the bare `.import` of all columns, and of the whole job."""
    script = _PRAGMAS + '.mode ascii\n.separator "|" "\\n"\n'
    for table, path in zip(("people", "mailbox"), _files(source), strict=True):
        with path.open(encoding="utf-8") as lines:
            columns = ", ".join(f"c{n}" for n in range(next(lines).count("|") + 1))  # one more, after the last mark
        script += f"CREATE TABLE {table} ({columns});\n.import --skip 1 '{path}' {table}\n"
    began = monotonic()
    _sqlite(target, script)
    bare = monotonic() - began
    _sqlite(target, _PRAGMAS + _INDEXES)
    with target.open("rb") as written:
        os.fsync(written.fileno())
    return bare, monotonic() - began


def _sqlite(target: Path, script: str) -> None:
    done = subprocess.run(
        ["sqlite3", "-batch", str(target)], input=script.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        check=False,
    )  # fmt: skip
    if done.returncode or done.stderr:
        raise RuntimeError(f"the sqlite3 shell failed: {done.stderr[:200].decode(errors='replace')}")


@cache
def _pairs() -> list[Pair]:
    """Both arms in turn. Serves three benches."""
    if shutil.which("sqlite3") is None:
        raise RuntimeError("no sqlite3 shell is installed (Debian: sqlite3), so there is nothing to compare with")
    source, pairs = national.sample(), []
    for turn in range(PAIRS):
        with _folder() as folder:
            if turn % 2:
                bare, shell = _shell(folder / "shell.db", source)
                ours = _ours(folder / "ours.sqlite", source)
            else:
                ours = _ours(folder / "ours.sqlite", source)
                bare, shell = _shell(folder / "shell.db", source)
        pairs.append(Pair(ours, bare, shell))
        print(f"  ours {ours:.1f} s, .import {bare:.1f} s, the shell's whole job {shell:.1f} s", flush=True)
    return pairs


def _compared(name: str, peer: str, of: Callable[[Pair], float], goal: Goal | None) -> Result:
    ratios = sorted(pair.ours / of(pair) for pair in _pairs())
    ratio = sum(pair.ours for pair in _pairs()) / sum(of(pair) for pair in _pairs())
    return result(
        name, ratio, "wall clock, ours / peer", goal or Goal(float("inf")), peer=peer, interval=(ratios[0], ratios[-1])
    )


async def whole() -> Result:
    """Both files with every index and the search tables, against the shell: import, indexes, trigrams of names."""
    peer = "sqlite3 shell: .import, the same indexes, FTS5 trigrams"
    return _compared("directory-import", peer, lambda pair: pair.shell, Goal(1))


async def bare() -> Result:
    """The same against `.import` alone, which indexes and checks nothing; no goal."""
    return _compared("directory-import-bare", "sqlite3 shell: .import alone", lambda pair: pair.bare, None)


async def memory() -> Result:
    """MiB at most, of the import's processes together (shared pages counted once), looked at 20 times a second."""
    source, peaks = national.sample(), []
    with _folder() as folder:
        for target_source in (source, national.next_day()):  # the first import, then the next day's
            peaks.append(_peak(folder / "directory.sqlite", target_source))
            print(f"  {peaks[-1]:.0f} MiB", flush=True)
    return result("directory-import-memory", max(peaks), "MiB", Goal(200), interval=(max(peaks), max(peaks)))


def _peak(target: Path, source: Path) -> float:
    process = _start(target, source)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, memory_mib(_tree(process.pid)))
        time.sleep(0.05)
    if process.returncode:
        raise RuntimeError("the import failed")
    return peak


def _tree(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for parent in found:
        try:
            tasks = Path(f"/proc/{parent}/task").iterdir()
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


async def again() -> Result:
    """The day after, one row in a hundred being different, against the first import."""
    first, later = national.sample(), national.next_day()
    ratios, sums = [], [0.0, 0.0]
    for _ in range(PAIRS):
        with _folder() as folder:
            full = _ours(folder / "directory.sqlite", first)
            changed = _ours(folder / "directory.sqlite", later)
        print(f"  first {full:.1f} s, the day after {changed:.1f} s", flush=True)
        ratios.append(changed / full)
        sums = [sums[0] + changed, sums[1] + full]
    low, high = min(ratios), max(ratios)
    return result(
        "directory-reimport", sums[0] / sums[1], "wall clock, 1 % changed / first import", Goal(0.5),
        peer="our first import", interval=(low, high),
    )  # fmt: skip


async def swap() -> Result:
    """Milliseconds that 99 of 100 questions of a reader take at most while the day after is imported and put in place.

    The worse of two: over the whole import, and within a second of the swap.
    """
    asked, near = _read_meanwhile(national.sample(), national.next_day())
    p99 = [statistics.quantiles(some, n=100)[98] * 1000 for some in (asked, near)]
    print(f"  {len(asked)} questions, {p99[0]:.3f} ms; {len(near)} around the swap, {p99[1]:.3f} ms", flush=True)
    return result("directory-swap-p99", max(p99), "ms", Goal(5), interval=(min(p99), max(p99)))


def _read_meanwhile(first: Path, later: Path) -> tuple[list[float], list[float]]:
    """How long each answer took during the import, and within a second of the swap."""
    with _folder() as folder:
        target = folder / "directory.sqlite"
        _ours(target, first)
        old = target.stat().st_ino
        reader = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.directory_reader", str(target), str(_files(first)[0])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert reader.stdout is not None
        reader.stdout.readline()
        swapped: list[float] = []
        watching = threading.Thread(target=_watch, args=(target, old, swapped), daemon=True)
        watching.start()
        try:
            _ours(target, later)
            watching.join(timeout=10)
            time.sleep(1)
        finally:
            out, _ = reader.communicate(timeout=60)
    asked: list[tuple[float, float]] = json.loads(out)
    return [took for _, took in asked], [took for at, took in asked if abs(at - swapped[0]) < 1]


def _watch(target: Path, old: int, swapped: list[float]) -> None:
    """Notes when another file stands there."""
    while target.stat().st_ino == old:
        time.sleep(0.001)
    swapped.append(monotonic())
