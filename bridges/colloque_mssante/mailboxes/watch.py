"""Reading mailboxes: one task for each that is wanted, from its own durable cursor into the inbox.

Nothing is ever moved, flagged or deleted in a mailbox here, and nothing is shown: `delivery` does that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from colloque import logs
from colloque.audit import SYSTEM
from colloque.clock import Clock, monotonic, start_of_day_in_paris
from colloque.errors import LoginRefused, MailDeferred, Tampered, Temporary
from colloque.identity import MssanteAddress, UserId
from colloque.mail.access import Way
from colloque.mail.imap import Box, ImapClient
from colloque.patience import patiently
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_mssante.access.credentials import Credential, Credentials, fingerprint
from colloque_mssante.access.notices import Notes
from colloque_mssante.access.sessions import MailboxClosed
from colloque_mssante.access.wanted import Key, Opening, Wanted
from colloque_mssante.mailboxes.budget import Budget
from colloque_mssante.mailboxes.elsewhere import Elsewhere
from colloque_mssante.mailboxes.fetching import Fetching
from colloque_mssante.mailboxes.giving_up import STUCK_WAIT, TRIES, WITHHELD_WAIT, GivingUp
from colloque_mssante.mailboxes.sender import TLS_INCIDENT
from colloque_mssante.rules.teams import Teams
from colloque_mssante.store.inbox import Inbox, Taken
from colloque_mssante.store.leases import Leases, NotHeld
from colloque_mssante.store.mailboxes import Cursor, Mailboxes, Place, box_ref
from colloque_mssante.texts import mails as texts

_LOOK_S = 1.0
_IMAP_S = 30.0
_BACK_OFF_S = (1.0, 60.0)
_TAMPERED_S = 300.0
_FULL_S = 1.0
"""Between two looks whether there is room in the inbox again."""
_AT_ONCE = 16
"""Mailboxes that fetch at the same time: of each, up to 2 MB stand in memory until they are stored."""
_CONNECT = "mailbox.connect"

logger = logging.getLogger(__name__)


class Watcher:
    """One instance a process. `fetched` is called when something new stands in the inbox.

    How it goes is kept with each mailbox: starting, ok, waiting, closed, refused, tampered (and unscanned, by
    `delivery`).
    """

    def __init__(
        self,
        *,
        imap: Way,
        poll_s: float,
        wanted: Wanted,
        credentials: Credentials,
        mailboxes: Mailboxes,
        inbox: Inbox,
        teams: Teams,
        budget: Budget,
        leases: Leases,
        elsewhere: Elsewhere,
        giving_up: GivingUp,
        fetching: Fetching,
        incidents: Incidents,
        notes: Notes,
        journal: Journal,
        clock: Clock,
        fetched: Callable[[], None],
    ) -> None:
        self._imap = imap
        self._poll_s = poll_s
        self._wanted = wanted
        self._credentials = credentials
        self._mailboxes = mailboxes
        self._inbox = inbox
        self._teams = teams
        self._budget = budget
        self._leases = leases
        self._elsewhere = elsewhere
        self._giving_up = giving_up
        self._fetching = fetching
        self._incidents = incidents
        self._notes = notes
        self._journal = journal
        self._clock = clock
        self._fetched = fetched
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._looking = asyncio.Lock()
        self._places = asyncio.Semaphore(_AT_ONCE)

    def settle(self) -> None:
        """At start: close the acts that a crash left open."""
        for intent in self._journal.open_intents():
            if intent.kind == _CONNECT:
                self._journal.end(intent.act, "interrupted")

    async def run(self) -> None:
        """Follow the book of attestations, the directory and the credentials, for ever."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(_LOOK_S)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self._tasks.clear()

    def busy(self, mailbox: MssanteAddress) -> bool:
        """Whether that mailbox is being read."""
        return any(address == mailbox for address, _, _ in self._tasks)

    async def look(self) -> None:
        """Start and stop what is to be: when this returns, no mailbox that its owner closed is read any more."""
        async with self._looking:
            self._wanted.refresh()
            known = self._wanted.known
            over = [key for key in self._tasks if key not in known or not self._leases.holds(key[0])]
            for key in over:
                self._tasks[key].cancel()
            await asyncio.gather(*(self._tasks[key] for key in over), return_exceptions=True)
            for key in over:
                if key not in known:  # else another process reads it, and says how that goes
                    await self._mailboxes.note_state(key[0], "")
                del self._tasks[key]
            for key, opening in known.items():
                if key not in self._tasks and self._leases.holds(key[0]):
                    self._tasks[key] = asyncio.create_task(self._keep(key[0], key[1], opening))

    async def _keep(self, address: MssanteAddress, owner: UserId, opening: Opening) -> None:
        """Read one mailbox until cancelled, through every failure but a refused login."""
        pause, state, auth = _BACK_OFF_S[0], "starting", opening.auth
        since = start_of_day_in_paris(opening.since)
        while True:
            began = monotonic()
            try:
                async with self._leases.holding(address):
                    cursor = await self._mailboxes.start(address, owner, since, instead=not opening.service)
                if cursor.owner != owner:
                    logs.event(logger, "mailbox.not_the_services", level=logging.WARNING)
                    return
                if cursor.refused == fingerprint(auth):
                    await self._note(address, "refused")
                    return  # not even once more with the same credentials, whatever restarts come
                await self._note(address, state)
                async with self._budget.connection():
                    await self._session(cursor, auth)
                pause, state = _BACK_OFF_S[0], "ok"  # it gave its place to another
            except LoginRefused:
                await patiently(partial(self._refused, address, owner, auth), for_s=math.inf)
                return
            except MailboxClosed:
                await patiently(partial(self._note, address, "closed"), for_s=math.inf)
                return  # a session is another credential, and begins another task
            except Tampered:
                await patiently(partial(self._incidents.open, TLS_INCIDENT, texts.INCIDENT_TLS), for_s=math.inf)
                pause, state = _TAMPERED_S, "tampered"
            except Temporary as error:
                logs.event(logger, "mailbox.waits", code=error.code)
                state = "waiting"
            except Exception:
                logger.exception("mailbox.failed")
                state = "waiting"
            await patiently(partial(self._note, address, state), for_s=math.inf)
            if monotonic() - began > _BACK_OFF_S[1]:
                pause = _BACK_OFF_S[0]
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - so that not all come at once
            pause = min(pause * 2, max(_BACK_OFF_S[1], pause))

    async def _note(self, address: MssanteAddress, state: str) -> None:
        """Say how reading goes, unless another process reads it by now, and says so itself."""
        with contextlib.suppress(NotHeld):
            async with self._leases.holding(address):
                await self._mailboxes.note_state(address, state)

    async def _session(self, cursor: Cursor, auth: Credential) -> None:
        """One connection, for as long as it lasts."""
        address = cursor.address
        first = cursor.uidvalidity is None
        act = self._journal.begin(_CONNECT, actor=cursor.actor, ref=box_ref(address)) if first else ""
        try:
            async with self._budget.login():
                client = await self._credentials.open(ImapClient, self._imap, address, auth, timeout_s=_IMAP_S)
        except LoginRefused:
            if act:
                self._journal.end(act, "refused")
            raise
        try:
            box = await client.examine()
            if act:
                self._journal.end(act, "connected")
            await self._incidents.close(TLS_INCIDENT)
            if await self._mailboxes.refuse(address, ""):
                await self._incidents.close(f"mssante.login.{box_ref(address)}")
            cursor = await self._anew(box, cursor)
            told = False
            while True:
                cursor, whole = await self._catch_up(client, box, cursor)
                if not told:
                    await self._note(address, "ok")
                    told = True
                await self._elsewhere.look(client, cursor, box.uidvalidity)
                if not await self._budget.idle(partial(self._news, client, cursor, whole=whole)):
                    return
        finally:
            await client.close()

    async def _news(self, client: ImapClient, cursor: Cursor, *, whole: bool) -> None:
        """Wait until there is something to fetch, or `_FULL_S` where only room for it was missing."""
        if whole:
            await client.wait(self._poll_s)
        elif await self._inbox.full(cursor.address):
            await asyncio.sleep(_FULL_S)

    async def _anew(self, box: Box, cursor: Cursor) -> Cursor:
        """From the beginning, where UIDs of before say nothing any more: digests keep off what is known."""
        if cursor.uidvalidity is None or (cursor.uidvalidity == box.uidvalidity and not 0 < box.uidnext <= cursor.uid):
            return cursor
        logs.event(logger, "mailbox.anew", same_validity=cursor.uidvalidity == box.uidvalidity)
        async with self._leases.holding(cursor.address):
            return await self._inbox.anew(cursor, box.uidvalidity, box.uidnext)

    async def _catch_up(self, client: ImapClient, box: Box, cursor: Cursor) -> tuple[Cursor, bool]:
        """Fetch everything above the cursor that there is room for; the new cursor, and whether that was all."""
        stuck = await self._inbox.unfetched(cursor.address, box.uidvalidity)
        cursor, whole = await self._fresh(client, box, cursor)
        for uid in stuck:  # last: one that ends the session keeps no other back
            await self._again(client, Place(cursor, box.uidvalidity, uid))
        return cursor, whole

    async def _fresh(self, client: ImapClient, box: Box, cursor: Cursor) -> tuple[Cursor, bool]:
        if await self._inbox.full(cursor.address):
            return cursor, False
        uids = deque(await client.uids(cursor.uid, cursor.since.date() if cursor.uid == 0 else None))
        while uids:
            async with self._places, self._fetching.batch(client, cursor, uids) as (upto, batch):
                cursor = await self._store(cursor, box.uidvalidity, upto, batch)
            if uids and await self._inbox.full(cursor.address):
                return cursor, False
        return cursor, True

    async def _store(self, cursor: Cursor, uidvalidity: int, upto: int, batch: Sequence[Taken]) -> Cursor:
        async with self._leases.holding(cursor.address):
            moved = await self._inbox.store(cursor, uidvalidity, upto, batch)
        if batch:
            self._fetched()
        return moved

    async def _again(self, client: ImapClient, place: Place) -> None:
        """What could not be fetched, once more. Raises Temporary: the next session does without it, for a while."""
        try:
            got = await self._fetching.one(client, place.box, place.uid)
        except MailDeferred:
            await self._failed(place, WITHHELD_WAIT)
            raise
        if got is None:
            await self._inbox.take_away(place)
        elif got.fetched is not None:
            with got.fetched.body:
                async with self._fetching.whole([got]) as (taken,):
                    await self._inbox.fetched(place, taken.raw or b"")
            self._fetched()
        else:
            await self._failed(place, STUCK_WAIT)

    async def _failed(self, place: Place, wait: timedelta) -> None:
        if await self._inbox.failed(place, self._clock.now() + wait) >= TRIES:
            await self._giving_up.give_up(place)

    async def _refused(self, address: MssanteAddress, owner: UserId, auth: Credential) -> None:
        fresh = False
        with contextlib.suppress(NotHeld):
            async with self._leases.holding(address):
                await self._mailboxes.note_state(address, "refused")
                fresh = await self._mailboxes.refuse(address, fingerprint(auth))
        if not fresh:
            return
        await self._incidents.open(f"mssante.login.{box_ref(address)}", texts.INCIDENT_LOGIN)
        name = box_ref(address, fingerprint(auth))
        members = self._teams.members(address)
        await self._notes.add_for(f"refused-{name}", owner, members, texts.box_refused(address.value))
        self._journal.note("mailbox.refused", actor=owner or SYSTEM, ref=box_ref(address))
