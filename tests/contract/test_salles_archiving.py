"""A closed room's conversation goes to its referent, and is kept before the room is erased; on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from colloque.errors import Refused
from colloque.identity import EventId, MxcUri, RoomId
from colloque.rooms.keeping import Proof
from colloque_salles.store.jobs import Jobs
from tests.pdfa import faults, text_of
from tests.servers.salles_archive import BOX, HOME, LIMIT, Archived
from tests.servers.salles_library import said, shared
from tests.servers.salles_server import BOB
from tests.servers.salles_ward import DAY, ROOM, RULE

FILED, NOTHING = "✅", "🚫"


@pytest.fixture
def ward(archived: Archived) -> Archived:
    return archived


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


async def test_a_reminder_of_before_the_delivery_does_not_count(ward: Archived) -> None:
    """It said that nothing is erased without an answer."""
    await ward.handed_over()
    ward.day(5.1)
    await ward.archiving.once()
    assert "pas effacé sans votre réponse" in ward.server.said[-1]
    ward.bridge.state = "delivered"
    ward.day(6)
    await ward.rounds()
    ward.day(13.1)
    await ward.archiving.once()
    assert await ward.proof() == ""
    assert "dans les jours qui viennent" in ward.server.said[-1]
    ward.day(14.2)
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
    ward.library.past = [said("!patient terminer")]
    await ward.handed_over()
    assert await ward.proof() == Proof.NOTHING_SAID
    assert ward.mails == []


async def test_what_only_looks_like_a_command_is_kept(ward: Archived) -> None:
    ward.library.past = [said("!allergie à la pénicilline")]
    await ward.handed_over()
    assert len(ward.mails) == 1


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
    assert "enregistrés au dossier" in await ward.tap("partent vers", FILED)
    assert "au dossier" in await ward.tap("n'ont pu partir", "2️⃣")
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED_NOT_ALL


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
    await ward.tap("partent vers" if how == "failed" else "ci-dessus", FILED)
    await ward.tap("n'ont pu partir", "1️⃣")
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED


async def test_nothing_of_it_outlives_the_room(ward: Archived) -> None:
    await ward.handed_over()
    await Jobs(ward.db).forget(ROOM)
    for table in ("archive", "archive_mail", "copy_file", "patient_room"):
        assert await ward.db.fetch(f"SELECT * FROM {table}") == []
