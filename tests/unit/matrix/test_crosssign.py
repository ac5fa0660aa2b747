"""Whether a device is its owner's is decided by a chain of signatures; every link is tried broken."""

from __future__ import annotations

import base64
import copy
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from colloque.identity import UserId
from colloque.matrix.crosssign import (
    Identity,
    Seeds,
    canonical_json,
    derive_seeds,
    device_signed_by_owner,
    unpadded,
)

ALICE = UserId("@alice:example.org")
MALLORY = UserId("@mallory:example.org")
SECRET = bytes(range(32))
DEVICE = "PHONE"

Answer = dict[str, Any]


def device_keys(user: str, name: str, key: Ed25519PrivateKey) -> dict[str, Any]:
    """A device's keys, signed by itself, as a client uploads them."""
    public = unpadded(key.public_key().public_bytes_raw())
    body: dict[str, Any] = {
        "user_id": user,
        "device_id": name,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {f"ed25519:{name}": public, f"curve25519:{name}": unpadded(secrets.token_bytes(32))},
    }
    return {**body, "signatures": {user: {f"ed25519:{name}": unpadded(key.sign(canonical_json(body)))}}}


def answer_for(identity: Identity, *, signed: bool = True) -> Answer:
    """What `POST /keys/query` answers for a user with one device."""
    body = identity.upload_body()
    device = device_keys(identity.user, DEVICE, Ed25519PrivateKey.generate())
    return {
        "device_keys": {identity.user: {DEVICE: identity.signed_device(device) if signed else device}},
        "master_keys": {identity.user: body["master_key"]},
        "self_signing_keys": {identity.user: body["self_signing_key"]},
        "user_signing_keys": {identity.user: body["user_signing_key"]},
    }


@pytest.fixture
def alice() -> Identity:
    return Identity.derive(SECRET, ALICE)


def test_seeds_are_stable_distinct_and_hidden() -> None:
    seeds = derive_seeds(SECRET, ALICE)
    assert seeds == derive_seeds(SECRET, ALICE)
    # Fixed for ever: another value would reset every identity.
    assert seeds.master.hex() == "3b5685a420b759150994faa098dbed24b2d62fd83f472339a3c14ea60bfff853"
    everyone = {seeds.master, seeds.self_signing, seeds.user_signing, derive_seeds(SECRET, MALLORY).master}
    assert len(everyone | {derive_seeds(secrets.token_bytes(32), ALICE).master}) == 5
    assert seeds.master.hex() not in repr(seeds)
    assert "master" not in repr(seeds)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        derive_seeds(b"x" * 31, ALICE)


def test_a_device_signed_by_its_owner_is_accepted(alice: Identity) -> None:
    answer = answer_for(alice)
    assert device_signed_by_owner(answer, ALICE, DEVICE)
    # What the server adds in `unsigned` is not signed, and other signatures do not matter.
    device = answer["device_keys"][ALICE][DEVICE]
    device["unsigned"] = {"device_display_name": "téléphone"}
    device["signatures"][MALLORY] = {"ed25519:X": "AAAA"}
    assert device_signed_by_owner(answer, ALICE, DEVICE)


def test_an_unsigned_device_is_not(alice: Identity) -> None:
    answer = answer_for(alice, signed=False)
    assert not device_signed_by_owner(answer, ALICE, DEVICE)
    assert not device_signed_by_owner(answer_for(alice), ALICE, "OTHER")
    assert not device_signed_by_owner(answer_for(alice), MALLORY, DEVICE)
    assert not device_signed_by_owner({}, ALICE, DEVICE)


def _swap(where: str, part: str) -> Callable[[Answer], None]:
    """Put the same part of another identity of the same user in its place."""
    other = answer_for(Identity.derive(secrets.token_bytes(32), ALICE))

    def spoil(answer: Answer) -> None:
        answer[where][ALICE] = other[where][ALICE]

    spoil.__name__ = part
    return spoil


def _edit(*steps: str, value: Any) -> Callable[[Answer], None]:
    def spoil(answer: Answer) -> None:
        inner: Any = answer
        for step in steps[:-1]:
            inner = inner[step]
        assert inner[steps[-1]] != value
        inner[steps[-1]] = value

    spoil.__name__ = ".".join(steps[-2:])
    return spoil


def _drop(*steps: str) -> Callable[[Answer], None]:
    def spoil(answer: Answer) -> None:
        inner: Any = answer
        for step in steps[:-1]:
            inner = inner[step]
        del inner[steps[-1]]

    spoil.__name__ = "no " + ".".join(steps)
    return spoil


def _resigned_for_mallory(answer: Answer) -> None:
    """Mallory's own signed device, shown under Alice's name."""
    theirs = answer_for(Identity.derive(SECRET, MALLORY))
    answer["device_keys"][ALICE] = theirs["device_keys"][MALLORY]


def _everything_of_mallory(answer: Answer) -> None:
    theirs = answer_for(Identity.derive(SECRET, MALLORY))
    for kind in answer:
        answer[kind] = {ALICE: theirs[kind][MALLORY]}


def _master_signs_device(answer: Answer) -> None:
    """Signed by the master key itself, claiming to be the self-signing key: a link is skipped."""
    answer["self_signing_keys"][ALICE] = copy.deepcopy(answer["master_keys"][ALICE])


def _second_key(answer: Answer) -> None:
    answer["master_keys"][ALICE]["keys"]["ed25519:AAAA"] = "AAAA"


def _mislabelled(answer: Answer) -> None:
    keys = answer["master_keys"][ALICE]["keys"]
    [(key_id, public)] = keys.items()
    del keys[key_id]
    keys["ed25519:else"] = public


def _new_curve_key(answer: Answer) -> None:
    answer["device_keys"][ALICE][DEVICE]["keys"][f"curve25519:{DEVICE}"] = unpadded(bytes(32))


def _bad_base64(answer: Answer) -> None:
    signatures = answer["device_keys"][ALICE][DEVICE]["signatures"][ALICE]
    for key_id in signatures:
        signatures[key_id] = "é!" + signatures[key_id]


def _own_signature_only_kept(answer: Answer) -> None:
    """The device's own signature is gone: the owner signed something the device never said."""
    del answer["device_keys"][ALICE][DEVICE]["signatures"][ALICE][f"ed25519:{DEVICE}"]


SPOILS = [
    _swap("master_keys", "other master key"),
    _swap("self_signing_keys", "other self-signing key"),
    _edit("device_keys", ALICE, DEVICE, "user_id", value=MALLORY),
    _edit("device_keys", ALICE, DEVICE, "device_id", value="LAPTOP"),
    _edit("device_keys", ALICE, DEVICE, "keys", value=None),
    _edit("device_keys", ALICE, DEVICE, "signatures", value=[]),
    _edit("master_keys", ALICE, "user_id", value=MALLORY),
    _edit("master_keys", ALICE, "usage", value=["self_signing"]),
    _edit("self_signing_keys", ALICE, "usage", value=["user_signing"]),
    _edit("self_signing_keys", ALICE, "signatures", value={}),
    _edit("self_signing_keys", ALICE, value="text"),
    _drop("master_keys"),
    _drop("self_signing_keys", ALICE),
    _drop("device_keys", ALICE, DEVICE, "signatures", ALICE),
    _resigned_for_mallory,
    _everything_of_mallory,
    _master_signs_device,
    _second_key,
    _mislabelled,
    _new_curve_key,
    _bad_base64,
    _own_signature_only_kept,
]


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda s: s.__name__.strip("_"))
def test_a_forged_chain_is_refused(alice: Identity, spoil: Callable[[Answer], None]) -> None:
    answer = answer_for(alice)
    assert device_signed_by_owner(answer, ALICE, DEVICE)
    spoil(answer)
    assert not device_signed_by_owner(answer, ALICE, DEVICE)


@given(st.data())
def test_no_single_changed_byte_survives(data: st.DataObject) -> None:
    answer = answer_for(Identity.derive(SECRET, ALICE))
    where = data.draw(st.sampled_from(["master_keys", "self_signing_keys", "device_keys"]))
    part = answer[where][ALICE] if where != "device_keys" else answer[where][ALICE][DEVICE]
    keys = part["keys"]
    name = data.draw(st.sampled_from(sorted(keys)))
    raw = bytearray(base64.b64decode(keys[name] + "="))
    raw[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    changed = unpadded(bytes(raw))
    del keys[name]
    keys[name if where == "device_keys" else f"ed25519:{changed}"] = changed
    assert not device_signed_by_owner(answer, ALICE, DEVICE)


def test_signing_keeps_other_signatures_and_leaves_unsigned_out(alice: Identity) -> None:
    device = device_keys(ALICE, DEVICE, Ed25519PrivateKey.generate()) | {"unsigned": {"device_display_name": "x"}}
    signed = alice.signed_device(device)
    assert set(signed["signatures"][ALICE]) == {f"ed25519:{DEVICE}", f"ed25519:{alice.self_signing}"}
    assert "unsigned" not in signed
    assert set(device["signatures"][ALICE]) == {f"ed25519:{DEVICE}"}, "the argument is left as it was"


def test_canonical_json_is_as_the_spec_prints_it() -> None:
    # Source: Matrix specification, appendix "Canonical JSON", examples.
    assert canonical_json({"b": "2", "a": "1"}) == b'{"a":"1","b":"2"}'
    assert canonical_json({"本": 2, "日": 1}) == '{"日":1,"本":2}'.encode()
    assert canonical_json({"a": None}) == b'{"a":null}'
    assert canonical_json({"a": "日"}) == '{"a":"日"}'.encode()


def test_seeds_make_the_keys_they_are(alice: Identity) -> None:
    seeds = derive_seeds(SECRET, ALICE)
    assert Identity(ALICE, Seeds(seeds.master, seeds.self_signing, seeds.user_signing)).master == alice.master
    assert len({alice.master, alice.self_signing, alice.user_signing}) == 3
