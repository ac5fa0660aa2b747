"""The demo's folder: taken once, made afresh, never somebody else's."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from colloque_demo import processes
from colloque_demo.layout import MARKER, Busy, Layout


@pytest.fixture
def layout(tmp: Path):
    found = Layout(tmp / "demo")
    yield found
    found.close()


def test_everything_is_private_and_sockets_have_a_short_path(layout: Layout):
    layout.open()
    assert layout.root.stat().st_mode & 0o077 == 0
    assert layout.sockets.stat().st_mode & 0o077 == 0
    assert len(str(layout.sockets / "annuaire.sock")) < 107
    assert (layout.root / "sockets").readlink() == layout.sockets


def test_closing_leaves_logs_and_removes_what_gives_access(layout: Layout):
    layout.open()
    layout.access.touch()
    (layout.logs / "synapse.log").touch()
    sockets = layout.sockets
    layout.close()
    assert not layout.access.exists()
    assert not sockets.exists()
    assert (layout.logs / "synapse.log").exists()


def test_an_old_demo_is_cleared_away(layout: Layout):
    layout.open()
    (layout.synapse / "homeserver.db").touch()
    layout.report.touch()
    layout.close()
    layout.open()
    assert not layout.report.exists()
    assert not (layout.synapse / "homeserver.db").exists()


def test_a_demo_that_still_runs_there_is_left_alone(layout: Layout):
    layout.open()
    layout.report.touch()
    with pytest.raises(Busy, match=str(os.getpid())):
        Layout(layout.root).open()
    assert layout.report.exists()


def test_a_foreign_folder_is_left_alone(layout: Layout):
    layout.root.mkdir()
    (layout.root / "thesis.odt").touch()
    with pytest.raises(Busy, match="not made by the demo"):
        layout.open()
    assert (layout.root / "thesis.odt").exists()
    (layout.root / "thesis.odt").unlink()
    layout.open()


def test_a_clearing_cut_short_is_finished(layout: Layout):
    layout.open()
    layout.close()
    for entry in layout.root.iterdir():
        if entry.name != MARKER and entry.is_dir():
            entry.rename(layout.root / f"half-{entry.name}")
    layout.open()
    assert not list(layout.root.glob("half-*"))


def test_what_a_killed_demo_left_is_ended_and_removed(layout: Layout):
    layout.open()
    child = subprocess.Popen(["/bin/sleep", "600"])
    layout.note_processes({"salles": child.pid})
    old_sockets, known = layout.sockets, layout.processes.read_text()
    layout.close()
    # As if `close` had never run: a kill leaves both.
    layout.processes.write_text(known)
    old_sockets.mkdir()
    (layout.root / "sockets").symlink_to(old_sockets)
    again = Layout(layout.root)
    again.open()
    try:
        assert child.wait(10) == -signal.SIGKILL
        assert not old_sockets.exists()
    finally:
        again.close()


def test_a_pid_given_to_somebody_else_is_not_killed(layout: Layout):
    layout.open()
    stranger = subprocess.Popen(["/bin/sleep", "600"])
    start = processes.started_at(stranger.pid)
    assert start is not None
    layout.close()
    layout.processes.write_text(json.dumps({"salles": [stranger.pid, start - 1]}))
    layout.open()
    try:
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_the_lock_falls_with_the_process(layout: Layout):
    code = (
        "import sys, time; from pathlib import Path; from colloque_demo.layout import Layout; "
        f"Layout(Path({str(layout.root)!r})).open(); print('open', flush=True); time.sleep(600)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(Busy, match=str(other.pid)):
            layout.open()
    finally:
        other.kill()
        other.communicate()
    layout.open()
