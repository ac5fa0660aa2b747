"""Searching: what people type, and who must come of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colloque.clock import FrozenClock
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.lookup import Query
from colloque.directory.sample import write_sample
from colloque.directory.understand import UnreadableQuery
from tests.extracts import mailbox, mailbox_file, people_file, person

CODE, LABEL = "Code profession", "Libellé profession"
SKILL, SKILLED = "Code savoir-faire", "Libellé savoir-faire"
POSTCODE = "Code postal (coord. structure)"


def nurse(number: int, **over: str) -> dict[str, str]:
    return person(number, **over) | {CODE: "60", LABEL: "Infirmier", SKILL: "", SKILLED: ""}


def general(number: int, **over: str) -> dict[str, str]:
    return person(number, **over) | {SKILL: "SM54", SKILLED: "Médecine générale"}


def at(row: dict[str, str], postcode: str) -> dict[str, str]:
    return row | {POSTCODE: postcode}


PEOPLE = [
    person(1, family="DUPONT", given="Jean-Pierre"),
    at(person(2, family="DUPONT", given="Hélène", town="METZ"), "57000"),
    at(nurse(3, family="DUPONT", given="Hélène", town="TOUL"), "54200"),
    at(general(4, family="DUPONTEL", given="Zoé", town="TOUL"), "54200"),
    at(person(5, family="LE GOFF-MARTIN", given="Loïc", town="BREST"), "29200"),
    at(person(6, family="D'HAUTEVILLE", given="Cœur", town="PAU CEDEX 9"), "64046"),
    person(7, family="MOULIN", given="Ancien", kind="0", id="990000001"),
    at(nurse(8, family="BOULANGER", given="Rose", town="SAINT-ETIENNE"), "42000"),
    at(general(9, family="MARTIN", given="Nancy", town="ST ETIENNE CEDEX 2"), "42055"),
    at(nurse(10, family="O'BRIEN", given="Anne", town="PARIS"), "75015"),
    at(nurse(11, family="PETIT", given="Anne", town="PARIS"), "75011"),
    at(nurse(12, family="BREST", given="Marie", town="LYON 3E ARRONDISSEMENT"), "69003"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryFile]:
    folder = tmp_path_factory.mktemp("search")
    clock = FrozenClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    files = [people_file(folder, PEOPLE), mailbox_file(folder, [mailbox("a@x.test", 1)])]
    import_files(files, folder / "d.sqlite", clock)
    opened = DirectoryFile(folder / "d.sqlite", clock)
    yield opened
    opened.close()


def found(directory: DirectoryFile, words: str, **more: str) -> list[str]:
    """Family and given names, best first."""
    matches = directory.search(Query(words, **more)).matches  # type: ignore[arg-type]
    return [f"{m.person.family_name} {m.person.given_name}" for m in matches]


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("Hélène Dupont metz", "DUPONT Hélène"),
        ("dupont  HELENE", "DUPONT Hélène"),
        ("jean pierre dupont", "DUPONT Jean-Pierre"),
        ("dupont j-p", "DUPONT Jean-Pierre"),
        ("J. Dupont", "DUPONT Jean-Pierre"),
        ("dr duponte zoe", "DUPONTEL Zoé"),
        ("jena-pierre dupotn", "DUPONT Jean-Pierre"),
        ("loic goff", "LE GOFF-MARTIN Loïc"),
        ("legoff brest", "LE GOFF-MARTIN Loïc"),
        ("le goff martin", "LE GOFF-MARTIN Loïc"),
        ("d’hauteville", "D'HAUTEVILLE Cœur"),
        ("hauteville coeur pau", "D'HAUTEVILLE Cœur"),
        ("moulin", "MOULIN Ancien"),
        ("obrien", "O'BRIEN Anne"),
        ("O'Brien paris 15", "O'BRIEN Anne"),
        ("boulanger", "BOULANGER Rose"),
        ("rose boulanger st etienne", "BOULANGER Rose"),
        ("boulanger saint-étiene", "BOULANGER Rose"),
        ("boulanger toul", "BOULANGER Rose"),
        ("nancy martin", "MARTIN Nancy"),
        ("martin nancy 42", "MARTIN Nancy"),
        ("dupont nanci", "DUPONT Jean-Pierre"),
        ("infirmière petit", "PETIT Anne"),
        ("marie brest lyon", "BREST Marie"),
    ],
)
def test_a_person_comes_first(directory: DirectoryFile, words: str, first: str) -> None:
    assert found(directory, words)[:1] == [first]


@pytest.mark.parametrize(
    ("words", "people"),
    [
        ("cardiologue nancy", {"DUPONT Jean-Pierre", "MOULIN Ancien"}),
        ("cardiologues à Metz", {"DUPONT Hélène"}),
        ("cardio 54", {"DUPONT Jean-Pierre", "MOULIN Ancien"}),
        ("infirmière paris", {"O'BRIEN Anne", "PETIT Anne"}),
        ("idel 75015", {"O'BRIEN Anne"}),
        ("infirmier Paris 11e", {"PETIT Anne"}),
        ("infirmiers lyon 3", {"BREST Marie"}),
        ("médecin généraliste st etienne", {"MARTIN Nancy"}),
        ("generaliste loire", {"MARTIN Nancy"}),
        ("infirmiere toul", {"DUPONT Hélène"}),
        ("cardiologue tuol", set()),
        ("cardiologue toul", set()),
        ("sage-femme nancy", set()),
        ("generaliste Meurthe-et-Moselle", {"DUPONTEL Zoé"}),
        ("infirmmiere tuol", {"DUPONT Hélène"}),
    ],
)
def test_a_trade_and_a_place_are_both_kept(directory: DirectoryFile, words: str, people: set[str]) -> None:
    page = directory.search(Query(words))
    assert {f"{m.person.family_name} {m.person.given_name}" for m in page.matches} == people
    assert page.total == len(people)


def test_a_query_is_narrowed(directory: DirectoryFile) -> None:
    assert found(directory, "dupont", near="toul") == ["DUPONT Hélène", "DUPONTEL Zoé"]
    assert found(directory, "dupont", profession="infirmière") == ["DUPONT Hélène"]
    assert found(directory, "", profession="généraliste", near="54200") == ["DUPONTEL Zoé"]
    for wrong in (Query("dupont", near="zzzz"), Query("dupont", profession="zzzz")):
        with pytest.raises(UnreadableQuery):
            directory.search(wrong)


def test_how_it_was_read_is_told(directory: DirectoryFile) -> None:
    read = directory.search(Query("cardiologue nancy dupont")).understood
    assert read.trades == ("Cardiologie et Maladies vasculaires",)
    assert read.places == ("Nancy",)
    assert read.names == ("dupont",)
    nobody = directory.search(Query("helene dupont zzzzqqq"))
    assert nobody.understood.ignored == ("zzzzqqq",)
    assert nobody.total == 2


def test_homonyms_are_counted(directory: DirectoryFile) -> None:
    matches = directory.search(Query("helene dupont")).matches
    assert [m.homonyms for m in matches] == [1, 1]
    assert [m.homonyms for m in directory.search(Query("petit anne")).matches] == [0]


@pytest.mark.parametrize("words", ["", "  ", "dr", "à", "'", "Dr.", "\0", "%", "_"])
def test_nothing_to_look_for_is_refused(directory: DirectoryFile, words: str) -> None:
    with pytest.raises(UnreadableQuery):
        directory.search(Query(words))


@pytest.mark.parametrize("words", ["'; DROP TABLE people; --", "%upont", "dupon_", "x" * 10_000, "é" * 9_000, "1 2 3"])
def test_odd_words_are_words(directory: DirectoryFile, words: str) -> None:
    directory.search(Query(words))
    assert directory.freshness().people == len(PEOPLE)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    words=st.text(max_size=40)
    | st.lists(st.sampled_from(["dupont", "helene", "nancy", "toul", "infirmier", "54", "de", "la"])).map(" ".join)
)
def test_any_text_is_answered_or_refused(directory: DirectoryFile, words: str) -> None:
    try:
        page = directory.search(Query(words))
    except UnreadableQuery:
        return
    assert page.total >= len(page.matches)


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryFile]:
    folder: Path = tmp_path_factory.mktemp("sampled")
    made = datetime(2026, 3, 1, 5, 30, tzinfo=UTC)
    write_sample(folder / "s", 3_000, 4, made)
    clock = FrozenClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    import_files([folder / "s"], folder / "d.sqlite", clock)
    opened = DirectoryFile(folder / "d.sqlite", clock)
    yield opened
    opened.close()


@pytest.mark.parametrize("words", ["infirmier", "martin", "medecin paris", "marie", "infirmier 75"])
def test_paging_reaches_every_match_once(sampled: DirectoryFile, words: str) -> None:
    total = sampled.search(Query(words)).total
    assert total > 0
    seen = []
    for offset in range(0, total, 7):
        seen += [m.person.number.national for m in sampled.search(Query(words, limit=7, offset=offset)).matches]
    assert len(seen) == len(set(seen)) == total
    assert sampled.search(Query(words, offset=total)).matches == ()
