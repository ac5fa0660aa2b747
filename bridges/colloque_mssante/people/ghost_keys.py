"""A ghost's cryptography, on python-olm; no network, no store. A ghost speaks and never listens.

It publishes its device and no one-time key: nobody can send it a room key, so it can read nothing (the bot reads for
all). Each room key travels in an Olm session used once, made for it and forgotten. So nothing here moves on in a way
that must be remembered: after a crash, or with a restored backup, new sessions begin and no key is ever used twice.
Sources: Matrix client-server API, "Olm & Megolm"; room keys go only to devices that their owners signed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from olm import (
    Account,
    OlmAccountError,
    OlmSessionError,
    OutboundGroupSession,
    OutboundSession,
)
from olm.utility import OlmVerifyError, ed25519_verify

from colloque.errors import Inconsistent
from colloque.identity import RoomId, UserId
from colloque.matrix.api import JsonDict
from colloque.matrix.crosssign import canonical_json, device_signed_by_owner

OLM = "m.olm.v1.curve25519-aes-sha2"
MEGOLM = "m.megolm.v1.aes-sha2"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A device that may be given a key."""

    user: UserId
    device: str
    curve25519: str
    ed25519: str


@dataclass(frozen=True, slots=True)
class Readers:
    """Devices in a room: those that their owners signed, and the others (`(user, device)`)."""

    signed: tuple[Recipient, ...]
    unsigned: tuple[tuple[UserId, str], ...]


def readers(answer: Mapping[str, Any]) -> Readers:
    """From an answer of `POST /keys/query`."""
    signed: list[Recipient] = []
    unsigned: list[tuple[UserId, str]] = []
    for user, device, keys in _devices(answer):
        if device_signed_by_owner(answer, user, device) and f"curve25519:{device}" in keys:
            signed.append(Recipient(user, device, keys[f"curve25519:{device}"], keys[f"ed25519:{device}"]))
        else:
            unsigned.append((user, device))
    return Readers(tuple(signed), tuple(unsigned))


def _devices(answer: Mapping[str, Any]) -> Iterator[tuple[UserId, str, Mapping[str, str]]]:
    for user, devices in answer.get("device_keys", {}).items():
        for device, value in devices.items():
            keys = value.get("keys") if isinstance(value, dict) else None
            yield UserId(user), device, keys if isinstance(keys, dict) else {}


class GhostKeys:
    """One ghost's device keys."""

    def __init__(self, user: UserId, device: str, account: Account) -> None:
        self.user = user
        self.device = device
        self._account = account

    @classmethod
    def new(cls, user: UserId, device: str) -> GhostKeys:
        """Fresh keys for a new device."""
        return cls(user, device, Account())

    @classmethod
    def unpickle(cls, user: UserId, device: str, pickle: str, key: bytes) -> GhostKeys:
        """Raises Inconsistent when the secret does not open it."""
        try:
            return cls(user, device, Account.from_pickle(pickle.encode(), key.hex()))
        except OlmAccountError:
            raise Inconsistent("the pickle secret does not open the ghosts' keys") from None

    def pickle(self, key: bytes) -> str:
        """Encrypted with `key` (32 bytes)."""
        return str(self._account.pickle(key.hex()).decode())

    @property
    def fingerprint(self) -> str:
        """The device's Ed25519 key."""
        return str(self._account.identity_keys["ed25519"])

    @property
    def curve25519(self) -> str:
        """The device's Curve25519 key."""
        return str(self._account.identity_keys["curve25519"])

    def device_keys(self) -> JsonDict:
        """The `device_keys` of `POST /keys/upload`, signed by the device itself."""
        value: JsonDict = {
            "user_id": self.user,
            "device_id": self.device,
            "algorithms": [OLM, MEGOLM],
            "keys": {f"curve25519:{self.device}": self.curve25519, f"ed25519:{self.device}": self.fingerprint},
        }
        signature = str(self._account.sign(canonical_json(value).decode()))
        return {**value, "signatures": {self.user: {f"ed25519:{self.device}": signature}}}

    def room_key(
        self, to: Recipient, claimed: Mapping[str, Any], room: RoomId, session: OutboundGroupSession
    ) -> JsonDict | None:
        """The to-device content that gives `session` to a device; None when its keys are no good, or used up.

        `claimed` is what `POST /keys/claim` answered for that device.
        """
        one_time_key = _verified(claimed, to)
        if one_time_key is None:
            return None
        payload = {
            "type": "m.room_key",
            "content": {
                "algorithm": MEGOLM,
                "room_id": room,
                "session_id": session.id,
                "session_key": session.session_key,
            },
            "sender": self.user,
            "sender_device": self.device,
            "keys": {"ed25519": self.fingerprint},
            "recipient": to.user,
            "recipient_keys": {"ed25519": to.ed25519},
        }
        try:
            once = OutboundSession(self._account, to.curve25519, one_time_key).encrypt(json.dumps(payload))
        except OlmSessionError:
            return None
        return {
            "algorithm": OLM,
            "sender_key": self.curve25519,
            "ciphertext": {to.curve25519: {"type": once.message_type, "body": once.ciphertext}},
        }

    def withheld(self, room: RoomId, session: OutboundGroupSession, code: str) -> JsonDict:
        """The `m.room_key.withheld` content that says why a device got no key."""
        return {
            "algorithm": MEGOLM,
            "room_id": room,
            "session_id": session.id,
            "sender_key": self.curve25519,
            "code": code,
        }

    def seal(self, room: RoomId, session: OutboundGroupSession, type_: str, content: JsonDict) -> JsonDict:
        """`content` encrypted with `session`; its relation stays readable, as servers need it."""
        payload = json.dumps({"room_id": room, "type": type_, "content": content}, ensure_ascii=False)
        sealed: JsonDict = {
            "algorithm": MEGOLM,
            "sender_key": self.curve25519,
            "device_id": self.device,
            "session_id": session.id,
            "ciphertext": session.encrypt(payload),
        }
        if "m.relates_to" in content:
            sealed["m.relates_to"] = content["m.relates_to"]
        return sealed


def _verified(claimed: Mapping[str, Any], owner: Recipient) -> str | None:
    """The one-time (or fallback) key among `claimed` that the device signed."""
    for value in claimed.values():
        try:
            signature = value["signatures"][owner.user][f"ed25519:{owner.device}"]
            signed = canonical_json({k: v for k, v in value.items() if k not in {"signatures", "unsigned"}})
            ed25519_verify(owner.ed25519, signed.decode(), signature)
            return str(value["key"])
        except (KeyError, TypeError, AttributeError, ValueError, OlmVerifyError):
            continue
    return None
