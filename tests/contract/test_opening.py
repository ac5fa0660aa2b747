"""What a holder is told and asked of a mailbox that opens by their word: on SQLite and on PostgreSQL, through restarts.

The keeper is a script behind a real socket; the real one stands in tests/integration/test_bridge_by_psc.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import time
from pathlib import Path

import pytest

from colloque.clock import FrozenClock, to_millis
from colloque.errors import LoginRefused, NotFound, Refused, Temporary
from colloque.identity import MssanteAddress
from colloque.psc.claims import No
from colloque.rooms.mark import RoomKind, home_key
from colloque_mssante.access import sessions as sessions_
from colloque_mssante.access.opening import INCIDENT
from colloque_mssante.access.sessions import OnApproval
from colloque_mssante.rules.opening_rules import PER_HOUR, Why
from colloque_mssante.store.choices import OFF, PAUSED
from colloque_mssante.store.mailboxes import Mailboxes
from colloque_mssante.store.opening import Stage
from tests.servers.annuaire import rpps
from tests.servers.databases import Opener
from tests.servers.opening_place import ANNE, BOX, HOME, MORNING, OTHER, Place


@pytest.fixture
async def place(tmp: Path, opened: Opener, clock: FrozenClock) -> AsyncIterator[Place]:
    made = Place(tmp, opened, clock)
    await made.server.start()
    await made.restart()
    await made.rooms.put(home_key(ANNE), HOME, RoomKind.HOME, ANNE)
    await Mailboxes(made.db, clock).start(BOX, ANNE, clock.now())
    yield made
    await made.server.stop()
    made.journal.close()


async def test_only_this_operators_personal_mailboxes_open_so(place: Place) -> None:
    await place.look()
    assert place.credentials.of(BOX) == OnApproval(rpps(1), "")
    assert place.credentials.of(OTHER) is None
    assert place.credentials.of(MssanteAddress("nobody@m.test")) is None
    assert place.holder.addresses == (BOX,)
    version = place.credentials.version
    place.keeper.approve()
    await place.look()
    assert place.credentials.of(BOX) == OnApproval(rpps(1), "s1")
    assert place.credentials.version > version, "so that the mailbox is read at once"


async def test_a_closure_is_told_once_and_edited_to_its_end(place: Place) -> None:
    await place.look()
    assert "est fermée." in await place.look(hours=1)
    await place.restart()
    await place.look(hours=1)
    assert len(place.chat.reads) == len(place.chat.signs) == 1
    await place.opener.ask(place.holder, Why.BID)
    assert "Validez le nombre 01 " in await place.look()
    place.keeper.questions[rpps(1).value]["reason"] = No.EXPIRED.value
    assert "reste fermée : la demande n'a pas été validée à temps" in await place.look()
    await place.opener.ask(place.holder, Why.BID)
    place.keeper.approve()
    place.states[BOX] = "starting"
    assert "La relève est en cours." in await place.look()
    await place.restart()
    place.states[BOX] = "ok"
    assert "Aucun message MSSanté" in await place.look()
    assert (len(place.chat.reads), place.hurried) == (1, 1)
    await place.restart()
    await place.look()
    assert len(place.chat.reads) == 1
    place.keeper.sessions.clear()
    assert "est fermée depuis le" in await place.look()
    assert len(place.chat.reads) == 2


async def test_it_says_how_many_had_come(place: Place) -> None:
    place.keeper.approve()
    place.states[BOX] = "ok"
    await place.look()
    place.keeper.sessions.clear()
    await place.look(minutes=1)
    place.keeper.approve("s2")
    place.states[BOX], place.old = "ok", {BOX}
    assert "La relève est en cours." in await place.look()
    place.states[BOX], place.old = "closed", set()
    await place.look(hours=2)
    for n, room in enumerate(("!a", "!b", "")):
        await place.db.execute(
            "INSERT INTO mail (id, mailbox, owner, uidvalidity, uid, refs, subject, author_name, author, room_id, ref, "
            "at) VALUES ($1, $2, $3, 1, 1, '[]', '', '', '', $4, '', $5)",
            f"m{n}", BOX.value, ANNE, room, to_millis(place.clock.now()),
        )  # fmt: skip
    place.states[BOX] = "ok"
    assert "2 messages MSSanté depuis sa fermeture" in await place.look(seconds=1)


async def test_a_question_that_a_crash_cut_off_is_found_again(place: Place) -> None:
    await place.look()
    await place.keeper.ask(rpps(1).value)
    await place.restart()
    assert "Validez le nombre 01 " in await place.look()
    assert (await place.opener.ask(place.holder, Why.BID)).question == "q1"
    assert place.keeper.asked == 1


async def test_a_question_that_its_keeper_forgot_is_over(place: Place) -> None:
    await place.look()
    await place.opener.ask(place.holder, Why.BID)
    place.keeper.questions.clear()
    assert "la demande n'est plus valable" in await place.look()


async def test_who_writes_on_is_not_asked_at_each_message(place: Place) -> None:
    await place.look()
    await place.opener.ask(place.holder, Why.WROTE)
    for _ in range(3):
        place.keeper.questions[rpps(1).value]["reason"] = No.DENIED.value
        await place.look(minutes=1)
        with pytest.raises(Refused, match="too_often"):
            await place.opener.ask(place.holder, Why.WROTE)
    assert place.keeper.asked == 1
    await place.look(minutes=10)
    await place.opener.ask(place.holder, Why.WROTE)
    for _ in range(PER_HOUR - 2):
        place.keeper.questions[rpps(1).value]["reason"] = No.DENIED.value
        await place.look()
        await place.opener.ask(place.holder, Why.BID)
    place.keeper.questions[rpps(1).value]["reason"] = No.DENIED.value
    await place.restart()
    await place.look()
    with pytest.raises(Refused, match="too_often"):
        await place.opener.ask(place.holder, Why.BID)


@pytest.mark.parametrize("trouble", [Temporary("away"), LoginRefused("our name")])
async def test_who_writes_while_nobody_can_be_asked_waits_for_no_answer_each_time(
    place: Place, trouble: Exception
) -> None:
    await place.look()
    place.keeper.trouble = trouble
    with pytest.raises(Temporary):
        await place.opener.ask(place.holder, Why.WROTE)
    place.keeper.trouble = None
    with pytest.raises(Refused, match="too_often"):
        await place.opener.ask(place.holder, Why.WROTE)
    assert (await place.opener.ask(place.holder, Why.BID)).stage is Stage.ASKING


async def test_at_a_chosen_hour_it_asks_once_and_never_while_paused(place: Place, clock: FrozenClock) -> None:
    clock.advance(seconds=(MORNING - clock.now()).total_seconds() - 60)
    place.attest(ANNE)
    await place.restart()
    await place.look()
    await place.opener.choose(ANNE, (time(7, 30),))
    await place.restart()
    await place.look(seconds=30)
    assert place.keeper.asked == 0
    assert "Validez le nombre 01 " in await place.look(seconds=30)
    place.keeper.questions[rpps(1).value]["reason"] = No.EXPIRED.value
    for _ in range(40):
        await place.look(minutes=1)
    assert place.keeper.asked == 1
    await place.choices.close(ANNE, PAUSED)
    await place.look(days=1, minutes=-30)
    assert place.keeper.asked == 1
    await place.choices.open(ANNE, None)
    await place.look()
    assert place.keeper.asked == 2
    place.keeper.approve()
    await place.look(minutes=1)
    place.keeper.sessions.clear()
    await place.look(minutes=1)
    assert (place.stage, place.keeper.asked) == (Stage.CLOSED, 2), "they opened it at that hour already"


async def test_sessions_of_whom_they_are_not_wanted_are_dropped(place: Place) -> None:
    place.keeper.approve()
    place.keeper.sessions["10000000003"] = "somebody's"
    await place.look()
    assert place.keeper.sessions == {rpps(1).value: "s1"}
    await place.choices.close(ANNE, OFF)
    await place.look()
    assert place.keeper.sessions == {}
    await place.choices.open(ANNE, None)
    place.keeper.approve("s2")
    await place.look()
    assert place.keeper.sessions == {rpps(1).value: "s2"}
    place.clock.advance(seconds=5)
    place.attest()
    place.book.refresh()
    await place.look()
    assert place.keeper.sessions == {}


async def test_a_directory_that_is_away_drops_nobody(place: Place) -> None:
    place.keeper.approve()
    place.directory.empty = True
    await place.restart()
    await place.opener.once()
    assert place.keeper.sessions == {rpps(1).value: "s1"}
    with pytest.raises(NotFound):
        place.directory.by_rpps(rpps(1))


async def test_a_silent_keeper_closes_nothing_for_a_minute_then_everything(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.keeper.approve()
    place.states[BOX] = "ok"
    await place.look()
    told = await place.look()
    await place.server.stop()
    assert (await place.look(), place.sessions.problem) == (told, sessions_.AWAY)
    assert place.credentials.of(BOX) == OnApproval(rpps(1), "s1")
    now = sessions_.monotonic()
    for module in ("sessions", "opening"):
        monkeypatch.setattr(f"colloque_mssante.access.{module}.monotonic", lambda: now + 70)
    assert await place.look() == told, "nobody is told what nobody knows"
    assert place.credentials.of(BOX) == OnApproval(rpps(1), None)
    monkeypatch.setattr("colloque_mssante.access.opening.monotonic", lambda: now + 140)
    await place.look()
    assert await place.incidents.current() == [INCIDENT]
    await place.server.start()
    assert await place.look() == told
    assert place.credentials.of(BOX) == OnApproval(rpps(1), "s1"), "it was silent, and lost nothing"
    assert await place.incidents.current() == []


async def test_a_silent_keeper_at_the_start_is_taken_for_nothing(place: Place) -> None:
    await place.server.stop()
    await place.restart()
    await place.opener.once()
    assert place.chat.reads == {}
    assert place.credentials.of(BOX) == OnApproval(rpps(1), None)
    assert not place.credentials.waits(BOX)
