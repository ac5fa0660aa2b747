"""One person of the scenario at their Matrix client: logs in by password, encrypts, has an identity and a recovery key.

Every call goes over the wire like any client's; a homeserver that is restarting is asked again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import aiohttp

from colloque.clock import monotonic
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.matrix.crosssign import Identity, Seeds
from colloque.matrix.home import Heard, Incoming, MemberChange, text
from colloque.matrix.nio_home import NioHome
from colloque.patience import patiently
from colloque_demo import recovery
from colloque_demo.people import Person

PATIENCE_S = 60.0
"""How long a restarting homeserver is waited for."""
T = TypeVar("T")


class NotHeld(AssertionError):
    """Something that had to be seen was not, or something was that must not be."""


def hold(condition: object, message: str) -> None:
    """Raises NotHeld with the message unless the condition is true."""
    if not condition:
        raise NotHeld(message)


async def until(look: Callable[[], Awaitable[T | None]], what: str, timeout_s: float = 60.0) -> T:
    """The first answer of `look` that is not None, asked every 0.2 s. Raises NotHeld in time."""
    end = monotonic() + timeout_s
    while (found := await look()) is None:
        if monotonic() > end:
            raise NotHeld(f"{what}: not within {timeout_s:.0f} s")
        await asyncio.sleep(0.2)
    return found


class _Position:
    """Where the reading stands; a person's client of the demo begins anew each time."""

    def __init__(self) -> None:
        self._token: str | None = None

    async def position(self) -> str | None:
        return self._token

    async def save_position(self, token: str) -> None:
        self._token = token


class Clinician:
    """Made by `login`. `heard` holds every message and membership seen, oldest first, with the moment."""

    def __init__(self, person: Person, home: NioHome) -> None:
        self.person = person
        self.user = person.account
        self.home = home
        self.api = home.api
        self.heard: list[tuple[float, Heard]] = []
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._listen(_Position()))

    @classmethod
    async def login(cls, session: aiohttp.ClientSession, url: str, person: Person, folder: Path) -> Clinician:
        """A new device; a new identity that signs it; the identity's keys kept under a new recovery key.

        `folder` must exist; it gets the crypto store.
        """
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": person.account},
            "password": person.password,
            "initial_device_display_name": "Colloque demo",
        }
        anonymous = MatrixApi(session, url, "")
        answer = await patiently(lambda: anonymous.call("POST", path(CLIENT, "login"), body), for_s=PATIENCE_S)
        seeds = Seeds(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))
        home = await NioHome.open_person(
            session=session,
            base_url=url,
            user=person.account,
            token=answer["access_token"],
            device_id=answer["device_id"],
            state_dir=folder,
            identity=Identity(person.account, seeds),
            pickle_key=secrets.token_hex(32),
            bots=frozenset(),
        )
        person.recovery_key = await recovery.store(home.api, person.account, seeds)
        return cls(person, home)

    async def close(self) -> None:
        """Stop listening and close the crypto store."""
        self._stop.set()
        self._task.cancel()
        await asyncio.wait([self._task])
        self.home.close()

    async def call(
        self, method: str, where: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> JsonDict:
        """One call of the client API as this person. Raises HomeRefused."""
        return await patiently(lambda: self.api.call(method, where, body, query=query), for_s=PATIENCE_S)

    async def say(self, room: RoomId, body: str, *, reply_to: EventId | None = None) -> EventId:
        """Write, encrypted."""
        return await self.send(room, text(body, reply_to=reply_to))

    async def send(self, room: RoomId, content: JsonDict) -> EventId:
        """Send any message, encrypted."""
        return await self.home.send(room, content, txn=secrets.token_hex(8))

    async def hear(
        self, wanted: Callable[[Incoming], bool], what: str, *, since: int = 0, timeout_s: float = 60.0
    ) -> tuple[float, Incoming]:
        """The first message that is wanted, and when it came (`monotonic`). Raises NotHeld in time."""
        return await self._await(lambda h: h if isinstance(h, Incoming) and wanted(h) else None, what, since, timeout_s)

    async def answer(self, to: EventId, what: str, *, timeout_s: float = 60.0) -> Incoming:
        """The first answer, by reply, to something this person wrote."""
        _, found = await self.hear(lambda m: m.reply_to == to, f"an answer to {what}", timeout_s=timeout_s)
        return found

    async def ask(self, room: RoomId, line: str, what: str) -> Incoming:
        """Write a line and wait for the answer to it."""
        return await self.answer(await self.say(room, line), what)

    async def membership(self, room: RoomId, membership: str, what: str, timeout_s: float = 60.0) -> MemberChange:
        """This person's own membership becomes that. Raises NotHeld in time."""

        def wanted(heard: Heard) -> MemberChange | None:
            if not isinstance(heard, MemberChange) or (heard.room, heard.user) != (room, self.user):
                return None
            return heard if heard.membership == membership else None

        _, found = await self._await(wanted, what, 0, timeout_s)
        return found

    def answers(self, to: EventId) -> list[Incoming]:
        """Everything that came so far in answer to something."""
        return [h for _, h in self.heard if isinstance(h, Incoming) and h.reply_to == to]

    async def joined_rooms(self) -> list[RoomId]:
        """As the server says now."""
        return [RoomId(r) for r in (await self.call("GET", path(CLIENT, "joined_rooms")))["joined_rooms"]]

    async def state(self, room: RoomId, type_: str) -> JsonDict:
        """One state event of a room (state key empty), whole: sender, content. Raises HomeRefused."""
        return await self.call("GET", path(CLIENT, "rooms", room, "state", type_, ""), query={"format": "event"})

    async def state_or_none(self, room: RoomId, type_: str) -> JsonDict | None:
        """The same; None when there is no such event."""
        try:
            return await self.state(room, type_)
        except HomeRefused as error:
            if error.status == 404:
                return None
            raise

    async def members(self, room: RoomId) -> dict[UserId, str]:
        """Membership by user, as the server says now."""
        return await patiently(lambda: self.home.members(room), for_s=PATIENCE_S)

    async def display_name(self, user: UserId) -> str:
        """Somebody's name, as the server shows it."""
        return str((await self.call("GET", path(CLIENT, "profile", user))).get("displayname") or "")

    async def _listen(self, position: _Position) -> None:
        while True:
            try:
                await self.home.run(self._take, self._stop, position=position)
            except* HomeUnavailable:
                await asyncio.sleep(0.2)

    async def _take(self, heard: Heard) -> None:
        self.heard.append((monotonic(), heard))

    async def _await(
        self, wanted: Callable[[Heard], T | None], what: str, since: int, timeout_s: float
    ) -> tuple[float, T]:
        end = monotonic() + timeout_s
        looked = since
        while True:
            for at, heard in self.heard[looked:]:
                looked += 1
                if (found := wanted(heard)) is not None:
                    return at, found
            if self._task.done():
                await self._task
            if monotonic() > end:
                raise NotHeld(f"{what}: not seen within {timeout_s:.0f} s")
            await asyncio.sleep(0.05)
