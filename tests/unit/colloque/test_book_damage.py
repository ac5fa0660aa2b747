"""The snapshot and its changes: what readers refuse, and what a dying writer leaves."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from colloque import signed
from colloque.attestation import Change
from colloque.book import AttestationBook, changes_of
from colloque.files import write_private
from colloque.snapshot import SnapshotWriter
from tests.attested import KEY, NOW, held, user, whole


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshot"


@pytest.fixture
def writer(path: Path) -> SnapshotWriter:
    return SnapshotWriter(path, KEY)


@pytest.fixture
def book(path: Path) -> AttestationBook:
    return AttestationBook(path, KEY)


def spoil_mac(data: bytes) -> bytes:
    return (b"0" if data[:1] != b"0" else b"1") + data[1:]


DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda data: data[:-5] + b"\n",
    lambda data: data.replace("Élise".encode(), b"Denis"),
    spoil_mac,
    lambda _: b"",
    lambda _: b"\xff\xfe\n",
    lambda data: data + data.splitlines(keepends=True)[-1],
    lambda data: b"".join(reversed(data.splitlines(keepends=True))),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_snapshot_is_not_taken_and_the_last_good_one_stays(
    path: Path, damage: Callable[[bytes], bytes]
) -> None:
    book = AttestationBook(path, KEY)
    write_private(path, signed.encode(whole(held(1), serial=1), KEY))
    assert book.of(user(1), NOW) == held(1)
    data = signed.encode(whole(held(2), held(3), serial=2), KEY)
    write_private(path, damage(data))
    assert book.of(user(1), NOW) == held(1)
    assert book.of(user(2), NOW) is None
    assert book.problem.startswith("the snapshot file is not usable")
    write_private(path, data)
    assert (book.of(user(1), NOW), book.of(user(2), NOW), book.problem) == (None, held(2), "")


@pytest.mark.parametrize("damage", [*DAMAGES[1:3], DAMAGES[5], DAMAGES[6]])
def test_edited_changes_are_not_taken(
    writer: SnapshotWriter, book: AttestationBook, path: Path, damage: Callable[[bytes], bytes]
) -> None:
    writer.publish(whole(held(1)))
    assert book.all(NOW) == [held(1)]
    writer.change(2, NOW, Change(attested=(held(2),)))
    writer.change(3, NOW, Change(ended=(user(1),)))
    changes = changes_of(path)
    good = changes.read_bytes()
    write_private(changes, damage(good))
    starting = AttestationBook(path, KEY)
    for reader in (book, starting):
        assert {a.user for a in reader.all(NOW)} in ({user(1)}, {user(1), user(2)}, {user(2)})
    assert starting.problem != ""
    write_private(changes, good)
    for reader in (book, starting):
        assert reader.all(NOW) == [held(2)]
        assert reader.problem == ""


def test_half_a_line_waits_for_the_rest(writer: SnapshotWriter, book: AttestationBook, path: Path) -> None:
    writer.publish(whole(held(1)))
    book.refresh()
    writer.change(2, NOW, Change(attested=(held(2),)))
    changes = changes_of(path)
    good = changes.read_bytes()
    write_private(changes, good[:-40])
    assert (book.of(user(2), NOW), book.problem) == (None, "")
    write_private(changes, good)
    assert book.of(user(2), NOW) == held(2)


def test_nothing_goes_back(writer: SnapshotWriter, book: AttestationBook, path: Path) -> None:
    writer.publish(whole(held(1)))
    old, old_changes = path.read_bytes(), changes_of(path).read_bytes()
    writer.change(2, NOW, Change(ended=(user(1),)))
    assert book.of(user(1), NOW) is None
    write_private(changes_of(path), old_changes)
    assert book.of(user(1), NOW) is None
    assert book.problem != ""
    book.problem = ""
    write_private(path, old)
    changes_of(path).unlink()
    assert book.of(user(1), NOW) is None
    assert book.problem != ""


def test_changes_of_another_snapshot_are_left_alone(writer: SnapshotWriter, path: Path) -> None:
    writer.publish(whole(held(1)))
    writer.change(2, NOW, Change(attested=(held(2),)))
    write_private(path, signed.encode(whole(held(3), serial=3), KEY))  # Killed before it began a new file of changes.
    book = AttestationBook(path, KEY)
    assert book.all(NOW) == [held(3)]
    again = SnapshotWriter(path, KEY)
    again.publish(whole(held(3), held(4), serial=4))
    assert set(book.all(NOW)) == {held(3), held(4)}


@pytest.mark.parametrize("which", ["snapshot", "changes"])
def test_files_that_others_can_read_are_not_taken(writer: SnapshotWriter, path: Path, which: str) -> None:
    writer.publish(whole(held(1)))
    writer.change(2, NOW, Change(ended=(user(1),)))
    (path if which == "snapshot" else changes_of(path)).chmod(0o640)
    book = AttestationBook(path, KEY)
    book.refresh()
    assert book.problem == "the snapshot file is not usable: Tampered"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_files_of_somebody_else_are_not_taken(writer: SnapshotWriter, book: AttestationBook, path: Path) -> None:
    writer.publish(whole(held(1)))
    os.chown(path, 12345, 12345)
    assert book.of(user(1), NOW) is None
    assert book.problem == "the snapshot file is not usable: Tampered"


def test_another_key_opens_nothing(writer: SnapshotWriter, path: Path) -> None:
    writer.publish(whole(held(1)))
    book = AttestationBook(path, b"x" * 32)
    assert book.of(user(1), NOW) is None


def test_without_a_file_nobody_is_known_and_an_outage_forgets_nobody(
    writer: SnapshotWriter, book: AttestationBook, path: Path
) -> None:
    assert book.of(user(1), NOW) is None
    assert book.problem == "the snapshot file is missing"
    writer.publish(whole(held(1)))
    assert book.of(user(1), NOW) == held(1)
    path.unlink()
    changes_of(path).unlink()
    assert book.of(user(1), NOW) == held(1)
    assert book.problem == "the snapshot file is missing"


# A writer that dies

DYING = """
import sys
from pathlib import Path
from datetime import UTC, datetime
import os
from tests.attested import KEY, NOW, held, whole
from colloque.attestation import Change
from colloque.snapshot import SnapshotWriter
left = int(sys.argv[2])
real = os.write, os.fsync
count = 0
def step(*_):
    global count
    count += 1
    if count > left:
        os.kill(os.getpid(), 9)
sys.setprofile(lambda frame, event, arg: step() if event == "c_call" and frame.f_code.co_filename.endswith(
    ("colloque/snapshot.py", "colloque/files.py")) else None)
writer = SnapshotWriter(Path(sys.argv[1]), KEY)
writer.publish(whole(held(1), serial=2))
writer.change(3, NOW, Change(attested=(held(2),)))
writer.change(4, NOW, Change(ended=(held(1).user,)))
sys.setprofile(None)
print("done")
"""


def test_a_writer_killed_anywhere_leaves_what_readers_can_use(path: Path) -> None:
    """Killed before each of its calls into the system, one run a call; readers follow all along."""
    allowed = [{user(9)}, {user(1)}, {user(1), user(2)}, {user(2)}]
    root = Path(__file__).parents[3]
    for left in [*range(12), *random.Random(7).sample(range(12, 60), 6), 10_000]:
        for old in (path, changes_of(path)):
            old.unlink(missing_ok=True)
        SnapshotWriter(path, KEY).publish(whole(held(9)))
        book = AttestationBook(path, KEY)
        assert {a.user for a in book.all(NOW)} == {user(9)}
        done = subprocess.run(
            [sys.executable, "-c", DYING, str(path), str(left)], cwd=root, capture_output=True, timeout=60, check=False
        )
        assert (b"done" in done.stdout) or done.returncode == -9, done.stderr.decode()
        for reader in (book, AttestationBook(path, KEY)):
            assert {a.user for a in reader.all(NOW)} in allowed
        SnapshotWriter(path, KEY).publish(whole(held(2), serial=5))
        for reader in (book, AttestationBook(path, KEY)):
            assert reader.all(NOW) == [held(2)]
            assert reader.problem == ""


def test_a_file_of_changes_cut_at_any_byte_is_read_as_far_as_it_is_whole(writer: SnapshotWriter, path: Path) -> None:
    writer.publish(whole(held(1)))
    writer.change(2, NOW, Change(attested=(held(2),)))
    writer.change(3, NOW, Change(ended=(user(1),)))
    changes = changes_of(path)
    good = changes.read_bytes()
    ends = [good.index(b"\n") + 1, good.index(b"\n", good.index(b"\n") + 1) + 1, len(good)]
    wanted = [{user(1)}, {user(1), user(2)}, {user(2)}]
    for cut in range(0, len(good) + 1, 7):
        write_private(changes, good[:cut])
        book = AttestationBook(path, KEY)
        whole_lines = sum(cut >= end for end in ends)
        assert {a.user for a in book.all(NOW)} == wanted[max(0, whole_lines - 1)]
        assert book.problem == ""
        SnapshotWriter(path, KEY).publish(whole(held(5), serial=9))
        assert book.all(NOW) == [held(5)], "the writer goes on after whatever was left"
        write_private(path, signed.encode(whole(held(1)), KEY))
