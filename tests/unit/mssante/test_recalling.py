"""Second thoughts about a mail that stands in the outbox: nothing leaves against its writer's will, or unsaid."""

from __future__ import annotations

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock, to_millis
from colloque.identity import EventId
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Line
from colloque_mssante.mapping.showing import notice
from colloque_mssante.rules.sends import Send
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import writing as words
from tests.unit.mssante.outbound_desk import TARGET, Desk
from tests.unit.mssante.test_store import BOX, a_send, db

__all__ = ["db"]

ONE, TWO = Line(EventId("$1"), "dix"), Line(EventId("$2"), "par jour")
FILE = {"file": {"url": "mxc://h/1"}, "name": "x.pdf", "mime": "application/pdf", "size": 1}
FILED = Line(EventId("$1"), "voici", FILE)


@pytest.fixture
def desk(db: Database, clock: FrozenClock) -> Desk:
    return Desk(db, clock)


async def second_thought(desk: Desk, how: str) -> None:
    await {"cross": lambda: desk.tap(words.CANCEL), "redaction": desk.strike, "emptied": lambda: desk.edit(" ")}[how]()


HOW = pytest.mark.parametrize("how", ["cross", "redaction", "emptied"])


@HOW
@pytest.mark.parametrize("state", ["queued", "deferred"])
async def test_what_has_not_left_is_taken_back(desk: Desk, how: str, state: str) -> None:
    await desk.gone(state)
    for _ in range(2):
        await second_thought(desk, how)
    send = await desk.sent()
    assert (send.state, send.status, send.raw) == ("refused", "withdrawn", None)
    desk.clock.advance(days=2)
    assert (await desk.outbox.due(BOX), await desk.outbox.unfiled()) == ([], [])
    assert (await desk.draft()).state == states.CANCELLED
    assert [d.id for d in await desk.drafts.untold()] == ["$d"], "its notice says so"
    assert await desk.told() == [words.WITHDRAWN]
    assert not await desk.outbox.again("$d", asked_by=EventId("$again"))


@HOW
@pytest.mark.parametrize("state", ["data", "sent", "doubtful"])
async def test_what_left_or_may_have_is_said_to(desk: Desk, how: str, state: str) -> None:
    await desk.gone(state)
    await second_thought(desk, how)
    assert (await desk.sent()).state == state
    assert desk.room.said == [words.STRUCK_AFTER]


@HOW
async def test_what_was_refused_never_left(desk: Desk, how: str) -> None:
    await desk.gone("refused", status="5.1.1")
    await second_thought(desk, how)
    assert desk.room.said == [words.NEVER_LEFT]
    assert texts.state_word("refused", "5.1.1") != texts.state_word("refused", "withdrawn") == "annulé avant de partir"


async def test_one_line_of_several_takes_all_back(desk: Desk) -> None:
    await desk.gone("deferred", ONE, TWO)
    await desk.strike("$2")
    assert (await desk.sent()).status == "withdrawn"
    assert await desk.told() == [words.WITHDRAWN]
    assert "écrivez-le de nouveau" in words.WITHDRAWN


async def test_what_was_taken_back_is_followed_by_nothing(desk: Desk) -> None:
    await desk.outbox.put(a_send(desk.clock, "$first", thread="t"))
    await desk.gone("queued")
    await desk.tap(words.CANCEL)
    last = await desk.outbox.last_in("t")
    assert last is not None
    assert last.key == "$first"


async def test_what_waited_behind_it_goes_on(desk: Desk) -> None:
    await desk.gone("deferred")
    await desk.outbox.put(a_send(desk.clock, "$next", thread="t"))
    assert [send.key for send in await desk.outbox.due(BOX)] == ["$d"]
    await desk.tap(words.CANCEL)
    assert [send.key for send in await desk.outbox.due(BOX)] == ["$next"]


async def test_one_that_was_sent_again_is_stopped_and_stays_in_doubt(desk: Desk) -> None:
    await desk.gone("doubtful")
    await desk.outbox.again("$d", asked_by=EventId("$again"))
    under_way = await desk.sent()
    await desk.tap(words.CANCEL)
    await desk.outbox.move(under_way, "deferred")
    send = await desk.sent()
    assert (send.state, send.raw) == ("doubtful", b"mail")
    assert await desk.told() == [words.STRUCK_AFTER, texts.doubtful()]


# edits


async def test_an_edit_of_what_has_not_left_asks_with_true_words(desk: Desk) -> None:
    await desk.gone("deferred")
    for _ in range(2):
        await desk.edit("cent")
    assert (await desk.sent()).status == "withdrawn"
    draft = await desk.draft("$edit")
    assert (draft.state, draft.target) == (states.CONFIRMING, TARGET)
    assert notice(draft, await desk.drafts.lines("$edit"), None, "").startswith("✏️ L'ancienne version n'est pas partie")
    assert await desk.told() == [], "its notice asks: nothing else is said"
    assert (await desk.draft()).state == states.CANCELLED
    await desk.edit("mille", "$edit2")
    assert [(line.event, line.words) for line in await desk.drafts.lines("$edit")] == [("$1", "mille")]
    assert len(await desk.drafts.live(draft.room, draft.owner)) == 1
    await desk.strike("$1")
    assert (await desk.draft("$edit")).state == states.CANCELLED


async def test_the_newest_mail_of_a_message_is_the_one_it_stands_for(desk: Desk) -> None:
    await desk.gone("deferred")
    await desk.edit("cent")
    await desk.outbox.put(a_send(desk.clock, "$edit", event=EventId("$1")))
    found = await desk.outbox.of_event(EventId("$1"))
    assert found is not None
    assert found.key == "$edit"


@pytest.mark.parametrize("lines", [(ONE, TWO), (FILED,)])
async def test_an_edit_of_a_part_of_what_has_not_left_changes_nothing(desk: Desk, lines: tuple[Line, ...]) -> None:
    await desk.gone("deferred", *lines)
    await desk.edit("cent")
    assert (await desk.sent()).state == "deferred"
    assert desk.room.said == [words.EDITED_IN_PART]
    assert await desk.drafts.get("$edit") is None


async def test_an_edit_of_a_part_takes_nothing_back_that_was_put_off_meanwhile(desk: Desk) -> None:
    await desk.gone("data", ONE, TWO)
    leaving, get = await desk.sent(), desk.outbox.get

    async def put_off_then(_key: str) -> Send | None:
        desk.outbox.get = get  # type: ignore[method-assign]
        await desk.outbox.move(leaving, "deferred")
        return leaving

    desk.outbox.get = put_off_then  # type: ignore[method-assign]
    await desk.edit("cent")
    assert (await desk.sent()).state == "deferred"
    assert (await desk.draft("$edit")).corrects


async def test_an_edit_of_all_that_left_replaces_it(desk: Desk) -> None:
    await desk.gone("sent")
    await desk.edit("cent")
    draft, send = await desk.draft("$edit"), await desk.sent()
    assert draft.target is not None
    assert (draft.state, draft.target.replaces, draft.corrects) == (states.CONFIRMING, to_millis(send.made_at), False)
    assert draft.target.subject == "[Annule et remplace] Re: Dose"


@pytest.mark.parametrize("lines", [(ONE, TWO), (FILED,)])
async def test_an_edit_of_a_part_of_what_left_corrects_that_passage(desk: Desk, lines: tuple[Line, ...]) -> None:
    await desk.gone("sent", *lines)
    await desk.edit("cent")
    draft = await desk.draft("$edit")
    assert draft.corrects
    shown = notice(draft, await desk.drafts.lines("$edit"), None, "")
    assert "Objet : [Correction] Re: Dose" in shown
    assert "\nCorrection d'un passage du message du " in shown
    assert " ; le reste est inchangé.\ncent\n" in shown
    assert words.REPLACES not in shown


async def test_an_edited_caption_corrects_and_the_file_does_not_leave_again(desk: Desk) -> None:
    await desk.gone("sent", FILED)
    await desk.edit("cent", msgtype="m.file", file=FILE["file"], filename="x.pdf")
    [line] = await desk.drafts.lines("$edit")
    assert (line.words, line.file) == ("cent", None)


@pytest.mark.parametrize("state", ["refused", "failed"])
async def test_an_edit_of_what_never_left_offers_no_replacement(desk: Desk, state: str) -> None:
    await desk.gone(state, status="5.1.1")
    await desk.edit("cent")
    assert desk.room.said == [words.NEVER_LEFT]
    assert await desk.drafts.get("$edit") is None


async def test_an_edit_that_was_taken_in_is_none_of_what_left_since(desk: Desk) -> None:
    await desk.begin(states.WAITING, ONE)
    await desk.edit("cent")
    await desk.gone("sent", ONE)
    await desk.edit("cent")
    assert await desk.drafts.get("$edit") is None
    assert desk.room.said == []
