"""Nobody can have filed what has not left: such a tap decides nothing, and is told what to do. Both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from colloque.errors import ServiceUnavailable
from colloque.identity import EventId
from colloque.rooms.keeping import Proof
from colloque_salles.archive import handing
from colloque_salles.store.archive import Asks
from tests.servers.salles_archive import BOX, HOME, Archived
from tests.servers.salles_library import shared
from tests.servers.salles_server import ANNE
from tests.servers.salles_ward import ROOM

FILED, NOTHING = "✅", "🚫"


@pytest.fixture
def ward(archived: Archived) -> Archived:
    return archived


async def undecided(ward: Archived) -> bool:
    """Nothing is noted, and nothing was taken back from the bridge."""
    archive = await ward.archives.get(ROOM)
    assert archive is not None
    return archive.decided is None and await ward.proof() == "" and not ward.bridge.withdrawn


@pytest.mark.parametrize("state", ["queued", "deferred", "data", "doubtful"])
async def test_what_has_not_left_is_not_in_the_record(ward: Archived, state: str) -> None:
    await ward.handed_over()
    ward.bridge.state = state
    answer = await ward.tap("partent vers", FILED)
    assert "ne sont pas tous partis" in answer
    assert "Rien n'est noté" in answer
    await ward.archiving.once()
    assert await undecided(ward)
    ward.bridge.state = "sent"
    assert "sont au dossier" in await ward.tap("ne sont pas tous partis", FILED), "their first tap still stands"
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED


async def test_one_part_that_waits_is_enough(ward: Archived) -> None:
    for number in range(3):
        url = f"mxc://h.test/photo{number}"
        ward.library.past.append(shared(f"photo {number}.png", url, 9))
        ward.library.stored[url] = bytes([number]) * 25_000
    await ward.handed_over()
    assert len(ward.mails) > 1
    ward.bridge.state, ward.bridge.stuck = "read", {"2": "deferred"}
    assert "pas tous partis" in await ward.tap("partent vers", FILED)
    assert await undecided(ward)


async def test_what_bounced_is_filed_once_it_has_come_to_the_home_room(ward: Archived) -> None:
    await ward.handed_over()
    ward.bridge.state = "failed"
    assert "pas tous partis" in await ward.tap("partent vers", FILED)
    assert await undecided(ward)
    await ward.archiving.once()
    assert "pas tous partis" in await ward.tap("partent vers", FILED), "it is on its way to the home room"
    await ward.archiving.once()
    assert [room for room, c in ward.library.sent.values() if "file" in c] == [HOME]
    assert "sont au dossier" in await ward.tap("pas tous partis", FILED)
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED


async def test_nor_do_files_count_that_were_fetched_while_the_rest_waits(ward: Archived) -> None:
    ward.library.past.append(shared("perdu.png", "mxc://h.test/lost", 9))
    await ward.handed_over()
    assert "enregistrés au dossier" in await ward.tap("partent vers", FILED)
    ward.bridge.state = "refused"
    assert "pas tous partis" in await ward.tap("n'ont pu partir", "2️⃣")
    assert await undecided(ward)


async def test_an_archive_that_begins_anew_has_not_left(ward: Archived) -> None:
    """Its referent may tap what was said of the one before."""
    await ward.handed_over()
    archive = await ward.archives.get(ROOM)
    assert archive is not None
    assert archive.address is not None
    await ward.archives.begin(ROOM, ANNE, 2, [archive.address], archive.address)
    assert "pas tous partis" in await ward.tap(f"partent vers {BOX}", FILED)
    assert await undecided(ward)


async def test_while_the_bridge_is_away_nobody_knows(ward: Archived) -> None:
    await ward.handed_over()
    ward.bridge.errors = [ServiceUnavailable("away")]
    answer = await ward.tap("partent vers", FILED)
    assert "ne peux pas vérifier" in answer
    assert await undecided(ward)
    assert "sont au dossier" in await ward.tap("ne peux pas vérifier", FILED)


async def test_nobody_waits_for_a_bridge_that_hangs(ward: Archived, monkeypatch: pytest.MonkeyPatch) -> None:
    await ward.handed_over()

    async def hangs(_keys: Sequence[str]) -> Mapping[str, str]:
        await asyncio.Event().wait()
        return {}

    monkeypatch.setattr(ward.bridge, "states", hangs)
    monkeypatch.setattr(handing, "_ASKED_S", 0.01)
    async with asyncio.timeout(5):
        assert "ne peux pas vérifier" in await ward.tap("partent vers", FILED)


async def test_what_is_known_to_be_there_needs_no_bridge(ward: Archived) -> None:
    await ward.handed_over()
    ward.bridge.state = "delivered"
    await ward.archiving.once()
    ward.bridge.errors = [ServiceUnavailable("away")]
    assert "sont au dossier" in await ward.tap("partent vers", FILED)


async def test_heard_again_a_tap_that_was_noted_is_answered_alike(ward: Archived) -> None:
    """While the bridge is away: what was noted stays so."""
    await ward.handed_over()
    await ward.tap("partent vers", FILED)
    ward.bridge.errors = [ServiceUnavailable("away")]
    assert await ward.redelivered() == [], "it was answered under the same transaction"
    await ward.archiving.once()
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED


async def test_heard_again_once_it_has_left_it_is_noted_and_told(ward: Archived) -> None:
    """The process died before it knew that it had answered."""
    await ward.handed_over()
    ward.bridge.state = "queued"
    await ward.tap("partent vers", FILED)
    ward.bridge.state = "sent"
    assert "sont au dossier" in "".join(await ward.redelivered())


async def test_what_is_not_to_be_kept_need_not_have_left(ward: Archived) -> None:
    await ward.handed_over()
    ward.bridge.state = "deferred"
    await ward.tap("partent vers", FILED)
    assert "pourquoi" in await ward.tap("pas tous partis", NOTHING)
    assert "ouvert par erreur" in await ward.tap("pourquoi ne rien garder", "3️⃣")
    await ward.archiving.once()
    assert await ward.proof() == Proof.MISTAKE


async def test_what_was_asked_about_files_left_out_by_mail_counts_no_more_at_home(ward: Archived) -> None:
    await ward.handed_over()
    old, new = EventId("$of a few"), EventId("$of all")
    await ward.archives.asked(ROOM, old, Asks.FILES)
    await ward.archives.go_home(ROOM, ["photo.png"])
    assert await ward.archives.of(old) is None
    await ward.archives.asked(ROOM, new, Asks.FILES)
    await ward.archives.go_home(ROOM, ["photo.png"])  # after a crash, say
    assert await ward.archives.of(new) is not None
