"""From the inbox into rooms: in whose name a mail comes, where it is parsed, and which try of it counts."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import Temporary
from colloque.identity import MssanteAddress, UserId
from colloque.mail.message import Mail
from colloque.mail.parse import parse_mail
from colloque_mssante.arriving import inbound as arriving
from colloque_mssante.arriving.delivery import Delivery
from colloque_mssante.arriving.inbound import AT_ONCE_BYTES, Inbound
from colloque_mssante.mailboxes.giving_up import STUCK_WAIT, TRIES
from colloque_mssante.people.ghosts import Correspondent
from colloque_mssante.rules.weights import Weights
from colloque_mssante.store.inbox import Inbox, Taken
from colloque_mssante.store.mailboxes import Cursor, Mailboxes, Place
from colloque_mssante.texts import mails as texts
from tests.servers.annuaire import Shelf
from tests.unit.mail.corpus import PATHS

BOX, OTHER, ANNE = MssanteAddress("anne@m.mssante.test"), MssanteAddress("zoe@m.mssante.test"), UserId("@anne:h.test")
SMALL = b"From: b@m.mssante.test\r\n\r\nBonjour"
BIG = SMALL + b"x" * AT_ONCE_BYTES


@pytest.fixture
async def db(bridge_db: Database) -> Database:
    return bridge_db


class _Nothing:
    """Stores that know nothing yet, and rules without any choice."""

    async def seen(self, *_: object) -> bool:
        return False

    async def nothing(self, *_: object) -> None:
        return None

    arriving_in = of_message_id = report = nothing

    async def is_quiet(self, *_: object) -> bool:
        return False

    async def settled(self, who: Correspondent) -> Correspondent:
        return who


class _Shows(Inbound):
    """Notes in whose name each mail is shown."""

    def __init__(self) -> None:
        nothing = cast("Any", _Nothing())
        self._mails = self._outbox = self._quiet = self._ghosts = nothing
        self._directory = Shelf()
        self._only_reports = lambda _: False
        self._locks = defaultdict(asyncio.Lock)
        self.shown: list[Correspondent] = []

    async def _show(self, place: Place, mail: Mail, who: Correspondent, key: str, *, quiet: bool) -> None:
        self.shown.append(who)


async def _place(db: Database, clock: FrozenClock, address: MssanteAddress = BOX) -> Place:
    return Place(await Mailboxes(db, clock).start(address, ANNE, clock.now()), 1, 7)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("dsn-three", "Opérateur MSSanté <mailer-daemon@operateur.example>"),
        ("dsn-delivered", "Opérateur MSSanté <mailer-daemon@operateur.example>"),
        ("report-in-two-forms", "Opérateur MSSanté <mailer-daemon@operateur.example>"),
        ("dsn-failed", "Opérateur MSSanté <mailer-daemon@operateur.example>"),
        ("mdn-unknown", ""),
        ("report-beside-words", ""),
        ("report-with-file", ""),
        ("report-in-mixed", ""),
        ("report-of-another-type", ""),
        ("report-of-somebody", ""),
    ],
)
async def test_only_what_is_a_report_and_no_more_comes_as_the_operators(
    name: str, label: str, db: Database, clock: FrozenClock
) -> None:
    inbound = _Shows()
    await inbound.deliver(await _place(db, clock), PATHS[name].read_bytes())
    [who] = inbound.shown
    assert (who.label if who.key == "operator" else "") == label
    assert who.warning == ("" if label else texts.FROM_UNVERIFIED)


async def test_what_is_not_small_is_not_parsed_on_the_loop(
    db: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_loop = []

    def parse(raw: bytes) -> Mail:
        on_loop.append(threading.current_thread() is threading.main_thread())
        return parse_mail(raw)

    monkeypatch.setattr(arriving, "parse_mail", parse)
    for raw in (SMALL, BIG):
        await _Shows().deliver(await _place(db, clock), raw)
    assert on_loop == [True, False]


class _Trying(Inbound):
    """Notes the tries that are counted while a mail is shown."""

    def __init__(self, db: Database, inbox: Inbox, trouble: BaseException | None = None) -> None:
        self._db, self._inbox, self.trouble = db, inbox, trouble
        self.counted: list[int] = []
        self.meeting: asyncio.Barrier | None = None
        """Where two that are shown at the same time meet."""
        self.met: list[bool] = []
        self.given_up: list[bytes] = []

    async def deliver(self, place: Place, raw: bytes) -> None:
        self.counted.append(await tries(self._db, place.box.address))
        if self.meeting is not None:
            self.met.append(await self._meets(self.meeting))
        if self.trouble is not None:
            raise self.trouble
        await self._inbox.take_away(place)

    async def _meets(self, meeting: asyncio.Barrier) -> bool:
        try:
            # Those that are to meet do so at once; the others wait for nobody.
            async with asyncio.timeout(60 if self.counted[0] == 1 else 0.2):
                await meeting.wait()
        except TimeoutError:
            await meeting.reset()
            return False
        return True

    async def give_up(self, box: Cursor, raw: bytes) -> None:
        self.given_up.append(raw)


class _GivingUp:
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def give_up(self, place: Place) -> None:
        await self._inbox.take_away(place)


async def tries(db: Database, box: MssanteAddress = BOX) -> int:
    return int(await db.fetchval("SELECT tries FROM inbox WHERE mailbox = $1", box.value))


async def _delivery(
    db: Database, clock: FrozenClock, raw: bytes, *boxes: MssanteAddress, trouble: BaseException | None = None
) -> tuple[Delivery, _Trying]:
    inbox = Inbox(db, clock)
    for address in boxes or (BOX,):
        await inbox.store((await _place(db, clock, address)).box, 1, 7, [Taken(7, raw)])
    inbound = _Trying(db, inbox, trouble)

    class Wanted:
        def holds(self, *_: object) -> bool:
            return True

    delivery = Delivery(
        db=db,
        inbox=inbox,
        inbound=inbound,
        mailboxes=Mailboxes(db, clock),
        wanted=cast("Any", Wanted()),
        giving_up=cast("Any", _GivingUp(inbox)),
        weights=Weights(),
        clock=clock,
    )
    return delivery, inbound


@pytest.mark.parametrize(("raw", "counted"), [(SMALL, 0), (BIG, 1)], ids=["small", "big"])
async def test_a_try_that_may_end_the_process_counts_before_it_begins(
    raw: bytes, counted: int, db: Database, clock: FrozenClock
) -> None:
    delivery, inbound = await _delivery(db, clock, raw)
    await delivery._drain(BOX)
    assert inbound.counted == [counted]
    assert await Inbox(db, clock).due() == []


@pytest.mark.parametrize("trouble", [Temporary("away"), asyncio.CancelledError()], ids=["away", "stopped"])
async def test_what_was_no_fault_of_the_mail_does_not_count(
    trouble: BaseException, db: Database, clock: FrozenClock
) -> None:
    delivery, inbound = await _delivery(db, clock, BIG, trouble=trouble)
    with pytest.raises(type(trouble)):
        await delivery._drain(BOX)
    assert (inbound.counted, await tries(db)) == ([1], 0)


async def test_a_failure_counts_once(db: Database, clock: FrozenClock) -> None:
    delivery, inbound = await _delivery(db, clock, BIG, trouble=ValueError("a defect of ours"))
    for failed in range(1, TRIES):
        await delivery._drain(BOX)
        assert (await tries(db), inbound.given_up) == (failed, [])
        clock.advance(seconds=STUCK_WAIT.total_seconds())
    await delivery._drain(BOX)
    assert (inbound.counted, inbound.given_up) == ([1, 2, 3], [BIG])


async def test_a_mail_that_ended_the_process_three_times_is_not_tried_again(db: Database, clock: FrozenClock) -> None:
    delivery, inbound = await _delivery(db, clock, BIG)
    await db.execute("UPDATE inbox SET tries = $1", TRIES)
    await delivery._drain(BOX)
    assert (inbound.counted, inbound.given_up) == ([], [BIG])
    assert await Inbox(db, clock).due() == []


@pytest.mark.parametrize(("failed", "met"), [(0, True), (1, False)], ids=["new", "suspects"])
async def test_those_that_were_being_shown_when_it_ended_take_turns(
    failed: int, met: bool, db: Database, clock: FrozenClock
) -> None:
    delivery, inbound = await _delivery(db, clock, BIG, BOX, OTHER)
    await db.execute("UPDATE inbox SET tries = $1", failed)
    inbound.meeting = asyncio.Barrier(2)
    await asyncio.gather(delivery._drain(BOX), delivery._drain(OTHER))
    assert (inbound.counted, inbound.met) == ([failed + 1] * 2, [met] * 2)
