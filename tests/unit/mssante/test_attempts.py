"""Two processes and one mail: it leaves once, and what became of it is kept, whoever learns it and however late."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import ColloqueError, MailDeferred, MailRefused
from colloque.identity import EventId
from colloque_mssante.mailboxes import sender as module
from colloque_mssante.rules.sends import CODES, ROOMS, Send
from colloque_mssante.store.leases import NotHeld
from colloque_mssante.store.outbox import Outbox
from tests.unit.mssante.test_sender import Desk, desk
from tests.unit.mssante.test_store import BOX, a_send, db, found

__all__ = ["db", "desk"]


async def test_one_attempt_alone_comes_as_far_as_the_text(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    send = await outbox.put(a_send(clock))
    leaving = await outbox.leaving(send)
    assert leaving == await found(outbox, "$event")
    with pytest.raises(NotHeld):
        await outbox.leaving(send)
    with pytest.raises(NotHeld):
        await outbox.leaving(leaving)


@pytest.mark.parametrize("state", ["deferred", "refused", "doubtful"])
async def test_what_an_overtaken_attempt_believes_counts_no_more(db: Database, clock: FrozenClock, state: str) -> None:
    outbox = Outbox(db, clock)
    send = await outbox.put(a_send(clock))
    late = await outbox.leaving(send)
    await outbox.move(late, "doubtful")  # by whoever took over
    assert await outbox.again("$event", asked_by=EventId("$ask"))
    queued = await found(outbox, "$event")
    await outbox.move(late, state)
    assert await found(outbox, "$event") == queued
    now = await outbox.leaving(queued)
    await outbox.move(send, state)
    assert (await found(outbox, "$event")).state == "data"
    await outbox.move(now, state)
    assert (await found(outbox, "$event")).state == state


async def test_what_was_taken_has_left_whoever_says_so(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    late = await outbox.leaving(await outbox.put(a_send(clock)))
    await outbox.move(late, "doubtful")
    await outbox.again("$event", asked_by=EventId("$ask"))
    await outbox.move(late, "sent")
    assert (await found(outbox, "$event")).state == "sent"
    assert await outbox.ready() == []  # it is not sent a second time


async def test_a_report_that_came_first_is_not_undone(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    send = await outbox.put(a_send(clock))
    await outbox.move(await outbox.leaving(send), "doubtful")
    assert await outbox.found("$event")
    for state in ("deferred", "refused", "doubtful"):
        await outbox.move(await found(outbox, "$event"), state)
    assert (await found(outbox, "$event")).state == "sent"


async def test_who_lost_the_mailbox_does_not_send_from_it(desk: Desk) -> None:
    send = await desk.outbox.put(a_send(desk.clock))
    await desk.sender._leases.let_go(BOX)
    await desk.sender.attempt(send)
    assert len(desk.seen) == 1  # as far as the text, and no further
    assert await found(desk.outbox, "$event") == send
    assert not desk.journal.open_intents()
    assert await desk.outbox.ready() == [BOX]


async def test_who_was_overtaken_does_not_send_again(desk: Desk) -> None:
    send = await desk.outbox.put(a_send(desk.clock))
    await desk.outbox.leaving(send)
    await desk.sender.attempt(send)
    assert (await found(desk.outbox, "$event")).state == "data"
    await desk.sender.take_over({BOX})
    await desk.sender.attempt(send)
    assert (await found(desk.outbox, "$event")).state == "doubtful"


async def test_a_code_that_was_leaving_is_sent_again(desk: Desk) -> None:
    code = a_send(desk.clock, caller=CODES, owner=None, room=None, event=None)
    await desk.outbox.leaving(await desk.outbox.put(code))
    await desk.sender.take_over({BOX})
    assert (await found(desk.outbox, "$event")).state == "deferred"


async def test_nothing_is_begun_by_who_is_about_to_end(desk: Desk) -> None:
    await desk.outbox.put(a_send(desk.clock))
    await desk.sender.rest(1.0)
    await desk.sender._drain(BOX)
    assert desk.seen == []


async def test_the_attempts_of_one_mail_are_told_apart(desk: Desk) -> None:
    first = await desk.attempt(MailDeferred("wait"))
    assert first.attempt == 1
    desk.clock.advance(hours=1)
    desk.answer = None
    await desk.sender.attempt(first)
    assert replace(await found(desk.outbox, "$event"), raw=None).attempt == 2


@pytest.mark.parametrize("error", [MailDeferred("wait"), MailRefused(550, "5.1.1")])
async def test_what_is_withdrawn_while_it_leaves_is_not_tried_again(desk: Desk, error: ColloqueError) -> None:
    """And nobody is told that the password was refused."""
    await desk.outbox.put(a_send(desk.clock, caller=ROOMS, owner=None, room=None, event=None))
    [send] = await desk.outbox.due(BOX)
    leaving = desk.outbox.leaving

    async def withdrawn(send: Send) -> Send:
        left = await leaving(send)
        await desk.outbox.withdraw(send)
        return left

    desk.outbox.leaving = withdrawn  # type: ignore[method-assign]
    desk.answer = error
    await desk.sender.attempt(send)
    kept = await found(desk.outbox, "$event")
    assert (kept.raw, kept.state, kept.status) == (None, "refused", "withdrawn")
    desk.clock.advance(hours=1)
    assert await desk.outbox.ready() == []
    assert await desk.incidents.unposted() == []
    assert not desk.journal.open_intents()


async def test_one_whose_text_is_gone_opens_no_incident(desk: Desk) -> None:
    """As those that were withdrawn so before."""
    await desk.attempt(raw=None, caller=ROOMS, owner=None, room=None, event=None)
    kept = await found(desk.outbox, "$event")
    assert (kept.state, kept.status) == ("refused", "withdrawn")
    assert await desk.incidents.unposted() == []


async def test_a_withdrawn_mail_that_was_taken_has_left(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    send = await outbox.put(a_send(clock, caller=ROOMS, owner=None, room=None, event=None))
    leaving = await outbox.leaving(send)
    await outbox.withdraw(send)
    assert await outbox.move(leaving, "deferred") == "refused"
    assert await outbox.move(leaving, "sent") == "sent"


@pytest.mark.parametrize("error", [None, MailDeferred("wait"), MailRefused(550, "5.1.1")])
async def test_what_its_writer_takes_back_before_its_text_leaves_stays(desk: Desk, error: ColloqueError | None) -> None:
    """An attempt was under way: it comes no further, and what it learns changes nothing."""
    send = await desk.outbox.put(a_send(desk.clock))
    submit = desk.submit

    async def meanwhile(*args: object, **given: object) -> object:
        assert await desk.outbox.take_back(send.key) == "refused"
        if error is not None:
            raise error
        return await submit(*args, **given)  # type: ignore[arg-type]

    desk.answer = ZeroDivisionError()  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "submit", meanwhile)
        await desk.sender.attempt(send)
    kept = await found(desk.outbox, "$event")
    assert (kept.raw, kept.state, kept.status) == (None, "refused", "withdrawn")
    assert await desk.outbox.ready() == []
    assert not desk.journal.open_intents()


async def test_what_is_leaving_is_never_said_to_be_taken_back(db: Database, clock: FrozenClock) -> None:
    outbox = Outbox(db, clock)
    leaving = await outbox.leaving(await outbox.put(a_send(clock)))
    assert await outbox.take_back("$event") is None
    assert await found(outbox, "$event") == leaving
    await outbox.move(leaving, "sent")
    assert await outbox.take_back("$event") is None
    assert await outbox.take_back("$unknown") is None
