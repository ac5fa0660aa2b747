"""A FHIR client and the local server it asks; fixtures to import."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from colloque.clock import FrozenClock
from colloque.config import FhirConfig
from colloque.directory.fhir import Fhir
from colloque.files import write_private
from colloque.identity import Rpps
from tests.servers.fhir import Fault, FhirServer, outcome
from tests.servers.fhir_people import (
    Json,
    mail,
    mailbox,
    organization,
    practitioner,
    role,
    rpps,
    rpps_ids,
)

NOW = datetime(2026, 3, 3, 9, tzinfo=UTC)
ONE = Rpps(rpps(1))


@pytest.fixture(name="http")
async def fhir_http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(name="server")
async def fhir_server() -> AsyncIterator[FhirServer]:
    async with FhirServer() as running:
        yield running


Make = Callable[..., Fhir]


@pytest.fixture(name="make")
def fhir_make(http: aiohttp.ClientSession, server: FhirServer, tmp_path: Path) -> Make:
    def client(*, url: str = "", ca: Path | None = None, **options: float) -> Fhir:
        key = tmp_path / "fhir.key"
        write_private(key, server.key + "\n")
        return Fhir(http, FhirConfig(key=key, url=url or server.url, ca=ca), FrozenClock(NOW), **options)  # type: ignore[arg-type]

    return client


def answer(body: bytes | str, status: int = 200, **headers: str) -> Fault:
    async def fault(_request: web.Request) -> web.StreamResponse:
        raw = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=raw, status=status, headers=named, content_type="application/fhir+json")

    return fault


def refuse(status: int, code: str = "processing", words: str = "") -> Fault:
    async def fault(_request: web.Request) -> web.StreamResponse:
        return outcome(status, code, words)

    return fault


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def everything(number: str = ONE.value) -> list[Json]:
    return [
        practitioner("p1", rpps_ids(number), telecom=[mailbox("alix@medecin.mssante.example", "PER")]),
        role("r1", "p1", "o1"),
        role("r2", "p1", "o2", "S", telecom=[mailbox("alix@chu.mssante.example", "PER", shape="code", mixed=True)]),
        role("r3", "p1", "o2", active=False),
        organization("o1", "CABINET DES TILLEULS"),
        organization("o2", "CHU", telecom=[mail("accueil@chu.example"), mailbox("cardio@chu.mssante.example", "ORG")]),
    ]
