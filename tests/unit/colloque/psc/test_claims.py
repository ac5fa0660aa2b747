"""What Pro Santé Connect says of somebody: read whole, or refused by a stable code."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.errors import ColloqueError, Refused, Tampered
from colloque.identity import Rpps
from colloque.psc.claims import Exercise, Identity, No, identity
from tests.servers.annuaire import rpps
from tests.servers.psc import DOCTOR, PHARMACIST, userinfo

NATIONAL = rpps(1).national


def info(*exercises: tuple[str, str, str], national: str = NATIONAL, **changes: Any) -> dict[str, Any]:
    return userinfo(national, "Anne", "MARTIN", *(exercises or (DOCTOR,))) | changes


def reason(claims: dict[str, Any], *, test: bool = False) -> str:
    with pytest.raises(Refused) as caught:
        identity(claims, test=test)
    return caught.value.reason


def test_one_exercise() -> None:
    assert identity(info()) == Identity(rpps(1), "Anne", "MARTIN", (Exercise("10", "C", "SM04"),))


def test_every_exercise_counts_once_in_order() -> None:
    found = identity(info(PHARMACIST, DOCTOR, PHARMACIST, ("10", "M", "SM04")))
    assert [(e.profession_code, e.category_code) for e in found.exercises] == [("21", "C"), ("10", "C"), ("10", "M")]


@pytest.mark.parametrize(
    "national",
    [
        "0012600631",
        "012600631",
        rpps(1).value,
        "3" + rpps(1).value,
        f"8 {rpps(1).value}",
        NATIONAL + "\n",
        "ANS2023",
        "",
    ],
)
@pytest.mark.parametrize("test", [True, False])
def test_only_an_rpps_number_is_one(national: str, test: bool) -> None:
    assert reason(info(national=national), test=test) == "psc_not_rpps"


@pytest.mark.parametrize("value", [None, 8, True, [NATIONAL], {"value": NATIONAL}])
def test_a_number_of_another_type_is_none(value: object) -> None:
    assert reason(info(SubjectNameID=value)) == No.NOT_RPPS


def test_fictive_numbers_are_for_tests() -> None:
    fictive = info(national="899700000011")
    assert Rpps("99700000011") == identity(fictive, test=True).rpps
    assert reason(fictive) == No.NOT_RPPS


@pytest.mark.parametrize("ref", [None, {}, {"exercices": None}, {"exercices": []}, {"exercices": ""}])
def test_who_exercises_nothing_is_refused(ref: object) -> None:
    assert reason(info(SubjectRefPro=ref)) == "psc_no_exercise"
    without = info()
    del without["SubjectRefPro"]
    assert reason(without) == "psc_no_exercise"


@pytest.mark.parametrize(
    "ref",
    [
        "10",
        [],
        {"exercices": {"codeProfession": "10"}},
        {"exercices": ["10"]},
        {"exercices": [{"codeProfession": ""}]},
        {"exercices": [{"codeProfession": 10}]},
        {"exercices": [{"codeProfession": "10\n"}]},
        {"exercices": [{"codeProfession": "1" * 11}]},
        {"exercices": [{"codeProfession": "10"}] * 51},
        {"exercices": [{"codeProfession": "10"}, None]},
    ],
)
def test_another_shape_is_not_guessed_at(ref: object) -> None:
    with pytest.raises(Tampered):
        identity(info(SubjectRefPro=ref))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=15),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=15), inner, max_size=3),
    max_leaves=10,
)
NAMES = ["SubjectNameID", "given_name", "family_name", "SubjectRefPro"]
EXERCISE = st.dictionaries(st.sampled_from(["codeProfession", "codeCategorieProfessionnelle", "codeSavoirFaire"]), JSON)


@given(st.dictionaries(st.sampled_from(NAMES), JSON), st.lists(EXERCISE | JSON, max_size=3), st.booleans())
def test_whatever_comes_it_is_an_identity_or_one_of_our_errors(
    changes: dict[str, Any], exercises: list[Any], whole: bool
) -> None:
    claims = (info() if whole else {}) | {"SubjectRefPro": {"exercices": exercises}} | changes
    try:
        found = identity(claims, test=True)
    except ColloqueError as error:
        said = str(error)
    else:
        assert found.exercises
        assert found.rpps.national == claims["SubjectNameID"]
        said = repr(found)
    assert "MARTIN" not in said
