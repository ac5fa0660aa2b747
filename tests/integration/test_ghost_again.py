"""What a ghost sent is found again when Synapse has forgotten the transaction ids, which it does after 24 hours."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from colloque.clock import SystemClock
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import RoomSpec, room_request, text
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.store.schema import new_upgrades, open_database
from colloque_demo.homeserver import Appservice
from colloque_mssante.arriving import again
from colloque_mssante.arriving.again import sent_before
from colloque_mssante.people.crypto import Account, Accounts
from colloque_mssante.store.tables import register_upgrades
from tests.conftest import own_homeserver

SECRET = b"s" * 32


async def test_a_ghost_finds_what_it_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "_PAGE", 2)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clq-again-", dir="/tmp")))
        server = own_homeserver(folder / "hs")
        service = Appservice("mss", "mss", secrets.token_hex(16), secrets.token_hex(16), ghosts="mss_")
        server.configure(appservices=(service,))
        await asyncio.to_thread(server.start)
        stack.callback(server.stop)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        upgrades = new_upgrades()
        register_upgrades(upgrades)
        db = await open_database(f"sqlite:{folder}/mssante.db", upgrades, "colloque_mssante")
        stack.push_async_callback(db.stop)
        accounts = Accounts(
            db=db,
            http=http,
            url=server.url,
            token=service.as_token,
            identity_secret=SECRET,
            pickle_secret=SECRET,
            is_ghost=lambda user: user.startswith("@mss_"),
        )
        ghost, other = [await accounts.get(UserId(f"@mss_{n}:{server.server_name}")) for n in (1, 2)]
        spec = RoomSpec("Colloque", RoomMark(RoomKind.MAIL, secrets.token_hex(8)), invite=(other.user,))
        room = RoomId((await ghost.api.call("POST", path(CLIENT, "createRoom"), room_request(spec)))["room_id"])
        await other.join(room)
        began = SystemClock().now()
        sent = {txn: await ghost.send(room, text(txn), txn=txn) for txn in ("a", "b", "c")}
        for txn in ("d", "e", "f"):
            await other.send(room, text("x"), txn=txn)
        assert await ghost.send(room, text("a"), txn="a") == sent["a"], "Synapse still knows"
        await asyncio.to_thread(server.stop)
        with contextlib.closing(sqlite3.connect(folder / "hs" / "homeserver.db")) as kept, kept:
            kept.execute("DELETE FROM event_txn_id_device_id")
        await asyncio.to_thread(server.start)
        assert await _found(ghost, room, began) == {"a": sent["a"], "c": sent["c"]}
        assert await sent_before(ghost, room, {"a"}, began + timedelta(days=2)) == {}, "nobody reads on from there"
        assert await ghost.send(room, text("a"), txn="a") != sent["a"], "why it is looked for"


async def _found(ghost: Account, room: RoomId, began: datetime) -> dict[str, EventId]:
    return await sent_before(ghost, room, {"a", "c", "d"}, began)
