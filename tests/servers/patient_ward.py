"""Two colleagues, their home rooms, @salles and the bridge as processes, a real Synapse and the sandbox operator."""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming, RoomSpec, reaction
from colloque.rooms.mark import RoomKind, RoomMark, home_key
from colloque_demo.clinician import Clinician
from tests.servers.bridge import a_house
from tests.servers.bridge_house import House
from tests.servers.leftovers_place import with_helper
from tests.servers.process import Process


@dataclass
class Ward:
    """Two colleagues, their home rooms, and the service."""

    house: House
    salles: Process
    author: Clinician
    colleague: Clinician
    home: RoomId
    other_home: RoomId

    @property
    def bot(self) -> UserId:
        return self.house.config.bot("salles")

    async def says(self, who: Clinician, words: str, *, room: RoomId | None = None, since: int = 0) -> Incoming:
        """The first message of @salles that holds these words."""
        _, found = await who.hear(
            lambda m: m.sender == self.bot and words in m.body and room in {None, m.room}, words, since=since
        )
        return found

    async def archives(self) -> list[EmailMessage]:
        """The archives in the author's mailbox."""
        mails = await self.house.inbox(self.house.cast.author)
        return [mail for mail in mails if "à classer" in str(mail["Subject"])]

    async def files(self, sent: Incoming) -> None:
        """Its referent says that it is in the record; and says so again where the bridge did not know that it left."""
        since, answers = len(self.author.heard), ("sont au dossier", "Touchez ✅ sous ce message")
        await self.tap(self.author, sent, "✅")
        _, said = await self.author.hear(
            lambda m: m.sender == self.bot and any(words in m.body for words in answers), "what was noted", since=since
        )
        if answers[0] not in said.body:
            await self.files(said)

    async def erased(self, about: Incoming) -> dict[str, Any]:
        """The receipt of the room that this message speaks of, once its referent has read that it is erased."""
        words = about.body.partition("« ")[2].partition(" »")[0]
        said = await self.says(self.author, f"« {words} » est effacé. Reçu", room=self.home)
        serial = int(said.body.partition("n° ")[2].partition(",")[0])
        file = self.house.config.salles.receipts / f"receipt-{serial:06d}.json"
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found

    async def lives(self, room: RoomId) -> bool:
        """The author is in it still."""
        return room in await self.author.joined_rooms()

    async def tap(self, who: Clinician, on: Incoming, key: str) -> EventId:
        return await who.home.send(on.room, reaction(on.event, key), txn=secrets.token_hex(8), type_="m.reaction")

    async def opened(self, line: str) -> RoomId:
        """A room that the author opened by words, and the colleague entered."""
        said = await self.author.ask(self.home, line, line)
        room = link_in(said.body)
        await self.colleague.membership(room, "invite", "the invitation")
        await self.colleague.call("POST", path(CLIENT, "join", room), {})
        await self.author.membership(room, "join", "their own join")
        return room


def link_in(said: str) -> RoomId:
    found = re.search(r"matrix\.to/#/(\S+)", said)
    assert found is not None, said
    return RoomId(unquote(found[1]))


@asynccontextmanager
async def a_ward(folder: Path) -> AsyncIterator[Ward]:
    """All of it, up."""
    async with a_house(folder) as house:
        people = (house.cast.author, house.cast.colleague)
        house.attest(*people, professions=("10",))
        with_helper(house.layout, house.server)
        command = [sys.executable, "-m", "colloque_salles", "--config", str(house.layout.config)]
        salles = Process(command, house.layout.logs / "salles.log")
        helper = [sys.executable, "-m", "colloque_salles.cleaner", "--config", str(house.layout.config)]
        cleaner = Process(helper, house.layout.logs / "cleaner.log")
        cleaner.start()
        salles.start()
        house.bridge.start()
        await house.well()
        homes = []
        for person in people:
            mark = RoomMark(RoomKind.HOME, home_key(person.account), owner=person.account)
            bots = (house.config.bot("salles"), house.config.bot("mssante"))
            homes.append(await house._room(RoomSpec("Colloque", mark, invite=(person.account, *bots))))
        (folder / "colleague").mkdir()
        colleague = await Clinician.login(house.session, house.server.url, people[1], folder / "colleague")
        try:
            yield Ward(house, salles, house.author, colleague, *homes)
        finally:
            await colleague.close()
            salles.stop()
            cleaner.stop()
            house.bridge.stop()
