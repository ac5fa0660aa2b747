"""What tests do in a mail room: write, change, withdraw, tap; and what they look for: the bot's notices, mails."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

from ruamel.yaml import YAML

from colloque.identity import EventId, RoomId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming, reaction, text
from tests.clients.mailbox import text_of
from tests.servers.bridge_house import House
from tests.waiting import until


@asynccontextmanager
async def gathering(house: House, seconds: float) -> AsyncIterator[None]:
    """The bridge, restarted with that time for second thoughts."""

    async def restart(value: float) -> None:
        yaml = YAML()
        raw = yaml.load(house.layout.config)
        raw["mssante"]["gather_s"] = value
        yaml.dump(raw, house.layout.config)
        house.bridge.stop()
        house.bridge.start()
        await house.well()

    await restart(seconds)
    try:
        yield
    finally:
        await restart(0.0)


async def notice(house: House, room: RoomId, first_line: str, *, holding: str = "", since: int = 0) -> Incoming:
    """The bot's latest message, or its edit, that begins so; `since`: how much had been heard before."""

    async def found() -> list[Incoming]:
        bot = house.config.bot("mssante")
        said = [h for _, h in house.author.heard[since:] if isinstance(h, Incoming)]
        wanted = [m for m in said if m.room == room and m.sender == bot and body_of(m).startswith(first_line)]
        return [m for m in wanted if holding in body_of(m)]

    return (await until(found, f"{first_line} … {holding}"))[-1]


def body_of(m: Incoming) -> str:
    """What the message says now."""
    new = m.content.get("m.new_content")
    return str(new["body"]) if isinstance(new, dict) else m.body


def heard(house: House) -> int:
    """How much the author has heard so far."""
    return len(house.author.heard)


def about(m: Incoming) -> EventId:
    """The message that an edit replaces, or the message itself."""
    relation = m.content.get("m.relates_to", {})
    return EventId(relation["event_id"]) if relation.get("rel_type") == "m.replace" else m.event


async def tap(house: House, room: RoomId, on: EventId, key: str) -> EventId:
    return await house.author.home.send(room, reaction(on, key), txn=secrets.token_hex(8), type_="m.reaction")


async def received(house: House, text: str) -> list[EmailMessage]:
    async def found() -> list[EmailMessage]:
        return [m for m in await house.inbox(house.cast.correspondent) if text in text_of(m)]

    return await until(found, f"a mail with {text}")


async def absent(house: House, text: str) -> bool:
    return not [m for m in await house.inbox(house.cast.correspondent) if text in text_of(m)]


async def edit(house: House, room: RoomId, of: EventId, new: str) -> EventId:
    content = text(f"* {new}") | {
        "m.new_content": text(new),
        "m.relates_to": {"rel_type": "m.replace", "event_id": of},
    }
    return await house.author.send(room, content)


async def strike(house: House, room: RoomId, event: EventId) -> None:
    await house.author.call("PUT", path(CLIENT, "rooms", room, "redact", event, secrets.token_hex(8)), {})
