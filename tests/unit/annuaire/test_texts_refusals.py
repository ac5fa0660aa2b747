"""What is said of refusals."""

from __future__ import annotations

import pytest

from colloque.policy.admission import Reason
from colloque_annuaire.texts import refusals as texts

ACTS = ["invite", "create_room", "join", "third_party", "change", "redact", "alias", "publish", "knock", "new"]


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("reason", [r.value for r in Reason])
def test_refused_acts_say_who_why_and_what_to_do(act: str, reason: str) -> None:
    said = texts.refused_act(act, reason, other="Dr Anne MOULIN")
    assert f"({reason})" in said
    assert "refusé" in said.splitlines()[0]
    assert len(said.splitlines()) == 4
    assert "règle de l'établissement" not in said
    assert "{" not in said
    assert "None" not in texts.refused_act(act, reason, other="")


def test_a_block_is_not_told() -> None:
    said = texts.refused_act("invite", "not_available", other="Dr Anne MOULIN")
    assert not {"bloqu", "refuse vos", "liste"} & {word for word in ("bloqu", "refuse vos", "liste") if word in said}


def test_repeats_are_told_with_how_often() -> None:
    assert "encore une fois" in texts.refused_again("join", "remote", 1)
    assert "encore 12 fois" in texts.refused_again("join", "remote", 12)


def test_administrators_read_counts_and_nobody_s_name() -> None:
    said = texts.refused_counts({"remote": 2, "actor_unverified": 11})
    assert said.splitlines()[1:] == ["– actor_unverified : 11", "– remote : 2"]


def test_who_was_taken_out_of_a_room_is_told() -> None:
    assert "(remote_unknown)" in texts.left_shared("remote_unknown")


def test_whoever_works_under_somebody_reads_what_concerns_them() -> None:
    for reason in ("actor_frozen", "other_frozen"):
        said = texts.refused_act("invite", reason, other="Léa", supervised=True)
        assert "Annuaire Santé" not in said
        assert "professionnel" in said
        assert said.endswith(f"({reason})")
    assert texts.refused_act("invite", "alias", other="", supervised=True) == texts.refused_act(
        "invite", "alias", other=""
    )
