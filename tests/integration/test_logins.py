"""One-time passwords on a real Synapse that holds none of its own: logins, and another encryption identity."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from colloque.clock import SystemClock
from colloque.identity import EventId, UserId
from colloque.matrix.crosssign import Identity
from colloque.policy.ending import End
from colloque.sockets import Server
from colloque.store.journal import Journal
from colloque.store.schema import open_database
from colloque_annuaire.entering.logins import Logins
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.entry import Passes
from colloque_annuaire.store.people import People
from colloque_annuaire.store.tables import annuaire_upgrades
from tests.conftest import check_own
from tests.servers.annuaire import Shelf, doctor, rpps
from tests.servers.house import House, attestation, running_house
from tests.waiting import until

FORBIDDEN = {"password_config": {"enabled": True, "localdb_enabled": False}}


@dataclass
class Place:
    """A house whose annuaire answers logins."""

    house: House
    passes: Passes
    people: People
    endings: Endings
    directory: Shelf

    def login(self, user: UserId, password: str) -> tuple[int, dict[str, Any]]:
        body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password}
        return self.call("POST", "/login", body)

    def call(self, method: str, path: str, body: Any, token: str = "") -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(
            f"{self.house.server.url}/_matrix/client/v3{path}",
            data=json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture(scope="module")
async def place() -> AsyncIterator[Place]:
    with tempfile.TemporaryDirectory(prefix="clq-log-", dir="/tmp") as name:
        folder, clock = Path(name), SystemClock()
        async with running_house(extra=FORBIDDEN) as house:
            check_own(house.server)
            db = await open_database(f"sqlite:{folder}/a.db", annuaire_upgrades(), "colloque_annuaire")
            journal = Journal.open(folder / "journal.jsonl", clock)
            passes, people, endings = Passes(db), People(db), Endings(db)
            directory = Shelf(doctor(1, "MARTIN", "Anne"))
            logins = Logins(
                passes=passes, people=people, endings=endings, directory=directory, journal=journal, clock=clock
            )
            await house.stop_listening()

            async def other(**_: Any) -> dict[str, Any]:
                return {}

            verbs = {"synapse": {"login": logins.login, "refused": other, "account": other}}
            server = Server(house.folder / "annuaire.sock", {"synapse": os.geteuid()}, verbs)
            await server.start()
            yield Place(house, passes, people, endings, directory)
            await server.stop()
            journal.close()
            await db.stop()


async def test_a_password_opens_one_session_and_no_lasting_one_does(place: Place) -> None:
    name, lasting = f"anne{secrets.token_hex(3)}", secrets.token_urlsafe()
    await asyncio.to_thread(place.house.server.register, name, lasting)
    user = UserId(f"@{name}:{place.house.server.server_name}")
    now = SystemClock().now()
    assert (await asyncio.to_thread(place.login, user, lasting))[1]["errcode"] == "M_FORBIDDEN"
    password = await place.passes.make(user, now)
    assert (await asyncio.to_thread(place.login, user, "another"))[0] == 403
    assert (await asyncio.to_thread(place.login, UserId("@other:x.test"), password))[0] == 403
    typed = password.upper().replace("-", " ")
    status, said = await asyncio.to_thread(place.login, user, typed)
    assert (status, said["user_id"]) == (200, user)
    assert (await asyncio.to_thread(place.login, user, password))[0] == 403, "once only"
    assert await place.passes.used_since(user, now)


async def test_another_identity_needs_a_fresh_password(place: Place) -> None:
    account = await place.house.account()
    first, second = (Identity.derive(secrets.token_bytes(32), account.user) for _ in range(2))
    upload = "/keys/device_signing/upload"
    status, _ = await asyncio.to_thread(place.call, "POST", upload, first.upload_body(), account.token)
    assert status == 200, "the first identity is free"
    status, asked = await asyncio.to_thread(place.call, "POST", upload, second.upload_body(), account.token)
    assert status == 401
    assert {"stages": ["m.login.password"]} in asked["flows"]

    async def answer(password: str) -> int:
        auth = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": account.user},
            "password": password,
            "session": asked["session"],
        }
        body = second.upload_body() | {"auth": auth}
        return (await asyncio.to_thread(place.call, "POST", upload, body, account.token))[0]

    assert await answer("wrong") == 401
    password = await place.passes.make(account.user, SystemClock().now())
    assert await answer(password) == 200


async def test_who_may_not_come_in_does_not(place: Place) -> None:
    now = SystemClock().now()
    account = await place.house.account()
    held = attestation(account.user, 1)
    await place.people.attest(replace(held, rpps=rpps(1)), EventId("$a"))
    place.directory.people[0] = replace(place.directory.people[0], activities=())
    password = await place.passes.make(account.user, now)
    assert (await asyncio.to_thread(place.login, account.user, password))[0] == 403, "listed without any exercise"
    place.directory.people.clear()
    password = await place.passes.make(account.user, now)
    assert (await asyncio.to_thread(place.login, account.user, password))[0] == 200, "absence proves little"
    await place.endings.begin(account.user, End.ADMIN, now)
    password = await place.passes.make(account.user, now)
    assert (await asyncio.to_thread(place.login, account.user, password))[0] == 403


async def test_while_the_annuaire_is_away_nobody_logs_in(place: Place) -> None:
    account = await place.house.account()
    password = await place.passes.make(account.user, SystemClock().now())
    socket = place.house.folder / "annuaire.sock"
    aside = socket.with_name("away.sock")
    socket.rename(aside)
    try:
        assert (await asyncio.to_thread(place.login, account.user, password))[0] == 403
        said = await account.call("GET", "/account/whoami")
        assert said.status == 200, "whoever is logged in stays so"
    finally:
        aside.rename(socket)

    async def again() -> bool:
        return (await asyncio.to_thread(place.login, account.user, password))[0] == 200

    await until(again, "the same password, once the service is back", within=10)
