"""Who gets a closed room's archive, and in which of their mailboxes: never guessed; on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from colloque.attestation import Attestation
from colloque.errors import NotFound
from colloque.identity import RoomId, UserId
from colloque.rooms.keeping import Proof
from tests.servers.annuaire import doctor
from tests.servers.salles_archive import BOX, HOME, OTHER_HOME, Archived
from tests.servers.salles_server import ANNE, BOB
from tests.servers.salles_ward import ROOM

SECOND = "anne@chu.mssante.test"
FILED = "✅"


def nobody(_user: UserId, _now: Any) -> None:
    """Nobody is verified any more."""


@pytest.fixture
def ward(archived: Archived) -> Archived:
    return archived


async def test_a_referent_without_a_mailbox_gets_it_in_the_home_room(ward: Archived) -> None:
    ward.directory.people = [doctor(1, "ANNE", "Anne", mail=[])]
    await ward.handed_over()
    assert ward.mails == []
    assert "ci-dessus" in ward.server.said[-1]
    ward.day(300)
    await ward.rounds()
    assert await ward.proof() == ""


async def test_of_several_mailboxes_none_is_guessed(ward: Archived) -> None:
    ward.directory.people = [doctor(1, "ANNE", "Anne", mail=[BOX, SECOND])]
    await ward.handed_over()
    assert ward.mails == []
    assert await ward.tap("Vers laquelle", "2️⃣", BOB) == ""
    assert BOX in await ward.tap("Vers laquelle", "2️⃣")
    await ward.archiving.once()
    assert [mail["to"] for mail in ward.mails] == [BOX]
    await ward.add(RoomId("!next"), "Lac Tulipe")
    await ward.patients.closed(RoomId("!next"), ward.clock.now(), None)
    await ward.archiving.once()
    assert f"votre boîte MSSanté {BOX}" in ward.server.said[-1], "asked once"


async def test_where_the_referent_is_gone_a_colleague_gets_it(ward: Archived, monkeypatch: pytest.MonkeyPatch) -> None:
    await ward.handed_over()
    held = ward.book.of

    def gone(user: UserId, now: Any) -> Attestation | None:
        return None if user == ANNE else held(user, now)

    monkeypatch.setattr(ward.book, "of", gone)
    await ward.rounds(4)
    assert ward.bridge.withdrawn == set(ward.bridge.sent)
    assert [room for room, c in ward.library.sent.values() if "ci-dessus" in c.get("body", "")] == [OTHER_HOME]
    assert await ward.tap("partent vers", FILED) == "", "it is no longer hers to say"
    assert "au dossier" in await ward.tap("ci-dessus", FILED, BOB)
    monkeypatch.setattr(ward.book, "of", nobody)
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED


async def test_where_nobody_is_left_the_administrators_are_told(
    ward: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ward.book, "of", nobody)
    await ward.close()
    ward.day(14)
    await ward.rounds()
    assert "plus personne" in (await ward.incidents.unposted())[0].text
    assert await ward.proof() == ""


async def test_without_a_directory_it_waits(ward: Archived, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_rpps: object) -> None:
        raise NotFound("not imported yet")

    with monkeypatch.context() as patch:
        patch.setattr(ward.directory, "by_rpps", absent)
        await ward.close()
        await ward.rounds()
        assert ward.server.said == []
    await ward.archiving.once()
    assert BOX in ward.server.said[-1]


async def test_who_stands_in_for_an_absent_referent_gets_it(ward: Archived) -> None:
    await ward.goes_away(ANNE, BOB, days=20)
    await ward.handed_over()
    told = [(room, c["body"]) for room, c in ward.library.sent.values() if "est fermé" in c.get("body", "")]
    assert [room for room, _ in told] == [OTHER_HOME]
    assert "à la place de son référent" in told[0][1]
    await ward.goes_away(ANNE, BOB, days=0)
    await ward.rounds()
    assert [c for room, c in ward.library.sent.values() if room == HOME] == [], "whoever has it keeps it"
    assert "au dossier" in await ward.tap("ci-dessus", FILED, BOB)


async def test_an_absent_referents_time_begins_at_their_return(ward: Archived) -> None:
    """Where nobody in the room stands in for them."""
    await ward.goes_away(ANNE, UserId("@zoe:h.test"), days=20)
    await ward.handed_over()
    ward.bridge.state = "delivered"
    for day in range(1, 25):
        ward.day(day)
        await ward.rounds()
    assert "sont-ils classés" not in "".join(ward.server.said)
    ward.day(25.1)
    await ward.rounds()
    assert "sont-ils classés" in ward.server.said[-1]
    assert await ward.proof() == ""
    ward.day(27.1)
    await ward.rounds()
    assert await ward.proof() == Proof.DELIVERED


async def test_an_absence_that_begins_after_the_reminder_counts_as_well(ward: Archived) -> None:
    await ward.handed_over()
    ward.bridge.state = "delivered"
    for day in range(1, 26):
        ward.day(day)
        if day == 7:
            await ward.goes_away(ANNE, UserId("@zoe:h.test"), days=19)
        await ward.rounds()
    ward.day(26.1)
    await ward.rounds()
    assert await ward.proof() == "", "the day of her return"
    ward.bridge_absences = {"away": []}
    ward.day(31.1)
    await ward.rounds()
    assert await ward.proof() == ""
    ward.day(33.1)
    await ward.rounds()
    assert await ward.proof() == Proof.DELIVERED
    assert [("sont-ils classés" in words) for words in ward.server.said].count(True) == 2


async def test_who_comes_back_earlier_has_their_time_from_then(ward: Archived) -> None:
    await ward.goes_away(ANNE, UserId("@zoe:h.test"), days=100)
    await ward.handed_over()
    ward.bridge.state = "delivered"
    await ward.rounds()
    ward.bridge_absences = {"away": []}
    await ward.standing_in.refresh()
    ward.day(3)
    await ward.rounds()
    ward.day(8.1)
    await ward.rounds()
    ward.day(10.1)
    await ward.rounds()
    assert await ward.proof() == Proof.DELIVERED


async def test_who_lost_their_access_gets_nothing_and_proves_nothing(
    ward: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ward.close()
    await ward.archiving.once()
    with monkeypatch.context() as patch:
        patch.setattr(ward.book, "of", nobody)
        ward.day(1)
        await ward.rounds()
        assert ward.mails == []
        assert await ward.tap("partent le", "🚫") == ""
    await ward.rounds()
    assert len(ward.mails) == 1
    monkeypatch.setattr(ward.book, "of", nobody)
    assert await ward.tap("partent vers", FILED) == ""
    await ward.rounds()
    assert await ward.proof() == ""


async def test_a_mailbox_that_is_theirs_no_more_is_not_written_to(ward: Archived) -> None:
    await ward.close()
    await ward.archiving.once()
    ward.directory.people = [doctor(1, "ANNE", "Anne", mail=[SECOND])]
    ward.day(1)
    await ward.rounds(5)
    assert [mail["to"] for mail in ward.mails] == [SECOND]


async def test_an_archive_goes_to_one_mailbox_whole(ward: Archived) -> None:
    """A choice made while it is on its way counts for the next one."""
    ward.directory.people = [doctor(1, "ANNE", "Anne", mail=[BOX, SECOND])]
    await ward.close()
    await ward.archiving.once()
    await ward.tap("Vers laquelle", "2️⃣")
    ward.day(1)
    await ward.archiving.once()
    await ward.tap("Vers laquelle", "1️⃣")
    await ward.rounds()
    assert [mail["to"] for mail in ward.mails] == [BOX]
    assert await ward.archives.box(ANNE) == SECOND


async def test_a_referent_who_left_the_room_does_not_get_what_was_said_since(ward: Archived) -> None:
    await ward.patients.members(ROOM, (BOB,))
    await ward.handed_over()
    assert {room for room, _ in ward.library.sent.values()} == {OTHER_HOME}


async def test_before_it_is_known_who_is_away_nothing_leaves(ward: Archived) -> None:
    ward.standing_in._away = None
    await ward.handed_over()
    assert ward.server.said == []
    assert await ward.incidents.current() == []
    ward.day(15)
    await ward.rounds()
    assert "ANNE" in (await ward.incidents.unposted())[0].text, "the administrators are told all the same"
