"""Taps beneath an archive that come late or early: after its proof, before what they answer is kept. Both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from colloque.errors import HomeRefused, HomeUnavailable
from colloque.rooms.keeping import Proof
from tests.servers.salles_archive import Archived
from tests.servers.salles_server import ANNE, BOB
from tests.servers.salles_ward import DAY, RULE

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


async def _dies_once_said(ward: Archived, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on its way was said, and the homeserver went away before @salles knew."""
    await ward.close()
    await ward.archiving.once()
    ward.clock.advance(seconds=RULE.linger.total_seconds())
    await ward.archiving.once()

    async def dies(*_: Any) -> None:
        raise HomeUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(ward.archives, "sent", dies)
        await ward.archiving.once()


async def test_a_tap_on_what_was_said_and_not_kept_yet_is_answered_later(
    ward: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _dies_once_said(ward, monkeypatch)
    assert await ward.tap("partent vers", FILED) == ""
    assert await ward.tap("partent vers", "👍") == ""
    await ward.filing.once()
    assert [tap.sender for tap in await ward.early.all()] == [ANNE]
    await ward.archiving.once()
    before = len(ward.server.said)
    await ward.filing.once()
    assert "au dossier" in "".join(ward.server.said[before:])
    assert await ward.early.all() == []
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED


async def test_such_a_tap_proves_nothing_when_it_is_not_the_referents(
    ward: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _dies_once_said(ward, monkeypatch)
    await ward.tap("partent vers", FILED, who=BOB)
    await ward.rounds()
    await ward.filing.once()
    await ward.rounds()
    assert (await ward.proof(), await ward.early.all()) == ("", [])


async def test_it_is_forgotten_once_nothing_can_come_that_it_is_about(
    ward: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _dies_once_said(ward, monkeypatch)
    await ward.tap("est fermé", NOTHING)
    await ward.tap("pourquoi ne rien garder", "1️⃣")
    await ward.tap("partent vers", FILED)
    assert len(await ward.early.all()) == 1
    await ward.archiving.once()
    assert await ward.proof() == Proof.ALREADY_KEPT
    await ward.filing.once()
    assert await ward.early.all() == []


async def test_who_left_their_home_room_is_not_answered_for_ever(
    ward: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _dies_once_said(ward, monkeypatch)
    await ward.tap("partent vers", FILED)
    await ward.archiving.once()
    ward.server.errors = [HomeRefused(403, "M_FORBIDDEN")]
    await ward.filing.once()
    assert await ward.early.all() == []
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED
