"""What goes wrong while a closed room is archived: tried again, told, never taken for a proof; on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from colloque.errors import HomeRefused, HomeUnavailable, ServiceUnavailable
from colloque.identity import EventId, MxcUri, RoomId, UserId, server_of
from colloque.rooms.keeping import Proof
from colloque_salles.archive.archiving import FAILED
from tests.servers.salles_archive import HOME, Archived
from tests.servers.salles_library import shared
from tests.servers.salles_ward import ROOM, RULE


@pytest.fixture
def ward(archived: Archived) -> Archived:
    return archived


async def test_a_crash_at_any_call_is_repaired_by_the_next_round(ward: Archived) -> None:
    """Each call to the homeserver or the bridge fails once; nothing is sent twice."""
    await ward.close()
    ward.clock.advance(seconds=RULE.linger.total_seconds())
    for count in range(12):
        ward.library.errors = [HomeUnavailable("away")]
        ward.library.unread = [HomeUnavailable("away")] if count % 2 else []
        ward.bridge.errors = [ServiceUnavailable("away")]
        await ward.archiving.once()
        ward.library.errors, ward.library.unread, ward.bridge.errors = [], [], []
        await ward.archiving.once()
    assert len(ward.mails) == 1
    assert len(ward.server.said) == 2
    assert await ward.incidents.current() == []


async def test_what_breaks_is_told_and_does_not_hold_the_others(ward: Archived) -> None:
    await ward.add(RoomId("!next"), "Lac Tulipe")
    await ward.close()
    await ward.patients.closed(RoomId("!next"), ward.clock.now(), None)
    await ward.archiving.once()
    ward.day(1)
    ward.library.unread = [ValueError("broken")]
    await ward.archiving.once()
    assert await ward.incidents.current() == [FAILED]
    assert len(ward.library.files) == 1
    await ward.archiving.once()
    assert await ward.incidents.current() == []


async def test_of_a_room_that_is_gone_nothing_can_be_kept(ward: Archived) -> None:
    await ward.close()
    await ward.archiving.once()
    ward.day(1)
    ward.library.unread = [HomeRefused(403, "M_FORBIDDEN")] * 2
    await ward.archiving.once()
    assert await ward.proof() == "", "the server has it: it only refuses"
    ward.there = False
    await ward.archiving.once()
    assert await ward.proof() == Proof.UNREACHABLE


async def test_an_empty_history_of_a_room_where_somebody_wrote_proves_nothing(ward: Archived) -> None:
    ward.library.past = []
    await ward.patients.active(ROOM, ward.day(0.1))
    await ward.handed_over()
    assert await ward.proof() == ""
    assert await ward.incidents.current() == [FAILED]


async def test_the_closing_message_may_be_heard_before_it_is_noted(ward: Archived) -> None:
    await ward.patients.heard_own(ROOM, EventId("$closing"))
    await ward.patients.closed(ROOM, ward.clock.now(), EventId("$closing"))
    assert (await ward.kept()).close_heard


async def test_what_a_room_heard_last_is_waited_for(ward: Archived) -> None:
    await ward.patients.closed(ROOM, ward.clock.now(), EventId("$closing"))
    await ward.archiving.once()
    ward.day(1)
    await ward.rounds()
    assert ward.mails == [], "what was said last may not have been heard yet"
    await ward.patients.heard_own(ROOM, EventId("$closing"))
    await ward.rounds()
    assert len(ward.mails) == 1


async def test_what_a_crash_leaves_on_the_server_ends_with_the_room(
    ward: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored, and the service died before it had the answer: the address was noted before."""
    await ward.close()
    await ward.archiving.once()
    ward.clock.advance(seconds=RULE.linger.total_seconds())

    async def dies(*_args: object, **_more: object) -> dict[str, Any]:
        raise HomeUnavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(ward.library, "upload_encrypted", dies)
        await ward.archiving.once()
    await ward.rounds(2)
    assert len(ward.mails) == 1
    assert await ward.copies.files(ROOM) == [MxcUri("mxc://h.test/1"), MxcUri("mxc://h.test/2")]


async def test_a_file_that_our_own_server_does_not_give_is_waited_for_a_day(ward: Archived) -> None:
    url = f"mxc://{server_of(ward.library.user)}/1"
    ward.library.past.append(shared("photo.png", url, 9))
    ward.library.away = (url,)
    await ward.handed_over()
    assert ward.library.files == []
    ward.day(1.1)
    await ward.rounds()
    assert [file["name"] for mail in ward.mails for file in mail["files"]] == ["Salon Pin Merle.pdf"]
    assert "– photo.png" in ward.server.said[-1], (
        "to be fetched from the room, which is not erased before its referent's word"
    )


async def test_a_referent_who_left_their_home_room_is_told_in_the_patient_room(
    ward: Archived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is mailed all the same."""

    async def members(room: RoomId) -> dict[UserId, str]:
        return {} if room == HOME else dict(ward.library.inside)

    monkeypatch.setattr(ward.library, "members", members)
    await ward.handed_over()
    assert len(ward.mails) == 1
    assert {room for room, _ in ward.library.sent.values()} == {ROOM}
