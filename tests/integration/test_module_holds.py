"""A room that its team holds, in a real Synapse: nobody deletes it, nobody redacts anything there, until it is over."""

from __future__ import annotations

import asyncio
import re
import urllib.parse
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from colloque.clock import to_millis
from colloque.rooms.mark import HOLD, RoomKind
from tests.servers.house import Account, House, joined, reported, running_house
from tests.waiting import until


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    async with running_house() as made:
        yield made


@pytest.fixture(scope="module")
async def admin(house: House) -> Account:
    return await house.account(admin=True)


def moment(**ahead: float) -> dict[str, int]:
    return {"until": to_millis(datetime.now(UTC) + timedelta(**ahead))}


async def delete(admin: Account, room: str) -> str:
    """Ask Synapse to delete a room, as an administrator does: what became of it, or the status it was refused with."""

    def ask(method: str, path: str, body: Any = None) -> Any:
        return admin.house.server.call(method, f"/_synapse/admin/v2/rooms/{path}", body, token=admin.token)

    try:
        begun = await asyncio.to_thread(ask, "DELETE", urllib.parse.quote(room), {"purge": True, "block": False})
    except RuntimeError as error:
        found = re.search(r": (\d{3}) ", str(error))
        return found[1] if found else str(error)

    async def ended() -> str:
        said = await asyncio.to_thread(ask, "GET", f"delete_status/{begun['delete_id']}")
        return str(said["status"]) if said["status"] in {"complete", "failed"} else ""

    return await until(ended, "the deletion's end")


async def redact(who: Account, room: str, event: str) -> int:
    place = "/".join(map(urllib.parse.quote, (room, "redact", event, event[1:9])))
    return (await who.call("PUT", f"/rooms/{place}", {})).status


async def said_in(who: Account, room: str, text: str) -> str:
    body = {"msgtype": "m.text", "body": text}
    said = await who.call("PUT", f"/rooms/{urllib.parse.quote(room)}/send/m.room.message/{text}", body)
    return str(said.body["event_id"])


async def test_while_it_is_held_and_after(house: House, admin: Account) -> None:
    salles, one = await house.bot("salles"), await house.account()
    house.attest(one)
    room = await salles.marked_room(RoomKind.PATIENT, owner=one.user, invite=(one,))
    await joined(room, salles, one)
    event = await said_in(one, room, "un")
    assert (await salles.state(room, HOLD, moment(hours=1))).status == 200
    assert await redact(one, room, event) == 403
    await reported(house, "redact", one, None, "held")
    assert await delete(admin, room) in {"403", "failed"}
    assert await one.membership(room, one) == "join"
    assert (await salles.state(room, HOLD, moment(seconds=-1))).status == 200
    assert await redact(one, room, event) == 200
    assert await delete(admin, room) == "complete"


async def test_only_our_bots_hold(house: House, admin: Account) -> None:
    """In a room of their own people have all powers; what they say of holds is not believed."""
    one = await house.account()
    house.attest(one)
    room = str((await one.create()).body["room_id"])
    event = await said_in(one, room, "deux")
    assert (await one.state(room, HOLD, moment(hours=1))).status == 200
    assert await redact(one, room, event) == 200
    assert await delete(admin, room) == "complete"
    salles = await house.bot("salles")
    room = await salles.marked_room(RoomKind.PATIENT, owner=one.user, invite=(one,))
    await joined(room, salles, one)
    assert (await one.state(room, HOLD, moment(hours=1))).status == 403


@pytest.mark.parametrize("content", [{}, {"until": "demain"}, {"until": None}, {"until": True}])
async def test_a_malformed_hold_is_none(house: House, admin: Account, content: dict[str, Any]) -> None:
    salles, one = await house.bot("salles"), await house.account()
    house.attest(one)
    room = await salles.marked_room(RoomKind.PATIENT, owner=one.user, invite=(one,))
    assert (await salles.state(room, HOLD, content)).status == 200
    assert await delete(admin, room) == "complete"
