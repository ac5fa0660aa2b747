"""What two people say in a room that they share: when it leaves as mail, and when never."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import Refused
from colloque.identity import EventId, MssanteAddress, RoomId, Rpps, UserId
from colloque.mail.message import Party
from colloque.matrix.home import Incoming, JsonDict, Read, edit, reaction, text
from colloque_mssante.guests.talk import KEPT, Talk
from colloque_mssante.leaving.gathering import Gathering
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Draft, Option, RoomLocks
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.mapping.store_talk import Sayings
from colloque_mssante.mapping.targets import Target
from colloque_mssante.store.guests import Guests
from colloque_mssante.texts import guests as texts_guests
from tests.unit.mssante.test_store import ANNE, BRUNO, ROOM, db  # noqa: F401

TARGET = Target(MssanteAddress("a@x.mssante.test"), (Party("", "b@x.mssante.test"),))
OTHER_TARGET = replace(TARGET, to=(Party("", "b@y.mssante.test"),))


@dataclass
class Home:
    """Stands for Matrix: what was said, and the order of the room."""

    said: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    async def send(self, _room: RoomId, content: JsonDict, *, txn: str, type_: str = "") -> EventId:
        assert txn
        self.said.append(content["body"])
        return EventId(f"$bot{len(self.said)}")

    async def before(self, _room: RoomId, event: EventId, _count: int) -> list[EventId]:
        return [EventId(e) for e in self.order[: self.order.index(event) + 1][::-1]]


@dataclass
class Where:
    """Stands for where mails go."""

    answered: Target | None = None
    new: tuple[Target, ...] = (TARGET,)
    why: str = "not_its_mail"

    async def named(self, _room: RoomId, _user: UserId, _answers: object, _root: object) -> Target:
        if self.answered is None:
            raise Refused(self.why, "pourquoi")
        return self.answered

    async def pairs(self, _room: RoomId, _user: UserId) -> tuple[Option, ...]:
        return tuple(Option("de à", target) for target in self.new)

    async def options(self, _room: RoomId, _user: UserId, _live: object) -> tuple[Option, ...]:
        return (Option("nouveau", TARGET),)


@dataclass
class Composer:
    """Stands for composer and authors: everything may leave from the mailboxes of whoever has some."""

    without: set[UserId] = field(default_factory=set)

    def mailboxes(self, user: UserId) -> tuple[MssanteAddress, ...]:
        return () if user in self.without else (TARGET.sender,)

    def check(self, _user: UserId, _target: Target) -> None:
        return

    def check_size(self, _target: Target | None, _lines: object) -> None:
        return


@dataclass
class Bench:
    talk: Talk
    guests: Guests
    sayings: Sayings
    drafts: Drafts
    where: Where
    composer: Composer
    home: Home
    clock: FrozenClock
    deaf: bool = False
    """Not everything that people did was heard."""

    async def live(self, user: UserId = ANNE) -> list[Draft]:
        return await self.drafts.live(ROOM, user)


@pytest.fixture
async def bench(db: Database, clock: FrozenClock) -> Bench:  # noqa: F811
    guests, sayings, drafts = Guests(db, clock), Sayings(db, clock), Drafts(db, clock)
    where, composer, home = Where(), Composer(), Home()
    gathering = Gathering(
        composer=cast("Any", composer),
        where_to=cast("Any", where),
        drafts=drafts,
        clock=clock,
        hold=timedelta(minutes=1),
    )

    async def show(_room: RoomId) -> None:
        return

    talk = Talk(
        home=cast("Any", home),
        guests=guests,
        sayings=sayings,
        gathering=gathering,
        where_to=cast("Any", where),
        authors=cast("Any", composer),
        drafts=drafts,
        locks=RoomLocks(),
        clock=clock,
        has_heard=lambda _room, _moment: not bench.deaf,
        show=show,
        wake=lambda: None,
    )
    await guests.put(ROOM, ANNE, BRUNO, Rpps("10000000016"), "rpps:10000000024")
    await guests.join(ROOM)
    bench = Bench(talk, guests, sayings, drafts, where, composer, home, clock)
    return bench


def said(event: str, sender: UserId, content: JsonDict | str, type_: str = "m.room.message", **more: Any) -> Incoming:
    body = text(content) if isinstance(content, str) else content
    at = datetime.fromisoformat("2026-03-01T10:00:00+00:00")
    more = {"encrypted": True, "device_signed": True} | more
    return Incoming(ROOM, EventId(event), sender, at, type_, body, **more)


async def test_it_reaches_the_other_and_nothing_leaves(bench: Bench) -> None:
    assert await bench.talk.hear(said("$1", ANNE, "bonjour"))
    assert await bench.talk.hear(said("$1", ANNE, "bonjour"))
    bench.clock.advance(days=6)
    await bench.talk.once()
    assert await bench.live() == []


@pytest.mark.parametrize("more", [{"encrypted": False}, {"device_signed": False}])
async def test_who_cannot_be_trusted_is_answered_as_for_a_mail(bench: Bench, more: JsonDict) -> None:
    assert not await bench.talk.hear(said("$1", ANNE, "bonjour", **more))


async def test_until_the_guest_has_come_it_is_mail(bench: Bench) -> None:
    await bench.guests.forget(ROOM)
    assert not await bench.talk.hear(said("$1", ANNE, "bonjour"))
    await bench.guests.put(ROOM, ANNE, BRUNO, Rpps("10000000016"), "rpps:10000000024")
    assert not await bench.talk.hear(said("$1", ANNE, "bonjour"))


async def test_asked_for_it_leaves_once(bench: Bench) -> None:
    await bench.talk.hear(said("$1", ANNE, "bonjour"))
    bench.where.answered = TARGET
    await bench.talk.hear(said("$2", ANNE, text("au fait", reply_to=EventId("$mail"))))
    await bench.talk.by_mail(ROOM, ANNE, None)
    [draft] = await bench.live()
    assert (draft.id, draft.state, draft.target) == ("$2", states.WAITING, TARGET)
    assert [line.words for line in await bench.drafts.lines(draft.id)] == ["au fait"]
    with pytest.raises(Refused, match="part déjà"):
        await bench.talk.by_mail(ROOM, ANNE, EventId("$2"))
    with pytest.raises(Refused, match="pas le vôtre"):
        await bench.talk.by_mail(ROOM, BRUNO, EventId("$1"))


async def test_what_names_nothing_is_asked_about_and_its_answer_is_no_talk(bench: Bench) -> None:
    await bench.talk.hear(said("$1", ANNE, "bonjour"))
    assert await bench.talk.hear(said("$t", ANNE, reaction(EventId("$1"), "✉"), "m.reaction"))
    [draft] = await bench.live()
    assert (draft.state, draft.loose) == (states.ASKING, False)
    assert not await bench.talk.hear(said("$2", ANNE, "1"))
    assert await bench.talk.hear(said("$3", BRUNO, "1"))
    assert await bench.talk.hear(said("$4", ANNE, "autre chose"))
    assert len(await bench.drafts.lines(draft.id)) == 1


async def test_a_tap_that_is_refused_is_answered(bench: Bench) -> None:
    await bench.talk.hear(said("$1", ANNE, "bonjour"))
    assert await bench.talk.hear(said("$t", BRUNO, reaction(EventId("$1"), "✉️"), "m.reaction"))
    assert bench.home.said == [texts_guests.BY_MAIL_NOT_YOURS]
    assert not await bench.talk.hear(said("$t", BRUNO, reaction(EventId("$mail"), "✉️"), "m.reaction"))


async def test_changed_and_withdrawn_words(bench: Bench) -> None:
    for event in ("$1", "$2"):
        await bench.talk.hear(said(event, ANNE, "bonjour"))
    assert not await bench.talk.hear(said("$e0", BRUNO, edit(EventId("$1"), text("faux"))))
    assert await bench.talk.hear(said("$e", ANNE, edit(EventId("$1"), text("bonsoir"))))
    assert await bench.talk.hear(said("$r", ANNE, {"redacts": "$2"}, "m.room.redaction"))
    bench.where.answered = TARGET
    await bench.talk.by_mail(ROOM, ANNE, EventId("$1"))
    [draft] = await bench.live()
    with pytest.raises(Refused):
        await bench.talk.by_mail(ROOM, ANNE, EventId("$2"))
    assert not await bench.talk.hear(said("$e2", ANNE, edit(EventId("$1"), text("encore"))))
    assert draft.state == states.ASKING  # it answered nothing


async def test_what_stays_unread_leaves_where_both_chose(bench: Bench) -> None:
    await bench.guests.choose(ROOM, ANNE, timedelta(hours=1))
    await bench.talk.hear(said("$1", ANNE, "un"))
    bench.clock.advance(hours=3)
    await bench.talk.once()
    assert await bench.live() == []
    await bench.guests.choose(ROOM, BRUNO, timedelta(hours=2))
    await bench.talk.hear(said("$2", ANNE, "deux"))
    await bench.talk.once()
    await bench.talk.once()
    [draft] = await bench.live()
    assert (draft.id, draft.target) == ("$1", TARGET)
    bench.clock.advance(hours=2)
    await bench.talk.once()
    [draft] = await bench.live()
    assert [line.words for line in await bench.drafts.lines(draft.id)] == ["un", "deux"]


async def test_what_may_not_leave_is_said_once(bench: Bench) -> None:
    bench.where.why = "mailbox_off"
    for user in (ANNE, BRUNO):
        await bench.guests.choose(ROOM, user, timedelta(hours=1))
    await bench.talk.hear(said("$1", ANNE, text("un", reply_to=EventId("$mail"))))
    bench.clock.advance(hours=1)
    await bench.talk.once()
    await bench.talk.once()
    assert bench.home.said == ["pourquoi"]


@pytest.mark.parametrize(
    ("read", "left"),
    [
        (Read(ROOM, EventId("$2"), BRUNO), []),
        (Read(ROOM, EventId("$1"), BRUNO), ["$2"]),
        (Read(ROOM, EventId("$note"), BRUNO), ["$2"]),
        (Read(ROOM, EventId("$2"), BRUNO, "main"), []),
        (Read(ROOM, EventId("$2"), BRUNO, "$root"), ["$1"]),
        (Read(ROOM, EventId("$2"), ANNE), ["$1"]),
    ],
)
async def test_what_was_read_stays(bench: Bench, read: Read, left: list[str]) -> None:
    bench.home.order = ["$1", "$note", "$2"]
    for user in (ANNE, BRUNO):
        await bench.guests.choose(ROOM, user, timedelta(hours=1))
    await bench.talk.hear(said("$1", ANNE, "un"))
    await bench.talk.hear(said("$2", ANNE, "deux"))
    await bench.talk.read(read)
    bench.clock.advance(hours=1)
    await bench.talk.once()
    assert [draft.id for draft in await bench.live()] == left


async def test_who_answers_has_read(bench: Bench) -> None:
    for user in (ANNE, BRUNO):
        await bench.guests.choose(ROOM, user, timedelta(hours=1))
    await bench.talk.hear(said("$1", ANNE, "un"))
    await bench.talk.hear(said("$2", BRUNO, "vu"))
    assert await bench.sayings.was_seen(EventId("$1"))
    bench.clock.advance(hours=1)
    await bench.talk.once()
    assert await bench.live() == []
    assert [draft.id for draft in await bench.live(BRUNO)] == ["$2"]


async def test_after_some_days_it_is_forgotten(bench: Bench) -> None:
    await bench.talk.hear(said("$1", ANNE, "un"))
    bench.clock.advance(seconds=KEPT.total_seconds() + 1)
    await bench.talk.once()
    with pytest.raises(Refused):
        await bench.talk.by_mail(ROOM, ANNE, EventId("$1"))


async def test_who_has_no_mailbox_is_told_and_nothing_is_sent_in_their_name(bench: Bench) -> None:
    bench.composer.without = {BRUNO}
    for user in (ANNE, BRUNO):
        await bench.guests.choose(ROOM, user, timedelta(hours=1))
    await bench.talk.hear(said("$1", BRUNO, "un"))
    assert await bench.sayings.unseen_of(ROOM, BRUNO) == 1
    with pytest.raises(Refused, match="Aucune de vos boîtes"):
        await bench.talk.by_mail(ROOM, BRUNO, EventId("$1"))
    bench.clock.advance(hours=1)
    await bench.talk.once()
    assert (await bench.live(BRUNO), bench.home.said) == ([], [])
    assert await bench.sayings.unseen_of(ROOM, BRUNO) == 0
