"""The federation list: read strictly, never altered, never older."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.errors import BadInput, Refused, Tampered
from colloque.federation.ed25519 import PrivateKey, verify
from colloque.identity import UserId
from colloque.policy.federation import AHEAD, No, Use, judge
from colloque.policy.federation_list import TYPE, list_json, open_list, public_key, read_list, sign_list
from colloque.policy.jws import b64, seal
from tests.federation import KID, NOW, Authority, Member, listing

AUTHORITY = Authority()
ONE, OTHER = Member("chu-a.test"), Member("chu-b.test", api="https://b.test:8443")
LIST = listing(ONE, OTHER, version=7)
SIGNED = AUTHORITY.sign(LIST)
SECOND = timedelta(seconds=1)


def test_what_is_signed_is_read_again() -> None:
    assert open_list(SIGNED, AUTHORITY.pins, verify) == LIST
    assert read_list(json.loads(json.dumps(list_json(LIST)))) == LIST


def test_who_can_prove_an_erasure_has_a_key_for_receipts_that_has_begun() -> None:
    entry = ONE.entry()
    assert entry.salles == "@salles:chu-a.test"
    assert entry.erases_until(NOW) == max(key.not_after for key in entry.keys)
    assert entry.erases_until(NOW - timedelta(days=2)) is None
    assert replace(ONE, receipts=None).entry().erases_until(NOW) is None
    assert replace(ONE, bots=(UserId("@annuaire:chu-a.test"),)).entry().salles is None


@given(place=st.integers(0, len(SIGNED) - 1), byte=st.integers(0, 255))
def test_no_altered_list_verifies(place: int, byte: int) -> None:
    altered = SIGNED[:place] + bytes([byte]) + SIGNED[place + 1 :]
    if altered == SIGNED:
        return
    with pytest.raises(Tampered):
        open_list(altered, AUTHORITY.pins, verify)


def test_only_a_pinned_key_of_that_name_signs() -> None:
    for pins in ({}, {"authority-2": AUTHORITY.key.public}, {KID: PrivateKey.generate().public}):
        with pytest.raises(Tampered):
            open_list(SIGNED, pins, verify)
    with pytest.raises(Tampered):
        open_list(seal("fr.colloque.request", KID, list_json(LIST), AUTHORITY.key.sign), AUTHORITY.pins, verify)


def test_a_signed_text_that_is_no_list_is_refused() -> None:
    with pytest.raises(Tampered, match="version"):
        open_list(seal(TYPE, KID, list_json(LIST) | {"version": 0}, AUTHORITY.key.sign), AUTHORITY.pins, verify)


def _broken() -> list[tuple[str, Any]]:
    return [
        ("format", 2), ("format", True), ("version", 0), ("version", True), ("version", "7"), ("version", 2**53),
        ("issued", "2026-03-02"), ("issued", 0), ("expires", "2026-03-02T09:00:00Z"), ("servers", {}),
        ("servers.0.server", "CHU-A.test"), ("servers.0.server", "chu-b.test"), ("servers.0.server", "a..b"),
        ("servers.0.server", "chu-a.test/"), ("servers.0.finess", "540000016"), ("servers.0.organisation", ""),
        ("servers.0.organisation", "a\nb"), ("servers.0.contact", "x" * 201), ("servers.0.capabilities", "attestation"),
        ("servers.0.capabilities", ["A"]), ("servers.0.bots", "@a:chu-a.test"), ("servers.0.bots", ["@a:chu-b.test"]),
        ("servers.0.bots", ["annuaire"]), ("servers.0.bots", [1]), ("servers.0.bots", [" @a:chu-a.test"]),
        ("servers.0.ghosts", ""), ("servers.0.ghosts", 1), ("servers.0.ghosts", "mss"), ("servers.0.ghosts", "_"),
        ("servers.0.ghosts", "Mss_"), ("servers.0.ghosts", "@mss_"), ("servers.0.api", "http://a.test"),
        ("servers.0.api", "https://"),
        ("servers.0.api", "https://a.test/"), ("servers.0.api", "https://a.test/x"), ("servers.0.api", "https://u@a.test"),
        ("servers.0.api", "https://a.test:port"), ("servers.0.api", "https://a.test?x=1"), ("servers.0.keys", None),
        ("servers.0.keys.0.kid", "a b"), ("servers.0.keys.0.use", "tls"), ("servers.0.keys.0.key", "AA"),
        ("servers.0.keys.0.key", 1), ("servers.0.keys.0.not_after", "2020-01-01T00:00:00Z"), ("servers.0.keys.0", []),
        ("servers.0", "chu-a.test"), ("more", 1), ("servers.0.more", 1), ("servers.0.keys.0.more", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(("where", "value"), _broken())
def test_a_wrong_list_is_refused_and_the_place_is_named(where: str, value: object) -> None:
    raw = copy.deepcopy(list_json(LIST))
    *path, last = [int(step) if step.isdecimal() else step for step in where.split(".")]
    at: Any = raw
    for step in path:
        at = at[step]
    at[last] = value
    with pytest.raises(BadInput) as caught:
        read_list(raw)
    named = str(caught.value)
    assert str(last) in named or "servers" in named or "expires" in named


def test_a_bridges_ghosts_are_said_or_left_out() -> None:
    """Lists that were signed before they could be said still hold."""
    (one, *_), others = LIST.servers.values(), dict(LIST.servers)
    assert "ghosts" not in list_json(LIST)["servers"][0]
    with_ghosts = replace(LIST, servers=others | {one.server: replace(one, ghosts="mss_")})
    assert read_list(json.loads(json.dumps(list_json(with_ghosts)))) == with_ghosts


def test_nothing_may_be_missing_or_doubled() -> None:
    raw = list_json(LIST)
    for name in raw:
        with pytest.raises(BadInput, match=name):
            read_list({k: v for k, v in raw.items() if k != name})
    doubled = copy.deepcopy(raw)
    doubled["servers"][0]["keys"] *= 2
    with pytest.raises(BadInput, match="twice"):
        read_list(doubled)


def test_a_newer_list_replaces_an_older_one() -> None:
    assert judge(None, LIST, NOW)
    assert judge(LIST, replace(LIST, version=8), NOW)
    assert judge(LIST, replace(LIST, version=8, issued=NOW + SECOND), NOW + SECOND)
    assert judge(LIST, LIST, NOW) is False


@pytest.mark.parametrize(
    ("fresh", "no"),
    [
        (replace(LIST, version=6), No.ROLLBACK),
        (replace(LIST, version=8, issued=NOW - SECOND), No.ROLLBACK),
        (replace(LIST, servers={}), No.FORKED),
        (replace(LIST, version=8, expires=NOW, issued=NOW - SECOND), No.EXPIRED),
        (replace(LIST, version=8, issued=NOW + AHEAD + SECOND), No.TOO_EARLY),
    ],
)
def test_what_does_not_replace_it(fresh: Any, no: No) -> None:
    with pytest.raises(Refused) as caught:
        judge(LIST, fresh, NOW)
    assert caught.value.reason == no


def test_a_list_lists_nobody_before_and_after() -> None:
    assert [LIST.is_valid(at) for at in (NOW - AHEAD, NOW, LIST.expires - SECOND)] == [True] * 3
    assert [LIST.is_valid(at) for at in (NOW - AHEAD - SECOND, LIST.expires)] == [False] * 2


def test_a_key_serves_one_use_while_it_is_valid() -> None:
    entry = LIST.servers["chu-a.test"]
    key = entry.keys[0]
    assert entry.key(Use.ATTESTATION, "k-1", NOW) == ONE.key.public
    assert entry.key(Use.ERASURE, "k-1", NOW) is None
    assert entry.key(Use.ATTESTATION, "k-2", NOW) is None
    assert entry.key(Use.ATTESTATION, "k-1", key.not_before - SECOND) is None
    assert entry.key(Use.ATTESTATION, "k-1", key.not_after) is None


def test_public_keys_as_configurations_write_them() -> None:
    assert public_key(b64(ONE.key.public)) == ONE.key.public
    for wrong in ("", "AAAA", b64(ONE.key.public) + "=", None):
        with pytest.raises(BadInput):
            public_key(wrong)


def test_a_list_too_long_is_not_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colloque.policy.federation_list.MAX_BYTES", 100)
    with pytest.raises(BadInput, match="at most"):
        sign_list(LIST, KID, AUTHORITY.key.sign)
