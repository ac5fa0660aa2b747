"""A ghost's cryptography, on vodozemac; no network, no store. A ghost speaks and never listens.

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

from vodozemac import (
    Account,
    Curve25519PublicKey,
    Ed25519PublicKey,
    Ed25519Signature,
    GroupSession,
    KeyException,
    PickleException,
    SessionCreationException,
    SignatureException,
)

from colloque.errors import Inconsistent
from colloque.identity import RoomId, UserId
from colloque.matrix.api import JsonDict
from colloque.matrix.crosssign import canonical_json, device_signed_by_owner, unpadded

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
            return cls(user, device, Account.from_pickle(pickle, key))
        except PickleException:
            raise Inconsistent("the pickle secret does not open the ghosts' keys") from None

    def pickle(self, key: bytes) -> str:
        """Encrypted with `key` (32 bytes)."""
        return self._account.pickle(key)

    @property
    def fingerprint(self) -> str:
        """The device's Ed25519 key."""
        return self._account.ed25519_key.to_base64()

    @property
    def curve25519(self) -> str:
        """The device's Curve25519 key."""
        return self._account.curve25519_key.to_base64()

    def device_keys(self) -> JsonDict:
        """The `device_keys` of `POST /keys/upload`, signed by the device itself."""
        value: JsonDict = {
            "user_id": self.user,
            "device_id": self.device,
            "algorithms": [OLM, MEGOLM],
            "keys": {f"curve25519:{self.device}": self.curve25519, f"ed25519:{self.device}": self.fingerprint},
        }
        signature = self._account.sign(canonical_json(value)).to_base64()
        return {**value, "signatures": {self.user: {f"ed25519:{self.device}": signature}}}

    def room_key(
        self, to: Recipient, claimed: Mapping[str, Any], room: RoomId, session: GroupSession
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
                "session_id": session.session_id,
                "session_key": session.session_key.to_base64(),
            },
            "sender": self.user,
            "sender_device": self.device,
            "keys": {"ed25519": self.fingerprint},
            "recipient": to.user,
            "recipient_keys": {"ed25519": to.ed25519},
        }
        try:
            olm = self._account.create_outbound_session(Curve25519PublicKey.from_base64(to.curve25519), one_time_key)
        except (KeyException, SessionCreationException):
            return None
        kind, ciphertext = olm.encrypt(json.dumps(payload).encode()).to_parts()
        return {
            "algorithm": OLM,
            "sender_key": self.curve25519,
            "ciphertext": {to.curve25519: {"type": kind, "body": unpadded(ciphertext)}},
        }

    def withheld(self, room: RoomId, session: GroupSession, code: str) -> JsonDict:
        """The `m.room_key.withheld` content that says why a device got no key."""
        return {
            "algorithm": MEGOLM,
            "room_id": room,
            "session_id": session.session_id,
            "sender_key": self.curve25519,
            "code": code,
        }

    def seal(self, room: RoomId, session: GroupSession, type_: str, content: JsonDict) -> JsonDict:
        """`content` encrypted with `session`; its relation stays readable, as servers need it."""
        payload = json.dumps({"room_id": room, "type": type_, "content": content}, ensure_ascii=False)
        sealed: JsonDict = {
            "algorithm": MEGOLM,
            "sender_key": self.curve25519,
            "device_id": self.device,
            "session_id": session.session_id,
            "ciphertext": session.encrypt(payload.encode()).to_base64(),
        }
        if "m.relates_to" in content:
            sealed["m.relates_to"] = content["m.relates_to"]
        return sealed


def _verified(claimed: Mapping[str, Any], owner: Recipient) -> Curve25519PublicKey | None:
    """The one-time (or fallback) key among `claimed` that the device signed."""
    for value in claimed.values():
        try:
            signature = Ed25519Signature.from_base64(value["signatures"][owner.user][f"ed25519:{owner.device}"])
            signed = canonical_json({k: v for k, v in value.items() if k not in {"signatures", "unsigned"}})
            Ed25519PublicKey.from_base64(owner.ed25519).verify_signature(signed, signature)
            return Curve25519PublicKey.from_base64(value["key"])
        except (KeyError, TypeError, AttributeError, KeyException, SignatureException):
            continue
    return None
