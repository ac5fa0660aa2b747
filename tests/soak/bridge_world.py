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
from typing import Any

from ruamel.yaml import YAML

from colloque.attestation import Attestation, Method, snapshot
from colloque.book import read_secret
from colloque.clock import SystemClock
from colloque.config import Config
from colloque.files import free_port
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

    mortal = "bridge"
    """Which of our programs `deaths` is about."""

    def __init__(
        self,
        folder: Path,
        *,
        postgres: bool = False,
        workers: int = 0,
        program: str = "tests.soak.bridge_program",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`workers`: mail workers beside the bridge. `program`: the module that runs them all; `environment`: what it
        finds there besides."""
        self._folder = folder
        self._program = program
        self._environment = dict(environment or {})
        self._postgres = self._database() if postgres else None
        self._workers = workers
        self._undo = ExitStack()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        """Of ours, by name."""
        self.deaths: list[str] = []
        """Boundaries (see `steps`) at which the next processes of `mortal` die, one each, in this order."""
        self.died_at: list[str] = []
        """Those at which they did."""
        self._locks = {name: asyncio.Lock() for name in self.victims}
        self._keeper: asyncio.Task[None] | None = None
        self.ended: list[int] = []
        """How processes of ours ended, as their exit codes: -9 after a kill."""

    @property
    def victims(self) -> tuple[str, ...]:
        """What can be killed. The bridge stands there twice: it is what this is about."""
        database = ("database",) if self._postgres else ()
        return ("bridge", "bridge", "synapse", "dovecot", "postfix", *database, *self._ours[1:])

    @property
    def _ours(self) -> tuple[str, ...]:
        return ("bridge", *(f"worker-{number}" for number in range(1, self._workers + 1)))

    async def start(self) -> None:
        """Everything up and the bridge well."""
        self._layout = Layout(self._folder)
        self._layout.open()
        self._undo.callback(self._layout.close)
        book = await stack.prepare(self._layout)
        self.cast = book.cast
        await self._serve()
        self._running = {name: self._run(name) for name in self._ours}
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End everything that was started."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        for process in self._running.values():
            if process.poll() is None:
                process.kill()
                process.wait(20)
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
        return self._running["bridge"].pid

    def deliver(self, to: Person, raw: bytes) -> None:
        """By LMTP, as Postfix does. Blocks."""
        self._postfix.dovecot.deliver(to.address.value, raw)

    async def slay(self, victim: str) -> None:
        """SIGKILL. What it was is started again at once; what is ours by `_keep`."""
        async with self._locks[victim]:
            if victim in self._ours:
                await self._slay_ours(victim)
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

    def _adjust(self, raw: dict[str, Any]) -> None:
        """What else a world wants otherwise than the demo, in its configuration."""

    def _rewrite(self, imap: int, smtp: int, database: str) -> None:
        yaml = YAML()
        raw = yaml.load(self._layout.config)
        self._adjust(raw)
        raw["mssante"]["imap"]["port"], raw["mssante"]["smtp"]["port"] = imap, smtp
        raw["mssante"]["database"] = database
        raw["mssante"]["workers"] = self._workers
        raw["mssante"]["budget"] = {"logins_per_minute": 100_000, "sends_per_minute": 100_000}
        yaml.dump(raw, self._layout.config)

    def _attest(self, config: Config, cast: Cast) -> None:
        now = SystemClock().now()
        until_ = now + timedelta(days=365)
        entries = [
            Attestation(
                *(p.account, p.rpps, p.professional.display_name, Method.MAILBOX_CODE, now, until_),
                professions=("10",),
                category="C",
            )
            for p in members(cast)
        ]
        writer = SnapshotWriter(config.annuaire.snapshot, read_secret(config.secrets.snapshot))
        writer.publish(snapshot(1, now, entries))

    # the bridge and its workers

    def _command(self, name: str) -> list[str]:
        command = [sys.executable, "-m", self._program, "--config", str(self._layout.config)]
        if name.startswith("worker-"):
            command += ["--worker", name.removeprefix("worker-"), "--port", str(free_port())]
        return command

    def _log(self, name: str) -> Path:
        return self._layout.logs / "mssante.log"

    def _run(self, name: str) -> subprocess.Popen[bytes]:
        command, die_at = self._command(name), ""
        if name == self.mortal:
            die_at = self._where = self.deaths.pop(0) if self.deaths else ""
        with self._log(name).open("ab") as out:
            return subprocess.Popen(
                command, stdout=out, stderr=out, env=os.environ | self._environment | {DIE_AT: die_at}
            )

    async def _slay_ours(self, name: str) -> None:
        """SIGKILL, and wait until it is started again."""
        before = self._running[name]
        if name == self.mortal:
            self._where = ""  # what kills it now is not its boundary
        before.send_signal(signal.SIGKILL)

        async def again() -> bool:
            return self._running[name] is not before

        await until(again, f"{name} is started again")

    async def _keep(self) -> None:
        while True:
            for name, process in self._running.items():
                code = process.poll()
                if code is None:
                    continue
                self.ended.append(code)
                if name == self.mortal and self._where and code == -signal.SIGKILL:
                    self.died_at.append(self._where)
                else:
                    await asyncio.sleep(START_AGAIN_S)
                self._running[name] = self._run(name)
            await asyncio.sleep(0.02)


def members(cast: Cast) -> tuple[Person, ...]:
    """Who is attested."""
    return (*cast.clinicians, cast.author, cast.colleague)


def fresh(folder: Path) -> Path:
    """An empty place for a world, what an earlier run left there removed."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder
