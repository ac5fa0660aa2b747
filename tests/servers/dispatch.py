"""The three bots on homes that write down what they are told to send, and something to say to them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from colloque.bot import Bot, Handler, Reply
from colloque.commands import COMMANDS, Call, Owner
from colloque.config import Config
from colloque.config_load import load
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import Heard, Incoming, RoomSpec
from colloque.rooms.mark import RoomKind, RoomMark

CONFIG: Config = load(Path(__file__).parents[2] / "deploy" / "config.sample.yaml")
SERVER = CONFIG.homeserver.server_name
ALICE = UserId(f"@alice:{SERVER}")
ADMIN = CONFIG.admin.users[0]
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOME, PATIENT, MAIL, ADMINS, DIRECT, STRANGE = (
    RoomId(f"!{n}") for n in ("home", "patient", "mail", "admins", "direct", "strange")
)
MARKS = {
    HOME: RoomMark(RoomKind.HOME, "h", ALICE),
    PATIENT: RoomMark(RoomKind.PATIENT, "p"),
    MAIL: RoomMark(RoomKind.MAIL, "m", ALICE),
    ADMINS: RoomMark(RoomKind.ADMIN, "a"),
    DIRECT: RoomMark(RoomKind.DIRECT, "d", ALICE),
}
EVENTS = itertools.count()


class Recorder:
    """A home that sends nothing; `errors` are raised by the next sends."""

    user = UserId(f"@bot:{SERVER}")

    def __init__(self) -> None:
        self.sent: dict[str, tuple[RoomId, dict[str, Any]]] = {}
        self.to_all: list[str] = []
        self.errors: list[Exception] = []

    async def send(self, room: RoomId, content: dict[str, Any], *, txn: str, type_: str = "m.room.message") -> EventId:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.setdefault(txn, (room, content))
        return EventId(f"${txn}")

    async def send_to_all_devices(self, room: RoomId, content: dict[str, Any], *, txn: str) -> EventId:
        self.to_all.append(txn)
        return await self.send(room, content, txn=txn)

    async def mark_of(self, room: RoomId) -> RoomMark | None:
        return MARKS.get(room)

    async def create_room(self, spec: RoomSpec) -> RoomId:
        raise NotImplementedError

    async def own_room(self, key: str) -> RoomId | None:
        raise NotImplementedError

    async def invite(self, room: RoomId, user: UserId) -> None:
        raise NotImplementedError

    async def leave(self, room: RoomId) -> None:
        raise NotImplementedError

    async def set_state(self, room: RoomId, type_: str, content: dict[str, Any], state_key: str = "") -> EventId:
        raise NotImplementedError

    async def state(self, room: RoomId, type_: str, state_key: str = "") -> dict[str, Any] | None:
        raise NotImplementedError

    async def members(self, room: RoomId) -> dict[UserId, str]:
        raise NotImplementedError

    @property
    def said(self) -> list[str]:
        return [content["body"] for _, content in self.sent.values()]


class Marks:
    """What was handled, in memory."""

    def __init__(self) -> None:
        self.marked: set[EventId] = set()
        self.answers: list[Exception | None] = []
        """What becomes of the next questions: an error for each that the database does not answer."""

    async def seen(self, event: EventId) -> bool:
        if self.answers and (error := self.answers.pop(0)) is not None:
            raise error
        return event in self.marked

    async def mark(self, event: EventId, room: RoomId) -> None:
        self.marked.add(event)


class House:
    """The three bots, hearing the same things."""

    def __init__(self) -> None:
        self.attested = {ALICE}
        self.homes = {owner: Recorder() for owner in Owner}
        self.handled = {owner: Marks() for owner in Owner}
        self.called: list[tuple[Owner, str, str]] = []
        self.listened: list[tuple[Owner, Incoming]] = []
        self.awaited: set[str] = set()
        self.do: Callable[[Reply], Awaitable[Any]] = lambda reply: reply("fait")
        self.bots = {owner: self.bot(owner) for owner in Owner}

    def bot(self, owner: Owner) -> Bot:
        async def listen(message: Incoming, reply: Reply) -> None:
            self.listened.append((owner, message))

        async def answers(message: Incoming, reply: Reply) -> bool:
            if message.body not in self.awaited:
                return False
            await reply("c'est noté")
            return True

        return Bot(
            me=owner,
            home=self.homes[owner],
            config=CONFIG,
            is_attested=self.attested.__contains__,
            administers=CONFIG.admin.users.__contains__,
            handlers={c.name: self.handler(owner) for c in COMMANDS if c.owner is owner or c.everyone},
            handled=self.handled[owner],
            listen=listen,
            answers=answers,
        )

    def handler(self, owner: Owner) -> Handler:
        async def handle(call: Call, message: Incoming, reply: Reply) -> None:
            self.called.append((owner, call.command.name, call.rest))
            await self.do(reply)

        return handle

    async def hear(self, heard: Heard) -> dict[Owner, list[str]]:
        """What each bot has said since the beginning."""
        for bot in self.bots.values():
            await bot.hear(heard)
        return {owner: home.said for owner, home in self.homes.items() if home.said}


def said(body: str, room: RoomId = HOME, sender: UserId = ALICE, **changes: Any) -> Incoming:
    values: dict[str, Any] = {
        "room": room,
        "event": EventId(f"$e{next(EVENTS)}"),
        "sender": sender,
        "sent_at": NOON,
        "type": "m.room.message",
        "content": {"msgtype": "m.text", "body": body},
        "encrypted": True,
        "device_signed": True,
        "device": "PHONE",
    }
    return Incoming(**(values | changes))
