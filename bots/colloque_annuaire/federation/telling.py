"""What other servers are told of our people, unasked: who is attested no more, and who is again.

Every round starts from what the tables and the list say now: whatever a crash interrupted is simply still to do.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from enum import Enum, auto

from colloque.clock import Clock, monotonic, to_millis
from colloque.errors import BadInput, NotFound, Refused, Temporary
from colloque.federation.http_client import Peers
from colloque.federation.keeper import Keeper
from colloque.logs import event as log_event
from colloque.policy.federation import Entry
from colloque.policy.passport import No
from colloque.store.journal import Journal
from colloque_annuaire.federation.answers import MAX_REVOKED, RETURNED, REVOCATIONS
from colloque_annuaire.federation.people import Crossing
from colloque_annuaire.rules.pace import Pace
from colloque_annuaire.store.federation_own import OwnAbroad
from colloque_annuaire.store.federation_returning import Back, Returns

log = logging.getLogger(__name__)

WAIT_S = (1.0, 60.0)
"""First and longest pause before a server that did not answer is told again."""
LOOK_S = 30.0
"""Between two looks when nobody's attestation changed: those end by date too."""
LATER = frozenset({No.STALE, No.REVOKED})
"""Refusals that pass: their directory is old, or their clock and ours differ. Any other one is for good."""


class Heard(Enum):
    """What came of presenting somebody again."""

    DONE = auto()
    LATER = auto()
    """This one; the next may be tried."""
    AWAY = auto()


class Looks:
    """When to look: at once after somebody's attestation has changed, else from time to time."""

    def __init__(self) -> None:
        self._serial, self._again = -1, 0.0

    def due(self, serial: int) -> bool:
        """True when it is time."""
        return serial != self._serial or monotonic() >= self._again

    def looked(self, serial: int, *, more: bool) -> None:
        """`more`: something is still to be done."""
        self._serial, self._again = serial, monotonic() + (WAIT_S[0] if more else LOOK_S)


class Telling:
    """One instance a service; each method is one round, to be called again and again."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        peers: Peers,
        crossing: Crossing,
        own: OwnAbroad,
        returns: Returns,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._keeper = keeper
        self._peers = peers
        self._crossing = crossing
        self._own = own
        self._returns = returns
        self._journal = journal
        self._clock = clock
        self._revoked, self._back = Looks(), Looks()
        self._revoking, self._presenting = Pace(*WAIT_S), Pace(*WAIT_S)
        # One thing at a time to each server: a revocation that arrives after the return it came before would win.
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def push(self) -> None:
        """Tell servers whom of ours they must no longer take for attested, until each has signed that it heard."""
        serial = await self._own.serial()
        if not self._revoked.due(serial):
            return
        owed = await self._own.owed(self._clock.now())
        self._revoked.looked(serial, more=bool(owed))
        peers = [self._keeper.entry(server) for server in owed]
        await asyncio.gather(*(self._push(peer) for peer in peers if peer and self._revoking.ready(peer.server)))

    async def _push(self, peer: Entry) -> None:
        async with self._turns[peer.server]:
            # Asked again at each step: somebody may have their access back by now.
            while users := (await self._own.owed(self._clock.now())).get(peer.server, [])[:MAX_REVOKED]:
                now = self._clock.now()
                # Noted before it leaves: whatever comes of it, who may have dropped them hears when they are back.
                await self._returns.knew(peer.server, users, now)
                revoked = [{"user": user, "at": to_millis(now)} for user in users]
                try:
                    await self._peers.ask(peer, REVOCATIONS, {"revoked": revoked})
                except (Temporary, Refused, NotFound, BadInput) as error:
                    self._revoking.failed(peer.server, _asked(error))
                    log_event(log, "federation.revocation_waits", server=peer.server, code=error.code, count=len(users))
                    return
                self._revoking.worked(peer.server)
                for user in users:
                    self._journal.note("remote.revoke", actor=user, outcome="told")
                await self._own.taken_back(peer.server, users)

    async def present_again(self) -> None:
        """Present those of ours who are attested again to the servers that knew them, until each has answered."""
        serial = await self._own.serial()
        if not self._back.due(serial):
            return
        listed = self._keeper.current
        if listed is not None:
            await self._returns.only(listed.servers)
        due = await self._returns.due(self._clock.now())
        self._back.looked(serial, more=bool(due))
        ready = [(self._keeper.entry(server), people) for server, people in due.items()]
        await asyncio.gather(
            *(self._present_all(peer, people) for peer, people in ready if peer and self._presenting.ready(peer.server))
        )

    async def _present_all(self, peer: Entry, people: list[Back]) -> None:
        for back in people:
            if not self._presenting.ready(_who(back)):
                continue
            async with self._turns[peer.server]:
                heard = await self._present(peer, back)
            if heard is Heard.AWAY:
                return

    async def _present(self, peer: Entry, back: Back) -> Heard:
        try:
            passport = await self._crossing.present(back.user, peer.server)
        except Refused:
            return Heard.LATER  # Ended again meanwhile: a revocation is owed first.
        outcome = "told"
        try:
            await self._peers.ask(peer, RETURNED, {"attestation": passport})
        except Refused as error:
            if error.reason in LATER:
                self._presenting.failed(_who(back))
                log_event(log, "federation.return_waits", server=peer.server, code=error.reason)
                return Heard.LATER
            outcome = error.reason
        except (Temporary, NotFound, BadInput) as error:
            self._presenting.failed(peer.server, _asked(error))
            log_event(log, "federation.return_waits", server=peer.server, code=error.code)
            return Heard.AWAY
        self._presenting.worked(_who(back))
        self._presenting.worked(peer.server)
        self._journal.note("remote.return", actor=back.user, outcome=outcome)
        await self._returns.over(back)
        return Heard.DONE


def _who(back: Back) -> str:
    return f"{back.user} {back.server}"


def _asked(error: Exception) -> float | None:
    """For how long the other server asks to be left alone."""
    return error.retry_after_s if isinstance(error, Temporary) else None
