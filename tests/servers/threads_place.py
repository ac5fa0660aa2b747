"""Where threads of mails end: the bridge and @salles as processes, a real Synapse, Postfix and Dovecot as the operator.

Mails come and go under a long lifetime; `age` then starts the bridge anew with one that is over for all of them.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from colloque.config_load import load
from colloque.identity import EventId, RoomId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming
from tests.clients.mailbox import MailProgram
from tests.servers.bridge import a_house
from tests.servers.bridge_house import House
from tests.servers.leftovers_place import with_helper
from tests.servers.postfix import Postfix
from tests.servers.process import Process

LONG_S, OVER_S = 3600, 1


@dataclass
class Place:
    """All of it."""

    house: House
    box: MailProgram
    """The author's mailbox, in another program."""

    async def says(self, words: str, *, since: int = 0) -> Incoming:
        """The first message of @mssante that holds these words."""
        bot = self.house.config.bot("mssante")
        _, found = await self.house.author.hear(lambda m: m.sender == bot and words in m.body, words, since=since)
        return found

    async def age(self, lifetime_s: int = OVER_S) -> None:
        """From now on threads stay that long."""
        await asyncio.to_thread(self.house.bridge.stop)
        self._write(lifetime_s)
        await asyncio.to_thread(self.house.bridge.start)
        await self.house.well()

    def _write(self, lifetime_s: int) -> None:
        layout = self.house.layout
        raw = YAML().load(layout.config.read_text(encoding="utf-8"))
        raw["mssante"]["threads"] = {"lifetime_s": lifetime_s}
        with layout.config.open("w", encoding="utf-8") as out:
            YAML().dump(raw, out)
        self.house.config = load(layout.config)

    async def content(self, room: RoomId, event: EventId) -> dict[str, Any]:
        """What the homeserver gives the author of an event."""
        where = path(CLIENT, "rooms", room, "event", event)
        found: dict[str, Any] = (await self.house.author.call("GET", where))["content"]
        return found

    def stored(self, event: EventId) -> dict[str, Any]:
        """The content that Synapse's own database still holds of it."""
        with closing(sqlite3.connect(self.house.server.folder / "homeserver.db")) as db:
            row = db.execute("SELECT json FROM event_json WHERE event_id = ?", (event,)).fetchone()
        found: dict[str, Any] = json.loads(row[0])["content"]
        return found

    def kept(self) -> str:
        """All that the bridge's database says, the room keys' table apart."""
        said = []
        with closing(sqlite3.connect(self.house.layout.state("mssante") / "mssante.db")) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                said += [f"{table} {row!r}" for row in db.execute(f'SELECT * FROM "{table}"')]
        return "\n".join(said)

    def receipts(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.house.config.salles.receipts.glob("receipt-*.json"))


@asynccontextmanager
async def a_place(folder: Path) -> AsyncIterator[Place]:
    """All of it, up."""
    async with a_house(folder) as house:
        accounts = json.loads((house.layout.mail / "accounts.json").read_text())
        own = {name: {"password": a["password"], "token": f"none-{n}"} for n, (name, a) in enumerate(accounts.items())}
        postfix = Postfix(accounts=own)
        operator = await asyncio.to_thread(postfix.start)
        with_helper(house.layout, house.server)
        raw = YAML().load(house.layout.config.read_text(encoding="utf-8"))
        for side, server in (("imap", operator.imap), ("smtp", operator.smtp)):
            raw["mssante"][side] |= {"host": server.host, "port": server.port, "ca": str(server.ca)}
            house.mails[side] = {"host": server.host, "port": server.port}
        house.mails["ca"] = str(operator.imap.ca)
        with house.layout.config.open("w", encoding="utf-8") as out:
            YAML().dump(raw, out)
        place = Place(house, house.box(house.cast.author))
        place.box.create("Sent")
        place._write(LONG_S)
        config = ["--config", str(house.layout.config)]
        helper = Process([sys.executable, "-m", "colloque_salles.cleaner", *config], house.layout.logs / "cleaner.log")
        salles = Process([sys.executable, "-m", "colloque_salles", *config], house.layout.logs / "salles.log")
        try:
            for process in (helper, salles, house.bridge):
                process.start()
            await house.well()
            yield place
        finally:
            for process in (house.bridge, salles, helper):
                process.stop()
            await asyncio.to_thread(postfix.stop)
