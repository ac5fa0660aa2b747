"""Questions to the directory file."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.folding import fold
from colloque.directory.lookup import Directory, Freshness, Query
from colloque.errors import Inconsistent, NotFound
from colloque.identity import MssanteAddress, Rpps
from tests.extracts import mailbox, mailbox_file, people_file, person, rpps, whitelist_xml

PEOPLE = [
    person(1, family="DUPONT", given="Jean-Pierre", town="NANCY"),
    person(2, family="DUPONT", given="Hélène", town="METZ"),
    person(3, family="DUPONT", given="Hélène", town="TOUL"),
    person(4, family="DUPONTEL", given="Zoé", town="TOUL"),
    person(5, family="LE GOFF-DUPONT", given="Loïc", town="BREST"),
    person(6, family="D'HAUTEVILLE", given="Cœur", town="PAU"),
    person(7, family="DUPONT", given="Ancien", kind="0", id="990000001"),
]


@pytest.fixture
def path(tmp_path: Path, clock: FrozenClock) -> Path:
    target = tmp_path / "d #1?.sqlite"
    (tmp_path / "list.xml").write_text(whitelist_xml("x.test", "bücher.test"), encoding="utf-8")
    boxes = [mailbox("a@x.test", 1), mailbox("o@x.test", service="Accueil")]
    files = [people_file(tmp_path, PEOPLE), mailbox_file(tmp_path, boxes), tmp_path / "list.xml"]
    import_files(files, target, clock)
    return target


@pytest.fixture
def directory(path: Path, clock: FrozenClock) -> DirectoryFile:
    return DirectoryFile(path, clock)


def names(directory: DirectoryFile, *words: str, limit: int = 10) -> list[str]:
    found = (match.person for match in directory.search(Query(" ".join(words), limit=limit)).matches)
    return [f"{p.given_name} {p.family_name} {'/'.join(p.towns)}" for p in found]


def test_it_is_a_directory(directory: DirectoryFile) -> None:
    as_protocol: Directory = directory
    assert as_protocol.freshness() == Freshness(
        made_at=datetime(2026, 3, 1, 5, 30, tzinfo=UTC),
        imported_at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        people=7,
        mailboxes=2,
    )


def test_who_is_not_listed_is_none(directory: DirectoryFile) -> None:
    assert directory.by_rpps(Rpps(rpps(99))) is None
    assert directory.by_mssante(MssanteAddress.parse("nobody@x.test")) is None


def test_the_white_list_decides_not_the_suffix(directory: DirectoryFile, clock: FrozenClock) -> None:
    assert directory.whitelisted("x.test")
    assert directory.whitelisted("X.Test.")
    assert directory.whitelisted("bücher.test")
    assert directory.whitelisted("xn--bcher-kva.test")
    for other in ("y.test", "a.x.test", "evil-x.test", "medecin.mssante.fr", "", "x", "@", "x.test\n.evil"):
        assert not directory.whitelisted(other)
    clock.advance(days=29)
    assert directory.whitelisted("x.test")
    clock.advance(days=1)
    assert not directory.whitelisted("x.test"), "past its end a white-list holds nobody"


def test_without_a_white_list_nobody_is_on_it(tmp_path: Path, clock: FrozenClock) -> None:
    target = tmp_path / "d.sqlite"
    import_files([people_file(tmp_path, PEOPLE), mailbox_file(tmp_path, [mailbox("a@x.test", 1)])], target, clock)
    directory = DirectoryFile(target, clock)
    assert not directory.whitelisted("x.test")
    assert directory.whitelist_valid_until() is None


def test_before_the_first_import_every_question_says_so(tmp_path: Path, clock: FrozenClock) -> None:
    directory = DirectoryFile(tmp_path / "d.sqlite", clock)
    for ask in (
        directory.freshness,
        directory.parts,
        lambda: directory.by_rpps(Rpps(rpps(1))),
        lambda: directory.by_mssante(MssanteAddress.parse("a@x.test")),
        lambda: directory.search(Query("dupont")),
        lambda: directory.whitelisted("x.test"),
    ):
        with pytest.raises(NotFound):
            ask()
    import_files(
        [people_file(tmp_path, PEOPLE), mailbox_file(tmp_path, [mailbox("a@x.test", 1)])], tmp_path / "d.sqlite", clock
    )
    assert directory.by_rpps(Rpps(rpps(1))) is not None


def test_a_replaced_file_is_noticed_at_the_next_question(
    path: Path, directory: DirectoryFile, tmp_path: Path, clock: FrozenClock
) -> None:
    assert names(directory, "nouveau") == []
    people_file(tmp_path, [*PEOPLE, person(8, family="NOUVEAU", given="Ève", town="GAP")])
    import_files([tmp_path / "PS_LibreAcces_Personne_activite_202603010630.txt"], path, clock)
    assert names(directory, "nouveau") == ["Ève NOUVEAU GAP"]
    path.unlink()
    with pytest.raises(NotFound):
        directory.freshness()


def test_a_damaged_file_is_not_taken_for_an_empty_directory(path: Path, clock: FrozenClock) -> None:
    other = path.with_name("other.sqlite")
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE people (x)")
    db.close()
    for damage in (b"", b"garbage " * 1000, other.read_bytes(), path.read_bytes()[:8192]):
        path.unlink()
        path.write_bytes(damage)
        directory = DirectoryFile(path, clock)
        with pytest.raises(Inconsistent):
            directory.by_rpps(Rpps(rpps(1)))
        with pytest.raises(Inconsistent):
            directory.freshness()


def test_nothing_can_be_written_through_it(directory: DirectoryFile) -> None:
    directory.freshness()
    with pytest.raises(Inconsistent):
        directory._ask(lambda rows: rows("DELETE FROM people"))
    assert directory.freshness().people == 7


def test_threads_share_it(directory: DirectoryFile) -> None:
    wrong: list[object] = []

    def ask(number: int) -> None:
        for _ in range(100):
            found = directory.by_rpps(Rpps(rpps(number)))
            if found is None or found.rpps.value != rpps(number):
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert wrong == []


def test_closing_lets_go_and_asking_opens_again(directory: DirectoryFile) -> None:
    directory.close()
    directory.close()
    assert directory.freshness().people == 7


def test_folding() -> None:
    assert fold("D'Hauteville-Lœb") == "d hauteville loeb"
    assert fold("ÉÈÊ ç Ñ ß æ") == "eee c n ss ae"
    assert fold("  ") == ""
    assert fold(fold("L’Éternité")) == fold("L’Éternité") == "l eternite"
