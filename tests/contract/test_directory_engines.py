"""The directory by its questions: the same answers from a SQLite file and from PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.directory.columns import Kind
from colloque.directory.lookup import Age, AgeRules, Directory, Freshness, Query
from colloque.directory.open import import_directory, open_directory
from colloque.directory.questions import Change, TableDirectory
from colloque.errors import NotFound
from colloque.identity import Adeli, MssanteAddress, Rpps
from colloque.professional import MailboxKind
from tests.extracts import NEXT, first_files, mailbox, mailbox_file, people_file, person, rpps, whitelist_xml
from tests.servers.postgres import PostgresServer

ADELI = "990000001"
PEOPLE = [
    person(1, family="DUPONT", given="Hélène", town="NANCY", structure="CHU"),
    person(1, family="DUPONT", given="Hélène", town="TOUL", structure="CABINET"),
    person(2, family="MARTIN", given="Jean-Pierre", town="METZ"),
    person(3, family="ANCIEN", given="Zoé", kind="0", id=ADELI, town="PAU"),
]
BOXES = [
    mailbox("z@x.test", 1),
    mailbox("a@x.test", 1),
    mailbox("both@x.test", 1),
    mailbox("both@x.test", 2),
    mailbox("old@x.test", 3, kind="0", id=ADELI),
    mailbox("gone@x.test", 99),
    mailbox("service@x.test", service="Accueil"),
]
Load = Callable[..., None]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for a directory, with nothing in it."""
    if request.param == "sqlite":
        return str(tmp_path / "d #1?.sqlite")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return await server.new_database()


@pytest.fixture
def load(where: str, tmp_path: Path, clock: FrozenClock) -> Load:
    """Imports files."""

    def load_(*files: Path, force: bool = False) -> None:
        import_directory(files, where, clock, cache=tmp_path / "cache.sqlite", force=force)

    return load_


@pytest.fixture
def loaded(load: Load, tmp_path: Path) -> None:
    (tmp_path / "list.xml").write_text(whitelist_xml("x.test", "bücher.test"), encoding="utf-8")
    load(people_file(tmp_path, PEOPLE), mailbox_file(tmp_path, BOXES), tmp_path / "list.xml")


@pytest.fixture
def directory(where: str, clock: FrozenClock) -> Iterator[TableDirectory]:
    opened = open_directory(where, clock)
    yield opened
    opened.close()


def box(directory: Directory, address: str) -> tuple[MailboxKind, Rpps | None, Adeli | None]:
    found = directory.by_mssante(MssanteAddress.parse(address))
    assert found is not None
    return found.kind, found.rpps, found.adeli


@pytest.mark.usefixtures("loaded")
def test_a_person_comes_whole(directory: TableDirectory) -> None:
    found = directory.by_rpps(Rpps(rpps(1)))
    assert found is not None
    assert (found.full_name, found.number, found.adeli) == ("Dr Hélène DUPONT", Rpps(rpps(1)), None)
    assert [(a.structure, a.town) for a in found.activities] == [("CHU", "NANCY"), ("CABINET", "TOUL")]
    assert [m.address.value for m in found.personal_mailboxes] == ["a@x.test", "z@x.test"]
    assert {m.rpps for m in found.mailboxes} == {Rpps(rpps(1))}


@pytest.mark.usefixtures("loaded")
def test_who_is_not_listed_is_none(directory: TableDirectory) -> None:
    assert directory.by_rpps(Rpps(rpps(99))) is None
    assert directory.by_adeli(Adeli("990000099")) is None
    assert directory.by_mssante(MssanteAddress.parse("nobody@x.test")) is None
    assert directory.diplomas(Rpps(rpps(1))) == directory.cards(Rpps(rpps(1))) == ()


@pytest.mark.usefixtures("loaded")
def test_somebody_under_an_adeli_number_has_no_rpps(directory: TableDirectory) -> None:
    found = directory.by_adeli(Adeli(ADELI))
    assert found is not None
    assert (found.rpps, found.adeli, found.number) == (None, Adeli(ADELI), Adeli(ADELI))
    assert [(m.rpps, m.adeli) for m in found.mailboxes] == [(None, Adeli(ADELI))]
    assert box(directory, "old@x.test") == (MailboxKind.PER, None, Adeli(ADELI))


@pytest.mark.usefixtures("loaded")
def test_a_mailbox_belongs_to_its_one_owner_listed_or_not(directory: TableDirectory) -> None:
    assert box(directory, "A@X.test") == (MailboxKind.PER, Rpps(rpps(1)), None)
    assert box(directory, "gone@x.test") == (MailboxKind.PER, Rpps(rpps(99)), None)
    assert box(directory, "service@x.test") == (MailboxKind.ORG, None, None)


@pytest.mark.usefixtures("loaded")
def test_a_mailbox_that_two_people_claim_is_nobodys(directory: TableDirectory) -> None:
    assert box(directory, "both@x.test") == (MailboxKind.PER, None, None)
    for number in (1, 2):
        found = directory.by_rpps(Rpps(rpps(number)))
        assert found is not None
        assert "both@x.test" not in {m.address.value for m in found.mailboxes}


@pytest.mark.usefixtures("loaded")
def test_the_white_list_holds_until_its_end(directory: TableDirectory, clock: FrozenClock) -> None:
    assert directory.whitelist_valid_until() == datetime(2026, 3, 31, 23, 0, tzinfo=UTC)
    for domain in ("x.test", "X.Test.", "bücher.test", "xn--bcher-kva.test"):
        assert directory.whitelisted(domain)
    for domain in ("y.test", "a.x.test", "medecin.mssante.fr", "", "%", "?", "x.test\n.evil"):
        assert not directory.whitelisted(domain)
    clock.advance(days=30)
    assert not directory.whitelisted("x.test")


@pytest.mark.usefixtures("loaded")
def test_it_says_of_when_it_is(directory: TableDirectory, clock: FrozenClock) -> None:
    made = datetime(2026, 3, 1, 5, 30, tzinfo=UTC)
    fresh = directory.freshness()
    assert fresh == Freshness(made_at=made, imported_at=clock.now(), people=3, mailboxes=6)
    assert fresh.age(clock.now(), AgeRules()) is Age.FRESH
    assert set(directory.parts()) == {Kind.PEOPLE, Kind.MAILBOXES, Kind.WHITELIST}
    assert directory.parts()[Kind.PEOPLE] == made


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("words", ["dupont helene", "Hélène DUPON", "médecin nancy", "dupont"])
def test_people_are_found(directory: TableDirectory, words: str) -> None:
    page = directory.search(Query(words))
    assert page.matches[0].person == directory.by_rpps(Rpps(rpps(1)))
    assert page.made_at == directory.freshness().made_at


def test_before_the_first_import_every_question_says_so(directory: TableDirectory, load: Load, tmp_path: Path) -> None:
    for ask in (
        directory.freshness,
        directory.parts,
        directory.changes,
        directory.whitelist_valid_until,
        lambda: directory.by_rpps(Rpps(rpps(1))),
        lambda: directory.by_adeli(Adeli(ADELI)),
        lambda: directory.by_mssante(MssanteAddress.parse("a@x.test")),
        lambda: directory.search(Query("dupont")),
        lambda: directory.whitelisted("x.test"),
    ):
        with pytest.raises(NotFound):
            ask()
    load(first_files(tmp_path / "first"))
    assert directory.by_rpps(Rpps(rpps(1))) is not None


@pytest.mark.usefixtures("loaded")
def test_a_new_import_is_noticed_and_says_what_changed(directory: TableDirectory, load: Load, tmp_path: Path) -> None:
    assert directory.by_rpps(Rpps(rpps(4))) is None
    load(people_file(tmp_path, [*PEOPLE, person(4)], stamp=NEXT))
    assert directory.by_rpps(Rpps(rpps(4))) is not None
    assert directory.freshness().people == 4
    assert directory.changes() == (Change("person", "added", Rpps(rpps(4))),)


def test_replaced_while_reading_no_answer_is_of_two_imports(
    directory: TableDirectory, load: Load, tmp_path: Path
) -> None:
    """Every import renames the person, their places and mailboxes together."""

    def files(turn: int) -> list[Path]:
        mark = f"T{turn}"
        rows = [person(1, family=mark, town=mark, structure=mark), person(1, family=mark, town=mark, structure=mark)]
        boxes = [mailbox(f"{mark}@x.test".lower(), 1) | {"Raison Sociale structure BAL": mark}]
        return [people_file(tmp_path, rows), mailbox_file(tmp_path, boxes)]

    load(*files(0))
    seen: set[str] = set()
    mixed: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = directory.by_rpps(Rpps(rpps(1)))
            marks = {"nobody"} if found is None else {found.family_name, *found.towns}
            marks |= {m.structure for m in found.mailboxes} if found else set()
            seen.update(marks)
            if len(marks) != 1 or found is None or len(found.mailboxes) != 1:
                mixed.append(found)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(1, 9):
            load(*files(turn), force=True)
    finally:
        done.set()
        reader.join(30)
    assert not mixed
    assert len(seen) > 1


@pytest.mark.usefixtures("loaded")
def test_threads_share_it(directory: TableDirectory) -> None:
    wrong: list[object] = []

    def ask(number: int) -> None:
        for _ in range(50):
            found = directory.by_rpps(Rpps(rpps(number)))
            if found is None or found.rpps != Rpps(rpps(number)):
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=(n,)) for n in (1, 2, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


@pytest.mark.usefixtures("loaded")
def test_closing_lets_go_and_asking_opens_again(directory: TableDirectory) -> None:
    directory.close()
    directory.close()
    assert directory.freshness().people == 3
