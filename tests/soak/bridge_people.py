"""Clinicians in Element's encryption, and correspondents at their mail programs, on both sides of the bridge.

Each act is looked for wherever it must have left something, by those whom it concerns: a mail as an event that its
reader decrypted, a message as a mail in the recipient's mailbox, as a copy among the sent ones, and under its sign.
"""

from __future__ import annotations

import asyncio
import functools
import imaplib
import itertools
import re
import smtplib
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import EmailMessage

from colloque_mssante.texts import mails as texts
from tests.clients.jsclient import JsClient, Report
from tests.clients.mailbox import MailProgram, text_of
from tests.soak.bridge_world import World
from tests.soak.house import DOUBT, accepted
from tests.soak.plan import Act, Kind
from tests.waiting import until

PEOPLE = 3
ACCEPT_S = 120.0
HELLO_S = 120.0
SENT = "Sent"
TAKEN = re.compile(r"\(Postfix\) with \S+ id (\w+)")
_SIGNS = {texts.SENT, texts.DELIVERED, texts.READ}
_text = functools.cache(text_of)
"""Each mail is looked at a thousand times."""


class Shelf:
    """One folder of a mailbox, read as it grows."""

    def __init__(self, program: MailProgram, folder: str) -> None:
        self._program = program
        self._folder = folder
        self._validity = self._uid = 0
        self.mails: list[EmailMessage] = []

    def look(self) -> None:
        """Take in what is new. Blocks. Raises OSError, IMAP4.error while the server is away."""
        validity, new = self._program.newer(self._folder, self._uid)
        if validity != self._validity:
            _, new = self._program.newer(self._folder, 0)
            self._validity, self._uid, self.mails = validity, 0, []
        for uid, mail in new:
            self._uid = uid
            self.mails.append(mail)


@dataclass
class Clinician:
    """One person at a screen, their own mailbox, and the colleague who writes them mail."""

    js: JsClient
    address: str
    correspondent: MailProgram
    theirs: Shelf
    """The colleague's inbox."""
    inbox: Shelf
    copies: Shelf
    room: str = ""
    hello: str = ""
    """The event that shows the colleague's first mail."""
    sent: dict[str, str] = field(default_factory=dict)
    """Event by key."""
    begun: dict[str, int] = field(default_factory=dict)
    """How much the session had told when an act began, by key: before that nothing of the act can show."""
    since: int = 0
    """How much of that is of no concern to the acts that are looked for."""

    def told(self) -> Iterable[Report]:
        """Messages that this session could read."""
        return (r for r in itertools.islice(self.js.reports, self.since, None) if r["event"] == "message")

    def heard(self) -> Iterable[Report]:
        """What others said there."""
        return (r for r in self.told() if r["from"] != self.js.user)


class BridgePeople:
    """Made by `prepare`, before anything is killed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.people: list[Clinician] = []

    @classmethod
    async def prepare(cls, world: World) -> BridgePeople:
        """Log everybody in, and have a colleague write to each of them once."""
        made = cls(world)
        try:
            pairs = zip(world.cast.clinicians[:PEOPLE], world.cast.mailboxes, strict=False)
            for user, stranger in pairs:
                own, program = world.box(user), world.box(stranger)
                await asyncio.to_thread(own.create, SENT)
                js = await JsClient().start(world.url, user.account, user.password)
                shelves = (Shelf(program, "INBOX"), Shelf(own, "INBOX"), Shelf(own, SENT))
                made.people.append(Clinician(js, user.address.value, program, *shelves))
                await js.call("bootstrap")
                await js.call("isolate")
            await asyncio.gather(*map(made._greet, made.people))
        except BaseException:
            await made.close()
            raise
        return made

    async def close(self) -> None:
        """End the clients."""
        for person in self.people:
            await person.js.stop()

    async def do(self, act: Act) -> None:
        """Do it, however long the servers take to accept it. Raises AssertionError when they never do."""
        person = self.people[act.who]
        person.begun.setdefault(act.key, len(person.js.reports))
        if act.kind is Kind.REPLY:
            person.sent[act.key] = await accepted(
                lambda: person.js.call(
                    "reply", room=person.room, event=person.hello, text=f"Réponse {act.key}", txn=act.key
                )
            )
        else:
            await self._write(person, act.key, file=act.kind is Kind.FILE)

    async def seen(self, acts: Iterable[Act]) -> Counter[str]:
        """How often each act showed where it must; of several such places, the one that is worst off."""
        acts = list(acts)
        for number, person in enumerate(self.people):
            person.since = min((person.begun[act.key] for act in acts if act.who == number), default=person.since)
        await asyncio.gather(*(self._look(s) for p in self.people for s in (p.theirs, p.inbox, p.copies)))
        count: Counter[str] = Counter()
        for act in acts:
            person = self.people[act.who]
            places = _places(person, act)
            count[act.key] = max(places) if max(places) > 1 else min(places)
        return count

    async def open_again(self) -> None:
        """What people do when they miss something: open their rooms again."""
        for person in self.people:
            await person.js.call("reopen", room=person.room)

    async def trouble(self, acts: Iterable[Act]) -> list[str]:
        """Where else than once each act showed; what the clients and the bridge themselves complain about."""
        places = {act.key: (act.kind, _places(self.people[act.who], act)) for act in acts}
        told = [f"{key}: {kind} {found}" for key, (kind, found) in places.items() if set(found) != {1}]
        told += self._world.trouble()
        for number, person in enumerate(self.people):
            dark = await person.js.call("unreadable")
            told += [f"clinician {number} can't read {event['id']}: {event['reason']}" for event in dark]
            told += [f"clinician {number}: {r['error']}" for r in person.js.reports if r["event"] == "fault"]
        return told

    def doubted(self, acts: Iterable[Act]) -> list[str]:
        """Messages of which the bridge said to their writers that it can't know."""
        return [a.key for a in acts if a.kind is Kind.REPLY and _is_doubted(self.people[a.who], a.key)]

    async def _greet(self, person: Clinician) -> None:
        await self._write(person, "bonjour", file=False)
        hello = await person.js.expect(
            lambda r: r["event"] == "message" and "voici bonjour" in (r["body"] or ""), HELLO_S
        )
        person.room, person.hello = hello["room"], hello["id"]

    async def _write(self, person: Clinician, key: str, *, file: bool) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = person.correspondent.address, person.address, f"Courrier {key}"
        name = f"{key}.{zlib.crc32(person.address.encode()):08x}"
        mail["Message-ID"] = f"<{name}@{person.correspondent.address.partition('@')[2]}>"
        mail.set_content(f"Bonjour, voici {key}, bien à vous.")
        if file:
            mail.add_attachment(key.encode() * 500, maintype="application", subtype="pdf", filename=f"{key}.pdf")

        async def taken() -> bool:
            try:
                await asyncio.to_thread(person.correspondent.send, mail, person.address)
            except (OSError, smtplib.SMTPException):
                return False
            return True

        await until(taken, "the operator takes a mail", within=ACCEPT_S)

    async def _look(self, shelf: Shelf) -> None:
        async def looked() -> bool:
            try:
                await asyncio.to_thread(shelf.look)
            except (OSError, imaplib.IMAP4.error):
                return False
            return True

        await until(looked, "a mailbox can be read", within=ACCEPT_S)


def _places(person: Clinician, act: Act) -> list[int]:
    """How often an act shows: as event of the text (and of the file), or as mail taken, as copy, by its sign."""
    return _as_mail(person, act) if act.kind is Kind.REPLY else _as_events(person, act)


def _as_events(person: Clinician, act: Act) -> list[int]:
    """A mail that a kill delivered twice stands in the mailbox twice, and is then two mails for the bridge as well."""
    copies = len({mail.as_bytes() for mail in person.inbox.mails if act.key in _text(mail)})
    ghosts = [m for m in person.heard() if m["room"] == person.room]
    shown = [sum(act.key in (m["body"] or "") and m["content"].get("filename") is None for m in ghosts)]
    if act.kind is Kind.FILE:
        shown.append(sum(m["content"].get("filename") == f"{act.key}.pdf" for m in ghosts))
    return [0 if not copies or times < copies else 1 + times - copies for times in shown]


def _as_mail(person: Clinician, act: Act) -> list[int]:
    """By what the operator took: its own Postfix may deliver one mail twice when it is killed, under one queue id."""
    came = {
        taken[1]
        for mail in person.theirs.mails
        if act.key in _text(mail) and (taken := TAKEN.search(" ".join(map(str, mail.get_all("Received", [])))))
    }
    copies = sum(act.key in _text(mail) for mail in person.copies.mails)
    events = {person.sent[key] for key in _in_one_mail(person, act.key)}
    signed = any(_sign(m) in _SIGNS and m["relates"]["event_id"] in events for m in person.heard())
    return [len(came), copies, int(signed)]


def _in_one_mail(person: Clinician, key: str) -> list[str]:
    """The messages that left in one mail with this one: what is written at one go is gathered, and told of once."""
    texts_ = [text for mail in person.theirs.mails if key in (text := _text(mail))]
    return [other for other in person.sent if any(other in text for text in texts_)]


def _is_doubted(person: Clinician, key: str) -> bool:
    """True when the writer was told so, under the last message of the mail. A mail that never came has no known parts:

    then what stands next in the room counts, for messages leave in their order.
    """
    doubts = {
        (m.get("relates") or {}).get("m.in_reply_to", {}).get("event_id")
        for m in person.heard()
        if DOUBT in (m["body"] or "")
    }
    together = _in_one_mail(person, key)
    if together:
        return any(person.sent[other] in doubts for other in together)
    signed = {m["relates"]["event_id"] for m in person.heard() if _sign(m)}
    own = [r["id"] for r in person.told() if r["from"] == person.js.user]
    event = person.sent.get(key)
    later = own[own.index(event) :] if event in own else []
    return next((one in doubts for one in later if one in doubts or one in signed), False)


def _sign(report: Report) -> str:
    """The key of a reaction; empty for anything else."""
    return str((report.get("relates") or {}).get("key", ""))
