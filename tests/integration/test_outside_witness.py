"""An independent client (matrix-js-sdk, only devices signed by their owner) replays steps 2 to 5 from `access.json`.

It reads everything that bots and ghosts say with shield NONE, and never anything it can't decrypt.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.jsclient import JsClient, JsError, Report
from tests.clients.mailbox import MailProgram, text_of
from tests.servers.demo import Demo
from tests.waiting import until

FILE = bytes(range(256)) * 40


@pytest.fixture(scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """One demo for the module, with its scenario played."""
    running = Demo(tmp_path_factory.mktemp("outside") / "demo")
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


class Outsider:
    """A person who has nothing but `access.json`."""

    def __init__(self, access: dict[str, Any], user: dict[str, Any]) -> None:
        self.access = access
        self.user = user
        self.js = JsClient()
        self.home = ""

    async def come(self, *, verified: bool = True) -> Outsider:
        await self.js.start(self.access["homeserver"], self.user["mxid"], self.user["password"])
        if verified:
            await self.js.call("bootstrap")
            await self.js.call("isolate")
        self.home = await until(lambda: self.room("home"), "the home room")
        return self

    async def room(self, kind: str, known: frozenset[str] = frozenset()) -> str | None:
        for room in await self.js.call("rooms"):
            if (room["mark"] or {}).get("kind") == kind and room["membership"] == "join" and room["room"] not in known:
                return str(room["room"])
        return None

    async def ask(self, text: str, room: str = "") -> Report:
        """Type a line; the answer that replies to it."""
        sent = await self.js.call("send", room=room or self.home, text=text)
        return await self.js.expect(lambda r: answers(r, sent["id"]), 20)

    async def reads(self, event: str, room: str) -> Report:
        """A person's message, when it can be read. Between two people the SDK may meet the sender too early: the room
        is opened again then. What our bots and ghosts say never needs it."""
        told = await self.js.expect(lambda r: r.get("id") == event, 20)
        if told["event"] == "utd":
            await self.js.call("reopen", room=room)
        return await self.js.expect(lambda r: r.get("id") == event and r["event"] == "message", 20)

    async def answers_to(self, text: str) -> list[Report]:
        """Everything that replied to a line by the time that each bot had answered a later one."""
        sent = await self.js.call("send", room=self.home, text=text)
        for later in ("!aide", "!patients", "!boite etat"):
            await self.ask(later)
        return [r for r in self.js.reports if answers(r, sent["id"])]

    async def enrol(self) -> Report:
        mailbox = MailProgram.of(self.access, self.user["mssante"])
        before = len(await asyncio.to_thread(mailbox.inbox))
        asked = await self.ask(f"! Inscription {self.user['rpps']}")
        assert self.user["mssante"] in asked["body"]

        async def code() -> str | None:
            for mail in (await asyncio.to_thread(mailbox.inbox))[before:]:
                assert self.user["mxid"] in text_of(mail), "the mail says who asked"
                if found := re.search(r"\b\d{6}\b", text_of(mail)):
                    return found[0]
            return None

        return await self.ask(f"!code {await until(code, 'the code by mail')}")

    @property
    def said(self) -> list[Report]:
        """What the service's accounts said, as this session saw it."""
        return [r for r in self.js.reports if r["event"] == "message" and is_ours(r["from"], self.access)]


def answers(report: Report, event: str) -> bool:
    relates = report.get("relates") or {}
    return report["event"] == "message" and (relates.get("m.in_reply_to") or {}).get("event_id") == event


def is_ours(user: str, access: dict[str, Any]) -> bool:
    return user in access["bots"].values() or user.startswith("@mss_")


def free(access: dict[str, Any], count: int) -> list[dict[str, Any]]:
    return [u for u in access["users"] if u["role"] == "clinician" and not u["used"]][:count]


def stranger(access: dict[str, Any]) -> str:
    """A mailbox that belongs to nobody with a Matrix account."""
    owned = {u["mssante"] for u in access["users"]}
    return next(m["address"] for m in access["mail"]["mailboxes"] if m["address"] not in owned)


async def test_an_outside_client_replays_the_scenario(demo: Demo) -> None:
    access = demo.access()
    one, two, three = (Outsider(access, user) for user in free(access, 3))
    try:
        await asyncio.gather(one.come(), two.come(), three.come())
        await enrolment(one)
        await refusals(one, three)
        await mail(one)
        await two.enrol()
        await patient_room(one, two)
        for person in (one, two, three):
            seen_clearly(person)
    finally:
        for person in (one, two, three):
            await person.js.stop()


async def enrolment(one: Outsider) -> None:
    assert "annuaire" in (await one.ask("bonjour"))["from"]
    assert "11 chiffres" in (await one.ask("!inscription 12345"))["body"]
    used = next(u for u in one.access["users"] if u["used"] and u["role"] == "clinician")
    assert "déjà un compte" in (await one.ask(f"!inscription {used['rpps']}"))["body"]
    assert "code" in (await one.ask("!code 123456"))["body"]
    verified = await one.enrol()
    assert "vérifiée" in verified["body"]
    profile = await one.js.call("profile", user=one.user["mxid"])
    assert profile["displayname"] in verified["body"]
    for typed, owner in (("!PATIENTS", "salles"), ("!boîte état", "mssante"), ("!aide", "annuaire"), ("!blague", "")):
        answered = await one.answers_to(typed)
        assert len(answered) == 1, typed
        assert answered[0]["from"] == one.access["bots"][owner or "annuaire"]


async def refusals(one: Outsider, three: Outsider) -> None:
    verified, unverified = one.user["mxid"], three.user["mxid"]
    private = await one.js.call("createRoom", name="essai")
    attempts = (
        (three, {"cmd": "createRoom", "invite": [verified]}, three),
        (three, {"cmd": "createRoom"}, three),
        (one, {"cmd": "invite", "room": private["room"], "user": unverified}, three),
    )
    for who, call, told in attempts:
        since = len(told.js.reports)
        with pytest.raises(JsError) as refused:
            await who.js.call(call.pop("cmd"), **call)
        assert refused.value.status == 403
        await told.js.message(told.home, one.access["bots"]["annuaire"], "!inscription", timeout=5, since=since)


async def mail(one: Outsider) -> None:
    colleague = MailProgram.of(one.access, stranger(one.access))
    message_id = "<essai-1@exterieur.test>"
    await asyncio.to_thread(
        colleague.write, one.user["mssante"], "Avis", "Que pensez-vous du dosage ?", message_id=message_id
    )
    shown = await one.js.expect(lambda r: r["event"] == "message" and r["from"].startswith("@mss_"), 20)
    assert "du dosage" in shown["body"]
    assert shown["from"].startswith("@mss_")
    assert "dosage" not in shown["body"].splitlines()[0]
    states = {r["room"]: r["membership"] for r in await one.js.call("rooms")}
    assert states[shown["room"]] == "join", "nobody accepted an invitation"
    before = len(await asyncio.to_thread(colleague.inbox))
    reply = await one.js.call("reply", room=shown["room"], event=shown["id"], text="D'accord pour diminuer.")
    await one.js.expect(lambda r: r["event"] == "message" and (r["relates"] or {}).get("event_id") == reply["id"], 20)

    async def arrived() -> Any:
        return (await asyncio.to_thread(colleague.inbox))[before:]

    (received,) = await until(arrived, "the reply by mail")
    assert one.user["mssante"] in received["From"]
    assert received["In-Reply-To"].strip() == message_id
    assert received["References"].split()[-1] == message_id
    assert "pour diminuer" in text_of(received)
    alone = await one.ask("ceci n'est pas une réponse", room=shown["room"])
    assert "Rien n'est parti" in alone["body"]
    assert len(await arrived()) == 1


async def patient_room(one: Outsider, two: Outsider) -> None:
    opened = await one.ask(f"!patient ouvrir {two.user['mxid']}")
    room = str(opened["body"].split("matrix.to/#/")[1].split()[0])
    await two.js.expect(lambda r: r["event"] == "membership" and r["room"] == room and r["membership"] == "invite")
    before = await one.js.call("send", room=room, text="écrit avant l'acceptation")
    await two.js.call("join", room=room)
    await two.js.message(room, one.access["bots"]["salles"], "Salon patient", timeout=20)
    await two.reads(before["id"], room)
    shared = await two.js.send_file(room, "ecg.bin", "application/octet-stream", FILE)
    seen = await one.reads(shared["id"], room)
    assert await one.js.download(seen) == FILE
    receipts = Path(one.access["receipts"]["dir"])
    known = set(await asyncio.to_thread(listed, receipts))
    life = one.access["limits"]["room_lifetime_seconds"]
    await one.js.message(room, one.access["bots"]["salles"], "⏳", timeout=life)
    await one.js.message(room, one.access["bots"]["salles"], "🔒", timeout=life)
    with pytest.raises(JsError) as closed:
        await one.js.call("send", room=room, text="trop tard")
    assert closed.value.status == 403
    archived = await one.js.message(one.home, one.access["bots"]["salles"], "classés au dossier", timeout=30)
    await files(one, room, archived)

    async def receipt() -> set[Path]:
        return set(await asyncio.to_thread(listed, receipts)) - known

    assert await until(receipt, "the receipt")
    with pytest.raises(JsError) as gone:
        await one.js.download(seen)
    assert gone.value.status == 404


async def files(one: Outsider, room: str, archived: Report) -> None:
    """It may not have left when they tap: then they are asked to tap once more."""
    tapped = set[str]()

    def next_(report: Report) -> bool:
        if report["event"] == "membership":
            return bool(report["room"] == room and report["membership"] == "leave")
        again = report["event"] == "message" and "Touchez ✅ sous ce message" in (report["body"] or "")
        return again and report["id"] not in tapped

    while archived["event"] != "membership":
        tapped.add(archived["id"])
        await one.js.call("react", room=one.home, event=archived["id"], key="✅")
        archived = await one.js.expect(next_, 30)


def listed(receipts: Path) -> list[Path]:
    return list(receipts.glob("receipt-*.json"))


def seen_clearly(person: Outsider) -> None:
    """Everything that the service's accounts said came encrypted and without a shield; nothing was unreadable."""
    assert person.said
    for report in person.said:
        if report["type"] == "m.reaction":
            continue
        assert report["encrypted"], report
        assert report["shield"] == "NONE", report
    read = {r.get("id") for r in person.js.reports if r["event"] == "message"}
    # What was said in the admin room before this device was there (the receipts' head, say) is not for it to read.
    unread = [r for r in person.js.reports if r["event"] == "utd" and not r["reason"].startswith("HISTORICAL")]
    assert not [r for r in unread if is_ours(r["from"], person.access) or r["id"] not in read]


async def test_an_unsigned_device_reads_only_what_to_tap(demo: Demo) -> None:
    access = demo.access()
    person = Outsider(access, free(access, 4)[3])
    try:
        await person.come(verified=False)
        await person.js.call("send", room=person.home, text="!aide")
        told = await person.js.message(person.home, access["bots"]["annuaire"], "Chiffrement", timeout=20)
        assert told["encrypted"]
        await person.js.call("bootstrap")
        assert "!inscription" in (await person.ask("!aide"))["body"]
    finally:
        await person.js.stop()


async def test_the_admin_room_answers_administrators_only(demo: Demo) -> None:
    access = demo.access()
    admin = Outsider(access, next(u for u in access["users"] if u["role"] == "admin"))
    clinician = Outsider(access, free(access, 5)[4])
    bots = set(access["bots"].values())
    try:
        await asyncio.gather(admin.come(), clinician.come())
        room = await until(lambda: admin.room("admin"), "the admin room")
        assert room == access["admin_room"]
        asked = await admin.js.call("send", room=room, text="!état")

        async def answered() -> bool:
            return {r["from"] for r in admin.js.reports if answers(r, asked["id"])} == bots

        await until(answered, "each bot says how it is")
        assert (await admin.ask("!aide", room))["from"] == access["bots"]["annuaire"]
        assert len([r for r in admin.js.reports if answers(r, asked["id"])]) == len(bots)
        told = await clinician.ask("!etat")
        assert told["from"] == access["bots"]["annuaire"]
        assert "professionnels" not in told["body"]
        seen_clearly(admin)
    finally:
        await admin.js.stop()
        await clinician.js.stop()
