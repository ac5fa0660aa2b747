"""A ghost's cryptography (libolm), read back with another implementation's receiving half (vodozemac)."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest
from olm import OutboundGroupSession
from vodozemac import (
    Account,
    AnyOlmMessage,
    Curve25519PublicKey,
    InboundGroupSession,
    MegolmMessage,
    SessionKey,
)

from colloque.errors import Inconsistent
from colloque.identity import RoomId, UserId
from colloque.matrix.crosssign import Identity, canonical_json
from colloque_mssante.people.ghost_keys import MEGOLM, OLM, GhostKeys, Recipient, readers

GHOST, ANNE, ROOM = UserId("@mss_x:h.test"), UserId("@anne:h.test"), RoomId("!r")


@dataclass
class Phone:
    """Somebody's device, and what the server would say of it."""

    name: str = "PHONE"
    account: Account = field(default_factory=Account)
    identity: Identity = field(default_factory=lambda: Identity.derive(secrets.token_bytes(32), ANNE))

    def device_keys(self, *, signed: bool = True) -> dict[str, Any]:
        own: dict[str, Any] = {
            "user_id": ANNE,
            "device_id": self.name,
            "algorithms": [OLM, MEGOLM],
            "keys": {
                f"curve25519:{self.name}": self.account.curve25519_key.to_base64(),
                f"ed25519:{self.name}": self.account.ed25519_key.to_base64(),
            },
        }
        signature = self.account.sign(canonical_json(own)).to_base64()
        own["signatures"] = {ANNE: {f"ed25519:{self.name}": signature}}
        return self.identity.signed_device(own) if signed else own

    def queried(self, *, signed: bool = True) -> dict[str, Any]:
        body = self.identity.upload_body()
        return {
            "device_keys": {ANNE: {self.name: self.device_keys(signed=signed)}},
            "master_keys": {ANNE: body["master_key"]},
            "self_signing_keys": {ANNE: body["self_signing_key"]},
        }

    def claimed(self, by: Account | None = None) -> dict[str, Any]:
        self.account.generate_one_time_keys(1)
        [(key_id, key)] = self.account.one_time_keys.items()
        value = {"key": key.to_base64()}
        signature = (by or self.account).sign(canonical_json(value)).to_base64()
        self.account.mark_keys_as_published()
        return {f"signed_curve25519:{key_id}": value | {"signatures": {ANNE: {f"ed25519:{self.name}": signature}}}}

    def receive(self, content: dict[str, Any]) -> dict[str, Any]:
        mine = content["ciphertext"][self.account.curve25519_key.to_base64()]
        raw = base64.b64decode(mine["body"] + "=" * (-len(mine["body"]) % 4))
        message = AnyOlmMessage.from_parts(mine["type"], raw).to_pre_key()
        assert message is not None
        _, plain = self.account.create_inbound_session(Curve25519PublicKey.from_base64(content["sender_key"]), message)
        payload: dict[str, Any] = json.loads(plain)
        return payload


def only(phone: Phone) -> Recipient:
    [device] = readers(phone.queried()).signed
    return device


def test_a_room_key_is_received_and_opens_what_is_sealed() -> None:
    phone, ghost, session = Phone(), GhostKeys.new(GHOST, "DEV"), OutboundGroupSession()
    content = ghost.room_key(only(phone), phone.claimed(), ROOM, session)
    assert content is not None
    got = phone.receive(content)
    assert (got["sender"], got["sender_device"], got["recipient"]) == (GHOST, "DEV", ANNE)
    assert got["keys"]["ed25519"] == ghost.fingerprint
    assert got["recipient_keys"]["ed25519"] == phone.account.ed25519_key.to_base64()
    said = {"msgtype": "m.text", "body": "Noël 😀", "m.relates_to": {"m.in_reply_to": {"event_id": "$e"}}}
    sealed = ghost.seal(ROOM, session, "m.room.message", said)
    assert sealed["m.relates_to"] == said["m.relates_to"]
    assert "Noël" not in json.dumps(sealed, ensure_ascii=False)
    inbound = InboundGroupSession(SessionKey(got["content"]["session_key"]))
    assert inbound.session_id == sealed["session_id"] == got["content"]["session_id"]
    plain = json.loads(inbound.decrypt(MegolmMessage.from_base64(sealed["ciphertext"])).plaintext)
    assert plain == {"room_id": ROOM, "type": "m.room.message", "content": said}


def test_only_devices_signed_by_their_owner_are_given_keys() -> None:
    phone = Phone()
    found = readers(phone.queried(signed=False))
    assert found.signed == ()
    assert found.unsigned == ((ANNE, "PHONE"),)
    stranger = Phone(account=phone.account)
    mixed = phone.queried() | {"device_keys": {ANNE: {"PHONE": stranger.device_keys()}}}
    assert readers(mixed).unsigned == ((ANNE, "PHONE"),)


@pytest.mark.parametrize(
    "answer",
    [{}, {"device_keys": {ANNE: {"X": None}}}, {"device_keys": {ANNE: {"X": {"keys": "?"}}}}],
    ids=["empty", "null", "no-keys"],
)
def test_a_malformed_answer_gives_nobody_a_key(answer: dict[str, Any]) -> None:
    assert readers(answer).signed == ()


def test_a_one_time_key_that_the_device_did_not_sign_is_refused() -> None:
    phone, ghost, session = Phone(), GhostKeys.new(GHOST, "DEV"), OutboundGroupSession()
    device = only(phone)
    assert ghost.room_key(device, phone.claimed(by=Account()), ROOM, session) is None
    assert ghost.room_key(device, {}, ROOM, session) is None
    assert ghost.room_key(device, {"signed_curve25519:A": {"key": "?"}}, ROOM, session) is None


def test_an_impossible_device_key_stops_nobody_else() -> None:
    phone, ghost = Phone(), GhostKeys.new(GHOST, "DEV")
    broken = Recipient(ANNE, "PHONE", "AAAA", phone.account.ed25519_key.to_base64())
    assert ghost.room_key(broken, phone.claimed(), ROOM, OutboundGroupSession()) is None


def test_device_keys_survive_the_store_and_bear_their_own_signature() -> None:
    ghost, key = GhostKeys.new(GHOST, "DEV"), secrets.token_bytes(32)
    again = GhostKeys.unpickle(GHOST, "DEV", ghost.pickle(key), key)
    assert again.device_keys() == ghost.device_keys()
    assert set(ghost.device_keys()["signatures"][GHOST]) == {"ed25519:DEV"}
    with pytest.raises(Inconsistent):
        GhostKeys.unpickle(GHOST, "DEV", ghost.pickle(key), secrets.token_bytes(32))
