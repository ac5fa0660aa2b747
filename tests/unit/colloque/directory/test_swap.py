"""One import at a time, in one step: killed anywhere, read meanwhile, it shows the old directory or the new one."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.directory import parts
from colloque.directory.build import only_one
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.sample import write_sample
from colloque.errors import Temporary
from tests.extracts import first_files, people


@pytest.fixture
def target(tmp_path: Path, clock: FrozenClock) -> Path:
    """A directory of 40 people and mailboxes, made on 1 March."""
    path = tmp_path / "directory.sqlite"
    import_files([first_files(tmp_path / "first")], path, clock)
    return path


@pytest.fixture
def new(tmp_path: Path) -> Path:
    folder = tmp_path / "new"
    folder.mkdir()
    return folder


def test_two_imports_never_run_at_once(target: Path, clock: FrozenClock, tmp_path: Path) -> None:
    with only_one(target), pytest.raises(Temporary, match="another import"):
        import_files([tmp_path / "first"], target, clock)
    import_files([tmp_path / "first"], target, clock)


IMPORT = """
import sys
from pathlib import Path
from colloque.clock import SystemClock
from colloque.directory import parts
from colloque.directory.extract import import_files
parts.WORTH = int(sys.argv[1])
import_files([Path(sys.argv[2])], Path(sys.argv[3]), SystemClock(), force=True)
"""


@pytest.mark.parametrize("worth", [parts.WORTH, 0])
@pytest.mark.parametrize("first", [False, True])
def test_a_killed_import_leaves_the_old_directory_and_the_next_one_repairs(
    target: Path, new: Path, clock: FrozenClock, *, worth: int, first: bool
) -> None:
    """With and without a helper process (`worth`), over a directory in use and as the first import.

    Killed at six points from its first write on: each time the old directory or, at the very end, the new one."""
    sample = write_sample(new / "big", 8_000, 1, datetime(2026, 3, 2, 6, 0, tzinfo=UTC))
    aside = target.with_name(f".{target.name}.importing")
    command = [sys.executable, "-c", IMPORT, str(worth), str(sample.folder)]

    def run(path: Path, kill_after: float) -> float:
        """Import in a process of its own, killed that long after its first write; how long it lived after that."""
        other = path.with_name(f".{path.name}.importing")
        process = subprocess.Popen([*command, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 30
            while not other.exists() or other.stat().st_size == 0:
                assert process.poll() is None
                assert time.monotonic() < end, "the import does not write"
            wrote = time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=kill_after)
            return time.monotonic() - wrote
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=30)

    whole = run(new / "measured.sqlite", 60)
    assert DirectoryFile(new / "measured.sqlite").freshness().people == 8_120
    if first:
        target.unlink()
    before, killed = None if first else target.read_bytes(), 0
    for part in (0.0, 0.2, 0.4, 0.6, 0.8, 0.95):
        aside.unlink(missing_ok=True)  # what the round before left: it would pass for a first write
        run(target, part * whole)
        if before is None and not target.exists():
            killed += 1
        elif target.exists() and target.read_bytes() == before:
            killed += 1
            assert aside.exists(), "killed while it was writing"
            assert DirectoryFile(target).freshness().people == 40
        else:
            assert DirectoryFile(target).freshness().people == 8_120
            if first:
                target.unlink()
    assert killed >= 3
    aside.write_bytes(b"half a file")
    import_files([sample.folder], target, clock)
    assert DirectoryFile(target).freshness().people == 8_120
    end = time.monotonic() + 30
    while any("importing" in path.name for path in target.parent.iterdir()):  # a killed import's helper is at its end
        assert time.monotonic() < end, "something is left"
        time.sleep(0.05)


def test_a_reader_sees_the_old_or_the_new_directory_and_never_neither(
    target: Path, new: Path, clock: FrozenClock
) -> None:
    script = (
        "import json, pathlib, sys\n"
        "from colloque.directory.file import DirectoryFile\n"
        "d = DirectoryFile(pathlib.Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "seen = set()\n"
        "while 44 not in seen: seen.add(d.freshness().people)\n"
        "print(json.dumps(sorted(seen)))\n"
    )
    reader = subprocess.Popen([sys.executable, "-c", script, str(target)], stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    for count in (41, 42, 43, 44):
        import_files([people(new, count)], target, clock)
    try:
        out, _ = reader.communicate(timeout=30)
    finally:
        reader.kill()
    assert reader.returncode == 0
    assert set(json.loads(out)) <= {40, 41, 42, 43, 44}


def test_time_is_not_wasted(target: Path, new: Path, clock: FrozenClock) -> None:
    """A coarse bound on the whole path: some 20,000 rows a second on a slow machine."""
    sample = write_sample(new / "s", 5000, 1, datetime(2026, 3, 2, 6, 0, tzinfo=UTC))
    before = time.process_time()
    import_files([sample.folder], target, clock)
    assert time.process_time() - before < 3
