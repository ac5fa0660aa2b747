"""From ADELI to RPPS: one person stays one person, and only ANS's correspondence file says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.directory.difference import Change, difference
from colloque.directory.extract import ImportReport, import_files
from colloque.directory.file import DirectoryFile
from colloque.errors import Inconsistent, NotFound
from colloque.identity import Adeli, MssanteAddress, Rpps
from tests.extracts import NEXT, mailbox, mailbox_file, people_file, person, rpps

OLD = "990000018"
OTHER = "2A0000018"


def moves(folder: Path, *pairs: tuple[str, str], stamp: str = NEXT) -> Path:
    path = folder / f"Extraction_Correspondance_ADELI_RPPS_{stamp}.csv"
    path.write_bytes("".join(f"{a};{r}\n" for a, r in [("N° ADELI", "N° RPPS"), *pairs]).encode("latin-1"))
    return path


def before(folder: Path, clock: FrozenClock, *more: dict[str, str]) -> Path:
    """A directory with somebody under ADELI, their mailbox, and twenty others."""
    target = folder / "d.sqlite"
    rows = [person(n) for n in range(10, 30)]
    rows += [person(1, family="ANCIEN", town="NANCY", kind="0", id=OLD), *more]
    boxes = [mailbox("a@x.test", 1, kind="0", id=OLD), mailbox("b@x.test", 12)]
    import_files([people_file(folder, rows), mailbox_file(folder, boxes)], target, clock)
    return target


def moved(target: Path) -> None:
    """Both numbers lead to the one person, with all that hung on the old one."""
    directory = DirectoryFile(target)
    new, old = directory.by_rpps(Rpps(rpps(1))), directory.by_adeli(Adeli(OLD))
    assert new is not None
    assert new == old
    assert (new.rpps, new.adeli) == (Rpps(rpps(1)), Adeli(OLD))
    assert [m.address.value for m in new.mailboxes] == ["a@x.test"]
    box = directory.by_mssante(MssanteAddress("a@x.test"))
    assert box is not None
    assert box.rpps == new.rpps


def test_the_correspondence_file_alone_moves_a_person(tmp_path: Path, clock: FrozenClock) -> None:
    target = before(tmp_path, clock)
    (tmp_path / "old.sqlite").write_bytes(target.read_bytes())
    report = import_files([moves(tmp_path, (OLD, rpps(1)))], target, clock)
    assert (report.people, report.rejected) == (21, {})
    assert report.changes == {"person.changed": 1}
    moved(target)
    wanted = Change("person", "changed", "8" + rpps(1), former="0" + OLD)
    assert list(difference(tmp_path / "old.sqlite", target)) == [wanted]


def test_a_move_is_remembered_by_imports_that_do_not_bring_the_file(tmp_path: Path, clock: FrozenClock) -> None:
    target = before(tmp_path, clock)
    import_files([moves(tmp_path, (OLD, rpps(1)))], target, clock)
    rows = [person(n) for n in range(10, 30)]
    import_files([people_file(tmp_path, [*rows, person(1, family="ANCIEN")], stamp=NEXT)], target, clock)
    moved(target)
    both = [person(1, family="ANCIEN"), person(1, family="ANCIEN", town="METZ", kind="0", id=OLD)]
    import_files([people_file(tmp_path, [*rows, *both], stamp=NEXT)], target, clock)
    moved(target)
    found = DirectoryFile(target).by_adeli(Adeli(OLD))
    assert found is not None
    assert found.towns == ("NANCY", "METZ")


def test_two_entries_become_one(tmp_path: Path, clock: FrozenClock) -> None:
    target = before(tmp_path, clock, person(1, family="ANCIEN", town="PAU"))
    report = import_files([moves(tmp_path, (OLD, rpps(1)))], target, clock)
    assert report.people == 21
    moved(target)
    found = DirectoryFile(target).by_rpps(Rpps(rpps(1)))
    assert found is not None
    assert set(found.towns) == {"NANCY", "PAU"}


def test_somebody_may_have_had_two_numbers(tmp_path: Path, clock: FrozenClock) -> None:
    target = before(tmp_path, clock, person(1, family="ANCIEN", kind="0", id=OTHER))
    import_files([moves(tmp_path, (OLD, rpps(1)), (OTHER, rpps(1)))], target, clock)
    directory = DirectoryFile(target)
    assert directory.by_adeli(Adeli(OLD)) == directory.by_adeli(Adeli(OTHER)) == directory.by_rpps(Rpps(rpps(1)))


@pytest.mark.parametrize("at_once", [True, False])
def test_a_number_that_two_would_have_had_moves_nobody(tmp_path: Path, clock: FrozenClock, *, at_once: bool) -> None:
    target = before(tmp_path, clock)
    if at_once:
        report = import_files([moves(tmp_path, (OLD, rpps(1)), (OLD, rpps(2)))], target, clock)
        assert report.rejected == {"move.disputed": 2}
        assert DirectoryFile(target).by_rpps(Rpps(rpps(1))) is None
    else:
        import_files([moves(tmp_path, (OLD, rpps(1)))], target, clock)
        report = import_files([moves(tmp_path, (OLD, rpps(2)))], target, clock)
        assert report.rejected == {"move.disputed": 1}
        moved(target)


def test_bad_moves_are_counted(tmp_path: Path, clock: FrozenClock) -> None:
    target = before(tmp_path, clock)
    bad = [("1", rpps(1)), (OLD, "89900000090"), (OLD, "x"), (OLD, f"{rpps(1)};z")]
    report = import_files([moves(tmp_path, *bad, (OLD, rpps(1)))], target, clock)
    assert report.rejected == {"identifier.key": 1, "identifier.malformed": 2, "row.width": 1}
    moved(target)


def likely(target: Path, folder: Path, clock: FrozenClock, **over: str) -> ImportReport:
    rows = [person(n) for n in range(10, 30)]
    return import_files([people_file(folder, [*rows, person(1, **over)], stamp=NEXT)], target, clock)


def test_what_looks_like_a_move_is_noticed_and_never_merged(tmp_path: Path, clock: FrozenClock) -> None:
    target = before(tmp_path, clock)
    report = likely(target, tmp_path, clock, family="Ancien", town="NANCY")
    assert report.likely_moves == (("0" + OLD, "8" + rpps(1)),)
    assert report.noticed["move.likely"] == 1
    assert report.changes == {"person.added": 1, "person.gone": 1}
    found = DirectoryFile(target).by_rpps(Rpps(rpps(1)))
    assert found is not None
    assert found.adeli is None
    assert DirectoryFile(target).by_adeli(Adeli(OLD)) is None


@pytest.mark.parametrize("other", [{"family": "AUTRE"}, {"family": "ANCIEN", "given": "Zoé"}])
def test_somebody_else_does_not_look_like_a_move(tmp_path: Path, clock: FrozenClock, other: dict[str, str]) -> None:
    assert likely(before(tmp_path, clock), tmp_path, clock, **other).likely_moves == ()


def test_a_difference_needs_two_directories(tmp_path: Path, clock: FrozenClock) -> None:
    target = before(tmp_path, clock)
    assert list(difference(target, target)) == []
    with pytest.raises(NotFound):
        next(difference(tmp_path / "none", target))
    (tmp_path / "other").write_bytes(b"garbage" * 1000)
    with pytest.raises(Inconsistent):
        next(difference(target, tmp_path / "other"))
