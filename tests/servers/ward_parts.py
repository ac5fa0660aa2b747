"""What stands around an annuaire service in `ward`: a bridge and a homeserver."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from colloque.errors import ServiceUnavailable
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.matrix.home import Incoming
from tests.servers.dispatch import SERVER
from tests.servers.verification import Server

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EVENTS = itertools.count()


class Mails:
    """What the bridge was told to send, by key."""

    def __init__(self) -> None:
        self.sent: dict[str, tuple[str, str]] = {}
        self.away = False

    async def send(self, *, key: str, to: MssanteAddress, subject: str, text: str) -> None:
        if self.away:
            raise ServiceUnavailable("mssante does not answer")
        self.sent.setdefault(key, (to.value, text))


class Hall(Server):
    """The homeserver, the administrators' room included."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[UserId, str] = {}
        self.let_in: list[UserId] = []

    async def exists(self, who: UserId) -> bool:
        return who in self.made

    async def create(self, who: UserId, name: str) -> None:
        self.made[who] = name

    async def let_into_admin(self, who: UserId) -> None:
        self.let_in.append(who)


def user(number: int) -> UserId:
    return UserId(f"@p{number}:{SERVER}")


def said(body: str, sender: UserId, event: str = "", **content: Any) -> Incoming:
    return Incoming(
        room=RoomId(f"!{sender}"),
        event=EventId(event or f"$e{next(EVENTS)}"),
        sender=sender,
        sent_at=BEGIN,
        type="m.room.message",
        content={"msgtype": "m.text", "body": body} | content,
        encrypted=True,
        device_signed=True,
    )
