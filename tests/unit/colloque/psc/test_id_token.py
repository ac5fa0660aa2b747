"""Tokens that must not be believed, one attack each."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.errors import ColloqueError, Refused, Tampered
from colloque.psc.id_token import Expected, UnknownKey, check, read_keys
from tests.servers.psc_tokens import Signer, id_claims

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
ISSUER, US = "https://auth.test/realm", "colloque"
GOOD, OTHER, SHORT = Signer(), Signer("k2"), Signer("short", bits=1024)
EXPECTED = Expected(ISSUER, US, "n-1")
KEYS = read_keys(GOOD.jwks(SHORT))
DEEP = "[" * 100_000


def claims(**changes: Any) -> dict[str, Any]:
    return id_claims(NOW, ISSUER, US, **{"sub": "f:1:8"} | changes)


def test_a_good_token_is_believed() -> None:
    assert check(GOOD.sign(claims()), KEYS, EXPECTED, NOW)["sub"] == "f:1:8"
    assert check(GOOD.sign(claims(nonce=None)), KEYS, Expected(ISSUER, US, None), NOW)
    assert check(GOOD.sign(claims(aud=[US, "other"])), KEYS, EXPECTED, NOW)
    assert check(GOOD.sign(claims(azp=None, typ=None)), KEYS, EXPECTED, NOW)


def test_clocks_may_be_a_minute_apart() -> None:
    assert check(GOOD.sign(claims(exp=AT - 59, iat=AT - 600)), KEYS, EXPECTED, NOW)
    assert check(GOOD.sign(claims(iat=AT + 59)), KEYS, EXPECTED, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://auth.test/realm/"},
        {"iss": None},
        {"iss": [ISSUER]},
        {"aud": "other"},
        {"aud": None},
        {"aud": []},
        {"aud": {US: 1}},
        {"aud": [US, "other"], "azp": None},
        {"aud": [US, "other"], "azp": "other"},
        {"azp": "other"},
        {"typ": "Bearer"},
        {"nonce": "n-2"},
        {"nonce": None},
        {"nonce": ["n-1"]},
        {"sub": None},
        {"sub": ""},
        {"exp": AT - 60},
        {"exp": None},
        {"exp": str(AT + 300)},
        {"exp": True},
        {"exp": 10**400},
        {"iat": None},
        {"iat": AT + 61},
        {"nbf": AT + 61},
        {"nbf": "soon"},
    ],
    ids=str,
)
def test_what_it_says_must_be_right(changes: dict[str, Any]) -> None:
    with pytest.raises(Tampered):
        check(GOOD.sign(claims(**changes)), KEYS, EXPECTED, NOW)


def test_infinity_is_no_date() -> None:
    forged = GOOD.sign(claims(exp=float("inf")))
    with pytest.raises(Tampered):
        check(forged, KEYS, EXPECTED, NOW)


@pytest.mark.parametrize("acr", ["eidas2", "eidas10", "", None, ["eidas1"], 1])
def test_another_level_is_refused_by_its_code(acr: object) -> None:
    with pytest.raises(Refused) as caught:
        check(GOOD.sign(claims(acr=acr)), KEYS, EXPECTED, NOW)
    assert caught.value.reason == "psc_acr"


FORGED: dict[str, Callable[[], object]] = {
    "none": lambda: GOOD.unsigned(claims()),
    "None": lambda: GOOD.unsigned(claims(), "None"),
    "signature left out": lambda: GOOD.sign(claims()).rpartition(".")[0] + ".",
    "only two parts": lambda: GOOD.sign(claims()).rpartition(".")[0],
    "public key as password": lambda: GOOD.with_public_key(claims()),
    "key set as password": lambda: GOOD.with_public_key(claims(), GOOD.jwks()),
    "another key under a good name": lambda: OTHER.sign(claims(), kid="k1"),
    "its own key in the header": lambda: OTHER.sign(claims(), kid="k1", jwk=OTHER.jwk),
    "another algorithm than the key's": lambda: GOOD.sign(claims(), algorithm="PS256"),
    "a critical extension": lambda: GOOD.sign(claims(), crit=["b64"], b64=True),
    "a list": lambda: [GOOD.sign(claims())],
    "bytes": lambda: GOOD.sign(claims()).encode(),
    "nothing": lambda: None,
    "huge": lambda: GOOD.sign(claims(more="x" * 70_000)),
    "other claims under a good signature": lambda: ".".join(
        [*GOOD.unsigned(claims(sub="f:1:9")).split(".")[:2], GOOD.sign(claims()).rpartition(".")[2]]
    ),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_not_believed(forged: Callable[[], object]) -> None:
    with pytest.raises(Tampered):
        check(forged(), KEYS, EXPECTED, NOW)


@pytest.mark.filterwarnings("ignore:.*below.*:Warning")
def test_a_short_key_is_not_believed() -> None:
    with pytest.raises(Tampered):
        check(SHORT.sign(claims()), KEYS, EXPECTED, NOW)


def test_an_unknown_key_is_told_apart() -> None:
    with pytest.raises(UnknownKey):
        check(OTHER.sign(claims()), KEYS, EXPECTED, NOW)


def test_only_public_signing_keys_are_taken() -> None:
    more = [
        {"kty": "oct", "kid": "o", "k": "c2VjcmV0"},
        GOOD.jwk | {"kid": "e", "use": "enc"},
        {"kty": "RSA"},
        "key",
        GOOD.jwk,
    ]
    assert set(read_keys(json.dumps({"keys": more}).encode())) == {"k1"}


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"keys": {}}', DEEP.encode(), json.dumps({"keys": [GOOD.jwk] * 2}).encode()]
)
def test_a_key_set_of_another_shape_is_refused(raw: bytes) -> None:
    with pytest.raises(Tampered):
        read_keys(raw)


@given(st.binary(max_size=300))
def test_no_key_set_breaks_it(raw: bytes) -> None:
    with contextlib.suppress(ColloqueError):
        read_keys(raw)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "n", "e", "crv", "x", "y", "alg", "kid"]), st.text(max_size=8) | st.integers()
    )
)
def test_no_key_breaks_it(changes: dict[str, Any]) -> None:
    keys = {"k1": GOOD.jwk | changes}
    with contextlib.suppress(ColloqueError):
        check(GOOD.sign(claims()), keys, EXPECTED, NOW)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_text_breaks_it(head: str, body: str, signature: str) -> None:
    with pytest.raises(ColloqueError):
        check(f"{head}.{body}.{signature}", KEYS, EXPECTED, NOW)
