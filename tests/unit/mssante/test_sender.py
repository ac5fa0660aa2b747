"""What becomes of a mail: each way a submission can end, and what its writer is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from colloque.clock import FrozenClock, SystemClock
from colloque.config import MailServerConfig
from colloque.config_mssante import BudgetConfig
from colloque.errors import (
    BadInput,
    HomeUnavailable,
    LoginRefused,
    MailDeferred,
    MailInDoubt,
    MailRefused,
    Tampered,
)
from colloque.files import write_private
from colloque.identity import EventId, MssanteAddress, RoomId
from colloque.mail.message import Report
from colloque.mail.revocation_check import Revocation
from colloque.mail.smtp import Submitted
from colloque.matrix.home import JsonDict
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.schema import new_upgrades, open_database
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.leaving.states import States
from colloque_mssante.mailboxes import sender as module
from colloque_mssante.mailboxes.budget import Budget
from colloque_mssante.mailboxes.sender import Sender
from colloque_mssante.rules.sends import CODES, RECEIPTS, ROOMS, Send
from colloque_mssante.store.leases import Leases
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.tables import register_upgrades
from colloque_mssante.store.untold import Untold
from colloque_mssante.texts import mails as texts
from tests.unit.mssante.test_store import BOX, a_send, found
from tests.unit.mssante.writers import Writers

REVOCATION = Revocation(Path("never-asked"), SystemClock())


@dataclass
class Room:
    """Records what is said; `away` while the homeserver does not answer."""

    said: list[tuple[str, str]] = field(default_factory=list)
    txns: list[str] = field(default_factory=list)
    away: bool = False

    async def send(self, room: RoomId, content: JsonDict, *, txn: str, type_: str = "m.room.message") -> EventId:
        if self.away:
            raise HomeUnavailable
        relation = content["m.relates_to"]
        self.txns.append(txn)
        self.said.append((type_, relation.get("key") or content["body"]))
        return EventId(f"$told{len(self.said)}")


@dataclass
class Desk:
    """A sender on a real store and journal; `answer` is how the operator's submission ends."""

    sender: Sender
    states: States
    outbox: Outbox
    journal: Journal
    incidents: Incidents
    room: Room
    writers: Writers
    clock: FrozenClock
    answer: Exception | None = None
    before_data: bool = True
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def submit(self, _server: object, _user: str, _auth: object, **given: Any) -> Submitted:
        self.seen.append(given)
        if self.before_data:
            await given["before_data"]()
        if self.answer is not None:
            raise self.answer
        return Submitted(dsn=True, reply_code=250)

    async def attempt(self, answer: Exception | None = None, **changes: object) -> Send:
        """Try the one due mail once."""
        self.answer = answer
        await self.outbox.put(a_send(self.clock, **changes))  # type: ignore[arg-type]
        [send] = await self.outbox.due(BOX)
        await self.sender.attempt(send)
        kept = await self.outbox.get(send.key)
        assert kept is not None
        return kept

    async def tell(self) -> list[tuple[str, str]]:
        await self.states.once()
        return self.room.said


@pytest.fixture
async def desk(tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    upgrades = new_upgrades()
    register_upgrades(upgrades)
    db = await open_database(f"sqlite:{tmp_path}/b.db", upgrades, "colloque_mssante")
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    write_private(tmp_path / "boxes.yaml", f"{BOX}: {{password: x}}\n")
    outbox, incidents, room = Outbox(db, clock), Incidents(db, clock), Room()
    leases = Leases(db, "test")
    await leases.begin()
    leases.keep(await leases.take({BOX}))
    sender = Sender(
        server=MailServerConfig("localhost", 1, tmp_path / "ca.pem"),
        outbox=outbox,
        budget=Budget(BudgetConfig()),
        credentials=Credentials(tmp_path / "boxes.yaml", REVOCATION),
        authors=cast("Any", writers := Writers()),
        leases=leases,
        incidents=incidents,
        journal=journal,
        keys=RoomKeys(db),
        clock=clock,
        changed=lambda: None,
    )
    states = States(home=room, untold=Untold(db, clock), handled=cast("Any", None))  # type: ignore[arg-type]
    made = Desk(sender, states, outbox, journal, incidents, room, writers, clock)
    monkeypatch.setattr(module, "submit", made.submit)
    yield made
    journal.close()
    await db.stop()


async def test_taken(desk: Desk) -> None:
    kept = await desk.attempt()
    assert kept.state == "sent"
    [given] = desk.seen
    assert given["revocation"] is REVOCATION
    assert (given["envid"], given["notify"]) == ("eevent", "SUCCESS,FAILURE,DELAY")
    assert (given["data"], given["recipients"]) == (b"mail", ("b@cabinet.mssante.test",))
    assert await desk.tell() == [("m.reaction", texts.SENT)]
    assert desk.journal.open_intents() == ()


@pytest.mark.parametrize(
    ("error", "state", "status", "words"),
    [
        (MailRefused(550, "5.1.1"), "refused", "5.1.1", "cette adresse n'existe pas"),
        (MailRefused(552, "5.3.4"), "refused", "5.3.4", "trop volumineux"),
        (MailRefused(554), "refused", "554", "(code 554)"),
        (LoginRefused("no"), "refused", "login", "refuse l'accès à votre boîte"),
        (BadInput("no"), "refused", "5.6.0", "ne peut pas s'écrire"),
    ],
)
async def test_refused_for_good_is_explained(desk: Desk, error: Exception, state: str, status: str, words: str) -> None:
    kept = await desk.attempt(error)
    assert (kept.state, kept.status, kept.raw) == (state, status, b"mail")
    [(type_, body)] = await desk.tell()
    assert type_ == "m.room.message"
    assert words in body
    assert await desk.tell() == [(type_, body)]  # once


@pytest.mark.parametrize("error", [MailDeferred("wait", 90.0), MailDeferred("wait"), Tampered("tls")])
async def test_deferred_comes_back_by_itself(desk: Desk, error: Exception) -> None:
    kept = await desk.attempt(error)
    assert kept.state == "deferred"
    assert await desk.outbox.due(BOX) == []
    assert await desk.tell() == []
    assert kept.next_at > desk.clock.now()
    desk.clock.advance(hours=1)
    assert len(await desk.outbox.due(BOX)) == 1


async def test_a_deferred_mail_holds_those_behind_it_in_its_thread(desk: Desk) -> None:
    first = await desk.attempt(MailDeferred("wait"), thread="t")
    await desk.outbox.put(a_send(desk.clock, "$behind", thread="t"))
    await desk.outbox.put(a_send(desk.clock, "$elsewhere", thread="u"))
    assert [send.key for send in await desk.outbox.due(BOX)] == ["$elsewhere"]
    assert await desk.tell() == []
    for _ in range(4):
        desk.clock.advance(hours=1)
        [again] = [send for send in await desk.outbox.due(BOX) if send.key == first.key]
        await desk.sender.attempt(again)
    signs = await desk.tell()
    assert signs == [("m.reaction", texts.DEFERRED)] * 2
    assert await desk.tell() == signs
    desk.clock.advance(hours=1)
    assert [send.key for send in await desk.outbox.due(BOX)] == [first.key, "$elsewhere"]
    desk.answer = None
    await desk.sender.attempt(await found(desk.outbox, first.key))
    assert [send.key for send in await desk.outbox.due(BOX)] == ["$behind", "$elsewhere"]


async def test_a_doubt_that_nobody_is_told_of_wakes_nobody(desk: Desk) -> None:
    await desk.outbox.put(a_send(desk.clock, "$receipt", caller=RECEIPTS, room=None, event=None))
    await desk.outbox.move(await found(desk.outbox, "$receipt"), "doubtful")
    assert await desk.outbox.next_time() is None
    assert await desk.tell() == []


@pytest.mark.parametrize("end", ["sent", "refused", "doubtful"])
async def test_what_is_settled_holds_nobody(desk: Desk, end: str) -> None:
    await desk.outbox.put(a_send(desk.clock, "$first", thread="t"))
    await desk.outbox.put(a_send(desk.clock, "$behind", thread="t"))
    assert await desk.outbox.next_time() is not None
    await desk.outbox.move(await found(desk.outbox, "$first"), end)
    assert [send.key for send in await desk.outbox.due(BOX)] == ["$behind"]


async def test_the_operators_own_delay_counts(desk: Desk) -> None:
    kept = await desk.attempt(MailDeferred("wait", 90.0))
    assert kept.next_at == desk.clock.now() + timedelta(seconds=90)


async def test_after_two_days_a_deferred_mail_is_given_up(desk: Desk) -> None:
    await desk.attempt(MailDeferred("wait"))
    desk.clock.advance(hours=49)
    [send] = await desk.outbox.due(BOX)
    await desk.sender.attempt(send)
    [(_, body)] = await desk.tell()
    assert "deux jours" in body


async def test_a_foreign_certificate_is_an_incident_until_it_is_right(desk: Desk) -> None:
    await desk.attempt(Tampered("tls"))
    assert await desk.incidents.current() == [module.TLS_INCIDENT]
    desk.clock.advance(hours=1)
    desk.answer = None
    [send] = await desk.outbox.due(BOX)
    await desk.sender.attempt(send)
    assert await desk.incidents.current() == []


async def test_a_doubt_is_never_resent_and_told_after_a_quarter_of_an_hour(desk: Desk) -> None:
    kept = await desk.attempt(MailInDoubt("lost"))
    assert kept.state == "doubtful"
    assert await desk.tell() == []
    desk.clock.advance(minutes=14)
    assert await desk.tell() == []
    desk.clock.advance(minutes=1)
    assert await desk.tell() == [("m.room.message", texts.doubtful())]
    desk.clock.advance(days=1)
    assert await desk.outbox.due(BOX) == []
    told = await desk.outbox.of_event(EventId("$told1"))
    assert told is not None
    assert told.key == "$event"  # a reply to those words names the mail


async def test_a_report_settles_the_doubt_before_it_is_told(desk: Desk) -> None:
    await desk.attempt(MailInDoubt("lost"))
    await desk.outbox.report(Report("delivered", "eevent", None, None, "2.0.0"), BOX)
    desk.clock.advance(minutes=20)
    assert await desk.tell() == [("m.reaction", texts.DELIVERED)]


async def test_killed_while_the_text_left_is_a_doubt(desk: Desk) -> None:
    await desk.outbox.put(a_send(desk.clock))
    act = desk.journal.begin("mail.send", ref=a_send(desk.clock).ref)
    await desk.outbox.leaving(await found(desk.outbox, "$event"))
    await desk.sender.settle()
    await desk.sender.take_over({MssanteAddress("b@cabinet.mssante.test")})
    assert (await found(desk.outbox, "$event")).state == "data"
    await desk.sender.take_over({BOX})
    kept = await desk.outbox.get("$event")
    assert kept is not None
    assert kept.state == "doubtful"
    assert act not in [intent.act for intent in desk.journal.open_intents()]


async def test_a_code_in_doubt_is_simply_sent_again(desk: Desk) -> None:
    kept = await desk.attempt(MailInDoubt("lost"), caller=CODES, owner=None, room=None, event=None)
    assert kept.state == "deferred"


async def test_an_archive_in_doubt_is_sent_again_unless_a_report_comes(desk: Desk) -> None:
    kept = await desk.attempt(MailInDoubt("lost"), caller=ROOMS, owner=None, room=None, event=None)
    assert kept.state == "deferred"
    desk.clock.advance(minutes=14)
    assert await desk.outbox.next_time() == desk.clock.now() + timedelta(minutes=1)
    desk.clock.advance(minutes=1)
    assert await desk.outbox.ready() == [BOX]
    await desk.outbox.report(Report("delivered", "eevent", None, None, "2.0.0"), BOX)
    assert (await found(desk.outbox, "$event")).state == "delivered"
    assert await desk.outbox.ready() == []


async def test_the_services_own_mailbox_refused_is_an_incident(desk: Desk) -> None:
    await desk.attempt(LoginRefused("no"), caller=CODES, owner=None, room=None, event=None)
    assert await desk.incidents.current() == [module.SENDER_INCIDENT]
