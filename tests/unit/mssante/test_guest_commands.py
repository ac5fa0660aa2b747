"""`!envoyer-par-mail` with a time: both choose it, each for themselves."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.commands import Call, parse
from colloque.identity import EventId, Rpps, UserId
from colloque_mssante.guests.commands import GuestCommands
from colloque_mssante.store.guests import Guests
from colloque_mssante.texts import guests as texts
from tests.unit.mssante.test_store import ANNE, BRUNO, ROOM, db  # noqa: F401

WITHOUT = UserId("@bruno:h.test")


class Bench:
    def __init__(self, db: Database, clock: FrozenClock) -> None:  # noqa: F811
        self.guests, self.sent = Guests(db, clock), []
        boxes = SimpleNamespace(mailboxes=lambda user: () if user == WITHOUT else ("box",))
        self.commands = GuestCommands(
            hosting=cast("Any", None), talk=cast("Any", self), guests=self.guests, authors=cast("Any", boxes)
        )

    async def by_mail(self, _room: object, _user: object, event: EventId | None) -> None:
        self.sent.append(event)

    async def say(self, typed: str, user: UserId = ANNE, reply_to: str | None = None) -> str:
        call, answers = parse(typed), []
        assert isinstance(call, Call)
        said = cast("Any", SimpleNamespace(room=ROOM, sender=user, reply_to=reply_to))

        async def reply(body: str, html: str | None = None) -> EventId:
            assert html is None
            answers.append(body)
            return EventId("$answer")

        await self.commands.table[call.command.name](call, said, reply)
        return "".join(answers)


@pytest.fixture
async def bench(db: Database, clock: FrozenClock) -> Bench:  # noqa: F811
    return Bench(db, clock)


async def test_it_needs_somebody_in_the_room_or_a_message(bench: Bench) -> None:
    assert await bench.say("!envoyer-par-mail") == texts.BY_MAIL_ALONE
    assert await bench.say("!envoyer-par-mail 2h") == texts.BY_MAIL_ALONE
    assert await bench.say("!envoyer par mail", reply_to="$said") == ""
    await bench.guests.put(ROOM, ANNE, BRUNO, Rpps("10000000016"), "rpps:1")
    assert await bench.say("!envoyer-par-mail") == texts.BY_MAIL_ALONE, "who was invited is not there yet"
    await bench.guests.join(ROOM)
    assert await bench.say("!envoyer-par-mail") == ""
    assert bench.sent == ["$said", None]


async def test_both_choose_a_time(bench: Bench) -> None:
    await bench.guests.put(ROOM, ANNE, BRUNO, Rpps("10000000016"), "rpps:1")
    await bench.guests.join(ROOM)
    for typed in ("!envoyer-par-mail demain", "!envoyer-par-mail 10s", "!envoyer-par-mail 7 jours"):
        assert await bench.say(typed) == texts.AFTER_HOW
    stranger = UserId("@zoe:h.test")
    assert await bench.say("!envoyer-par-mail 2h", stranger) == texts.BY_MAIL_ALONE
    assert await bench.say("!envoyer-par-mail 2h") == texts.after(timedelta(hours=2), timedelta())
    agreed = texts.after(timedelta(minutes=30), timedelta(hours=2))
    assert await bench.say("!envoyer-par-mail 30 min", BRUNO) == f"{agreed}\n{texts.AFTER_NO_MAILBOX}"
    assert await bench.say("!envoyer-par-mail jamais") == texts.AFTER_NEVER
    found = await bench.guests.of(ROOM)
    assert found is not None
    assert (found.owner_after, found.guest_after, found.after) == (timedelta(), timedelta(minutes=30), timedelta())
