"""Clinicians who open patient rooms, write in them, end them, and say (or not) what becomes of their archives.

What they do, they do as people do: with patience while servers are away, and only on what @salles has told them.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote

from colloque.clock import SystemClock, to_millis
from colloque.taps import NUMBERS
from colloque_salles.texts import keeping as says
from tests.clients.jsclient import JsError, Report
from tests.soak.house import accepted, answers
from tests.soak.rooms_hands import TOLD_S, Clinician
from tests.soak.rooms_plan import End, Story, Way
from tests.soak.rooms_world import IDLE_S, WAIT_S, RoomsWorld
from tests.waiting import until

PEOPLE = 3
AGAIN_S = 5.0
"""Before a tap that decided nothing is made again."""
ERASED = "est effacé. Reçu d'effacement n°"
_GONE = {"M_FORBIDDEN", "M_NOT_FOUND"}
_clock = SystemClock()


@dataclass
class Room:
    """What a story left: what was said where, and what must come of it."""

    story: Story
    since: tuple[int, int] = (0, 0)
    """How much its two people had been told before."""
    mails_before: int = 0
    room: str = ""
    words: str = ""
    texts: list[str] = field(default_factory=list)
    """Each stands in what was said."""
    files: dict[str, bytes] = field(default_factory=dict)
    urls: list[str] = field(default_factory=list)
    tapped_ms: int = 0
    """When its referent began to say what proves it."""
    last_tap_ms: int = 0
    """When they said it last: they are asked to again while nobody knows that it left."""
    asked: bool = False
    """It was not erased without its referent's word: nobody could know whether a mail arrived."""
    sent_again: bool = False
    """A mail of it is there twice: nobody could know whether it had arrived."""
    stuck: str = ""
    """Where it got no further."""

    def taps(self) -> None:
        """Its referent is about to say what proves it."""
        self.last_tap_ms = to_millis(_clock.now())
        self.tapped_ms = self.tapped_ms or self.last_tap_ms


class RoomsPeople:
    """Made by `prepare`, before anything is killed."""

    def __init__(self, world: RoomsWorld) -> None:
        self.world = world
        self.people: list[Clinician] = []

    @classmethod
    async def prepare(cls, world: RoomsWorld) -> RoomsPeople:
        """Log everybody in, and into their home rooms."""
        made = cls(world)
        try:
            for number in range(PEOPLE):
                made.people.append(await Clinician.enter(world, number))
            homes = await world.homes(world.cast.clinicians[:PEOPLE])
            for person, home in zip(made.people, homes, strict=True):
                person.home = home
                await person.join(home)
        except BaseException:
            await made.close()
            raise
        return made

    async def close(self) -> None:
        """End the clients."""
        for person in self.people:
            await person.js.stop()

    def two(self, story: Story) -> tuple[Clinician, Clinician]:
        """Who opens the room, and their colleague."""
        return self.people[story.who], self.people[(story.who + 1) % PEOPLE]

    async def live(self, room: Room) -> None:
        """The whole story. Where it does not go on in time, `room.stuck` says so."""
        opener, colleague = self.two(room.story)
        room.since = len(opener.js.reports), len(colleague.js.reports)
        room.mails_before = len(opener.inbox.mails)
        try:
            await self._open(room)
            await self._write(room)
            await self._end(room)
            await self._keep(room)
            for rank in range(2):
                await self._hear(room, f"« {room.words} » {ERASED}", rank=rank)
        except AssertionError as late:
            room.stuck = str(late).partition("\n")[0]

    def told(self, room: Room, words: str, *, rank: int = 0) -> list[Report]:
        """What @salles has said of it in a home room, in these words. `rank`: 0 of its opener, 1 of their colleague."""
        person = self.two(room.story)[rank]
        reports = person.js.reports[room.since[rank] :]
        return [r for r in reports if person.is_said(r, words)]

    def mails(self, room: Room) -> list[EmailMessage]:
        """Those of its archive in its referent's mailbox."""
        inbox = self.two(room.story)[0].inbox.mails[room.mails_before :]
        return [mail for mail in inbox if f"« {room.words} »" in str(mail["Subject"])]

    # the story

    async def _open(self, room: Room) -> None:
        story, (opener, colleague) = room.story, self.two(room.story)
        lasts = "" if story.end is End.EXPIRY else "1 jour "
        line = f"!patient ouvrir {lasts}{colleague.js.user}"
        event = await opener.say(opener.home, line, f"{story.key}open")
        said = await opener.expect(
            lambda r: opener.is_said(r, "ouvert avec") and answers(r, event),
            room.since[0],
            "a room",
        )
        link, words = re.search(r"matrix\.to/#/(\S+)", said["body"]), re.search(r"« (.+?) »", said["body"])
        assert link is not None, "no link"
        assert words is not None, "no words"
        room.room, room.words = unquote(link[1]), words[1]
        for person in (opener, colleague):
            await person.join(room.room)
        for person in (opener, colleague):
            await person.sees(room.room, {opener.js.user, colleague.js.user})

    async def _write(self, room: Room) -> None:
        story, draw = room.story, random.Random(room.story.key)
        if story.way is Way.SILENT:
            return
        for rank, person in enumerate(self.two(story)):
            text = f"{story.key}t{rank}"
            if await self._try(room, person.say(room.room, f"Vu ce matin {text}", text)):
                room.texts.append(text)
        for rank, size in enumerate(story.files):
            person, name = self.two(story)[rank % 2], f"{story.key}f{rank}.bin"
            data = draw.randbytes(size)
            if await self._try(room, self._share(room, person, name, data)):
                room.files[name] = data

    async def _share(self, room: Room, person: Clinician, name: str, data: bytes) -> None:
        since = len(person.js.reports)
        mime = "application/octet-stream"
        event = await accepted(lambda: person.js.send_file(room.room, name, mime, data, txn=name))
        # What was uploaded last is not always what was sent: a try that was cut short is sent as it was.
        shown = await person.expect(lambda r: r.get("id") == event and "content" in r, since, "the file itself")
        room.urls.append(shown["content"]["file"]["url"])

    async def _end(self, room: Room) -> None:
        story, (opener, colleague) = room.story, self.two(room.story)
        if story.end is End.COMMAND:
            await self._try(room, opener.say(room.room, "!patient terminer", f"{story.key}end"))
        elif story.end is End.OPPOSITION:
            await self._try(room, colleague.say(room.room, "!patient opposition", f"{story.key}end"))
        await self._hear(room, f"« {room.words} » est fermé", within=TOLD_S + IDLE_S)

    async def _keep(self, room: Room) -> None:
        match room.story.way:
            case Way.FILED:
                await self._filed(room)
            case Way.WAIVED:
                await self._waived(room)
            case Way.DELIVERED:
                await self._waited(room)

    async def _filed(self, room: Room) -> None:
        """Whoever files it has it."""
        said = await self._handed_over(room)
        if "partent vers" in said["body"]:
            await self._arrived(room)
        await self._files(room, said)

    async def _files(self, room: Room, said: Report) -> None:
        """The bridge may have died before it knew that all of it left: then @salles asks for another tap, later."""
        opener = self.two(room.story)[0]
        # Gone: time may have proven it while @salles was away, and the tap came too late.
        done = f"Noté : les échanges du salon « {room.words} »", f"« {room.words} » {ERASED}"
        later = says.not_left(room.words), says.not_known(room.words)
        tapped = set[str]()

        def is_answer(report: Report) -> bool:
            again = report.get("id") not in tapped and any(opener.is_said(report, words) for words in later)
            return again or any(opener.is_said(report, words) for words in done)

        for turn in range(round(TOLD_S / AGAIN_S)):
            room.taps()
            tapped.add(said["id"])
            await self._tap(room, said, says.FILED, f"filed{turn}")
            said = await opener.expect(is_answer, room.since[0], "what was noted")
            if any(opener.is_said(said, words) for words in done):
                return
            await asyncio.sleep(AGAIN_S)
        raise AssertionError("what has arrived was never known to have left")

    async def _waived(self, room: Room) -> None:
        said = await self._hear(room, f"« {room.words} » est fermé")
        await self._tap(room, said, says.NOTHING, "nothing")
        why = await self._hear(room, f"« {room.words} » : pourquoi ne rien garder")
        room.taps()
        await self._tap(room, why, NUMBERS[room.story.reason - 1], "why")
        # Or gone: time may have proven it while @salles was away, and the tap came too late.
        opener, words = self.two(room.story)[0], f"Noté : rien n'est gardé du salon « {room.words} »"
        gone = f"« {room.words} » {ERASED}"
        await opener.expect(
            lambda r: opener.is_said(r, words) or opener.is_said(r, gone), room.since[0], "what was noted"
        )

    async def _waited(self, room: Room) -> None:
        """Nothing is said, unless @salles says that it waits for it."""
        said = await self._handed_over(room)
        try:
            await self._hear(room, f"« {room.words} » {ERASED}", within=TOLD_S + WAIT_S)
        except AssertionError:
            room.asked = True
            await self._arrived(room)
            again = self.told(room, f"salon « {room.words} » sont-ils classés")
            await self._files(room, (again or [said])[-1])

    async def _handed_over(self, room: Room) -> Report:
        opener = self.two(room.story)[0]
        ways = (
            f"échanges du salon « {room.words} » partent vers",
            f"échanges du salon « {room.words} » sont ci-dessus",
        )
        return await opener.expect(
            lambda r: any(opener.is_said(r, words) for words in ways),
            room.since[0],
            "its archive",
        )

    async def _arrived(self, room: Room) -> None:
        opener = self.two(room.story)[0]

        async def there() -> bool:
            await opener.look()
            ranks = [parts_of(mail) for mail in self.mails(room)]
            return bool(ranks) and {rank for rank, _ in ranks} == set(range(1, ranks[0][1] + 1))

        await until(there, "the archive in the mailbox", within=TOLD_S)

    # the same, of a story's people

    async def _tap(self, room: Room, on: Report, key: str, what: str) -> None:
        js, txn = self.two(room.story)[0].js, f"{room.story.key}{what}"
        await accepted(lambda: js.call("react", room=on["room"], event=on["id"], key=key, txn=txn))

    async def _try(self, room: Room, act: Awaitable[Any]) -> bool:
        """False when the room was closed before: it ends by itself, however long the servers were away."""
        try:
            await act
        except JsError as refused:
            if room.story.end is End.EXPIRY and refused.errcode in _GONE:
                return False
            raise AssertionError(f"refused: {refused.errcode}") from None
        return True

    async def _hear(self, room: Room, words: str, *, rank: int = 0, within: float = TOLD_S) -> Report:
        person = self.two(room.story)[rank]
        what = words.replace(room.words, "…")
        return await person.expect(lambda r: person.is_said(r, words), room.since[rank], what, within)


def parts_of(mail: EmailMessage) -> tuple[int, int]:
    """Which of how many mails of its archive it is."""
    found = re.search(r"\((\d+)/(\d+)\)", str(mail["Subject"]))
    return (int(found[1]), int(found[2])) if found else (1, 1)
