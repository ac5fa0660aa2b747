"""The bridge as a process, between a real Synapse (with our module) and the sandbox operator: a fixture.

    async def test_it(house: House) -> None: ...

tests/integration/conftest.py imports it, so that every file of tests there shares the one house.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields
from pathlib import Path

import aiohttp
import pytest
from ruamel.yaml import YAML

from colloque.book import read_secret
from colloque.config import Config
from colloque.config_load import load
from colloque.directory.sample import PATIENTS
from colloque.files import write_private
from colloque.matrix.nio_home import NioHome
from colloque_demo import settings, stack
from colloque_demo.clinician import Clinician
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_demo.people import Cast, Person
from colloque_demo.pki import make_pki
from tests.clients.mailbox import MailProgram
from tests.servers.bridge_house import House
from tests.servers.nio import listening
from tests.servers.process import Process
from tests.servers.psc import Psc

PATIENT = f"279035121518989@{PATIENTS}"
"""ANS's test number."""


def open_mailbox(layout: Layout, address: str) -> str:
    """One more mailbox at the operator's, which the bridge knows nothing of; its password."""
    file, password = layout.mail / "accounts.json", settings.password()
    write_private(file, json.dumps(json.loads(file.read_text()) | {address: {"password": password}}))
    return password


def organisation(layout: Layout) -> str:
    """The first mailbox of the directory that is an organisation's."""
    [file] = layout.extraction.glob("*MSSante*.txt")
    with file.open(encoding="utf-8", newline="") as rows:
        return next(r["Adresse BAL"].lower() for r in csv.DictReader(rows, delimiter="|") if r["Type de BAL"] == "ORG")


def by_sessions(layout: Layout, psc: Psc, people: Sequence[Person]) -> Config:
    """The configuration in which these people's mailboxes open by Pro Santé Connect alone, the operator's likewise."""
    boxes, accounts = layout.secret("mailboxes.yaml"), layout.mail / "accounts.json"
    for file in (boxes, accounts):
        known = json.loads(file.read_text())
        for person in people:
            if file == boxes:
                del known[person.address.value]
            else:
                known[person.address.value]["national"] = person.rpps.national
        write_private(file, json.dumps(known, indent=1))
    raw = YAML().load(layout.config.read_text(encoding="utf-8"))
    raw["mode"] = "test"  # for an issuer on the loopback, in clear
    endpoints = {f.name: getattr(psc.config, f.name) for f in fields(psc.config)}
    raw["mssante"]["psc"] = {name: str(value) for name, value in endpoints.items() if value is not None}
    raw["mssante"]["psc_domains"] = sorted({person.address.domain for person in people})
    with layout.config.open("w", encoding="utf-8") as out:
        YAML().dump(raw, out)
    return load(layout.config)


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One for the whole run; each test leaves it well, with the author attested."""
    async with open_house(tmp_path_factory.mktemp("bridge")) as made:
        yield made


@asynccontextmanager
async def open_house(root: Path, psc: Callable[[Cast], Psc] | None = None) -> AsyncIterator[House]:
    """One in a folder of its own, its bridge started."""
    async with a_house(root, psc) as made:
        made.bridge.start()
        try:
            await made.well()
            yield made
        finally:
            made.bridge.stop()


@asynccontextmanager
async def a_house(root: Path, psc: Callable[[Cast], Psc] | None = None) -> AsyncIterator[House]:
    """One whose bridge is not started yet. With `psc`, the author's and their colleague's mailboxes open by their
    sessions there alone."""
    layout = Layout(root / "house")
    layout.open()
    async with AsyncExitStack() as undo:
        undo.callback(layout.close)
        book = await stack.prepare(layout)
        ports = settings.Ports.choose()
        settings.make_secrets(layout)
        pki = make_pki(layout.mail / "pki")
        server = Homeserver(layout.synapse, settings.SERVER_NAME, ports.synapse)
        config = settings.write_config(layout, ports, server.url, pki.ca)
        stack._write_mailboxes(layout, book.cast)
        patient = open_mailbox(layout, PATIENT)
        shared = organisation(layout)
        shared_password = open_mailbox(layout, shared)
        boxes = layout.secret("mailboxes.yaml")
        known = json.loads(boxes.read_text()) | {shared: {"password": shared_password}}
        write_private(boxes, json.dumps(known, indent=1))
        command = list(stack._operator(layout, ports).command)
        sessions = psc(book.cast) if psc is not None else None
        if sessions is not None:
            config = by_sessions(layout, sessions, (book.cast.author, book.cast.colleague))
            command[1:3] = ["-m", "tests.servers.operator_psc", sessions.config.userinfo]
            await undo.enter_async_context(sessions)
        await asyncio.to_thread(stack._configure, server, layout, ports, config)
        operator = Process(command, layout.logs / "operator.log")
        operator.start()
        undo.callback(operator.stop)
        await asyncio.to_thread(server.start)
        undo.callback(server.stop)
        await asyncio.to_thread(stack._register, server, layout, book.cast)
        session = await undo.enter_async_context(aiohttp.ClientSession())
        (root / "author").mkdir()
        author = await Clinician.login(session, server.url, book.cast.author, root / "author")
        undo.push_async_callback(author.close)
        annuaire = await NioHome.open(
            session=session,
            base_url=server.url,
            user=config.bot("annuaire"),
            token=read_secret(config.annuaire.as_token).decode(),
            state_dir=layout.state("annuaire"),
            mark_dir=layout.marks,
            identity_secret=read_secret(config.secrets.identity),
            pickle_key=read_secret(config.secrets.pickle).decode(),
            bots=frozenset(config.bots),
        )
        bridge = Process(
            [sys.executable, "-m", "colloque_mssante", "--config", str(layout.config)], layout.logs / "b.log"
        )
        overheard = await undo.enter_async_context(listening(annuaire))
        made = House(layout, config, server, book.cast, bridge, operator, session, annuaire, author, overheard)
        made.mails = {
            "imap": {"host": "localhost", "port": ports.imap},
            "smtp": {"host": "localhost", "port": ports.smtp},
            "ca": str(pki.ca),
        }
        made.patient = MailProgram(made.mails, PATIENT, patient)
        made.shared = MailProgram(made.mails, shared, shared_password)
        if sessions is not None:
            made.psc = sessions
            keeper = [sys.executable, "-m", "colloque_mssante.keeper", "--config", str(layout.config)]
            made.keeper = Process(keeper, layout.logs / "keeper.log")
            made.keeper.start()
            undo.callback(made.keeper.stop)
        made.attest(book.cast.author)
        yield made
