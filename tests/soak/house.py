"""The house from outside, by what `access.json` says: clinicians in Element's encryption, colleagues by mail."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.clients.jsclient import JsClient, JsError, Report
from tests.clients.mailbox import MailProgram, text_of
from tests.soak.plan import Act, Kind
from tests.waiting import until

COMMANDS = ("!aide", "!patients", "!boite etat", "!bidule", "bonjour")
"""One bot each must answer, also to what is no command."""
DOUBT = "incertain"
"""In what the bridge writes when it can't know whether a mail left."""
ERASED = "est effacé"
"""What the home room is told after the name of a patient room that is gone."""
ACCEPT_S = 120.0
PEOPLE = 2
T = TypeVar("T")


@dataclass
class Clinician:
    """One person at a screen, and the colleague who writes them mail."""

    js: JsClient
    address: str
    home: str
    correspondent: MailProgram
    mail_room: str = ""
    hello: str = ""
    """The event that shows the colleague's first mail."""
    sent: dict[str, str] = field(default_factory=dict)
    """Event by key."""

    def messages(self, room: str) -> Iterable[Report]:
        """What others said there and this session could read, oldest first."""
        return (
            r for r in self.js.reports if r["event"] == "message" and r["room"] == room and r["from"] != self.js.user
        )


class House:
    """Made by `prepare`, before anything is killed."""

    def __init__(self, access: dict[str, Any]) -> None:
        self.bots = set(access["bots"].values())
        self.people: list[Clinician] = []

    @classmethod
    async def prepare(cls, access: dict[str, Any]) -> House:
        """Verify untouched clinicians and have a colleague write to each of them once."""
        house = cls(access)
        free = [u for u in access["users"] if u["role"] == "clinician" and not u["used"]]
        owned = {u["mssante"] for u in access["users"]}
        strangers = [m["address"] for m in access["mail"]["mailboxes"] if m["address"] not in owned]
        try:
            for user, stranger in zip(free[:PEOPLE], strangers, strict=False):
                house.people.append(await _enrol(access, user, MailProgram.of(access, stranger)))
        except BaseException:
            await house.close()
            raise
        return house

    async def close(self) -> None:
        """End the clients."""
        for person in self.people:
            await person.js.stop()

    async def do(self, act: Act) -> None:
        """Do it, however long the house takes to accept it. Raises AssertionError when it never does."""
        person = self.people[act.who]
        if act.kind is Kind.MAIL:
            await asyncio.to_thread(_write, person, act.key)
        elif act.kind is Kind.REPLY:
            person.sent[act.key] = await accepted(
                lambda: person.js.call(
                    "reply", room=person.mail_room, event=person.hello, text=f"Réponse {act.key}", txn=act.key
                )
            )
        else:
            colleague = self.people[(act.who + 1) % len(self.people)]
            commands = (f"!patient ouvrir {colleague.js.user}",) if act.kind is Kind.ROOM else COMMANDS
            text = commands[zlib.crc32(act.key.encode()) % len(commands)]
            person.sent[act.key] = await accepted(
                lambda: person.js.call("send", room=person.home, text=text, txn=act.key)
            )

    async def seen(self, acts: Iterable[Act]) -> Counter[str]:
        """How often each act showed where it must."""
        count: Counter[str] = Counter()
        inboxes = [await asyncio.to_thread(person.correspondent.inbox) for person in self.people]
        for act in acts:
            person = self.people[act.who]
            if act.kind is Kind.MAIL:
                count[act.key] = sum(act.key in (m["body"] or "") for m in person.messages(person.mail_room))
            elif act.kind is Kind.REPLY:
                answered = _message_id(person, "hello")
                count[act.key] = sum(
                    act.key in text_of(mail) and str(mail["In-Reply-To"]).strip() == answered
                    for mail in inboxes[act.who]
                )
            else:
                count[act.key] = sum(
                    m["from"] in self.bots and answers(m, person.sent.get(act.key))
                    for m in person.messages(person.home)
                )
        return count

    async def open_again(self) -> None:
        """What people do when they miss something: open their rooms again."""
        for person in self.people:
            for room in (person.mail_room, person.home):
                await person.js.call("reopen", room=room)

    async def trouble(self, acts: Iterable[Act]) -> list[str]:
        """What the clients themselves complain about: messages without a key, faults, syncs that failed."""
        told = []
        for number, person in enumerate(self.people):
            dark = await person.js.call("unreadable")
            told += [f"clinician {number} can't read {event['id']}: {event['reason']}" for event in dark]
            told += [f"clinician {number}: {r['error']}" for r in person.js.reports if r["event"] == "fault"]
        return told

    def ended(self, acts: Iterable[Act]) -> Counter[str]:
        """Of rooms that were opened: how often each was told to be erased, or how many there were if more.

        The key `rooms` counts the patient rooms themselves.
        """
        count: Counter[str] = Counter()
        for act in acts:
            person = self.people[act.who]
            said = [str(m["body"]) for m in person.messages(person.home) if m["from"] in self.bots]
            told = [str(m["body"]) for m in person.messages(person.home) if answers(m, person.sent[act.key])]
            for words in re.findall("« .+? »", told[0] if told else ""):
                count[act.key] = sum(f"{words} {ERASED}" in text for text in said)
        rooms = {r["room"] for p in self.people for r in p.js.reports if _is_patient_room(r)}
        count["rooms"] = len(rooms)
        return count

    def doubted(self, acts: Iterable[Act]) -> list[str]:
        """Replies of which the bridge itself said that it can't know."""
        return [
            act.key
            for act in acts
            if act.kind is Kind.REPLY
            and any(
                DOUBT in (m["body"] or "") and answers(m, self.people[act.who].sent.get(act.key))
                for m in self.people[act.who].messages(self.people[act.who].mail_room)
            )
        ]


async def _enrol(access: dict[str, Any], user: dict[str, Any], correspondent: MailProgram) -> Clinician:
    js = await JsClient().start(access["homeserver"], user["mxid"], user["password"])
    try:
        await js.call("bootstrap")
        await js.call("isolate")
        home = await until(lambda: _room(js, "home"), "the home room", within=60)
        own = MailProgram.of(access, user["mssante"])
        old = len(await asyncio.to_thread(own.inbox))
        asked = await js.call("send", room=home, text=f"!inscription {user['rpps']}")
        code = await until(lambda: _code(own, old), "the code by mail", within=60)
        await js.expect(lambda r: answers(r, asked["id"]), 60)
        answered = await js.call("send", room=home, text=f"!code {code}")
        await js.expect(lambda r: answers(r, answered["id"]), 60)
        person = Clinician(js, user["mssante"], home, correspondent)
        await asyncio.to_thread(_write, person, "hello")
        hello = await js.expect(
            lambda r: r["event"] == "message" and r["from"] not in access["bots"].values() and "hello" in r["body"], 90
        )
        person.mail_room, person.hello = hello["room"], hello["id"]
    except BaseException:
        await js.stop()
        raise
    return person


async def _room(js: JsClient, kind: str) -> str | None:
    for room in await js.call("rooms"):
        if (room["mark"] or {}).get("kind") == kind and room["membership"] == "join":
            return str(room["room"])
    return None


async def _code(mailbox: MailProgram, old: int) -> str | None:
    for mail in (await asyncio.to_thread(mailbox.inbox))[old:]:
        if found := re.search(r"\b\d{6}\b", text_of(mail)):
            return found[0]
    return None


def _message_id(person: Clinician, key: str) -> str:
    domain = person.correspondent.address.partition("@")[2]
    return f"<{key}.{zlib.crc32(person.address.encode()):08x}@{domain}>"


def _write(person: Clinician, key: str) -> None:
    text = f"Bonjour, voici {key}, bien à vous."
    person.correspondent.write(person.address, f"Courrier {key}", text, message_id=_message_id(person, key))


def _is_patient_room(report: Report) -> bool:
    is_mark = report["event"] == "state" and report["type"] == "fr.colloque.room"
    return is_mark and bool(report["content"].get("kind") == "patient")


def answers(report: Report, event: str | None) -> bool:
    relates = report.get("relates") or {}
    return event is not None and (relates.get("m.in_reply_to") or {}).get("event_id") == event


async def accepted(call: Callable[[], Awaitable[dict[str, str]]]) -> str:
    """Try until the server takes it: what a client does while the server is away. The transaction stays the same."""
    result: dict[str, str] = {}

    async def attempt() -> bool:
        try:
            result.update(await call())
        except JsError as error:
            if error.status is not None and error.status < 500 and error.status != 429:
                raise
            return False
        return True

    await until(attempt, "the server accepts a message", within=ACCEPT_S)
    return result["id"]
