"""The annuaire service as a process on a real Synapse: a new directory comes, the service is killed over it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from colloque.audit import verify_lines
from colloque.book import AttestationBook, read_secret
from colloque.clock import SystemClock, to_millis
from colloque.config import Config
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.sample import write_sample
from colloque.identity import Rpps
from colloque.sockets import Client
from colloque_demo import settings, stack
from colloque_demo.clinician import Clinician
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_demo.people import Cast, choose
from colloque_demo.pki import make_pki
from tests.servers.process import Process
from tests.waiting import until

PEOPLE = 2_000
MOVED = 300
"""Attested people whose town changes by the second directory."""
RPPS, TOWN = 1, 37
"""Columns of Personne_activite, from 0."""


@dataclass
class House:
    layout: Layout
    config: Config
    cast: Cast
    author: Clinician
    service: Process
    http: aiohttp.ClientSession

    @property
    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.layout.state("annuaire") / "annuaire.db", timeout=30)

    @property
    def journal(self) -> Path:
        return self.layout.state("annuaire") / "journal.jsonl"

    def acts(self, kind: str) -> list[tuple[str, str]]:
        if not self.journal.exists():
            return []
        lines = self.journal.read_text().splitlines()
        entries = [json.loads(line) for line in lines if line.endswith("}")]
        return [(e["phase"], e["outcome"]) for e in entries if e["kind"] == kind]

    async def call(self, verb: str, **args: Any) -> dict[str, Any]:
        return await Client(self.config.socket("annuaire"), "colloque", timeout_s=120).call(verb, **args)

    async def get(self, path: str) -> tuple[int, str]:
        try:
            async with self.http.get(f"http://127.0.0.1:{self.config.annuaire.http.port}{path}") as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def well(self) -> None:
        async def healthy() -> bool:
            assert self.service.running is not None
            assert self.service.running.poll() is None, "the service has ended"
            return (await self.get("/health"))[0] == 200

        await until(healthy, "the service is well", within=60)

    def attest(self, users: dict[str, str], names: dict[str, str]) -> None:
        """As enrolment does, for people by user id; the service is stopped."""
        now = SystemClock().now()
        rows = [
            (user, rpps, names[rpps], "mailbox_code", to_millis(now), to_millis(now + timedelta(days=9)), f"${user}", 1)
            for user, rpps in users.items()
        ]
        with closing(self.database) as db, db:
            db.executemany(
                "INSERT INTO attestation (user_id, rpps, name, method, issued_at, valid_until, by_event, name_set) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            db.execute("UPDATE attestation_serial SET serial = serial + 1")

    def stage(self) -> str:
        with closing(self.database) as db:
            row = db.execute("SELECT stage, imported_at FROM verified").fetchone()
        directory = DirectoryFile(Path(self.config.annuaire.directory))
        fresh = directory.freshness()
        directory.close()
        return str(row[0]) if row and row[1] == to_millis(fresh.imported_at) else ""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    layout = Layout(tmp_path / "house")
    layout.open()
    async with AsyncExitStack() as undo:
        undo.callback(layout.close)
        clock = SystemClock()
        await asyncio.to_thread(write_sample, layout.extraction, PEOPLE, 7, clock.now() - timedelta(hours=26))
        await asyncio.to_thread(import_files, [layout.extraction], layout.directory, clock)
        directory = DirectoryFile(layout.directory)
        cast = choose(layout.extraction, directory)
        directory.close()
        ports = settings.Ports.choose()
        settings.make_secrets(layout)
        pki = make_pki(layout.mail / "pki")
        server = Homeserver(layout.synapse, settings.SERVER_NAME, ports.synapse)
        config = settings.write_config(layout, ports, server.url, pki.ca)
        await asyncio.to_thread(stack._configure, server, layout, ports, config)
        await asyncio.to_thread(server.start)
        undo.callback(server.stop)
        await asyncio.to_thread(stack._register, server, layout, cast)
        http = await undo.enter_async_context(aiohttp.ClientSession())
        (tmp_path / "author").mkdir()
        author = await Clinician.login(http, server.url, cast.author, tmp_path / "author")
        undo.push_async_callback(author.close)
        command = [sys.executable, "-m", "colloque_annuaire", "--config", str(layout.config)]
        service = Process(command, layout.logs / "annuaire.log")
        service.start()
        undo.callback(service.stop)
        made = House(layout, config, cast, author, service, http)
        await made.well()
        yield made


def tomorrow(house: House, moved: set[str]) -> Path:
    """The next day's extraction: the author is gone from it, the `moved` live elsewhere."""
    folder = house.layout.root / "tomorrow"
    folder.mkdir()
    stamp = f"{(SystemClock().now() + timedelta(minutes=30)):%Y%m%d%H%M}"
    for path in house.layout.extraction.iterdir():
        if "Personne_activite" not in path.name:
            continue
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        kept = []
        for row in rows:
            fields = row.split("|")
            if fields[RPPS] == house.cast.author.rpps.value:
                continue
            if fields[RPPS] in moved:
                fields[TOWN] = "VILLENEUVE"
            kept.append("|".join(fields))
        target = folder / f"PS_LibreAcces_Personne_activite_{stamp}.txt"
        target.write_text("\n".join([head, *kept, ""]), encoding="utf-8")
    return folder


async def test_killed_over_a_new_directory_all_is_done_once_and_told_once(house: House) -> None:
    directory = DirectoryFile(Path(house.config.annuaire.directory))
    others = [p.rpps for p in house.cast.accounts if p is not house.cast.author and p.professional.rpps]
    numbers = _numbers(house)
    moved = [n for n in numbers if Rpps(n) not in {*others, house.cast.author.rpps}][:MOVED]
    users = {house.cast.author.account: house.cast.author.rpps.value}
    users |= {f"@moved{n}:{settings.SERVER_NAME}": number for n, number in enumerate(moved)}
    names = {number: (directory.by_rpps(Rpps(number)) or _nobody()).display_name for number in users.values()}
    assert house.service.stop() == 0
    house.attest(users, names)
    house.service.start()
    await house.well()

    report = await house.call("import", paths=[str(tomorrow(house, set(moved)))])
    assert report["people"] > 0.9 * PEOPLE
    assert "people" not in report["carried"]

    for marker in ("person.rename", "person.missing"):

        async def reached(kind: str = marker) -> bool:
            return bool(house.acts(kind))

        await until(reached, marker, within=30)
        house.service.kill()
        house.service.start()
    await house.well()

    async def dealt_with() -> bool:
        return house.stage() == "done"

    await until(dealt_with, "the directory is dealt with", within=60)

    def about_me(heard: Any) -> bool:
        return "ne vous mentionne plus" in heard.body

    await house.author.hear(about_me, "the author is told", timeout_s=30)
    assert house.acts("person.missing").count(("result", "done")) == 1
    assert house.acts("person.rename").count(("result", "done")) == MOVED
    with house.journal.open("rb") as lines:
        verdict = verify_lines(lines)
    assert verdict.ok
    assert [i for i in verdict.open_intents if i.kind.startswith("person.")] == []
    book = AttestationBook(house.config.annuaire.snapshot, read_secret(house.config.secrets.snapshot))
    valid = {a.user: a for a in book.all(SystemClock().now())}
    assert len(valid) == MOVED + 1, "nobody has lost anything yet"
    assert {a.name.rpartition(" · ")[2] for u, a in valid.items() if u.startswith("@moved")} == {"VILLENEUVE"}

    async def counted() -> bool:
        return 'colloque_presence{state="missing"} 1.0' in (await house.get("/metrics"))[1]

    await until(counted, "metrics count the missing")
    metrics = (await house.get("/metrics"))[1]
    assert "colloque_directory_people " in metrics
    assert "colloque_directory_age_seconds " in metrics

    back = await house.call("import", paths=[str(house.layout.extraction)], force=True)
    assert back["forced"]
    await house.author.hear(lambda m: "rien n'a été perdu" in m.body, "the author is back", timeout_s=30)
    told = [m for _, m in house.author.heard if "mentionne" in getattr(m, "body", "")]
    assert len(told) == 2


def _numbers(house: House) -> list[str]:
    """RPPS numbers of people with one activity, in the extraction's order."""
    [path] = [p for p in house.layout.extraction.iterdir() if "Personne_activite" in p.name]
    rows = [line.split("|") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    count: dict[str, int] = {}
    for fields in rows:
        if fields[0] == "8":
            count[fields[RPPS]] = count.get(fields[RPPS], 0) + 1
    return [number for number, times in count.items() if times == 1]


def _nobody() -> Any:
    raise AssertionError("the sample lists them")
