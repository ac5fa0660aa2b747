"""Calls of Synapse's admin API about rooms that no bot of ours is in: which there are, what is in them, its purge.

Source: Synapse 1.163, "Admin API", `rest/admin/rooms.py`, `storage/databases/main/purge_events.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import aiohttp

from colloque.clock import from_millis
from colloque.errors import HomeRefused
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.api import JsonDict, MatrixApi, path
from colloque.matrix.pages import pages
from colloque.matrix.sync_events import sent_at
from colloque.rooms.direct import Said

_V1 = "/_synapse/admin/v1"
_V2 = "/_synapse/admin/v2"
_PAGE = 500


class PurgeState(StrEnum):
    """How far the purge of a room's history has come (Synapse's own words)."""

    SCHEDULED = "scheduled"
    ACTIVE = "active"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Listed:
    """One room as the server lists them. `creator` is empty when it does not know who made it."""

    room: RoomId
    creator: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody of this server uploaded."""

    mxc: MxcUri
    used_at: datetime
    """When it was uploaded, or last asked for."""


class SynapseHistory:
    """Every method raises HomeUnavailable or HomeRefused. The token is that of the service's admin account."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, token: str, server_name: str) -> None:
        self._api = MatrixApi(session, base_url, token)
        self._server = server_name

    async def rooms(self) -> AsyncIterator[Listed]:
        """Every room that the server knows, also those that all have left."""
        query = {"limit": str(_PAGE)}
        while True:
            page = await self._api.call("GET", path(_V1, "rooms"), query=query)
            for raw in page["rooms"]:
                yield Listed(RoomId(str(raw["room_id"])), str(raw.get("creator") or ""))
            if "next_batch" not in page:
                return
            query["from"] = str(page["next_batch"])

    async def state(self, room: RoomId) -> list[JsonDict]:
        """All state events; empty when the server does not know the room (any more)."""
        try:
            answer = await self._api.call("GET", path(_V1, "rooms", room, "state"))
        except HomeRefused as error:
            if error.status == 404:
                return []
            raise
        return list(answer["state"])

    async def events(self, room: RoomId) -> AsyncIterator[Said]:
        """What stands in a room, in the server's order (by depth), from the beginning; what a purge left of it."""

        async def ask(token: str | None) -> JsonDict:
            # Forwards: backwards, Synapse asks other servers for what it lacks.
            query = {"dir": "f", "limit": str(_PAGE)} | ({} if token is None else {"from": token})
            return await self._api.call("GET", path(_V1, "rooms", room, "messages"), query=query)

        async for page in pages(ask):
            for raw in page["chunk"]:
                yield Said(EventId(str(raw["event_id"])), sent_at(raw.get("origin_server_ts")), "state_key" in raw)

    async def purge(self, room: RoomId, upto: EventId) -> str:
        """Begin to delete what stands before that event, local messages too; state stays. Answers the purge's id."""
        body = {"delete_local_events": True, "purge_up_to_event_id": upto}
        return str((await self._api.call("POST", path(_V1, "purge_history", room), body))["purge_id"])

    async def purged(self, purge_id: str) -> PurgeState | None:
        """How far a purge has come; None when the server has forgotten it."""
        try:
            answer = await self._api.call("GET", path(_V1, "purge_history_status", purge_id))
        except HomeRefused as error:
            if error.status == 404:
                return None
            raise
        return PurgeState(answer["status"])

    async def uploads(self, user: UserId) -> AsyncIterator[Upload]:
        """Every file of this server that its account uploaded, oldest first; none for an account that is not there."""
        query = {"limit": str(_PAGE), "order_by": "created_ts", "dir": "f"}
        while True:
            try:
                page = await self._api.call("GET", path(_V1, "users", user, "media"), query=query)
            except HomeRefused as error:
                if error.status == 404:
                    return
                raise
            for raw in page["media"]:
                used = max(int(raw["created_ts"]), int(raw.get("last_access_ts") or 0))
                yield Upload(MxcUri(f"mxc://{self._server}/{raw['media_id']}"), from_millis(used))
            if "next_token" not in page:
                return
            query["from"] = str(page["next_token"])

    async def picture(self, user: UserId) -> str:
        """The address of an account's picture; empty when it has none."""
        try:
            answer = await self._api.call("GET", path(_V2, "users", user))
        except HomeRefused as error:
            if error.status == 404:
                return ""
            raise
        return str(answer.get("avatar_url") or "")
