"""No event of a mail is sent twice, however late it goes on: the homeserver forgets transaction ids within a day."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import HomeUnavailable
from colloque.identity import EventId
from colloque_mssante.store.mailboxes import Place
from tests.unit.mssante.inbound_desk import Desk
from tests.unit.mssante.test_store import ANNE, db  # noqa: F401


def with_files(count: int) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Message-ID"] = "b@cabinet.mssante.test", "a@medecin.mssante.test", "<1@x>"
    mail.set_content("Bonjour")
    for number in range(count):
        mail.add_attachment(b"x%d" % number, maintype="application", subtype="pdf", filename=f"{number}.pdf")
    return mail.as_bytes()


RAW = with_files(2)


@pytest.fixture
def desk(db: Database, clock: FrozenClock, tmp_path: Path) -> Desk:  # noqa: F811
    return Desk(db, clock, tmp_path)


async def lost(desk: Desk, after: int) -> Place:
    """The answer about the event after so many is lost."""
    place = await desk.came(ANNE, 1, RAW)
    desk.home.losing = after
    with pytest.raises(HomeUnavailable):
        await desk.inbound.deliver(place, RAW)
    desk.home.losing = None
    return place


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize(("hours", "looked"), [(19, 0), (21, 1), (30, 1)])
async def test_what_was_sent_long_ago_is_not_sent_again(desk: Desk, after: int, hours: int, looked: int) -> None:
    place = await lost(desk, after)
    desk.clock.advance(hours=hours)
    await desk.inbound.deliver(place, RAW)
    assert len(desk.home.stood) == len(set(desk.home.txns())) == 3
    assert desk.home.looked == looked
    assert [await desk.mails.shown_by(EventId(f"${n}")) is not None for n in (1, 2, 3)] == [True] * 3
    assert await desk.db.fetch("SELECT * FROM arriving_event") == []


async def test_an_event_whose_id_is_known_is_not_sent_again(desk: Desk) -> None:
    place = await lost(desk, 1)
    desk.home._known.clear()  # whatever the homeserver remembers
    await desk.inbound.deliver(place, RAW)
    first, *_ = desk.home.txns()
    assert desk.home.txns().count(first) == 1


async def test_a_room_that_could_not_be_read_is_read_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    place = await lost(desk, 0)
    desk.clock.advance(hours=30)

    async def call(*_args: object, **_named: object) -> None:
        raise HomeUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(type(desk.home), "call", call)
        with pytest.raises(HomeUnavailable):
            await desk.inbound.deliver(place, RAW)
    assert len(desk.home.stood) == 1
    await desk.inbound.deliver(place, RAW)
    assert len(desk.home.stood) == 3


async def test_since_when_one_of_before_was_begun_nobody_knows(desk: Desk) -> None:
    place = await lost(desk, 0)
    await desk.db.execute("UPDATE arriving_event SET at = 0")
    await desk.inbound.deliver(place, RAW)
    assert (len(desk.home.stood), desk.home.looked) == (3, 1)


async def test_a_mail_that_is_given_up_leaves_nothing(desk: Desk) -> None:
    place = await lost(desk, 2)
    await desk.inbound.give_up(place.box, RAW)
    assert await desk.db.fetch("SELECT * FROM arriving_event") == []
