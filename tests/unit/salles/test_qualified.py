"""A patient's qualified identity as people type it: read whole or not at all, never guessed."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.identity import INS_OIDS
from colloque.mail.hl7 import Identifier
from colloque_salles.rules.qualified import Doubt, QualifiedIdentity, Unclear, Wrong, read_identity
from tests.clinical import NUMBER

TODAY = date(2026, 3, 1)
NIR, TEST = "1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.10"
FIELDS = (NUMBER, "NIR", "ESSAI-DUPONT", "Zélie, Anne", "28/03/1979", "F", "51215")
ZELIE = QualifiedIdentity(NUMBER, NIR, "ESSAI-DUPONT", "ZELIE", "ZELIE ANNE", "1979-03-28", "F", "51215")


def with_key(number: str) -> str:
    """A matricule of 13 characters, with its key."""
    return number + f"{97 - int(number.replace('2A', '19').replace('2B', '18')) % 97:02}"


def wrong(text: str) -> set[Wrong]:
    with pytest.raises(Unclear) as unclear:
        read_identity(text, TODAY)
    assert not any(trait in str(unclear.value) for trait in ("2790", "ESSAI", "lie"))
    return set(unclear.value.wrong)


@pytest.mark.parametrize(
    "text",
    [
        " ; ".join(FIELDS),
        "\n".join(FIELDS),
        "|".join(FIELDS),
        "2 79 03 51 215 189 89;nir;ESSAI-DUPONT;ZELIE,ANNE;28.03.1979;féminin;51215;",
        "Nom de naissance: Essai-Dupont; prénoms=Zélie, Anne;née le 28/3/1979;sexe f;lieu: 51215;NIR;279035121518989",
        "prenoms: Zélie, Anne;Essai-Dupont;1979-03-28;code INSEE 51215;Femme;1.2.250.1.213.1.4.8;279.035.121.518.989",
        "ins: 279035121518989 ; oid: 1.2.250.1.213.1.4.8 ; ESSAI‑DUPONT ; Zélie , Anne ; 28‑03‑1979 ; F. ; 51215",
    ],
)
def test_any_order_any_separator_any_typography(text: str) -> None:
    assert read_identity(text, TODAY) == ZELIE


@pytest.mark.parametrize(
    ("rank", "reason"),
    list(enumerate((Wrong.NUMBER, Wrong.AUTHORITY, None, Wrong.GIVEN, Wrong.BIRTH, Wrong.SEX, Wrong.PLACE))),
)
def test_no_trait_is_filled_in(rank: int, reason: Wrong | None) -> None:
    without = " ; ".join(field for at, field in enumerate(FIELDS) if at != rank)
    # Of two names one is missing: it can't be known which. The one that is there has two words, so it is not taken.
    assert wrong(without) == ({reason} if reason else {Wrong.LETTERS, Wrong.GIVEN})


@pytest.mark.parametrize(
    ("rank", "typed", "reason"),
    [
        (0, "279035121518988", Wrong.KEY),
        (0, "2790351215189", Wrong.NUMBER),
        (0, "979035121518989", Wrong.NUMBER),
        (1, "1.2.250.1.213.1.4.5", Wrong.AUTHORITY),
        (1, "oid: NIX", Wrong.AUTHORITY),
        (2, "ESSAI2", Wrong.EXTRA),
        (2, "nom : ESSAI2", Wrong.LETTERS),
        (2, "Иванов", Wrong.LETTERS),
        (2, "x" * 101, Wrong.LETTERS),
        (3, "Zélie Anne", Wrong.UNSPLIT),
        (3, "Zélie,, Anne", Wrong.LETTERS),
        (3, "Zélie, An☺ne", Wrong.LETTERS),
        (4, "29/02/1979", Wrong.BIRTH),
        (4, "28/03/79", Wrong.BIRTH),
        (4, "02/03/2026", Wrong.BIRTH),
        (4, "01/01/1879", Wrong.BIRTH),
        (4, "né le 28 mars", Wrong.EXTRA),
        (5, "sexe indéterminé", Wrong.SEX),
        (6, "lieu : Reims", Wrong.PLACE),
        (6, "00215", Wrong.PLACE),
        (6, "96215", Wrong.PLACE),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_taken(rank: int, typed: str, reason: Wrong) -> None:
    assert reason in wrong(" ; ".join((*FIELDS[:rank], typed, *FIELDS[rank + 1 :])))


def test_a_trait_given_twice_is_not_chosen() -> None:
    assert wrong(" ; ".join((*FIELDS, "51454"))) == {Wrong.TWICE}
    assert wrong(" ; ".join((*FIELDS, "Martin"))) == {Wrong.EXTRA}
    assert wrong(" ; ".join((*FIELDS, "nom: Martin"))) == {Wrong.EXTRA}


def test_nothing_typed_lacks_everything() -> None:
    every = {Wrong.NUMBER, Wrong.AUTHORITY, Wrong.NAME, Wrong.GIVEN, Wrong.BIRTH, Wrong.SEX, Wrong.PLACE}
    assert wrong("") == every


@pytest.mark.parametrize(
    ("typed", "oid"),
    [
        ("NIR", NIR),
        ("nia", "1.2.250.1.213.1.4.9"),
        ("NIR de test", TEST),
        ("ins-nir test", TEST),
        (TEST, TEST),
        ("NIR démonstration", "1.2.250.1.213.1.4.11"),
    ],
)
def test_whose_number_it_is(typed: str, oid: str) -> None:
    assert read_identity(" ; ".join((NUMBER, typed, *FIELDS[2:])), TODAY).authority == oid
    assert oid in INS_OIDS


def test_a_test_nia_does_not_exist() -> None:
    assert wrong(" ; ".join((NUMBER, "NIA de test", *FIELDS[2:]))) == {Wrong.AUTHORITY}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("d’Aubigné", "D'AUBIGNE"),
        ("Le  Goff", "LE GOFF"),
        ("MÜLLER--ŒHLER", "MULLER--OEHLER"),
        ("O'Neil", "O'NEIL"),
        ("Ñandú-Peña", "NANDU-PENA"),
    ],
)
def test_names_are_written_as_the_ins_writes_them(typed: str, kept: str) -> None:
    assert read_identity(" ; ".join((*FIELDS[:2], typed, *FIELDS[3:])), TODAY).name == kept


def test_a_first_given_name_may_have_two_words() -> None:
    found = read_identity(" ; ".join((*FIELDS[:3], "Marie Claude, Anne", *FIELDS[4:])), TODAY)
    assert (found.given, found.givens) == ("MARIE CLAUDE", "MARIE CLAUDE ANNE")


@pytest.mark.parametrize(
    ("change", "doubts"),
    [
        ({}, ()),
        ({"birth": "1979-04-28"}, (Doubt.BIRTH,)),
        ({"birth": "1989-03-28"}, (Doubt.BIRTH,)),
        ({"sex": "M"}, (Doubt.SEX,)),
        ({"place": "51454"}, (Doubt.PLACE,)),
        ({"number": with_key("2796251215189")}, ()),
        ({"number": with_key("179032A004189"), "place": "2A004"}, (Doubt.SEX,)),
    ],
)
def test_a_matricule_that_differs_from_the_traits_is_pointed_at(
    change: dict[str, str], doubts: tuple[Doubt, ...]
) -> None:
    """A month of 62 stands for one that is not known."""
    values = {name: getattr(ZELIE, name) for name in ZELIE.__slots__} | change
    assert QualifiedIdentity(**values).doubts == doubts


def test_it_never_shows_by_itself() -> None:
    assert not any(trait in repr(ZELIE) for trait in (NUMBER, "ESSAI", "ZELIE", "1979", "51215"))
    assert QualifiedIdentity.load(ZELIE.dump()) == ZELIE
    assert ZELIE.patient.qualified
    assert ZELIE.patient.ins == Identifier(NIR, NUMBER)


_LETTERS = st.text("abcdefghijklmnopqrstuvwxyzéèàüçñœABCDEFG", min_size=1, max_size=12).filter(
    lambda word: word.lower() not in {"m", "f", "h"}
)
_WORDS = st.lists(_LETTERS, min_size=1, max_size=3)


@st.composite
def _people(draw: st.DrawFn) -> tuple[list[str], dict[str, str]]:
    born = draw(st.dates(date(1880, 1, 1), TODAY))
    sex = draw(st.sampled_from("MF"))
    place = draw(st.sampled_from(("51215", "2A004", "2B033", "97411", "99352")))
    rank = draw(st.integers(1, 999))
    month = draw(st.sampled_from((f"{born.month:02}", "20", "62", "99")))
    number = with_key(f"{'1' if sex == 'M' else '2'}{born:%y}{month}{place}{rank:03}")
    name = draw(st.sampled_from("-'")).join(draw(_WORDS))
    givens = [" ".join(draw(_WORDS)) for _ in range(draw(st.integers(1, 3)))]
    fields = [
        number if draw(st.booleans()) else " ".join((number[0], *(number[at : at + 2] for at in range(1, 15, 2)))),
        draw(st.sampled_from(("NIR", "nia", "NIR de test"))),
        f"nom : {name}",
        f"prénoms : {', '.join(givens)}",
        f"{born:%d/%m}/{born.year:04}" if draw(st.booleans()) else born.isoformat(),
        sex,
        place,
    ]
    return draw(st.permutations(fields)), {"number": number, "birth": born.isoformat(), "sex": sex, "place": place}


@given(_people(), st.sampled_from((";", "\n", " | ")))
def test_what_is_read_is_what_was_written(person: tuple[list[str], dict[str, str]], between: str) -> None:
    fields, expected = person
    if any("prénoms" in each and "," not in each and " " in each.partition(" : ")[2] for each in fields):
        assert wrong(between.join(fields)) == {Wrong.UNSPLIT}
        return
    found = read_identity(between.join(fields), TODAY)
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.doubts == ()
    assert found.patient.qualified
    assert QualifiedIdentity.load(found.dump()) == found


@given(st.lists(st.one_of(st.sampled_from(FIELDS), st.text(max_size=40)), max_size=9).map(" ; ".join))
def test_no_text_does_anything_but_read_or_refuse(text: str) -> None:
    try:
        found = read_identity(text, TODAY)
    except Unclear:
        return
    assert (found.number, found.sex, found.place, found.birth) == (NUMBER, "F", "51215", "1979-03-28")
