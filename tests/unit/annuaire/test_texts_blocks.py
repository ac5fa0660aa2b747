"""What is said of personal blocks: the next step, nobody's name in a first line, nothing to whoever is blocked."""

from __future__ import annotations

import pytest

from colloque.identity import UserId
from colloque_annuaire.kinds.blocks import MOST
from colloque_annuaire.rules.unnamed import Unnamed
from colloque_annuaire.texts import blocks as texts

ANNE = UserId("@anne.martin:h.test")
LARGEST = 65_536
"""Bytes that an event may have (Matrix, "Size limits")."""


@pytest.mark.parametrize("why", Unnamed)
def test_whoever_is_not_named_reads_what_to_do(why: Unnamed) -> None:
    first, second = texts.unnamed(why).split("\n")
    assert first.endswith(".")
    assert second
    assert "{" not in first + second


@pytest.mark.parametrize(
    "said",
    [
        texts.blocked(ANNE, "Dr Anne MARTIN"),
        texts.unblocked(ANNE, "Dr Anne MARTIN"),
        *texts.listing([(ANNE, "Dr Anne MARTIN")] * 250),
    ],
)
def test_the_first_line_names_nobody(said: str) -> None:
    first, rest = said.split("\n", 1)
    assert "MARTIN" not in first
    assert ANNE not in first
    assert f"Dr Anne MARTIN ({ANNE})" in rest


def test_a_block_says_how_it_is_undone() -> None:
    assert f"!debloquer {ANNE}" in texts.blocked(ANNE, "")
    assert "conversations en cours restent" in texts.blocked(ANNE, "")
    assert texts.unblocked(ANNE, "").split("\n")[1] == ANNE, "an account whose name nobody knows any more"
    assert "500" in texts.full(500)


def test_one_account_is_one() -> None:
    [said] = texts.listing([(ANNE, "")])
    assert said == f"Un compte ne peut pas vous inviter :\n• {ANNE}\nPour débloquer : !debloquer {ANNE}"


def test_the_longest_list_is_said_whole_in_messages_that_matrix_takes() -> None:
    longest = UserId("@" + "a" * 247 + ":h.test")
    people = [(UserId(f"{longest[:240]}{n:03}:h.test"), "É" * 100) for n in range(MOST)]
    said = texts.listing(people)
    assert said[0].startswith(f"{MOST} comptes ")
    assert [line[2:] for each in said for line in each.split("\n") if line.startswith("• ")] == [
        f"{name} ({user})" for user, name in people
    ]
    assert sum("!debloquer" in each for each in said) == 1
    # Encrypted, a text is a third longer; what is around it takes no two kilobytes.
    assert max(len(each.encode()) for each in said) * 4 / 3 + 2048 < LARGEST
