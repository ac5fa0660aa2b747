"""The bridge as several processes on PostgreSQL: the one that knows Matrix, one that stands by for it, mail workers.

The workers are started with a configuration in which nothing of Matrix can be opened: neither tokens nor keys nor the
bridge's folder are where it says.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from colloque.audit import verify_lines
from colloque.config_load import load
from colloque.files import free_port
from colloque_demo.clinician import Clinician
from colloque_demo.people import Person
from colloque_mssante.mailboxes.worker import worker_folder
from tests.servers.bridge_house import House
from tests.servers.process import Process
from tests.soak.bridge_program import STOP_AT
from tests.waiting import until

WORKERS = 3


@dataclass
class Staff:
    """Everybody at work for one house."""

    house: House
    url: str
    folder: Path
    readers: dict[str, Clinician] = field(default_factory=dict)
    mains: list[Process] = field(default_factory=list)
    workers: dict[int, Process] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)

    def prepare(self) -> None:
        """Write both configurations."""
        yaml = YAML()
        raw = yaml.load(self.house.layout.config)
        raw["mssante"] |= {"database": self.url, "workers": WORKERS}
        yaml.dump(raw, self.house.layout.config)
        blind = self.folder / "blind"
        for where, key in (("mssante", "as_token"), ("mssante", "admin_token"), ("secrets", "identity")):
            raw[where][key] = str(blind / key)
        raw["secrets"]["pickle"] = str(blind / "pickle")
        raw["mssante"]["state_dir"] = str(self.folder / "state")
        yaml.dump(raw, self._blind)

    @property
    def _blind(self) -> Path:
        return self.house.layout.config.with_name("worker.yaml")

    def main(self, *, port: int | None = None) -> Process:
        """One more process of the one that knows Matrix: the first works, the others stand by."""
        command = [sys.executable, "-m", "colloque_mssante", "--config", str(self.house.layout.config)]
        made = Process(command + (["--port", str(port)] if port else []), self.house.layout.logs / "main.log")
        made.start()
        self.mains.append(made)
        return made

    def worker(self, number: int, *, stop_at: str = "") -> Process:
        """Start a worker; it is frozen at that boundary (see `tests.soak.steps`)."""
        port = self.ports.setdefault(number, free_port())
        command = [sys.executable, "-m", "tests.soak.bridge_program", "--config", str(self._blind)]
        command += ["--worker", str(number), "--port", str(port)]
        made = Process(command, self.house.layout.logs / f"worker{number}.log")
        os.environ[STOP_AT] = stop_at
        try:
            made.start()
        finally:
            del os.environ[STOP_AT]
        self.workers[number] = made
        return made

    def stop(self) -> None:
        """Everybody, whatever they do."""
        for process in (*self.mains, *self.workers.values()):
            if process.running is not None and process.running.poll() is None:
                process.running.send_signal(signal.SIGCONT)
                process.kill()

    async def ask(self, query: str, *args: object) -> Any:
        """One value of the bridge's database."""
        conn = await asyncpg.connect(self.url)
        try:
            return await conn.fetchval(query, *args)
        finally:
            await conn.close()

    async def holder(self, person: Person) -> int:
        """The worker that holds somebody's mailbox; 0 for none that lives."""
        found = await self.ask(
            "SELECT name FROM lease JOIN worker USING (life) WHERE mailbox = $1 "
            "AND until > EXTRACT(EPOCH FROM clock_timestamp()) * 1000",
            person.address.value,
        )
        return int(found or 0)

    async def all_held(self, people: list[Person]) -> None:
        """Every mailbox is read by somebody."""

        async def held() -> bool:
            states = [await self.ask("SELECT state FROM mailbox WHERE address = $1", p.address.value) for p in people]
            return all(states) and all([await self.holder(p) for p in people]) and set(states) == {"ok"}

        await until(held, "every mailbox is read")

    async def well(self, port: int | None = None, within: float = 60.0) -> None:
        """The process that knows Matrix finds nothing wrong."""

        async def healthy() -> bool:
            return await self.health(port or self.house.config.mssante.http.port) == {}

        await until(healthy, "the bridge is well", within=within)

    async def health(self, port: int) -> dict[str, str]:
        """What is wrong with a process."""
        try:
            async with self.house.session.get(f"http://127.0.0.1:{port}/health") as answer:
                return dict((await answer.json()).get("problems", {}))
        except aiohttp.ClientError:
            return {"service": "away"}

    def journals_hold(self) -> bool:
        """Whether the chains of all journals do."""
        own = load(self._blind).mssante
        files = [worker_folder(own, number) / "journal.jsonl" for number in self.workers]
        files.append(self.house.config.mssante.state_dir / "journal.jsonl")
        return all(verify_lines(file.read_bytes().splitlines(keepends=True)).ok for file in files)
