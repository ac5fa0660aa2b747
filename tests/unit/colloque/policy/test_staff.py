"""How one becomes an administrator, and ceases to be one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.errors import BadInput
from colloque.policy.staff import CONFIRM_WITHIN, NoStaff, may_confirm, may_remove, read_name, shown
from tests.attested import NOW, user


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("zoe.durand", ("Zoe", "durand")),
        ("  Zoé   Durand ", ("Zoé", "Durand")),
        ("jean-luc.d'arcy", ("Jean-luc", "d'arcy")),
        ("Zoé De La Tour", ("Zoé", "De La Tour")),
    ],
)
def test_names_are_read_as_they_are_typed(typed: str, name: tuple[str, str]) -> None:
    assert read_name(typed) == name


@pytest.mark.parametrize("typed", ["", "zoe", "zoe.", ".durand", "@zoe:server", "z" * 41 + ".d", "….…", "東京.京都"])
def test_what_is_no_name_is_refused(typed: str) -> None:
    with pytest.raises(BadInput):
        read_name(typed)


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_bad_input(typed: str) -> None:
    try:
        given_name, family = read_name(typed)
    except BadInput:
        return
    assert shown(given_name, family).endswith(" · administration")


def test_a_second_person_confirms_in_time() -> None:
    asked = user(1), NOW
    assert may_confirm(asked, user(2), NOW) is None
    assert may_confirm(asked, user(2), NOW + CONFIRM_WITHIN) is None
    assert may_confirm(asked, user(1), NOW) is NoStaff.SAME_PERSON
    assert may_confirm(asked, user(2), NOW + CONFIRM_WITHIN + timedelta(seconds=1)) is NoStaff.NOTHING_ASKED
    assert may_confirm(None, user(2), NOW) is NoStaff.NOTHING_ASKED


@given(st.sets(st.integers(1, 4)), st.sets(st.integers(1, 4)), st.integers(1, 4))
def test_somebody_always_administers(everybody: set[int], named: set[int], who: int) -> None:
    administrators = {user(n) for n in everybody | named}
    no = may_remove(user(who), administrators, {user(n) for n in named})
    if no is None:
        assert administrators - {user(who)}
        assert who in everybody - named
    elif who in named:
        assert no is NoStaff.NAMED
    else:
        assert no is (NoStaff.LAST if user(who) in administrators else NoStaff.NOT_STAFF)
