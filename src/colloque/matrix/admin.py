"""The few calls of Synapse's admin API that our services may make. Nothing else can be called.

The token is that of an admin account of the service's own, which joins no room.
Source: Synapse 1.163, "Admin API".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import aiohttp

from colloque.clock import from_millis
from colloque.errors import HomeRefused
from colloque.identity import EventId, MxcUri, RoomId, UserId, parse_user_id
from colloque.matrix.api import JsonDict, MatrixApi, path
from colloque.matrix.sync_events import is_redacted

_V1 = "/_synapse/admin/v1"
_V2 = "/_synapse/admin/v2"
_PAGE = 100


class Deletion(StrEnum):
    """How far the deletion of a room has come (Synapse's own words)."""

    SCHEDULED = "scheduled"
    ACTIVE = "active"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Account:
    """One local account as the admin API lists it."""

    user: UserId
    display_name: str
    admin: bool
    last_seen: datetime | None = None
    """When one of its sessions was last used; None when it has none (any more)."""
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One session of an account. `name` is what its client calls itself."""

    device: str
    name: str
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """How much of an event the server holds."""

    sender: UserId
    given: bool
    """Its readers are given content."""
    held: bool
    """The database holds content. Of a withdrawn event, Synapse drops it after `redaction_retention_period`."""


class SynapseAdmin:
    """Every method raises HomeUnavailable or HomeRefused."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, token: str) -> None:
        self._api = MatrixApi(session, base_url, token)

    async def users(self) -> AsyncIterator[Account]:
        """Every local account but guests and deactivated ones; appservices' own are among them."""
        query = {"limit": str(_PAGE), "guests": "false", "order_by": "name"}
        while True:
            page = await self._api.call("GET", path(_V2, "users"), query=query)
            for raw in page["users"]:
                yield Account(
                    user=parse_user_id(raw["name"]),
                    display_name=raw.get("displayname") or "",
                    admin=bool(raw.get("admin")),
                    last_seen=_moment(raw.get("last_seen_ts")),
                    created=_moment(raw.get("creation_ts")),
                )
            if "next_token" not in page:
                return
            query["from"] = str(page["next_token"])

    async def display_name(self, user: UserId) -> str:
        """An account's display name; empty when it has none."""
        return (await self._api.call("GET", path(_V2, "users", user))).get("displayname") or ""

    async def set_display_name(self, user: UserId, name: str) -> None:
        """Replace an account's display name. Users can't do it themselves (`enable_set_displayname: false`).

        The account must exist: the same call would create it, so that is checked first.
        """
        await self.display_name(user)
        await self._api.call("PUT", path(_V2, "users", user), {"displayname": name})

    async def exists(self, user: UserId) -> bool:
        """Whether the server has that account, deactivated ones included."""
        try:
            await self._api.call("GET", path(_V2, "users", user))
        except HomeRefused as error:
            if error.status == 404:
                return False
            raise
        return True

    async def create(self, user: UserId, name: str) -> None:
        """Make an account without a password; one that is there keeps everything but its display name."""
        await self._api.call("PUT", path(_V2, "users", user), {"displayname": name})

    async def sessions(self, user: UserId) -> tuple[Session, ...]:
        """The account's sessions, by device id."""
        answer = await self._api.call("GET", path(_V2, "users", user, "devices"))
        found = [
            Session(
                str(raw["device_id"]),
                str(raw.get("display_name") or ""),
                _moment(raw.get("last_seen_ts")),
            )
            for raw in answer["devices"]
        ]
        return tuple(sorted(found, key=lambda session: session.device))

    async def lock(self, user: UserId, *, locked: bool) -> None:
        """Suspend an account and refuse its logins, or undo both. Raises HomeRefused (404) when there is none.

        Suspended: it can send, invite and join nothing. Locked: nobody logs in, and what still has a token is told so.
        """
        await self._api.call("PUT", path(_V1, "suspend", user), {"suspend": locked})
        await self._api.call("PUT", path(_V2, "users", user), {"locked": locked})

    async def close_sessions(self, user: UserId, devices: Sequence[str]) -> None:
        """End sessions: their access tokens no longer count, their keys are gone. Unknown ones are no error."""
        await self._api.call("POST", path(_V2, "users", user, "delete_devices"), {"devices": list(devices)})

    async def rooms_of(self, user: UserId) -> dict[RoomId, str]:
        """Membership by room of an account, also one of another server: in the rooms that this server knows."""
        answer = await self._api.call("GET", path(_V1, "users", user, "memberships"))
        return {RoomId(str(room)): str(state) for room, state in answer["memberships"].items()}

    async def room(self, room: RoomId) -> JsonDict | None:
        """Details of a room; None when the server does not know it (any more)."""
        try:
            return await self._api.call("GET", path(_V1, "rooms", room))
        except HomeRefused as error:
            if error.status == 404:
                return None
            raise

    async def memberships(self, room: RoomId) -> dict[UserId, str]:
        """Membership by user, of a room that our bots may have left; empty when the server does not know the room."""
        members = (e for e in await self.state(room) if e["type"] == "m.room.member")
        return {UserId(str(e["state_key"])): str(e["content"].get("membership", "")) for e in members}

    async def state(self, room: RoomId) -> list[JsonDict]:
        """The state events of this server's copy of a room; none when it does not know the room."""
        try:
            answer = await self._api.call("GET", path(_V1, "rooms", room, "state"))
        except HomeRefused as error:
            if error.status == 404:
                return []
            raise
        return list(answer["state"])

    async def delete_room(self, room: RoomId) -> str:
        """Begin to remove everybody from a room and purge it. Answers the `delete_id` to follow."""
        answer = await self._api.call("DELETE", path(_V2, "rooms", room), {"purge": True, "block": False})
        return str(answer["delete_id"])

    async def reports(self, room: RoomId, events: Collection[str] | None = None) -> list[int]:
        """Reports of the room's events (or of these alone), by number: each holds a person's words and a copy of the
        event.

        Synapse lists them as long as it has the room.
        """
        found: list[int] = []
        query = {"room_id": room, "limit": str(_PAGE), "dir": "f"}
        while True:
            page = await self._api.call("GET", path(_V1, "event_reports"), query=query)
            # Synapse looks for rooms whose id holds this one.
            theirs = (raw for raw in page["event_reports"] if raw["room_id"] == room)
            found += [int(raw["id"]) for raw in theirs if events is None or raw["event_id"] in events]
            if "next_token" not in page:
                return found
            query["from"] = str(page["next_token"])

    async def delete_report(self, number: int) -> None:
        """Delete one; no error when it is already gone."""
        try:
            await self._api.call("DELETE", path(_V1, "event_reports", str(number)))
        except HomeRefused as error:
            if error.status != 404:
                raise

    async def deletion(self, delete_id: str) -> Deletion | None:
        """How far a deletion has come; None when the server has forgotten it (it keeps them 7 days)."""
        try:
            answer = await self._api.call("GET", path(_V2, "rooms", "delete_status", delete_id))
        except HomeRefused as error:
            if error.status == 404:
                return None
            raise
        return Deletion(answer["status"])

    async def deletions(self, room: RoomId) -> dict[str, Deletion]:
        """Deletions of a room by `delete_id`; empty when none was asked for."""
        try:
            answer = await self._api.call("GET", path(_V2, "rooms", room, "delete_status"))
        except HomeRefused as error:
            if error.status == 404:
                return {}
            raise
        return {str(d["delete_id"]): Deletion(d["status"]) for d in answer["results"]}

    async def stored_event(self, event: EventId) -> StoredEvent | None:
        """What readers are given of an event, and what the database holds of it; None when the server does not know it.

        That is asked twice: of a withdrawn event, the database may hold the content for some days more.
        """
        try:
            raw = (await self._api.call("GET", path(_V1, "fetch_event", event)))["event"]
            where = path(_V1, "rooms", raw["room_id"], "context", event)
            given = (await self._api.call("GET", where, query={"limit": "0"}))["event"]
        except HomeRefused as error:
            if error.status == 404:
                return None
            raise
        return StoredEvent(
            UserId(str(raw["sender"])),
            given=bool(given.get("content")) and not is_redacted(given),
            held=bool(raw.get("content")),
        )

    async def delete_media(self, mxc: MxcUri) -> None:
        """Delete one local media file; no error when it is already gone."""
        try:
            await self._api.call("DELETE", path(_V1, "media", *_media(mxc)))
        except HomeRefused as error:
            if error.status != 404:
                raise

    async def media_uploader(self, mxc: MxcUri) -> UserId | None:
        """Who uploaded a local media file ("" when nobody did, as for server notices); None when it is gone."""
        try:
            answer = await self._api.call("GET", path(_V1, "media", *_media(mxc)))
        except HomeRefused as error:
            if error.status == 404:
                return None
            raise
        return UserId(str(answer["media_info"].get("user_id") or ""))


def _moment(millis: int | None) -> datetime | None:
    return from_millis(millis) if millis else None


def _media(mxc: MxcUri) -> tuple[str, str]:
    server, slash, media = mxc.removeprefix("mxc://").partition("/")
    if not mxc.startswith("mxc://") or not slash or not media or "/" in media:
        raise HomeRefused(400, "M_INVALID_PARAM", "not a media address")
    return server, media
