"""What the module inside Synapse costs: a send, a decision, memory.

Two homeservers with the same data, one with the module and one without; a third has in its place a module whose
`check_event_allowed` does nothing. The national numbers: 25,000 people here, 100,000 of other servers.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from colloque.attestation import Attestation, Listed, Method, Servers, snapshot
from colloque.book import AttestationBook
from colloque.clock import SystemClock, monotonic
from colloque.files import write_private
from colloque.identity import RoomId, Rpps, UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.policy.admission import Allowed, may_invite
from colloque.snapshot import SnapshotWriter
from colloque.synapse.accounts import Accounts
from colloque.synapse.settings import Settings
from colloque_demo.homeserver import Appservice, Homeserver
from tests.bench.noop import NOOP
from tests.bench.paired import alternate, compare
from tests.bench.result import Goal, Result, result

HERE, ELSEWHERE = 25_000, 100_000
SERVER, OTHER = "bench.example", "other.example"
KEY = b"bench snapshot key, 32 bytes....."
BODY = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" * 600, "session_id": "s", "sender_key": "k"}
DECISIONS = 200_000
ROUNDS = 5
SINGLE = 2_000
WARM_UP = 50


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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Singles:
    """Single sends, ours and the peer's in turn: pairs of processor times of the server, and of wall times, in ms."""

    cost: list[tuple[float, float]]
    wall: list[tuple[float, float]]


async def _in_turn(ours: Arm, peer: Arm) -> Singles:
    """One send here, one there, and so on: whatever drifts on the machine meets both."""
    found = Singles([], [])
    for number in range(-WARM_UP, SINGLE):
        took = {}
        for arm in (ours, peer) if number % 2 else (peer, ours):
            begun, before = monotonic(), _run_ns(arm.pid)
            await arm.send(number)
            took[arm] = (_run_ns(arm.pid) - before) / 1e6, (monotonic() - begun) * 1000
        if number >= 0:
            found.cost.append((took[ours][0], took[peer][0]))
            found.wall.append((took[ours][1], took[peer][1]))
    return found


def send(members: int) -> Callable[[], Awaitable[Result]]:
    """Processor time of Synapse a message, the module on against off."""

    async def run() -> Result:
        async with arms(members, "with", "without") as (ours, bare):
            found = compare((await _in_turn(ours, bare)).cost, 1)
        # `compare` takes seconds and tells milliseconds.
        print(f"{members} members: {found.ours_ms / 1000:.2f} ms a message, without {found.peer_ms / 1000:.2f} ms")
        return result(
            f"module-send-{members}",
            found.ratio,
            "server CPU per send, on / off",
            Goal(1.03),
            peer="the same Synapse, same data, without the module",
            interval=(found.low, found.high),
        )

    return run


async def added() -> Result:
    """How much one message costs more in a room of 400: medians of single sends, in processor time.

    Wall time is printed beside it: on a shared machine its median moves more than what is looked for.
    """
    async with arms(400, "with", "without") as (ours, bare):
        found = await _in_turn(ours, bare)
    cost, wall = (
        [statistics.median(pair[which] for pair in pairs) for which in (0, 1)] for pairs in (found.cost, found.wall)
    )
    print(
        f"processor: {cost[0]:.2f} ms with, {cost[1]:.2f} without; wall: {wall[0]:.2f} ms with, {wall[1]:.2f} without"
    )
    return result(
        "module-added-ms-400",
        cost[0] - cost[1],
        "ms of the server's time added to the median send",
        Goal(0.3),
        peer="the same Synapse, same data, without the module",
        interval=_of_medians([pair[0] for pair in found.cost], [pair[1] for pair in found.cost]),
    )


def _run_ns(pid: int) -> int:
    """Time on a processor of all threads, in nanoseconds (Linux, `schedstat`)."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text(encoding="ascii").split()[0]) for file in files)


def _of_medians(ours: Sequence[float], peer: Sequence[float]) -> tuple[float, float]:
    """95 % of the difference of medians, bootstrapped."""
    draw = random.Random(7)
    found = sorted(
        statistics.median(draw.choices(ours, k=len(ours))) - statistics.median(draw.choices(peer, k=len(peer)))
        for _ in range(2000)
    )
    return found[50], found[-51]


async def state() -> Result:
    """A state event in a room of 400, where both load the room's state."""
    async with arms(400, "with", "noop") as (ours, noop):
        found = await alternate(ours.change, noop.change, pid=ours.pid, peer_pid=noop.pid, pairs=20, operations=20)
    print(f"400 members: {found.ours_ms:.2f} ms of the server's time a state event, no-op {found.peer_ms:.2f} ms")
    return result(
        "module-state-400",
        found.ratio,
        "server CPU per state event, ours / no-op",
        Goal(1.10),
        peer="a check_event_allowed that does nothing",
        interval=(found.low, found.high),
    )


async def decision() -> Result:
    """`may_invite` with all that is asked in memory for it, files looked at included; p99 of many."""
    with tempfile.TemporaryDirectory(prefix="clq-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(publish, folder / "snapshot")
        bots = frozenset({UserId(f"@annuaire:{SERVER}")})
        settings = Settings(folder / "snapshot", folder / "key", folder / "sock", bots, "mss_", frozenset())
        book = AttestationBook(folder / "snapshot", KEY)
        accounts = Accounts(settings, book, SystemClock(), lambda user: user.endswith(":" + SERVER))
        book.refresh()
        draw = random.Random(7)
        users = list(book.state.by_user)
        rounds = []
        gc.freeze()
        for _ in range(ROUNDS):
            pairs = [(draw.choice(users), draw.choice(users)) for _ in range(DECISIONS // ROUNDS)]
            took = []
            for one, other in pairs:
                begun = time.perf_counter_ns()
                us, them = accounts.people(one, other)
                verdict = may_invite(us, them, "patient", blocked=accounts.refuses(other, one))
                took.append(time.perf_counter_ns() - begun)
                assert isinstance(verdict, Allowed)
            rounds.append(statistics.quantiles(took, n=100)[-1] / 1000)
            print(f"p50 {statistics.median(took) / 1000:.1f} µs, p99 {rounds[-1]:.1f} µs")
        gc.unfreeze()
    return result(
        "admission-p99", statistics.median(rounds), "µs a decision, p99", Goal(20), interval=(min(rounds), max(rounds))
    )


async def memory() -> Result:
    """What a Synapse process holds more with the national snapshot: resident, at rest."""
    async with arms(2, "with", "without") as (ours, bare):
        found = []
        for _ in range(ROUNDS):
            for arm in (ours, bare):
                await arm.change(secrets.randbelow(10**9))
            found.append((_resident(ours.pid) - _resident(bare.pid)) / 2**20)
    return result(
        "module-memory",
        statistics.median(found),
        "MiB more, resident",
        Goal(150),
        peer="the same Synapse without the module",
        interval=(min(found), max(found)),
    )


def _resident(pid: int) -> int:
    pages: Any = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
