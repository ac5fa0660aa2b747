"""The signed text, read in one way only."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.errors import Tampered
from colloque.federation.ed25519 import PrivateKey, verify
from colloque.policy.jws import MAX_BYTES, Jws, b64, canonical, is_kid, seal, strict_json, unb64

KEY = PrivateKey.generate()
TEXT = seal("t.type", "k-1", {"a": 1, "b": ["é", None]}, KEY.sign)


def by_hand(header: object, claims: object = {"a": 1}) -> str:
    parts = [b64(json.dumps(part).encode()) for part in (header, claims)]
    return ".".join([*parts, b64(KEY.sign(".".join(parts).encode()))])


def test_what_is_sealed_is_read_again() -> None:
    jws = Jws.read(TEXT, "t.type")
    assert jws.kid == "k-1"
    assert jws.check(KEY.public, verify) == {"a": 1, "b": ["é", None]}
    assert Jws.read(TEXT.encode(), "t.type") == jws


def test_another_key_or_none_signs_nothing() -> None:
    jws = Jws.read(TEXT, "t.type")
    with pytest.raises(Tampered):
        jws.check(PrivateKey.generate().public, verify)
    with pytest.raises(Tampered):
        jws.check(None, verify)


@given(place=st.integers(0, len(TEXT) - 1), char=st.characters(codec="ascii"))
def test_no_altered_character_holds(place: int, char: str) -> None:
    altered = TEXT[:place] + char + TEXT[place + 1 :]
    if altered == TEXT:
        return
    with pytest.raises(Tampered):
        Jws.read(altered, "t.type").check(KEY.public, verify)


@given(cut=st.integers(0, len(TEXT) - 1))
def test_no_part_holds(cut: int) -> None:
    for part in (TEXT[:cut], TEXT[cut + 1 :]):
        with pytest.raises(Tampered):
            Jws.read(part, "t.type").check(KEY.public, verify)


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_anything_else_is_tampered(anything: bytes | str) -> None:
    with pytest.raises(Tampered):
        Jws.read(anything, "t.type")


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "kid": "k-1", "typ": "t.type"},
        {"alg": "HS256", "kid": "k-1", "typ": "t.type"},
        {"alg": "ES256", "kid": "k-1", "typ": "t.type"},
        {"alg": "EdDSA", "kid": "k-1", "typ": "other"},
        {"alg": "EdDSA", "kid": "k-1"},
        {"alg": "EdDSA", "kid": "", "typ": "t.type"},
        {"alg": "EdDSA", "kid": 1, "typ": "t.type"},
        {"alg": "EdDSA", "kid": "k-1", "typ": "t.type", "jwk": {"kty": "OKP"}},
        {"alg": "EdDSA", "kid": "k-1", "typ": "t.type", "crit": ["exp"]},
        {"alg": "EdDSA", "kid": "../k", "typ": "t.type"},
        ["alg"],
    ],
)
def test_other_headers_are_refused_even_when_signed(header: object) -> None:
    with pytest.raises(Tampered):
        Jws.read(by_hand(header), "t.type")


@pytest.mark.parametrize("data", [b'{"a": 1, "a": 2}', b'{"a": NaN}', b"[]", b"{", b"\xff", b"[" * 100_000])
def test_json_has_one_meaning(data: bytes) -> None:
    with pytest.raises(Tampered):
        strict_json(data)


@given(st.binary(max_size=50))
def test_base64url_has_one_spelling(data: bytes) -> None:
    text = b64(data)
    assert unb64(text) == data
    for other in (text + "=", text + "\n", " " + text):
        with pytest.raises(Tampered):
            unb64(other)


def test_spare_bits_are_refused() -> None:
    assert unb64("QQ") == b"A"
    with pytest.raises(Tampered):
        unb64("QR")


def test_a_long_one_is_not_looked_at() -> None:
    long = seal("t.type", "k", {"a": "x" * MAX_BYTES}, KEY.sign)
    with pytest.raises(Tampered):
        Jws.read(long, "t.type")
    assert Jws.read(long, "t.type", limit=len(long)).kid == "k"


def test_names_of_keys() -> None:
    assert [is_kid(k) for k in ("a", "a-2026.1_b", "", "-a", "é", "a" * 65, 1)] == [True, True, *[False] * 5]
    assert canonical({"b": 1, "a": "é"}) == b'{"a":"\\u00e9","b":1}'
