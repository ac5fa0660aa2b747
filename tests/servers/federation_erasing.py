"""Two whole servers that erase rooms of both, each with the helper on its Synapse's host; a third one is listed."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from colloque.book import read_secret
from colloque.cli.main import main
from colloque.errors import HomeRefused
from colloque.identity import MxcUri, RoomId, UserId
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import MemberChange, text
from colloque.matrix.nio_home import NioHome
from colloque.policy.jws import b64
from colloque.rooms.keeping import Proof
from colloque.store.schema import open_database
from colloque_salles.store.archive import Archives
from colloque_salles.store.tables import salles_upgrades
from tests.federation import KID
from tests.servers.federation import begin, running_federation
from tests.servers.federation_place import Place
from tests.servers.federation_world import A, B, C, Somebody, World, talking
from tests.servers.leftovers_place import with_helper
from tests.servers.nio import Ear
from tests.servers.process import Process
from tests.waiting import until

CAST = {"anne": A, "alice": A, "bob": B, "boris": B}


@asynccontextmanager
async def erasing_world() -> AsyncIterator[World]:
    """A and B with their services and helpers; C is listed, and asks what it should not."""
    async with running_federation(A, B, C, lawless=C) as federation, AsyncExitStack() as stack:
        people = {}
        for name, server in CAST.items():
            place, professional = federation.places[server], next(federation.professionals)
            people[name] = Somebody(place, place.user(name), professional)
            await place.attest(people[name].user, professional)
        running = [federation.places[A], federation.places[B]]
        for place in running:
            place.config = with_helper(place.layout, place.synapse)
            command = [sys.executable, "-m", "colloque_salles.cleaner", "--config", str(place.layout.config)]
            helper = Process(command, place.layout.logs / "cleaner.log")
            helper.start()
            stack.callback(helper.stop)
        await begin(stack, *running)
        yield World(federation, people)


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
