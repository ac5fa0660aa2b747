"""Who comes first, who comes at all, and how the query was read: the promises of searching, one directory of few."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colloque.clock import FrozenClock
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.lookup import Query, Understood
from colloque.directory.search import MOST_RESULTS
from colloque.errors import BadInput
from tests.extracts import STAMP, Row, header, mailbox, mailbox_file, people_file, person, rpps, text

POSTCODES = {"NANCY": "54000", "TOUL": "54200", "METZ": "57000", "Paris 15e Arrondissement": "75730", "PARIS": "75011"}


NURSE, PHYSIO, MIDWIFE = ("60", "Infirmier"), ("70", "Masseur-Kinésithérapeute"), ("50", "Sage-Femme")


def somebody(number: int, family: str, given: str, town: str, trade: tuple[str, str] = NURSE) -> Row:
    code, label = trade
    return person(number, family=family, given=given, town=town) | {
        "Code profession": code,
        "Libellé profession": label,
        "Code savoir-faire": "",
        "Libellé savoir-faire": "",
        "Code postal (coord. structure)": POSTCODES[town],
    }


def heart(row: Row) -> Row:
    return row | {
        "Code profession": "10",
        "Libellé profession": "Médecin",
        "Code savoir-faire": "SM04",
        "Libellé savoir-faire": "Cardiologie et Maladies vasculaires (SM)",
    }


PEOPLE = [
    somebody(1, "DURAND", "Anne", "NANCY"),
    somebody(2, "DURANT", "Anne", "NANCY"),
    somebody(3, "DURAND", "Anne", "METZ"),
    somebody(4, "DURANDEAU", "Paul", "TOUL"),
    heart(somebody(5, "LAVAL", "Rose", "TOUL")),
    somebody(6, "MARTIN", "Zoé", "PARIS"),
    somebody(7, "PARIS", "Martin", "METZ"),
    somebody(8, "NANCY", "Luc", "METZ"),
    heart(somebody(9, "LE BRAS", "Jean-Marie", "NANCY")),
    somebody(10, "LEGRAND", "Jeanmarie", "TOUL"),
    somebody(11, "NGUYEN", "Thi", "Paris 15e Arrondissement", PHYSIO),
    somebody(12, "LE", "Van", "PARIS", PHYSIO),
    heart(somebody(13, "DURAND", "Anne", "TOUL")),
    somebody(14, "MÉDECIN", "Ève", "METZ", MIDWIFE),
    person(15, family="ANCIEN", given="Adeli", kind="0", id="990000001"),
    somebody(16, "PETIT-DUBOIS", "Marie", "METZ"),
]
SKILLS = [
    {
        "Type d'identifiant PP": "8",
        "Identifiant PP": rpps(5),
        "Identification nationale PP": f"8{rpps(5)}",
        "Code type savoir-faire": "CAPA",
        "Code savoir-faire": "CAPA04",
        "Libellé savoir-faire": "Angéiologie (CAPA)",
    }
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryFile]:
    folder = tmp_path_factory.mktemp("searching")
    clock = FrozenClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    skills = folder / f"PS_LibreAcces_SavoirFaire_{STAMP}.txt"
    skills.write_text(text(header("skills_13"), SKILLS), encoding="utf-8")
    files = [people_file(folder, PEOPLE), mailbox_file(folder, [mailbox("a@x.test", 1)]), skills]
    import_files(files, folder / "d.sqlite", clock)
    opened = DirectoryFile(folder / "d.sqlite", clock)
    yield opened
    opened.close()


def found(directory: DirectoryFile, words: str, profession: str = "", near: str = "") -> list[str]:
    """Names and towns, best first."""
    matches = directory.search(Query(words, profession, near)).matches
    return [f"{m.person.given_name} {m.person.family_name} {'/'.join(m.person.towns)}" for m in matches]


def read(directory: DirectoryFile, words: str) -> Understood:
    return directory.search(Query(words)).understood


@pytest.mark.parametrize(
    ("words", "people"),
    [
        # Whoever fits all stands before the mistyped, and those alone fit who are there.
        ("durand nancy", ["Anne DURAND NANCY", "Anne DURANT NANCY"]),
        ("durant nancy", ["Anne DURANT NANCY", "Anne DURAND NANCY"]),
        ("anne durnad metz", ["Anne DURAND METZ"]),
        # Nobody of the name is there: the département.
        ("durandeau nancy", ["Paul DURANDEAU TOUL"]),
        # Nor in the département: anywhere.
        ("legrand paris", ["Jeanmarie LEGRAND TOUL"]),
        # Only a beginning.
        ("durandea", ["Paul DURANDEAU TOUL"]),
        ("petit dub", ["Marie PETIT-DUBOIS METZ"]),
        # Words that are a town, a trade and a name.
        ("nancy metz", ["Luc NANCY METZ"]),
        ("dr medecin", ["Ève MÉDECIN METZ"]),
        ("medecin metz", ["Ève MÉDECIN METZ"]),
        ("cardiologue laval", ["Rose LAVAL TOUL"]),
        ("rose laval", ["Rose LAVAL TOUL"]),
        # A whole name before people of that name in that town.
        ("martin paris", ["Martin PARIS METZ", "Zoé MARTIN PARIS"]),
        # Glued and cut.
        ("jean marie legrand", ["Jeanmarie LEGRAND TOUL"]),
        ("jeanmarie lebras", ["Jean-Marie LE BRAS NANCY"]),
        ("jm le bras", ["Jean-Marie LE BRAS NANCY"]),
        ("j.-m. le bras", ["Jean-Marie LE BRAS NANCY"]),
        ("petitdubois", ["Marie PETIT-DUBOIS METZ"]),
        # Names of particles only.
        ("dr le", ["Van LE PARIS"]),
        ("van le", ["Van LE PARIS"]),
        # The district stands in the label, not in the postcode.
        ("kine paris 15", ["Thi NGUYEN Paris 15e Arrondissement"]),
        ("kiné 75", ["Van LE PARIS", "Thi NGUYEN Paris 15e Arrondissement"]),
        ("angiologue toul", ["Rose LAVAL TOUL"]),
        ("adeli ancien", ["Adeli ANCIEN NANCY"]),
        ("anne durand cardiologue", ["Anne DURAND TOUL"]),
        # Words that nothing resembles do no harm.
        ("cardiologue toul xyzxyz", ["Anne DURAND TOUL", "Rose LAVAL TOUL"]),
    ],
)
def test_who_is_found(directory: DirectoryFile, words: str, people: list[str]) -> None:
    assert found(directory, words)[: len(people)] == people


@pytest.mark.parametrize(
    "words", ["cardiologue metz", "sage-femme paris", "dermatologue nancy", "kine 57", "angiologue nancy"]
)
def test_a_trade_and_a_place_find_only_both(directory: DirectoryFile, words: str) -> None:
    assert directory.search(Query(words)).total == 0


@pytest.mark.parametrize(
    ("words", "profession", "near", "people"),
    [
        ("durand", "", "toul", ["Anne DURAND TOUL"]),
        ("durand", "infirmière", "54", ["Anne DURAND NANCY"]),
        ("", "cardio", "54000", ["Adeli ANCIEN NANCY", "Jean-Marie LE BRAS NANCY"]),
        ("anne", "", "metz", ["Anne DURAND METZ"]),
        ("laval", "cardiologue", "nancy", ["Rose LAVAL TOUL"]),
    ],
)
def test_a_query_is_narrowed(
    directory: DirectoryFile, words: str, profession: str, near: str, people: list[str]
) -> None:
    assert found(directory, words, profession, near)[: len(people)] == people


@pytest.mark.parametrize(
    ("words", "understood"),
    [
        ("durand nancy", Understood(("durand",), (), ("Nancy",))),
        ("kine paris 15e", Understood((), ("Masseur-Kinésithérapeute",), ("Paris 15",))),
        ("cardio 54", Understood((), ("Cardiologie et Maladies vasculaires (SM)",), ("Meurthe-et-Moselle",))),
        ("durandeau nancy", Understood(("durandeau",), (), ("Meurthe-et-Moselle",))),
        ("legrand paris", Understood(("legrand",), (), (), ("paris",))),
        ("anne durand xyzxyz", Understood(("anne", "durand"), (), (), ("xyzxyz",))),
    ],
)
def test_how_it_was_read(directory: DirectoryFile, words: str, understood: Understood) -> None:
    assert read(directory, words) == understood


def test_homonyms_are_those_of_the_results(directory: DirectoryFile) -> None:
    matches = directory.search(Query("anne durand")).matches
    assert [m.homonyms for m in matches if m.person.family_name == "DURAND"] == [2, 2, 2]
    assert directory.search(Query("anne durand metz")).matches[0].homonyms == 0


@pytest.mark.parametrize("words", ["", " ", "a", "%", "_", "dr", "dr mme", "de la", "à", "x", "cedex", "\0\0"])
def test_too_little_is_refused(directory: DirectoryFile, words: str) -> None:
    with pytest.raises(BadInput, match="type a name"):
        directory.search(Query(words))


@pytest.mark.parametrize(("profession", "near"), [("zzzz", ""), ("", "zzzz"), ("dr", ""), ("", "%"), ("nancy", "")])
def test_what_narrows_must_be_known(directory: DirectoryFile, profession: str, near: str) -> None:
    with pytest.raises(BadInput):
        directory.search(Query("durand", profession, near))


def test_a_long_query_is_read_in_part(directory: DirectoryFile) -> None:
    long = "durand nancy " + "x" * 10_000
    assert found(directory, long)[0] == "Anne DURAND NANCY"


def test_pages_are_bounded(directory: DirectoryFile) -> None:
    page = directory.search(Query("infirmier", limit=10**9, offset=-5))
    assert page.total == len(page.matches) == 9 <= MOST_RESULTS
    assert len(directory.search(Query("infirmier", limit=0)).matches) == 1
    assert directory.search(Query("infirmier", offset=9)).matches == ()


WORDS = st.sampled_from(
    [
        "durand",
        "durant",
        "anne",
        "nancy",
        "metz",
        "toul",
        "paris",
        "infirmier",
        "cardiologue",
        "kine",
        "54",
        "75015",
        "le",
        "de",
        "jm",
        "15e",
        "medecin",
        "dr",
        "xyz",
        "duran",
        "'",
    ]
)
QUERIES = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(words=QUERIES, limit=st.integers(1, 4))
def test_pages_are_parts_of_one_list(directory: DirectoryFile, words: str, limit: int) -> None:
    try:
        whole = directory.search(Query(words, limit=MOST_RESULTS))
    except BadInput:
        return
    listed = [m.person.number for m in whole.matches]
    assert len(listed) == len(set(listed)) == whole.total
    paged = [directory.search(Query(words, limit=limit, offset=at)) for at in range(0, whole.total, limit)]
    assert [m.person.number for page in paged for m in page.matches] == listed
    assert {page.total for page in paged} <= {whole.total}


@settings(deadline=None, max_examples=60)
@given(words=QUERIES)
def test_case_and_accents_do_not_matter(directory: DirectoryFile, words: str) -> None:
    def answer(text: str) -> list[str] | str:
        try:
            return found(directory, text)
        except BadInput as refused:
            return str(refused)

    accented = unicodedata.normalize("NFD", words.replace("e", "é").replace("c", "ç"))
    assert answer(words) == answer(words.upper()) == answer(accented) == answer(words.replace(" ", " , "))


@settings(deadline=None, max_examples=150)
@given(words=st.text(max_size=60), profession=st.text(max_size=10), near=st.text(max_size=10))
def test_any_text_is_answered_or_refused(directory: DirectoryFile, words: str, profession: str, near: str) -> None:
    for query in (Query(words), Query(words, profession), Query(words, near=near)):
        try:
            page = directory.search(query)
        except BadInput:
            continue
        assert page.total >= len(page.matches)
