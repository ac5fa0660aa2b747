"""Every Matrix account of the bridge, the bot and each ghost: own device, own Olm machine, own signed identity.

One database holds all of them. A room key is shared when a session begins, to the devices that the server then names;
sessions are dropped for all accounts at once (`rotate`) whenever that may have changed: a member, a device, a
signature. So a device that was just signed reads the next message, and one that was removed does not.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, cast

import aiohttp
from mautrix.client import Client
from mautrix.crypto import OlmAccount, PgCryptoStore
from mautrix.errors import DecryptionError
from mautrix.types import ASToDeviceEvent, DeviceID, DeviceOTKCount, RoomID
from mautrix.types import UserID as MautrixUser
from mautrix.util.async_db import Database

from colloque.errors import HomeRefused
from colloque.identity import EventId, RoomId, UserId, localpart
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.matrix.crosssign import Identity, ensure_identity
from colloque.matrix.devicemark import DeviceMark, Generation, MarkedStore, new_device_id
from colloque.store.schema import transaction
from colloque_mssante.machine import Machine, OlmApi, Opened

DEVICE_NAME = "Ma boîte (automate)"
_IN_CLEAR = {"m.reaction"}
"""Servers must see what a reaction reacts to; ours hold only a status sign."""
_OF_ACCOUNTS = ("crypto_account", "crypto_olm_session", "crypto_megolm_outbound_session")


class Account:
    """One Matrix account of ours, ready to speak."""

    def __init__(self, accounts: Accounts, user: UserId, api: MatrixApi, machine: Machine) -> None:
        self.user = user
        self.api = api
        self.machine = machine
        self._accounts = accounts
        self._locks: defaultdict[RoomId, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def send(self, room: RoomId, content: JsonDict, *, txn: str, type_: str = "m.room.message") -> EventId:
        """Send, encrypted. Safe to repeat with the same `txn` for 24 h. Raises HomeUnavailable, HomeRefused."""
        if type_ not in _IN_CLEAR:
            content, type_ = await self._sealed(room, type_, content), "m.room.encrypted"
        return await self._put(room, type_, content, txn)

    async def send_to_all_devices(self, room: RoomId, content: JsonDict, *, txn: str) -> EventId:
        """Send one harmless text that devices not signed by their owner can read too, in a session of its own."""
        listeners = await self._listeners(room)
        session = await self.machine.open_session(RoomID(room), listeners, unsigned_too=True)
        return await self._put(room, "m.room.encrypted", self.machine.seal(session, "m.room.message", content), txn)

    async def read(self, event: JsonDict) -> Opened:
        """Decrypt. Raises NoKey, mautrix's DecryptionError, HomeUnavailable."""
        return await self.machine.unseal(event)

    async def join(self, room: RoomId) -> None:
        """Join; no error when already in."""
        await self.api.call("POST", path(CLIENT, "rooms", room, "join"), {})

    async def _sealed(self, room: RoomId, type_: str, content: JsonDict) -> JsonDict:
        store = self.machine.crypto_store
        async with self._locks[room]:
            session = await store.get_outbound_group_session(RoomID(room))
            while session is None or session.expired:
                epoch = self._accounts.epoch
                listeners = await self._listeners(room)
                await self._accounts.note_listeners(room, listeners)
                session = await self.machine.open_session(RoomID(room), listeners)
                if self._accounts.epoch == epoch:  # else something changed meanwhile: share again
                    await store.add_outbound_group_session(session)
                else:
                    session = None
            sealed = self.machine.seal(session, type_, content)
            await store.update_outbound_group_session(session)
            await self._accounts.leaving()
            return sealed

    async def _listeners(self, room: RoomId) -> list[MautrixUser]:
        """Who may read what is said now: members and invited, our own accounts apart."""
        members = await self.api.call("GET", path(CLIENT, "rooms", room, "members"))
        inside = (e["state_key"] for e in members["chunk"] if e["content"]["membership"] in {"join", "invite"})
        return [MautrixUser(user) for user in inside if not self._accounts.is_ours(UserId(user))]

    async def _put(self, room: RoomId, type_: str, content: JsonDict, txn: str) -> EventId:
        answer = await self.api.call("PUT", path(CLIENT, "rooms", room, "send", type_, txn), content)
        return EventId(str(answer["event_id"]))


class Accounts:
    """All of them, made on first use. `is_ours` tells the bot and the ghosts from everybody else."""

    def __init__(
        self,
        *,
        db: Database,
        http: aiohttp.ClientSession,
        url: str,
        token: str,
        identity_secret: bytes,
        pickle_key: str,
        mark: DeviceMark,
        is_ours: Callable[[UserId], bool],
    ) -> None:
        self._db = db
        self._http = http
        self._url = url
        self._token = token
        self._secret = identity_secret
        self._pickle_key = pickle_key
        self._marked = MarkedStore(mark, self._load_generation, self._save_generation)
        self._known: dict[UserId, Account] = {}
        self._locks: defaultdict[UserId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._leaving_lock = asyncio.Lock()
        self._news = asyncio.Condition()
        self.is_ours = is_ours
        self.epoch = 0
        """Grows with every rotation."""

    async def open(self) -> None:
        """Notice a store that was lost or restored: its devices are given up, new ones made as accounts are used.

        Sessions begun before this start are dropped: device changes of the meantime may reach us late or never.
        """
        if await self._marked.usable() is None:
            async with transaction(self._db):
                for table in _OF_ACCOUNTS:
                    await self._db.execute(f"DELETE FROM {table}")  # noqa: S608  a fixed list
            await self._marked.start(new_device_id())
        await self._db.execute("DELETE FROM crypto_megolm_outbound_session")
        self.epoch += 1

    async def get(self, user: UserId) -> Account:
        """The account, registered and with a signed device. Raises HomeUnavailable, HomeRefused, Inconsistent."""
        async with self._locks[user]:
            if user not in self._known:
                self._known[user] = await self._start(user)
            return self._known[user]

    async def rotate(self, room: RoomId) -> None:
        """The next message in that room begins a new session, whoever of ours sends it."""
        self.epoch += 1
        await self._db.execute("DELETE FROM crypto_megolm_outbound_session WHERE room_id = $1", room)

    async def devices_changed(self, users: Iterable[UserId]) -> None:
        """The same in every room where one of `users` was given keys; what we knew of their devices is forgotten."""
        for user in users:
            if self.is_ours(user):
                continue
            self.epoch += 1
            async with transaction(self._db):
                await self._db.execute("DELETE FROM crypto_device WHERE user_id = $1", user)
                await self._db.execute("DELETE FROM crypto_tracked_user WHERE user_id = $1", user)
                await self._db.execute(
                    "DELETE FROM crypto_megolm_outbound_session WHERE room_id IN "
                    "(SELECT room_id FROM listener WHERE user_id = $1)",
                    user,
                )

    async def note_listeners(self, room: RoomId, users: Iterable[str]) -> None:
        """Remember who is given keys in a room."""
        async with transaction(self._db):
            await self._db.execute("DELETE FROM listener WHERE room_id = $1", room)
            for user in users:
                await self._db.execute("INSERT INTO listener (room_id, user_id) VALUES ($1, $2)", room, user)

    async def receive(self, raw: JsonDict) -> None:
        """One to-device event for one of our devices. What can't be decrypted is dropped: it can't ever be."""
        event: Any = ASToDeviceEvent.deserialize(cast("Any", raw))
        user = UserId(event.to_user_id)
        if not self.is_ours(user) or not await self._has_store(user):
            return
        account = await self.get(user)
        if event.to_device_id == account.api.device:
            try:
                await account.machine.receive(event)
            except DecryptionError:
                return
            async with self._news:
                self._news.notify_all()

    async def wait_for_keys(self, timeout_s: float) -> None:
        """Until some key came in, at most `timeout_s` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._news:
                await self._news.wait()

    async def count_keys(self, counts: JsonDict) -> None:
        """How many one-time keys the server has left, by user and device: publish more where they run short."""
        for user, devices in counts.items():
            if not self.is_ours(UserId(user)) or not await self._has_store(UserId(user)):
                continue
            account = await self.get(UserId(user))
            if account.api.device in devices:
                await account.machine.handle_otk_count(DeviceOTKCount.deserialize(devices[account.api.device]))

    async def leaving(self) -> None:
        """The store changed and something made from it is about to leave."""
        async with self._leaving_lock:
            await self._marked.advance()

    async def _start(self, user: UserId) -> Account:
        store = PgCryptoStore(user, self._pickle_key, self._db)
        device = await store.get_device_id()
        if not device:
            device = DeviceID(new_device_id())
            async with transaction(self._db):
                await store.put_account(OlmAccount())
                await store.put_device_id(device)
        api = MatrixApi(self._http, self._url, self._token, user=user, device=device)
        client = Client(mxid=MautrixUser(user), device_id=device, api=OlmApi(api, self._http))
        machine = Machine(client, store, self.leaving)
        await machine.load()
        if not machine.account.shared:
            await self._new_device(user, device)
            await machine.share_keys()
        # A crash may have come between the keys and their signature: `shared` alone does not tell.
        identity = Identity.derive(self._secret, user)
        await ensure_identity(api, identity, device, fingerprint=machine.account.signing_key)
        return Account(self, user, api, machine)

    async def _new_device(self, user: UserId, device: str) -> None:
        """Register the account if need be, delete devices whose store we lost, create this one. Safe to repeat."""
        body = {"type": "m.login.application_service", "username": localpart(user), "inhibit_login": True}
        try:
            await MatrixApi(self._http, self._url, self._token).call("POST", path(CLIENT, "register"), body)
        except HomeRefused as error:
            if error.errcode != "M_USER_IN_USE":
                raise
        api = MatrixApi(self._http, self._url, self._token, user=user)
        await api.call("PUT", path(CLIENT, "devices", device), {"display_name": DEVICE_NAME})
        known = [str(d["device_id"]) for d in (await api.call("GET", path(CLIENT, "devices")))["devices"]]
        lost = [other for other in known if other != device]
        if lost:
            await api.call("POST", path(CLIENT, "delete_devices"), {"devices": lost})

    async def _has_store(self, user: UserId) -> bool:
        found = await self._db.fetchval("SELECT 1 FROM crypto_account WHERE account_id = $1", user)
        return found is not None

    async def _load_generation(self) -> Generation | None:
        row: Any = await self._db.fetchrow("SELECT device, number FROM generation")
        return Generation(row["device"], row["number"]) if row else None

    async def _save_generation(self, generation: Generation) -> None:
        await self._db.execute(
            "INSERT INTO generation (id, device, number) VALUES (1, $1, $2) "
            "ON CONFLICT (id) DO UPDATE SET device = excluded.device, number = excluded.number",
            generation.device,
            generation.number,
        )
