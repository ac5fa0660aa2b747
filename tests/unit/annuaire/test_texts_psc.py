"""What is said of Pro Santé Connect: every reason, and nothing personal on a lock screen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colloque.psc.claims import No
from colloque_annuaire.texts import psc as texts
from tests.servers.annuaire import rpps


@pytest.mark.parametrize("reason", [no.value for no in No])
def test_every_reason_says_what_and_what_to_do(reason: str) -> None:
    first, second = texts.refused(reason).splitlines()
    assert first.endswith(".")
    assert second.endswith(".")


def test_the_number_and_how_long_it_is_good_then_the_other_ways() -> None:
    said = texts.asked("07", timedelta(minutes=2), rpps(1)).splitlines()
    assert said[0] == "Validez le nombre 07 dans votre application e-CPS (2 minutes)."
    assert [line.split(" : ")[-1] for line in said[2:]] == [
        f"!inscription {rpps(1)} boite",
        f"!inscription {rpps(1)} garants",
    ]
