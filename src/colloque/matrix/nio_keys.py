"""Key traffic of a nio account: whose devices may read, and how they get the keys.

The rule, the same on both stacks: a room's keys go only to devices signed by their owner. It is decided here, from
the signatures in `POST /keys/query` (`crosssign.device_signed_by_owner`), never by nio's own notion of trust.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from nio.crypto import OlmDevice, OutboundGroupSession

from colloque.clock import monotonic
from colloque.identity import RoomId, UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.matrix.crosssign import device_signed_by_owner
from colloque.matrix.nio_machine import MEGOLM, Decrypted, Machine
from colloque.matrix.nio_store import CryptoStore

_BATCH = 100
"""Devices a to-device request is addressed to, at most."""
_UNREACHED_PAUSE_S = 60.0
"""A device without one-time keys is tried again after that long."""

Place = tuple[str, str]
"""A device: its user and its id."""


@dataclass
class _RoomSession:
    """The session with which we write in a room, and who has been told."""

    megolm: OutboundGroupSession
    told: set[Place] = field(default_factory=set)
    withheld: set[Place] = field(default_factory=set)
    try_again: dict[Place, float] = field(default_factory=dict)
    """Devices that had no one-time key left, and when (monotonic seconds) to ask again."""


class Keys:
    """Everything about keys that needs the network. Raises HomeUnavailable, HomeRefused."""

    def __init__(self, api: MatrixApi, machine: Machine, store: CryptoStore) -> None:
        self._api = api
        self._machine = machine
        self._store = store
        self._fresh: set[UserId] = set()
        self._signed: dict[Place, tuple[str, str]] = {}
        self._rooms: dict[RoomId, _RoomSession] = {}
        self._lock = asyncio.Lock()

    async def publish(self, count: int, *, fallback: bool) -> None:
        """Upload device keys if they never were, and one-time keys when under half are left on the server.

        `count` is how many the server holds; `fallback` whether it needs a fallback key.
        """
        account = self._machine.account
        if account.shared and count > account.max_one_time_keys // 2 and not fallback:
            return
        with self._store.change():
            body = self._machine.keys_to_upload(min(count, account.max_one_time_keys - 1), fallback=fallback)
        answer = await self._api.call("POST", path(CLIENT, "keys", "upload"), body)
        with self._store.change():
            self._machine.keys_uploaded(int(answer["one_time_key_counts"].get("signed_curve25519", 0)))

    async def receive(self, events: list[JsonDict]) -> None:
        """Take in to-device events. Raises nothing on bad ones."""
        if events:
            async with self._lock:
                with self._store.change():
                    self._machine.receive(events)

    async def heal(self) -> None:
        """Begin anew with devices whose Olm session turned out to be broken."""
        async with self._lock:
            if self._machine.wedged_devices:
                await self._claim(self._machine.wedged_devices)
            for message in self._machine.take_outgoing():
                await self._to_device(message.type, {message.recipient: {message.recipient_device: message.content}})

    def devices_changed(self, users: Iterable[str]) -> None:
        """The server says that these users' devices changed: ask again before the next use."""
        self._fresh.difference_update(UserId(user) for user in users)

    def devices_uncertain(self) -> None:
        """Changes may have been missed: ask again for everybody."""
        self._fresh.clear()

    async def is_signed(self, sender: UserId, said: Decrypted) -> bool:
        """Whether a device of `sender`'s, signed by them, made the event.

        A doubt is checked with the server once: the device may have been signed a moment ago.
        """
        if said.forwarded:
            return False
        async with self._lock:
            await self._refresh([sender])
            if not self._knows_as_signed(sender, said):
                self._fresh.discard(sender)
                await self._refresh([sender])
            return self._knows_as_signed(sender, said)

    async def has_signed_device(self, user: UserId) -> bool:
        """Whether `user` has a device that keys would go to."""
        async with self._lock:
            await self._refresh([user])
            return bool(self._split([user])[0])

    def device_of(self, sender: UserId, said: Decrypted) -> str:
        """The id of `sender`'s device with that key; empty when there is none."""
        device = self._machine.device_store.device_from_sender_key(sender, said.curve25519)
        return "" if device is None else str(device.id)

    async def seal(self, room: RoomId, type_: str, content: JsonDict, members: Collection[UserId]) -> JsonDict:
        """Encrypt for the members' signed devices; the others are told that the key is withheld.

        A device that lost its right, or a member who left, brings a new session; a device that gained it gets the
        present session from here on.
        """
        async with self._lock:
            await self._refresh(members)
            allowed, refused = self._split(members)
            session = self._rooms.get(room)
            if session is None or session.megolm.expired or session.told - set(allowed):
                session = self._rooms[room] = _RoomSession(self._new_session(room))
            now = monotonic()
            todo = {
                place: device
                for place, device in allowed.items()
                if place not in session.told and session.try_again.get(place, now) <= now
            }
            reached = await self._share(room, session.megolm, list(todo.values()))
            session.told |= reached
            session.try_again |= dict.fromkeys(set(todo) - reached, now + _UNREACHED_PAUSE_S)
            await self._withhold(room, session, refused)
            return self._machine.encrypt(room, session.megolm, type_, content)

    async def seal_for_all(self, room: RoomId, type_: str, content: JsonDict, members: Collection[UserId]) -> JsonDict:
        """Encrypt one message for every device of the members, with a session used for nothing else."""
        async with self._lock:
            await self._refresh(members)
            allowed, refused = self._split(members)
            session = self._new_session(room)
            await self._share(room, session, [*allowed.values(), *refused.values()])
            return self._machine.encrypt(room, session, type_, content)

    def forget_room(self, room: RoomId) -> None:
        """Drop every key of the room."""
        self._rooms.pop(room, None)
        self._machine.forget_room(room)

    def _new_session(self, room: RoomId) -> OutboundGroupSession:
        with self._store.change():
            return self._machine.new_room_session(room)

    async def _refresh(self, users: Collection[UserId]) -> None:
        unknown = [user for user in users if user not in self._fresh]
        if not unknown:
            return
        # A change that is announced while we ask must not be lost: fresh first, the announcement undoes it.
        self._fresh.update(unknown)
        try:
            answer = await self._api.call(
                "POST", path(CLIENT, "keys", "query"), {"device_keys": {user: [] for user in unknown}}
            )
        except BaseException:
            self._fresh.difference_update(unknown)
            raise
        found: dict[str, dict[str, JsonDict]] = answer.get("device_keys", {})
        self._fresh.difference_update(user for user in unknown if user not in found)
        with self._store.change():
            self._machine.learn_devices(found)
        for user in unknown:
            self._signed = {place: keys for place, keys in self._signed.items() if place[0] != user}
            for name, device in found.get(user, {}).items():
                if device_signed_by_owner(answer, user, name):
                    keys = device["keys"]
                    self._signed[user, name] = (keys.get(f"curve25519:{name}", ""), keys[f"ed25519:{name}"])

    def _knows_as_signed(self, sender: UserId, said: Decrypted) -> bool:
        return self._signed.get((sender, self.device_of(sender, said))) == (said.curve25519, said.ed25519)

    def _split(self, users: Collection[UserId]) -> tuple[dict[Place, OlmDevice], dict[Place, OlmDevice]]:
        """The users' devices, ours apart: those that may have the key, those that may not."""
        allowed: dict[Place, OlmDevice] = {}
        refused: dict[Place, OlmDevice] = {}
        for user in users:
            for device in self._machine.device_store.active_user_devices(user):
                place = (device.user_id, device.id)
                if place == (self._machine.user_id, self._machine.device_id):
                    continue
                signed = self._signed.get(place) == (device.curve25519, device.ed25519)
                (allowed if signed else refused)[place] = device
        return allowed, refused

    async def _share(self, room: RoomId, session: OutboundGroupSession, devices: list[OlmDevice]) -> set[Place]:
        """Send the session's key; which devices it went to."""
        strangers = [device for device in devices if self._machine.session_store.get(device.curve25519) is None]
        if strangers:
            await self._claim(strangers)
        reached: set[Place] = set()
        for start in range(0, len(devices), _BATCH):
            messages: dict[str, dict[str, JsonDict]] = {}
            with self._store.change():
                for device in devices[start : start + _BATCH]:
                    content = self._machine.encrypt_room_key(room, session, device)
                    if content is not None:
                        messages.setdefault(device.user_id, {})[device.id] = content
            if messages:
                await self._to_device("m.room.encrypted", messages)
            reached |= {(user, name) for user, named in messages.items() for name in named}
        return reached

    async def _claim(self, devices: Iterable[OlmDevice]) -> None:
        wanted: dict[str, dict[str, str]] = {}
        for device in devices:
            wanted.setdefault(device.user_id, {})[device.id] = "signed_curve25519"
        answer = await self._api.call("POST", path(CLIENT, "keys", "claim"), {"one_time_keys": wanted})
        with self._store.change():
            self._machine.start_sessions(answer.get("one_time_keys", {}))

    async def _withhold(self, room: RoomId, session: _RoomSession, refused: dict[Place, OlmDevice]) -> None:
        news = {place for place in refused if place not in session.withheld}
        if not news:
            return
        content = {
            "algorithm": MEGOLM,
            "code": "m.unverified",
            "reason": "The device has not been signed by its owner.",
            "room_id": room,
            "session_id": session.megolm.id,
            "sender_key": self._machine.curve25519,
        }
        messages: dict[str, dict[str, JsonDict]] = {}
        for user, name in news:
            messages.setdefault(user, {})[name] = content
        await self._to_device("m.room_key.withheld", messages)
        session.withheld |= news

    async def _to_device(self, type_: str, messages: dict[str, dict[str, JsonDict]]) -> None:
        where = path(CLIENT, "sendToDevice", type_, secrets.token_hex(16))
        await self._api.call("PUT", where, {"messages": messages})
