"""The whole house on this machine: directory, certificates, accounts, Synapse, mail operator, the three services."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from colloque.clock import SystemClock, monotonic
from colloque.config import Config
from colloque.directory.extract import import_files
from colloque.directory.open import open_directory
from colloque.directory.sample import write_sample
from colloque.files import write_private
from colloque_demo import settings
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_demo.people import Cast, choose
from colloque_demo.pki import make_pki
from colloque_demo.settings import SENDER, SERVER_NAME, SERVICES, Ports
from colloque_demo.supervisor import READY_S, Program, Supervisor

T = TypeVar("T")

PEOPLE = 2_000
SEED = 20_260_302


@dataclass(frozen=True, slots=True)
class Book:
    """The directory that was made, and the people chosen from it."""

    cast: Cast
    told: str
    """In one line: what it holds."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What stands."""

    layout: Layout
    supervisor: Supervisor
    config: Config
    server: Homeserver
    cast: Cast

    @property
    def inbox_command(self) -> str:
        """What shows a mailbox's newest mail."""
        where = "" if self.layout.root.name == ".demo" else f" --dir {self.layout.root}"
        return f"{sys.executable} -m colloque_demo.inbox{where}"

    def admin(self, method: str, *where: str) -> Any:
        """One call of Synapse's admin API as the annuaire service's administrator, which joins no room. Blocks.

        A Synapse that is being started again is waited for. Raises RuntimeError with the status on refusal.
        """
        token = self.layout.secret("annuaire.admin_token").read_text(encoding="ascii")
        path = "".join("/" + quote(part, safe="") for part in where)
        return _waiting(lambda: self.server.call(method, "/_synapse/admin" + path, token=token))

    async def colloque(self, *args: str) -> tuple[int, str]:
        """`colloque ARGS…`, as an operator types it: its exit code and what it said."""
        program = Path(sys.executable).with_name("colloque")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(program, *args, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode(errors="replace")


async def prepare(layout: Layout) -> Book:
    """Generate the synthetic directory and import it, as `colloque annuaire sample` and `import` do."""
    return await asyncio.to_thread(_make_directory, layout)


def _make_directory(layout: Layout) -> Book:
    clock = SystemClock()
    write_sample(layout.extraction, PEOPLE, SEED, clock.now())
    report = import_files([layout.extraction], layout.directory, clock)
    directory = open_directory(layout.directory, clock)
    try:
        cast = choose(layout.extraction, directory)
    finally:
        directory.close()
    return Book(cast, f"{report.people} professionals, {report.mailboxes} MSSanté mailboxes, {report.domains} domains")


async def build(layout: Layout, supervisor: Supervisor, book: Book) -> Stack:
    """Make everything and wait until every program is well. Raises StackError, ColloqueError."""
    ports = Ports.choose()
    settings.make_secrets(layout)
    pki = make_pki(layout.mail / "pki")
    server = Homeserver(layout.synapse, SERVER_NAME, ports.synapse)
    config = settings.write_config(layout, ports, server.url, pki.ca)
    _write_mailboxes(layout, book.cast)
    await asyncio.to_thread(_configure, server, layout, ports, config)
    await asyncio.gather(supervisor.start(_synapse(server, layout, ports)), supervisor.start(_operator(layout, ports)))
    await asyncio.to_thread(_register, server, layout, book.cast)
    await asyncio.gather(*(supervisor.start(_service(name, layout, config)) for name in SERVICES))
    return Stack(layout, supervisor, config, server, book.cast)


def _configure(server: Homeserver, layout: Layout, ports: Ports, config: Config) -> None:
    module = {
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
    listener = {"bind_addresses": ["127.0.0.1"], "tls": False}
    client = {"type": "http", "x_forwarded": True, "resources": [{"names": ["client"], "compress": False}]}
    extra = {
        "enable_metrics": True,
        "listeners": [
            {"port": ports.synapse, **listener, **client},
            {"port": ports.synapse_metrics, "type": "metrics", **listener},
        ],
    }
    server.configure(appservices=settings.appservices(layout), modules=(module,), extra=extra)


def _write_mailboxes(layout: Layout, cast: Cast) -> None:
    """What the operator admits, and what the bridge knows: the same passwords by address."""
    own = {person.address.value: {"password": person.mail_password} for person in cast.with_mailbox}
    own[SENDER] = {"password": settings.password()}
    write_private(layout.mail / "accounts.json", json.dumps(own))
    write_private(layout.secret("mailboxes.yaml"), json.dumps(own, indent=1))


def _register(server: Homeserver, layout: Layout, cast: Cast) -> None:
    """Accounts: one administrator a service, which joins no room; and people's, without any device."""
    for service in SERVICES:
        register = partial(server.register, f"admin-{service}", settings.password(), admin=True)
        token = _waiting(register)
        write_private(layout.secret(f"{service}.admin_token"), token)
    for person in cast.accounts:
        where = f"/_synapse/admin/v2/users/{quote(person.account)}"
        _waiting(partial(server.call, "PUT", where, {"password": person.password}, token))


def _waiting(call: Callable[[], T]) -> T:
    """The answer, from a Synapse that may just be starting again. Blocks. Raises OSError in time."""
    end = monotonic() + READY_S
    while True:
        try:
            return call()
        except OSError:
            if monotonic() > end:
                raise
            time.sleep(0.2)


def _synapse(server: Homeserver, layout: Layout, ports: Ports) -> Program:
    return Program(
        "synapse",
        tuple(server.command),
        cwd=layout.synapse,
        log=layout.logs / "synapse.log",
        ports=(ports.synapse, ports.synapse_metrics),
        health=f"{server.url}/health",
        metrics=f"http://127.0.0.1:{ports.synapse_metrics}/metrics",
    )


def _operator(layout: Layout, ports: Ports) -> Program:
    doors = ("--imap-port", str(ports.imap), "--smtp-port", str(ports.smtp))
    return Program(
        "operator",
        (sys.executable, "-m", "colloque_demo.operator", "--dir", str(layout.mail), *doors),
        cwd=layout.mail,
        log=layout.logs / "operator.log",
        ports=(ports.imap, ports.smtp),
    )


def _service(name: str, layout: Layout, config: Config) -> Program:
    own = getattr(config, name)
    url = f"http://127.0.0.1:{own.http.port}"
    return Program(
        name,
        (sys.executable, "-m", f"colloque_{name}", "--config", str(layout.config)),
        cwd=layout.state(name),
        log=layout.logs / f"{name}.log",
        ports=(own.http.port,),
        health=f"{url}/health",
        metrics=f"{url}/metrics",
    )


def receipts_key(config: Config) -> Path:
    """The public key that receipts are verified with."""
    return config.salles.receipts / "receipts.pub.pem"
