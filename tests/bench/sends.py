"""What an encrypted send of ours costs the server, against the bare send of an event of the same size.

Both arms are accounts of the same kind (an appservice's, with a device) in rooms of the same shape with the same
reader, on the same Synapse. The peer's event is noise that looks encrypted: it asks nothing of anybody.
"""

from __future__ import annotations

import base64
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from colloque.identity import RoomId, UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.matrix.crosssign import Identity
from colloque.matrix.home import RoomSpec, room_request, text
from colloque.matrix.nio_home import NioHome
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.store.schema import new_upgrades, open_database
from colloque_demo.homeserver import Appservice, Homeserver
from colloque_mssante.people.crypto import Accounts
from colloque_mssante.store.tables import register_upgrades
from tests.bench.paired import alternate
from tests.bench.result import Goal, Result, result

PAIRS = 20
OPERATIONS = 40
"""Sends a batch: about half a second of the server's time, against its clock's steps of 10 ms."""
TEXT = "Bonjour, le compte rendu de ce matin est joint. Je reste joignable jusqu'à 18 h, merci de me dire."
GOAL = Goal(1.10)
SECRET = b"bench identity secret, 32 bytes!"

Sender = Callable[[RoomId, JsonDict, str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Bench:
    """A running Synapse and what both arms need."""

    folder: Path
    server: Homeserver
    http: aiohttp.ClientSession
    services: dict[str, Appservice]
    reader: UserId
    reader_token: str

    def user(self, name: str) -> UserId:
        """An account on this server."""
        return UserId(f"@{name}:{self.server.server_name}")

    async def room(self, api: MatrixApi) -> RoomId:
        """A room as our bots make them, with the reader in it."""
        spec = RoomSpec("Colloque", RoomMark(RoomKind.MAIL, secrets.token_hex(8)), invite=(self.reader,))
        room = RoomId((await api.call("POST", path(CLIENT, "createRoom"), room_request(spec)))["room_id"])
        reader = MatrixApi(self.http, self.server.url, self.reader_token)
        await reader.call("POST", path(CLIENT, "rooms", room, "join"), {})
        return room


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """Start Synapse with three appservices and one reader whose device is signed."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clq-bench-")))
        server = Homeserver(folder / "synapse", "bench.example")
        services = {
            name: Appservice(name, name, secrets.token_hex(16), secrets.token_hex(16), ghosts=ghosts)
            for name, ghosts in (("bot", None), ("mss", "mss_"), ("raw", "raw_"))
        }
        server.configure(appservices=tuple(services.values()))
        server.start()
        stack.callback(server.stop)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        password = secrets.token_urlsafe()
        server.register("reader", password)
        identifier = {"type": "m.id.user", "user": "reader"}
        login = server.call(
            "POST",
            "/_matrix/client/v3/login",
            {"type": "m.login.password", "identifier": identifier, "password": password},
        )
        reader = UserId(login["user_id"])
        home = await NioHome.open_person(
            session=http,
            base_url=server.url,
            user=reader,
            token=login["access_token"],
            device_id=login["device_id"],
            state_dir=folder / "reader",
            identity=Identity.derive(SECRET, reader),
            pickle_key="bench",
            bots=frozenset(),
        )
        stack.callback(home.close)
        yield Bench(folder, server, http, services, reader, login["access_token"])


async def bot_send() -> Result:
    """`NioHome.send`, as `@annuaire` and `@salles` do."""
    async with bench() as found:
        home = await NioHome.open(
            session=found.http,
            base_url=found.server.url,
            user=found.user("bot"),
            token=found.services["bot"].as_token,
            state_dir=found.folder / "bot",
            mark_dir=found.folder / "marks",
            identity_secret=SECRET,
            pickle_key="bench",
            bots=frozenset(),
        )
        try:
            room = await found.room(home.api)
            return await _compare(
                "bot-send", found, room, lambda r, content, txn: home.send(r, content, txn=txn), "raw"
            )
        finally:
            home.close()


async def ghost_send() -> Result:
    """`Account.send` of the bridge, as ghosts do."""
    async with bench() as found:
        upgrades = new_upgrades()
        register_upgrades(upgrades)
        db = await open_database(f"sqlite:{found.folder / 'mssante.db'}", upgrades, "mssante")
        try:
            accounts = Accounts(
                db=db,
                http=found.http,
                url=found.server.url,
                token=found.services["mss"].as_token,
                identity_secret=SECRET,
                pickle_secret=SECRET,
                is_ghost=lambda user: user.startswith("@mss_"),
            )
            ghost = await accounts.get(found.user("mss_1"))
            room = await found.room(ghost.api)
            return await _compare(
                "ghost-send", found, room, lambda r, content, txn: ghost.send(r, content, txn=txn), "raw_1"
            )
        finally:
            await db.stop()


async def _compare(name: str, found: Bench, room: RoomId, send: Sender, peer: str) -> Result:
    """Our sends in `room` against the bare ones of the account `peer` in a room of its own."""
    token = found.services["raw"].as_token
    body = {"type": "m.login.application_service", "username": peer, "inhibit_login": True}
    await MatrixApi(found.http, found.server.url, token).call("POST", path(CLIENT, "register"), body)
    api = MatrixApi(found.http, found.server.url, token, user=found.user(peer))
    await api.call("PUT", path(CLIENT, "devices", "RAW"), {})
    raw = MatrixApi(found.http, found.server.url, token, user=found.user(peer), device="RAW")
    bare_room = await found.room(raw)
    sealed = await _sealed_like_ours(found, room, send)

    async def ours(number: int) -> None:
        await send(room, text(TEXT), f"ours{number}")

    async def bare(number: int) -> None:
        await raw.call("PUT", path(CLIENT, "rooms", bare_room, "send", "m.room.encrypted", f"raw{number}"), sealed())

    assert found.server.process is not None
    measured = await alternate(ours, bare, pid=found.server.process.pid, pairs=PAIRS, operations=OPERATIONS)
    print(f"{name}: {measured.ours_ms:.2f} ms of the server's time a send, bare {measured.peer_ms:.2f} ms")
    return result(
        name,
        measured.ratio,
        "server CPU per send, ours / peer",
        GOAL,
        peer="bare send of an event of the same size, same kind of account",
        interval=(measured.low, measured.high),
    )


async def _sealed_like_ours(found: Bench, room: RoomId, send: Sender) -> Callable[[], JsonDict]:
    """Makes events like the one that our send makes, ciphertext apart: as long, and different each time."""
    event = await send(room, text(TEXT), "model")
    reader = MatrixApi(found.http, found.server.url, found.reader_token)
    model = (await reader.call("GET", path(CLIENT, "rooms", room, "event", str(event))))["content"]
    size = len(base64.b64decode(model["ciphertext"] + "=="))
    return lambda: model | {"ciphertext": base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")}
