"""Imports asked of the running service: a process of their own, journaled, told of when refused."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from colloque.clock import SystemClock, monotonic
from colloque.directory.file import DirectoryFile
from colloque.directory.sample import write_sample
from colloque.errors import BadInput, NotFound, Refused, Temporary
from colloque.sockets import Client, Server
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.schema import new_upgrades, open_database
from colloque_annuaire.directory.importing import IMPORT_S, Importing, Where
from tests.extracts import STAMP, boxes, people, whitelist_xml
from tests.waiting import until

ME = os.geteuid()


class House:
    """What an import touches, and the socket it is asked on."""

    def __init__(self, tmp: Path, incidents: Incidents) -> None:
        self.tmp = tmp
        self.target = tmp / "directory.sqlite"
        self.directory = DirectoryFile(self.target)
        self.incidents = incidents
        self.start()

    def start(self) -> None:
        self.journal = Journal.open(self.tmp / "journal.jsonl", SystemClock())
        self.importing = Importing(
            where=Where(str(self.target), self.tmp / "cache.sqlite", test=False),
            directory=self.directory,
            journal=self.journal,
            incidents=self.incidents,
        )
        verbs = {"colloque": {"import": self.importing.ask, "import_progress": self.importing.progress}}
        self.server = Server(self.tmp / "s.sock", {"colloque": ME}, verbs, slow={"import": IMPORT_S})

    async def call(self, *paths: Path, force: bool = False) -> dict[str, Any]:
        client = Client(self.tmp / "s.sock", "colloque", timeout_s=120)
        return await client.call("import", paths=[str(p) for p in paths], force=force)

    async def progress(self) -> dict[str, Any]:
        return await Client(self.tmp / "s.sock", "colloque").call("import_progress")

    def acts(self) -> list[tuple[str, str]]:
        entries = [json.loads(line) for line in (self.tmp / "journal.jsonl").read_text().splitlines()]
        return [(e["phase"], e["outcome"]) for e in entries if e["kind"] == "directory.import"]

    def facts(self, n: int) -> dict[str, Any]:
        return dict(json.loads((self.tmp / "journal.jsonl").read_text().splitlines()[n])["facts"])


@pytest.fixture
async def house(tmp: Path) -> AsyncIterator[House]:
    db = await open_database(f"sqlite:{tmp}/store.db", new_upgrades(), "colloque_annuaire")
    made = House(tmp, Incidents(db, SystemClock()))
    await made.server.start()
    yield made
    await made.server.stop()
    await made.importing.close()
    made.journal.close()
    await db.stop()


def first_files(folder: Path) -> Path:
    """40 people and mailboxes, and a white-list that is valid under the machine's own clock."""
    folder.mkdir()
    (folder / "list.xml").write_text(whitelist_xml("x.test", end="2099-01-01T00:00:00+01:00"), encoding="utf-8")
    people(folder, 40, STAMP), boxes(folder, 40, STAMP)
    return folder


async def big(house: House) -> Path:
    """Files whose import takes a while."""
    folder = house.tmp / "big"
    await asyncio.to_thread(write_sample, folder, 20_000, 3, SystemClock().now())
    return folder


async def test_an_import_answers_its_report_and_is_journaled(house: House) -> None:
    folder = first_files(house.tmp / "in")
    report = await house.call(folder)
    assert (report["people"], report["mailboxes"], report["forced"]) == (40, 40, False)
    assert house.directory.freshness().people == 40
    assert house.acts() == [("intent", ""), ("result", "imported")]
    assert house.facts(0) == {"file_1": "in", "forced": False, "source": "command"}
    facts = house.facts(1)
    assert facts["people"] == 40
    assert "ps_libreacces_personne_activite_202603010630.txt" in facts.values()
    assert str(house.tmp) not in (house.tmp / "journal.jsonl").read_text()
    assert await house.progress() == {"running": False, "read": 0, "total": 0}


async def test_a_refusal_comes_back_with_its_reason_and_the_next_good_import_closes_the_incident(house: House) -> None:
    await house.call(first_files(house.tmp / "in"))
    less = house.tmp / "less"
    less.mkdir()
    people(less, 30), boxes(less, 30)
    with pytest.raises(Refused) as refused:
        await house.call(less)
    assert refused.value.reason == "people.fall"
    assert "30 people instead of 40" in str(refused.value)
    assert house.directory.freshness().people == 40
    assert house.acts()[-1] == ("result", "refused")
    [incident] = await house.incidents.unposted()
    assert "trop peu de professionnels" in incident.text
    assert "(people.fall)" in incident.text
    await house.incidents.posted(incident.key)
    report = await house.call(less, force=True)
    assert (report["people"], report["forced"]) == (30, True)
    assert house.facts(-1)["forced"] is True
    assert await house.incidents.current() == []


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"paths": []}, BadInput),
        ({"paths": ["relative"]}, BadInput),
        ({"paths": "/x"}, BadInput),
        ({"paths": ["/x"], "force": 1}, BadInput),
        ({"paths": ["/x"] * 51}, BadInput),
        ({"paths": ["/no/such/file"]}, Refused),
    ],
)
async def test_what_is_asked_badly_changes_nothing(house: House, args: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        await Client(house.tmp / "s.sock", "colloque", timeout_s=60).call("import", **args)
    with pytest.raises(NotFound):
        house.directory.freshness()


async def test_one_at_a_time_while_the_loop_stays_free(house: House) -> None:
    folder = await big(house)
    first = asyncio.create_task(house.call(folder))

    async def under_way() -> bool:
        return (await house.progress())["read"] > 0

    await until(under_way, "the import reads")
    assert (await house.progress())["running"]
    with pytest.raises(Temporary):
        await house.call(folder)
    gaps, last = [], monotonic()
    while not first.done():
        await asyncio.sleep(0.01)
        gaps.append(monotonic() - last)
        last = monotonic()
    assert (await first)["people"] > 20_000
    assert sorted(gaps)[int(len(gaps) * 0.95)] < 0.2
    assert house.acts() == [("intent", ""), ("result", "imported")]


async def test_a_caller_who_hangs_up_ends_nothing(house: House) -> None:
    folder = await big(house)
    caller = asyncio.create_task(house.call(folder))

    async def under_way() -> bool:
        return bool((await house.progress())["running"])

    await until(under_way, "the import runs")
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)

    async def imported() -> bool:
        return house.acts()[-1] == ("result", "imported")

    await until(imported, "the import ends well", within=60)


async def test_an_import_whose_process_dies_leaves_what_was_there_and_says_so(house: House) -> None:
    await house.call(first_files(house.tmp / "in"))
    folder = await big(house)
    running = asyncio.create_task(house.call(folder))

    async def process() -> Any:
        return house.importing._process

    os.kill((await until(process, "its process")).pid, signal.SIGKILL)
    with pytest.raises(Temporary):
        await running
    assert house.directory.freshness().people == 40
    assert house.acts()[-1] == ("result", "failed")
    assert await house.incidents.current() == ["import.import.failed"]
    assert (await house.call(folder))["people"] > 20_000
    assert await house.incidents.current() == []


async def test_the_service_that_stops_ends_a_running_import(house: House) -> None:
    folder = await big(house)
    running = asyncio.create_task(house.call(folder))

    async def process() -> Any:
        return house.importing._process

    await until(process, "its process")
    await house.importing.close()
    with pytest.raises(Temporary):
        await running
    assert house.acts()[-1] == ("result", "failed")
    with pytest.raises(NotFound):
        house.directory.freshness()


@pytest.mark.parametrize("published", [True, False])
async def test_a_killed_service_knows_at_its_start_what_became_of_an_import(house: House, published: bool) -> None:
    """kill -9 between the intent and its result: the import had put its directory in place, or not."""
    await house.call(first_files(house.tmp / "in"))
    house.journal.begin("directory.import", file_1="in", forced=True, source="command")
    if published:
        await asyncio.to_thread(_import_again, house)
    house.journal.close()
    await house.server.stop()
    house.start()
    await house.server.start()
    await house.importing.settle()
    assert house.acts()[-1] == ("result", "imported" if published else "interrupted")
    assert house.journal.open_intents() == ()


def _import_again(house: House) -> None:
    from colloque.directory.extract import import_files

    import_files([house.tmp / "in"], house.target, SystemClock(), force=True)
