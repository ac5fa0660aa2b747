"""A local FHIR server that answers like the Annuaire Santé's gateway: its searches, pages, limits and refusals."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Self
from urllib.parse import urlencode

from aiohttp import web

from tests.servers.fhir_people import Json, bundle

CALLS_PER_S = 17
PAGE = 50
_PATH = re.compile(r"/fhir/v2/[a-zA-Z]{0,30}(/_search)?\Z")
_KNOWN = {"identifier", "practitioner", "mailbox-mss:exact", "_include", "_revinclude", "_count", "_offset"}

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


def outcome(status: int, code: str = "processing", diagnostics: str = "") -> web.Response:
    body = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": diagnostics}],
    }
    return web.json_response(body, status=status, content_type="application/fhir+json")


class FhirServer:
    """Serves `resources` on 127.0.0.1. As an async context manager; with `tls`, over HTTPS.

    `faults` are answers to give first, one a call; `limit` counts calls in any second (None: no limit).
    """

    def __init__(self, *resources: Json, key: str = "key-of-tests", tls: ssl.SSLContext | None = None) -> None:
        self.resources = list(resources)
        self.key = key
        self.faults: deque[Fault] = deque()
        self.limit: int | None = CALLS_PER_S
        self.delay_s = 0.0
        self.page = PAGE
        self.calls: list[tuple[str, str, list[tuple[str, str]]]] = []
        """Method, path with its query, form; of every call that came in."""
        self.refused_calls = 0
        self.most_in_a_second = 0
        self._times: deque[float] = deque()
        self._tls = tls

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port: int = self._runner.addresses[0][1]
        self.origin = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        self.url = self.origin + "/fhir/v2"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        form = [(k, str(v)) for k, v in (await request.post()).items()]
        self.calls.append((request.method, request.raw_path, form))
        if request.headers.get("ESANTE-API-KEY") != self.key:
            return web.json_response({"message": "Unauthorized", "http_status_code": 401}, status=401)
        if not self._admitted():
            self.refused_calls += 1
            answer = web.json_response({"message": "Rate limit exceeded", "http_status_code": 429}, status=429)
            answer.headers["Retry-After"] = "1"
            return answer
        if self.faults:
            return await self.faults.popleft()(request)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if not _PATH.match(request.path) or request.method not in {"GET", "POST"}:
            return web.json_response({"message": "No context-path matches the request URI."}, status=404)
        kind = request.path.split("/")[3]
        question = form if request.method == "POST" else [(k, v) for k, v in request.query.items()]
        return self._search(kind, question)

    def _admitted(self) -> bool:
        now = time.monotonic()
        while self._times and now - self._times[0] >= 1.0:
            self._times.popleft()
        if self.limit is not None and len(self._times) >= self.limit:
            return False
        self._times.append(now)
        self.most_in_a_second = max(self.most_in_a_second, len(self._times))
        return True

    def _search(self, kind: str, question: list[tuple[str, str]]) -> web.Response:
        for name, _ in question:
            if name not in _KNOWN:
                return outcome(400, "processing", f"Parameter {name} not found")
        asked = dict(question)
        found = [r for r in self.resources if r["resourceType"] == kind and _fits(r, asked)]
        start, count = int(asked.get("_offset", 0)), int(asked.get("_count", self.page))
        shown = found[start : start + count]
        following = None
        if start + count < len(found):
            rest = [(k, v) for k, v in question if k != "_offset"]
            following = f"{self.url}/{kind}?{urlencode([*rest, ('_offset', str(start + count))])}"
        for name, value in question:
            if name in {"_include", "_revinclude"}:
                shown += [r for r in self._linked(shown, name, value) if r not in shown]
        body = json.dumps(bundle(shown, following)).encode()
        return web.Response(body=body, content_type="application/fhir+json")

    def _linked(self, shown: list[Json], name: str, value: str) -> list[Json]:
        kind, _, element = value.partition(":")
        if name == "_include":
            wanted = {r[element]["reference"] for r in shown if r["resourceType"] == kind and element in r}
            return [r for r in self.resources if f"{r['resourceType']}/{r['id']}" in wanted]
        known = {f"{r['resourceType']}/{r['id']}" for r in shown}
        return [r for r in self.resources if r["resourceType"] == kind and r[element]["reference"] in known]


def _fits(resource: Json, asked: dict[str, str]) -> bool:
    if "identifier" in asked:
        held = [(i["system"], i["value"]) for i in resource.get("identifier", ())]
        tokens = [token.rpartition("|") for token in asked["identifier"].split(",")]
        if not any(value == v and (not bar or system == s) for s, v in held for system, bar, value in tokens):
            return False
    if "practitioner" in asked:
        ids = asked["practitioner"].split(",")
        if resource["practitioner"]["reference"].removeprefix("Practitioner/") not in ids:
            return False
    if "mailbox-mss:exact" in asked:
        wanted = re.sub(r"\\(.)", r"\1", asked["mailbox-mss:exact"])
        return any(t["value"] == wanted and "extension" in t for t in resource.get("telecom", ()))
    return True
