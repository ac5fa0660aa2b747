"""One import at a time, in one step: killed anywhere, read meanwhile, it shows the old directory or the new one."""

from __future__ import annotations

import json
import shutil
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


DYING = """
import os, signal, sqlite3, sys
from pathlib import Path
from colloque.clock import SystemClock
from colloque.directory import parts
from colloque.directory.extract import import_files
left, count = int(sys.argv[4]), 0
def step(*_):
    global count
    count += 1
    if count > left:
        os.kill(os.getpid(), signal.SIGKILL)
real_connect, real_fsync = sqlite3.connect, os.fsync
def connect(database, **options):
    db = real_connect(database, **options)
    if ".importing" in str(database):
        db.set_trace_callback(step)
    return db
def fsync(handle):
    step()
    real_fsync(handle)
sqlite3.connect, os.fsync = connect, fsync
parts.WORTH = int(sys.argv[1])
import_files([Path(sys.argv[2])], Path(sys.argv[3]), SystemClock(), force=True)
print(count)
"""


@pytest.mark.parametrize("worth", [parts.WORTH, 0])
@pytest.mark.parametrize("first", [False, True])
def test_a_killed_import_leaves_the_old_directory_and_the_next_one_repairs(
    target: Path, new: Path, clock: FrozenClock, *, worth: int, first: bool
) -> None:
    """With and without a helper process (`worth`), over a directory in use and as the first import.

    Killed before a step: statements of SQL from its first write on, then two `fsync`. They are counted, for no import
    takes the same time twice. The old directory is there before all of them but the last, then the new one."""
    sample = write_sample(new / "big", 8_000, 1, datetime(2026, 3, 2, 6, 0, tzinfo=UTC))
    aside = target.with_name(f".{target.name}.importing")
    measured = new / "measured.sqlite"
    if first:
        target.unlink()
    else:
        shutil.copy(target, measured)
    before = None if first else target.read_bytes()

    def run(path: Path, left: int) -> subprocess.CompletedProcess[str]:
        """Import in a process of its own, killed after so many steps."""
        command = [sys.executable, "-c", DYING, str(worth), str(sample.folder), str(path), str(left)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    unkilled = run(measured, sys.maxsize)
    assert unkilled.returncode == 0, unkilled.stderr
    assert DirectoryFile(measured).freshness().people == 8_120
    steps = int(unkilled.stdout)
    for left in (*(int(part * steps) for part in (0.0, 0.2, 0.4, 0.6, 0.8, 0.95)), steps - 2):
        killed = run(target, left)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert aside.exists(), "killed while it was writing"
        if before is None:
            assert not target.exists()
        else:
            assert target.read_bytes() == before
            assert DirectoryFile(target).freshness().people == 40
    aside.write_bytes(b"half a file")
    import_files([sample.folder], target, clock)
    assert DirectoryFile(target).freshness().people == 8_120
    target.unlink()
    if before is not None:
        target.write_bytes(before)
    assert run(target, steps - 1).returncode == -signal.SIGKILL
    assert DirectoryFile(target).freshness().people == 8_120
    # `run` returns once a helper is at its end, too: it has our pipe.
    assert not any("importing" in path.name for path in target.parent.iterdir()), "something is left"


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
