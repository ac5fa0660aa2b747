"""The keeper's memory is for nobody else: no core, no look from outside."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import ctypes, os, resource, stat, sys
from colloque_mssante.keeper import close_memory
sys.stdout.write(str(close_memory()))
assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0, "PR_GET_DUMPABLE"
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
sys.stdout.flush()
os.abort()
"""


def test_a_crash_leaves_no_core(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGABRT, done.stderr
    assert done.stdout in {b"True", b"False"}
    assert list(tmp_path.iterdir()) == []


def test_without_its_section_there_is_nothing_to_keep(tmp_path: Path) -> None:
    config = tmp_path / "colloque.yaml"
    config.write_text("mode: test\n", encoding="utf-8")
    command = [sys.executable, "-m", "colloque_mssante.keeper", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 78
    assert b"is missing" in done.stderr
