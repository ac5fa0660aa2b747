"""Nobody stays once their access has ended: a job for each person, whose steps can all be repeated.

First of all the attestation ends and is published: from then on the homeserver's module refuses every act, here and,
through the push between servers, elsewhere. Then the account is locked, its sessions end, it is taken out of patient
rooms, and those who must know are told. Whatever a crash interrupts goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from colloque.attestation import Attestation
from colloque.clock import Clock, to_millis
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused, Inconsistent, NotFound, Refused, Temporary
from colloque.identity import UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.admin import Session
from colloque.matrix.home import Home, text
from colloque.policy.ending import End
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.accounts.partners import Partners
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.federation.leaving import Rooms
from colloque_annuaire.rules.enrol import judge_profession
from colloque_annuaire.rules.pace import Pace
from colloque_annuaire.store.ending import Ending, Endings, Step
from colloque_annuaire.store.people import People
from colloque_annuaire.texts import ending as texts

log = logging.getLogger(__name__)

ACT = "person.revoke"
LATE = timedelta(minutes=1)
"""An end that is not through by then is an incident: the administrators must look."""
AGAIN_S = (1.0, 10.0)
"""First and longest pause before a step that failed is tried again."""
AT_ONCE = 20
"""Ends in one round, revocations apart: those come first, however many people a directory has lost in a night."""


class Server(Protocol):
    """What locks an account of the homeserver (`colloque.matrix.admin.SynapseAdmin`)."""

    async def lock(self, user: UserId, *, locked: bool) -> None:
        """Suspend it and refuse its logins, or undo that."""
        ...

    async def sessions(self, user: UserId) -> tuple[Session, ...]:
        """Every session."""
        ...

    async def close_sessions(self, user: UserId, devices: Sequence[str]) -> None:
        """End these."""
        ...


class Closing:
    """One instance a service. Each call of `run_once` is one round."""

    def __init__(
        self,
        *,
        people: People,
        endings: Endings,
        directory: Directory,
        publication: Publication,
        server: Server,
        rooms: Rooms,
        partners: Partners,
        home: Home,
        homes: Homes,
        incidents: Incidents,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._people = people
        self._endings = endings
        self._directory = directory
        self._publication = publication
        self._server = server
        self._rooms = rooms
        self._partners = partners
        self._home = home
        self._homes = homes
        self._incidents = incidents
        self._journal = journal
        self._clock = clock
        self._pace = Pace(*AGAIN_S)

    async def end(self, user: UserId, why: End) -> None:
        """End somebody's access. Returns once it is written down and published; the rest follows. Safe to repeat."""
        known = await self._endings.of(user)
        if known is not None and known.why is why and known.step is not Step.UNLOCK:
            return
        act = self._journal.begin(ACT, actor=user, ref=digest(user), reason=why.value)
        await self._endings.begin(user, why, self._clock.now())
        await self._publication.snapshot()
        self._journal.end(act, "ended")

    async def bar_of(self, user: UserId) -> End | None:
        """Why an administrator alone may give that account's access back; None when that is not so."""
        ending = await self._endings.of(user)
        return ending.why if ending is not None and ending.why.bars and ending.step is not Step.UNLOCK else None

    async def is_barred(self, user: UserId) -> bool:
        """Whether an administrator alone may give that account's access back."""
        return await self.bar_of(user) is not None

    async def settle(self) -> None:
        """At start: end the journal's open acts by what the tables say."""
        for intent in self._journal.open_intents():
            if intent.kind == ACT:
                begun = await self._endings.of(UserId(intent.actor)) is not None
                self._journal.end(intent.act, "ended" if begun else "not_done")

    async def give_back(self, user: UserId, *, actor: UserId) -> str:
        """An administrator gives the access back. Returns what to answer."""
        ending = await self._endings.of(user)
        if ending is None:
            return texts.NOT_ENDED
        held = await self._people.attestation_of(user)
        listed = held is not None and self._listed(held)
        now = self._clock.now()
        revived = ending.until if listed and ending.until > now else None
        await self._endings.give_back(ending, revived)
        self._journal.note("person.given_back", actor=user, ref=digest(actor))
        await self._publication.snapshot()
        return texts.given_back(revived)

    def _listed(self, held: Attestation) -> bool:
        try:
            person = self._directory.by_rpps(held.rpps)
        except (NotFound, Inconsistent):
            return False
        return person is not None and judge_profession(person) is None

    async def run_once(self) -> None:
        """Every step that can be done now. A person who is stuck keeps nobody else waiting; revocations go first."""
        for ending in await self._endings.proved_again():
            await self._endings.give_back(ending, None)
        under_way = await self._endings.under_way()
        ready = [ending for ending in under_way if self._pace.ready(ending.user)]
        first = [ending for ending in ready if ending.why.bars]
        others = [ending for ending in ready if not ending.why.bars]
        for ending in first + others[:AT_ONCE]:
            try:
                await self._go_on(ending)
            except (Temporary, Refused) as error:
                self._pace.failed(ending.user)
                log_event(log, "ending.deferred", level=logging.WARNING, code=error.code, step=ending.step.value)
            else:
                self._pace.worked(ending.user)
        late = self._clock.now() - LATE
        await self._report(sum(ending.at < late for ending in await self._endings.under_way()))

    async def _go_on(self, ending: Ending) -> None:
        """From its step to the end, or to the first step that can't be done now."""
        while True:
            if ending.step is Step.UNLOCK:
                await self._unlock(ending)
                return
            after = await self._do(ending)
            await self._endings.go_on(ending, after)
            known = await self._endings.of(ending.user)
            if known is None or known.step is Step.ENDED:
                return
            ending = known

    async def _do(self, ending: Ending) -> Step:
        user, why = ending.user, ending.why
        match ending.step:
            case Step.PUBLISH:
                await self._publication.snapshot()
                return Step.LOCK if why.locks else Step.SESSIONS
            case Step.LOCK:
                await self._lock(user, locked=True)
                return Step.SESSIONS
            case Step.SESSIONS:
                if why.closes_sessions:
                    await self._close_sessions(user)
                return Step.EVICT
            case Step.EVICT:
                if left := await self._rooms.evict(user, why.value):
                    raise Temporary(f"still in {left} rooms")
                return Step.TELL
        await self._tell(ending)
        return Step.ENDED

    async def _close_sessions(self, user: UserId) -> None:
        try:
            devices = [session.device for session in await self._server.sessions(user)]
            if devices:
                await self._server.close_sessions(user, devices)
        except HomeRefused as error:
            _gone(error)

    async def _lock(self, user: UserId, *, locked: bool) -> None:
        try:
            await self._server.lock(user, locked=locked)
        except HomeRefused as error:
            _gone(error)

    async def _unlock(self, ending: Ending) -> None:
        if ending.why.locks:
            await self._lock(ending.user, locked=False)
        held = await self._people.attestation_of(ending.user)
        valid = held is not None and held.is_valid(self._clock.now())
        await self._say(ending, ending.user, texts.back(valid=valid), "back")
        await self._endings.over(ending)

    async def _tell(self, ending: Ending) -> None:
        if ending.why in {End.ADMIN, End.FHIR}:
            key = f"ended.{digest(ending.user)}.{to_millis(ending.at)}"
            await self._incidents.open(key, texts.ended_admin(ending.why))
            await self._incidents.close(key)
        if ending.why is End.GONE:
            return  # Told by the re-verification; their conversations go on when they are listed again.
        await self._partners.tell(ending.user, str(to_millis(ending.at)))

    async def _say(self, ending: Ending, user: UserId, said: str, what: str) -> None:
        ref = digest(f"{ending.user} {to_millis(ending.at)} {user}")
        try:
            await self._home.send(await self._homes.ensure(user), text(said), txn=f"{what}-{ref}")
        except HomeRefused as error:
            log_event(log, "ending.not_told", level=logging.WARNING, code=error.errcode)

    async def _report(self, stuck: int) -> None:
        key = "endings.stuck"
        if stuck:
            await self._incidents.open(key, texts.stuck(stuck))
        else:
            await self._incidents.close(key)


def _gone(error: HomeRefused) -> None:
    """An account that the homeserver does not have (any more) needs no locking."""
    if error.status != 404:
        raise Temporary(f"the homeserver refused: {error.errcode}") from None
