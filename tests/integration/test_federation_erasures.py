"""A patient room of two servers ends: each erases its own copy, and the receipts of both are in one place."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from colloque.book import read_secret
from colloque.cli.main import main
from colloque.errors import HomeRefused, Refused
from colloque.identity import MxcUri, RoomId, UserId
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import MemberChange, text
from colloque.matrix.nio_home import NioHome
from colloque.policy.jws import b64
from colloque.rooms.keeping import Proof
from colloque.store.schema import open_database
from colloque_salles.store_archive import Archives
from colloque_salles.tables import salles_upgrades
from tests.federation import KID
from tests.servers.federation_place import Place
from tests.servers.federation_world import Somebody, World, as_c, entry_of, talking
from tests.servers.nio import Ear
from tests.waiting import until


@asynccontextmanager
async def shared_room(one: Somebody, other: Somebody) -> AsyncIterator[tuple[RoomId, NioHome, Ear, NioHome, Ear]]:
    """A patient room of two people on two servers, which does not end by itself."""
    async with talking(one, other) as (_, home, ear, far, far_ear):
        own = next(m.room for m in ear.messages() if "est ouverte" in m.body)
        seen = {h.room for h in far_ear.heard if isinstance(h, MemberChange)}
        await home.send(own, text(f"!patient ouvrir 1 jour {other.user}"), txn=secrets.token_hex(8))

        async def invited() -> RoomId | None:
            changes = [h for h in far_ear.heard if isinstance(h, MemberChange)]
            return next((h.room for h in changes if h.user == other.user and h.room not in seen), None)

        room = await until(invited, "the invitation to the patient room", within=30)
        # Their own bot needs nobody: it was invited first.
        await until(lambda: is_in(home, room, other.place.user("salles")), "their @salles in the room", within=30)
        await far.api.call("POST", path(CLIENT, "join", room), {}, query={"server_name": one.place.name})
        await until(lambda: is_in(home, room, other.user), "the other one in the room", within=30)
        yield room, home, ear, far, far_ear


async def is_in(home: NioHome, room: RoomId, user: UserId) -> bool:
    try:
        return (await home.members(room)).get(user) == "join"
    except HomeRefused:  # who asks is not in yet
        return False


def admin(place: Place) -> SynapseAdmin:
    token = read_secret(place.config.salles.admin_token).decode()
    return SynapseAdmin(place.http, place.synapse.url, token)


def receipts(place: Place) -> list[dict[str, Any]]:
    found = sorted(place.config.salles.receipts.glob("receipt-*.json"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in found]


async def query(place: Place, sql: str, *args: object) -> list[Any]:
    """From the rows of that server's @salles."""
    db = await open_database(place.config.salles.database, salles_upgrades(), "colloque_salles")
    try:
        return [dict(row) for row in await db.fetch(sql, *args)]
    finally:
        await db.stop()


async def ended(home: NioHome, place: Place, room: RoomId) -> None:
    """Closed by a member; what its conversation became is settled."""
    await home.send(room, text("!patient terminer"), txn=secrets.token_hex(8))

    async def closed() -> bool:
        return bool(await query(place, "SELECT 1 FROM patient_room WHERE room = $1 AND state = 'closed'", room))

    await until(closed, "the room closed", within=30)
    db = await open_database(place.config.salles.database, salles_upgrades(), "colloque_salles")
    try:
        await Archives(db).prove(room, Proof.FILED)
    finally:
        await db.stop()


async def shares(home: NioHome, room: RoomId, name: str) -> MxcUri:
    content = await home.upload_encrypted(secrets.token_bytes(500), name, "application/pdf")
    await home.send(room, content, txn=secrets.token_hex(8))
    return MxcUri(content["file"]["url"])


async def answered(place: Place, before: int) -> dict[str, Any]:
    """The supplement that comes after so many receipts."""

    async def found() -> dict[str, Any] | None:
        return next((r for r in receipts(place)[before:] if r.get("kind") == "servers"), None)

    return await until(found, "the supplement", within=150)


def verified(world: World, place: Place, files: list[Path]) -> int:
    listed = world.federation.folder / "list.jws"
    listed.write_bytes(world.federation.text)
    pin = f"{KID}={b64(world.federation.authority.key.public)}"
    argv = ["receipt", "verify", *map(str, files), "--list", str(listed), "--authority", pin, "--server", place.name]
    return main(argv)


async def test_every_server_erases_its_copy_and_the_receipts_are_in_one_place(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    anne, bob = world["anne"], world["bob"]
    a, b = anne.place, bob.place
    async with shared_room(anne, bob) as (room, home, _ear, far, _far_ear):
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
            for table in ("ledger_event", "ledger_file", "guest_room", "companion", "peer_erasure", "patient_room"):
                assert await query(place, f"SELECT 1 FROM {table} WHERE room = $1", room) == []
            assert await query(place, "SELECT 1 FROM asked_erasure WHERE room <> ''") == []
            journal = (place.layout.state("salles") / "journal.jsonl").read_text(encoding="utf-8")
            assert room not in journal
            assert not any(room in json.dumps(r) for r in receipts(place))
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

    async def receipt() -> dict[str, Any] | None:
        answer = await as_c(world).ask(entry_of(world, b), "erasures", body)
        found: dict[str, Any] | None = answer.get("receipt")
        return found

    found = await until(receipt, "the receipt", within=90)
    assert found["before"] == {"events": 0, "files": 0, "members": 0}
    assert found["asked_by"] == {"server": world.federation["c"].name, "ref": body["ref"]}
    assert await receipt() == found, "the same again"
