"""A Matrix account on matrix-nio's Olm machine: implements `matrix.home.Home`, and listens.

nio's cryptography and store are used, its HTTP client is not: every call goes through `MatrixApi`, so that errors
are ours, appservice calls carry `user_id` and `device_id`, and nothing is sent before the keys are right.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from nio.crypto import decrypt_attachment, encrypt_attachment

from colloque.errors import BadInput, HomeRefused, Tampered
from colloque.identity import EventId, MxcUri, RoomId, UserId, localpart
from colloque.matrix.api import CLIENT, JsonDict, path
from colloque.matrix.crosssign import Identity
from colloque.matrix.devicemark import DeviceMark
from colloque.matrix.home import Handler, Past, RoomSpec
from colloque.matrix.nio_device import Account, Device, open_bot_device, open_person_device
from colloque.matrix.nio_history import Stood, everything, history
from colloque.matrix.nio_sync import DevicesChanged, Position, SyncLoop
from colloque.matrix.room_calls import RoomCalls
from colloque.matrix.roster import Roster
from colloque.patience import patiently
from colloque.rooms.mark import RoomMark
from colloque.rooms.media import files_in

SEND_S = 60.0
"""How long a send is tried before HomeUnavailable is raised."""
_PLAIN = frozenset({"m.reaction"})
"""Event types that Matrix never encrypts."""


class NioHome:
    """One account, one device. Made by `open` (a bot) or `open_person` (the demo's and the tests' people)."""

    def __init__(self, device: Device, bots: frozenset[UserId]) -> None:
        self.user = device.user
        self.device_id: str = device.store.device_id
        self.fingerprint = device.machine.fingerprint
        """The device's Ed25519 key."""
        self.api = device.api
        self._store = device.store
        self._keys = device.keys
        self._machine = device.machine
        self._rooms = RoomCalls(device.api, device.user, bots)
        self._roster = Roster(self._rooms)
        self._loop = SyncLoop(device, self._roster)

    @classmethod
    async def open(
        cls,
        *,
        session: aiohttp.ClientSession,
        base_url: str,
        user: UserId,
        token: str,
        state_dir: Path,
        mark_dir: Path,
        identity_secret: bytes,
        pickle_key: str,
        bots: frozenset[UserId],
    ) -> NioHome:
        """An appservice's bot: account, device, identity and signature are made where they are missing.

        `bots` are the accounts whose invitations are accepted and whose room marks are believed; `mark_dir` is
        outside every backup. Raises Inconsistent, HomeUnavailable, HomeRefused.
        """
        mark = DeviceMark(mark_dir / f"{localpart(user)}.json")
        account = Account(session, base_url, user, token, state_dir, pickle_key)
        return cls(await open_bot_device(account, mark, Identity.derive(identity_secret, user)), bots)

    @classmethod
    async def open_person(
        cls,
        *,
        session: aiohttp.ClientSession,
        base_url: str,
        user: UserId,
        token: str,
        device_id: str,
        state_dir: Path,
        identity: Identity | None,
        pickle_key: str,
        bots: frozenset[UserId],
    ) -> NioHome:
        """Somebody who logged in: `token` and `device_id` are what the login answered.

        Without `identity` the device stays unsigned. Raises as `open`.
        """
        account = Account(session, base_url, user, token, state_dir, pickle_key)
        return cls(await open_person_device(account, device_id, identity), bots)

    def close(self) -> None:
        """Close the crypto store. Call when `run` has ended."""
        self._store.close()

    @property
    def problem(self) -> str:
        """Empty while syncing works, else a stable code; a health check."""
        return self._loop.problem

    @property
    def on_devices_changed(self) -> DevicesChanged | None:
        """Who else must know when somebody's devices change: an account that sends but does not sync."""
        return self._loop.on_devices_changed

    @on_devices_changed.setter
    def on_devices_changed(self, told: DevicesChanged) -> None:
        self._loop.on_devices_changed = told

    async def run(self, handler: Handler, stop: asyncio.Event, *, position: Position, receipts: bool = False) -> None:
        """Hand every event to `handler`, room by room in order, until `stop` is set; with `receipts`, Read too.

        Rooms are handled at the same time. The position is saved when a whole batch is handled: after a kill its
        events come again. Raises what `handler` raises (in an ExceptionGroup), HomeRefused, HomeUnavailable; it may
        be called again.
        """
        await self._loop.run(handler, stop, position, receipts=receipts)

    def has_heard(self, room: RoomId, until: float) -> bool:
        """Whether all that the homeserver had of the room at that moment (monotonic seconds) was handled.

        Messages that still wait for their key were not. What is asked for here is read without delay.
        """
        self._loop.want(until)
        return self._loop.caught_up >= until and not any(each.room == room for each in self._store.waiting())

    async def send(self, room: RoomId, content: JsonDict, *, txn: str, type_: str = "m.room.message") -> EventId:
        """Send, encrypted for the devices that their owners signed (reactions apart: never encrypted).

        Raises HomeUnavailable after a minute of tries, HomeRefused.
        """
        if type_ in _PLAIN:
            return await self._put(room, type_, content, txn)

        async def seal() -> JsonDict:
            return await self._keys.seal(room, type_, content, await self._roster.readers(room))

        return await self._put(room, "m.room.encrypted", await patiently(seal, for_s=SEND_S), txn)

    async def send_to_all_devices(self, room: RoomId, content: JsonDict, *, txn: str) -> EventId:
        """Send one harmless text that devices not signed by their owner can read too (its own session)."""

        async def seal() -> JsonDict:
            return await self._keys.seal_for_all(room, "m.room.message", content, await self._roster.readers(room))

        return await self._put(room, "m.room.encrypted", await patiently(seal, for_s=SEND_S), txn)

    async def create_room(self, spec: RoomSpec) -> RoomId:
        """Create, or find again by `spec.mark.key` a room created just before a crash."""
        return await self._rooms.create_room(spec)

    async def own_room(self, key: str) -> RoomId | None:
        """The joined room that we created with that mark's key."""
        return await self._rooms.own_room(key)

    async def invite(self, room: RoomId, user: UserId) -> None:
        """Invite; no error when already invited or joined."""
        await self._rooms.invite(room, user)
        self._roster.forget(room)

    async def join(self, room: RoomId) -> None:
        """Accept an invitation."""
        await self._rooms.join(room)

    async def leave(self, room: RoomId) -> None:
        """Leave for good, and let go of the room's keys; no error when no longer in it."""
        await self._rooms.leave(room)
        await self.forget_room_keys(room)

    async def set_state(self, room: RoomId, type_: str, content: JsonDict, state_key: str = "") -> EventId:
        """Set a state event."""
        event = await self._rooms.set_state(room, type_, content, state_key)
        self._roster.forget(room)
        return event

    async def state(self, room: RoomId, type_: str, state_key: str = "") -> JsonDict | None:
        """One state event's content; None when absent."""
        return await self._rooms.state(room, type_, state_key)

    async def members(self, room: RoomId) -> dict[UserId, str]:
        """Membership by user, as the server says now."""
        return await self._rooms.members(room)

    async def before(self, room: RoomId, event: EventId, count: int) -> list[EventId]:
        """The event and at most `count` before it, newest first. Raises HomeRefused when it is not in the room."""
        return await self._rooms.before(room, event, count)

    async def reaches(self, user: UserId) -> bool:
        """Whether they have a device that can read what we write in encrypted rooms: one that they have signed."""
        return await self._keys.has_signed_device(user)

    async def retire(self, room: RoomId, successor: RoomId) -> None:
        """Another room takes this one's place: nobody writes here any more. Safe to repeat."""
        await self._rooms.retire(room, successor)

    async def mark_of(self, room: RoomId) -> RoomMark | None:
        """What the room is, when one of our bots said so; None for any other room."""
        return await self._rooms.mark_of(room)

    def history(self, room: RoomId) -> AsyncIterator[Past]:
        """What was said there by others, oldest first. Raises HomeUnavailable, HomeRefused."""
        return history(self.api, self._machine, self._keys, room, self.user)

    def everything(self, room: RoomId) -> AsyncIterator[Stood]:
        """What was said there by anybody, oldest first. Raises HomeUnavailable, HomeRefused."""
        return everything(self.api, self._machine, room, self.user)

    async def redact(self, room: RoomId, event: EventId, *, txn: str) -> None:
        """Withdraw an event, for everybody. Safe to repeat. Raises HomeUnavailable, HomeRefused."""
        where = path(CLIENT, "rooms", room, "redact", event, txn)
        await patiently(lambda: self.api.call("PUT", where, {}), for_s=SEND_S)

    async def download(self, content: JsonDict) -> bytes:
        """The bytes of an encrypted attachment, from its message's content.

        Raises BadInput (not an encrypted attachment), Tampered (not what its sender encrypted), HomeRefused (404: it
        is gone), HomeUnavailable.
        """
        try:
            file = content["file"]
            url, *opening = file["url"], file["key"]["k"], file["hashes"]["sha256"], file["iv"]
        except (KeyError, TypeError):
            raise BadInput("not an encrypted attachment") from None
        if files_in(url) != (url,) or not all(isinstance(each, str) for each in opening):
            raise BadInput("not an encrypted attachment")
        ciphertext = await patiently(lambda: self.api.download(MxcUri(url)), for_s=SEND_S)
        try:
            return bytes(decrypt_attachment(ciphertext, *opening))
        except Exception:  # noqa: BLE001  its sender chose every one of them
            raise Tampered("the attachment is not what its sender encrypted") from None

    async def reserve_file(self) -> MxcUri:
        """An address to upload to within 24 h: noted first, no crash leaves a file that nobody knows of."""
        return await patiently(self.api.reserve_media, for_s=SEND_S)

    async def upload_encrypted(self, data: bytes, name: str, mime: str, *, to: MxcUri | None = None) -> JsonDict:
        """Encrypt and store a file (at a reserved address, or a new one); the content of the message that shares it."""
        ciphertext, keys = encrypt_attachment(data)
        try:
            url = await patiently(lambda: self.api.upload(ciphertext, to), for_s=SEND_S)
        except HomeRefused as error:
            if to is None or error.errcode != "M_CANNOT_OVERWRITE_MEDIA":
                raise
            url = to  # stored by the try before, whose answer was lost
        return {
            "msgtype": "m.file",
            "body": name,
            "filename": name,
            "info": {"mimetype": mime, "size": len(data)},
            "file": {**keys, "url": url},
        }

    async def forget_room_keys(self, room: RoomId) -> None:
        """Delete every key of the room, and its messages that waited for one."""
        self._roster.forget(room)
        self._keys.forget_room(room)

    async def _put(self, room: RoomId, type_: str, content: JsonDict, txn: str) -> EventId:
        where = path(CLIENT, "rooms", room, "send", type_, txn)
        answer = await patiently(lambda: self.api.call("PUT", where, content), for_s=SEND_S)
        return EventId(str(answer["event_id"]))
