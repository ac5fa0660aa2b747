"""Towns, postcodes and départements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.directory.places import DEPARTMENT_NAMES, DEPARTMENTS, department, known_as, place_key, town_name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Saint-Étienne", "saint etienne"),
        ("ST ETIENNE CEDEX 2", "saint etienne"),
        ("STE-FOY-LES-LYON", "sainte foy les lyon"),
        ("L'Haÿ-les-Roses", "l hay les roses"),
        ("Œyreluy", "oeyreluy"),
        ("Ǽge-Ǣge-sur-æǽǣ", "aege aege sur aeaeae"),
        ("PARIS 15", "paris 15"),
        ("Paris 1er Arrondissement", "paris 1"),
        ("LYON 3EME", "lyon 3"),
        ("Marseille 16e Arrondissement", "marseille 16"),
        ("LYON CEDEX 03", "lyon"),
        ("PARIS 21", "paris"),
        ("NANTES 2", "nantes"),
        ("", ""),
        ("CEDEX", "cedex"),
    ],
)
def test_a_town_has_one_name(written: str, name: str) -> None:
    assert town_name(written) == name


@pytest.mark.parametrize(
    ("postcode", "town", "key", "code"),
    [
        ("54000", "NANCY", "54000 nancy", "54"),
        ("54035", "Nancy CEDEX", "54035 nancy", "54"),
        ("75015", "PARIS", "75015 paris 15", "75"),
        ("75116", "PARIS", "75116 paris 16", "75"),
        ("75674", "PARIS CEDEX 14", "75674 paris", "75"),
        ("75030", "Paris 14e Arrondissement", "75030 paris 14", "75"),
        ("69003", "Lyon", "69003 lyon 3", "69"),
        ("13016", "MARSEILLE", "13016 marseille 16", "13"),
        ("20000", "AJACCIO", "20000 ajaccio", "2A"),
        ("20200", "BASTIA", "20200 bastia", "2B"),
        ("97400", "Saint-Denis", "97400 saint denis", "974"),
        ("01000", "Bourg-en-Bresse", "01000 bourg en bresse", "01"),
        ("10000", "", "10000 ", "10"),
        ("", "Nancy", " nancy", ""),
        ("5400", "Nancy", " nancy", ""),
        ("٥٤٠٠٠", "Nancy", " nancy", ""),
        ("", "", "", ""),
    ],
)
def test_an_activity_has_a_place(postcode: str, town: str, key: str, code: str) -> None:
    assert place_key(postcode, town) == key
    assert department(key) == code


@pytest.mark.parametrize(
    ("name", "shorter"),
    [
        ("le havre", ["havre"]),
        ("aix en provence", ["aix"]),
        ("clermont ferrand", ["clermont"]),
        ("la roche sur yon", ["rochesuryon"]),
        ("saint malo", []),
        ("paris 15", []),
        ("nancy", []),
    ],
)
def test_a_town_may_be_shortened(name: str, shorter: list[str]) -> None:
    assert list(known_as(name)) == shorter


def test_the_departements_are_all_there() -> None:
    metropolitan = {f"{n:02}" for n in range(1, 96)} - {"20"} | {"2A", "2B"}
    assert metropolitan | {"971", "972", "973", "974", "976"} <= DEPARTMENTS.keys()
    assert DEPARTMENT_NAMES["meurtheetmoselle"] == "54"
    assert DEPARTMENT_NAMES["lareunion"] == DEPARTMENT_NAMES["reunion"] == "974"


def test_a_name_is_written_one_way_whatever_the_character() -> None:
    for char in map(chr, [*range(0xD800), *range(0xE000, 0x10000)]):
        name = town_name(f"A{char}b")
        assert town_name(name) == name, hex(ord(char))


@given(st.text(max_size=12), st.text(max_size=40))
def test_any_text_has_a_key_or_none(postcode: str, town: str) -> None:
    key = place_key(postcode, town)
    assert town_name(town_name(town)) == town_name(town)
    assert department(key) in {"", key[:2], key[:3], "2A", "2B"}
