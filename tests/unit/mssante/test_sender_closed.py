"""A mail whose mailbox waits for its holder's word."""

from __future__ import annotations

from colloque_mssante.access.sessions import MailboxClosed
from tests.unit.mssante.test_sender import BOX, Desk, desk

__all__ = ["desk"]


async def test_a_closed_mailbox_defers_what_leaves_until_it_opens_or_two_days_pass(desk: Desk) -> None:
    send = await desk.attempt(MailboxClosed("no session"))
    assert send.state == "deferred"
    for _ in range(8):
        desk.clock.advance(hours=2)
        send = await desk.attempt(MailboxClosed("no session"))
    assert send.next_at > desk.clock.now()
    await desk.outbox.hurry(BOX)
    assert [each.key for each in await desk.outbox.due(BOX)] == [send.key]
    desk.clock.advance(hours=33)
    send = await desk.attempt(MailboxClosed("no session"))
    assert (send.state, send.status) == ("refused", "closed")
    assert "restée fermée deux jours" in (await desk.tell())[-1][1]
