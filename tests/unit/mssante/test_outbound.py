"""What a mail room hears: taps are heard once, and whatever does not leave is said."""

from __future__ import annotations

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.identity import EventId
from colloque.matrix.home import text
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Line, Option
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import writing as words
from tests.unit.mssante.outbound_desk import TARGET, Desk
from tests.unit.mssante.test_store import db

__all__ = ["db"]

ONE = Line(EventId("$1"), "dix")


@pytest.fixture
def desk(db: Database, clock: FrozenClock) -> Desk:
    return Desk(db, clock)


async def test_a_tap_heard_twice_does_not_answer_the_next_question(desk: Desk) -> None:
    await desk.begin(states.ASKING, ONE, target=None, options=(Option("nouveau message"),))
    for _ in range(2):
        await desk.tap("1️⃣")
    draft = await desk.draft()
    assert (draft.state, len(draft.options), desk.rest.remembered) == (states.ASKING, 2, [])
    await desk.tap("2️⃣", "$other")
    draft = await desk.draft()
    assert draft.target is not None
    assert draft.state == states.WAITING
    assert desk.rest.remembered == [draft.target]


async def test_a_tap_heard_twice_sends_nothing_that_was_asked_about_since(desk: Desk) -> None:
    draft = await desk.begin(states.WAITING, ONE)
    await desk.tap(words.SEND_NOW)
    await desk.drafts.change(draft, state=states.ASKING, options=(Option("autre", TARGET),))
    await desk.tap("1️⃣", "$other")
    chosen = await desk.draft()
    await desk.tap(words.SEND_NOW)
    assert await desk.draft() == chosen
    assert chosen.next_at > desk.clock.now()


CAPTIONED = {"msgtype": "m.file", "body": "!urgent", "filename": "x.pdf", "file": {"url": "mxc://h/1"}}


async def test_a_file_whose_caption_looks_like_a_command_is_said(desk: Desk) -> None:
    await desk.hear("$f", CAPTIONED)
    assert desk.room.said == [words.CAPTION_COMMAND]
    await desk.hear("$c", text("!envois"))
    assert desk.room.said == [words.CAPTION_COMMAND], "the bot answers commands"


async def test_a_device_that_is_not_signed_is_said_to_be_whatever_it_says(desk: Desk) -> None:
    for event, content in (("$c", text("!envois")), ("$f", CAPTIONED), ("$t", text("dix"))):
        await desk.hear(event, content, device_signed=False)
    assert (desk.room.to_all, desk.room.said) == ([texts.UNSIGNED_DEVICE] * 3, [])
    await desk.hear("$call", {}, "m.call.invite", encrypted=True, device_signed=False)
    assert len(desk.room.to_all) == 3
