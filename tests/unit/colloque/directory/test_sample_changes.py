"""The sample of the day after: who and what differs, and that nothing else does."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.directory.difference import difference
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.sample import SampleReport, write_sample
from colloque.identity import luhn_ok

MADE = datetime(2026, 3, 1, 5, 30, tzinfo=UTC)
NEXT = MADE + timedelta(days=1)
PEOPLE = 20_000
CHANGED = 0.02


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleReport, SampleReport]:
    folder = tmp_path_factory.mktemp("days")
    return (
        write_sample(folder / "one", PEOPLE, 5, MADE),
        write_sample(folder / "two", PEOPLE, 5, NEXT, changed=CHANGED),
    )


def lines(report: SampleReport, name: str) -> Counter[str]:
    [path] = (path for path in report.files if name in path.name)
    return Counter(path.read_text(encoding="utf-8").splitlines()[1:])


def ids(rows: Counter[str], column: int) -> set[str]:
    return {row.split("|")[column] for row in rows}


def test_that_share_of_the_rows_differs(days: tuple[SampleReport, SampleReport]) -> None:
    for name, most in (("Personne_activite", 1.3), ("MSSante", 1.3), ("SavoirFaire", 0.5), ("Dipl", 0.5), ("cps", 0.5)):
        old, new = (lines(day, name) for day in days)
        whole = old.total()
        gone, came = (old - new).total() / whole, (new - old).total() / whole
        assert 0 < max(gone, came) < most * CHANGED, name
        if most > 1:
            assert max(gone, came) > 0.7 * CHANGED, name


def test_numbers_are_stable(days: tuple[SampleReport, SampleReport]) -> None:
    old, new = (ids(lines(day, "Personne_activite"), 2) for day in days)
    assert 0 < len(old - new) < 0.3 * CHANGED * PEOPLE
    assert 0 < len(new - old) < 0.3 * CHANGED * PEOPLE
    assert all(n[0] == "0" or (n.startswith("8899") and luhn_ok(n[1:])) for n in new)


def test_who_leaves_adeli_is_listed(days: tuple[SampleReport, SampleReport]) -> None:
    [path] = (path for path in days[1].files if path.suffix == ".csv")
    assert not any(path.suffix == ".csv" for path in days[0].files)
    head, *rows = path.read_bytes().decode("latin-1").splitlines()
    assert head == "N° ADELI;N° RPPS"
    old, new = (ids(lines(day, "Personne_activite"), 2) for day in days)
    moves = [row.split(";") for row in rows]
    assert len(moves) == days[0].adeli - days[1].adeli > 0
    for adeli, rpps in moves:
        assert {"0" + adeli, "8" + rpps} & old == {"0" + adeli}
        assert {"0" + adeli, "8" + rpps} & new == {"8" + rpps}


def test_more_mailboxes_are_deleted_than_created(days: tuple[SampleReport, SampleReport]) -> None:
    old, new = (ids(lines(day, "MSSante"), 1) for day in days)
    assert 0.5 < len(new - old) / len(old - new) < 1
    owners = [{row.split("|")[1]: row.split("|")[3] for row in lines(day, "MSSante")} for day in days]
    assert all(owners[0][address] == owners[1][address] for address in old & new), "nobody takes over an address"


def test_the_same_arguments_give_the_same_day(days: tuple[SampleReport, SampleReport], tmp_path: Path) -> None:
    again = write_sample(tmp_path, PEOPLE, 5, NEXT, changed=CHANGED)
    assert [p.read_bytes() for p in again.files] == [p.read_bytes() for p in days[1].files]


@pytest.mark.parametrize("changed", [-0.1, 0.21])
def test_a_share_out_of_range_is_refused(tmp_path: Path, changed: float) -> None:
    with pytest.raises(ValueError, match="changed"):
        write_sample(tmp_path / "none", 10, 1, MADE, changed=changed)
    assert not (tmp_path / "none").exists()


def test_two_directories_differ_as_the_import_says(days: tuple[SampleReport, SampleReport], tmp_path: Path) -> None:
    """The comparison of two files and the import's own, written apart, agree."""
    clock = FrozenClock(NEXT + timedelta(hours=1))
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    import_files([days[0].folder], old, clock)
    new.write_bytes(old.read_bytes())
    report = import_files([days[1].folder], new, clock)
    found = list(difference(old, new))
    said = {
        (c.subject, c.what, c.number.national if c.number else None, c.address.value if c.address else None)
        for c in DirectoryFile(new).changes()
    }
    assert {(c.subject, c.what, c.national, c.address) for c in found} == said
    assert Counter(f"{change.subject}.{change.what}" for change in found) == report.changes
    assert any(change.former for change in found)
    assert list(difference(new, new)) == []
