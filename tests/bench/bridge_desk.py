"""What the benches of the bridge share: the servers, somebody who reads, and bare sends by the same ghosts."""

from __future__ import annotations

import asyncio
import base64
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import aiohttp

from colloque.clock import monotonic
from colloque.identity import RoomId, UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque_demo.people import Person
from tests.bench.bridge_program import BARE, TIMES, pass_over_bare
from tests.soak.bridge_world import World
from tests.waiting import until

TEXT = "Bonjour, le compte rendu de ce matin est joint, à relire.\n" * 32
"""Some 2 kB."""


@dataclass
class Reader:
    """One person's raw `/sync`: when each encrypted event arrived, nothing decrypted."""

    api: MatrixApi
    came: dict[str, float] = field(default_factory=dict)
    events: list[JsonDict] = field(default_factory=list)
    """With `room_id`, in the order in which they came."""
    task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Read for ever."""
        since: str | None = None
        while True:
            query = {"timeout": "30000"} | ({} if since is None else {"since": since})
            answer = await self.api.call("GET", path(CLIENT, "sync"), query=query, timeout_s=60)
            now, since = monotonic(), str(answer["next_batch"])
            for room, value in answer.get("rooms", {}).get("join", {}).items():
                for event in value["timeline"]["events"]:
                    if event["type"] == "m.room.encrypted":
                        self.came[event["event_id"]] = now
                        self.events.append(event | {"room_id": room})

    async def after(self, count: int) -> JsonDict:
        """The event that comes when `count` have come."""

        async def one_more() -> bool:
            return len(self.events) > count

        await until(one_more, "an encrypted event in sync")
        return self.events[count]


@dataclass
class Desk:
    """Everything up."""

    world: World
    session: aiohttp.ClientSession
    folder: Path
    stack: AsyncExitStack

    async def reader(self, person: Person) -> Reader:
        """Log in and read."""
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": person.account},
            "password": person.password,
        }
        anonymous = MatrixApi(self.session, self.world.url, "")
        answer = await anonymous.call("POST", path(CLIENT, "login"), body)
        made = Reader(MatrixApi(self.session, self.world.url, answer["access_token"]))
        made.task = asyncio.create_task(made.run())
        self.stack.callback(made.task.cancel)
        return made

    async def mail(self, person: Person, number: int) -> None:
        """2 kB, delivered to somebody's mailbox."""
        sender = self.world.cast.mailboxes[0].address.value
        made = EmailMessage()
        made["From"], made["To"], made["Subject"] = sender, person.address.value, f"Compte rendu {number}"
        made["Message-ID"] = f"<{secrets.token_hex(8)}@{sender.partition('@')[2]}>"
        made.set_content(TEXT)
        await asyncio.to_thread(self.world.deliver, person, made.as_bytes(policy=SMTP))

    async def bare(self, like: JsonDict) -> str:
        """A ghost's send of noise as long as that event, in its room; the event's id."""
        api = MatrixApi(self.session, self.world.url, self.world.token, user=UserId(like["sender"]))
        size = len(base64.b64decode(like["content"]["ciphertext"] + "=="))
        noise = base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        content = like["content"] | {"ciphertext": noise, BARE: True}
        where = path(CLIENT, "rooms", RoomId(like["room_id"]), "send", "m.room.encrypted", secrets.token_hex(8))
        return str((await api.call("PUT", where, content))["event_id"])

    def times(self, name: str) -> list[float]:
        """When the bridge noted that (see `bridge_program`)."""
        lines = (self.folder / "times").read_text(encoding="ascii").splitlines()
        return [float(line.split()[1]) for line in lines if line.startswith(name + " ")]


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    """Synapse, Dovecot, Postfix and the bridge, its steps timed."""
    pass_over_bare()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clq-bench-")))
        (folder / "times").touch()
        world = World(
            folder / "world", program="tests.bench.bridge_program", environment={TIMES: str(folder / "times")}
        )
        stack.push_async_callback(world.stop)
        await world.start()
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Desk(world, session, folder, stack)
