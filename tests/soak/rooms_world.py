"""What stands around @salles in its soak: the bridge's world (real Synapse, Postfix, Dovecot, bridge), and @salles."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp

from colloque.book import read_secret
from colloque.identity import MxcUri, RoomId, UserId
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.api import MatrixApi
from colloque.matrix.home import RoomSpec
from colloque.matrix.nio_home import NioHome
from colloque.rooms.mark import RoomKind, RoomMark, home_key
from colloque_demo.people import Person
from colloque_salles.store.jobs import ROOM_TABLES
from tests.soak.bridge_world import World
from tests.waiting import until

IDLE_S, NOTICE_S, REMINDER_S, LINGER_S, WAIT_S = 40, 12, 4, 3, 28
"""A room's life, in seconds where production has days; `WAIT_S` is what passes between a delivery and its proof."""
MAIL_LIMIT = 200_000
"""Bytes of one mail: a conversation with two big files needs two."""

VICTIMS = ("salles", "salles", "bridge", "synapse", "dovecot", "postfix")
"""What is killed; @salles stands there twice: it is what this is about."""


class RoomsWorld(World):
    """The bridge's, with @salles as one more program of ours: the one that `deaths` is about."""

    mortal = "salles"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._session: aiohttp.ClientSession | None = None

    @property
    def victims(self) -> tuple[str, ...]:
        return VICTIMS

    @property
    def _ours(self) -> tuple[str, ...]:
        return ("bridge", "salles")

    async def start(self) -> None:
        """Everything up."""
        await super().start()
        self._session = aiohttp.ClientSession()
        token = self._layout.secret("salles.admin_token")
        self._admin = SynapseAdmin(self._session, self.url, read_secret(token).decode())
        self._owner = MatrixApi(self._session, self.url, read_secret(token).decode())

    async def stop(self) -> None:
        """End everything that was started."""
        if self._session is not None:
            await self._session.close()
        await super().stop()

    def trouble(self) -> list[str]:
        """Both programs' own errors, without what they were about."""
        log = self._layout.logs / "salles.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [*super().trouble(), *[line[:300] for line in lines if " ERROR " in line][-20:]]

    # what has to come of a room

    def bot(self) -> UserId:
        """@salles."""
        return self._config.bot("salles")

    async def homes(self, people: Sequence[Person]) -> list[RoomId]:
        """A home room each, made by @annuaire, to which they and the bots are invited; the bots have come in."""
        assert self._session is not None
        config = self._config
        annuaire = await NioHome.open(
            session=self._session,
            base_url=self.url,
            user=config.bot("annuaire"),
            token=read_secret(config.annuaire.as_token).decode(),
            state_dir=self._layout.state("annuaire"),
            mark_dir=self._layout.marks,
            identity_secret=read_secret(config.secrets.identity),
            pickle_key=read_secret(config.secrets.pickle).decode(),
            bots=frozenset(config.bots),
        )
        bots = (config.bot("salles"), config.bot("mssante"))
        try:
            made = []
            for person in people:
                mark = RoomMark(RoomKind.HOME, home_key(person.account), owner=person.account)
                made.append(await annuaire.create_room(RoomSpec("Colloque", mark, invite=(person.account, *bots))))
            for room in made:

                async def inside(room: RoomId = room) -> bool:
                    members = await annuaire.members(room)
                    return all(members.get(bot) == "join" for bot in bots)

                await until(inside, "the bots in a home room")
        finally:
            annuaire.close()
        return made

    async def left_of(self, room: RoomId, files: Sequence[str]) -> list[str]:
        """What the homeserver still has of a room that is erased."""
        left = ["the room is on the server"] if await self._admin.room(room) is not None else []
        there = [await self._admin.media_uploader(MxcUri(mxc)) is not None for mxc in files]
        return [*left, *("a file is on the server" for still in there if still)]

    async def left_files(self) -> int:
        """Files of @salles's own on the homeserver: pictures and documents of rooms.

        An address that was reserved, and never came to hold anything, is none: Synapse takes it back after a day.
        """
        where = f"/_synapse/admin/v1/users/{self.bot()}/media"
        found = (await self._owner.call("GET", where, query={"limit": "1000"}))["media"]
        return sum(file["media_length"] is not None for file in found)

    def receipts(self) -> dict[int, dict[str, Any]]:
        """By serial number. Blocks."""
        files = self._config.salles.receipts.glob("receipt-*.json")
        found = (json.loads(file.read_text(encoding="utf-8")) for file in files)
        return {int(receipt["serial"]): receipt for receipt in found}

    @property
    def receipt_files(self) -> Path:
        """Where they stand, with the public key."""
        return self._config.salles.receipts

    def rows_left(self) -> dict[str, int]:
        """Rows about rooms in the services' own databases, by table; none where all rooms are erased. Blocks."""
        found = _count(self._config.salles.database, {table: f"SELECT COUNT(*) FROM {table}" for table in ROOM_TABLES})
        texts = "SELECT COUNT(*) FROM outbox WHERE caller = 'salles' AND raw IS NOT NULL"
        return found | _count(self._config.mssante.database, {"outbox": texts})

    # the programs

    def _adjust(self, raw: dict[str, Any]) -> None:
        raw["salles"]["lifetime"] = {
            "idle_s": IDLE_S,
            "notice_s": NOTICE_S,
            "reminder_s": REMINDER_S,
            "linger_s": LINGER_S,
            "archive_wait_s": WAIT_S,
            # A third of these rooms end by themselves within a minute: here that is no accident.
            "many_share": 1.0,
        }
        raw["mssante"]["size_limit"] = MAIL_LIMIT

    def _command(self, name: str) -> list[str]:
        if name != "salles":
            return super()._command(name)
        return [sys.executable, "-m", "tests.soak.rooms_program", "--config", str(self._layout.config)]

    def _log(self, name: str) -> Path:
        return self._layout.logs / "salles.log" if name == "salles" else super()._log(name)


def _count(database: str, queries: dict[str, str]) -> dict[str, int]:
    with closing(sqlite3.connect(f"file:{database.removeprefix('sqlite:')}?mode=ro", uri=True, timeout=30)) as db:
        found = {name: int(db.execute(query).fetchone()[0]) for name, query in queries.items()}
    return {name: count for name, count in found.items() if count}
