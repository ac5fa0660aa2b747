"""The outbox at work: hands mails to the operator, one mailbox's in their order, and shows what became of each.

One task a sending mailbox: a slow one holds nobody else. What the room shows follows the stored state, so a crash
anywhere is repaired by the next pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable
from datetime import datetime, timedelta

from colloque import logs
from colloque.clock import Clock
from colloque.config import MailServerConfig
from colloque.errors import (
    BadInput,
    ColloqueError,
    HomeRefused,
    LoginRefused,
    MailInDoubt,
    MailRefused,
    Tampered,
    Temporary,
)
from colloque.identity import EventId, MssanteAddress, digest
from colloque.mail.access import Auth
from colloque.mail.smtp import NOTIFY_ALL, submit
from colloque.matrix.home import Home, reaction, text
from colloque.patience import patiently
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_mssante import texts
from colloque_mssante.budget import Budget
from colloque_mssante.credentials import Credentials
from colloque_mssante.outbox import Outbox
from colloque_mssante.sends import CODES, RECEIPTS, Send
from colloque_mssante.sessions import MailboxClosed

DOUBT = timedelta(minutes=15)
"""How long a report may take to settle a doubt before the writer is asked."""
GIVE_UP = timedelta(hours=48)
"""After that long, a mail that is still deferred counts as refused (`4.4.7`, RFC 3463: delivery time expired)."""
_BACK_OFF_S = (2.0, 3600.0)
_TLS_WAIT_S = 300.0
_SMTP_S = 60.0
_LOOK_S = 5.0
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
        server: MailServerConfig,
        home: Home,
        outbox: Outbox,
        budget: Budget,
        credentials: Credentials,
        incidents: Incidents,
        journal: Journal,
        keys: RoomKeys,
        clock: Clock,
    ) -> None:
        self._server = server
        self._home = home
        self._outbox = outbox
        self._budget = budget
        self._credentials = credentials
        self._incidents = incidents
        self._journal = journal
        self._keys = keys
        self._clock = clock
        self._news = asyncio.Event()
        self._tasks: dict[MssanteAddress, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Something new stands in the outbox, or a state changed."""
        self._news.set()

    async def settle(self) -> None:
        """At start: a mail whose text was leaving is in doubt (a code may be sent twice: it is simply sent again)."""
        for send in await self._outbox.interrupted():
            await self._doubt(send)
        for intent in self._journal.open_intents():
            if intent.kind == "mail.send":
                found = await self._outbox.of_ref(intent.ref)
                self._journal.end(intent.act, found.state if found is not None else "not_done")

    async def run(self) -> None:
        """Send what is due and show what became of it, for ever."""
        try:
            while True:
                self._news.clear()
                for send in await self._outbox.due():
                    if send.sender not in self._tasks:
                        task = asyncio.create_task(self._drain(send.sender))
                        self._tasks[send.sender] = task
                        task.add_done_callback(self._done(send.sender))
                await self._tell_all()
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
            self._news.set()

        return forget

    async def _sleep(self) -> None:
        """Until there is news, or the next time comes; a look every few seconds costs little and forgives all."""
        next_time = await self._outbox.next_time()
        left = _LOOK_S if next_time is None else (next_time - self._clock.now()).total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(min(left, _LOOK_S), _PAUSE_S)):
                await self._news.wait()

    async def _drain(self, sender: MssanteAddress) -> None:
        for send in await self._outbox.due():
            if send.sender == sender:
                await self.attempt(send)

    async def attempt(self, send: Send) -> None:
        """Try to hand over one mail, and keep what became of it."""
        room = await self._keys.token(send.room, send.room) if send.room else ""
        act = self._journal.begin("mail.send", actor=send.owner or "system", room=room, ref=send.ref)
        outcome = await self._submitted(send)
        self._journal.end(act, outcome)
        logs.event(logger, "mail.sent", outcome=outcome)
        self._news.set()

    async def _submitted(self, send: Send) -> str:
        """The state that the mail is in after the attempt."""
        raw = send.raw
        if raw is None:
            return await self._refuse(send, "login")

        async def before_data() -> None:
            await self._outbox.move(send.key, "data")

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
            credential = self._credentials.of(send.sender, send.owner)
            if credential is None:
                return await self._refuse(send, "login")
            async with self._budget.sending():
                await self._credentials.login(credential, handed_over)
        except ColloqueError as error:
            return await self._failed(send, error)
        await self._note(send, "sent")
        await self._incidents.close(TLS_INCIDENT)
        if _is_services(send):
            await self._incidents.close(SENDER_INCIDENT)
        return "sent"

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
            case Tampered():
                await self._incidents.open(TLS_INCIDENT, texts.INCIDENT_TLS)
                return await self._defer(send, _TLS_WAIT_S)
            case MailboxClosed():
                return await self._defer(send, None, late="closed")
            case Temporary():
                return await self._defer(send, error.retry_after_s)
        raise error

    async def _doubt(self, send: Send) -> str:
        if send.caller == CODES:
            return await self._defer(send, None)
        await self._note(send, "doubtful", next_at=self._clock.now() + DOUBT)
        return "doubtful"

    async def _defer(self, send: Send, asked_s: float | None, *, late: str = "4.4.7") -> str:
        now = self._clock.now()
        if now - send.made_at > GIVE_UP:
            return await self._refuse(send, late)
        pause = max(min(_BACK_OFF_S[0] * 2**send.tries, _BACK_OFF_S[1]), asked_s or 0.0)
        await self._note(send, "deferred", next_at=now + timedelta(seconds=pause))
        return "deferred"

    async def _refuse(self, send: Send, status: str) -> str:
        await self._note(send, "refused", status=status)
        if _is_services(send) and status == "login":
            await self._incidents.open(SENDER_INCIDENT, texts.INCIDENT_SENDER)
        return "refused"

    async def _note(self, send: Send, state: str, *, status: str = "", next_at: datetime | None = None) -> None:
        """Keep what became of a mail, however long the database is away: nobody else knows, and its thread waits."""
        await patiently(
            lambda: self._outbox.move(send.key, state, status=status, next_at=next_at), for_s=math.inf, most_s=_LOOK_S
        )

    async def _tell_all(self) -> None:
        """Show each writer the state of their mail: a sign on their message, or words under it."""
        for send in (*await self._outbox.to_tell(), *await self._outbox.held()):
            try:
                await self._tell(send)
            except Temporary as error:
                logs.event(logger, "state.deferred", code=error.code)
                return
            except HomeRefused as error:
                # The room is gone: nobody is left to be told.
                logs.event(logger, "state.refused", code=error.errcode)
                await self._outbox.told(send.key, send.state, EventId(""))

    async def _tell(self, send: Send) -> None:
        assert send.room is not None
        assert send.event is not None
        txn = digest(f"{send.key} {send.state} {send.status} {send.tries}")
        sign = _SIGNS.get(send.state)
        if sign is not None:
            by = await self._home.send(send.room, reaction(send.event, sign), txn=txn, type_="m.reaction")
        else:
            by = await self._home.send(send.room, text(_words(send), reply_to=send.event), txn=txn)
        await self._outbox.told(send.key, send.state, by)


_SIGNS = {
    "queued": texts.DEFERRED,
    "sent": texts.SENT,
    "delivered": texts.DELIVERED,
    "read": texts.READ,
    "deferred": texts.DEFERRED,
}


def _is_services(send: Send) -> bool:
    """True for what leaves from the services' own mailbox. Receipts of a shared one are nobody's either."""
    return send.owner is None and send.caller != RECEIPTS


def _words(send: Send) -> str:
    match send.state, send.status:
        case "doubtful", _:
            return texts.doubtful()
        case "failed", status:
            return texts.failed(status)
        case _, "login":
            return texts.login_refused()
        case _, status:
            return texts.refused(status)


def stuck_since(oldest: datetime | None, now: datetime) -> bool:
    """True when mail that could leave has waited for more than two minutes: for health."""
    return oldest is not None and now - oldest > timedelta(minutes=2)
