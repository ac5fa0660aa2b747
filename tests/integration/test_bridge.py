"""The bridge as a process, between a real Synapse (with our module) and the sandbox operator; killed on the way."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import aiohttp
import pytest

from colloque.attestation import Attestation, Method, snapshot
from colloque.book import read_secret
from colloque.clock import SystemClock
from colloque.config import Config
from colloque.files import write_private
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import ADMIN_KEY, Incoming, RoomKind, RoomMark, RoomSpec, home_key, text
from colloque.matrix.nio_home import NioHome
from colloque.sockets import Client
from colloque_demo import settings, stack
from colloque_demo.clinician import Clinician
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_demo.people import Cast, Person
from colloque_demo.pki import make_pki
from tests.clients.mailbox import MailProgram, text_of

WAIT_S = 12.0


@dataclass
class Process:
    """One program, started, killed and started again."""

    command: list[str]
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.running = subprocess.Popen(self.command, stdout=out, stderr=out)

    def kill(self) -> None:
        assert self.running is not None
        self.running.kill()
        self.running.wait(20)

    def stop(self) -> int:
        assert self.running is not None
        if self.running.poll() is None:
            self.running.send_signal(signal.SIGTERM)
        return self.running.wait(20)


@dataclass
class House:
    """Everything but the annuaire and salles services: the test stands in for them."""

    layout: Layout
    config: Config
    server: Homeserver
    cast: Cast
    bridge: Process
    operator: Process
    session: aiohttp.ClientSession
    annuaire: NioHome
    author: Clinician
    serial: int = 0
    mails: dict[str, object] = field(default_factory=dict)

    def attest(self, *people: Person, days: int = 365) -> None:
        self.serial += 1
        now = SystemClock().now()
        entries = [
            Attestation(
                user=p.account,
                rpps=p.rpps,
                name=p.professional.display_name,
                method=Method.MAILBOX_CODE,
                issued_at=now,
                valid_until=now + timedelta(days=days),
            )
            for p in people
        ]
        encoded = snapshot(self.serial, now, entries).encode(read_secret(self.config.secrets.snapshot))
        write_private(self.config.annuaire.snapshot, encoded)

    def box(self, person: Person) -> MailProgram:
        return MailProgram(self.mails, person.address.value, person.mail_password)

    async def inbox(self, person: Person) -> list[EmailMessage]:
        return await asyncio.to_thread(self.box(person).inbox)

    async def write(self, subject: str, body: str, **more: str) -> str:
        """B writes to A; the Message-ID."""
        message_id = f"<{secrets.token_hex(8)}@{self.cast.correspondent.address.domain}>"
        await asyncio.to_thread(
            self.box(self.cast.correspondent).write,
            self.cast.author.address.value,
            subject,
            body,
            message_id=message_id,
            **more,
        )
        return message_id

    async def well(self) -> None:
        url = f"http://127.0.0.1:{self.config.mssante.http.port}/health"
        end = asyncio.get_running_loop().time() + WAIT_S
        while True:
            assert self.bridge.running is not None
            assert self.bridge.running.poll() is None, self.bridge.log.read_text()[-3000:]
            try:
                async with self.session.get(url) as answer:
                    if answer.status == 200:
                        return
                    last = await answer.text()
            except aiohttp.ClientError as error:
                last = repr(error)
            assert asyncio.get_running_loop().time() < end, last + self.bridge.log.read_text()[-3000:]
            await asyncio.sleep(0.1)

    def shown(self, body: str) -> list[Incoming]:
        """What A saw that holds `body`, from ghosts."""
        ghost = f"@{settings.GHOSTS}"
        return [
            h
            for _, h in self.author.heard
            if isinstance(h, Incoming) and h.sender.startswith(ghost) and body in h.body
        ]

    async def mail(self, body: str) -> Incoming:
        _, found = await self.author.hear(
            lambda m: m.sender.startswith(f"@{settings.GHOSTS}") and body in m.body, f"the mail {body}", timeout_s=WAIT_S
        )
        return found

    async def sign(self, event: EventId) -> str:
        """The key of the first reaction to an event."""
        _, mark = await self.author.hear(
            lambda m: m.type == "m.reaction" and m.content["m.relates_to"].get("event_id") == event,
            "a sign",
            timeout_s=WAIT_S,
        )
        return str(mark.content["m.relates_to"]["key"])

    async def answers_to(self, message_id: str) -> list[EmailMessage]:
        """Mails in B's mailbox that answer one of B's."""
        return [m for m in await self.inbox(self.cast.correspondent) if str(m["In-Reply-To"]).strip() == message_id]


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    layout = Layout(tmp_path_factory.mktemp("bridge") / "house")
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
        await asyncio.to_thread(stack._configure, server, layout, ports, config)
        operator = Process(list(stack._operator(layout, ports).command), layout.logs / "operator.log")
        operator.start()
        undo.callback(operator.stop)
        await asyncio.to_thread(server.start)
        undo.callback(server.stop)
        await asyncio.to_thread(stack._register, server, layout, book.cast)
        session = await undo.enter_async_context(aiohttp.ClientSession())
        folder = tmp_path_factory.mktemp("author")
        author = await Clinician.login(session, server.url, book.cast.author, folder)
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
        undo.callback(annuaire.close)
        bridge = Process([sys.executable, "-m", "colloque_mssante", "--config", str(layout.config)], layout.logs / "b.log")
        made = House(layout, config, server, book.cast, bridge, operator, session, annuaire, author)
        made.mails = {
            "imap": {"host": "localhost", "port": ports.imap},
            "smtp": {"host": "localhost", "port": ports.smtp},
            "ca": str(pki.ca),
        }
        made.attest(book.cast.author)
        bridge.start()
        undo.callback(bridge.stop)
        await made.well()
        yield made


async def test_mail_in_reply_out(house: House) -> None:
    asked = await house.write("Avis", "Bonjour, que pensez-vous de ce dossier ?")
    shown = await house.mail("que pensez-vous")
    assert shown.encrypted
    assert shown.device_signed
    assert shown.body.splitlines()[0] == "✉️ Nouveau message MSSanté"
    reply = await house.author.say(shown.room, "Avis favorable.", reply_to=shown.event)
    try:
        assert await house.sign(reply) in {"📤 envoyé", "✅ remis"}
    finally:
        for at, h in house.author.heard: print(h)
    [received] = await house.answers_to(asked)
    assert text_of(received).strip() == "Avis favorable."
