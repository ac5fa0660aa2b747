"""Messages become drafts: one joins a draft that waits for the same ends, begins one, or its writer is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from colloque.clock import Clock
from colloque.errors import Refused
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import Incoming
from colloque_mssante.leaving.composing import Composer
from colloque_mssante.leaving.whereto import WhereTo
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping import showing
from colloque_mssante.mapping.drafts import Draft, Line
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.mapping.targets import Target
from colloque_mssante.texts import writing as texts_writing


@dataclass(frozen=True, slots=True)
class By:
    """Who does something, in which room; `event` names the draft that it begins, if it begins one."""

    event: EventId
    room: RoomId
    user: UserId

    @classmethod
    def of(cls, said: Incoming) -> Self:
        """Whoever says that."""
        return cls(said.event, said.room, said.sender)


class Gathering:
    """One instance a process. `hold`: how long messages are gathered. Refusals (Refused) bear words for the writer."""

    def __init__(self, *, composer: Composer, where_to: WhereTo, drafts: Drafts, clock: Clock, hold: timedelta) -> None:
        self._composer = composer
        self._where_to = where_to
        self._drafts = drafts
        self._clock = clock
        self.hold = hold

    async def to_target(self, by: By, target: Target, line: Line) -> None:
        """A message whose way is known: with the draft that waits for the same ends, else in one of its own."""
        self._composer.check(by.user, target)
        for draft in await self._drafts.live(by.room, by.user):
            if draft.state == states.WAITING and draft.target is not None and draft.target.goes_with(target):
                await self.add(draft, line)
                return
        self._composer.check_size(target, [line])
        await self.begin(by, line, states.WAITING, target=target)

    async def ask(self, by: By, line: Line, *, loose: bool) -> None:
        """A message that names nothing: its writer is asked. `loose`: others that name nothing are meant for it too."""
        options = await self._where_to.options(by.room, by.user, await self._drafts.live(by.room, by.user))
        if not options:
            raise Refused("no_address", texts_writing.NO_ADDRESS)
        self._composer.check_size(None, [line])
        await self._drafts.begin(replace(self.draft(by, states.ASKING, None), options=options, loose=loose), line)

    async def add(self, draft: Draft, line: Line) -> None:
        """One more message of a draft: it waits a little longer then."""
        self._composer.check_size(draft.target, [*await self._drafts.lines(draft.id), line])
        state, until = draft.state, self._clock.now() + showing.PATIENCE
        if draft.state == states.OPEN:
            state = states.CONFIRMING if draft.target and draft.target.everyone else states.WAITING
        if state == states.WAITING:
            until = self._clock.now() + self.hold
        await self._drafts.add(draft, line, state=state, next_at=until)

    async def begin(self, by: By, line: Line, state: str, *, target: Target) -> None:
        """A draft of its own."""
        await self._drafts.begin(self.draft(by, state, target), line)

    def draft(self, by: By, state: str, target: Target | None) -> Draft:
        """One without a word yet."""
        wait = self.hold if state == states.WAITING else showing.PATIENCE
        return Draft(by.event, by.room, by.user, state, target, next_at=self._clock.now() + wait)
