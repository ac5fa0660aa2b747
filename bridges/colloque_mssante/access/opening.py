"""Mailboxes that open by their holders' word: told when they close, asked on their phone, told what had come.

What the home room shows follows the stored state, so a crash anywhere is repaired by the next pass. Nothing here is
done in a person's name: no account of theirs is used, and being asked is no use of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time

from colloque import logs
from colloque.book import AttestationBook
from colloque.clock import Clock, monotonic
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused, NotFound, Refused, Temporary
from colloque.identity import EventId, MssanteAddress, Rpps, UserId, digest
from colloque.matrix.home import Home, edit, reaction, text
from colloque.psc.claims import No
from colloque.rooms.mark import home_key
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.rooms import Rooms
from colloque_mssante.access.authors import personal
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.access.sessions import AWAY_S, LOOK_S, Asked, OnApproval, Sessions
from colloque_mssante.rules.opening_rules import Why, is_hour, may_ask
from colloque_mssante.store.choices import OFF, Choices
from colloque_mssante.store.opening import Opening, Openings, Stage
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.texts import opening as texts

INCIDENT = "mssante.keeper"
_PEOPLE_S = 30.0
"""Between two questions to the directory for the same people."""
_AGAIN_S = 60.0
"""Before a question that could not be asked is tried again, unless they bid it."""
_UNSETTLED = {"starting", "closed", "waiting", "refused", "tampered", None}
"""States of a mailbox in which nobody knows yet how much has come."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody with such mailboxes."""

    user: UserId
    rpps: Rpps
    addresses: tuple[MssanteAddress, ...]

    @property
    def shown(self) -> list[str]:
        """As people read them."""
        return [address.value for address in self.addresses]


class Opener:
    """One instance a process.

    `states`: how the reading of each mailbox goes, as noted since then; `opened`: called when deferred mail may leave.
    """

    def __init__(
        self,
        *,
        sessions: Sessions,
        openings: Openings,
        credentials: Credentials,
        book: AttestationBook,
        directory: Directory,
        choices: Choices,
        outbox: Outbox,
        home: Home,
        rooms: Rooms,
        incidents: Incidents,
        journal: Journal,
        clock: Clock,
        states: Callable[[datetime | None], Awaitable[Mapping[MssanteAddress, str]]],
        opened: Callable[[], None],
    ) -> None:
        self._sessions = sessions
        self._openings = openings
        self._credentials = credentials
        self._book = book
        self._directory = directory
        self._choices = choices
        self._outbox = outbox
        self._home = home
        self._rooms = rooms
        self._incidents = incidents
        self._journal = journal
        self._clock = clock
        self._states = states
        self._opened = opened
        self._lock = asyncio.Lock()
        self._rows: dict[UserId, Opening] = {}
        self._holders: dict[UserId, Holder] = {}
        self._seen: tuple[int, int] = (-1, -1)
        self._seen_at = 0.0
        self._rest_until: dict[UserId, float] = {}
        self._trouble_since: float | None = None
        self._reported = True  # as a process before this one may have left it

    async def load(self) -> None:
        """At start."""
        self._rows = {one.owner: one for one in await self._openings.all()}
        await self._sessions.update()

    async def run(self) -> None:
        """Follow the keeper, for ever."""
        while True:
            await self.once()
            await asyncio.sleep(LOOK_S)

    async def once(self) -> None:
        """One pass over everybody. Raises Temporary: the rest comes at the next."""
        await self._sessions.update()
        await self._report()
        if not self._sessions.known or not self._look():
            return
        await self._sessions.keep_only({holder.rpps for holder in self._holders.values()})
        for holder in tuple(self._holders.values()):
            try:
                async with self._lock:
                    await self._follow(holder)
                    await self._show(holder)
            except Temporary:
                raise
            except Exception:
                logger.exception("opening.failed")  # one person's; the others go on

    async def _report(self) -> None:
        """Trouble that lasts is for the admin room."""
        if not self._sessions.problem:
            self._trouble_since = None
            if self._reported:
                await self._incidents.close(INCIDENT)
                self._reported = False
            return
        self._trouble_since = self._trouble_since or monotonic()
        if monotonic() - self._trouble_since > AWAY_S:
            await self._incidents.open(INCIDENT, texts.TROUBLE)
            self._reported = True

    def holder(self, user: UserId) -> Holder | None:
        """Somebody's mailboxes that open so, those apart that they disconnected; None when they have none."""
        return self._holders.get(user) if self._look() else None

    def of(self, user: UserId) -> Opening:
        """What somebody was told and asked."""
        return self._rows.get(user) or Opening(user)

    def is_open(self, holder: Holder) -> bool:
        """Whether their session lasts."""
        return bool(self._sessions.of(holder.rpps))

    async def ask(self, holder: Holder, why: Why) -> Opening:
        """Have their phone ask, unless it does already; what they are told then.

        Raises Refused (`too_often`), Temporary.
        """
        async with self._lock:
            return await self._ask(holder, why)

    async def choose(self, user: UserId, hours: tuple[time, ...]) -> None:
        """Keep the hours at which somebody wants to be asked."""
        async with self._lock:
            await self._put(replace(self.of(user), hours=hours))

    def _look(self) -> bool:
        """Who has such mailboxes now; False while the directory can't say."""
        now = (self._book.edition, self._choices.version)
        if now == self._seen and monotonic() - self._seen_at < _PEOPLE_S:
            return True
        found: dict[UserId, Holder] = {}
        try:
            for attestation, boxes in personal(self._book, self._directory, self._clock.now()):
                mine = tuple(box.address for box in boxes if self._is_his(box.address, attestation.user))
                if mine:
                    found[attestation.user] = Holder(attestation.user, attestation.rpps, mine)
        except NotFound:
            return False
        self._holders, self._seen, self._seen_at = found, now, monotonic()
        return True

    def _is_his(self, box: MssanteAddress, user: UserId) -> bool:
        auth = self._credentials.of(box, user)
        return isinstance(auth, OnApproval) and self._choices.closed(box, user) != OFF

    # following

    async def _follow(self, holder: Holder) -> None:
        one, now = self.of(holder.user), self._clock.now()
        asked = self._sessions.question(holder.rpps)
        if self._sessions.of(holder.rpps):
            if one.stage not in {Stage.OPEN, Stage.DONE}:
                for address in holder.addresses:
                    await self._outbox.hurry(address)
                self._opened()
                self._journal.note("mailbox.opened", actor=holder.user)
                await self._change(one, stage=Stage.OPEN, opened_at=now, asked=())
            elif one.stage is Stage.OPEN:
                await self._count(one, holder)
            return
        if not one.is_closed:
            since = None if one.stage is Stage.NEW else now
            one = await self._change(one, stage=Stage.CLOSED, closed_at=since, question="", reason="", notice=None)
        if asked is not None and not asked.reason and asked.id != one.question:
            # The keeper was asked, and a crash came before that was written down.
            one = await self._asking(one, asked)
        elif one.stage is Stage.ASKING and (asked is None or asked.id != one.question or asked.reason):
            reason = asked.reason if asked is not None and asked.id == one.question else No.GONE.value
            self._journal.note("mailbox.not_opened", actor=holder.user, reason=reason)
            one = await self._change(one, stage=Stage.REFUSED, reason=reason)
        last = (*one.asked, one.opened_at) if one.opened_at is not None else one.asked
        if one.stage is not Stage.ASKING and self._read(holder) and is_hour(one.hours, last, now):
            try:
                await self._ask(holder, Why.HOUR)
            except (Refused, Temporary) as error:
                logs.event(logger, "mailbox.not_asked", level=logging.DEBUG, code=error.code)

    def _read(self, holder: Holder) -> list[MssanteAddress]:
        """Those that they did not pause."""
        return [box for box in holder.addresses if not self._choices.closed(box, holder.user)]

    async def _count(self, one: Opening, holder: Holder) -> None:
        read = self._read(holder)
        states = await self._states(one.closed_at)  # "ok" of before it closed says nothing
        if any(states.get(box) in _UNSETTLED for box in read) or await self._openings.arriving(read):
            return
        # Since it closed: what a connection of before fetched a moment later was shown since then, too.
        since = one.closed_at or one.opened_at
        assert since is not None
        mails = await self._openings.mails_since(holder.user, read, since)
        await self._change(one, stage=Stage.DONE, mails=mails)

    async def _ask(self, holder: Holder, why: Why) -> Opening:
        one, now = self.of(holder.user), self._clock.now()
        if one.stage is Stage.ASKING or not one.is_closed:
            return one
        resting = why is not Why.BID and monotonic() < self._rest_until.get(holder.user, 0.0)
        if resting or not may_ask(one.asked, why, now):
            raise Refused("too_often")
        self._journal.note("mailbox.asked", actor=holder.user, reason=why.value)
        try:
            asked = await self._sessions.ask(holder.rpps)
        except Temporary:
            self._rest_until[holder.user] = monotonic() + _AGAIN_S
            raise
        except Refused as no:
            return await self._change(one, stage=Stage.REFUSED, reason=no.reason, asked=(*one.asked, now))
        return await self._asking(one, asked)

    async def _asking(self, one: Opening, asked: Asked) -> Opening:
        when = (*one.asked, self._clock.now())
        said = {"question": asked.id, "binding": asked.binding, "until": asked.until}
        return await self._change(one, stage=Stage.ASKING, asked=when, **said)

    async def _change(self, one: Opening, **changes: object) -> Opening:
        changed: Opening = replace(one, version=one.version + 1, **changes)  # type: ignore[arg-type]
        await self._put(changed)
        return changed

    async def _put(self, one: Opening) -> None:
        await self._openings.put(one)
        self._rows[one.owner] = one

    # showing

    async def _show(self, holder: Holder) -> None:
        """Bring the message in their home room up to date."""
        one = self.of(holder.user)
        room = await self._rooms.get(home_key(holder.user)) if one.told != one.version else None
        if room is None:
            return
        content = text(texts.notice(one, holder.shown), notice=True)
        txn = digest(f"opening {holder.user} {one.version}")
        event: EventId | None = one.notice
        try:
            if event is None:
                event = await self._home.send(room.room, content, txn=txn)
            else:
                await self._home.send(room.room, edit(event, content), txn=txn)
            if one.is_closed and one.notice is None:
                sign = reaction(event, texts.OPEN_SIGN)
                await self._home.send(room.room, sign, txn=digest(f"sign {txn}"), type_="m.reaction")
        except HomeRefused as error:
            logs.event(logger, "opening.not_told", level=logging.WARNING, code=error.errcode)
        await self._put(replace(one, notice=event, told=one.version))
