"""Drafts at work: what the bot shows of each, and their leaving when their time comes.

What the room shows follows the stored state, so a crash anywhere is repaired by the next pass.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from mautrix.util.async_db import Database

from colloque import logs
from colloque.clock import Clock
from colloque.errors import HomeRefused, NotFound, Refused, Temporary
from colloque.identity import EventId, RoomId, digest
from colloque.matrix.home import Home, edit, reaction, text
from colloque.store.schema import transaction
from colloque.taps import NUMBERS
from colloque_mssante.access.authors import Authors
from colloque_mssante.leaving.caught_up import CaughtUp
from colloque_mssante.leaving.composing import GONE_FROM_DIRECTORY, Composer
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping import showing
from colloque_mssante.mapping.drafts import Draft, Line, RoomLocks
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.mapping.targets import Target
from colloque_mssante.mapping.threads import Threads
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.rules.bell import Bell, wait_for
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts.writing import EXPIRED

_LOOK_S = 5.0
_PAUSE_S = 0.1
_TRIES = 3
_DAYS_TRIES = 295
"""So many take a day, by the pauses below."""
_BACK_OFF = (timedelta(seconds=2), timedelta(minutes=5))

logger = logging.getLogger(__name__)


class Leaving:
    """One instance a process. `sent` is called when a mail stands in the outbox."""

    def __init__(
        self,
        *,
        db: Database,
        home: Home,
        drafts: Drafts,
        threads: Threads,
        outbox: Outbox,
        composer: Composer,
        authors: Authors,
        conversations: Conversations,
        clock: Clock,
        locks: RoomLocks,
        has_heard: Callable[[RoomId, float], bool],
        hold: timedelta,
        sent: Callable[[], None],
    ) -> None:
        self._db = db
        self._home = home
        self._drafts = drafts
        self._threads = threads
        self._outbox = outbox
        self._composer = composer
        self._authors = authors
        self._conversations = conversations
        self._clock = clock
        self._locks = locks
        self._caught_up = CaughtUp(has_heard)
        self._hold = hold
        self._sent = sent
        self._news = Bell()

    def wake(self) -> None:
        """Something changed in a draft."""
        self._news.ring()

    async def run(self) -> None:
        """Show and send what is due, for ever."""
        while True:
            self._news.hush()
            await self.once()
            await self._sleep()

    async def once(self) -> None:
        """One pass. What fails is tried again at the next. Shown first: nothing leaves that its writer did not see."""
        await self._tell()
        due = {draft.id: draft for draft in await self._drafts.due()}
        heard = self._caught_up.of({key: draft.room for key, draft in due.items()}) if self._hold else list(due)
        for key in heard:
            await self._guarded(due[key], self._due)
        if heard:
            await self._tell()

    async def _tell(self) -> None:
        for draft in await self._drafts.untold():
            await self._guarded(draft, self._show)

    async def show(self, room: RoomId) -> None:
        """Show what is not shown yet in that room, whose lock the caller holds. Raises Temporary, HomeRefused.

        Whoever taps on a message of the bot's whose sending a crash cut off is understood all the same.
        """
        for draft in await self._drafts.untold():
            if draft.room == room:
                await self._show(draft)

    async def _guarded(self, found: Draft, work: Callable[[Draft], Awaitable[None]]) -> None:
        try:
            # Whoever taps on the bot's message at once is heard when it is known what that message is about.
            async with self._locks[found.room]:
                draft = await self._drafts.get(found.id)
                if draft is not None and draft.version == found.version:
                    await work(draft)
        except Temporary as error:
            logs.event(logger, "draft.deferred", code=error.code)
        except HomeRefused as error:
            # The room is gone, or we are no longer in it: nobody is left to be told, and nothing leaves unseen.
            logs.event(logger, "draft.refused", level=logging.WARNING, code=error.errcode)
            await self._drafts.end(found, states.STOPPED)
            await self._drafts.settled(found)
        except Exception:
            logger.exception("draft.failed")
            await self._failed(found)

    async def _failed(self, draft: Draft) -> None:
        """Something broke on our side: tried again a few times, then its writer is told, and others go on."""
        if draft.tries < _TRIES:
            await self._drafts.defer(draft, self._clock.now() + _BACK_OFF[0] * 2**draft.tries)
            return
        lines = await self._drafts.lines(draft.id)
        if lines and draft.state in states.LIVE:
            with contextlib.suppress(Temporary, HomeRefused):
                await self._say(draft, lines[-1].event, texts.FAILED, "failed")
        await self._drafts.end(draft, states.STOPPED)
        await self._drafts.settled(draft)

    async def _sleep(self) -> None:
        next_at, now = await self._drafts.next_time(), self._clock.now()
        await self._news.heard(wait_for(next_at, now, least_s=_PAUSE_S, most_s=_LOOK_S))

    # leaving

    async def _due(self, draft: Draft) -> None:
        lines = await self._drafts.lines(draft.id)
        if draft.state == states.WAITING:
            if draft.notice is None and self._hold:
                return  # it could not be shown yet
            try:
                await self._leave(draft, lines)
            except Refused as refusal:
                await self._stop(draft, lines, refusal)
            except (Temporary, NotFound) as error:  # NotFound: the directory was not imported yet
                await self._put_off(draft, lines)
                raise Temporary("the mail can't be made now") from error
            return
        if lines and not (draft.target and draft.target.replaces):
            await self._say(draft, lines[-1].event, EXPIRED, "expired")
        await self._drafts.end(draft, states.CANCELLED)

    async def _put_off(self, draft: Draft, lines: list[Line]) -> None:
        """It can't be made now (an antivirus, a store that is away): its writer reads so, and that it ended."""
        if draft.tries >= _DAYS_TRIES:
            await self._say(draft, lines[-1].event, texts.FAILED, "failed")
            await self._drafts.end(draft, states.STOPPED)
            return
        if draft.tries == _TRIES:
            await self._say(draft, lines[-1].event, texts.PUT_OFF, "put off")
        pause = min(_BACK_OFF[0] * 2 ** min(draft.tries, 10), _BACK_OFF[1])
        await self._drafts.defer(draft, self._clock.now() + pause)

    async def _leave(self, draft: Draft, lines: list[Line]) -> None:
        send = await self._composer.compose(draft, lines)
        target = Target.load(send.target)
        assert target is not None
        async with transaction(self._db):
            thread = await self._threads.begin(send.thread, draft.room, target.subject)
            await self._outbox.put(send)
            await self._threads.note(thread, send.message_id, (), lines[0].event)
            await self._drafts.end(draft, states.GONE)
        self._sent()

    async def _stop(self, draft: Draft, lines: list[Line], refusal: Refused) -> None:
        logs.event(logger, "draft.stopped", reason=refusal.reason)
        assert draft.target is not None
        others = await self._others(draft) if refusal.reason == GONE_FROM_DIRECTORY else []
        if others:
            now = self._clock.now()
            await self._drafts.change(draft, state=states.ASKING, options=others, next_at=now + showing.PATIENCE)
            return
        await self._say(draft, lines[-1].event, str(refusal), "stopped")
        await self._drafts.end(draft, states.STOPPED)

    async def _others(self, draft: Draft) -> list[states.Option]:
        """Other addresses of the same correspondent, from the same mailbox, in the same thread."""
        assert draft.target is not None
        conversation = await self._conversations.of(draft.room, draft.owner)
        found = self._conversations.addresses(conversation) if conversation is not None else ()
        return [showing.readdressed(draft.target, party) for party in found[: len(NUMBERS)]]

    async def _say(self, draft: Draft, event: EventId, words: str, use: str) -> None:
        await self._home.send(draft.room, text(words, reply_to=event), txn=digest(f"{draft.id} {use}"))

    # showing

    async def _show(self, draft: Draft) -> None:
        """Bring the bot's message about a draft up to date."""
        lines = await self._drafts.lines(draft.id)
        thread = await self._threads.get(draft.target.thread) if draft.target and draft.target.thread else None
        ended = draft.state not in states.LIVE
        silent = draft.state == states.WAITING and not self._hold
        if draft.notice is None and (ended or silent):
            await self._drafts.told(draft, None)
            return
        if draft.notice is None and draft.state == states.WAITING and draft.next_at <= self._clock.now():
            # It could not be shown before: its writer has as long as ever to take it back.
            await self._drafts.change(draft, next_at=self._clock.now() + self._hold)
            draft = await self._drafts.get(draft.id) or draft
        words = showing.notice(draft, lines, thread, self._writer_name(draft))
        txn = digest(f"{draft.id} notice {draft.version}")
        if draft.notice is None:
            asked = lines[-1].event if lines and draft.state == states.ASKING else None
            notice = await self._home.send(draft.room, text(words, notice=True, reply_to=asked), txn=txn)
        else:
            notice = draft.notice
            await self._home.send(draft.room, edit(notice, text(words, notice=True)), txn=txn)
        await self._place_signs(draft, notice)
        await self._drafts.told(draft, notice)

    def _writer_name(self, draft: Draft) -> str:
        try:
            return self._authors.name(draft.owner)
        except (Refused, NotFound):
            return ""

    async def _place_signs(self, draft: Draft, notice: EventId) -> None:
        """The reactions that the writer only has to tap."""
        for sign in showing.signs(draft):
            txn = digest(f"{draft.id} {notice} {sign}")
            try:
                await self._home.send(draft.room, reaction(notice, sign), txn=txn, type_="m.reaction")
            except HomeRefused as error:
                if error.errcode != "M_DUPLICATE_ANNOTATION":
                    raise
