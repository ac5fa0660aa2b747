"""Numbers, yeses and people as they are typed; what is shown of somebody found."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.commands import Call, parse
from colloque.errors import Inconsistent
from colloque.identity import Adeli, MssanteAddress, Rpps, UserId
from colloque_annuaire.rules.results import (
    distinct,
    number_from,
    number_key,
    places,
    result_and_yes,
    says_yes,
    today,
    trades,
    whom,
)
from tests.servers.annuaire import activity, doctor, rpps

ANNE = UserId("@anne.martin:hopital.test")
RPPS = rpps(7)


def typed(text: str) -> Call:
    call = parse(text)
    assert isinstance(call, Call), text
    return call


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("!contacter 3", (3, False)),
        ("! Contacter  3 !", (3, False)),
        ("!contacter n°3", (3, False)),
        ("!contacter n° 12", (12, False)),
        ("!contacter le 3", (3, False)),
        ("!contacter trois", (3, False)),
        ("!contacter 3 oui", (3, True)),
        ("!contacter 3, OUI.", (3, True)),
        ("!contacter « 3 » Oui !", (3, True)),
        ("!contacter3 oui", (3, True)),
        ("!contacter", (None, False)),
        ("!contacter oui", (None, True)),
        ("!contacter dr martin", (None, False)),
        ("!contacter 3 4", (None, False)),
        ("!contacter 123456789", (None, False)),
    ],
)
def test_a_result_and_a_yes_as_phones_write_them(text: str, wanted: tuple[int | None, bool]) -> None:
    assert result_and_yes(typed(text).words) == wanted


@pytest.mark.parametrize("text", ["oui", "Oui.", "OUI !", " ok", "d’accord", "Oui\n", "yes", "!oui"])
def test_a_yes(text: str) -> None:
    assert says_yes(text)


@pytest.mark.parametrize("text", ["", "non", "oui mais", "ouï-dire", "3", "oui ou non"])
def test_no_yes(text: str) -> None:
    assert not says_yes(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"!qui {ANNE}", ANNE),
        (f"!qui est {ANNE} ?", ANNE),
        (f"!qui <{ANNE}>", ANNE),
        (f"!qui [Anne](https://matrix.to/#/{ANNE})", ANNE),
        ("!qui https://matrix.to/#/%40anne.martin%3Ahopital.test?via=x", ANNE),
        ("!qui Anne.Martin@medecin.mssante.test.", MssanteAddress("anne.martin@medecin.mssante.test")),
        ("!qui mailto:a@m.mssante.test", MssanteAddress("a@m.mssante.test")),
        (f"!qui {RPPS}", RPPS),
        (f"!qui rpps {RPPS.value[:1]} {RPPS.value[1:5]} {RPPS.value[5:]}", RPPS),
        (f"!qui 8{RPPS}", RPPS),
        ("!qui 549300012", Adeli("549300012")),
        ("!qui 2A9300012", Adeli("2A9300012")),
        ("!qui 3", 3),
        ("!qui n°3", 3),
        ("!qui", None),
        ("!qui @anne", None),
        ("!qui Dr Martin", None),
        ("!qui 12345678901", None),
        ("!qui a@b", None),
    ],
)
def test_whom_somebody_asks_about(text: str, wanted: object) -> None:
    assert whom(typed(text).rest, test=False) == wanted


def test_wrong_keys_are_for_tests() -> None:
    assert whom("12345678901", test=True) == Rpps("12345678901")


@given(st.text())
def test_nothing_anybody_types_raises(text: str) -> None:
    whom(text, test=False)
    says_yes(text)
    result_and_yes(text.split())


@given(st.text(alphabet="0123456789 .n°@:/#%éA"))
def test_nothing_close_to_an_answer_raises(text: str) -> None:
    whom(text, test=True)
    result_and_yes(text.split())


def test_national_numbers_come_back_as_they_were_stored() -> None:
    for number in (RPPS, Adeli("2A9300012")):
        assert number_from(number_key(number)) == number
    with pytest.raises(Inconsistent):
        number_from("x123")


def test_the_day_is_the_one_in_paris() -> None:
    assert today(datetime(2026, 3, 1, 22, 59, tzinfo=UTC)) == date(2026, 3, 1)
    assert today(datetime(2026, 3, 1, 23, 0, tzinfo=UTC)) == date(2026, 3, 2)
    assert today(datetime(2026, 7, 1, 22, 0, tzinfo=UTC)) == date(2026, 7, 2)


def test_what_was_asked_for_comes_first() -> None:
    person = doctor(1, "MARTIN", "Anne", activity("METZ"), activity("NANCY", "CLINIQUE A"), activity("NANCY"))
    assert trades(person) == ("Médecin, Cardiologie",)
    assert places(person, ()) == ("METZ", "NANCY")
    assert places(person, ("Nancy",)) == ("NANCY", "METZ")
    assert places(person, ("54000 Nancy",)) == ("NANCY", "METZ")
    parisian = doctor(1, "MARTIN", "Anne", activity("LYONS-LA-FORET"), activity("Lyon 7e Arrondissement"))
    assert places(parisian, ("Lyon",)) == ("Lyon 7e Arrondissement", "LYONS-LA-FORET")
    assert distinct(person, ("Nancy",)) == (
        ("Médecin, Cardiologie", "CLINIQUE A", "NANCY"),
        ("Médecin, Cardiologie", "", "NANCY"),
        ("Médecin, Cardiologie", "", "METZ"),
    )
