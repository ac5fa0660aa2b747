"""The ghosts' Matrix accounts: each with its own device and signed identity, ready to speak in encrypted rooms.

A room key is shared when a session begins, with the devices that the server then names. Sessions live in memory and
are dropped whenever that may have changed: a member, a device, a signature. So a device that was just signed reads
the next message, and one that was removed does not. Who changed what comes from the bot's sync, not from pushed
transactions: Synapse drops what it failed to push of keys and device lists (`_TransactionController.send`, 1.163).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import aiohttp
from mautrix.util.async_db import Database
from olm import OutboundGroupSession

from colloque.clock import monotonic
from colloque.errors import HomeRefused
from colloque.identity import EventId, RoomId, UserId, localpart
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.matrix.crosssign import Identity, ensure_identity
from colloque.matrix.devicemark import new_device_id
from colloque_mssante.people.ghost_keys import GhostKeys, Readers, readers

DEVICE_NAME = "Ma boîte (automate)"
_MESSAGES = 100
_AGE_S = 7 * 86400.0
"""A session's life (Matrix's defaults)."""
_UNREACHED_S = 60.0
"""Its life when a device had no one-time key left: that device gets the next one."""
_ACQUAINTANCE_S = 2.0
"""How long the ghost and its readers have been together before a key is given: a client that trusts signed devices
only refuses a key whose sender it has not asked about yet, and matrix-js-sdk does not try again by itself."""


@dataclass
class _Session:
    """One ghost's session in one room."""

    megolm: OutboundGroupSession
    readers: frozenset[UserId]
    until: float
    """Monotonic seconds."""

    @property
    def expired(self) -> bool:
        return self.megolm.message_index >= _MESSAGES or monotonic() >= self.until


class Account:
    """One ghost, ready to speak."""

    def __init__(self, accounts: Accounts, api: MatrixApi, keys: GhostKeys) -> None:
        self.user = keys.user
        self.api = api
        self._keys = keys
        self._accounts = accounts
        self._sessions: dict[RoomId, _Session] = {}
        self._locks: defaultdict[RoomId, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def send(self, room: RoomId, content: JsonDict, *, txn: str) -> EventId:
        """Send, encrypted. Safe to repeat with the same `txn` for 24 h. Raises HomeUnavailable, HomeRefused."""
        async with self._locks[room]:
            session = self._sessions.get(room)
            while session is None or session.expired:
                epoch = self._accounts.epoch
                session = await self._open(room)
                if self._accounts.epoch != epoch:
                    session = None  # something changed meanwhile: share again
                else:
                    self._sessions[room] = session
            sealed = self._keys.seal(room, session.megolm, "m.room.message", content)
        where = path(CLIENT, "rooms", room, "send", "m.room.encrypted", txn)
        return EventId(str((await self.api.call("PUT", where, sealed))["event_id"]))

    async def join(self, room: RoomId) -> None:
        """Accept an invitation; no error when already in."""
        await self.api.call("POST", path(CLIENT, "rooms", room, "join"), {})

    def forget(self, room: RoomId) -> None:
        """Begin a new session with the next message."""
        self._sessions.pop(room, None)

    def forget_readers(self, users: frozenset[UserId] | None) -> None:
        """The same wherever one of `users` was given keys; None: everywhere."""
        self._sessions = {
            room: session
            for room, session in self._sessions.items()
            if users is not None and not session.readers & users
        }

    async def _open(self, room: RoomId) -> _Session:
        """A new session, its key given to the members' signed devices; the others are told that they get none."""
        members, age = await self._members(room)
        if age < _ACQUAINTANCE_S:
            await asyncio.sleep(_ACQUAINTANCE_S - age)
        query: JsonDict = {"device_keys": {user: [] for user in members}}
        found = readers(await self.api.call("POST", path(CLIENT, "keys", "query"), query))
        megolm = OutboundGroupSession()
        given, unreached = await self._room_keys(room, megolm, found)
        await self._to_device("m.room.encrypted", given)
        why = dict.fromkeys(found.unsigned, "m.unverified") | dict.fromkeys(unreached, "m.no_olm")
        withheld = {place: self._keys.withheld(room, megolm, code) for place, code in why.items()}
        await self._to_device("m.room_key.withheld", _by_user(withheld))
        life = _UNREACHED_S if unreached else _AGE_S
        return _Session(megolm, frozenset(members), monotonic() + life)

    async def _room_keys(
        self, room: RoomId, megolm: OutboundGroupSession, found: Readers
    ) -> tuple[_Messages, set[_Place]]:
        """To-device contents by user and device; and the devices that had no one-time key left."""
        wanted: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for device in found.signed:
            wanted[device.user][device.device] = "signed_curve25519"
        if not wanted:
            return {}, set()
        answer = await self.api.call("POST", path(CLIENT, "keys", "claim"), {"one_time_keys": wanted})
        claimed = answer.get("one_time_keys", {})
        given: dict[_Place, JsonDict] = {}
        unreached: set[_Place] = set()
        for device in found.signed:
            keys = claimed.get(device.user, {}).get(device.device, {})
            content = self._keys.room_key(device, keys, room, megolm)
            if content is None:
                unreached.add((device.user, device.device))
            else:
                given[device.user, device.device] = content
        return _by_user(given), unreached

    async def _to_device(self, type_: str, messages: _Messages) -> None:
        if messages:
            where = path(CLIENT, "sendToDevice", type_, secrets.token_hex(16))
            await self.api.call("PUT", where, {"messages": messages})

    async def _members(self, room: RoomId) -> tuple[list[UserId], float]:
        """Who may read what is said now (members and invited, other ghosts apart), and the age in seconds of the
        latest entry among them and this ghost."""
        answer = await self.api.call("GET", path(CLIENT, "rooms", room, "members"))
        inside = [event for event in answer["chunk"] if event["content"]["membership"] in {"join", "invite"}]
        names = [UserId(event["state_key"]) for event in inside]
        ages = [
            event.get("unsigned", {}).get("age", 0) / 1000
            for event, name in zip(inside, names, strict=True)
            if name == self.user or not self._accounts.is_ghost(name)
        ]
        return [name for name in names if not self._accounts.is_ghost(name)], min(ages, default=0.0)


_Place = tuple[UserId, str]
_Messages = dict[str, dict[str, JsonDict]]


def _by_user(contents: dict[_Place, JsonDict]) -> _Messages:
    out: defaultdict[str, dict[str, JsonDict]] = defaultdict(dict)
    for (user, device), content in contents.items():
        out[user][device] = content
    return dict(out)


class Accounts:
    """All ghosts, made on first use. Their device keys are stored; a lost store brings new devices, same identities."""

    def __init__(
        self,
        *,
        db: Database,
        http: aiohttp.ClientSession,
        url: str,
        token: str,
        identity_secret: bytes,
        pickle_secret: bytes,
        is_ghost: Callable[[UserId], bool],
    ) -> None:
        self._db = db
        self._http = http
        self._url = url
        self._token = token
        self._secret = identity_secret
        self._pickle_key = hashlib.sha256(b"ghosts\0" + pickle_secret).digest()
        self._known: dict[UserId, Account] = {}
        self._locks: defaultdict[UserId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.is_ghost = is_ghost
        self.epoch = 0
        """Grows whenever sessions are dropped."""

    async def get(self, user: UserId) -> Account:
        """The account, registered and with a signed device. Raises HomeUnavailable, HomeRefused, Inconsistent."""
        async with self._locks[user]:
            if user not in self._known:
                keys = await self._stored(user) or await self._new_device(user)
                self._known[user] = Account(self, self._api(user, keys.device), keys)
            return self._known[user]

    def rotate(self, room: RoomId) -> None:
        """The next message in that room begins a new session, whichever ghost says it."""
        self.epoch += 1
        for account in self._known.values():
            account.forget(room)

    async def devices_changed(self, users: Iterable[UserId] | None) -> None:
        """The same in every room where one of `users` was given keys; None: anybody's devices may have changed."""
        self.epoch += 1
        changed = None if users is None else frozenset(users)
        for account in self._known.values():
            account.forget_readers(changed)

    async def _stored(self, user: UserId) -> GhostKeys | None:
        """The keys of the ghost's device, where both the store and the server know it."""
        row: Any = await self._db.fetchrow(
            "SELECT device_id, pickle FROM ghost_device WHERE user_id = $1 AND signed", user
        )
        if row is None or row["device_id"] not in await self._devices(user):
            return None
        return GhostKeys.unpickle(user, row["device_id"], row["pickle"], self._pickle_key)

    async def _new_device(self, user: UserId) -> GhostKeys:
        """Register the account if need be, put a new signed device on the server, delete all others."""
        body = {"type": "m.login.application_service", "username": localpart(user), "inhibit_login": True}
        try:
            await self._api(None, None).call("POST", path(CLIENT, "register"), body)
        except HomeRefused as error:
            if error.errcode != "M_USER_IN_USE":
                raise
        keys = GhostKeys.new(user, new_device_id())
        await self._db.execute(
            "INSERT INTO ghost_device (user_id, device_id, pickle, signed) VALUES ($1, $2, $3, false) "
            "ON CONFLICT (user_id) DO UPDATE SET device_id = excluded.device_id, pickle = excluded.pickle, "
            "signed = false",
            user,
            keys.device,
            keys.pickle(self._pickle_key),
        )
        account = self._api(user, None)
        await account.call("PUT", path(CLIENT, "devices", keys.device), {"display_name": DEVICE_NAME})
        own = self._api(user, keys.device)
        await own.call("POST", path(CLIENT, "keys", "upload"), {"device_keys": keys.device_keys()})
        await ensure_identity(own, Identity.derive(self._secret, user), keys.device, fingerprint=keys.fingerprint)
        others = [device for device in await self._devices(user) if device != keys.device]
        if others:
            await account.call("POST", path(CLIENT, "delete_devices"), {"devices": others})
        await self._db.execute("UPDATE ghost_device SET signed = true WHERE user_id = $1", user)
        return keys

    async def _devices(self, user: UserId) -> list[str]:
        answer = await self._api(user, None).call("GET", path(CLIENT, "devices"))
        return [str(device["device_id"]) for device in answer["devices"]]

    def _api(self, user: UserId | None, device: str | None) -> MatrixApi:
        return MatrixApi(self._http, self._url, self._token, user=user, device=device)
