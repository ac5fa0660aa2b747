"""The federation API over real HTTP: who is heard, once, in measure; and whose answers are believed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.config import Listen
from colloque.errors import BadInput, Inconsistent, NotFound, Refused, Temporary
from colloque.federation.http_client import Peers, PeerUnavailable
from colloque.federation.http_list import ListSource, ListUnavailable
from colloque.federation.http_server import MAX_BODY, Api, Limit
from colloque.federation.nonces import Nonces, register_nonces
from colloque.files import free_port
from colloque.policy.exchange import HEADER, WINDOW, sign_request
from colloque.policy.federation import Entry
from colloque.policy.jws import JsonDict
from colloque.store.schema import new_upgrades, open_database
from tests.federation import Authority, Member, keys_of, listing

PATH = "/_colloque/v1/echo"
NONCE = b"n" * 16
FREELY = Limit(1000, 60)


@dataclass
class Peer:
    """chu-b.test answers; `heard` is what its handler got."""

    a: Member
    b: Member
    listed: list[Member]
    clock: FrozenClock
    http: aiohttp.ClientSession
    database: Callable[[], Awaitable[Database]]
    stack: AsyncExitStack
    heard: list[tuple[str, JsonDict]] = field(default_factory=list)
    raises: Exception | None = None

    @property
    def entry(self) -> Entry:
        return self.b.entry()

    def key_of(self, server: str, kid: str) -> bytes | None:
        return keys_of(listing(*self.listed), self.clock.now())(server, kid)

    async def serve(self, limit: Limit = FREELY) -> None:
        nonces = Nonces(await self.database(), self.clock)
        api = Api(us=self.b.signer, key_of=self.key_of, nonces=nonces, clock=self.clock)
        api.add("echo", self.echo, limit)
        await api.serve(self.stack, Listen(int(self.b.api.rpartition(":")[2])))

    async def echo(self, server: str, body: JsonDict) -> JsonDict:
        self.heard.append((server, body))
        if self.raises is not None:
            raise self.raises
        return {"said": body}

    def peers(self, who: Member) -> Peers:
        return Peers(http=self.http, us=who.signer, key_of=self.key_of, clock=self.clock, ca=None)

    def sign(self, who: Member, body: bytes, nonce: bytes = NONCE, to: str = "chu-b.test") -> str:
        return sign_request(who.signer, to=to, method="POST", path=PATH, body=body, nonce=nonce, now=self.clock.now())

    async def post(self, header: str, body: bytes, path: str = PATH) -> tuple[int, Any, bool]:
        """Status, JSON, and whether the answer is signed."""
        headers = {HEADER: header} if header else {}
        async with self.http.post(self.b.api + path, data=body, headers=headers) as answer:
            told = await answer.json() if answer.content_type == "application/json" else None
            return answer.status, told, HEADER in answer.headers


@pytest.fixture
async def peer(tmp_path: Path, clock: FrozenClock) -> AsyncIterator[Peer]:
    a, b = Member("chu-a.test"), Member("chu-b.test", api=f"http://127.0.0.1:{free_port()}")
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())

        async def database() -> Database:
            upgrades = new_upgrades()
            register_nonces(upgrades)
            db = await open_database(f"sqlite:{tmp_path}/a.db", upgrades, "colloque_annuaire")
            stack.push_async_callback(db.stop)
            return db

        made = Peer(a, b, [a, b], clock, http, database, stack)
        await made.serve()
        yield made


async def test_a_listed_server_is_answered(peer: Peer) -> None:
    told = await peer.peers(peer.a).ask(peer.entry, "echo", {"é": [1, None]})
    assert told == {"said": {"é": [1, None]}}
    assert peer.heard == [("chu-a.test", {"é": [1, None]})]


async def test_who_is_not_listed_gets_nothing(peer: Peer) -> None:
    for stranger in (Member("evil.test"), Member("chu-a.test")):
        assert await peer.post(peer.sign(stranger, b"{}"), b"{}") == (401, {"error": "not_listed"}, False)
    assert await peer.post("", b"{}") == (401, {"error": "not_listed"}, False)
    header = peer.sign(peer.a, b"{}")
    peer.listed.remove(peer.a)
    assert await peer.post(header, b"{}") == (401, {"error": "not_listed"}, False)
    assert peer.heard == []


async def test_what_was_signed_for_something_else_gets_nothing(peer: Peer) -> None:
    assert (await peer.post(peer.sign(peer.a, b"{}"), b'{"a":1}'))[0] == 401
    assert (await peer.post(peer.sign(peer.a, b"{}"), b"{}", PATH + "?a=1"))[0] == 401
    elsewhere = peer.sign(peer.a, b"{}", to="cabinet-c.test")
    assert await peer.post(elsewhere, b"{}") == (401, {"error": "elsewhere"}, False)
    assert peer.heard == []


async def test_a_request_is_heard_once_also_through_a_restart(peer: Peer) -> None:
    header = peer.sign(peer.a, b"{}")
    assert (await peer.post(header, b"{}"))[0] == 200
    assert await peer.post(header, b"{}") == (403, {"error": "replayed"}, True)
    other = replace(peer, b=replace(peer.b, api=f"http://127.0.0.1:{free_port()}"))
    await other.serve()
    assert await other.post(header, b"{}") == (403, {"error": "replayed"}, True)
    assert len(peer.heard) == 1
    assert other.heard == peer.heard


async def test_a_request_kept_back_counts_for_nothing(peer: Peer) -> None:
    early = peer.sign(peer.a, b"{}")
    peer.clock.advance(seconds=WINDOW.total_seconds() + 1)
    assert await peer.post(early, b"{}") == (401, {"error": "too_old"}, False)
    late = peer.sign(peer.a, b"{}", b"m" * 16)
    peer.clock.advance(seconds=-WINDOW.total_seconds() - 1)
    assert await peer.post(late, b"{}") == (401, {"error": "too_early"}, False)
    assert peer.heard == []


async def test_a_request_replayed_at_the_very_end_of_its_time_is_still_known(peer: Peer) -> None:
    peer.clock.advance(seconds=WINDOW.total_seconds())
    header = peer.sign(peer.a, b"{}")
    peer.clock.advance(seconds=-WINDOW.total_seconds())
    assert (await peer.post(header, b"{}"))[0] == 200
    peer.clock.advance(seconds=2 * WINDOW.total_seconds())
    assert (await peer.post(peer.sign(peer.a, b"{}", b"o" * 16), b"{}"))[0] == 200, "old nonces are forgotten"
    assert (await peer.post(header, b"{}"))[1] == {"error": "replayed"}


async def test_two_servers_may_choose_the_same_nonce(peer: Peer) -> None:
    c = Member("cabinet-c.test")
    peer.listed.append(c)
    for who in (peer.a, c):
        assert (await peer.post(peer.sign(who, b"{}"), b"{}"))[0] == 200


@pytest.mark.parametrize(
    ("raised", "expected", "code"),
    [
        (Refused("their_reason"), Refused, "their_reason"),
        (NotFound("x"), NotFound, ""),
        (BadInput("x"), BadInput, ""),
        (Temporary("x", 7.0), PeerUnavailable, ""),
        (Inconsistent("x"), PeerUnavailable, ""),
        (ValueError("x"), PeerUnavailable, ""),
    ],
)
async def test_refusals_come_through_as_what_they_are(
    peer: Peer, raised: Exception, expected: type[Exception], code: str
) -> None:
    peer.raises = raised
    with pytest.raises(expected) as caught:
        await peer.peers(peer.a).ask(peer.entry, "echo", {})
    if isinstance(caught.value, Refused):
        assert caught.value.reason == code
    if raised.args == ("x", 7.0):
        assert isinstance(caught.value, PeerUnavailable)
        assert caught.value.retry_after_s == 7.0


async def test_what_is_no_question_is_refused(peer: Peer) -> None:
    with pytest.raises(NotFound):
        await peer.peers(peer.a).ask(peer.entry, "people", {})
    for body in (b"[]", b"{", b'{"a":1,"a":2}'):
        status, told, signed = await peer.post(peer.sign(peer.a, body, body.ljust(16)[:16]), body)
        assert (status, told, signed) == (400, {"error": "input.bad"}, True)
    big = b'{"a":"' + b"x" * MAX_BODY + b'"}'
    assert (await peer.post(peer.sign(peer.a, big), big))[0] == 413
    async with peer.http.get(peer.b.api + PATH) as answer:
        assert answer.status == 405
    assert peer.heard == []


async def test_a_server_that_asks_too_often_waits_and_others_do_not(peer: Peer) -> None:
    c = Member("cabinet-c.test")
    peer.listed.append(c)
    other = replace(peer, b=replace(peer.b, api=f"http://127.0.0.1:{free_port()}"))
    await other.serve(Limit(3, 3600))
    asking = other.peers(peer.a)
    for _ in range(3):
        await asking.ask(other.entry, "echo", {})
    with pytest.raises(PeerUnavailable) as caught:
        await asking.ask(other.entry, "echo", {})
    assert caught.value.retry_after_s is not None
    assert 3500 < caught.value.retry_after_s <= 3600
    assert await other.peers(c).ask(other.entry, "echo", {}) == {"said": {}}


async def test_replays_and_unknown_names_are_measured_too(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colloque.federation.http_server.ALL", Limit(3, 3600))
    header = peer.sign(peer.a, b"{}")
    said = [(await peer.post(header, b"{}"))[1] for _ in range(5)]
    assert [each.get("error", "ok") for each in said] == ["ok", "replayed", "replayed", "too_many", "too_many"]


async def test_an_answer_that_its_server_did_not_sign_is_none(peer: Peer) -> None:
    mode = {"header": ""}

    async def lie(request: web.Request) -> web.Response:
        return web.json_response({"said": {}}, headers={HEADER: mode["header"]} if mode["header"] else {})

    app = web.Application()
    app.router.add_post(PATH, lie)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    peer.stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    between = replace(peer.entry, api=f"http://127.0.0.1:{runner.addresses[0][1]}")
    body = b'{"said": {}}'
    async with peer.http.post(peer.b.api + PATH, data=b"{}", headers={HEADER: peer.sign(peer.a, b"{}")}) as real:
        genuine = real.headers[HEADER]
    for header in ("", "x.y.z", genuine, peer.sign(peer.b, body)):
        mode["header"] = header
        with pytest.raises(PeerUnavailable):
            await peer.peers(peer.a).ask(between, "echo", {})


async def test_who_is_away_is_said_to_be(peer: Peer) -> None:
    gone = replace(peer.entry, api=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(PeerUnavailable):
        await peer.peers(peer.a).ask(gone, "echo", {})


async def test_the_list_is_fetched_only_when_it_changed(peer: Peer) -> None:
    authority, asked = Authority(), []
    text = authority.sign(listing(peer.a))
    answers: dict[str, web.Response] = {}

    async def shelf(request: web.Request) -> web.Response:
        asked.append((request.query.get("version"), request.headers.get("If-None-Match")))
        if request.path in answers:
            return answers[request.path]
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304)
        return web.Response(body=text, headers={"ETag": '"1"'})

    app = web.Application()
    app.router.add_get("/{path}", shelf)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    peer.stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    source = ListSource(peer.http, base + "/list?site=a", None)
    fetched = await source.fetch(0, "")
    assert fetched is not None
    assert (fetched.text, fetched.etag) == (text, '"1"')
    assert await source.fetch(7, fetched.etag) is None
    assert asked == [(None, None), ("7", '"1"')]
    answers["/moved"] = web.Response(status=302, headers={"Location": "/list"})
    answers["/broken"] = web.Response(status=500, text=json.dumps({}))
    for path in ("/moved", "/broken"):
        with pytest.raises(ListUnavailable):
            await ListSource(peer.http, base + path, None).fetch(0, "")
