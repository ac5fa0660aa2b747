"""What keeps people and servers true to each other once they met: renewals, revocations, servers that leave the list.

Every round starts from what the tables and the list say now: whatever a crash interrupted is simply still to do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from colloque.clock import PARIS, Clock, monotonic, to_millis
from colloque.errors import BadInput, NotFound, Refused, Tampered, Temporary
from colloque.federation.http_client import Peers
from colloque.federation.keeper import Keeper, Turn
from colloque.identity import UserId
from colloque.logs import event as log_event
from colloque.policy.federation import Entry
from colloque.policy.passport import MAX_LIFE, REFRESH_AFTER
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire import texts_federation as texts
from colloque_annuaire.federation_answers import ATTESTATION, MAX_REVOKED, REVOCATIONS
from colloque_annuaire.federation_people import NOT_ATTESTED, Crossing
from colloque_annuaire.pace import Pace
from colloque_annuaire.store_federation import Abroad, Remote
from colloque_annuaire.store_federation_own import OwnAbroad

log = logging.getLogger(__name__)

WAIT_S = (1.0, 60.0)
"""First and longest pause before a server that did not answer is asked again."""
AT_ONCE = 8
BATCH = 200
"""People asked about in one round."""
OWED_S = 30.0
"""Between two looks at who must hear of a revocation, when nobody's attestation changed: those end by date too."""
_LIST_INCIDENT = "federation.list"


class FederationUpkeep:
    """One instance a service; each method is one round, to be called again and again."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        peers: Peers,
        crossing: Crossing,
        abroad: Abroad,
        own: OwnAbroad,
        incidents: Incidents,
        journal: Journal,
        clock: Clock,
        publish: Callable[[], Awaitable[None]],
    ) -> None:
        self._keeper = keeper
        self._peers = peers
        self._crossing = crossing
        self._abroad = abroad
        self._own = own
        self._incidents = incidents
        self._journal = journal
        self._clock = clock
        self._publish = publish
        self._pace = Pace(*WAIT_S)
        self._published: tuple[int, datetime] | None = None
        self._servers: dict[str, Entry] = {}
        self._following = asyncio.Lock()
        self._serial, self._look_again = -1, 0.0

    async def refresh(self, *, ordered: bool = False) -> Turn:
        """Fetch the list and follow it. Raises what `Keeper.refresh` raises, once the admins' incident is open."""
        try:
            turn = await self._keeper.refresh(ordered=ordered)
        except (Temporary, Tampered, Refused):
            await self._complain()
            raise
        if turn is not Turn.RESTING:
            await self._incidents.close(_LIST_INCIDENT)
        await self.follow()
        return turn

    async def look(self) -> None:
        """The regular `refresh`: what goes wrong is told, and tried again in time."""
        try:
            await self.refresh()
        except (Temporary, Tampered, Refused) as error:
            log_event(log, "federation.list_not_renewed", level=logging.WARNING, code=error.code)

    async def _complain(self) -> None:
        """An outage is told once the list would end within a day; anything else at once."""
        listed, now = self._keeper.current, self._clock.now()
        away = self._keeper.problem == "federation.unavailable"
        if away and listed is not None and listed.expires - now > timedelta(days=1):
            return
        until = f"{listed.expires.astimezone(PARIS):%d/%m/%Y %H:%M}" if listed is not None else ""
        await self._incidents.open(_LIST_INCIDENT, texts.list_trouble(self._keeper.problem, until))

    async def follow(self) -> None:
        """What the list in force says, done: told to the deciding processes; who is no longer listed is dropped.

        A list that has ended drops nobody: the deciding processes then let no server in, until there is one again.
        """
        async with self._following:
            listed = self._keeper.current
            if listed is None:
                return
            stamp = (listed.version, listed.issued)
            if self._published != stamp:
                await self._publish()
                await self._drop_unlisted(listed.version)
                self._published = stamp
                self._servers = dict(listed.servers)

    async def _drop_unlisted(self, version: int) -> None:
        by_server: dict[str, list[UserId]] = {}
        for remote in await self._abroad.remotes():
            if self._keeper.entry(remote.server) is None:
                by_server.setdefault(remote.server, []).append(remote.attestation.user)
        gone = {server for server in self._servers if self._keeper.entry(server) is None}
        for server in sorted(gone | by_server.keys()):
            people = by_server.get(server, [])
            known = self._servers.get(server)
            # Told first: a crash in between tells it again under the same key, and forgets nobody.
            await self._once(
                f"federation.delisted.{server}.{version}",
                texts.delisted(server, known.organisation if known else server, len(people)),
            )
            await self._crossing.drop(people, "delisted", leave=True)

    async def _once(self, key: str, said: str) -> None:
        await self._incidents.open(key, said)
        await self._incidents.close(key)

    async def renew(self) -> None:
        """Ask again about people admitted a day ago, or with a key that is listed no more; drop who has ended."""
        now = self._clock.now()
        await self._crossing.drop(await self._abroad.ended(now, BATCH), "ended", leave=True)
        asking: dict[UserId, Remote] = {}
        for server, kid in await self._abroad.signed_with():
            if self._keeper.entry(server) is None or not self._pace.ready(server):
                continue
            due = await self._abroad.due(server, now - REFRESH_AFTER, BATCH)
            if self._keeper.key_of(server, kid) is None:
                due += await self._abroad.of_key(server, kid, BATCH)
            asking |= {remote.attestation.user: remote for remote in due}
        slots = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._renew(remote, slots) for remote in asking.values()))
        await self._abroad.forget_revoked(now - MAX_LIFE)
        await self._own.forget_given(now)

    async def _renew(self, remote: Remote, slots: asyncio.Semaphore) -> None:
        user, peer = remote.attestation.user, self._keeper.entry(remote.server)
        if peer is None:
            return  # The list has ended; a server that left it is dealt with by `follow`.
        async with slots:
            with self._crossing.exchange(peer.server):
                try:
                    told = await self._peers.ask(peer, ATTESTATION, {"user": user, "presented": None})
                    await self._crossing.receive(told.get("attestation"), peer.server, of=user)
                    self._pace.worked(peer.server)
                except Refused as error:
                    if error.reason == "asker_missing" or error.reason.startswith("directory_"):
                        # They forgot that we know each other, or our own directory has lost the person: their own
                        # server may know better, and they stay until what it signed last ends.
                        log_event(log, "federation.not_renewed", code=error.reason)
                        return
                    why = "revoked" if error.reason == NOT_ATTESTED else error.reason
                    await self._crossing.drop([user], why, leave=True)
                except (Temporary, NotFound, BadInput, Tampered) as error:
                    self._pace.failed(peer.server, error.retry_after_s if isinstance(error, Temporary) else None)
                    if self._keeper.key_of(remote.server, remote.kid) is None:
                        # What a withdrawn key signed counts for nothing, and nobody signs it anew.
                        await self._crossing.drop([user], "key_withdrawn", leave=False)

    async def push(self) -> None:
        """Tell servers whom of ours they must no longer take for attested, until each has signed that it heard."""
        serial = await self._own.serial()
        if serial == self._serial and monotonic() < self._look_again:
            return
        owed = await self._own.owed(self._clock.now())
        self._serial, self._look_again = serial, monotonic() + (WAIT_S[0] if owed else OWED_S)
        ready = [(self._keeper.entry(server), server, users) for server, users in owed.items()]
        await asyncio.gather(
            *(self._push(peer, users) for peer, server, users in ready if peer and self._pace.ready(server))
        )

    async def _push(self, peer: Entry, users: list[UserId]) -> None:
        for start in range(0, len(users), MAX_REVOKED):
            batch = users[start : start + MAX_REVOKED]
            at = to_millis(self._clock.now())
            try:
                await self._peers.ask(peer, REVOCATIONS, {"revoked": [{"user": u, "at": at} for u in batch]})
            except (Temporary, Refused, NotFound, BadInput) as error:
                wait = error.retry_after_s if isinstance(error, Temporary) else None
                self._pace.failed(peer.server, wait)
                log_event(log, "federation.revocation_waits", server=peer.server, code=error.code, count=len(users))
                return
            self._pace.worked(peer.server)
            for user in batch:
                self._journal.note("remote.revoke", actor=user, outcome="told")
            await self._own.taken_back(peer.server, batch)
