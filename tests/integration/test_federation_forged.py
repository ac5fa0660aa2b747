"""What a listed server that lies, and whoever stands between servers, may try: forged, stale and replayed things."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from colloque.cli.main import main
from colloque.errors import BadInput, Refused
from colloque.identity import UserId
from colloque.policy.exchange import HEADER, sign_request
from tests.servers.federation_place import Place
from tests.servers.federation_world import (
    A,
    C,
    World,
    as_c,
    book,
    entry_of,
    forged,
    knows,
)


async def test_forged_and_stale_attestations_admit_nobody(world: World) -> None:
    a, alice = world.federation["a"], world["alice"]
    mallory = UserId(f"@mallory:{C}")
    free = next(world.federation.professionals)
    now = datetime.now(UTC)
    day = timedelta(days=1)
    cases = {
        "asker.rpps_has_account": forged(world, mallory, world["anne"].professional),
        "asker.directory_name": forged(world, mallory, free, name="Dr Anne AUTRE"),
        "asker.passport_expired": forged(world, mallory, free, issued_at=now - 2 * day, valid_until=now - day),
        "asker.passport_too_long": forged(world, mallory, free, valid_until=now + 400 * day),
        "asker.passport_kind": forged(world, mallory, free, kind="staff"),
    }
    peers = as_c(world)
    for reason, presented in cases.items():
        with pytest.raises(Refused) as caught:
            await peers.ask(entry_of(world, a), "attestation", {"user": alice.user, "presented": presented})
        assert caught.value.reason == reason
    for presented in (forged(world, world["bob"].user, world["bob"].professional), "x.y.z"):
        with pytest.raises(BadInput):
            await peers.ask(entry_of(world, a), "attestation", {"user": alice.user, "presented": presented})
    assert not knows(a, mallory)


async def test_a_replayed_request_and_a_foreign_one_get_nothing(world: World) -> None:
    a, c = world.federation["a"], world.federation["c"]
    body, where = b"{}", "/_colloque/v1/account"

    async def post(header: str) -> tuple[int, str]:
        tls = ssl.create_default_context(cafile=world.federation.ca.pem)
        url = a.member.api + where
        async with world.federation.http.post(url, data=body, headers={HEADER: header}, ssl=tls) as answer:
            return answer.status, (await answer.json())["error"]

    def sign(member_place: Place, at: datetime) -> str:
        signer = member_place.member.signer
        nonce = secrets.token_bytes(16)
        return sign_request(signer, to=A, method="POST", path=where, body=body, nonce=nonce, now=at)

    header = sign(c, datetime.now(UTC))
    assert await post(header) == (400, "input.bad")
    assert await post(header) == (403, "replayed")
    assert await post(sign(c, datetime.now(UTC) - timedelta(minutes=6))) == (401, "too_old")
    assert (await post(header[:-4] + "AAAA"))[0] == 401


async def test_a_replayed_list_changes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    federation, a = world.federation, world.federation["a"]
    old = federation.text
    await federation.spread(*federation.places.values())
    federation.text, newest = old, federation.text
    refresh = ["federation", "refresh", "--config", str(a.layout.config)]
    try:
        assert await asyncio.to_thread(main, refresh) == 65
        assert "list_rollback" in capsys.readouterr().err
    finally:
        federation.text = newest
    servers = book(a)
    servers.refresh()
    assert servers.state.servers is not None
    assert servers.state.servers.version == federation.version
    assert await asyncio.to_thread(main, refresh) == 0
    assert capsys.readouterr().out == "the list is unchanged\n"
