"""Rooms in which many senders stand: nobody takes another's thread over, and no patient is among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import Refused
from colloque.identity import EventId, RoomId
from colloque.mail.message import Party
from colloque.mail.parse import parse_mail
from colloque.matrix.home import Incoming, reaction
from colloque_mssante.people.ghosts import Correspondent
from colloque_mssante.rules.crowds import Author, from_one
from colloque_mssante.store.mailboxes import Cursor, Place
from colloque_mssante.store.mails import stored
from colloque_mssante.texts import documents as texts
from tests.unit.mssante.inbound_desk import Desk, a_mail
from tests.unit.mssante.test_store import ANNE, BOX, ROOM, SINCE, db  # noqa: F401
from tests.unit.mssante.test_whereto import Bench, place  # noqa: F401

QUIET = RoomId(f"!quiet {ANNE} {BOX}")
LAB, FORGER, PATIENT = "labo@l.mssante.test", "x@l.mssante.test", "177022A00100116@patient.mssante.fr"
CODED = "X-MSS-CODECDA: 11502-2"


@pytest.mark.parametrize(
    ("authors", "one"),
    [
        ([], False),
        ([("rpps:1", "a@x"), ("rpps:1", "b@x")], True),
        ([("rpps:1", "a@x"), ("rpps:2", "a@x")], False),
        ([("", "a@x"), ("rpps:1", "a@x")], True),
        ([("", "a@x"), ("rpps:1", "b@x")], False),
        ([("operator", "a@x"), ("operator", "b@x")], False),
        ([("operator", "a@x"), ("operator", "a@x")], True),
        ([("nobody", ""), ("nobody", "")], False),
    ],
)
def test_who_wrote_a_thread(authors: list[tuple[str, str]], one: bool) -> None:
    assert from_one(Author(*author) for author in authors) is one


@pytest.fixture
def desk(db: Database, clock: FrozenClock, tmp_path: Path) -> Desk:  # noqa: F811
    return Desk(db, clock, tmp_path)


async def thread_of(desk: Desk, event: str) -> str:
    mail = await desk.mails.shown_by(EventId(event))
    assert mail is not None
    return mail.thread


async def test_who_names_anothers_mail_in_the_quiet_room_joins_nothing(desk: Desk) -> None:
    await desk.deliver(ANNE, 1, a_mail("early", FORGER, CODED, "References: <2@x>"))
    await desk.deliver(ANNE, 2, a_mail("1", LAB, CODED))
    await desk.deliver(ANNE, 3, a_mail("forged", FORGER, CODED, "In-Reply-To: <1@x>", "References: <1@x>"))
    await desk.deliver(ANNE, 4, a_mail("2", LAB, CODED, "In-Reply-To: <1@x>"))
    await desk.deliver(ANNE, 5, a_mail("3", LAB, CODED, "In-Reply-To: <2@x>"))
    await desk.deliver(ANNE, 6, a_mail("again", FORGER, CODED, "In-Reply-To: <forged@x>"))
    assert set(desk.home.rooms()) == {QUIET}
    early, lab, forged, second, third, again = [await thread_of(desk, f"${number}") for number in range(1, 7)]
    assert (second, third, again) == (lab, lab, forged)
    assert len({early, lab, forged}) == 3


@pytest.mark.parametrize("room", ["nobody", "operator"])
async def test_where_nobody_knows_who_writes_nothing_is_joined(desk: Desk, room: str) -> None:
    first, second = ("", "") if room == "nobody" else (LAB, FORGER)
    who = Correspondent(room, "", verified=False, label="")
    for number, sender in ((1, first), (2, second)):
        raw = a_mail(str(number), sender or "undisclosed:;", f"In-Reply-To: <{number - 1}@x>")
        arrived = await desk.came(ANNE, number, raw)
        await desk.inbound._show(arrived, parse_mail(raw), who, f"k{number}", quiet=False)
    assert await thread_of(desk, "$1") != await thread_of(desk, "$2")


async def test_in_a_room_of_two_a_thread_is_joined_by_its_ids_alone(desk: Desk) -> None:
    """One person's other address."""
    who = Correspondent("rpps:1", "", verified=True, label="")
    for number, sender in ((1, LAB), (2, FORGER)):
        raw = a_mail(str(number), sender, f"In-Reply-To: <{number - 1}@x>")
        await desk.inbound._show(await desk.came(ANNE, number, raw), parse_mail(raw), who, f"k{number}", quiet=False)
    assert await thread_of(desk, "$1") == await thread_of(desk, "$2")


async def test_a_patient_stands_in_no_room_with_others(desk: Desk) -> None:
    await desk.deliver(ANNE, 1, a_mail("1", PATIENT, CODED))
    assert desk.home.rooms() == [f"!{ANNE} address:{PATIENT.lower()}"]
    bell, how = reaction(EventId("$1"), "🔕"), {"encrypted": True, "device_signed": True}
    tap = Incoming(desk.home.stood[0][0], EventId("$tap"), ANNE, SINCE, "m.reaction", bell, **how)
    assert await desk.quiet.hear(tap)
    assert desk.home.stood[-1][2]["body"] == texts.PATIENT_RINGS
    await desk.deliver(ANNE, 2, a_mail("2", PATIENT, CODED))
    assert QUIET not in desk.home.rooms()


async def mixed(place: Bench, *authors: tuple[str, str], room: RoomId = ROOM) -> None:  # noqa: F811
    """A thread that began before senders were told apart."""
    for number, (who, address) in enumerate(authors):
        mail = replace(parse_mail(b"Subject: x\r\n\r\n"), message_id=f"<{number}@x>", sender=Party("", address))
        mail = replace(mail, references=(f"<{number - 1}@x>",))
        thread = await place.threads.place(mail, f"k{number}", room)
        await place.threads.note(thread, mail.message_id, mail.references, EventId(f"${number}"))
        box = Cursor(BOX, ANNE, SINCE, 1, 1, "")
        row = stored(f"k{number}", box, mail, room, thread.id, who=who)
        await place.mails.put(row, Place(box, 1, number), f"r{number}", [EventId(f"${number}")])


async def test_a_thread_of_several_in_the_quiet_room_is_answered_mail_by_mail(place: Bench) -> None:  # noqa: F811
    room = RoomId("!quiet")
    await mixed(place, ("", LAB), ("", FORGER), room=room)
    with pytest.raises(Refused, match="répondez à l'un d'eux"):
        await place.where.named(room, ANNE, None, EventId("$0"))
    assert (await place.where.named(room, ANNE, EventId("$0"), None)).to[0].address == LAB


async def test_a_thread_of_one_is_answered_anywhere(place: Bench) -> None:  # noqa: F811
    room = RoomId("!quiet")
    await mixed(place, ("", LAB), (f"address:{LAB}", LAB), room=room)
    assert (await place.where.named(room, ANNE, None, EventId("$0"))).to[0].address == LAB


async def test_a_room_of_two_is_answered_as_before(place: Bench) -> None:  # noqa: F811
    await mixed(place, ("rpps:1", LAB), ("rpps:1", FORGER))
    assert (await place.where.named(ROOM, ANNE, None, EventId("$0"))).to[0].address in {LAB, FORGER}
    await place.where._conversations._db.execute("UPDATE conversation SET who = 'operator'")
    await place.where._conversations._db.execute("UPDATE mail SET who = 'operator'")
    with pytest.raises(Refused, match="répondez à l'un d'eux"):
        await place.where.named(ROOM, ANNE, None, EventId("$0"))
