"""Files that must not be trusted: refused with the reason, and what was loaded stays."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.directory.columns import ImportRefused, Kind
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.sample import write_sample
from colloque.identity import Rpps
from tests.extracts import NEXT, boxes, first_files, header, people, person, rpps, text, whitelist_xml


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


def refused(paths: list[Path], target: Path, clock: FrozenClock, *, force: bool = False) -> str:
    before = target.read_bytes()
    names = sorted(p.name for p in target.parent.iterdir())
    with pytest.raises(ImportRefused) as caught:
        import_files(paths, target, clock, force=force)
    assert target.read_bytes() == before
    assert sorted(p.name for p in target.parent.iterdir()) == names, "something was left behind"
    return caught.value.reason


@pytest.mark.parametrize("cut", [1, 30, 500])
def test_a_cut_file_is_refused_even_when_forced(target: Path, new: Path, clock: FrozenClock, cut: int) -> None:
    path = people(new, 40)
    path.write_bytes(path.read_bytes()[:-cut])
    assert refused([path], target, clock) == "file.truncated"
    assert refused([path], target, clock, force=True) == "file.truncated"


def test_a_missing_column_is_refused_even_when_forced(target: Path, new: Path, clock: FrozenClock) -> None:
    head = header("people_56").replace("Code profession|", "")
    path = new / f"PS_LibreAcces_Personne_activite_{NEXT}.txt"
    path.write_text(text(head, [person(n) for n in range(40)]), encoding="utf-8")
    assert refused([path], target, clock) == "columns.missing"
    assert refused([new], target, clock, force=True) == "columns.missing"


@pytest.mark.parametrize("make", [people, boxes])
def test_an_older_file_is_refused_unless_forced(
    target: Path, new: Path, clock: FrozenClock, make: Callable[..., Path]
) -> None:
    path = make(new, 40, stamp="202602280630")
    assert refused([path], target, clock) == "file.older"
    report = import_files([path], target, clock, force=True)
    assert report.forced
    assert DirectoryFile(target).freshness().made_at == datetime(2026, 2, 28, 5, 30, tzinfo=UTC)


def test_the_same_file_again_changes_nothing(target: Path, clock: FrozenClock, tmp_path: Path) -> None:
    assert import_files([tmp_path / "first"], target, clock).people == 40


@pytest.mark.parametrize(("make", "reason"), [(people, "people.fall"), (boxes, "mailboxes.fall")])
def test_a_fall_of_more_than_5_percent_is_refused_unless_forced(
    target: Path, new: Path, clock: FrozenClock, make: Callable[..., Path], reason: str
) -> None:
    assert refused([make(new, 37)], target, clock) == reason
    import_files([make(new, 38)], target, clock)
    import_files([make(new, 10)], target, clock, force=True)
    fresh = DirectoryFile(target).freshness()
    assert min(fresh.people, fresh.mailboxes) == 10


@pytest.mark.parametrize(("make", "reason"), [(people, "people.none"), (boxes, "mailboxes.none")])
def test_an_empty_extraction_is_refused_even_when_forced(
    target: Path, new: Path, clock: FrozenClock, make: Callable[..., Path], reason: str
) -> None:
    assert refused([make(new, 0)], target, clock, force=True) == reason


def test_a_time_in_the_future_is_refused_unless_forced(target: Path, new: Path, clock: FrozenClock) -> None:
    path = people(new, 40, stamp="202603041200")
    assert refused([path], target, clock) == "file.future"
    import_files([path], target, clock, force=True)


def test_a_time_that_is_none_is_refused(target: Path, new: Path, clock: FrozenClock) -> None:
    assert refused([people(new, 40, stamp="202613450630")], target, clock) == "file.date"


def test_without_a_time_in_its_name_the_files_own_counts(target: Path, new: Path, clock: FrozenClock) -> None:
    path = people(new, 40).rename(new / "ps-libreacces-personne-activite.txt")
    os.utime(path, (0, datetime(2026, 2, 1, tzinfo=UTC).timestamp()))
    assert refused([path], target, clock) == "file.older"
    os.utime(path, (0, datetime(2026, 3, 1, 20, tzinfo=UTC).timestamp()))
    import_files([path], target, clock)
    assert DirectoryFile(target).parts()[Kind.PEOPLE] == datetime(2026, 3, 1, 20, tzinfo=UTC)


def test_two_files_of_one_kind_are_refused(target: Path, new: Path, clock: FrozenClock) -> None:
    with zipfile.ZipFile(new / "both.zip", "w") as archive:
        for stamp in ("202603010630", NEXT):
            archive.write(people(new, 40, stamp), f"PS_LibreAcces_Personne_activite_{stamp}.txt")
    assert refused([new / "both.zip"], target, clock) == "file.twice"
    assert refused([new], target, clock, force=True) == "file.twice"


def test_a_damaged_zip_is_refused(target: Path, new: Path, clock: FrozenClock) -> None:
    path = people(new, 40)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(new / "sound.zip", "w", method) as archive:
            archive.write(path, path.name)
        raw = (new / "sound.zip").read_bytes()
        third = len(raw) // 3
        spoiled = raw[:third] + b"\xff\x00\xff" + raw[third + 3 :]
        for damaged in (raw[:-30], raw[:third], spoiled, b"", b"PK"):
            (new / "d.zip").write_bytes(damaged)
            assert refused([new / "d.zip"], target, clock) == "zip.damaged"


def test_a_zip_that_unpacks_without_bound_is_refused(
    target: Path, new: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colloque.directory.sources.MAX_UNZIPPED", 1_000_000)
    with zipfile.ZipFile(new / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("PS_LibreAcces_Personne_activite_202603020630.txt", b"0" * 1_000_001)
    assert refused([new / "bomb.zip"], target, clock) == "zip.size"


def test_a_zip_that_lies_about_its_size_is_refused(
    target: Path, new: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says 1,000 bytes and holds millions: no more than it said are ever unpacked."""
    monkeypatch.setattr("colloque.directory.sources.MAX_UNZIPPED", 1_000_000)
    path = people(new, 40)
    data = path.read_bytes() + b"0" * 5_000_000 + b"\n"
    with zipfile.ZipFile(new / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.name, data)
    raw = (new / "bomb.zip").read_bytes()
    honest, lie = len(data).to_bytes(4, "little"), len(path.read_bytes()).to_bytes(4, "little")
    assert raw.count(honest) == 2, "in the local header and in the central one"
    (new / "bomb.zip").write_bytes(raw.replace(honest, lie))
    assert refused([new / "bomb.zip"], target, clock) == "zip.damaged"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_packed_in_another_way_is_refused(target: Path, new: Path, clock: FrozenClock, method: int) -> None:
    path = people(new, 40)
    with zipfile.ZipFile(new / "odd.zip", "w", method) as archive:
        archive.write(path, path.name)
    assert refused([new / "odd.zip"], target, clock) == "zip.method"


def test_a_directory_in_use_that_is_damaged_is_made_anew_only_when_forced(
    target: Path, new: Path, clock: FrozenClock, tmp_path: Path
) -> None:
    raw = bytearray(target.read_bytes())
    for page in range(2, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    target.write_bytes(raw)
    assert refused([people(new, 41)], target, clock) == "loaded.unreadable"
    assert refused([people(new, 41)], target, clock, force=True) == "file.missing"
    import_files([people(new, 41), tmp_path / "first" / "list.xml", boxes(new, 41)], target, clock, force=True)
    assert DirectoryFile(target).freshness().people == 41


def test_a_full_disk_is_told_and_leaves_the_old_directory(target: Path, new: Path, clock: FrozenClock) -> None:
    """The system refuses to let any file grow past what is there, wherever that strikes."""
    sample = write_sample(new, 1_000, 1, datetime(2026, 3, 2, 6, 0, tzinfo=UTC))
    before = target.read_bytes()
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from colloque.clock import SystemClock\n"
        "from colloque.directory.extract import ImportRefused, import_files\n"
        "size = int(sys.argv[3])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "try: import_files([Path(sys.argv[1])], Path(sys.argv[2]), SystemClock(), force=True)\n"
        "except ImportRefused as refused: print(refused.reason)\n"
    )
    for size in (1_000, len(before) + 4096, len(before) * 3):
        command = [sys.executable, "-c", script, str(sample.folder), str(target), str(size)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "disk\n", done.stderr
        assert target.read_bytes() == before
        assert {path.name for path in target.parent.iterdir()} == {target.name, f".{target.name}.lock", "first", "new"}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.txt", b"Bonjour\n", "file.unknown"),
        ("list.xml", b"<a/>\n", "file.unknown"),
        ("listeblanchemssante.xml", b"<a/>", "whitelist.empty"),
        ("PS_LibreAcces_Personne_activite_202603020630.txt", b"", "columns.missing"),
    ],
)
def test_a_named_file_that_is_none_of_ours_is_refused(
    target: Path, clock: FrozenClock, name: str, content: bytes, reason: str
) -> None:
    new = target.parent / "new"
    new.mkdir()
    (new / name).write_bytes(content)
    assert refused([new / name], target, clock) == reason


def test_a_folder_without_extraction_and_a_missing_path_are_refused(
    target: Path, new: Path, clock: FrozenClock
) -> None:
    assert refused([new], target, clock) == "file.none"
    (new / "notes.txt").write_text("Bonjour\n", encoding="utf-8")
    assert refused([new], target, clock) == "file.none"
    assert refused([new / "nothing"], target, clock) == "path.missing"


def test_a_first_import_needs_people_and_mailboxes(new: Path, clock: FrozenClock) -> None:
    for make in (people, boxes):
        with pytest.raises(ImportRefused, match="first import needs"):
            import_files([make(new, 3)], new / "directory.sqlite", clock)
    with pytest.raises(ImportRefused, match="no such folder"):
        import_files([new], new / "nowhere/directory.sqlite", clock)


def test_parts_that_do_not_come_are_kept(target: Path, new: Path, clock: FrozenClock) -> None:
    report = import_files([people(new, 42)], target, clock)
    assert set(report.carried) == {Kind.MAILBOXES, Kind.WHITELIST}
    directory = DirectoryFile(target, clock)
    assert directory.freshness().made_at == datetime(2026, 3, 1, 5, 30, tzinfo=UTC), "as old as its oldest part"
    assert directory.parts()[Kind.PEOPLE] == datetime(2026, 3, 2, 5, 30, tzinfo=UTC)
    found = directory.by_rpps(Rpps(rpps(3)))
    assert found is not None
    assert [m.address.value for m in found.mailboxes] == ["a3@x.test"]
    assert directory.whitelisted("x.test")
    report = import_files([boxes(new, 41)], target, clock)
    assert (report.people, report.mailboxes, report.activities) == (42, 41, 42)
    assert directory.by_rpps(Rpps(rpps(41))) is not None


def test_an_expired_or_older_white_list_is_refused(target: Path, new: Path, clock: FrozenClock) -> None:
    path = new / "list.xml"
    path.write_text(whitelist_xml("y.test", end="2026-03-02T00:00:00+01:00"), encoding="utf-8")
    assert refused([path], target, clock) == "whitelist.expired"
    path.write_text(whitelist_xml("y.test", start="2026-02-01T00:00:00+01:00"), encoding="utf-8")
    assert refused([path], target, clock) == "file.older"
    path.write_text(whitelist_xml("y.test", start="2026-03-02T00:00:00+01:00", end=""), encoding="utf-8")
    import_files([path], target, clock)
    directory = DirectoryFile(target, clock)
    assert not directory.whitelisted("x.test")
    assert directory.whitelisted("y.test")
    assert directory.whitelist_valid_until() == datetime(2026, 3, 31, 23, tzinfo=UTC), "30 days when it names no end"


@pytest.mark.parametrize("damage", [b"", b"not a database at all, and long enough to be looked at" * 99])
def test_a_damaged_file_in_use_is_replaced_only_when_forced(
    target: Path, clock: FrozenClock, tmp_path: Path, damage: bytes
) -> None:
    target.write_bytes(damage)
    assert refused([tmp_path / "first"], target, clock) == "loaded.unreadable"
    assert import_files([tmp_path / "first"], target, clock, force=True).people == 40
    assert DirectoryFile(target).freshness().people == 40


def test_a_file_of_another_version_counts_as_unreadable(target: Path, clock: FrozenClock, tmp_path: Path) -> None:
    with sqlite3.connect(target) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert refused([tmp_path / "first"], target, clock) == "loaded.unreadable"


@pytest.mark.parametrize("name", ["../{}", "a/../../{}", "..\\{}", "\\\\host\\{}"])
def test_a_zip_whose_names_lead_out_of_it_is_refused(target: Path, new: Path, clock: FrozenClock, name: str) -> None:
    path = people(new, 40)
    with zipfile.ZipFile(new / "odd.zip", "w") as archive:
        archive.write(path, name.format(path.name))
    assert refused([new / "odd.zip"], target, clock) == "zip.path"
