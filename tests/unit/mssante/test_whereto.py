"""What a message that names nothing may be, and the addresses of a new mail."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import Refused, Temporary
from colloque.identity import EventId, MssanteAddress, RoomId, Rpps, UserId
from colloque.mail.message import Outgoing, Party
from colloque.mail.parse import parse_mail
from colloque_mssante.leaving.composing import Composer
from colloque_mssante.leaving.whereto import WhereTo
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Draft
from colloque_mssante.mapping.targets import Target
from colloque_mssante.mapping.threads import Threads
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.rules.sends import ROOM as ROOM_MAIL
from colloque_mssante.rules.sends import queued
from colloque_mssante.store.guests import Guests
from colloque_mssante.store.mailboxes import Cursor, Place
from colloque_mssante.store.mails import Mails, StoredMail
from colloque_mssante.store.outbox import Outbox
from tests.unit.mssante.test_store import ANNE, ROOM, SINCE, db  # noqa: F401

MINE = (MssanteAddress("a@medecin.mssante.test"), MssanteAddress("a@hopital.mssante.test"))
THEIRS = [Party("Dr B", "b@cabinet.mssante.test"), Party("Dr B", "b@hopital.mssante.test")]
E1 = EventId("$1")


@dataclass
class Writer:
    """Stands for composer and authors: which mailboxes are one's own, and who may not be written to."""

    mine: tuple[MssanteAddress, ...] = MINE
    refused: set[str] = field(default_factory=set)

    def mailboxes(self, _user: UserId) -> tuple[MssanteAddress, ...]:
        return self.mine

    def shares(self, _user: UserId, _mailbox: MssanteAddress) -> bool:
        return False

    def check(self, _user: UserId, target: Target) -> None:
        if {p.address for p in target.recipients} & self.refused:
            raise Refused("not_listed")


@dataclass
class Bench:
    where: WhereTo
    writer: Writer
    mails: Mails
    threads: Threads
    outbox: Outbox


class Known(Conversations):
    """The correspondent's addresses are given; the table is real."""

    def addresses(self, _conversation: object) -> list[Party]:
        return THEIRS


@pytest.fixture
async def place(db: Database, clock: FrozenClock) -> Bench:  # noqa: F811
    nothing = cast("Any", None)
    known = Known(
        db=db,
        home=nothing,
        ghosts=nothing,
        directory=nothing,
        rooms=nothing,
        keys=nothing,
        journal=nothing,
        secret=b"",
        whitelisted=lambda _domain: True,
        teams=nothing,
        authors=nothing,
        guests=Guests(db, clock),
    )
    await db.execute("INSERT INTO conversation (room_id, owner, who) VALUES ($1, $2, $3)", ROOM, ANNE, "rpps:1")
    writer, mails, threads = Writer(), Mails(db, clock), Threads(db, clock)
    where = WhereTo(
        conversations=known,
        composer=cast("Composer", writer),
        authors=cast("Any", writer),
        mails=mails,
        outbox=(outbox := Outbox(db, clock)),
        threads=threads,
        whitelisted=lambda domain: domain.endswith(".mssante.test"),
        clock=clock,
    )
    return Bench(where, writer, mails, threads, outbox)


async def came(place: Bench, key: str, author: str = "b@cabinet.mssante.test") -> None:
    mail = replace(parse_mail(f"Subject: {key}\r\n\r\n".encode()), message_id=f"<{key}@x>")
    thread = await place.threads.place(mail, key, ROOM)
    event = EventId(f"${key}")
    await place.threads.note(thread, mail.message_id, (), event)
    box = Cursor(MINE[0], UserId(ANNE), SINCE, 1, 1, "")
    stored = StoredMail(
        key, MINE[0], UserId(ANNE), mail.message_id, (), key, Party("B", author), ROOM, thread=thread.id
    )
    await place.mails.put(stored, Place(box, 1, 1), "ref", [event])


async def test_both_ends_addresses_are_asked_once(place: Bench) -> None:
    pairs = await place.where.pairs(ROOM, UserId(ANNE))
    assert len(pairs) == 4
    assert pairs[0].label == "de a@medecin.mssante.test à Dr B <b@cabinet.mssante.test>"
    chosen = pairs[3].target
    assert chosen is not None
    await place.where.remember(ROOM, UserId(ANNE), chosen)
    [kept] = await place.where.pairs(ROOM, UserId(ANNE))
    assert kept.target == chosen


async def test_an_address_that_was_named_is_the_only_one(place: Bench) -> None:
    pairs = await place.where.pairs(ROOM, UserId(ANNE))
    assert pairs[0].target is not None
    await place.where.remember(ROOM, UserId(ANNE), pairs[0].target)
    named = await place.where.pairs(ROOM, UserId(ANNE), "b@hopital.mssante.test")
    assert {o.target.to[0].address for o in named if o.target} == {"b@hopital.mssante.test"}
    unknown = await place.where.pairs(ROOM, UserId(ANNE), "c@hopital.mssante.test")
    assert {o.target.to[0].address for o in unknown if o.target} == {"c@hopital.mssante.test"}


async def test_threads_that_can_be_answered_drafts_that_wait_and_a_new_mail(place: Bench, clock: FrozenClock) -> None:
    await came(place, "un")
    clock.advance(days=1)
    await came(place, "deux", author="x@hors.exemple.test")
    place.writer.refused = {"x@hors.exemple.test"}
    target = Target(MINE[0], (THEIRS[0],), thread="un")
    draft = Draft("$d", ROOM, UserId(ANNE), states.WAITING, target, next_at=clock.now())
    options = await place.where.options(ROOM, UserId(ANNE), [draft])
    assert [(o.join, o.target.thread if o.target else None) for o in options] == [("$d", None), ("", "un"), ("", None)]
    clock.advance(days=100)
    assert len(await place.where.options(ROOM, UserId(ANNE), [])) == 1


async def test_who_has_no_mailbox_left_gets_no_option(place: Bench) -> None:
    place.writer.mine = ()
    assert await place.where.options(ROOM, UserId(ANNE), []) == ()


async def test_an_answer_to_a_mail_that_is_arriving_waits(place: Bench) -> None:
    with pytest.raises(Refused):
        await place.where.named(ROOM, UserId(ANNE), E1, None)
    await place.mails.begin("un", ROOM)
    with pytest.raises(Temporary):
        await place.where.named(ROOM, UserId(ANNE), E1, None)
    await came(place, "un")
    assert (await place.where.named(ROOM, UserId(ANNE), EventId("$un"), None)).in_reply_to == "<un@x>"
    assert (await place.where.named(ROOM, UserId(ANNE), None, EventId("$un"))).thread == "un"
    with pytest.raises(Refused):
        await place.where.named(ROOM, UserId(ANNE), E1, None)


async def test_another_rooms_mail_is_not_answered_from_here(place: Bench) -> None:
    await came(place, "un")
    with pytest.raises(Refused):
        await place.where.named(RoomId("!other"), UserId(ANNE), EventId("$un"), None)
    with pytest.raises(Refused):
        await place.where.named(RoomId("!other"), UserId(ANNE), None, EventId("$un"))


BRUNO, B_BOX = UserId("@bruno:h.test"), MssanteAddress("b@cabinet.mssante.test")


async def shared(place: Bench, db: Database, clock: FrozenClock) -> None:  # noqa: F811
    """The correspondent is in the room; a mail of theirs (`$un`) came to the owner."""
    guests = Guests(db, clock)
    await guests.put(ROOM, UserId(ANNE), BRUNO, Rpps("10000000016"), "rpps:10000000024")
    await guests.join(ROOM)
    await came(place, "un")


async def test_who_sent_a_mail_from_elsewhere_goes_on_from_there(
    place: Bench,
    db: Database,  # noqa: F811
    clock: FrozenClock,
) -> None:
    await shared(place, db, clock)
    for target in (
        await place.where.named(ROOM, BRUNO, EventId("$un"), None),
        await place.where.named(ROOM, BRUNO, None, EventId("$un")),
    ):
        assert (target.sender, [p.address for p in target.to]) == (B_BOX, [MINE[0].value])
        assert (target.in_reply_to, target.thread, target.listed) == ("<un@x>", "un", True)
    own = await place.where.named(ROOM, UserId(ANNE), EventId("$un"), None)
    assert (own.sender, own.to[0].address) == (MINE[0], B_BOX.value)
    with pytest.raises(Refused):
        await place.where.everyone(ROOM, BRUNO, EventId("$un"))


async def test_an_answer_to_what_left_goes_back_to_its_sender(place: Bench, db: Database, clock: FrozenClock) -> None:  # noqa: F811
    await shared(place, db, clock)
    sent = Target(MINE[0], (Party("", B_BOX.value), Party("", "c@x.mssante.test")), thread="un", subject="Avis")
    raw = Outgoing("<out@x>", Party("", MINE[0].value), sent.to, "Avis", "", SINCE, "nil")
    await place.outbox.put(
        queued(
            raw,
            b"",
            key="$said",
            caller=ROOM_MAIL,
            sender=MINE[0],
            envid="e",
            ref="r",
            owner=UserId(ANNE),
            room=ROOM,
            event=EventId("$said"),
            thread="un",
            target=sent.dump(),
        )
    )
    place.writer.mine = (B_BOX,)
    target = await place.where.named(ROOM, BRUNO, EventId("$said"), None)
    assert (target.sender, [p.address for p in target.recipients]) == (B_BOX, [MINE[0].value])
    assert (target.in_reply_to, target.thread, target.subject) == ("<out@x>", "un", "Re: Avis")
    mine = await place.where.named(ROOM, UserId(ANNE), EventId("$said"), None)
    assert mine.recipients == sent.recipients
    place.writer.mine = (MssanteAddress("b@hopital.mssante.test"),)
    with pytest.raises(Refused):
        await place.where.named(ROOM, BRUNO, EventId("$said"), None)
