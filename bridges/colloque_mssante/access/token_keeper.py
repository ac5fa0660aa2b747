"""People's Pro Santé Connect sessions: asked for on their phones, renewed, shown, ended. In memory alone."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from colloque import logs
from colloque.calls import JsonDict
from colloque.clock import Clock, to_millis
from colloque.errors import BadInput, ColloqueError, Refused, Temporary
from colloque.identity import Rpps
from colloque.psc.authorize import Pending
from colloque.psc.claims import No
from colloque.psc.http_provider import Provider
from colloque.psc.tokens import Tokens

KEEPER = "keeper"
"""Its socket's name."""
LOOK_S = 0.5
"""Between two calls of `once`; each question has its own interval besides."""
LATE = timedelta(minutes=2)
"""How long after its end a question is still polled while Pro Santé Connect is away: an approval may wait there."""
REMEMBER = timedelta(hours=1)
"""How long what became of a question that opened nothing is told to whoever asks."""
_AGAIN = timedelta(seconds=5)
"""After a renewal, or a poll, that met trouble."""
_AT_ONCE = 8
CLOSED = "psc_session_closed"

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Question:
    """One on somebody's phone."""

    pending: Pending
    binding: str
    next_at: datetime
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    reason: str = ""
    """Why it opened nothing; empty while nobody answered."""


@dataclass(slots=True)
class _Session:
    """One that is open."""

    rpps: Rpps
    tokens: Tokens
    next_at: datetime
    """When it is renewed."""
    sure: bool = True
    """False while nobody was asked whose the newest tokens are: they are not shown."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


class TokenKeeper:
    """One instance a process, one process a house. Its public methods (`once` apart) are the verbs of its socket."""

    def __init__(self, provider: Provider, clock: Clock, *, test: bool = False) -> None:
        self._provider = provider
        self._clock = clock
        self._test = test
        self._questions: dict[Rpps, _Question] = {}
        self._sessions: dict[Rpps, _Session] = {}
        self._asking = asyncio.Lock()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._works: set[asyncio.Future[None]] = set()
        self._problem = ""

    async def ask(self, rpps: str) -> JsonDict:
        """Put the question on the professional's phone; the one that is there already is told again.

        `{"id", "binding", "until"}`. Raises Refused (`psc.claims.No`, or `psc_session_open`), Temporary.
        """
        who = self._rpps(rpps)
        async with self._asking:
            if who in self._sessions:
                raise Refused("psc_session_open")
            found = self._questions.get(who)
            if found is None or found.reason:
                binding = f"{secrets.randbelow(100):02d}"
                try:
                    pending = await self._provider.start(who, binding)
                except Refused:
                    raise
                except ColloqueError as error:
                    self._meet(error)
                    raise
                wait = timedelta(seconds=pending.interval_s)
                found = self._questions[who] = _Question(pending, binding, self._clock.now() + wait)
                self._problem = ""
        return _told(found)

    async def state(self) -> JsonDict:
        """`{"sessions": {rpps: id}, "questions": {rpps: {"id", "binding", "until", "reason"}}, "problem"}`."""
        return {
            "sessions": {rpps.value: session.id for rpps, session in self._sessions.items()},
            "questions": {rpps.value: _told(each) for rpps, each in self._questions.items()},
            "problem": self._problem,
        }

    async def token(self, rpps: str, refused: str = "") -> JsonDict:
        """`{"token"}`, to be shown to a mail server now and forgotten.

        `refused`: digest of one that a server did not take: another is got then, or the session ends.
        Raises Refused (`psc_session_closed`), Temporary.
        """
        session = self._sessions.get(self._rpps(rpps))
        if session is None:
            raise Refused(CLOSED)
        if refused and refused == digest_of(session.tokens.access):
            await self._to_its_end(self._renew(session, session.tokens))
        if session.rpps not in self._sessions:
            raise Refused(CLOSED)
        if not session.sure or session.tokens.until <= self._clock.now():
            raise Temporary("the session can't be renewed now")
        return {"token": session.tokens.access}

    async def drop(self, rpps: str) -> JsonDict:
        """Let go of somebody's session, and of what their phone was asked. Repeatable."""
        who = self._rpps(rpps)
        self._questions.pop(who, None)
        if self._sessions.pop(who, None) is not None:
            logs.event(logger, "session.dropped")
        return {}

    async def once(self) -> None:
        """Do what is due: poll, renew, end. What one person's session meets delays no other's."""
        now = self._clock.now()
        work = [
            self._poll(who, each) for who, each in self._questions.items() if not each.reason and each.next_at <= now
        ]
        work += [self._due(each) for each in self._sessions.values() if each.next_at <= now]
        for who, each in tuple(self._questions.items()):
            if each.reason and now > each.pending.expires_at + REMEMBER:
                del self._questions[who]
        await asyncio.gather(*map(self._guarded, work))

    async def _guarded(self, work: Awaitable[None]) -> None:
        async with self._slots:
            try:
                await work
            except Exception:
                logger.exception("keeper.failed")

    async def _poll(self, who: Rpps, question: _Question) -> None:
        now = self._clock.now()
        try:
            told = await self._provider.poll_tokens(question.pending)
        except Refused as no:
            question.reason = no.reason
        except Temporary as error:
            self._meet(error)
            question.next_at = now + _AGAIN
            if now > question.pending.expires_at + LATE:
                question.reason = No.EXPIRED.value
        except ColloqueError as error:
            self._meet(error)
            question.reason = No.FAILED.value
        else:
            self._problem = ""
            if isinstance(told, Pending):
                question.pending, question.next_at = told, self._clock.now() + timedelta(seconds=told.interval_s)
                return
            # Dropped meanwhile: nobody wants it any more.
            if self._questions.get(who) is question:
                del self._questions[who]
                self._sessions[who] = _Session(who, told, told.renew_at)
                logs.event(logger, "session.opened")
        if question.reason:
            logs.event(logger, "session.not_opened", reason=question.reason)

    async def _due(self, session: _Session) -> None:
        await self._to_its_end(self._renew(session, session.tokens))

    async def _to_its_end(self, work: Awaitable[None]) -> None:
        """Renewed tokens are told once: whoever waits for them may give up, the renewal goes on."""
        future = asyncio.ensure_future(work)
        self._works.add(future)
        future.add_done_callback(self._works.discard)
        await asyncio.shield(future)

    async def _renew(self, session: _Session, old: Tokens) -> None:
        async with session.lock:
            now = self._clock.now()
            try:
                if session.tokens is old and (session.sure or old.until <= now):
                    if not old.renewable(now):
                        self._end_at_its_time(session, old)
                        return
                    session.tokens, session.sure = await self._provider.renew(old), False
                if not session.sure:
                    if await self._provider.owner(session.tokens) != session.rpps:
                        raise Refused(No.OTHER_PERSON)
                    session.sure = True
                session.next_at = session.tokens.renew_at
                self._problem = ""
            except Refused as no:
                self._end(session, no.reason)
            except ColloqueError as error:
                self._meet(error)
                session.next_at = now + _AGAIN
                if not old.renewable(now) and session.tokens.until <= now:
                    self._end(session, "not_renewed")

    def _end_at_its_time(self, session: _Session, tokens: Tokens) -> None:
        """Without others to come, these serve to their end; at once over where a server refused them."""
        now = self._clock.now()
        if now < tokens.until and session.next_at <= now:
            session.next_at = tokens.until
        else:
            self._end(session, "over")

    def _end(self, session: _Session, reason: str) -> None:
        if self._sessions.get(session.rpps) is session:
            del self._sessions[session.rpps]
            logs.event(logger, "session.ended", reason=reason)

    def _meet(self, error: ColloqueError) -> None:
        self._problem = error.code
        logs.event(logger, "keeper.trouble", level=logging.WARNING, code=error.code)

    def _rpps(self, value: object) -> Rpps:
        if not isinstance(value, str):
            raise BadInput("no number")
        return Rpps.parse(value, test=self._test)


def digest_of(token: str) -> str:
    """Tells one token from another; tells nothing of it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _told(question: _Question) -> JsonDict:
    until = to_millis(question.pending.expires_at)
    return {"id": question.id, "binding": question.binding, "until": until, "reason": question.reason}
