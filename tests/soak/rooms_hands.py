"""Clinicians at their screens: what they do there with patience while servers are away, and what @salles tells them."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import Callable
from dataclasses import dataclass

from colloque.identity import UserId
from tests.clients.jsclient import JsClient, JsError, Report
from tests.soak.bridge_people import Shelf
from tests.soak.house import accepted
from tests.soak.rooms_world import RoomsWorld
from tests.waiting import until

TOLD_S = 150.0
"""Within that @salles must have said what comes next, whatever was killed meanwhile."""
LOOK_S = 15.0
"""After that somebody who waits opens the room again."""


@dataclass
class Clinician:
    """One person at a screen, their home room, their mailbox. `bot`: @salles."""

    js: JsClient
    bot: UserId
    home: str
    inbox: Shelf

    @classmethod
    async def enter(cls, world: RoomsWorld, number: int) -> Clinician:
        """Log one of the untouched clinicians in."""
        user = world.cast.clinicians[number]
        js = await JsClient().start(world.url, user.account, user.password)
        made = cls(js, world.bot(), "", Shelf(world.box(user), "INBOX"))
        try:
            await js.call("bootstrap")
            await js.call("isolate")
        except BaseException:
            await js.stop()
            raise
        return made

    async def look(self) -> None:
        """Read the mailbox as it is now."""

        async def looked() -> bool:
            try:
                await asyncio.to_thread(self.inbox.look)
            except (OSError, imaplib.IMAP4.error):
                return False
            return True

        await until(looked, "a mailbox can be read", within=TOLD_S)

    async def say(self, room: str, text: str, txn: str) -> str:
        """Write; the event's id. However long the server takes to accept it."""
        return await accepted(lambda: self.js.call("send", room=room, text=text, txn=txn))

    async def join(self, room: str) -> None:
        """Enter a room, likewise."""

        async def joined() -> bool:
            try:
                await self.js.call("join", room=room)
            except JsError as error:
                if error.status is not None and error.status < 500 and error.status != 429:
                    raise
                return False
            return True

        await until(joined, "entering a room", within=TOLD_S)

    async def sees(self, room: str, users: set[str]) -> None:
        """Wait until their screen shows these people in a room that is encrypted."""

        async def seen() -> bool:
            found = await self.js.call("room", room=room) or {"encrypted": False, "members": []}
            inside = {m["user"] for m in found["members"] if m["membership"] == "join"}
            return bool(found["encrypted"]) and users <= inside

        await until(seen, "everybody in an encrypted room", within=TOLD_S)

    def is_said(self, report: Report, words: str) -> bool:
        """Is it @salles who says that in the home room?"""
        if report["event"] != "message" or report["room"] != self.home or report["from"] != self.bot:
            return False
        return words in (report["body"] or "")

    async def expect(self, wanted: Callable[[Report], bool], since: int, what: str, within: float = TOLD_S) -> Report:
        """Wait for what the session tells; the home room is opened again where it takes long. Raises AssertionError."""
        for _ in range(round(within / LOOK_S)):
            try:
                return await self.js.expect(wanted, LOOK_S, since=since)
            except AssertionError:
                await self._reopen()
        raise AssertionError(f"not told within {within:.0f} s: {what}")

    async def _reopen(self) -> None:
        try:
            await self.js.call("reopen", room=self.home)
        except JsError as error:
            if error.status is not None and error.status < 500:
                raise
