"""Names and the words they are found by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.directory.names import PARTICLES, initials, name_words, terms


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("MARTIN", {"martin"}),
        ("LE GOFF", {"goff", "legoff"}),
        ("LE GOFF-MARTIN", {"goff", "legoff", "martin", "legoffmartin"}),
        ("DE LA CROIX", {"croix", "lacroix", "delacroix"}),
        ("D'HAUTEVILLE", {"hauteville", "dhauteville"}),
        ("ST-MARTIN", {"saint", "martin", "saintmartin"}),
        ("LE", {"le"}),
        ("Jean-Pierre", {"jean", "pierre", "jeanpierre"}),
        ("Cœur", {"coeur"}),
        ("--", set()),
    ],
)
def test_a_name_is_found_by_words(name: str, words: set[str]) -> None:
    assert name_words(name) == words


def test_a_given_name_is_found_by_initials() -> None:
    assert initials("Jean-Pierre") == {"j.", "jp."}
    assert initials("Élodie") == {"e."}
    assert initials("") == set()


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("yann le goff", [("yann",), ("goff", "legoff")]),
        ("de la croix", [("croix", "delacroix", "lacroix")]),
        ("d hauteville", [("hauteville", "dhauteville")]),
        ("d dupont", [("d",), ("dupont",)]),
        ("le van", [("le",), ("van",)]),
        ("j dupont", [("j",), ("dupont",)]),
    ],
)
def test_words_typed_ask_for_a_name(typed: str, asked: list[tuple[str, ...]]) -> None:
    assert [term.words for term in terms(typed.split())] == asked


@given(st.text(max_size=30))
def test_a_name_finds_itself(name: str) -> None:
    # Whoever types a name in full asks for words that it is found by.
    words = name_words(name)
    asked = terms([w for w in " ".join(sorted(words, key=len)).split() if w not in PARTICLES])
    assert all(words.intersection(term.words) for term in asked)
