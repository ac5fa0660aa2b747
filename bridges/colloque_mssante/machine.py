"""mautrix's Olm machine, made safe for `kill -9` and for many accounts in one database.

What differs from mautrix 0.21.1, and why:
- one-time keys are stored before they are published (mautrix publishes first: after a crash between the two, what
  somebody encrypted with such a key could never be read);
- a room key and the ratchet that decrypted it are stored in one transaction (a crash between the two would lose the
  key for good), and nothing is asked of the server meanwhile;
- sharing a room key raises when the homeserver does not answer (mautrix logs it and goes on, leaving a device without
  the key), and always asks the server for the devices as they are now;
- device lists are common to all accounts of the database, so no machine rotates by itself: `Accounts` does it for all;
- contents are plain JSON objects, kept as they came.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mautrix.api import HTTPAPI, Method
from mautrix.client import Client
from mautrix.crypto import OlmAccount, OlmMachine, OutboundGroupSession, PgCryptoStore, StateStore
from mautrix.crypto.signature import verify_signature_json
from mautrix.errors import DecryptionError, GroupSessionWithheldError
from mautrix.types import (
    ASToDeviceEvent,
    DeviceID,
    DeviceIdentity,
    EncryptionAlgorithm,
    EncryptionKeyAlgorithm,
    EventID,
    EventType,
    RoomEncryptionStateEventContent,
    RoomID,
    RoomKeyEventContent,
    RoomKeyWithheldCode,
    RoomKeyWithheldEventContent,
    SessionID,
    TrustState,
    UserID,
)
from olm.group_session import OlmGroupSessionError

from colloque.matrix.api import JsonDict, MatrixApi
from colloque.store.schema import transaction

Devices = dict[UserID, dict[DeviceID, DeviceIdentity]]
Leaving = Callable[[], Awaitable[None]]
"""Called after the store changed and before anything made from it leaves (see `colloque.matrix.devicemark`)."""

MIN_TRUST = TrustState.CROSS_SIGNED_UNTRUSTED
"""Signed by its owner's present identity: only such devices get room keys."""


class NoKey(Exception):
    """The room key of a message has not reached us (yet)."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A decrypted event: its true type and content, the device it came from, and whether its owner signed that."""

    type: str
    content: JsonDict
    signed: bool
    device: str
    """Empty when unknown."""


class OlmApi(HTTPAPI):
    """What mautrix calls the server with: our own client, so that errors are ours and nothing is logged."""

    def __init__(self, api: MatrixApi, session: Any) -> None:
        super().__init__("http://homeserver.invalid", client_session=session)
        self._matrix = api

    async def request(self, method: Method, path: Any, content: Any = None, *_: Any, **__: Any) -> Any:
        """Raises HomeUnavailable, HomeRefused."""
        return await self._matrix.call(str(method), f"/{path}", content or {} if method != Method.GET else None)


class NoStates(StateStore):
    """mautrix asks for rooms' states only where we don't let it: members and encryption are the server's to say."""

    async def is_encrypted(self, room_id: RoomID) -> bool:
        """Every room of ours is."""
        return room_id != ""

    async def get_encryption_info(self, room_id: RoomID) -> RoomEncryptionStateEventContent:
        """The default rotation (100 messages, 7 days)."""
        del room_id
        return RoomEncryptionStateEventContent(algorithm=EncryptionAlgorithm.MEGOLM_V1)

    async def find_shared_rooms(self, user_id: UserID) -> list[RoomID]:
        """None: `disable_device_change_key_rotation` is set."""
        del user_id
        return []


class Machine(OlmMachine):
    """One account's Olm machine."""

    account: OlmAccount
    crypto_store: PgCryptoStore

    def __init__(self, client: Client, store: PgCryptoStore, leaving: Leaving) -> None:
        super().__init__(client, store, NoStates())
        self._leaving = leaving
        self.send_keys_min_trust = MIN_TRUST
        self.share_keys_min_trust = MIN_TRUST
        self.disable_device_change_key_rotation = True

    async def receive(self, event: ASToDeviceEvent) -> None:
        """Take in one to-device event. Nothing is half-stored. Raises mautrix's DecryptionError.

        Key requests are ignored: an account of ours has one device, and gives keys to nobody who asks.
        """
        if event.type == EventType.TO_DEVICE_ENCRYPTED:
            async with transaction(self.crypto_store.db):
                await self.handle_to_device_event(event)

    async def open_session(
        self, room: RoomID, users: Iterable[UserID], *, unsigned_too: bool = False
    ) -> OutboundGroupSession:
        """A new session for `room`, its key sent to the signed devices of `users` (to all of them if `unsigned_too`).

        The session is not stored. Raises HomeUnavailable, HomeRefused.
        """
        async with self._fetch_keys_lock:
            found = await self._fetch_keys(list(users), include_untracked=True)
        wanted: Devices = defaultdict(dict)
        withheld: dict[UserID, dict[DeviceID, Any]] = defaultdict(dict)
        session = OutboundGroupSession(room)
        for user, devices in found.items():
            for device_id, device in devices.items():
                if unsigned_too or await self.is_signed(device):
                    wanted[user][device_id] = device
                else:
                    withheld[user][device_id] = self._withheld(session, RoomKeyWithheldCode.UNVERIFIED)
        async with self._claim_keys_lock:
            await self._claim(wanted)
        async with self._olm_lock:
            keys: dict[UserID, dict[DeviceID, Any]] = defaultdict(dict)
            for user, devices in wanted.items():
                for device_id, device in devices.items():
                    pair = await self.crypto_store.get_latest_session(device.identity_key)
                    if pair is None:
                        withheld[user][device_id] = self._withheld(session, RoomKeyWithheldCode.NO_OLM_SESSION)
                        continue
                    keys[user][device_id] = await self._encrypt_olm_event(
                        pair, device, EventType.ROOM_KEY, session.share_content
                    )
            await self._leaving()
            if keys:
                await self.client.send_to_device(EventType.TO_DEVICE_ENCRYPTED, keys)
        if withheld:
            await self.client.send_to_device(EventType.ROOM_KEY_WITHHELD, withheld)
        session.shared = True
        return session

    def seal(self, session: OutboundGroupSession, type_: str, content: JsonDict) -> JsonDict:
        """`content` encrypted with `session`; its relation stays readable, as servers need it."""
        ciphertext: str = session.encrypt(  # type: ignore[no-untyped-call]
            json.dumps({"room_id": session.room_id, "type": type_, "content": content}, ensure_ascii=False)
        )
        sealed: JsonDict = {
            "algorithm": EncryptionAlgorithm.MEGOLM_V1.value,
            "sender_key": self.account.identity_key,
            "device_id": self.client.device_id,
            "session_id": session.id,
            "ciphertext": ciphertext,
        }
        if "m.relates_to" in content:
            sealed["m.relates_to"] = content["m.relates_to"]
        return sealed

    async def unseal(self, event: JsonDict) -> Opened:
        """Decrypt an `m.room.encrypted` event.

        Raises NoKey (the key may still come), DecryptionError (it can't be read, ever), HomeUnavailable.
        """
        room, content = RoomID(event["room_id"]), event["content"]
        if not isinstance(content, dict) or content.get("algorithm") != EncryptionAlgorithm.MEGOLM_V1.value:
            raise DecryptionError("unknown algorithm")
        async with self._megolm_decrypt_lock:
            try:
                session = await self.crypto_store.get_group_session(room, SessionID(str(content.get("session_id"))))
            except GroupSessionWithheldError:
                session = None
            if session is None:
                raise NoKey
            try:
                plaintext, index = session.decrypt(str(content.get("ciphertext")))
            except (OlmGroupSessionError, ValueError):
                raise DecryptionError("the ciphertext does not hold") from None
            if not await self.crypto_store.validate_message_index(
                session.sender_key, SessionID(session.id), EventID(event["event_id"]), index, event["origin_server_ts"]
            ):
                raise DecryptionError("a message was replayed")
        try:
            payload = json.loads(plaintext)
            type_, inner, said_in = payload["type"], payload["content"], payload["room_id"]
        except (ValueError, KeyError, TypeError):
            raise DecryptionError("the payload is malformed") from None
        if said_in != room or not isinstance(inner, dict) or not isinstance(type_, str):
            raise DecryptionError("the payload belongs elsewhere")
        if "m.relates_to" in content:
            inner.setdefault("m.relates_to", content["m.relates_to"])
        signed, device = await self._maker(UserID(event["sender"]), session)
        return Opened(type_, inner, signed, device)

    async def _maker(self, sender: UserID, session: Any) -> tuple[bool, str]:
        """Whether `sender` signed the device that made the session (asked again before a no), and its id."""
        device = None
        for fresh in (False, True):
            if fresh:
                await self.refresh([sender])
            device = await self.crypto_store.find_device_by_key(sender, session.sender_key)
            if device is not None and device.signing_key == session.signing_key and await self.is_signed(device):
                return True, device.device_id
        return False, device.device_id if device is not None else ""

    async def is_signed(self, device: DeviceIdentity) -> bool:
        """True when its owner's present identity signed the device."""
        return bool(await self.resolve_trust(device, allow_fetch=False) >= MIN_TRUST)

    async def refresh(self, users: Iterable[UserID]) -> None:
        """Ask the server for the devices and identities of `users`."""
        async with self._fetch_keys_lock:
            await self._fetch_keys(list(users), include_untracked=True)

    async def _claim(self, users: Devices) -> None:
        """An Olm session with each device that has none and has a one-time key left."""
        request: dict[UserID, dict[DeviceID, EncryptionKeyAlgorithm]] = defaultdict(dict)
        for user, devices in users.items():
            for device_id, device in devices.items():
                if not await self.crypto_store.has_session(device.identity_key):
                    request[user][device_id] = EncryptionKeyAlgorithm.SIGNED_CURVE25519
        if not request:
            return
        claimed = await self.client.claim_keys(request)
        for user, found in claimed.one_time_keys.items():
            for device_id, by_id in found.items():
                device = users[user][device_id]
                for key in by_id.values():
                    if verify_signature_json(key, user, device_id, device.signing_key):
                        pair = self.account.new_outbound_session(device.identity_key, key["key"])
                        await self.crypto_store.add_session(device.identity_key, pair)

    def _withheld(self, session: OutboundGroupSession, code: RoomKeyWithheldCode) -> RoomKeyWithheldEventContent:
        return RoomKeyWithheldEventContent(
            room_id=session.room_id,
            algorithm=EncryptionAlgorithm.MEGOLM_V1,
            session_id=SessionID(session.id),
            sender_key=self.account.identity_key,
            code=code,
        )

    async def _share_keys(self, current_otk_count: int | None) -> None:
        """Publish device keys (once) and one-time keys, up to half of what the account can hold."""
        if current_otk_count is None:
            counts = await self.client.upload_keys()
            current_otk_count = counts.get(EncryptionKeyAlgorithm.SIGNED_CURVE25519, 0)
        mxid, device_id = self.client.mxid, self.client.device_id
        one_time = self.account.get_one_time_keys(mxid, device_id, current_otk_count)
        device_keys = None if self.account.shared else self.account.get_device_keys(mxid, device_id)
        if not one_time and device_keys is None:
            return
        await self.crypto_store.put_account(self.account)
        await self._leaving()
        await self.client.upload_keys(one_time_keys=one_time, device_keys=device_keys)
        self.account.shared = True
        self.account.mark_keys_as_published()
        await self.crypto_store.put_account(self.account)

    async def _fill_encryption_info(self, evt: RoomKeyEventContent) -> None:
        """Called inside `receive`'s transaction: the defaults do, the server is not asked."""
        info = RoomEncryptionStateEventContent()
        evt.beeper_max_age_ms = evt.beeper_max_age_ms or info.rotation_period_ms
        evt.beeper_max_messages = evt.beeper_max_messages or info.rotation_period_msgs
