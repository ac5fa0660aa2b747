"""Taps beneath an archive that come late: after its reminder, after its proof; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colloque.rooms.keeping import Proof
from tests.servers.salles_archive import Archived
from tests.servers.salles_ward import DAY

FILED, NOTHING = "✅", "🚫"


@pytest.fixture
def ward(archived: Archived) -> Archived:
    return archived


async def test_what_announced_it_can_be_tapped_after_the_reminder_too(ward: Archived) -> None:
    """Whoever taps just before the reminder may be heard just after it."""
    await ward.handed_over()
    ward.bridge.state = "delivered"
    await ward.archiving.once()
    ward.clock.advance(seconds=timedelta(days=5).total_seconds())
    await ward.rounds()
    assert "1️⃣" in await ward.tap("partent le", NOTHING)
    assert "au dossier" in await ward.tap("sont-ils classés", FILED)


async def test_who_taps_too_late_is_not_told_that_it_was_heard(ward: Archived) -> None:
    """Time has proven it meanwhile: the receipt will say so, and not what they tap now."""
    await ward.handed_over()
    ward.bridge.state = "delivered"
    for _ in range(9):
        await ward.rounds(2)
        ward.clock.advance(seconds=DAY.total_seconds())
    assert await ward.proof() == Proof.DELIVERED
    await ward.tap("partent vers", NOTHING)
    assert "déjà noté" in await ward.tap("pourquoi ne rien garder", "1️⃣")
    await ward.archiving.once()
    assert await ward.proof() == Proof.DELIVERED
