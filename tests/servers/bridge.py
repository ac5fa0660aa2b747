"""The bridge as a process, between a real Synapse (with our module) and the sandbox operator: a fixture.

    async def test_it(house: House) -> None: ...

tests/integration/conftest.py imports it, so that every file of tests there shares the one house.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from colloque.book import read_secret
from colloque.directory.sample import PATIENTS
from colloque.files import write_private
from colloque.matrix.nio_home import NioHome
from colloque_demo import settings, stack
from colloque_demo.clinician import Clinician
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_demo.pki import make_pki
from tests.clients.mailbox import MailProgram
from tests.servers.bridge_house import House
from tests.servers.nio import listening
from tests.servers.process import Process

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


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One for the whole run; each test leaves it well, with the author attested."""
    async with a_house(tmp_path_factory.mktemp("bridge")) as made:
        made.bridge.start()
        try:
            await made.well()
            yield made
        finally:
            made.bridge.stop()


@asynccontextmanager
async def a_house(folder: Path) -> AsyncIterator[House]:
    """One whose bridge is not started yet."""
    layout = Layout(folder / "house")
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
        await asyncio.to_thread(stack._configure, server, layout, ports, config)
        operator = Process(list(stack._operator(layout, ports).command), layout.logs / "operator.log")
        operator.start()
        undo.callback(operator.stop)
        await asyncio.to_thread(server.start)
        undo.callback(server.stop)
        await asyncio.to_thread(stack._register, server, layout, book.cast)
        session = await undo.enter_async_context(aiohttp.ClientSession())
        (folder / "author").mkdir()
        author = await Clinician.login(session, server.url, book.cast.author, folder / "author")
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
        made.attest(book.cast.author)
        yield made
