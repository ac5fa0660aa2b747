"""What a step of the scenario has at hand, and how it says what it saw."""

from __future__ import annotations

import asyncio
import imaplib
from dataclasses import dataclass, field
from email.message import EmailMessage

from colloque.clock import monotonic
from colloque.identity import RoomId
from colloque.matrix.home import Incoming
from colloque.rooms.mark import ROOM_MARK, RoomKind
from colloque_demo.clinician import PATIENCE_S, Clinician, hold, until
from colloque_demo.mailbox import Postman
from colloque_demo.people import Person
from colloque_demo.report import Display
from colloque_demo.stack import Stack

PROMPT_S = 5.0
"""Within what time the issue wants a refusal's reason to reach the person."""


@dataclass
class Stage:
    """The people at their clients, the mail operator's doors, and the audience."""

    stack: Stack
    display: Display
    postman: Postman
    author: Clinician
    colleague: Clinician
    outsider: Clinician
    facts: list[str] = field(default_factory=list)
    """What the running step has seen so far."""

    def fact(self, text: str) -> None:
        """Something was seen to hold."""
        self.facts.append(text)
        self.display.fact(text)

    def wrote(self, who: Clinician, body: str) -> None:
        """Show what a person wrote."""
        self.display.said(who.person.short, body)

    def answered(self, message: Incoming) -> None:
        """Show what a bot or a ghost wrote."""
        self.display.said(message.sender.partition(":")[0], message.body)

    @property
    def bots(self) -> frozenset[str]:
        """The three bots."""
        return frozenset(self.stack.config.bots)

    async def until_well(self, name: str) -> None:
        """Wait until that program is well by its own account. Raises NotHeld in time."""

        async def look() -> bool | None:
            return await self.stack.supervisor.is_well(name) or None

        await until(look, f"{name} is well")

    async def mails(self, owner: Person) -> list[EmailMessage]:
        """The owner's INBOX, read over IMAP; an operator that is being started again is waited for."""
        end = monotonic() + PATIENCE_S
        while True:
            try:
                return await asyncio.to_thread(self.postman.mails, owner.address.value, owner.mail_password)
            except (OSError, imaplib.IMAP4.abort):
                if monotonic() > end:
                    raise
                await asyncio.sleep(0.2)

    async def home_of(self, who: Clinician) -> RoomId:
        """The person's home room, once they and the three bots are in it; checked to be encrypted and the only one."""
        everybody = {who.user, *self.stack.config.bots}

        async def look() -> RoomId | None:
            rooms = [r for r in await who.joined_rooms() if await self.kind_of(who, r) is RoomKind.HOME]
            hold(len(rooms) < 2, f"{who.person.short} has {len(rooms)} home rooms")
            if not rooms:
                return None
            members = await who.members(rooms[0])
            return rooms[0] if all(members.get(user) == "join" for user in everybody) else None

        room = await until(look, "the home room with the three bots", 60.0)
        encryption = await who.state(room, "m.room.encryption")
        hold(encryption["content"]["algorithm"] == "m.megolm.v1.aes-sha2", "the home room is not encrypted")
        present = {user for user, membership in (await who.members(room)).items() if membership in {"join", "invite"}}
        hold(present == everybody, "somebody else is in the home room")
        return room

    async def kind_of(self, who: Clinician, room: RoomId) -> RoomKind | None:
        """What a room is, when one of our bots said so."""
        found = await who.state_or_none(room, ROOM_MARK)
        return None if found is None or found["sender"] not in self.bots else RoomKind(found["content"]["kind"])
