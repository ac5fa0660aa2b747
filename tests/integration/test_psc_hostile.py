"""What our side makes of a Pro Santé Connect that lies, is broken, or is not itself."""

from __future__ import annotations

import base64
import logging
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from colloque.clock import SystemClock
from colloque.errors import ConfigError, Refused, Tampered
from colloque.psc.authorize import Pending
from colloque.psc.http_provider import Provider
from colloque.psc.http_wire import PscClientRefused, PscUnavailable
from colloque.psc.id_token import UnknownKey
from colloque_demo.pki import make_pki
from tests.servers.annuaire import rpps
from tests.servers.psc import DOCTOR, userinfo
from tests.servers.psc_hostile import RETURN, HostilePsc
from tests.servers.psc_tokens import Signer

BIG = b'{"x": "' + b"x" * 300_000 + b'"}'


@pytest.fixture
async def psc(tmp_path: Path) -> AsyncIterator[HostilePsc]:
    async with HostilePsc(tmp_path) as server:
        yield server


@pytest.fixture
async def provider(psc: HostilePsc) -> AsyncIterator[Provider]:
    async with aiohttp.ClientSession() as http:
        yield Provider(http, psc.config, SystemClock(), timeout_s=0.5, budget_s=1.0)


async def finish(provider: Provider, psc: HostilePsc) -> str:
    return (await provider.finish("code-1", psc.login(), RETURN)).rpps.value


async def test_honest_it_is_believed_and_told_what_it_needs(psc: HostilePsc, provider: Provider) -> None:
    assert await finish(provider, psc) == rpps(1).value
    headers, form = psc.last["token"]
    assert form == {
        "grant_type": "authorization_code",
        "code": "code-1",
        "redirect_uri": RETURN,
        "code_verifier": "v" * 43,
    }
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"colloque:s%20e%3Acret"
    assert psc.last["userinfo"][0]["Authorization"] == "Bearer a-1"
    assert "Authorization" not in psc.last["jwks"][0]


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "other"},
        {"iss": "https://evil.test"},
        {"nonce": "n-2"},
        {"nonce": None},
        {"exp": 1},
        {"iat": 4_000_000_000},
        {"azp": "other"},
        {"sub": "f:1:8"},
    ],
    ids=str,
)
async def test_another_login_s_token_is_not_believed(
    psc: HostilePsc, provider: Provider, claims: dict[str, Any]
) -> None:
    psc.sub = claims.pop("sub", psc.sub)
    psc.claims = claims
    with pytest.raises(Tampered):
        await finish(provider, psc)


@pytest.mark.parametrize("acr", ["eidas2", None])
async def test_another_level_is_refused(psc: HostilePsc, provider: Provider, acr: str | None) -> None:
    psc.claims = {"acr": acr}
    with pytest.raises(Refused) as caught:
        await finish(provider, psc)
    assert caught.value.reason == "psc_acr"
    assert not psc.calls["userinfo"], "nobody is asked about before the token is believed"


async def test_userinfo_of_somebody_else_is_not_believed(psc: HostilePsc, provider: Provider) -> None:
    psc.info = userinfo(rpps(2).national, "Zoé", "PETIT", DOCTOR)
    with pytest.raises(Tampered):
        await finish(provider, psc)


async def test_forged_signatures_are_not_believed(psc: HostilePsc, provider: Provider) -> None:
    for forge in (psc.signer.unsigned, psc.signer.with_public_key, Signer("k1").sign, lambda _: None):
        psc.token = forge
        with pytest.raises(Tampered):
            await finish(provider, psc)


async def test_a_new_key_is_looked_for_once(psc: HostilePsc, provider: Provider) -> None:
    await finish(provider, psc)
    await finish(provider, psc)
    assert psc.calls["jwks"] == 1
    psc.signer = Signer("k2")
    psc.published = [psc.signer]
    assert await finish(provider, psc) == rpps(1).value
    assert psc.calls["jwks"] == 2
    for kid in ("k3", "k4"):
        psc.signer = Signer(kid)
        with pytest.raises(UnknownKey):
            await finish(provider, psc)
    assert psc.calls["jwks"] == 2, "made-up names don't make us ask again and again"


async def test_an_old_key_is_forgotten(psc: HostilePsc, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    await finish(provider, psc)
    psc.published = [Signer("k2")]
    assert await finish(provider, psc)
    monkeypatch.setattr("colloque.psc.http_provider.KEYS_KEEP_S", -1.0)
    with pytest.raises(Tampered):
        await finish(provider, psc)


@pytest.mark.parametrize("name", ["userinfo", "jwks"])
async def test_a_short_trouble_after_the_code_was_used_is_overcome(psc: HostilePsc, name: str) -> None:
    psc.answers[name] = [503, 429]
    async with aiohttp.ClientSession() as http:
        provider = Provider(http, psc.config, SystemClock(), budget_s=10)  # both pauses, and a slow machine
        assert await finish(provider, psc) == rpps(1).value
    assert psc.calls["token"] == 1


@pytest.mark.parametrize("answer", [500, 503, 429, 408, 2.0])
@pytest.mark.parametrize("name", ["token", "userinfo", "jwks"])
async def test_a_long_trouble_is_temporary(psc: HostilePsc, provider: Provider, name: str, answer: Any) -> None:
    psc.answers[name] = [answer] * 9
    with pytest.raises(PscUnavailable):
        await finish(provider, psc)


@pytest.mark.parametrize("answer", [302, 404, (200, b"<html>"), (200, b"[]"), (200, BIG), (400, b"no")], ids=repr)
@pytest.mark.parametrize("name", ["token", "userinfo", "jwks"])
async def test_nonsense_is_not_understood(psc: HostilePsc, provider: Provider, name: str, answer: Any) -> None:
    psc.answers[name] = [answer]
    with pytest.raises(Tampered):
        await finish(provider, psc)


async def test_an_answer_without_end_is_not_read_to_its_end(psc: HostilePsc, provider: Provider) -> None:
    psc.info["more"] = "x" * 300_000
    with pytest.raises(Tampered):
        await finish(provider, psc)


@pytest.mark.parametrize(
    "tokens", [{"access_token": None}, {"access_token": "a\r\nX: y"}, {"token_type": "mac"}, {"id_token": None}]
)
async def test_half_an_answer_is_none(psc: HostilePsc, provider: Provider, tokens: dict[str, Any]) -> None:
    psc.tokens = tokens
    with pytest.raises(Tampered):
        await finish(provider, psc)


@pytest.mark.parametrize("answer", [401, (400, {"error": "invalid_client"}), (400, {"error": "unauthorized_client"})])
async def test_our_own_name_refused_is_for_the_operator(psc: HostilePsc, provider: Provider, answer: Any) -> None:
    psc.answers["token"] = [answer]
    with pytest.raises(PscClientRefused):
        await finish(provider, psc)


async def test_a_secret_that_others_may_read_is_not_used(psc: HostilePsc, provider: Provider) -> None:
    psc.config.client_secret.chmod(0o644)
    with pytest.raises(PscClientRefused):
        await finish(provider, psc)
    assert not psc.calls


async def test_the_one_who_answers_on_the_phone_is_the_one_asked(psc: HostilePsc, provider: Provider) -> None:
    psc.claims = {"nonce": None}
    pending = await provider.start(rpps(2), "42")
    with pytest.raises(Refused) as caught:
        await provider.poll(pending)
    assert caught.value.reason == "psc_other_person"
    psc.claims = {"nonce": None, "acr": "eidas2"}
    with pytest.raises(Refused) as caught:
        await provider.poll(replace(pending, rpps=rpps(1)))
    assert caught.value.reason == "psc_acr"


@pytest.mark.parametrize(
    "answer",
    [{"expires_in": 120}, {"auth_req_id": "", "expires_in": 120}, {"auth_req_id": "r", "expires_in": "long"}],
)
async def test_a_question_that_came_to_nothing(psc: HostilePsc, provider: Provider, answer: dict[str, Any]) -> None:
    psc.answers["ciba"] = [(200, answer)]
    with pytest.raises(Tampered):
        await provider.start(rpps(1), "42")


async def test_an_interval_is_bounded(psc: HostilePsc, provider: Provider) -> None:
    psc.answers["ciba"] = [(200, {"auth_req_id": "r", "expires_in": 10**9, "interval": 10**9})]
    pending = await provider.start(rpps(1), "42")
    assert pending.interval_s == 60
    assert (pending.expires_at - SystemClock().now()).total_seconds() <= 3600
    psc.answers["ciba"] = [(200, {"auth_req_id": "r", "expires_in": 60})]
    assert (await provider.start(rpps(1), "42")).interval_s == 5


async def test_tokens_and_people_are_in_no_log(
    psc: HostilePsc, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    psc.info["sub"] = "f:other"
    with pytest.raises(Tampered) as caught:
        await finish(provider, psc)
    pending = Pending(rpps(1), "r-1", SystemClock().now(), 1.0)
    said = caplog.text + str(caught.value) + repr(pending)
    for secret in ("a-1", "eyJ", "code-1", "MARTIN", rpps(1).national, "cret", "r-1"):
        assert secret not in said


async def test_only_our_own_anchors_are_trusted(tmp_path: Path) -> None:
    pki, other = make_pki(tmp_path / "pki"), make_pki(tmp_path / "other")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pki.cert, pki.key)
    async with HostilePsc(tmp_path, tls) as psc, aiohttp.ClientSession() as http:
        ours = Provider(http, replace(psc.config, ca=pki.ca), SystemClock())
        assert await finish(ours, psc) == rpps(1).value
        calls = dict(psc.calls)
        for ca in (other.ca, None):
            with pytest.raises(Tampered):
                await finish(Provider(http, replace(psc.config, ca=ca), SystemClock()), psc)
        assert psc.calls == calls, "no secret left us"


async def test_anchors_that_are_none_are_named(psc: HostilePsc, tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(ConfigError):
            Provider(http, replace(psc.config, ca=tmp_path / "none.pem"), SystemClock())
