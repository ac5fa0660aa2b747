"""Who may do what, by code."""

from __future__ import annotations

import pytest

from colloque.directory.sample_trades import OLD_TRADES, TRADES
from colloque.policy.professions import (
    PROFESSIONS,
    Bar,
    Barred,
    CodeList,
    Trade,
    bound_by_secrecy,
    may_enrol,
    may_enter,
    may_open,
    may_open_patient_room,
)
from colloque.rooms.mark import RoomKind

MIDWIFE, INTERN, ARMY = Trade("50"), Trade("10", "E"), Trade("10", "M")
EDUCATOR, SOCIAL, OSTEOPATH, UNKNOWN = Trade("51"), Trade("41"), Trade("71"), Trade("999")


def test_the_three_lists_are_whole_and_apart() -> None:
    counts = {kind: sum(p.list is kind for p in PROFESSIONS.values()) for kind in CodeList}
    assert counts == {CodeList.HEALTH: 29, CodeList.SOCIAL: 26, CodeList.TITLE: 10}
    assert all(code == p.code and p.label for code, p in PROFESSIONS.items())


@pytest.mark.parametrize(("old", "new"), [("41", "200"), ("53", "213"), ("71", "171"), ("93", "193"), ("97", "194")])
def test_both_numberings_mean_the_same(old: str, new: str) -> None:
    assert PROFESSIONS[old].label == PROFESSIONS[new].label
    assert bound_by_secrecy(old) == bound_by_secrecy(new)


@pytest.mark.parametrize(
    ("trades", "enrol", "enter", "open_"),
    [
        ([MIDWIFE], None, None, None),
        ([ARMY], None, None, None),
        ([INTERN], None, None, Bar.STUDENT),
        ([OSTEOPATH], None, None, Bar.NOT_BOUND),
        ([SOCIAL], None, None, Bar.NOT_BOUND),
        ([EDUCATOR], None, Bar.NOT_BOUND, Bar.NOT_BOUND),
        ([UNKNOWN], Bar.UNKNOWN, Bar.UNKNOWN, Bar.UNKNOWN),
        ([Trade("10", "Z")], Bar.UNKNOWN, Bar.UNKNOWN, Bar.UNKNOWN),
        ([Trade("")], Bar.UNKNOWN, Bar.UNKNOWN, Bar.UNKNOWN),
        ([], Bar.NO_TRADE, Bar.NO_TRADE, Bar.NO_TRADE),
        ([INTERN, MIDWIFE], None, None, None),
        ([UNKNOWN, EDUCATOR], None, Bar.NOT_BOUND, Bar.NOT_BOUND),
        ([EDUCATOR, INTERN], None, None, Bar.STUDENT),
    ],
)
def test_the_table(trades: list[Trade], enrol: Bar | None, enter: Bar | None, open_: Bar | None) -> None:
    def why(barred: Barred | None) -> Bar | None:
        return barred.why if barred else None

    assert why(may_enrol(trades)) is enrol
    assert why(may_enter(RoomKind.PATIENT, trades)) is enter
    assert why(may_open(trades)) is open_
    assert why(may_enter(RoomKind.HOME, trades)) is enrol


def test_a_no_names_the_codes_it_is_about() -> None:
    assert may_enrol([UNKNOWN, Trade("999", "E"), UNKNOWN]) == Barred(Bar.UNKNOWN, ("999C", "999E"))
    assert may_enter(RoomKind.PATIENT, [UNKNOWN, EDUCATOR]) == Barred(Bar.NOT_BOUND, ("51C",))


def test_short_forms() -> None:
    assert bound_by_secrecy("60")
    assert not bound_by_secrecy("51")
    assert not bound_by_secrecy("999")
    assert may_open_patient_room("10")
    assert not may_open_patient_room("10", "E")


def test_whoever_the_sample_draws_may_enrol() -> None:
    for trade in (*TRADES, *OLD_TRADES):
        assert may_enrol([Trade(trade.code)]) is None
        assert PROFESSIONS[trade.code].label.casefold() == trade.label.casefold()
