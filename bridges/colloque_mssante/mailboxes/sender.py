"""The outbox at work: hands mails to the operator, one mailbox's in their order, and keeps what became of each.

One task a sending mailbox: a slow one holds nobody else. What rooms show of it is the matter of `states`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from colloque import logs
from colloque.clock import Clock
from colloque.config import MailServerConfig
from colloque.errors import (
    BadInput,
    ColloqueError,
    LoginRefused,
    MailInDoubt,
    MailRefused,
    Refused,
    Tampered,
    Temporary,
)
from colloque.identity import MssanteAddress
from colloque.mail.access import Auth, Way
from colloque.mail.smtp import NOTIFY_ALL, submit
from colloque.patience import patiently
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_mssante.access.authors import Authors
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.access.sessions import MailboxClosed
from colloque_mssante.mailboxes.budget import Budget
from colloque_mssante.mailboxes.may_send import check_writer
from colloque_mssante.rules.bell import Bell, wait_for
from colloque_mssante.rules.sends import CODES, RECEIPTS, ROOMS, Send
from colloque_mssante.store.leases import Leases, NotHeld
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.texts import mails as texts

DOUBT = timedelta(minutes=15)
"""How long a report may take to settle a doubt before the writer is asked, or an archive is sent again."""
GIVE_UP = timedelta(hours=48)
"""After that long, a mail that is still deferred counts as refused (`4.4.7`, RFC 3463: delivery time expired)."""
_BACK_OFF_S = (2.0, 3600.0)
_TLS_WAIT_S = 300.0
_SMTP_S = 60.0
_LOOK_S = 1.0
_PAUSE_S = 0.25
_LAST_S = 2.0
TLS_INCIDENT = "mssante.tls"
SENDER_INCIDENT = "mssante.sender"

logger = logging.getLogger(__name__)


class Sender:
    """One instance a process."""

    def __init__(
        self,
        *,
        server: MailServerConfig | Way,
        outbox: Outbox,
        budget: Budget,
        credentials: Credentials,
        authors: Authors,
        leases: Leases,
        incidents: Incidents,
        journal: Journal,
        keys: RoomKeys,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called when a mail's state did."""
        self._server = server
        self._outbox = outbox
        self._budget = budget
        self._credentials = credentials
        self._authors = authors
        self._leases = leases
        self._incidents = incidents
        self._journal = journal
        self._keys = keys
        self._clock = clock
        self._changed = changed
        self._news = Bell()
        self._tasks: dict[MssanteAddress, asyncio.Task[None]] = {}
        self._resting = False

    def wake(self) -> None:
        """Something new stands in the outbox."""
        self._news.ring()

    async def settle(self) -> None:
        """At start: close the acts that a crash left open."""
        for intent in self._journal.open_intents():
            if intent.kind == "mail.send":
                found = await self._outbox.of_ref(intent.ref)
                state = found.state if found is not None else "not_done"
                self._journal.end(intent.act, "interrupted" if state == "data" else state)

    async def take_over(self, mailboxes: Collection[MssanteAddress]) -> None:
        """From whoever worked for them: what was leaving is in doubt (services' mails leave again, see `_doubt`)."""
        for send in await self._outbox.interrupted():
            if send.sender in mailboxes:
                await self._doubt(send)

    def busy(self, mailbox: MssanteAddress) -> bool:
        """Whether something is being sent from it."""
        return mailbox in self._tasks

    async def rest(self, within_s: float) -> None:
        """Begin nothing any more; returns when what was begun has ended and is kept, or after that time."""
        self._resting = True
        if tasks := set(self._tasks.values()):
            await asyncio.wait(tasks, timeout=within_s)

    async def run(self) -> None:
        """Send what is due, for ever."""
        try:
            while True:
                self._news.hush()
                for mailbox in await self._outbox.ready():
                    if mailbox not in self._tasks and self._may(mailbox):
                        task = asyncio.create_task(self._drain(mailbox))
                        self._tasks[mailbox] = task
                        task.add_done_callback(self._done(mailbox))
                await self._sleep()
        finally:
            left = set(self._tasks.values())
            if left:
                await asyncio.wait(left, timeout=_LAST_S)  # a text that is leaving is better let go than doubted
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _done(self, sender: MssanteAddress) -> Callable[[asyncio.Task[None]], None]:
        def forget(task: asyncio.Task[None]) -> None:
            self._tasks.pop(sender, None)
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.error("sender.failed", exc_info=error)
            self._news.ring()

        return forget

    async def _sleep(self) -> None:
        """Until there is news, or the next time comes; a look every few seconds costs little and forgives all."""
        next_at, now = await self._outbox.next_time(), self._clock.now()
        await self._news.heard(wait_for(next_at, now, least_s=_PAUSE_S, most_s=_LOOK_S))

    async def _drain(self, sender: MssanteAddress) -> None:
        for send in await self._outbox.due(sender):
            if self._may(sender):
                await self.attempt(send)

    def _may(self, mailbox: MssanteAddress) -> bool:
        return self._leases.holds(mailbox) and not self._resting

    async def attempt(self, send: Send) -> None:
        """Try to hand over one mail, and keep what became of it."""
        room = await self._keys.token(send.room, send.room) if send.room else ""
        act = self._journal.begin("mail.send", actor=send.owner or "system", room=room, ref=send.ref)
        outcome = await self._submitted(send)
        self._journal.end(act, outcome)
        logs.event(logger, "mail.sent", outcome=outcome)
        self._news.ring()

    async def _submitted(self, send: Send) -> str:
        """The state that the mail is in after the attempt."""
        raw = send.raw
        if raw is None:
            return await self._refuse(send, "withdrawn")

        leaving = send

        async def before_data() -> None:
            nonlocal leaving
            check_writer(send, self._authors, self._credentials)
            leaving = await self._leave(send)

        async def handed_over(auth: Auth) -> None:
            await submit(
                self._server,
                send.sender.value,
                auth,
                sender="" if send.caller == RECEIPTS else send.sender.value,
                recipients=send.recipients,
                data=raw,
                envid=send.envid,
                notify="NEVER" if send.caller == RECEIPTS else NOTIFY_ALL,
                before_data=before_data,
                timeout_s=_SMTP_S,
                revocation=self._credentials.revocation,
            )

        try:
            check_writer(send, self._authors, self._credentials)
            credential = self._credentials.of(send.sender, send.owner)
            if credential is None:
                return await self._refuse(send, "login")
            async with self._budget.sending():
                await self._credentials.login(credential, handed_over)
        except ColloqueError as error:
            return await self._failed(leaving, error)
        await self._note(leaving, "sent")
        await self._incidents.close(TLS_INCIDENT)
        if _is_services(send):
            await self._incidents.close(SENDER_INCIDENT)
        return "sent"

    async def _leave(self, send: Send) -> Send:
        """The last moment at which it may still stay: whoever lost the mailbox does not send from it."""
        async with self._leases.holding(send.sender):
            return await self._outbox.leaving(send)

    async def _failed(self, send: Send, error: ColloqueError) -> str:
        match error:
            case MailInDoubt():
                return await self._doubt(send)
            case MailRefused():
                return await self._refuse(send, error.enhanced or str(error.status))
            case LoginRefused():
                return await self._refuse(send, "login")
            case BadInput():
                return await self._refuse(send, "5.6.0")
            case Refused():
                return await self._refuse(send, error.reason)
            case Tampered():
                await self._incidents.open(TLS_INCIDENT, texts.INCIDENT_TLS)
                return await self._defer(send, _TLS_WAIT_S)
            case NotHeld():
                return "not_held"  # whoever sends from that mailbox now says what becomes of it
            case MailboxClosed():
                return await self._defer(send, None, late="closed")
            case Temporary():
                return await self._defer(send, error.retry_after_s)
        raise error

    async def _doubt(self, send: Send) -> str:
        if send.caller == CODES:
            return await self._defer(send, None)
        if send.caller == ROOMS:
            # Twice under one Message-ID it harms nobody; an archive of which a part is missing does. Unless a report
            # says until then that it left.
            return await self._defer(send, DOUBT.total_seconds())
        await self._note(send, "doubtful", next_at=self._clock.now() + DOUBT)
        return "doubtful"

    async def _defer(self, send: Send, asked_s: float | None, *, late: str = "4.4.7") -> str:
        now = self._clock.now()
        if now - send.made_at > GIVE_UP:
            return await self._refuse(send, late)
        pause = max(min(_BACK_OFF_S[0] * 2**send.tries, _BACK_OFF_S[1]), asked_s or 0.0)
        return await self._note(send, "deferred", next_at=now + timedelta(seconds=pause))

    async def _refuse(self, send: Send, status: str) -> str:
        await self._note(send, "refused", status=status)
        if _is_services(send) and status == "login":
            await self._incidents.open(SENDER_INCIDENT, texts.INCIDENT_SENDER)
        return "refused"

    async def _note(self, send: Send, state: str, *, status: str = "", next_at: datetime | None = None) -> str:
        """Keep what became of a mail, however long the database is away: nobody else knows, and its thread waits.

        The state that it is in then.
        """
        kept = await patiently(
            lambda: self._outbox.move(send, state, status=status, next_at=next_at), for_s=math.inf, most_s=_LOOK_S
        )
        self._changed()
        return kept


def _is_services(send: Send) -> bool:
    """True for what leaves from the services' own mailbox. Receipts of a shared one are nobody's either."""
    return send.owner is None and send.caller != RECEIPTS


def stuck_since(oldest: datetime | None, now: datetime) -> bool:
    """True when mail that could leave has waited for more than two minutes: for health."""
    return oldest is not None and now - oldest > timedelta(minutes=2)
