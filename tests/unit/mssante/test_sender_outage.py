"""The database goes away just when it is known what became of a mail."""

from __future__ import annotations

from typing import Any

import pytest

from colloque.errors import MailDeferred, MailInDoubt, MailRefused, Temporary
from colloque_mssante.rules.sends import Send
from tests.unit.mssante.test_sender import Desk, desk

__all__ = ["desk"]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (None, "sent"),
        (MailInDoubt("lost"), "doubtful"),
        (MailDeferred("busy"), "deferred"),
        (MailRefused(550, "5.1.1"), "refused"),
    ],
)
async def test_what_became_of_a_mail_is_kept_although_the_database_is_away_just_then(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: Exception | None, state: str
) -> None:
    """Else its row would say for ever that its text is leaving, and hold those behind it in its thread."""
    real, away = desk.outbox.move, ["not there", "not yet"]

    async def move(send: Send, moved_to: str, **more: Any) -> str:
        if away:
            raise Temporary(away.pop())
        return await real(send, moved_to, **more)

    monkeypatch.setattr(desk.outbox, "move", move)
    assert (await desk.attempt(answer)).state == state
    assert not away
    assert not desk.journal.open_intents()
