"""Which mailboxes are read, and the reading: one task a mailbox, each from its own durable cursor.

Watched are the PER mailboxes that the directory lists for attested people and whose credentials we have, but for those
that their owners paused or disconnected; and the ORG and CAB ones that a team shares.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from datetime import datetime, timedelta

from colloque import logs
from colloque.attestation import Kind
from colloque.audit import SYSTEM
from colloque.book import AttestationBook
from colloque.clock import Clock, monotonic, start_of_day_in_paris
from colloque.config import MssanteConfig
from colloque.directory.lookup import Directory
from colloque.errors import AntivirusUnavailable, LoginRefused, NotFound, Tampered, Temporary
from colloque.identity import MssanteAddress, UserId, digest
from colloque.mail.imap import Box, ImapClient
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_mssante import texts
from colloque_mssante.authors import SHARABLE
from colloque_mssante.budget import Budget
from colloque_mssante.credentials import Credential, Credentials, fingerprint
from colloque_mssante.elsewhere import Elsewhere
from colloque_mssante.inbound import Inbound
from colloque_mssante.notices import Notices
from colloque_mssante.sender import TLS_INCIDENT
from colloque_mssante.sessions import MailboxClosed
from colloque_mssante.store import Cursor, Mailboxes, Place
from colloque_mssante.store_choices import Choices
from colloque_mssante.teams import SHARED, Teams

_LOOK_S = 1.0
_DIRECTORY_S = 30.0
"""Between two questions to the directory for the same people."""
_IMAP_S = 30.0
_BACK_OFF_S = (1.0, 60.0)
_TAMPERED_S = 300.0
_TRIES = 3
_STUCK_WAIT = timedelta(seconds=30)

_Key = tuple[MssanteAddress, UserId, str]
"""Address, owner (`SHARED` for a team's), fingerprint of the credential and of its owner's choice: a change of any
starts a new task."""

logger = logging.getLogger(__name__)


class Watcher:
    """One instance a process. `states`: of mailboxes (starting, ok, waiting, unscanned, closed, refused, tampered)."""

    def __init__(
        self,
        *,
        config: MssanteConfig,
        book: AttestationBook,
        directory: Directory,
        credentials: Credentials,
        mailboxes: Mailboxes,
        choices: Choices,
        teams: Teams,
        budget: Budget,
        inbound: Inbound,
        elsewhere: Elsewhere,
        incidents: Incidents,
        notices: Notices,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._config = config
        self._book = book
        self._directory = directory
        self._credentials = credentials
        self._mailboxes = mailboxes
        self._choices = choices
        self._teams = teams
        self._budget = budget
        self._inbound = inbound
        self._elsewhere = elsewhere
        self._incidents = incidents
        self._notices = notices
        self._journal = journal
        self._clock = clock
        self._tasks: dict[_Key, asyncio.Task[None]] = {}
        self._asked: tuple[int, ...] = ()
        self._asked_at = 0.0
        self._looking = asyncio.Lock()
        self.states: dict[MssanteAddress, str] = {}
        self._waiting_since: dict[MssanteAddress, float] = {}

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

    def unreachable(self, after_s: float) -> bool:
        """True when some mailbox has been out of reach for that long: for health."""
        return any(monotonic() - since > after_s for since in self._waiting_since.values())

    async def look(self) -> None:
        """Start and stop what is to be: when this returns, no mailbox that its owner closed is read any more."""
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        self._book.refresh()
        self._credentials.refresh()
        now = (self._book.edition, self._credentials.version, self._choices.version, self._teams.version)
        if now == self._asked and monotonic() - self._asked_at < _DIRECTORY_S:
            return
        try:
            wanted = self._wanted()
        except NotFound:
            return  # no directory yet
        self._asked, self._asked_at = now, monotonic()
        for key in set(self._tasks) - set(wanted):
            task = self._tasks.pop(key)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._forget(key[0])
        for key, (since, auth) in wanted.items():
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(self._keep(key[0], key[1], since, auth))

    def _wanted(self) -> dict[_Key, tuple[datetime, Credential]]:
        """What is to be watched, and since when, where nothing was read yet."""
        found: dict[_Key, tuple[datetime, Credential]] = {}
        for attestation in self._book.all(self._clock.now()):
            if attestation.kind is not Kind.PROFESSIONAL:
                continue  # Who works under somebody bears their number, and must never get their mail.
            person = self._directory.by_rpps(attestation.rpps)
            for box in person.personal_mailboxes if person is not None else ():
                auth = self._credentials.of(box.address, attestation.user)
                if auth is not None and not self._choices.closed(box.address, attestation.user):
                    opened = self._choices.opened(box.address, attestation.user)
                    found[box.address, attestation.user, f"{opened} {fingerprint(auth)}"] = (
                        attestation.issued_at,
                        auth,
                    )
        for address in self._teams.mailboxes():
            listed, auth = self._directory.by_mssante(address), self._credentials.of(address)
            if listed is not None and listed.kind in SHARABLE and auth is not None and self._teams.members(address):
                found[address, SHARED, fingerprint(auth)] = (self._teams.since(address), auth)
        return found

    async def _keep(self, address: MssanteAddress, owner: UserId, since: datetime, auth: Credential) -> None:
        """Read one mailbox until cancelled, through every failure but a refused login."""
        pause = _BACK_OFF_S[0]
        self.states[address] = "starting"
        while True:
            began = monotonic()
            try:
                cursor = await self._mailboxes.start(address, owner, start_of_day_in_paris(since))
                if cursor.refused == fingerprint(auth):
                    self.states[address] = "refused"
                    return  # not even once more with the same credentials, whatever restarts come
                async with self._budget.connection():
                    await self._session(cursor, auth)
                pause = _BACK_OFF_S[0]  # it gave its place to another
            except LoginRefused:
                await self._refused(address, owner, auth)
                return
            except MailboxClosed:
                self._forget(address)
                self.states[address] = "closed"
                return  # a session is another credential, and begins another task
            except Tampered:
                await self._incidents.open(TLS_INCIDENT, texts.INCIDENT_TLS)
                self.states[address] = "tampered"
                pause = _TAMPERED_S
            except AntivirusUnavailable as error:
                logs.event(logger, "mailbox.waits", code=error.code)
                self._forget(address)  # the mailbox itself answers: health names the antivirus
                self.states[address] = "unscanned"
            except Temporary as error:
                logs.event(logger, "mailbox.waits", code=error.code)
                self._wait(address)
            except Exception:
                logger.exception("mailbox.failed")
                self._wait(address)
            if monotonic() - began > _BACK_OFF_S[1]:
                pause = _BACK_OFF_S[0]
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - so that not all come at once
            pause = min(pause * 2, max(_BACK_OFF_S[1], pause))

    async def _session(self, cursor: Cursor, auth: Credential) -> None:
        """One connection, for as long as it lasts."""
        address = cursor.address
        first = cursor.uidvalidity is None
        act = self._journal.begin("mailbox.connect", actor=cursor.actor, ref=_ref(address)) if first else ""
        try:
            async with self._budget.login():
                client = await self._credentials.open(ImapClient, self._config.imap, address, auth, timeout_s=_IMAP_S)
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
                await self._incidents.close(f"mssante.login.{_ref(address)}")
            uid = cursor.uid if cursor.uidvalidity == box.uidvalidity else 0
            while True:
                uid = await self._catch_up(client, box, cursor, uid)
                self._forget(address)
                self.states[address] = "ok"
                await self._elsewhere.look(client, cursor, box.uidvalidity)
                if not await self._budget.idle(lambda: client.wait(self._config.poll_s)):
                    return
        finally:
            await client.close()

    async def _catch_up(self, client: ImapClient, box: Box, cursor: Cursor, uid: int) -> int:
        """Deal with everything above `uid`, then with what was stuck; the new cursor."""
        for one in await client.uids(uid, cursor.since.date() if uid == 0 else None):
            await self._one(client, Place(cursor, box.uidvalidity, one))
            await self._mailboxes.move(cursor, box.uidvalidity, one)
            uid = one
        for stuck in await self._mailboxes.stuck(cursor.address, box.uidvalidity):
            await self._one(client, Place(cursor, box.uidvalidity, stuck.uid))
        return uid

    async def _one(self, client: ImapClient, place: Place) -> None:
        """Deliver one mail. Raises Temporary; a mail that fails otherwise is noted as stuck, and others go on."""
        box, raw = place.box, b""
        try:
            fetched = await client.fetch(place.uid)
            raw = fetched.raw
            if fetched.internal_date >= box.since:
                await self._inbound.deliver(place, raw)
        except (Temporary, Tampered):
            raise
        except NotFound:
            logs.event(logger, "mail.gone")
        except Exception:
            logger.exception("mail.stuck")
            next_at = self._clock.now() + _STUCK_WAIT
            if await self._mailboxes.note_stuck(box.address, place.uidvalidity, place.uid, next_at, limit=_TRIES):
                await self._inbound.give_up(box, raw)
                await self._give_up(place)
            return
        await self._mailboxes.unstick(box.address, place.uidvalidity, place.uid)

    async def _give_up(self, place: Place) -> None:
        box = place.box
        name = _ref(box.address, str(place.uidvalidity), str(place.uid))
        await self._incidents.open(f"mssante.mail.{name}", texts.INCIDENT_GIVEN_UP)
        await self._incidents.close(f"mssante.mail.{name}")  # told once, then over: there is nothing to wait for
        await self._tell(f"given-up-{name}", box.address, box.owner, texts.mail_given_up(box.address.value))
        self._journal.note("mail.given_up", actor=box.actor, ref=name)

    async def _tell(self, key: str, address: MssanteAddress, owner: UserId, words: str) -> None:
        """In the home room of whose mailbox it is: its owner, or everybody who shares it."""
        if owner != SHARED:
            await self._notices.add(key, owner, words)
            return
        for user in self._teams.members(address):
            await self._notices.add(f"{key}-{digest(user)}", user, words)

    async def _refused(self, address: MssanteAddress, owner: UserId, auth: Credential) -> None:
        self.states[address] = "refused"
        self._waiting_since.pop(address, None)
        if not await self._mailboxes.refuse(address, fingerprint(auth)):
            return
        await self._incidents.open(f"mssante.login.{_ref(address)}", texts.INCIDENT_LOGIN)
        name = _ref(address, fingerprint(auth))
        await self._tell(f"refused-{name}", address, owner, texts.box_refused(address.value))
        self._journal.note("mailbox.refused", actor=owner or SYSTEM, ref=_ref(address))

    def _wait(self, address: MssanteAddress) -> None:
        self.states[address] = "waiting"
        self._waiting_since.setdefault(address, monotonic())

    def _forget(self, address: MssanteAddress) -> None:
        self.states.pop(address, None)
        self._waiting_since.pop(address, None)


def _ref(address: MssanteAddress, *more: str) -> str:
    """20 hex digits for the journal and for keys of incidents."""
    return hashlib.sha256(" ".join((address.value, *more)).encode()).hexdigest()[:20]
