"""Homeservers with the same data: with our module, without it, or with one that does nothing in its place."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from colloque.attestation import Attestation, Listed, Method, Servers, snapshot
from colloque.files import write_private
from colloque.identity import RoomId, Rpps, UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.snapshot import SnapshotWriter
from colloque_demo.homeserver import Appservice, Homeserver
from tests.bench.noop import NOOP

HERE, ELSEWHERE = 25_000, 100_000
SERVER, OTHER = "bench.example", "other.example"
KEY = b"bench snapshot key, 32 bytes....."
BODY = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" * 600, "session_id": "s", "sender_key": "k"}


def attested(now: datetime) -> list[Attestation]:
    """Everybody, and the one who sends."""
    until = now + timedelta(days=300)

    def one(number: int, server: str) -> Attestation:
        user = UserId(f"@prenom.nomdefamille{number}:{server}")
        name = f"Dr Prénom NOMDEFAMILLE{number}"
        return Attestation(
            user, Rpps(f"{10_000_000_000 + number}"), name, Method.PSC, now, until, professions=("10",), category="C"
        )

    return [one(n, SERVER if n < HERE else OTHER) for n in range(HERE + ELSEWHERE)]


def publish(place: Path) -> None:
    """The national snapshot."""
    now = datetime.now(UTC) - timedelta(minutes=1)
    servers = Servers(1, now + timedelta(days=1), (Listed(OTHER),))
    SnapshotWriter(place, KEY).publish(snapshot(1, now, attested(now), servers=servers))


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One homeserver, and the account that sends there."""

    server: Homeserver
    api: MatrixApi
    room: RoomId

    @property
    def pid(self) -> int:
        """Synapse's process."""
        assert self.server.process is not None
        return self.server.process.pid

    async def send(self, number: int) -> None:
        """One message."""
        await self.api.call("PUT", path(CLIENT, "rooms", self.room, "send", "m.room.encrypted", f"t{number}"), BODY)

    async def change(self, number: int) -> None:
        """One state event."""
        await self.api.call("PUT", path(CLIENT, "rooms", self.room, "state", "m.room.topic"), {"topic": f"t{number}"})


@asynccontextmanager
async def arms(members: int, *names: str) -> AsyncIterator[list[Arm]]:
    """Homeservers with the same room of so many: `with`, `without` (our module), `noop`."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clq-bench-")))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        write_private(folder / "key", KEY)
        if "with" in names:
            publish(folder / "snapshot")
        service = Appservice("mss", "mssante", secrets.token_hex(16), secrets.token_hex(16), ghosts="mss_")
        first = Homeserver(folder / "first", SERVER)
        first.configure(appservices=(service,))
        first.start()
        try:
            token = first.register("prenom.nomdefamille1", secrets.token_urlsafe())
            room = await _room(http, first, service, token, members)
        finally:
            first.stop()
        made = []
        for name in names:
            copy = folder / name
            shutil.copytree(first.folder, copy)
            server = Homeserver(copy, SERVER)
            (copy / "noop.py").write_text(NOOP, encoding="utf-8")
            modules = {"with": (_module(folder),), "without": (), "noop": ({"module": "noop.Noop", "config": {}},)}
            server.configure(appservices=(service,), modules=modules[name])
            server.start()
            stack.callback(server.stop)
            made.append(Arm(server, MatrixApi(http, server.url, token), room))
        yield made


async def _room(
    http: aiohttp.ClientSession, server: Homeserver, service: Appservice, token: str, members: int
) -> RoomId:
    """Made without the module, and closed afterwards: joining is quicker without invitations."""
    owner = MatrixApi(http, server.url, token)
    state = [
        {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "public"}},
        {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "forbidden"}},
    ]
    body: JsonDict = {"preset": "private_chat", "initial_state": state}
    room = RoomId((await owner.call("POST", path(CLIENT, "createRoom"), body))["room_id"])
    plain = MatrixApi(http, server.url, service.as_token)
    for number in range(members - 1):
        name = f"mss_{number}"
        asked = {"type": "m.login.application_service", "username": name, "inhibit_login": True}
        await plain.call("POST", path(CLIENT, "register"), asked)
        ghost = MatrixApi(http, server.url, service.as_token, user=UserId(f"@{name}:{SERVER}"))
        await ghost.call("POST", path(CLIENT, "join", room), {})
    closed = {"join_rule": "invite"}
    await owner.call("PUT", path(CLIENT, "rooms", room, "state", "m.room.join_rules"), closed)
    return room


def _module(folder: Path) -> JsonDict:
    config = {
        "snapshot": str(folder / "snapshot"),
        "snapshot_key": str(folder / "key"),
        "socket": str(folder / "annuaire.sock"),
        "bots": [f"@annuaire:{SERVER}"],
        "ghost_prefix": "mss_",
        "staff": [],
    }
    return {"module": "colloque.synapse.module.ColloqueModule", "config": config}
