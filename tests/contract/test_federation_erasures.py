"""Erasures across servers, as far as the annuaire services carry them: real HTTP, real signatures, both databases."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from colloque.errors import BadInput, Refused
from colloque.federation.ed25519 import PrivateKey
from colloque.federation.http_server import PREFIX
from colloque.policy.exchange import HEADER, sign_request
from colloque.policy.jws import canonical
from colloque.rooms.erasure import AskedBy, Receipt, signing_bytes
from colloque_annuaire.federation.erasures import ERASURES
from tests.receipts import RECEIPT
from tests.servers.sides import Side, Sides

ROOM, REF = "!room", "ab" * 10


def signed(receipt: Receipt, key: PrivateKey | None) -> dict[str, Any]:
    assert key is not None
    body = receipt.to_dict()
    return body | {"signature": base64.b64encode(key.sign(signing_bytes(body))).decode()}


def erased(side: Side, key: PrivateKey | None = None, **change: Any) -> Callable[[AskedBy], Awaitable[dict[str, Any]]]:
    """What its @salles answers when it has erased."""

    async def answer(asked: AskedBy) -> dict[str, Any]:
        at = side.clock.now()
        whole = replace(RECEIPT, asked_by=asked, opened_at=at, closed_at=at, erased_at=at)
        return {"state": "erased", "receipt": signed(replace(whole, **change), key or side.member.receipts)}

    return answer


async def ask(sides: Sides) -> dict[str, Any]:
    return await sides.a.erasures.ask(sides.b.server, ROOM, REF)


async def test_another_server_is_asked_and_its_receipt_comes_back(sides: Sides) -> None:
    async def under_way(_asked: AskedBy) -> dict[str, Any]:
        return {"state": "under_way"}

    sides.b.answer = under_way
    assert await ask(sides) == {"outcome": "under_way"}
    sides.b.answer = erased(sides.b)
    found = await ask(sides)
    assert (found["outcome"], found["receipt"]["asked_by"]) == ("erased", {"server": sides.a.server, "ref": REF})
    assert sides.b.asked == [(sides.a.server, ROOM, REF)] * 2, "whose question it is, its signature tells"


async def test_a_refusal_is_a_code(sides: Sides) -> None:
    async def refused(_asked: AskedBy) -> dict[str, Any]:
        raise Refused("erasure.not_yours")

    sides.b.answer = refused
    assert await ask(sides) == {"outcome": "refused.erasure.not_yours"}
    sides.b.answer = None
    assert await ask(sides) == {"outcome": "unanswered"}, "its @salles is away"
    await sides.b.stop()
    assert await ask(sides) == {"outcome": "unanswered"}


async def test_a_receipt_counts_when_it_holds_and_is_of_that_room(sides: Sides) -> None:
    b = sides.b
    for wrong in (
        erased(b, PrivateKey.generate()),
        erased(b, b.member.key),
        erased(b, sides.a.member.receipts),
        erased(b, asked_by=AskedBy(sides.a.server, "cd" * 10)),
        erased(b, asked_by=AskedBy(b.server, REF)),
        erased(b, asked_by=None),
        _answering({"state": "erased", "receipt": "x"}),
        _answering({"state": "erased"}),
        _answering({"state": "erased", "receipt": {"x": "y" * 33_000}}),
    ):
        b.answer = wrong
        assert await ask(sides) == {"outcome": "receipt_invalid"}
    b.answer = _answering({})
    assert await ask(sides) == {"outcome": "under_way"}


def _answering(what: dict[str, Any]) -> Callable[[AskedBy], Awaitable[dict[str, Any]]]:
    async def answer(_asked: AskedBy) -> dict[str, Any]:
        return what

    return answer


async def test_who_is_not_listed_is_neither_asked_nor_heard(sides: Sides) -> None:
    sides.b.answer = erased(sides.b)
    await sides.list(sides.a)
    assert await ask(sides) == {"outcome": "not_listed"}
    await sides.list(sides.b)
    await sides.a.keeper.refresh(ordered=True)
    assert await sides.a.erasures.ask(sides.b.server, ROOM, REF) == {"outcome": "unanswered"}, "it lists us no more"
    assert sides.b.asked == []


async def test_a_request_that_comes_again_is_not_heard_again(sides: Sides) -> None:
    a, b = sides.a, sides.b
    b.answer = erased(b)
    body, path = canonical({"room": ROOM, "ref": REF}), PREFIX + ERASURES
    header = sign_request(
        a.member.signer, to=b.server, method="POST", path=path, body=body, nonce=b"n" * 16, now=sides.clock.now()
    )
    said = []
    async with aiohttp.ClientSession() as http:
        for sent in (body, body, canonical({"room": "!other", "ref": REF})):
            url = f"http://127.0.0.1:{b.port}{path}"
            async with http.post(url, data=sent, headers={HEADER: header}) as answer:
                said.append((answer.status, (await answer.json()).get("error")))
    assert said == [(200, None), (403, "replayed"), (401, "not_listed")]
    assert len(b.asked) == 1


@pytest.mark.parametrize("body", [{}, {"room": ROOM}, {"room": 1, "ref": REF}, {"room": ROOM, "ref": None}])
async def test_what_is_no_question(sides: Sides, body: dict[str, Any]) -> None:
    entry = sides.a.keeper.entry(sides.b.server)
    assert entry is not None
    with pytest.raises(BadInput):
        await sides.a.peers.ask(entry, ERASURES, body)
    assert sides.b.asked == []
