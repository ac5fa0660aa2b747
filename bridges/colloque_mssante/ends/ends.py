"""Threads that end in their rooms. The job lives in the database; every step may be run again after a crash:

    asking     its mailboxes are asked whether they have its mails (`presence`)
    kept       it stays for now: one of them lacks a mail, or something is under way; asked again later
    reading    its room is read: which events are its own (or nobody's, and as old), which files they share. Then, in
               one transaction: nothing has happened meanwhile, no mail joins it any more, and what we kept of it is
               forgotten
    redacting  each event is withdrawn
    checking   its room is read again: whatever is not withdrawn is
    files      @salles deletes its files, looks for what is left, and signs a receipt
    telling    its room reads the receipt's number

Nothing in a mailbox is touched. A mail that comes before the transaction wins; one that comes after begins a thread.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from mautrix.util.async_db import Database

from colloque import logs
from colloque.clock import Clock, from_millis, to_millis
from colloque.errors import HomeRefused, Temporary
from colloque.identity import digest
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.home import text
from colloque.matrix.nio_home import NioHome
from colloque.rooms.mail_thread import WEEK, Rule, Step, ends_at, next_step
from colloque.rooms.mark import HOLD
from colloque.store.incidents import Incidents
from colloque.store.schema import transaction
from colloque.thread_eraser import ThreadEraser
from colloque_mssante.access.notices import Notes
from colloque_mssante.ends.forgetting import Forgetting
from colloque_mssante.ends.room_reading import Found, RoomReading
from colloque_mssante.mapping.drafts import RoomLocks
from colloque_mssante.rules.drip import Drip
from colloque_mssante.rules.teams import Teams
from colloque_mssante.store import ends as steps
from colloque_mssante.store.ends import End, Ends
from colloque_mssante.store.life import RoomLife
from colloque_mssante.store.mailboxes import box_ref
from colloque_mssante.texts import ends as texts

_SOON = timedelta(seconds=2)
_LATER = timedelta(hours=1)
_DAY = timedelta(days=1)
"""What a mailbox said counts for that long; one that is silent for that long is told of."""
INCIDENT = "mssante.threads"
WITHDRAWN = 60, 300.0
"""Events that are withdrawn in so many seconds: Synapse drops a hundred contents every five minutes, whoever's, and
receipts promise that it has dropped these within seven days."""

logger = logging.getLogger(__name__)


class ThreadEnds:
    """One instance a process; `once` is called again and again."""

    def __init__(
        self,
        *,
        db: Database,
        home: NioHome,
        admin: SynapseAdmin,
        ends: Ends,
        life: RoomLife,
        reading: RoomReading,
        eraser: ThreadEraser,
        notes: Notes,
        incidents: Incidents,
        teams: Teams,
        locks: RoomLocks,
        rule: Rule,
        clock: Clock,
    ) -> None:
        self._db = db
        self._home = home
        self._admin = admin
        self._ends = ends
        self._life = life
        self._reading = reading
        self._forgetting = Forgetting(db)
        self._eraser = eraser
        self._notes = notes
        self._incidents = incidents
        self._teams = teams
        self._locks = locks
        self._rule = rule
        self._clock = clock
        self._drip = Drip(*WITHDRAWN)
        self._steps: dict[str, Callable[[End], Awaitable[None]]] = {
            steps.ASKING: self._ask,
            steps.KEPT: self._again,
            steps.READING: self._read,
            steps.REDACTING: self._redact,
            steps.CHECKING: self._check,
            steps.FILES: self._files,
            steps.TELLING: self._tell,
        }

    async def once(self) -> None:
        """One pass. Raises Temporary where the database is away; what fails of one thread is tried again later."""
        if not await self._life.unwalked():
            await self._ends.begin_due(self._rule)
        for end in await self._ends.due():
            try:
                await self._advance(end)
            except Temporary as error:
                logs.event(logger, "thread.deferred", step=end.step, code=error.code)
                await self._ends.wait(end, self._clock.now() + 10 * _SOON)
            except HomeRefused as error:
                logs.event(logger, "thread.refused", level=logging.WARNING, step=end.step, errcode=error.errcode)
                await self._refused(end)
            except Exception:
                logger.exception("thread.failed")
                await self._ends.wait(end, self._clock.now() + _LATER)
        if await self._ends.stuck(self._clock.now() - 2 * _DAY):
            await self._incidents.open(INCIDENT, texts.INCIDENT_STUCK)
        else:
            await self._incidents.close(INCIDENT)

    async def _advance(self, end: End) -> None:
        current: End | None = end
        while current is not None:
            before = current.step
            await self._steps[before](current)
            current = await self._ends.get(end.thread)
            if current is not None and current.step in {before, steps.KEPT}:
                return

    async def _refused(self, end: End) -> None:
        """Its room is held, or we are not in it; where it does not exist any more, nothing of it is left to end."""
        if await self._admin.room(end.room) is not None:
            await self._ends.wait(end, self._clock.now() + _LATER)
            return
        async with transaction(self._db):
            await self._forgetting.forget(end)
            await self._ends.attested(end, 0)

    # before anything ends

    async def _ask(self, end: End) -> None:
        standing, now = await self._ends.standing(end), self._clock.now()
        match next_step(standing, self._rule, now):
            case Step.END:
                await self._ends.at_step(end, steps.READING)
            case Step.KEEP:
                await self._keep(end)
            case Step.ASK:
                await self._wait_for_answers(end, now)
            case Step.MISSING:
                if not end.told:
                    said = text(texts.missing(end.number), notice=True)
                    await self._home.send(end.room, said, txn=digest(f"{end.token} missing"))
                    await self._ends.told_missing(end)
                await self._ends.at_step(end, steps.KEPT, now + WEEK)

    async def _keep(self, end: End) -> None:
        """Not now: too young again, held, or something of it is under way."""
        standing, now = await self._ends.standing(end), self._clock.now()
        at = ends_at(standing, self._rule)
        if at is None or now < at or (standing.held_until is not None and now < standing.held_until):
            await self._ends.spare(end)
        else:
            await self._ends.at_step(end, steps.KEPT, self._clock.now() + _LATER)

    async def _again(self, end: End) -> None:
        """It was kept for a while: its mailboxes are asked anew, unless something of it is still under way."""
        if (await self._ends.standing(end)).busy:
            await self._ends.wait(end, self._clock.now() + _LATER)
        else:
            await self._ends.ask_again(end)

    async def _wait_for_answers(self, end: End, now: datetime) -> None:
        age = now - end.asked_at
        if age > _DAY:
            for address, owner in await self._ends.silent(end.thread):
                key, words = f"unasked-{box_ref(address)}", texts.unasked(address.value)
                await self._notes.add_for(key, owner, self._teams.members(address), words)
        await self._ends.wait(end, now + min(max(age / 4, _SOON / 2), _LATER))

    async def _read(self, end: End) -> None:
        if await self._is_held(end):
            await self._keep(end)
            return
        if self._drip.empty:
            await self._ends.wait(end, self._clock.now() + 10 * _SOON)
            return
        found = await self._reading.of(end, now := self._clock.now(), self._rule.lifetime)
        if found.last_said is not None and found.last_said + self._rule.lifetime > now:
            await self._ends.spare(end, found.last_said)
            return
        async with self._locks[end.room]:
            if not await self._closed(end, found):
                await self._keep(end)

    async def _is_held(self, end: End) -> bool:
        """By the room's own state, whoever of our bots said so."""
        until = (await self._home.state(end.room, HOLD) or {}).get("until")
        return isinstance(until, int) and to_millis(self._clock.now()) < until

    async def _closed(self, end: End, found: Found) -> bool:
        """The point of no return; False when something has happened meanwhile, and nothing was changed."""
        async with transaction(self._db):
            await self._ends.lock(end)
            standing, now = await self._ends.standing(end), self._clock.now()
            if next_step(standing, self._rule, now) is not Step.END or now - end.asked_at > _DAY:
                return False
            await self._ends.read(end, found.events, found.files)
            await self._forgetting.forget(end)
            if not found.events:  # of a mail that could never be shown: nothing is to be withdrawn or attested
                await self._ends.spare(end)
                return True
            await self._ends.at_step(
                end,
                steps.REDACTING,
                began_at=to_millis(found.began_at or standing.last_at),
                last_at=to_millis(standing.last_at),
                undecryptable=found.unreadable,
                members=found.members,
                remote=found.remote,
            )
        logs.event(logger, "thread.ends", events=len(found.events), files=len(found.files))
        return True

    # the end

    async def _redact(self, end: End) -> None:
        tries = end.counts.get("tries", 0)  # the server answers the same transaction as it did before
        for event in await self._ends.events(end.thread, left=True):
            if not self._drip.take():
                await self._ends.wait(end, self._clock.now() + 10 * _SOON)
                return
            await self._home.redact(end.room, event, txn=digest(f"{end.token} {event} {tries}"))
            await self._ends.withdrawn(event)
        await self._ends.at_step(end, steps.CHECKING)

    async def _check(self, end: End) -> None:
        found = await self._reading.of(end, self._clock.now(), self._rule.lifetime)
        if not found.events:
            await self._ends.at_step(end, steps.FILES)
            return
        async with transaction(self._db):
            await self._ends.read(end, found.events, found.files)
            await self._ends.back(found.events)
            unreadable = end.counts["undecryptable"] + found.unreadable
            tries = end.counts.get("tries", 0) + 1
            await self._ends.at_step(end, steps.REDACTING, tries=tries, undecryptable=unreadable)

    async def _files(self, end: End) -> None:
        files = await self._ends.files(end.thread)
        own = [(mxc, sender) for mxc, sender, elsewhere in files if not elsewhere]
        shared = [(mxc, sender) for mxc, sender, elsewhere in files if elsewhere]
        await self._eraser.note(end.token, await self._ends.events(end.thread), own, shared)
        serial = await self._eraser.erase(
            end.token,
            began_at=from_millis(end.counts["began_at"]),
            last_at=from_millis(end.counts["last_at"]),
            members=end.counts["members"],
            remote=end.counts["remote"],
            undecryptable=end.counts["undecryptable"],
        )
        if serial:
            await self._ends.attested(end, serial)
        else:
            await self._ends.wait(end, self._clock.now() + _SOON)

    async def _tell(self, end: End) -> None:
        try:
            said = text(texts.ended(end.number, end.serial), notice=True)
            await self._home.send(end.room, said, txn=digest(f"{end.token} ended"))
        except HomeRefused as error:  # nobody is left to be told
            logs.event(logger, "thread.untold", errcode=error.errcode)
        await self._eraser.forget(end.token)
        await self._ends.over(end)
