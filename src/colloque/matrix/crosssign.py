"""Cross-signing: an account's identity, and whether a device is signed by its owner.

nio has no cross-signing and mautrix makes a new identity at every start, so both stacks use this. An identity is
derived (HKDF-SHA256) from one secret file: losing a crypto store never resets it.
Source: Matrix client-server API, "Cross-signing" and appendix "Signing JSON".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from colloque.errors import Inconsistent, Tampered
from colloque.identity import UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path

_SALT = b"fr.colloque cross-signing 1"


@dataclass(frozen=True, slots=True)
class Seeds:
    """Three Ed25519 private keys, 32 bytes each. Never shown."""

    master: bytes = field(repr=False)
    self_signing: bytes = field(repr=False)
    user_signing: bytes = field(repr=False)


def derive_seeds(secret: bytes, user: UserId) -> Seeds:
    """The seeds of `user`, always the same for the same secret. Refuses a secret under 32 bytes."""
    if len(secret) < 32:
        raise ValueError("the identity secret must have at least 32 bytes")

    def one(usage: str) -> bytes:
        return HKDF(SHA256(), 32, _SALT, f"{usage}\0{user}".encode()).derive(secret)

    return Seeds(one("master"), one("self_signing"), one("user_signing"))


def canonical_json(value: object) -> bytes:
    """Canonical JSON: keys sorted by code point, no spaces, UTF-8, no floats that are not numbers."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()


def unpadded(data: bytes) -> str:
    """Unpadded base64, as Matrix writes keys and signatures."""
    return base64.b64encode(data).decode().rstrip("=")


class Identity:
    """One account's cross-signing keys. Public halves are unpadded base64."""

    def __init__(self, user: UserId, seeds: Seeds) -> None:
        self.user = user
        self._master = Ed25519PrivateKey.from_private_bytes(seeds.master)
        self._self_signing = Ed25519PrivateKey.from_private_bytes(seeds.self_signing)
        self._user_signing = Ed25519PrivateKey.from_private_bytes(seeds.user_signing)
        self.master = _public(self._master)
        self.self_signing = _public(self._self_signing)
        self.user_signing = _public(self._user_signing)

    @classmethod
    def derive(cls, secret: bytes, user: UserId) -> Identity:
        """From the secret file's content."""
        return cls(user, derive_seeds(secret, user))

    def upload_body(self) -> JsonDict:
        """The body of `POST /keys/device_signing/upload`."""
        return {
            "master_key": self._key("master", self.master),
            "self_signing_key": self._signed(self._key("self_signing", self.self_signing), self._master, self.master),
            "user_signing_key": self._signed(self._key("user_signing", self.user_signing), self._master, self.master),
        }

    def signed_device(self, device_keys: Mapping[str, Any]) -> JsonDict:
        """`device_keys` with the self-signing key's signature added; other signatures stay."""
        bare = {k: v for k, v in device_keys.items() if k != "unsigned"}
        return self._signed(bare, self._self_signing, self.self_signing)

    def _key(self, usage: str, public: str) -> JsonDict:
        return {"user_id": self.user, "usage": [usage], "keys": {f"ed25519:{public}": public}}

    def _signed(self, value: JsonDict, key: Ed25519PrivateKey, key_id: str) -> JsonDict:
        signature = unpadded(key.sign(_signed_part(value)))
        signatures = {user: dict(found) for user, found in value.get("signatures", {}).items()}
        signatures.setdefault(self.user, {})[f"ed25519:{key_id}"] = signature
        return {**value, "signatures": signatures}


def device_signed_by_owner(answer: Mapping[str, Any], user: UserId, device_id: str) -> bool:
    """Whether an answer of `POST /keys/query` proves that the device is its owner's.

    The whole chain is verified: the master key signs the self-signing key, which signs the device, which signs
    itself; user, device and key ids must agree. Anything malformed counts as not signed.
    """
    try:
        master = _cross_signing_key(answer["master_keys"][user], user, "master")
        signing_dict = answer["self_signing_keys"][user]
        signing = _cross_signing_key(signing_dict, user, "self_signing")
        device = answer["device_keys"][user][device_id]
        if device["user_id"] != user or device["device_id"] != device_id:
            return False
        return (
            _verifies(signing_dict, user, master, master)
            and _verifies(device, user, device_id, device["keys"][f"ed25519:{device_id}"])
            and _verifies(device, user, signing, signing)
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


async def ensure_identity(api: MatrixApi, identity: Identity, device_id: str, *, fingerprint: str) -> None:
    """See to it that the server has this identity and that it signs the device. Never resets an identity.

    `fingerprint` is the device's own Ed25519 key as its crypto store has it: nothing else gets signed, whatever
    the server answers. The device's keys must have been uploaded before. A first upload needs no password
    (Synapse, MSC3967), an appservice never does.
    Raises Inconsistent (another identity, or no such device), Tampered, HomeUnavailable, HomeRefused.
    """
    answer = await _query(api, identity.user)
    ours = {"master_keys": identity.master, "self_signing_keys": identity.self_signing}
    present = {kind: _public_of(answer, kind, identity.user) for kind in ours}
    if any(found not in {None, ours[kind]} for kind, found in present.items()):
        raise Inconsistent("the account has another cross-signing identity: it is not replaced")
    if None in present.values():
        await api.call("POST", path(CLIENT, "keys", "device_signing", "upload"), identity.upload_body())
        answer = await _query(api, identity.user)
    device = answer.get("device_keys", {}).get(identity.user, {}).get(device_id)
    if device is None:
        raise Inconsistent("the device's keys are not on the server")
    if device.get("keys", {}).get(f"ed25519:{device_id}") != fingerprint or not _verifies(
        device, identity.user, device_id, fingerprint
    ):
        raise Tampered("the server shows other keys for our device")
    if device_signed_by_owner(answer, identity.user, device_id):
        return
    body = {identity.user: {device_id: identity.signed_device(device)}}
    await api.call("POST", path(CLIENT, "keys", "signatures", "upload"), body)
    if not device_signed_by_owner(await _query(api, identity.user), identity.user, device_id):
        raise Inconsistent("the server did not keep the device's signature")


async def signed_devices(api: MatrixApi, user: UserId) -> frozenset[str]:
    """Ids of the user's devices that the user has signed, as the server says now. Raises as `MatrixApi.call`."""
    answer = await _query(api, user)
    names = answer.get("device_keys", {}).get(user, {})
    return frozenset(name for name in names if device_signed_by_owner(answer, user, name))


async def has_signed_device(api: MatrixApi, user: UserId) -> bool:
    """True when at least one device is. Raises as `signed_devices`."""
    return bool(await signed_devices(api, user))


async def master_key(api: MatrixApi, user: UserId) -> str | None:
    """The public master key of the user's identity, as the server says now; None when there is none."""
    return _public_of(await _query(api, user), "master_keys", user)


async def _query(api: MatrixApi, user: UserId) -> JsonDict:
    return await api.call("POST", path(CLIENT, "keys", "query"), {"device_keys": {user: []}})


def _public_of(answer: JsonDict, kind: str, user: UserId) -> str | None:
    keys = answer.get(kind, {}).get(user, {}).get("keys", {})
    return next(iter(keys.values()), None)


def _cross_signing_key(value: Mapping[str, Any], user: UserId, usage: str) -> str:
    """The public key. Raises ValueError when the object is not `user`'s `usage` key."""
    [(key_id, public)] = value["keys"].items()
    if value["user_id"] != user or usage not in value["usage"] or key_id != f"ed25519:{public}":
        raise ValueError("not that key")
    return str(public)


def _verifies(value: Mapping[str, Any], user: UserId, key_id: str, public: str) -> bool:
    try:
        signature = _decoded(value["signatures"][user][f"ed25519:{key_id}"])
        Ed25519PublicKey.from_public_bytes(_decoded(public)).verify(signature, _signed_part(value))
    except (KeyError, TypeError, ValueError, AttributeError, InvalidSignature):
        return False
    return True


def _signed_part(value: Mapping[str, Any]) -> bytes:
    return canonical_json({k: v for k, v in value.items() if k not in {"signatures", "unsigned"}})


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _public(key: Ed25519PrivateKey) -> str:
    return unpadded(key.public_key().public_bytes_raw())
