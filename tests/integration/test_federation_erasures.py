"""A patient room of two servers ends: each erases its own copy, and the receipts of both are in one place."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from colloque.errors import Refused
from colloque.identity import RoomId
from colloque.rooms.leftovers import EXPECTED
from tests.servers.federation_erasing import (
    admin,
    answered,
    ended,
    erasing_world,
    is_in,
    query,
    receipts,
    shared_room,
    shares,
    verified,
)
from tests.servers.federation_place import Place
from tests.servers.federation_world import World, as_c, entry_of, told
from tests.waiting import until

ROWS = ("ledger_event", "ledger_file", "guest_room", "companion", "peer_erasure", "patient_room", "erasure")
"""Where a room stands by its address while it lives, or is erased."""
LEFT = {*EXPECTED.values(), "until_servers_answer", "on_another_server"}
"""Why something may be left."""


@pytest.fixture(scope="module", name="world")
async def a_world() -> AsyncIterator[World]:
    async with erasing_world() as made:
        yield made


async def gone(place: Place, room: RoomId) -> None:
    """Nothing of @salles' names the room."""
    for table in ROWS:
        assert await query(place, f"SELECT 1 FROM {table} WHERE room = $1", room) == [], table
    assert await query(place, "SELECT 1 FROM asked_erasure WHERE room = $1", room) == []
    journal = (place.layout.state("salles") / "journal.jsonl").read_text(encoding="utf-8")
    assert room not in journal
    assert not any(room in json.dumps(receipt) for receipt in receipts(place))


async def test_every_server_erases_its_copy_and_the_receipts_are_in_one_place(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    anne, bob = world["anne"], world["bob"]
    a, b = anne.place, bob.place
    async with shared_room(anne, bob) as (room, home, _, far, far_ear):
        ours = await shares(home, room, "a.pdf")
        theirs = await shares(far, room, "b.pdf")
        elsewhere = await query(b, "SELECT * FROM patient_room WHERE room = $1", room)
        assert elsewhere == [], "it leads nothing there"

        async def noted() -> bool:
            return bool(await query(b, "SELECT 1 FROM ledger_file WHERE room = $1 AND mxc = $2", room, theirs))

        await until(noted, "their @salles has read what its people share", within=30)
        before = len(receipts(a)), len(receipts(b))
        await ended(home, a, room)
        supplement = await answered(a, before[0])
        own = next(r for r in receipts(a)[before[0] :] if r.get("servers") == [b.name])
        assert supplement["of"] == own["serial"]
        assert supplement["room"] == own["room"]
        (answer,) = supplement["answers"]
        assert (answer["server"], answer["outcome"]) == (b.name, "erased")
        copy = answer["receipt"]
        assert copy in receipts(b)
        assert copy["asked_by"] == {"server": a.name, "ref": own["room"]}
        assert copy["files_deleted"] == 1
        assert copy["undecryptable"] == 0
        assert copy["before"]["members"] == 1
        for place, file in ((a, ours), (b, theirs)):
            assert await admin(place).room(room) is None
            assert await admin(place).media_uploader(file) is None
        for place in (a, b):
            await until(lambda place=place: _idle(place), "nothing under way", within=30)
            await gone(place, room)
        for receipt in (own, copy):
            assert {left["why"] for left in receipt["residue"]} <= LEFT
            assert "server_identifiers" not in receipt["out_of_reach"]
        assert "copies_elsewhere" in own["out_of_reach"]
        assert "room_not_followed" not in copy["out_of_reach"]
        await told(far_ear, "est effacé. Reçu")
    files = sorted(a.config.salles.receipts.glob("receipt-*.json"))
    assert verified(world, a, files) == 0
    said = capsys.readouterr().out
    assert f"{b.name}: its own receipt {copy['serial']} holds" in said
    assert verified(world, b, sorted(b.config.salles.receipts.glob("receipt-*.json"))) == 0
    assert f"a copy of a room of {a.name}" in capsys.readouterr().out


async def test_a_server_that_did_not_make_a_room_is_refused(world: World) -> None:
    anne, bob = world["anne"], world["bob"]
    async with shared_room(anne, bob) as (room, home, _, _far, _far_ear):
        for place in (anne.place, bob.place):
            with pytest.raises(Refused, match=r"erasure\.not_yours"):
                await as_c(world).ask(entry_of(world, place), "erasures", {"room": room, "ref": "ab" * 10})
            assert await admin(place).room(room) is not None
        assert await is_in(home, room, bob.user)


async def test_a_room_that_nobody_knows_has_a_receipt_that_says_so(world: World) -> None:
    b = world.federation["b"]
    body = {"room": "!" + secrets.token_urlsafe(32), "ref": secrets.token_hex(10)}

    async def asked() -> dict[str, Any]:
        return dict(await as_c(world).ask(entry_of(world, b), "erasures", body))

    async def written() -> bool:
        return any((r.get("asked_by") or {}).get("ref") == body["ref"] for r in receipts(b))

    assert (await asked())["state"] == "under_way"
    # Seen by the file: asked again and again, it would soon be more often than a server may ask.
    await until(written, "the receipt", within=90)
    found = (await asked())["receipt"]
    assert found["before"] == {"events": 0, "files": 0, "members": 0}
    assert found["asked_by"] == {"server": world.federation["c"].name, "ref": body["ref"]}
    assert (await asked())["receipt"] == found, "the same again"


async def test_services_that_are_killed_at_any_moment_erase_once_each(world: World) -> None:
    alice, boris = world["alice"], world["boris"]
    a, b = alice.place, boris.place
    async with shared_room(alice, boris) as (room, home, _, far, _far_ear):
        theirs = await shares(far, room, "b.pdf")

        async def noted() -> bool:
            return bool(await query(b, "SELECT 1 FROM ledger_file WHERE room = $1 AND mxc = $2", room, theirs))

        await until(noted, "their @salles has read what its people share", within=30)
        before = len(receipts(a)), len(receipts(b))
        for service in (b.annuaire, b.salles):
            service.kill()
        await ended(home, a, room)

        async def ours() -> bool:
            return any(r.get("servers") == [b.name] for r in receipts(a)[before[0] :])

        await until(ours, "our own receipt, which waits for nobody", within=60)
        assert await admin(b).room(room) is not None
        for service in (b.annuaire, b.salles):
            service.start()

        # Each time a little later than the time before: through all that they do after a start.
        for rank in itertools.count():
            victim = (a.salles, b.salles, b.annuaire, a.annuaire)[rank % 4]
            victim.kill()
            victim.start()
            await asyncio.sleep(1 + rank * 0.4)
            if rank > 15 or await _supplement(a, before[0]) is not None:
                break
        done = await until(lambda: _supplement(a, before[0], soon=room), "the supplement", within=150)
        (answer,) = done["answers"]
        assert (answer["outcome"], answer["receipt"]["files_deleted"]) == ("erased", 1)
        own = [r for r in receipts(a)[before[0] :] if r.get("servers")]
        copies = [r for r in receipts(b)[before[1] :] if r["asked_by"]["ref"] == done["room"]]
        assert (len(own), len(copies)) == (1, 1)
        assert copies[0] == answer["receipt"]
        for place in (a, b):
            assert await admin(place).room(room) is None
            await until(lambda place=place: _idle(place), "nothing under way", within=30)
            await gone(place, room)
        assert await admin(b).media_uploader(theirs) is None
        for place in (a, b):
            assert verified(world, place, sorted(place.config.salles.receipts.glob("receipt-*.json"))) == 0


async def _supplement(place: Place, before: int, *, soon: RoomId | None = None) -> dict[str, Any] | None:
    """The one after so many receipts. `soon`: of a room whose questions are due now, however long the kills put off."""
    if soon and await query(place, "SELECT 1 FROM peer_erasure WHERE room = $1 AND again_at > 0", soon):
        await query(place, "UPDATE peer_erasure SET again_at = 0 WHERE room = $1", soon)
    return next((r for r in receipts(place)[before:] if r.get("kind") == "servers"), None)


async def _idle(place: Place) -> bool:
    return not await query(place, "SELECT 1 FROM erasure")
