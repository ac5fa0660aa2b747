"""What reports say of a mail with several recipients: whoever got nothing is told of, once, whatever came before."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from colloque.errors import MailInDoubt
from colloque.identity import EventId
from colloque.mail.message import Report, ReportKind
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.untold import Untold
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import refusals
from tests.unit.mssante.test_ends_store import Shelf, shelf
from tests.unit.mssante.test_sender import Desk, desk
from tests.unit.mssante.test_store import BOX, db, found

__all__ = ["db", "desk", "shelf"]
A, B, C = "a@cabinet.mssante.test", "b@cabinet.mssante.test", "c@cabinet.mssante.test"
FULL = ("m.room.message", refusals.failed_at(B, "5.2.2"))


def of(kind: ReportKind, recipient: str | None, status: str = "") -> Report:
    return Report(kind, "eevent", None, recipient, status)


async def report(outbox: Outbox, *reports: Report) -> None:
    for each in reports:
        assert await outbox.report(each, BOX) is not None


DELIVERED, READ, FAILED = of("delivered", A), of("read", A), of("failed", B, "5.2.2")


@pytest.mark.parametrize("order", list(itertools.permutations([DELIVERED, READ, FAILED, FAILED])))
async def test_one_who_got_nothing_is_told_once_in_any_order(desk: Desk, order: Sequence[Report]) -> None:
    await desk.attempt(recipients=(A, B, C))
    for each in order:
        await report(desk.outbox, each)
        await desk.tell()
    said = await desk.tell()
    assert [one for one in said if one[0] == "m.room.message"] == [FULL]
    assert "n'a rien reçu" not in FULL[1]
    assert B in FULL[1].splitlines()[1], "a lock screen shows the first line"
    assert said.count(("m.reaction", texts.READ)) == 1
    assert (await found(desk.outbox, "$event")).state == "read"


async def test_a_failure_after_a_delivery_to_the_same_is_told(desk: Desk) -> None:
    await desk.attempt(recipients=(A, B))
    await report(desk.outbox, of("delivered", B), FAILED, of("delivered", B))
    assert FULL in await desk.tell()
    assert (await found(desk.outbox, "$event")).state == "delivered"


async def test_each_that_failed_is_named_and_no_word_more_where_all_did(desk: Desk) -> None:
    await desk.attempt(recipients=(A, B))
    await report(desk.outbox, FAILED)
    assert await desk.tell() == [("m.reaction", texts.SENT), FULL]
    await report(desk.outbox, of("failed", A, "5.1.1"))
    assert (await desk.tell())[2:] == [("m.room.message", refusals.failed_at(A, "5.1.1"))]
    await report(desk.outbox, FAILED, of("delivered", A))
    assert len(await desk.tell()) == 3
    kept = await found(desk.outbox, "$event")
    assert (kept.state, kept.told) == ("failed", "failed")


@pytest.mark.parametrize("recipient", [None, "relay@ailleurs.mssante.test"])
async def test_a_failure_of_nobody_we_wrote_to_is_told_without_a_name(desk: Desk, recipient: str | None) -> None:
    await desk.attempt(recipients=(A, B))
    await report(desk.outbox, DELIVERED, of("failed", recipient, "5.2.2"), of("failed", recipient, "5.2.2"))
    [_, (_, words)] = await desk.tell()
    assert words == refusals.failed_at("", "5.2.2")
    assert "@" not in words
    assert len(await desk.tell()) == 2


async def test_what_reports_say_of_one_recipient_is_as_it_was(desk: Desk) -> None:
    await desk.attempt()
    await report(desk.outbox, of("failed", "relay@ailleurs.mssante.test", "5.2.2"))
    assert await desk.tell() == [("m.room.message", texts.failed("5.2.2"))]
    await report(desk.outbox, of("delivered", None))
    assert (await found(desk.outbox, "$event")).state == "failed"


async def test_what_arrived_and_could_not_be_taken_in_there_is_told(desk: Desk) -> None:
    await desk.attempt()
    await report(desk.outbox, DELIVERED)
    await desk.tell()
    await report(desk.outbox, of("error", A))
    assert (await desk.tell())[-1] == ("m.room.message", texts.failed(""))
    await report(desk.outbox, DELIVERED)
    assert (await found(desk.outbox, "$event")).state == "failed"


async def test_a_failure_of_one_says_that_a_doubtful_mail_left(desk: Desk) -> None:
    await desk.attempt(MailInDoubt("lost"), recipients=(A, B))
    await report(desk.outbox, FAILED)
    desk.clock.advance(minutes=20)
    assert await desk.tell() == [("m.reaction", texts.SENT), FULL]


async def test_a_failure_waits_for_the_homeserver_and_an_answer_to_it_names_the_mail(desk: Desk) -> None:
    await desk.attempt(recipients=(A, B))
    await report(desk.outbox, DELIVERED, FAILED)
    desk.room.away = True
    assert await desk.tell() == []
    desk.room.away = False
    assert await desk.tell() == [("m.reaction", texts.DELIVERED), FULL]
    told = await desk.outbox.of_event(EventId("$told2"))
    assert told is not None
    assert told.key == "$event"


async def test_a_failure_that_nobody_was_told_of_keeps_a_thread_and_is_forgotten_with_it(shelf: Shelf) -> None:
    await shelf.db.execute("UPDATE outbox SET recipients = $1", '["p@cabinet.test", "q@cabinet.test"]')
    end = await shelf.begun()
    assert not (await shelf.ends.standing(end)).busy
    await shelf.outbox.report(Report("failed", "eevent", None, "p@cabinet.test", "5.2.2"), BOX)
    assert (await shelf.ends.standing(end)).busy
    untold = Untold(shelf.db, shelf.clock)
    [failure] = await untold.failures()
    await untold.told_failure(failure, EventId("$e2"))
    assert not (await shelf.ends.standing(end)).busy
    await shelf.forgetting.forget(end)
    assert await shelf.db.fetch("SELECT * FROM reported") == []
    assert await shelf.outbox.report(Report("failed", "eevent", None, "q@cabinet.test", ""), BOX) is not None
    assert await untold.failures() == []
