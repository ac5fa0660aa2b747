"""What is said of people on other servers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colloque_annuaire.rules.federation_outcome import Met
from colloque_annuaire.texts import federation as texts

KEEP = timedelta(days=90)
OTHER = "Dr Anne MARTIN · médecin · NANCY"


@pytest.mark.parametrize("met", list(Met))
def test_every_outcome_is_told_with_its_code_and_a_next_step(met: Met) -> None:
    said = texts.told(met, other=OTHER, organisation="CHU B", reason="", link="", keep=KEEP)
    assert said.endswith(f"({met.value})")
    assert "{" not in said
    assert len(said.splitlines()) == 3
    assert all(len(line) < 200 for line in said.splitlines())
    assert texts.told(met, other=OTHER, organisation="CHU B", reason="directory_name", link="", keep=KEEP).endswith(
        "(directory_name)"
    )


def test_a_conversation_that_was_opened_is_linked() -> None:
    said = texts.told(Met.KNOWN, other=OTHER, organisation="CHU B", reason="", link="https://matrix.to/#/!x", keep=KEEP)
    assert "https://matrix.to/#/!x" in said
    assert OTHER in said
    assert "au bout de 90 jours" in said


def test_administrators_read_counts_and_servers_only() -> None:
    said = texts.delisted("chu-b.test", "CHU B", 3)
    assert "chu-b.test" in said
    assert "3" in said
    assert "jusqu'au" in texts.list_trouble("list_rollback", "03/03/2026 10:00")
    assert "Aucune" in texts.list_trouble("federation.unavailable", "")
