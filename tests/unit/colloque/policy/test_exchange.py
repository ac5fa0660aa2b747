"""Signed requests and answers between servers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.clock import to_millis
from colloque.errors import Refused, Tampered
from colloque.federation.ed25519 import verify
from colloque.policy.exchange import (
    REQUEST_TYPE,
    WINDOW,
    Asked,
    check_answer,
    digest_of,
    open_request,
    sign_answer,
    sign_request,
)
from colloque.policy.jws import b64, seal
from tests.federation import NOW, Member, keys_of, listing

A, B, STRANGER = Member("chu-a.test"), Member("chu-b.test"), Member("evil.test")
KEY_OF = keys_of(listing(A, B))
PATH, BODY, NONCE = "/_colloque/v1/attestation", b'{"user":"@x:chu-b.test"}', b"n" * 16
SECOND = timedelta(seconds=1)


def ask(who: Member = A, to: str = "chu-b.test", at: datetime = NOW) -> str:
    return sign_request(who.signer, to=to, method="POST", path=PATH, body=BODY, nonce=NONCE, now=at)


REQUEST = ask()


def read(header: str, *, path: str = PATH, body: bytes = BODY, method: str = "POST", at: datetime = NOW) -> Asked:
    return open_request(
        header, server="chu-b.test", method=method, path=path, body=body, now=at, key_of=KEY_OF, verify=verify
    )


def test_a_listed_servers_request_is_heard() -> None:
    assert read(REQUEST) == Asked("chu-a.test", b64(NONCE), NOW + 2 * WINDOW)


@given(place=st.integers(0, len(REQUEST) - 1), char=st.characters(codec="ascii"))
def test_no_altered_request_is_heard(place: int, char: str) -> None:
    altered = REQUEST[:place] + char + REQUEST[place + 1 :]
    if altered == REQUEST:
        return
    with pytest.raises(Tampered):
        read(altered)


@given(place=st.integers(0, len(BODY) - 1), byte=st.integers(0, 255))
def test_no_other_body_is_heard(place: int, byte: int) -> None:
    altered = BODY[:place] + bytes([byte]) + BODY[place + 1 :]
    if altered == BODY:
        return
    with pytest.raises(Tampered):
        read(REQUEST, body=altered)


def test_no_other_path_or_method_is_heard() -> None:
    for other in ({"path": PATH + "?x=1"}, {"path": "/_colloque/v1/move"}, {"method": "PUT"}):
        with pytest.raises(Tampered):
            read(REQUEST, **other)


def test_who_is_not_listed_is_not_heard() -> None:
    with pytest.raises(Tampered):
        read(ask(STRANGER))
    forged = Member("chu-a.test")
    with pytest.raises(Tampered):
        read(ask(forged))


def test_a_request_for_another_server_is_refused() -> None:
    with pytest.raises(Refused, match="elsewhere"):
        read(ask(to="cabinet-c.test"))


def test_a_request_counts_for_five_minutes() -> None:
    for at in (NOW - WINDOW, NOW, NOW + WINDOW):
        assert read(ask(at=at)).forget_at == at + 2 * WINDOW
    with pytest.raises(Refused, match="too_old"):
        read(ask(at=NOW - WINDOW - SECOND))
    with pytest.raises(Refused, match="too_early"):
        read(ask(at=NOW + WINDOW + SECOND))


def test_a_nonce_is_remembered_for_as_long_as_the_request_counts() -> None:
    asked = read(ask(at=NOW + WINDOW))
    assert asked.forget_at >= NOW + 2 * WINDOW


@pytest.mark.parametrize(
    "change",
    [{"at": "now"}, {"at": 10**30}, {"at": True}, {"nonce": "short"}, {"nonce": None}, {"more": 1}, {"from": ["x"]}],
)
def test_claims_of_another_shape_are_refused_even_when_signed(change: dict[str, Any]) -> None:
    claims: dict[str, Any] = {
        "from": "chu-a.test",
        "to": "chu-b.test",
        "method": "POST",
        "path": PATH,
        "digest": digest_of(BODY),
        "at": to_millis(NOW),
        "nonce": b64(NONCE),
    }
    assert read(seal(REQUEST_TYPE, A.kid, claims, A.key.sign)).sender == "chu-a.test"
    with pytest.raises(Tampered):
        read(seal(REQUEST_TYPE, A.kid, claims | change, A.key.sign))


def answer(who: Member = B, request: str = REQUEST, to: str = "chu-a.test") -> str:
    return sign_answer(who.signer, to=to, request=request, status=200, body=b"{}", now=NOW)


ANSWER = answer()


def check(header: str, *, request: str = REQUEST, status: int = 200, body: bytes = b"{}") -> None:
    check_answer(
        header,
        us="chu-a.test",
        peer="chu-b.test",
        request=request,
        status=status,
        body=body,
        key_of=KEY_OF,
        verify=verify,
    )


def test_an_answer_belongs_to_one_request() -> None:
    check(ANSWER)
    wrong: list[dict[str, Any]] = [{"request": ask(at=NOW + SECOND)}, {"status": 403}, {"body": b"{ }"}]
    for other in wrong:
        with pytest.raises(Tampered):
            check(ANSWER, **other)
    for header in (answer(A), answer(STRANGER), answer(to="cabinet-c.test"), REQUEST, ""):
        with pytest.raises(Tampered):
            check(header)


@given(place=st.integers(0, len(ANSWER) - 1), char=st.characters(codec="ascii"))
def test_no_altered_answer_is_believed(place: int, char: str) -> None:
    altered = ANSWER[:place] + char + ANSWER[place + 1 :]
    if altered == ANSWER:
        return
    with pytest.raises(Tampered):
        check(altered)
