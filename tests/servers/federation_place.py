"""One whole server of a federation in tests: its Synapse, its annuaire service, its configuration and its people."""

from __future__ import annotations

import json
import secrets
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from ruamel.yaml import YAML

from colloque.attestation import Attestation, Method
from colloque.clock import SystemClock
from colloque.config import Config
from colloque.config_load import load
from colloque.files import free_port, write_private
from colloque.identity import EventId, UserId
from colloque.matrix.api import JsonDict
from colloque.matrix.crosssign import Identity
from colloque.policy.jws import b64
from colloque.professional import Professional
from colloque.sockets import Client
from colloque.store.schema import open_database
from colloque_annuaire.store.people import People
from colloque_annuaire.store.tables import annuaire_upgrades
from colloque_demo import settings
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from tests.federation import KID, Authority, Member
from tests.servers import nio
from tests.servers.ca import Ca, Certificate
from tests.servers.process import Process
from tests.servers.tls import TlsFront
from tests.waiting import until

LAUNCHER = Path(__file__).with_name("synapse_hosts.py")
FEDERATION_PORT = 8448
BOTS = ("annuaire", "salles", "mssante")


@dataclass(frozen=True)
class World:
    """What all servers of one federation share."""

    folder: Path
    ca: Ca
    authority: Authority
    http: aiohttp.ClientSession
    table: Path
    """Hosts table: names to addresses."""
    list_url: str


class Named(Homeserver):
    """A Synapse that finds the others by name."""

    table = Path()

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-I", str(LAUNCHER), str(self.table), "-c", str(self.folder / "homeserver.yaml")]


@dataclass
class Place:
    """One server of the federation, its services and its people."""

    name: str
    address: str
    layout: Layout
    synapse: Named
    member: Member
    certificate: Certificate
    ports: settings.Ports
    config: Config = field(init=False)
    annuaire: Process = field(init=False)
    salles: Process = field(init=False)
    http: aiohttp.ClientSession = field(init=False)

    def user(self, localpart: str) -> UserId:
        return UserId(f"@{localpart}:{self.name}")

    def people(self) -> nio.Server:
        """Clinicians' clients of this server."""
        return nio.Server(self.synapse, self.http, iter(()), self.layout.root / "clients")

    def clinician(self, localpart: str) -> nio.Person:
        """An account with its password and identity; `login` makes a device."""
        password, user = secrets.token_urlsafe(), self.user(localpart)
        self.synapse.register(localpart, password)
        bots = frozenset(self.config.bots)
        return nio.Person(self.people(), localpart, password, Identity.derive(nio.SECRET, user), bots)

    async def attest(self, user: UserId, person: Professional, *, until: datetime | None = None) -> None:
        """Write an attestation down, as the enrolment does; before the service starts, which publishes it."""
        db = await open_database(self.config.annuaire.database, annuaire_upgrades(), "colloque_annuaire")
        try:
            now = SystemClock().now()
            assert person.rpps is not None
            held = Attestation(
                user, person.rpps, person.display_name, Method.MAILBOX_CODE, now, until or now + timedelta(days=365)
            )
            await People(db).attest(held, EventId(f"$a-{user}"))
        finally:
            await db.stop()

    async def ask(self, verb: str, **args: Any) -> JsonDict:
        """As the `colloque` command asks the annuaire service."""
        return await Client(self.config.socket("annuaire"), "colloque").call(verb, **args)

    async def well(self) -> None:
        """Wait until both services are well."""
        await self._well(self.annuaire, self.ports.annuaire)
        await self._well(self.salles, self.ports.salles)

    async def _well(self, service: Process, port: int) -> None:
        url = f"http://127.0.0.1:{port}/health"

        async def healthy() -> bool:
            assert service.running is not None
            assert service.running.poll() is None, service.log.read_text()[-2000:]
            try:
                async with self.http.get(url) as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(healthy, f"{service.log.stem} healthy at {self.name}", within=30)

    async def connected(self, token: str) -> set[str]:
        """The servers that its homeserver talks to."""
        url = f"{self.synapse.url}/_synapse/client/v1/config/federation_whitelist"
        async with self.http.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
            return set((await answer.json())["whitelist"])

    def log(self) -> str:
        return (self.layout.logs / "annuaire.log").read_text(encoding="utf-8")


async def make_place(stack: AsyncExitStack, world: World, name: str, address: str, *, lawless: bool = False) -> Place:
    """Everything written, nothing started. `lawless`: its Synapse has no module, and federates with everybody."""
    layout = Layout(world.folder / name)
    layout.open()
    stack.callback(layout.close)
    (layout.root / "clients").mkdir()
    ports, api_port = settings.Ports.choose(), free_port()
    settings.make_secrets(layout)
    certificate = world.ca.issue(name, address, "127.0.0.1")
    front = await stack.enter_async_context(TlsFront(api_port, certificate.cert, certificate.key))
    member = Member(name, api=f"https://127.0.0.1:{front.port}")
    member.bots = tuple(UserId(f"@{bot}:{name}") for bot in BOTS)
    member.ghosts = settings.GHOSTS
    write_private(layout.secret("federation.pem"), member.key.pem())
    assert member.receipts is not None
    write_private(layout.secret("receipts.pem"), member.receipts.pem())
    synapse = Named(layout.synapse, name, ports.synapse)
    synapse.table = world.table
    place = Place(name, address, layout, synapse, member, certificate, ports)
    place.http = world.http
    place.config = _configured(place, world, api_port)
    place.annuaire, place.salles = (
        Process([sys.executable, "-m", f"colloque_{name}", "--config", str(layout.config)], layout.logs / f"{name}.log")
        for name in ("annuaire", "salles")
    )
    synapse.configure(
        appservices=settings.appservices(layout),
        modules=() if lawless else (_module(place),),
        extra=_synapse(place, world.ca) | ({"federation_domain_whitelist": None} if lawless else {}),
    )
    return place


def _configured(place: Place, world: World, api_port: int) -> Config:
    """The demo's configuration under another name, with other servers in it."""
    settings.write_config(place.layout, place.ports, place.synapse.url, world.ca.pem)
    yaml = YAML(typ="safe", pure=True)
    raw = yaml.load(place.layout.config.read_text(encoding="utf-8"))
    raw["homeserver"]["server_name"] = place.name
    raw["admin"]["users"] = [place.user(settings.ADMIN)]
    raw["annuaire"]["directory"] = str(world.folder / "directory.sqlite")
    raw["annuaire"]["federation"] = {
        "list_url": world.list_url,
        "authority": {KID: b64(world.authority.key.public)},
        "kid": place.member.kid,
        "key": str(place.layout.secret("federation.pem")),
        "listen": {"port": api_port},
        "ca": str(world.ca.pem),
    }
    place.layout.config.write_text(json.dumps(raw), encoding="utf-8")
    return load(place.layout.config)


def _module(place: Place) -> dict[str, Any]:
    config = place.config
    return {
        "module": "colloque.synapse.module.ColloqueModule",
        "config": {
            "snapshot": str(config.annuaire.snapshot),
            "snapshot_key": str(config.secrets.snapshot),
            "socket": str(config.socket("annuaire")),
            "bots": list(config.bots),
            "ghost_prefix": config.mssante.ghost_prefix,
            "staff": list(config.admin.users),
        },
    }


def _synapse(place: Place, ca: Ca) -> dict[str, Any]:
    client = {"names": ["client"], "compress": False}
    return {
        "listeners": [
            {
                "port": place.ports.synapse,
                "bind_addresses": ["127.0.0.1"],
                "type": "http",
                "tls": False,
                "x_forwarded": True,
                "resources": [client],
            },
            {
                "port": FEDERATION_PORT,
                "bind_addresses": [place.address],
                "type": "http",
                "tls": True,
                "resources": [{"names": ["federation"]}],
            },
        ],
        "tls_certificate_path": str(place.certificate.cert),
        "tls_private_key_path": str(place.certificate.key),
        "federation_custom_ca_list": [str(ca.pem)],
        "ip_range_whitelist": ["127.0.0.0/8"],
        "federation_whitelist_endpoint_enabled": True,
    }
