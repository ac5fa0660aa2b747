"""A closed room's conversation goes to its referent, and is kept before the room is erased; on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable, Refused, ServiceUnavailable
from colloque.identity import EventId, MxcUri, RoomId
from colloque.rooms.keeping import Proof
from colloque.rooms.mark import RoomKind, home_key
from colloque_salles.archiving import FAILED
from colloque_salles.jobs import Jobs
from colloque_salles.tables import salles_upgrades
from tests.pdfa import faults, text_of
from tests.servers.databases import Opener
from tests.servers.salles_archive import BOX, HOME, LIMIT, Archived
from tests.servers.salles_library import shared
from tests.servers.salles_ward import ANNE, BOB, DAY, ROOM, RULE

OTHER_HOME = RoomId("!home-bob")
SECOND = "anne@chu.mssante.test"
FILED, NOTHING = "✅", "🚫"


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Archived:
    ward = Archived(tmp_path, await opened(salles_upgrades()), clock)
    await ward.rooms.put(home_key(ANNE), HOME, RoomKind.HOME, ANNE)
    await ward.rooms.put(home_key(BOB), OTHER_HOME, RoomKind.HOME, BOB)
    await ward.add()
    await ward.patients.members(ROOM, (ANNE, BOB))
    return ward


async def test_it_is_announced_then_leaves_when_the_room_has_lingered(ward: Archived) -> None:
    await ward.rounds()
    assert ward.server.said == [], "nothing is archived of a room that is open"
    await ward.close()
    await ward.rounds()
    (announced,) = ward.server.said
    assert BOX in announced
    assert ward.mails == []
    ward.clock.advance(seconds=RULE.linger.total_seconds())
    await ward.rounds()
    (mail,) = ward.mails
    assert mail["to"] == BOX
    assert [file["name"] for file in mail["files"]] == ["Salon Pin Merle.pdf"]
    assert faults(ward.library.files[0]) == []
    assert "Laplaieestpropre" in text_of(ward.library.files[0])
    assert {room for room, _ in ward.library.sent.values()} == {HOME}
    assert await ward.copies.files(ROOM) == [MxcUri("mxc://h.test/1")], "it ends with the room"
    assert await ward.proof() == ""


async def test_the_referents_tap_proves_it(ward: Archived) -> None:
    await ward.handed_over()
    assert await ward.tap("partent vers", FILED, BOB) == ""
    assert "au dossier" in await ward.tap("partent vers", FILED)
    assert await ward.proof() == "", "noted; acted on in the next round"
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED
    assert ward.bridge.withdrawn == set(ward.bridge.sent), "the bridge keeps none of its words"


async def test_who_taps_as_soon_as_they_see_it_is_heard(ward: Archived, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the message that they tap is kept."""
    send, taps = ward.library.send, list[asyncio.Task[str]]()

    async def seen_at_once(room: RoomId, content: dict[str, Any], **more: Any) -> EventId:
        event = await send(room, content, **more)
        if "classés au dossier" in content.get("body", ""):
            taps.append(asyncio.create_task(ward.tap("partent vers", FILED)))
            await asyncio.sleep(0)
        return event

    monkeypatch.setattr(ward.library, "send", seen_at_once)
    await ward.handed_over()
    await taps[0]
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED


async def test_a_tap_before_anything_came_proves_nothing(ward: Archived) -> None:
    await ward.close()
    await ward.archiving.once()
    assert await ward.tap("partent le", FILED) == ""
    await ward.archiving.once()
    assert await ward.proof() == ""


async def test_a_delivery_a_reminder_and_time_prove_it(ward: Archived) -> None:
    await ward.handed_over()
    ward.bridge.state = "delivered"
    await ward.archiving.once()
    ward.clock.advance(seconds=timedelta(days=5).total_seconds())
    await ward.rounds()
    assert [("sont-ils classés" in words) for words in ward.server.said].count(True) == 1
    assert await ward.proof() == ""
    ward.clock.advance(seconds=timedelta(days=2).total_seconds())
    await ward.archiving.once()
    assert await ward.proof() == Proof.DELIVERED


async def test_without_a_delivery_the_administrators_are_told_and_nothing_ends(ward: Archived) -> None:
    await ward.handed_over()
    for _ in range(40):
        ward.clock.advance(seconds=DAY.total_seconds())
        await ward.archiving.once()
    assert await ward.proof() == ""
    (incident,) = await ward.incidents.unposted()
    assert "Pin Merle" in incident.text
    assert "ANNE" in incident.text
    assert "tap" not in incident.key
    await ward.tap("sont-ils classés", FILED)
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED
    assert await ward.incidents.current() == []


async def test_nothing_is_kept_for_a_reason_of_the_list(ward: Archived) -> None:
    await ward.close()
    await ward.archiving.once()
    asked = await ward.tap("partent le", NOTHING)
    assert "1️⃣" in asked
    assert await ward.tap("pourquoi ne rien garder", "9️⃣") == ""
    assert "ouvert par erreur" in await ward.tap("pourquoi ne rien garder", "3️⃣")
    assert "déjà noté" in await ward.tap("pourquoi ne rien garder", "1️⃣")
    await ward.archiving.once()
    assert await ward.proof() == Proof.MISTAKE
    ward.day(1)
    await ward.rounds()
    assert ward.mails == []


async def test_a_room_where_nobody_wrote_needs_no_archive(ward: Archived) -> None:
    ward.library.past = []
    await ward.handed_over()
    assert await ward.proof() == Proof.NOTHING_SAID
    assert ward.mails == []


async def test_files_go_along_in_as_many_mails_as_they_take(ward: Archived) -> None:
    for number in range(3):
        url = f"mxc://h.test/photo{number}"
        ward.library.past.append(shared(f"photo {number}.png", url, 9))
        ward.library.stored[url] = bytes([number]) * 25_000
    ward.library.past.append(shared("photo 0 encore.png", "mxc://h.test/photo0", 9))
    await ward.handed_over()
    named = [[file["name"] for file in mail["files"]] for mail in ward.mails]
    assert named[0][0] == "Salon Pin Merle.pdf"
    assert [name for mail in named for name in mail] == [
        "Salon Pin Merle.pdf",
        "photo 0.png",
        "photo 1.png",
        "photo 2.png",
    ]
    assert len(named) > 1
    assert "(1/" in ward.mails[0]["subject"]
    assert "secret" not in ward.mails[0]["text"]


async def test_what_fits_in_no_mail_waits_in_the_room_for_the_referent(ward: Archived) -> None:
    ward.library.past += [shared("grand.png", "mxc://h.test/big", 9), shared("perdu.png", "mxc://h.test/lost", 9)]
    ward.library.stored["mxc://h.test/big"] = b"x" * LIMIT
    await ward.handed_over()
    assert [file["name"] for mail in ward.mails for file in mail["files"]] == ["Salon Pin Merle.pdf"]
    assert "– grand.png" in ward.server.said[-1]
    assert "– perdu.png" in ward.server.said[-1]
    ward.bridge.state = "delivered"
    for _ in range(30):
        ward.clock.advance(seconds=DAY.total_seconds())
        await ward.archiving.once()
    assert await ward.proof() == "", "only its referent knows that these were fetched"


@pytest.mark.parametrize("how", ["refused", "failed"])
async def test_what_the_mailbox_does_not_take_comes_to_the_home_room(ward: Archived, how: str) -> None:
    ward.library.past.append(shared("photo.png", "mxc://h.test/photo", 9))
    ward.library.stored["mxc://h.test/photo"] = b"x" * 2_000
    if how == "refused":
        ward.bridge.errors = [Refused("infected")]
    await ward.handed_over()
    ward.bridge.state = "failed"
    await ward.rounds()
    shown = [c["file"]["url"] for room, c in ward.library.sent.values() if "file" in c and room == HOME]
    assert shown == ["mxc://h.test/1"], "the conversation; files wait in the room"
    assert "– photo.png" in ward.server.said[-1]
    assert "ci-dessus" in ward.server.said[-1]
    assert ward.bridge.withdrawn
    await ward.tap("ci-dessus", FILED)
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED


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


async def test_what_a_room_heard_last_is_waited_for(ward: Archived) -> None:
    await ward.patients.closed(ROOM, ward.clock.now(), EventId("$closing"))
    await ward.archiving.once()
    ward.day(1)
    await ward.rounds()
    assert ward.mails == [], "what was said last may not have been heard yet"
    await ward.patients.heard_own(ROOM, EventId("$closing"))
    await ward.rounds()
    assert len(ward.mails) == 1


async def test_nothing_of_it_outlives_the_room(ward: Archived) -> None:
    await ward.handed_over()
    await Jobs(ward.db).forget(ROOM)
    for table in ("archive", "archive_mail", "copy_file", "patient_room"):
        assert await ward.db.fetch(f"SELECT * FROM {table}") == []
