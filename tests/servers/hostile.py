"""A server that speaks the federation protocol itself, signs with its own key, and holds to no rule at all.

    async with hostile_house() as (house, evil): ...    # a Synapse with our module, and evil.test, not listed yet

It answers whatever the other side fetches from what it holds in `events`; it sends what a test tells it to.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp import web
from signedjson.key import encode_verify_key_base64, generate_signing_key, get_verify_key
from signedjson.sign import sign_json
from synapse.api.room_versions import RoomVersions
from synapse.crypto.event_signing import add_hashes_and_signatures
from synapse.events import make_event_from_dict
from yarl import URL

from colloque.files import write_private
from colloque.identity import UserId
from tests.conftest import check_own
from tests.servers.ca import Ca
from tests.servers.federation_place import FEDERATION_PORT, Named
from tests.servers.house import House, Said
from tests.servers.tls import TlsFront

VICTIM, EVIL = "victim.test", "evil.test"
V11, V12 = RoomVersions.V11, RoomVersions.V12
FEDERATION = "/_matrix/federation"
JsonDict = dict[str, Any]


@dataclass
class Hostile:
    """evil.test."""

    http: aiohttp.ClientSession
    target: str
    """Base URL of the other server's federation listener."""
    ca: ssl.SSLContext
    key: Any = field(default_factory=lambda: generate_signing_key("evil"))
    events: dict[str, JsonDict] = field(default_factory=dict)
    rooms: dict[str, HostileRoom] = field(default_factory=dict)

    def user(self, name: str) -> UserId:
        return UserId(f"@{name}:{EVIL}")

    # What it sends

    async def call(self, method: str, path: str, content: JsonDict | None = None) -> Said:
        """One signed request."""
        signed: JsonDict = {"method": method, "uri": path, "origin": EVIL, "destination": VICTIM}
        signed |= {} if content is None else {"content": content}
        (key, signature), *_ = sign_json(signed, EVIL, self.key)["signatures"][EVIL].items()
        fields = {"origin": EVIL, "destination": VICTIM, "key": key, "sig": signature}
        head = "X-Matrix " + ",".join(f'{name}="{value}"' for name, value in fields.items())
        headers = {"Authorization": head, "Host": VICTIM}
        async with self.http.request(
            method,
            URL(self.target + path, encoded=True),
            json=content,
            headers=headers,
            ssl=self.ca,
            server_hostname=VICTIM,
        ) as answer:
            return Said(answer.status, await answer.json())

    async def send(self, *events: JsonDict) -> dict[str, str]:
        """One transaction. What was said of each event, empty when it was taken."""
        body = {"origin": EVIL, "origin_server_ts": now_ms(), "pdus": list(events), "edus": []}
        said = await self.call("PUT", f"{FEDERATION}/v1/send/{secrets.token_hex(8)}", body)
        assert said.status == 200, said
        return {event: str(result.get("error", "")) for event, result in said.body["pdus"].items()}

    async def make_join(self, room: str, user: UserId, verb: str = "join") -> Said:
        """A template."""
        return await self.call("GET", f"{FEDERATION}/v1/make_{verb}/{quote(room)}/{quote(user)}?ver=11&ver=12")

    async def send_join(self, room: str, event: JsonDict, version: Any, verb: str = "join") -> Said:
        """A membership, signed."""
        name = quote(event_id(event, version))
        api = "v1" if verb == "knock" else "v2"
        return await self.call("PUT", f"{FEDERATION}/{api}/send_{verb}/{quote(room)}/{name}", event)

    async def invite(self, event: JsonDict, stripped: list[JsonDict], version: Any) -> Said:
        """An invitation with what it shows of the room."""
        place = f"{FEDERATION}/v2/invite/{quote(event['room_id'])}/{quote(event_id(event, version))}"
        body = {"event": event, "room_version": version.identifier, "invite_room_state": stripped}
        return await self.call("PUT", place, body)

    def sign(self, event: JsonDict, version: Any) -> JsonDict:
        """Hashed, signed, and kept for whoever fetches it."""
        for old in ("hashes", "signatures", "unsigned"):
            event.pop(old, None)
        add_hashes_and_signatures(version, event, EVIL, self.key)
        self.events[event_id(event, version)] = event
        return event

    # What it answers

    def app(self) -> web.Application:
        app = web.Application()
        get, put, post = app.router.add_get, app.router.add_put, app.router.add_post
        get("/_matrix/key/v2/server", self._keys)
        get(FEDERATION + "/v1/make_join/{room}/{user}", self._make_join)
        put(FEDERATION + "/v2/send_join/{room}/{event}", self._send_join)
        get(FEDERATION + "/v1/state_ids/{room}", self._state_ids)
        get(FEDERATION + "/v1/event/{event}", self._event)
        post(FEDERATION + "/v1/get_missing_events/{room}", self._missing)
        put(FEDERATION + "/v1/send/{txn}", self._taken)
        put(FEDERATION + "/v2/invite/{room}/{event}", self._invited)
        app.router.add_route("*", "/{rest:.*}", self._nothing)
        return app

    async def _keys(self, _request: web.Request) -> web.Response:
        verify = {f"ed25519:{self.key.version}": {"key": encode_verify_key_base64(get_verify_key(self.key))}}
        body = {
            "server_name": EVIL,
            "valid_until_ts": now_ms() + 3_600_000,
            "verify_keys": verify,
            "old_verify_keys": {},
        }
        return web.json_response(sign_json(body, EVIL, self.key))

    async def _make_join(self, request: web.Request) -> web.Response:
        room, user = self.rooms[request.match_info["room"]], request.match_info["user"]
        event = room.draft("m.room.member", user, {"membership": "join"}, user)
        return web.json_response({"event": event, "room_version": room.version.identifier})

    async def _send_join(self, request: web.Request) -> web.Response:
        room, event = self.rooms[request.match_info["room"]], await request.json()
        state = list(room.state.values())
        room.take(event)
        return web.json_response({"origin": EVIL, "state": state, "auth_chain": list(room.timeline), "event": event})

    async def _state_ids(self, request: web.Request) -> web.Response:
        room = self.rooms[request.match_info["room"]]
        ids = [event_id(e, room.version) for e in room.state.values()]
        return web.json_response({"pdu_ids": ids, "auth_chain_ids": ids})

    async def _event(self, request: web.Request) -> web.Response:
        event = self.events.get(request.match_info["event"])
        body = {"origin": EVIL, "origin_server_ts": now_ms(), "pdus": [event]}
        return web.json_response(body) if event else web.json_response({"errcode": "M_NOT_FOUND"}, status=404)

    async def _missing(self, request: web.Request) -> web.Response:
        asked = await request.json()
        wanted = {prev for name in asked["latest_events"] for prev in self.events[name]["prev_events"]}
        return web.json_response({"events": [self.events[name] for name in wanted if name in self.events]})

    async def _taken(self, request: web.Request) -> web.Response:
        body = await request.json()
        for event in body.get("pdus", []):
            if event.get("room_id") in self.rooms:
                self.rooms[event["room_id"]].take(event)
        return web.json_response({"pdus": {}})

    async def _invited(self, request: web.Request) -> web.Response:
        event = (await request.json())["event"]
        mine = dict(event)
        add_hashes_and_signatures(V12, mine, EVIL, self.key)
        event["signatures"] |= mine["signatures"]
        return web.json_response({"event": event})

    async def _nothing(self, _request: web.Request) -> web.Response:
        return web.json_response({})


@dataclass
class HostileRoom:
    """A room that began on evil.test (version 11), as evil.test tells it."""

    evil: Hostile
    creator: UserId
    version: Any = V11
    room_id: str = field(default_factory=lambda: f"!{secrets.token_hex(8)}:{EVIL}")
    timeline: list[JsonDict] = field(default_factory=list)
    state: dict[tuple[str, str], JsonDict] = field(default_factory=dict)
    tip: list[str] = field(default_factory=list)
    depth: int = 0

    def __post_init__(self) -> None:
        self.evil.rooms[self.room_id] = self
        self.add("m.room.create", self.creator, {"room_version": self.version.identifier}, "")
        self.add("m.room.member", self.creator, {"membership": "join"}, self.creator)
        self.add("m.room.power_levels", self.creator, {"users": {self.creator: 100}, "state_default": 50}, "")

    def draft(self, type_: str, sender: str, content: JsonDict, key: str | None = None, **more: Any) -> JsonDict:
        """On the tip of the room, or on `prev_events`."""
        needed = [("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.member", sender)]
        if type_ == "m.room.member":
            needed += [("m.room.join_rules", ""), ("m.room.member", str(key))]
        auth = [event_id(self.state[each], self.version) for each in dict.fromkeys(needed) if each in self.state]
        event = {
            "type": type_,
            "room_id": self.room_id,
            "sender": sender,
            "content": content,
            "depth": self.depth + 1,
            "prev_events": self.tip,
            "auth_events": auth,
            "origin_server_ts": now_ms(),
        }
        return event | ({} if key is None else {"state_key": key}) | more

    def make(self, type_: str, sender: str, content: JsonDict, key: str | None = None, **more: Any) -> JsonDict:
        """Signed, and not yet part of the room."""
        return self.evil.sign(self.draft(type_, sender, content, key, **more), self.version)

    def add(self, type_: str, sender: str, content: JsonDict, key: str | None = None) -> JsonDict:
        """Signed, and the room's new tip."""
        event = self.make(type_, sender, content, key)
        self.take(event)
        return event

    def take(self, event: JsonDict) -> None:
        """Make it the tip."""
        name = event_id(event, self.version)
        self.evil.events[name] = event
        self.timeline.append(event)
        if "state_key" in event:
            self.state[event["type"], event["state_key"]] = event
        self.tip, self.depth = [name], event["depth"]

    def shown(self, types: Iterable[str]) -> list[JsonDict]:
        """What an invitation shows."""
        return [event for (type_, _), event in self.state.items() if type_ in types]


def event_id(event: JsonDict, version: Any) -> str:
    return str(make_event_from_dict(dict(event), version).event_id)


def now_ms() -> int:
    return int(time.time() * 1000)


@asynccontextmanager
async def hostile_house() -> AsyncIterator[tuple[House, Hostile]]:
    """Both running, on loopback addresses of their own, with names and certificates."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clq-evil-", dir="/tmp")))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        net = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 1}"
        victim, evil_ip = f"{net}.1", f"{net}.2"
        write_private(folder / "hosts.json", json.dumps({VICTIM: victim, EVIL: evil_ip}))
        ca = Ca(folder)
        server = Named(folder / "hs", VICTIM)
        server.table = folder / "hosts.json"
        house = House(folder, server, extra=_listeners(server.port, victim, ca))
        house.configure()
        context = ssl.create_default_context(cafile=str(ca.pem))
        evil = Hostile(http, f"https://{victim}:{FEDERATION_PORT}", context)
        runner = web.AppRunner(evil.app(), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        own = ca.issue(EVIL, evil_ip)
        front = TlsFront(runner.addresses[0][1], own.cert, own.key, host=evil_ip, port=FEDERATION_PORT)
        await stack.enter_async_context(front)
        await asyncio.to_thread(server.start)
        stack.callback(server.stop)
        await asyncio.to_thread(check_own, server)
        await house.listen()
        stack.push_async_callback(house.stop_listening)
        yield house, evil


def _listeners(port: int, address: str, ca: Ca) -> JsonDict:
    certificate = ca.issue(VICTIM, address)
    plain = {"type": "http", "tls": False, "resources": [{"names": ["client"], "compress": False}]}
    outside = {"type": "http", "tls": True, "resources": [{"names": ["federation"]}]}
    return {
        "listeners": [
            {"port": port, "bind_addresses": ["127.0.0.1"], **plain},
            {"port": FEDERATION_PORT, "bind_addresses": [address], **outside},
        ],
        "tls_certificate_path": str(certificate.cert),
        "tls_private_key_path": str(certificate.key),
        "federation_custom_ca_list": [str(ca.pem)],
        "ip_range_whitelist": ["127.0.0.0/8"],
        "federation_whitelist_endpoint_enabled": True,
    }
