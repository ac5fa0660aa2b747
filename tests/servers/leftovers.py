"""A homeserver whose room is to be erased: everything in it that Synapse's own deletion leaves, and the whole eraser.

The scan here is the test's own: it knows nothing of the product's, and looks for the identifiers as plain substrings.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import sys
import urllib.request
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
import psycopg2
from mautrix.util.async_db import Database

from colloque.clock import SystemClock
from colloque.config import Config
from colloque.files import write_private
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.nio_home import NioHome
from colloque.rooms.patient_room import PatientRoom
from colloque.store.incidents import Incidents
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_salles.erasing.erase import Eraser
from colloque_salles.store.jobs import ErasureRow, Jobs
from colloque_salles.store.rooms import PatientRooms
from tests.servers.process import Process
from tests.waiting import until

SYNC = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=0"

MOVING = frozenset({"cache_invalidation_stream_by_instance", "event_push_actions", "event_push_summary"})
"""What Synapse rewrites by itself at any time, also of rooms that nobody touches: its caches' news, and every 30 s how
much is unread."""

_PASSED = (
    "SELECT COUNT(*) = 2 FROM (SELECT stream_id FROM stats_incremental_position UNION ALL "
    "SELECT stream_id FROM user_directory_stream_pos) AS reader WHERE reader.stream_id >= "
    "(SELECT {edge}(stream_id) FROM current_state_delta_stream WHERE room_id = '{room}')"
)


@dataclass
class Filled:
    """One room, and what it is known by."""

    room: RoomId
    alias: str
    events: list[str] = field(default_factory=list)
    files: list[MxcUri] = field(default_factory=list)

    @property
    def known_by(self) -> list[str]:
        return [self.room, self.alias, *self.events, *(mxc.rpartition("/")[2] for mxc in self.files)]


class Place:
    """Synapse, two members, @salles' parts, the helper as a process."""

    def __init__(self, layout: Layout, server: Homeserver, database: str, config: Config) -> None:
        self.layout, self.server, self.database, self.config = layout, server, database, config
        cleaner = [sys.executable, "-m", "colloque_salles.cleaner", "--config", str(layout.config)]
        self.helper = Process(cleaner, layout.logs / "cleaner.log")
        self.admin_token = server.register("salles-admin", secrets.token_urlsafe(), admin=True)
        write_private(layout.secret("salles.admin_token"), self.admin_token)
        self.anne, self.bob = (server.register(name, secrets.token_urlsafe()) for name in ("anne", "bob"))
        self.rooms: list[RoomId] = []
        self.eraser: Eraser
        self.alone: Eraser
        """One whose configuration knows no helper."""
        self.jobs: Jobs
        self.patients: PatientRooms
        self.incidents: Incidents
        self.home: NioHome
        self.session: aiohttp.ClientSession
        self.db: Database

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        return self.server.call(method, path, body, token or self.anne)

    def user(self, name: str) -> UserId:
        return UserId(f"@{name}:{self.server.server_name}")

    def upload(self) -> MxcUri:
        url = f"{self.server.url}/_matrix/media/v3/upload"
        headers = {"Authorization": f"Bearer {self.anne}", "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(url, data=secrets.token_bytes(2000), headers=headers, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return MxcUri(json.loads(answer.read())["content_uri"])

    async def settle(self) -> None:
        """Synapse is done with what it does once in its life: filling its user directory, statistics, indexes."""

        async def settled() -> bool:
            with closing(self.connect()) as db:
                cursor = db.cursor()
                cursor.execute("SELECT COUNT(*) FROM background_updates")
                return bool(cursor.fetchone()[0] == 0)

        await until(settled, "Synapse's background updates")

    async def fill(self, messages: int = 8) -> Filled:
        """A room with all that the issue names, so old that Synapse's followers are in the middle of it, or past it.

        One that stands before its beginning is taken for one that is switched off (`colloque.rooms.leftovers`).
        """
        filled = await asyncio.to_thread(self._fill, messages)
        await self._passed(filled.room, "MIN")
        return filled

    async def counted(self, filled: Filled) -> None:
        """Synapse's followers (statistics, the user directory) are past it: they write nothing more of it down."""
        await self._passed(filled.room, "MAX")

    async def _passed(self, room: RoomId, edge: str) -> None:
        async def passed() -> bool:
            with closing(self.connect()) as db:
                cursor = db.cursor()
                cursor.execute(_PASSED.format(room=room, edge=edge))
                return bool(cursor.fetchone()[0])

        await until(passed, f"Synapse's followers at the {edge} of the room's changes")

    def _fill(self, messages: int) -> Filled:
        name = f"patient{secrets.token_hex(4)}"
        spec = {"preset": "private_chat", "room_alias_name": name, "invite": [self.user("bob")], "topic": "sujet"}
        room = RoomId(self.call("POST", "/_matrix/client/v3/createRoom", spec)["room_id"])
        filled, at = Filled(room, f"#{name}:{self.server.server_name}"), f"/_matrix/client/v3/rooms/{quote(room)}"
        self.call("POST", f"/_matrix/client/v3/join/{quote(room)}", {}, self.bob)

        def send(content: dict[str, Any], kind: str = "m.room.message", token: str | None = None) -> str:
            path = f"{at}/send/{kind}/{secrets.token_hex(6)}"
            event: str = self.call("PUT", path, content, token)["event_id"]
            filled.events.append(event)
            return event

        for number in range(messages):
            mxc = self.upload()
            filled.files.append(mxc)
            # As encrypted rooms have it: the server can't see which file an event names.
            send({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": f"x{number}"}, "m.room.encrypted")
        first = send({"msgtype": "m.text", "body": "un"})
        last = send(
            {"msgtype": "m.text", "body": "fil", "m.relates_to": {"rel_type": "m.thread", "event_id": first}},
            token=self.bob,
        )
        send({"m.relates_to": {"rel_type": "m.annotation", "event_id": first, "key": "👍"}}, "m.reaction")
        me = f"/_matrix/client/v3/user/{quote(self.user('anne'))}"
        self.call("PUT", f"{me}/rooms/{quote(room)}/tags/u.{name}", {"order": 0.5})
        self.call("PUT", f"{me}/rooms/{quote(room)}/account_data/fr.note", {"note": room})
        self.rooms.append(room)
        self.call("PUT", f"{me}/account_data/m.direct", {self.user("bob"): self.rooms})
        self.call("PUT", f"/_matrix/client/v3/pushrules/global/room/{quote(room)}", {"actions": ["notify"]})
        self.call("POST", f"{at}/report/{quote(first)}", {"reason": f"voir {name}"}, self.bob)
        self.call("POST", f"{at}/report", {"reason": f"tout {name}"}, self.bob)
        self.call("POST", f"{at}/receipt/m.read/{quote(last)}", {}, self.bob)
        asked = {"action": "request", "requesting_device_id": "X", "request_id": name, "body": {"room_id": room}}
        path = f"/_matrix/client/v3/sendToDevice/m.room_key_request/{name}"
        self.call("PUT", path, {"messages": {self.user("bob"): {"*": asked}}})
        window = {"ranges": [[0, 200]], "timeline_limit": 2, "required_state": [["*", "*"]]}
        first_sync = self.call("POST", SYNC, {"conn_id": "c", "lists": {"a": window}})
        body = {"conn_id": "c", "lists": {"a": window}}
        self.call("POST", f"{SYNC}&pos={quote(first_sync['pos'])}", body)
        state = self.call("GET", f"{at}/state")
        filled.events += [event["event_id"] for event in state]
        return filled

    async def follow(self, filled: Filled) -> None:
        """@salles follows the room, heard its events, and its time has come."""
        now = SystemClock().now()
        room = PatientRoom(
            room=filled.room,
            opener=self.user("anne"),
            members=(self.user("anne"), self.user("bob")),
            opened_at=now,
            last_activity=now,
        )
        await self.patients.add(room, f"Pin {secrets.token_hex(3)}")
        for event, mxc in zip(filled.events, filled.files, strict=False):
            await self.patients.heard(filled.room, EventId(event), readable=True, files=(mxc,))
        kept = await self.patients.get(filled.room)
        assert kept is not None
        await self.eraser.start(kept)

    async def row(self, room: RoomId) -> ErasureRow | None:
        return next((row for row in await self.jobs.under_way() if row.room == room), None)

    async def erased(self, *rooms: Filled, by: Eraser | None = None, within: float = 90.0) -> list[dict[str, Any]]:
        """Go on until these rooms' jobs are over; every receipt so far, the newest last."""
        async with asyncio.timeout(within):
            while {row.room for row in await self.jobs.under_way()} & {filled.room for filled in rooms}:
                await (by or self.eraser).go_on()
                await asyncio.sleep(0.1)
        return self.receipts()

    def receipts(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.layout.receipts.glob("receipt-*.json"))]

    # the test's own eyes

    def scan(self, needles: Iterable[str]) -> dict[str, int]:
        """Rows of every table whose text holds one of these, by table; files whose path does, as `media`."""
        wanted = list(needles)
        found: dict[str, int] = {}
        with closing(self.connect()) as db:
            cursor = db.cursor()
            for table in self._tables(cursor):
                cursor.execute(f'SELECT * FROM "{table}"')
                for row in cursor.fetchall():
                    text = " ".join(_plain(value) for value in row)
                    if any(needle in text for needle in wanted):
                        found[table] = found.get(table, 0) + 1
        for path in (self.server.folder / "media").rglob("*"):
            if any(needle.lstrip("!$#") in "".join(path.parts[-3:]) for needle in wanted):
                found["media"] = found.get("media", 0) + 1
        return found

    def lasting(self, needles: Iterable[str]) -> dict[str, int]:
        """The scan, without the tables that Synapse rewrites by itself."""
        return {table: count for table, count in self.scan(needles).items() if table not in MOVING}

    def events_of(self, table: str, events: Iterable[str]) -> list[str]:
        """Which of these events are rows of that table."""
        with closing(self.connect()) as db:
            cursor = db.cursor()
            cursor.execute(f"SELECT event_id FROM {table}")
            return sorted({event for (event,) in cursor.fetchall()} & set(events))

    def _tables(self, cursor: Any) -> list[str]:
        if self.database.startswith("postgres"):
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return [name for (name,) in cursor.fetchall()]

    def connect(self) -> Any:
        """Synapse's database, as its owner."""
        if self.database.startswith("postgres"):
            return psycopg2.connect(self.database)
        return sqlite3.connect(self.database.removeprefix("sqlite:"), timeout=10)

    def plant(self, *statements: str) -> None:
        """Change Synapse's database by hand."""
        with closing(self.connect()) as db:
            for statement in statements:
                db.cursor().execute(statement)
            db.commit()


def _plain(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
