"""The module on Synapse's workers: main process, one generic worker, Redis and PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from colloque.attestation import Listed, Servers
from colloque.files import free_port, write_private
from colloque.rooms.mark import RoomKind
from colloque_demo.homeserver import Homeserver
from tests.conftest import check_own, own_homeserver, program
from tests.servers.house import Account, House, joined, reported
from tests.servers.postgres import PostgresServer
from tests.waiting import until

pytestmark = [pytest.mark.redis, pytest.mark.postgres]


class Worker(Homeserver):
    """A generic worker of another homeserver, in that one's folder."""

    @property
    def command(self) -> list[str]:
        files = ["-c", str(self.folder / "homeserver.yaml"), "-c", str(self.folder / "worker.yaml")]
        return [sys.executable, "-m", "synapse.app.generic_worker", *files]


@pytest.fixture(scope="module")
async def house(postgres_server: PostgresServer) -> AsyncIterator[House]:
    """Its `server` is the worker: every call of a test goes there."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clq-wrk-", dir="/tmp")))
        redis = await _redis(stack, folder)
        main = own_homeserver(folder / "hs")
        made = House(folder, main, extra=_main(main, urlsplit(await postgres_server.new_database()), redis))
        made.configure()
        worker = Worker(main.folder, main.server_name)
        write_private(main.folder / "worker.yaml", json.dumps(_worker(worker)))
        for each in (main, worker):
            await asyncio.to_thread(each.start)
            stack.callback(each.stop)
        await asyncio.to_thread(check_own, main)
        await made.listen()
        stack.push_async_callback(made.stop_listening)
        made.server = worker
        yield made


async def _redis(stack: AsyncExitStack, folder: Path) -> int:
    port = free_port()
    command = [str(program("redis-server")), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.DEVNULL)
    stack.callback(process.wait, 20)
    stack.callback(process.terminate)

    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await until(answers, "Redis answers", within=20)
    return port


def _main(main: Homeserver, database: Any, redis: int) -> dict[str, Any]:
    replication = free_port()
    client = {"type": "http", "tls": False, "bind_addresses": ["127.0.0.1"]}
    return {
        "database": {
            "name": "psycopg2",
            "allow_unsafe_locale": True,
            "args": {
                "host": database.hostname,
                "port": database.port,
                "user": database.username,
                "dbname": database.path.strip("/"),
            },
        },
        "redis": {"enabled": True, "host": "127.0.0.1", "port": redis},
        "worker_replication_secret": secrets.token_hex(16),
        "instance_map": {"main": {"host": "127.0.0.1", "port": replication}},
        "listeners": [
            client | {"port": main.port, "resources": [{"names": ["client"]}]},
            client | {"port": replication, "resources": [{"names": ["replication"]}]},
        ],
        "federation_whitelist_endpoint_enabled": True,
    }


def _worker(worker: Homeserver) -> dict[str, Any]:
    listener = {"type": "http", "tls": False, "bind_addresses": ["127.0.0.1"], "port": worker.port}
    return {
        "worker_app": "synapse.app.generic_worker",
        "worker_name": "worker1",
        "worker_listeners": [listener | {"resources": [{"names": ["client", "health"]}]}],
        "worker_log_config": str(worker.folder / "log.yaml"),
    }


async def _account(house: House) -> Account:
    """Registration stays with the main process; what follows goes to the worker."""
    worker, main = house.server, replace(house.server, port=_port_of_main(house))
    house.server = main
    try:
        return await house.account()
    finally:
        house.server = worker


def _port_of_main(house: House) -> int:
    config = json.loads((house.server.folder / "homeserver.yaml").read_text())
    return int(config["listeners"][0]["port"])


async def test_a_worker_decides_as_the_main_process_does(house: House) -> None:
    nobody, one, other = await _account(house), await _account(house), await _account(house)
    house.attest(one, other)
    assert (await nobody.create()).code == "actor_unverified"
    await reported(house, "create_room", nobody, None, "actor_unverified")
    room = (await one.create()).body["room_id"]
    assert (await one.invite(room, nobody)).code == "other_unverified"
    assert (await one.invite(room, other)).status == 200
    assert (await other.join(room)).status == 200
    assert (await one.state(room, "m.room.join_rules", {"join_rule": "public"})).code == "room_public"
    message = {"algorithm": "x", "ciphertext": "x"}
    assert (await one.call("PUT", f"/rooms/{room}/send/m.room.encrypted/1", message)).status == 200


async def test_a_change_reaches_every_process(house: House) -> None:
    one = await _account(house)
    house.attest(one)
    assert (await one.create()).status == 200
    servers = Servers(1, datetime.now(UTC) + timedelta(days=1), (Listed("a.example"),))
    house.publish(servers=servers)
    assert (await one.create()).status == 403

    async def listed() -> bool:
        url = "/_synapse/client/v1/config/federation_whitelist"
        for port in (house.server.port, _port_of_main(house)):
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}{url}", headers={"Authorization": f"Bearer {one.token}"}
            )
            with await asyncio.to_thread(urllib.request.urlopen, request, timeout=10) as answer:
                if json.load(answer)["whitelist"] != ["a.example"]:
                    return False
        return True

    await until(listed, "both processes talk to a.example", within=5)


async def test_people_are_joined_to_their_home_by_whichever_process_hears_of_it(house: House) -> None:
    nobody = await _account(house)
    house.attest(await _account(house))
    house.server, worker = replace(house.server, port=_port_of_main(house)), house.server
    bot = await house.bot("annuaire")
    house.server = worker
    room = await bot.marked_room(RoomKind.HOME, owner=nobody.user)
    assert (await bot.invite(room, nobody)).status == 200
    await joined(room, bot, nobody)
