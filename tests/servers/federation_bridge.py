"""A mail bridge beside one server of a federation: the sandbox operator, and mailboxes of people of its directory."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from colloque.config_load import load
from colloque.files import write_private
from colloque_demo import settings, stack
from colloque_demo.pki import make_pki
from tests.clients.mailbox import MailProgram
from tests.servers.federation_place import Place
from tests.servers.federation_world import Somebody
from tests.servers.process import Process
from tests.waiting import until


@dataclass
class Bridge:
    """The bridge's process, and mail programs of those whose mailboxes the operator has."""

    place: Place
    process: Process
    boxes: dict[str, MailProgram]

    def box(self, who: Somebody) -> MailProgram:
        return self.boxes[address_of(who)]

    async def well(self) -> None:
        url = f"http://127.0.0.1:{self.place.ports.mssante}/health"

        async def healthy() -> bool:
            assert self.process.running is not None
            assert self.process.running.poll() is None, self.process.log.read_text()[-3000:]
            try:
                async with self.place.http.get(url) as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(healthy, "the bridge is well")

    async def write(self, sender: Somebody, to: Somebody, words: str) -> None:
        """A mail from a mail program."""
        message_id = f"<{secrets.token_hex(8)}@essai.example>"
        await asyncio.to_thread(self.box(sender).write, address_of(to), "Avis", words, message_id=message_id)


def address_of(who: Somebody) -> str:
    (box,) = who.professional.personal_mailboxes
    return box.address.value


@asynccontextmanager
async def bridging(place: Place, inside: tuple[Somebody, ...], outside: tuple[Somebody, ...]) -> AsyncIterator[Bridge]:
    """Started. The bridge reads the mailboxes of those `inside`; the operator has those of `outside`, too."""
    pki = make_pki(place.layout.mail / "pki")
    known = {address_of(each): {"password": settings.password()} for each in (*inside, *outside)}
    known[settings.SENDER] = {"password": settings.password()}
    write_private(place.layout.mail / "accounts.json", json.dumps(known))
    own = {address: known[address] for address in (settings.SENDER, *map(address_of, inside))}
    write_private(place.layout.secret("mailboxes.yaml"), json.dumps(own))
    raw = json.loads(place.layout.config.read_text(encoding="utf-8"))
    for side in ("imap", "smtp"):
        raw["mssante"][side]["ca"] = str(pki.ca)
    place.layout.config.write_text(json.dumps(raw), encoding="utf-8")
    place.config = load(place.layout.config)
    operator = Process(list(stack._operator(place.layout, place.ports).command), place.layout.logs / "operator.log")
    command = [sys.executable, "-m", "colloque_mssante", "--config", str(place.layout.config)]
    bridge = Process(command, place.layout.logs / "mssante.log")
    doors = {side: {"host": "localhost", "port": getattr(place.ports, side)} for side in ("imap", "smtp")}
    mail = {**doors, "ca": str(pki.ca)}
    boxes = {address: MailProgram(mail, address, each["password"]) for address, each in known.items()}
    async with AsyncExitStack() as undo:
        for process in (operator, bridge):
            process.start()
            undo.callback(process.stop)
        made = Bridge(place, bridge, boxes)
        await made.well()
        yield made
