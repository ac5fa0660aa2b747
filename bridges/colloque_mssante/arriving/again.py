"""What a ghost sent long ago, found in the room: its own device is told the transaction id of each of its events.

That holds for as long as the event does (Synapse keeps the id with it), unless the ghost got a new device since.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from colloque.clock import to_millis
from colloque.identity import EventId, RoomId
from colloque.matrix.api import CLIENT, JsonDict, path
from colloque.matrix.pages import pages
from colloque_mssante.people.crypto import Account
from colloque_mssante.store.sending import Begun

_PAGE = 100
_CLOCKS = timedelta(hours=1)
"""How far the homeserver's clock may be from ours."""


async def standing(begun: Begun, ranks: Mapping[str, int], ghost: Account, room: RoomId) -> dict[int, EventId]:
    """The events of a mail, by rank, that stand in the room already; `ranks` by transaction id. Raises as below.

    Where the server may have forgotten these ids by now, the room is read: to repeat would show the mail twice.
    """
    lost = {txn: rank for txn, rank in ranks.items() if rank not in begun.events}
    if begun.repeatable or not lost:
        return begun.events
    found = await sent_before(ghost, room, lost, begun.since)
    return begun.events | {lost[txn]: event for txn, event in found.items()}


async def sent_before(ghost: Account, room: RoomId, txns: Collection[str], since: datetime) -> dict[str, EventId]:
    """The events that it sent there under these transaction ids since then. Raises HomeUnavailable, HomeRefused."""
    only = json.dumps({"senders": [ghost.user], "types": ["m.room.encrypted"]})
    found: dict[str, EventId] = {}

    async def ask(token: str | None) -> JsonDict:
        query = {"dir": "b", "limit": str(_PAGE), "filter": only} | ({} if token is None else {"from": token})
        return await ghost.api.call("GET", path(CLIENT, "rooms", room, "messages"), query=query)

    oldest = to_millis(since - _CLOCKS) if to_millis(since) else 0
    async for page in pages(ask):
        for event in page["chunk"]:
            txn = event.get("unsigned", {}).get("transaction_id")
            if txn in txns and event["sender"] == ghost.user:
                found[txn] = EventId(event["event_id"])
        if len(found) == len(txns) or any(event["origin_server_ts"] < oldest for event in page["chunk"]):
            break
    return found
