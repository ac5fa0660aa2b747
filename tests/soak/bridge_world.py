"""What stands around the bridge in its soak, all real: Synapse with our module, Postfix, Dovecot, and its database."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from ruamel.yaml import YAML

from colloque.attestation import Attestation, Method, snapshot
from colloque.book import read_secret
from colloque.clock import SystemClock
from colloque.config import Config
from colloque.snapshot import SnapshotWriter
from colloque_demo import settings, stack
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_demo.people import Cast, Person
from tests.clients.mailbox import MailProgram
from tests.servers.postfix import Postfix
from tests.servers.postgres import PostgresServer, programs
from tests.soak.bridge_program import DIE_AT
from tests.waiting import until

START_AGAIN_S = 0.2
"""What a supervisor waits before it starts a program that died."""


class World:
    """Made by `start`. Whatever is killed is started again, as a supervisor does, until `stop`."""

    def __init__(
        self,
        folder: Path,
        *,
        postgres: bool = False,
        program: str = "tests.soak.bridge_program",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`program`: the module that runs the bridge; `environment`: what it finds there besides."""
        self._folder = folder
        self._program = program
        self._environment = dict(environment or {})
        self._postgres = self._database() if postgres else None
        self._undo = ExitStack()
        self._bridge: subprocess.Popen[bytes] | None = None
        self.deaths: list[str] = []
        """Boundaries (see `steps`) at which the bridge's next processes die, one each, in this order."""
        self.died_at: list[str] = []
        """Those at which they did."""
        self._locks = {name: asyncio.Lock() for name in self.victims}
        self._keeper: asyncio.Task[None] | None = None
        self.ended: list[int] = []
        """How the bridge's processes ended, as their exit codes: -9 after a kill."""

    @property
    def victims(self) -> tuple[str, ...]:
        """What can be killed. The bridge stands there twice: it is what this is about."""
        return ("bridge", "bridge", "synapse", "dovecot", "postfix", *(("database",) if self._postgres else ()))

    async def start(self) -> None:
        """Everything up and the bridge well."""
        self._layout = Layout(self._folder)
        self._layout.open()
        self._undo.callback(self._layout.close)
        book = await stack.prepare(self._layout)
        self.cast = book.cast
        await self._serve()
        self._bridge = self._run_bridge()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End everything that was started."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._bridge is not None and self._bridge.poll() is None:
            self._bridge.kill()
            self._bridge.wait(20)
        await asyncio.to_thread(self._undo.close)

    @property
    def url(self) -> str:
        """Synapse's."""
        return self._server.url

    def box(self, person: Person) -> MailProgram:
        """Somebody's mailbox, in a program of their own."""
        return MailProgram(self._mails, person.address.value, person.mail_password)

    @property
    def token(self) -> str:
        """The appservice's, which speaks for ghosts."""
        return read_secret(self._config.mssante.as_token).decode()

    @property
    def bridge_pid(self) -> int:
        """Of the bridge's process."""
        assert self._bridge is not None
        return self._bridge.pid

    def deliver(self, to: Person, raw: bytes) -> None:
        """By LMTP, as Postfix does. Blocks."""
        self._postfix.dovecot.deliver(to.address.value, raw)

    async def slay(self, victim: str) -> None:
        """SIGKILL. What it was is started again at once; the bridge by `_keep`."""
        async with self._locks[victim]:
            if victim == "bridge":
                await self._slay_bridge()
                return
            kill, again = self._hands[victim]
            await asyncio.to_thread(kill)
            await asyncio.to_thread(again)

    def trouble(self) -> list[str]:
        """The bridge's own errors, without what they were about."""
        log = self._layout.logs / "mssante.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line[:300] for line in lines if " ERROR " in line][-20:]

    # the programs

    async def _serve(self) -> None:
        layout, ports = self._layout, settings.Ports.choose()
        settings.make_secrets(layout)
        stack._write_mailboxes(layout, self.cast)
        raw = YAML(typ="safe").load(layout.mail / "accounts.json")
        self._postfix = Postfix(accounts={name: entry | {"token": name} for name, entry in raw.items()})
        self._undo.callback(self._postfix.stop)
        operator = await asyncio.to_thread(self._postfix.start)
        self._server = Homeserver(layout.synapse, settings.SERVER_NAME, ports.synapse)
        self._config = settings.write_config(layout, ports, self._server.url, operator.imap.ca)
        url = await self._postgres_url() if self._postgres else self._config.mssante.database
        self._rewrite(operator.imap.port, operator.smtp.port, url)
        self._mails: dict[str, object] = {
            "imap": {"host": "localhost", "port": operator.imap.port},
            "smtp": {"host": "localhost", "port": operator.smtp.port},
            "ca": str(operator.imap.ca),
        }
        await asyncio.to_thread(stack._configure, self._server, layout, ports, self._config)
        self._undo.callback(self._server.stop)
        await asyncio.to_thread(self._server.start)
        await asyncio.to_thread(stack._register, self._server, layout, self.cast)
        self._attest(self._config, self.cast)
        dovecot, postfix, database = self._postfix.dovecot, self._postfix, self._postgres
        self._hands: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
            "synapse": (self._server.kill, self._server.start),
            "dovecot": (dovecot.kill, dovecot.start_again),
            "postfix": (postfix.kill, postfix.start_again),
        }
        if database is not None:
            self._hands["database"] = (database.kill, lambda: database.start(database.port))

    def _database(self) -> PostgresServer:
        bin_dir = programs()
        assert bin_dir is not None, "needs postgres"
        return PostgresServer(bin_dir)

    async def _postgres_url(self) -> str:
        assert self._postgres is not None
        self._undo.callback(self._postgres.remove)
        await asyncio.to_thread(self._postgres.make)
        await asyncio.to_thread(self._postgres.start)
        return await self._postgres.new_database()

    def _rewrite(self, imap: int, smtp: int, database: str) -> None:
        yaml = YAML()
        raw = yaml.load(self._layout.config)
        raw["mssante"]["imap"]["port"], raw["mssante"]["smtp"]["port"] = imap, smtp
        raw["mssante"]["database"] = database
        raw["mssante"]["budget"] = {"logins_per_minute": 100_000, "sends_per_minute": 100_000}
        yaml.dump(raw, self._layout.config)

    def _attest(self, config: Config, cast: Cast) -> None:
        now = SystemClock().now()
        until_ = now + timedelta(days=365)
        entries = [
            Attestation(p.account, p.rpps, p.professional.display_name, Method.MAILBOX_CODE, now, until_)
            for p in members(cast)
        ]
        writer = SnapshotWriter(config.annuaire.snapshot, read_secret(config.secrets.snapshot))
        writer.publish(snapshot(1, now, entries))

    # the bridge

    def _run_bridge(self) -> subprocess.Popen[bytes]:
        self._where = self.deaths.pop(0) if self.deaths else ""
        command = [sys.executable, "-m", self._program, "--config", str(self._layout.config)]
        with (self._layout.logs / "mssante.log").open("ab") as out:
            return subprocess.Popen(
                command, stdout=out, stderr=out, env=os.environ | self._environment | {DIE_AT: self._where}
            )

    async def _slay_bridge(self) -> None:
        """SIGKILL, and wait until it is started again."""
        before = self._bridge
        assert before is not None
        self._where = ""  # what kills it now is not its boundary
        before.send_signal(signal.SIGKILL)

        async def again() -> bool:
            return self._bridge is not before

        await until(again, "the bridge is started again")

    async def _keep(self) -> None:
        while True:
            assert self._bridge is not None
            code = self._bridge.poll()
            if code is not None:
                self.ended.append(code)
                if self._where and code == -signal.SIGKILL:
                    self.died_at.append(self._where)
                else:
                    await asyncio.sleep(START_AGAIN_S)
                self._bridge = self._run_bridge()
            await asyncio.sleep(0.02)


def members(cast: Cast) -> tuple[Person, ...]:
    """Who is attested."""
    return (*cast.clinicians, cast.author, cast.colleague)


def fresh(folder: Path) -> Path:
    """An empty place for a world, what an earlier run left there removed."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder
