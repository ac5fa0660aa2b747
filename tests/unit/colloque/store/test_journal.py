"""The journal on a real disk: crashes, full disks, two writers, hands that meddle."""

from __future__ import annotations

import collections
import errno
import os
import random
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from colloque.audit import GENESIS, Phase, read_line, verify_lines
from colloque.clock import FrozenClock, to_millis
from colloque.errors import Inconsistent, Tampered, Temporary
from colloque.store.journal import Journal

REF, ROOM = "c3" * 10, "d4" * 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "salles.journal"


@pytest.fixture
def journal(path: Path, clock: FrozenClock) -> Iterator[Journal]:
    opened = Journal.open(path, clock)
    yield opened
    opened.close()


def check(path: Path) -> int:
    """The number of entries, all of which hold."""
    with path.open("rb") as lines:
        verdict = verify_lines(lines)
    assert verdict.ok, verdict
    return verdict.count


def test_an_act_is_there_before_and_after(path: Path, journal: Journal, clock: FrozenClock) -> None:
    act = journal.begin("room.erase", actor="@anne:h.example", room=ROOM, ref=REF, files=3)
    clock.advance(seconds=5)
    assert [e.act for e in journal.open_intents()] == [act]
    journal.end(act, "erased", left=0)
    assert journal.open_intents() == ()
    journal.note("service.stop")
    first, second, third = (read_line(line) for line in path.read_bytes().splitlines(keepends=True))
    assert (first.phase, first.at, first.facts) == (Phase.INTENT, to_millis(clock.now()) - 5000, {"files": 3})
    assert (second.phase, second.act, second.outcome) == (Phase.RESULT, act, "erased")
    assert (second.actor, second.room, second.ref) == ("@anne:h.example", ROOM, REF)
    assert (third.kind, third.actor) == ("service.stop", "system")
    assert journal.head == third.hash


def test_a_result_may_bring_the_room_that_was_not_known_before(path: Path, journal: Journal) -> None:
    journal.end(journal.begin("room.open", ref=REF), "opened", room=ROOM)
    assert read_line(path.read_bytes().splitlines(keepends=True)[1]).room == ROOM


def test_it_is_private_from_birth(path: Path, clock: FrozenClock) -> None:
    before = os.umask(0)
    try:
        Journal.open(path, clock).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_journal_that_others_may_read_is_refused(path: Path, clock: FrozenClock) -> None:
    path.touch(0o644)
    path.chmod(0o644)
    with pytest.raises(Inconsistent, match="0600"):
        Journal.open(path, clock)


def test_a_symbolic_link_is_not_followed(path: Path, clock: FrozenClock) -> None:
    path.symlink_to("/dev/null")
    with pytest.raises(Temporary):
        Journal.open(path, clock)


def test_what_was_open_is_open_again_after_a_crash(path: Path, journal: Journal, clock: FrozenClock) -> None:
    act = journal.begin("mail.send", ref=REF)
    journal.begin("mail.send")
    journal.close()
    again = Journal.open(path, clock)
    assert [(e.kind, e.ref) for e in again.open_intents()] == [("mail.send", REF), ("mail.send", "")]
    assert again.begin("mail.send", ref=REF) == act
    again.end(act, "sent")
    assert again.begin("mail.send", ref=REF) != act
    again.close()


def test_only_the_same_kind_and_ref_are_the_same_act(journal: Journal) -> None:
    acts = {
        journal.begin("mail.send", ref=REF),
        journal.begin("mail.send", ref="e5" * 10),
        journal.begin("mail.read", ref=REF),
        journal.begin("mail.send"),
        journal.begin("mail.send"),
    }
    assert len(acts) == 5


def test_an_act_ends_once(journal: Journal) -> None:
    act = journal.begin("mail.send")
    journal.end(act, "sent")
    with pytest.raises(Inconsistent):
        journal.end(act, "sent")
    with pytest.raises(Inconsistent):
        journal.end("99", "sent")


def test_what_is_not_fit_leaves_no_trace(path: Path, journal: Journal) -> None:
    with pytest.raises(ValueError, match="room"):
        journal.begin("room.erase", room="!abc:h.example")
    with pytest.raises(ValueError, match="facts"):
        journal.note("room.erase", name="Anne Dupont")
    assert path.read_bytes() == b""
    assert journal.head == GENESIS


def test_a_second_writer_is_told_so(path: Path, journal: Journal, clock: FrozenClock) -> None:
    with pytest.raises(Inconsistent, match="another process"):
        Journal.open(path, clock)
    journal.note("still.mine")


def test_a_torn_line_is_set_aside_and_noted(path: Path, journal: Journal, clock: FrozenClock) -> None:
    journal.note("service.start")
    journal.close()
    whole = path.read_bytes()
    for number, torn in enumerate((b'{"act":"","act', b"\0" * 40, b"x"), start=1):
        with path.open("ab") as out:
            out.write(torn)
        Journal.open(path, clock).close()
        aside = path.with_name(f"{path.name}.torn-{number}")
        assert aside.read_bytes() == torn
        assert stat.S_IMODE(aside.stat().st_mode) == 0o600
        last = read_line(path.read_bytes().splitlines(keepends=True)[-1])
        assert (last.kind, last.facts) == ("journal.torn", {"file": number, "bytes": len(torn)})
    assert path.read_bytes().startswith(whole)
    assert check(path) == 4


def test_a_crash_while_setting_aside_is_repaired(path: Path, journal: Journal, clock: FrozenClock) -> None:
    journal.note("service.start")
    journal.close()
    whole = path.read_bytes()
    aside = path.with_name(f"{path.name}.torn-1")
    aside.write_bytes(b'{"n"')
    path.write_bytes(whole + b'{"n"')  # died after the copy, before the cut
    Journal.open(path, clock).close()
    assert check(path) == 2
    path.write_bytes(whole)  # died after the cut, before the note
    Journal.open(path, clock).close()
    assert check(path) == 2
    Journal.open(path, clock).close()
    assert check(path) == 2
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name, aside.name]


@pytest.mark.parametrize("change", ["edit", "drop"])
def test_a_broken_chain_stops_the_service_and_is_left_alone(
    path: Path, journal: Journal, clock: FrozenClock, change: str
) -> None:
    for _ in range(4):
        journal.note("service.start")
    journal.close()
    whole = path.read_bytes().splitlines(keepends=True)
    broken = b"".join([whole[0].replace(b"start", b"stark"), *whole[1:]] if change == "edit" else whole[1:])
    path.write_bytes(broken)
    with pytest.raises(Tampered, match="line 1"):
        Journal.open(path, clock)
    assert path.read_bytes() == broken


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond 1,000 bytes; writing stops in mid-line, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_stops_the_act_and_leaves_the_journal_sound(path: Path, journal: Journal, full_disk: None) -> None:
    with pytest.raises(Temporary, match="can't be written"):
        collections.deque(journal.begin("mail.send") for _ in range(10))
    written = len(journal.open_intents())
    assert written >= 2
    assert check(path) == written
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    journal.note("space.again")
    assert check(path) == written + 1


def test_after_a_failed_fsync_nothing_is_written_until_it_is_read_again(
    path: Path, journal: Journal, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.note("service.start")

    def failing(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(Temporary, match="durable"):
            journal.begin("mail.send")
    with pytest.raises(Temporary):
        journal.begin("mail.send")
    assert journal.problem
    assert journal.open_intents() == ()
    journal.close()
    again = Journal.open(path, clock)
    again.note("service.start")
    again.close()
    assert check(path) == 2


@pytest.mark.parametrize("how", ["removed", "renamed", "cut", "grown"])
def test_a_file_that_somebody_else_changed_takes_nothing_more(path: Path, journal: Journal, how: str) -> None:
    journal.note("service.start")
    match how:
        case "removed":
            path.unlink()
        case "renamed":
            path.rename(path.with_suffix(".1"))
            path.touch(0o600)
        case "cut":
            path.write_bytes(b"")
        case _:
            with path.open("ab") as out:
                out.write(b"x")
    with pytest.raises(Temporary, match="somebody else"):
        journal.note("service.stop")


def test_a_closed_journal_takes_nothing(journal: Journal) -> None:
    journal.close()
    journal.close()
    with pytest.raises(Temporary, match="closed"):
        journal.note("service.stop")


WRITER = """
import sys
from pathlib import Path
from colloque.clock import SystemClock
from colloque.store.journal import Journal
journal = Journal.open(Path(sys.argv[1]), SystemClock())
for entry in journal.open_intents():
    journal.end(entry.act, "interrupted")
print("ready", flush=True)
while True:
    act = journal.begin("mail.send")
    print(act, flush=True)
    journal.end(act, "sent")
"""


def test_kill_9_at_any_moment_loses_no_acknowledged_entry(path: Path) -> None:
    chance = random.Random(7)
    for _ in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        acknowledged = [writer.stdout.readline() for _ in range(chance.randrange(1, 40))]
        writer.kill()
        acknowledged += [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
        writer.wait()
        writer.stdout.close()
        data = path.read_bytes()
        entries = [read_line(line) for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True)]
        begun = {e.act for e in entries if e.phase is Phase.INTENT}
        assert {line.decode().strip() for line in acknowledged} <= begun
