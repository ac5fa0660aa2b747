"""What the extraction and FHIR make together: every pair of words has its verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from colloque.directory.fhir_records import FhirPerson
from colloque.directory.lookup import Age
from colloque.directory.settle import (
    Absent,
    Contradiction,
    Gone,
    Inactive,
    Present,
    Silent,
    Unknown,
    Verdict,
    Word,
    settle,
)
from colloque.identity import Adeli, Rpps
from colloque.professional import Activity, Professional
from tests.servers.fhir_people import rpps

MADE = datetime(2026, 3, 2, 22, tzinfo=UTC)
ASKED = datetime(2026, 3, 3, 9, tzinfo=UTC)
ONE, TWO = Rpps(rpps(1)), Rpps(rpps(2))
OLD = Adeli("991234567")
LISTED = Professional(ONE, "MARTENOT", "Alix", activities=(Activity("10", "Médecin"),))
WORD = FhirPerson(
    active=True,
    rpps=ONE,
    adeli=None,
    family_name="Marténot",
    given_name="Alix",
    title="",
    activities=LISTED.activities,
    mailboxes=(),
    skills=(),
    cards=(),
    updated_at=MADE - timedelta(days=30),
    asked_at=ASKED,
)
INACTIVE = replace(WORD, active=False, family_name="", activities=())


@pytest.mark.parametrize(
    ("listed", "age", "word", "verdict"),
    [
        (LISTED, Age.FRESH, WORD, Present(listed=True)),
        (LISTED, Age.STALE, WORD, Present(listed=True)),
        (None, Age.FRESH, WORD, Present(listed=False)),
        (None, Age.STALE, WORD, Present(listed=False)),
        (None, Age.FRESH, Absent(ASKED), Gone(ASKED)),
        (None, Age.LATE, Absent(ASKED), Gone(ASKED)),
        (None, Age.STALE, Absent(ASKED), Unknown("directory.stale")),
        (LISTED, Age.FRESH, Absent(ASKED), Contradiction("absent")),
        (LISTED, Age.STALE, Absent(ASKED), Contradiction("absent")),
        (None, Age.FRESH, Silent("fhir.unavailable"), Unknown("fhir.unavailable")),
        (None, Age.STALE, Silent("fhir.key"), Unknown("fhir.key")),
        (LISTED, Age.LATE, Silent("fhir.unavailable"), Present(listed=True)),
        (LISTED, Age.STALE, Silent("fhir.unavailable"), Unknown("fhir.unavailable")),
        (LISTED, Age.FRESH, INACTIVE, Inactive(ASKED, listed=True)),
        (None, Age.STALE, INACTIVE, Inactive(ASKED, listed=False)),
    ],
)
def test_every_pair_of_words(listed: Professional | None, age: Age, word: Word, verdict: Verdict) -> None:
    assert settle(ONE, listed, MADE, age, word) == verdict


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        (replace(WORD, family_name="OLIVEREAU"), Contradiction("name")),
        (replace(WORD, family_name="OLIVEREAU", updated_at=None), Contradiction("name")),
        (replace(WORD, family_name="OLIVEREAU", updated_at=ASKED), Present(listed=True)),
        (replace(WORD, activities=(Activity("60", ""),)), Contradiction("profession")),
        (replace(WORD, activities=(Activity("60", ""), Activity("10", ""))), Present(listed=True)),
        (replace(WORD, activities=()), Present(listed=True)),
        (replace(WORD, rpps=TWO, updated_at=ASKED), Contradiction("identifier")),
        (replace(WORD, doubts=("name",)), Contradiction("name")),
        (replace(INACTIVE, doubts=("identifier",)), Contradiction("identifier")),
    ],
)
def test_differences_are_contradictions_unless_they_are_news(word: Word, verdict: Verdict) -> None:
    assert settle(ONE, LISTED, MADE, Age.FRESH, word) == verdict


def test_an_adeli_that_became_an_rpps_is_told() -> None:
    moved = replace(WORD, adeli=OLD)
    old = replace(LISTED, rpps=None, adeli=OLD)
    assert settle(OLD, None, MADE, Age.FRESH, moved) == Present(listed=False, moved_to=ONE)
    assert settle(OLD, old, MADE, Age.FRESH, moved) == Present(listed=True, moved_to=ONE)
    assert settle(OLD, old, MADE, Age.FRESH, replace(moved, rpps=None)) == Present(listed=True)
    assert settle(ONE, LISTED, MADE, Age.FRESH, moved) == Present(listed=True)
