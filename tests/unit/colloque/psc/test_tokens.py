"""The token endpoint's answer, read strictly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colloque.errors import Tampered
from colloque.psc.tokens import read_tokens

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACCESS = {"access_token": "a-1", "token_type": "Bearer", "expires_in": 100}
TOLD = ACCESS | {"refresh_token": "r-1", "refresh_expires_in": 50}


def test_lives_count_from_when_they_were_asked_for() -> None:
    read = read_tokens(TOLD, "sub", NOW)
    assert (read.access, read.refresh, read.sub) == ("a-1", "r-1", "sub")
    assert read.until == NOW + timedelta(seconds=100)
    assert read.renew_at == NOW + timedelta(seconds=40), "before the first that ends"
    assert read.renewable(NOW + timedelta(seconds=49))
    assert not read.renewable(NOW + timedelta(seconds=50))


def test_without_a_refresh_token_nothing_is_renewed() -> None:
    assert not read_tokens(ACCESS, "sub", NOW).renewable(NOW)
    assert read_tokens(ACCESS | {"refresh_token": "r"}, "sub", NOW).renewable(NOW + timedelta(days=300)), "trying tells"


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": None}, {"access_token": ""}, {"access_token": "a\nb"}, {"access_token": "é"},
        {"access_token": "a" * 20_000}, {"token_type": "mac"}, {"token_type": None}, {"expires_in": None},
        {"expires_in": "100"}, {"expires_in": True}, {"expires_in": 0}, {"expires_in": -1},
        {"expires_in": float("inf")}, {"refresh_token": 7}, {"refresh_token": None}, {"refresh_token": "a\x01b"},
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Tampered):
        read_tokens(TOLD | change, "sub", NOW)


def test_tokens_are_not_shown_by_accident() -> None:
    shown = repr(read_tokens(TOLD, "of-anne", NOW))
    assert not any(secret in shown for secret in ("a-1", "r-1", "of-anne"))
