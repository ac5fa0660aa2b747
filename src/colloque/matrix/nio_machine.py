"""nio's Olm machine, with what nio lacks: fallback keys, keys that can't be overwritten, and a stranger's nonsense
that stops nothing. It moves keys in memory and store; it never touches the network.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nio.crypto import InboundGroupSession, Olm, OlmDevice, OutboundGroupSession
from nio.event_builders import ToDeviceMessage
from nio.events import EncryptedToDeviceEvent, MegolmEvent, ToDeviceEvent
from nio.exceptions import EncryptionError
from nio.responses import KeysClaimResponse, KeysQueryResponse, KeysUploadResponse

from colloque import logs
from colloque.errors import Inconsistent
from colloque.identity import RoomId, UserId
from colloque.matrix.api import JsonDict
from colloque.matrix.crosssign import canonical_json
from colloque.matrix.nio_store import CryptoStore

MEGOLM = "m.megolm.v1.aes-sha2"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decrypted:
    """What an encrypted event said, and with whose keys it was made."""

    type: str
    content: JsonDict
    curve25519: str
    ed25519: str
    forwarded: bool
    """True when the key did not come from the sender: who wrote it is then unproven."""


class Machine(Olm):
    """One device's keys."""

    store: CryptoStore

    def __init__(self, user: UserId, store: CryptoStore) -> None:
        try:
            super().__init__(user, store.device_id, store)
        except ValueError:
            raise Inconsistent("the pickle secret does not open the crypto store") from None

    @property
    def fingerprint(self) -> str:
        """The device's Ed25519 key."""
        return str(self.account.identity_keys["ed25519"])

    @property
    def curve25519(self) -> str:
        """The device's Curve25519 key."""
        return str(self.account.identity_keys["curve25519"])

    def keys_to_upload(self, count: int, *, fallback: bool) -> JsonDict:
        """The body of `POST /keys/upload` when the server holds `count` of our one-time keys.

        The account is saved first: after a crash, keys that reached the server are still ours.
        """
        self.uploaded_key_count = count
        body: JsonDict = self.share_keys()
        if fallback or not self.account.shared:
            body["fallback_keys"] = self._fallback_keys()
        self.save_account()
        return body

    def keys_uploaded(self, count: int) -> None:
        """The server has them."""
        self.handle_response(KeysUploadResponse(0, count))

    def _fallback_keys(self) -> JsonDict:
        # nio does not know fallback keys, the account it wraps does: used when one-time keys run out.
        account: Any = self.account._account  # noqa: SLF001
        account.generate_fallback_key()
        [(key_id, key)] = account.fallback_key.items()
        value: JsonDict = {"key": key.to_base64(), "fallback": True}
        signature = self.account.sign(canonical_json(value).decode())
        signed = {**value, "signatures": {self.user_id: {f"ed25519:{self.device_id}": signature}}}
        return {f"signed_curve25519:{key_id}": signed}

    def receive(self, events: Iterable[JsonDict]) -> None:
        """Take in encrypted to-device events (room keys, mostly). The caller holds the store's transaction."""
        for raw in events:
            if raw.get("type") != "m.room.encrypted":
                continue
            try:
                event = ToDeviceEvent.parse_event(raw)
                if isinstance(event, EncryptedToDeviceEvent):
                    self.handle_to_device_event(event)
            except Exception as error:  # noqa: BLE001  anyone may send us anything: one bad event stops nothing
                logs.event(logger, "todevice.dropped", level=logging.WARNING, error=type(error).__name__)
        # nio saves the account before the one-time key is used up, not after.
        self.save_account()

    def create_group_session(
        self, sender_key: str, sender_fp_key: str, room_id: str, session_id: str, session_key: str
    ) -> None:
        """As nio's, but a key that we hold is never replaced: not by a later start of it, nor by someone else's."""
        if self.session(RoomId(room_id), session_id) is None:
            super().create_group_session(sender_key, sender_fp_key, room_id, session_id, session_key)

    def session(self, room: RoomId, session_id: str) -> InboundGroupSession | None:
        """The key of a room's messages with that session id."""
        senders = self.inbound_group_store[room].values()
        return next((found for sessions in senders if (found := sessions.get(session_id))), None)

    def decrypt_room_event(self, room: RoomId, raw: JsonDict) -> Decrypted | None:
        """What an `m.room.encrypted` event of a room says; None when its key is missing or it is no good."""
        content = raw.get("content", {})
        session = self.session(room, str(content.get("session_id")))
        if session is None:
            return None
        # Newer clients leave these two out; nio insists on them. Neither is believed.
        filled = {"device_id": "", **content, "sender_key": session.sender_key}
        try:
            event = MegolmEvent.from_dict({**raw, "content": filled})
            source: dict[str, Any] = self.decrypt_megolm_event(event, room).source
        except EncryptionError:
            return None
        except Exception as error:  # noqa: BLE001  anyone may write anything: one bad message stops nothing
            logs.event(logger, "message.dropped", level=logging.WARNING, error=type(error).__name__)
            return None
        said = source.get("content")
        if source.get("room_id") != room or not isinstance(said, dict):
            return None
        return Decrypted(
            str(source.get("type", "")), said, session.sender_key, session.ed25519, bool(session.forwarding_chain)
        )

    def learn_devices(self, device_keys: dict[str, dict[str, JsonDict]]) -> None:
        """Take in the `device_keys` of a query; malformed devices are left out."""
        for user, devices in device_keys.items():
            good = {name: keys for name, keys in devices.items() if _has_shape(keys)}
            try:
                self.handle_response(KeysQueryResponse({user: good}, {}))
            except Exception as error:  # noqa: BLE001  somebody's bad keys harm nobody else
                logs.event(logger, "devicekeys.dropped", level=logging.WARNING, error=type(error).__name__)

    def start_sessions(self, one_time_keys: dict[str, dict[str, JsonDict]]) -> None:
        """Take in the `one_time_keys` of a claim: one Olm session with each device."""
        for user, devices in one_time_keys.items():
            for name, keys in devices.items():
                try:
                    self.handle_response(KeysClaimResponse({user: {name: keys}}, {}))
                except Exception as error:  # noqa: BLE001  another device's bad key stops nothing
                    logs.event(logger, "onetimekey.dropped", level=logging.WARNING, error=type(error).__name__)

    def take_outgoing(self) -> list[ToDeviceMessage]:
        """To-device messages that nio wants sent (they heal broken Olm sessions)."""
        taken = list(self.outgoing_to_device_messages)
        self.outgoing_to_device_messages.clear()
        return taken

    def new_room_session(self, room: RoomId) -> OutboundGroupSession:
        """A fresh session for a room; its key is kept, so that we can read what we wrote."""
        session = OutboundGroupSession()
        self.create_group_session(self.curve25519, self.fingerprint, room, session.id, session.session_key)
        return session

    def encrypt_room_key(self, room: RoomId, session: OutboundGroupSession, device: OlmDevice) -> JsonDict | None:
        """The session's key, from its present index on, for one device; None without an Olm session with it."""
        olm = self.session_store.get(device.curve25519)
        if olm is None:
            return None
        key = {"algorithm": MEGOLM, "room_id": room, "session_id": session.id, "session_key": session.session_key}
        content: JsonDict = self._olm_encrypt(olm, device, "m.room_key", key)
        return content

    def encrypt(self, room: RoomId, session: OutboundGroupSession, type_: str, content: JsonDict) -> JsonDict:
        """The content of the `m.room.encrypted` event. Relations stay readable by the server, as the spec wants."""
        session.shared = True
        ciphertext = session.encrypt(json.dumps({"type": type_, "content": content, "room_id": room}))
        sealed: JsonDict = {
            "algorithm": MEGOLM,
            "sender_key": self.curve25519,
            "device_id": self.device_id,
            "session_id": session.id,
            "ciphertext": ciphertext,
        }
        if "m.relates_to" in content:
            sealed["m.relates_to"] = content["m.relates_to"]
        return sealed

    def forget_room(self, room: RoomId) -> None:
        """Drop the room's keys from memory and store."""
        self.inbound_group_store[room].clear()
        self.store.forget_room(room)


def _has_shape(keys: object) -> bool:
    if not isinstance(keys, dict) or not all(isinstance(keys.get(k, {}), dict) for k in ("signatures", "unsigned")):
        return False
    parts = keys.get("keys")
    if not isinstance(parts, dict) or not all(isinstance(value, str) for value in parts.values()):
        return False
    return isinstance(keys.get("user_id"), str) and isinstance(keys.get("device_id"), str)
