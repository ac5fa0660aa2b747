"""What the homeserver lists of a room and @salles never heard: it may have named files, and no ledger knows them.

A message that its author withdrew while @salles was off comes without content; of a batch that was too long the oldest
are left out. Each of these is noted as unread before an erasure counts what there was, so that the receipt says so.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp

from colloque.identity import EventId, RoomId, UserId, server_of
from colloque.matrix.api import JsonDict, MatrixApi, path
from colloque.matrix.pages import pages
from colloque_salles.store.jobs import Jobs

_ROOMS = "/_synapse/admin/v1/rooms"
_PAGE = 500
_NAMELESS = ("m.reaction", "m.room.redaction")
"""They name no file, whatever became of their content."""


class Listing:
    """What was said in a room, as Synapse's admin API lists it. The token is that of the service's admin account."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, token: str) -> None:
        self._api = MatrixApi(session, base_url, token)

    async def said(self, room: RoomId, me: UserId) -> AsyncIterator[list[tuple[EventId, UserId]]]:
        """Page by page, each event that may name a file, and whose it is; none of ours, no state. Nothing for a room
        that the server does not know.

        Raises HomeUnavailable, HomeRefused.
        """
        wanted = json.dumps({"not_types": list(_NAMELESS), "not_senders": [me]})

        async def ask(token: str | None) -> JsonDict:
            # Forwards: backwards, Synapse asks other servers for what it lacks.
            query = {"dir": "f", "limit": str(_PAGE), "filter": wanted} | ({} if token is None else {"from": token})
            return await self._api.call("GET", path(_ROOMS, room, "messages"), query=query)

        async for page in pages(ask):
            events = (raw for raw in page["chunk"] if "state_key" not in raw)
            yield [(EventId(str(raw["event_id"])), UserId(str(raw["sender"]))) for raw in events]


class Unheard:
    """One instance a service."""

    def __init__(self, *, listing: Listing, jobs: Jobs, me: UserId) -> None:
        self._listing = listing
        self._jobs = jobs
        self._me = me

    async def note(self, room: RoomId, *, ours_only: bool = False) -> None:
        """Before what there was is counted; interrupted, it is done again. Raises HomeUnavailable, HomeRefused.

        `ours_only`: people of this server alone: of a copy, it is their files that are ours to delete, and Synapse may
        have fetched what was said before they came.
        """
        ours = server_of(self._me)
        async for page in self._listing.said(room, self._me):
            await self._jobs.missed(
                room, [event for event, sender in page if not ours_only or server_of(sender) == ours]
            )
