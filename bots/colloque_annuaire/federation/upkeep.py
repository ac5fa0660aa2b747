"""What keeps people and servers true to each other once they met: renewals, and servers that leave the list.

Every round starts from what the tables and the list say now: whatever a crash interrupted is simply still to do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from colloque.clock import PARIS, Clock
from colloque.errors import BadInput, NotFound, Refused, Tampered, Temporary
from colloque.federation.http_client import Peers
from colloque.federation.keeper import Keeper, Turn
from colloque.identity import UserId
from colloque.logs import event as log_event
from colloque.policy.federation import Entry
from colloque.policy.passport import MAX_LIFE, REFRESH_AFTER
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.federation.answers import ATTESTATION
from colloque_annuaire.federation.people import ENDED, NOT_ATTESTED, REVOKED, Crossing
from colloque_annuaire.rules.pace import Pace
from colloque_annuaire.store.federation import Abroad, Remote
from colloque_annuaire.store.federation_own import OwnAbroad
from colloque_annuaire.store.federation_returning import REMEMBERED, Returns
from colloque_annuaire.texts import federation as texts

log = logging.getLogger(__name__)

WAIT_S = (1.0, 60.0)
"""First and longest pause before a server that did not answer is asked again."""
AT_ONCE = 8
BATCH = 200
"""People asked about in one round."""
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
        returns: Returns,
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
        self._returns = returns
        self._incidents = incidents
        self._journal = journal
        self._clock = clock
        self._publish = publish
        self._pace = Pace(*WAIT_S)
        self._published: tuple[int, datetime] | None = None
        self._servers: dict[str, Entry] = {}
        self._following = asyncio.Lock()

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
        await self._crossing.drop(await self._abroad.ended(now, BATCH), ENDED, leave=True)
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
        await self._abroad.forget_dropped(now - REMEMBERED)
        await self._own.forget_given(now)
        await self._returns.forget(now - REMEMBERED)

    async def _renew(self, remote: Remote, slots: asyncio.Semaphore) -> None:
        user, peer = remote.attestation.user, self._keeper.entry(remote.server)
        if peer is None:
            return  # The list has ended; a server that left it is dealt with by `follow`.
        async with slots:
            with self._crossing.exchange(peer.server):
                asked_at = self._clock.now()
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
                    revoked = error.reason == NOT_ATTESTED
                    await self._crossing.drop(
                        [user],
                        REVOKED if revoked else error.reason,
                        leave=True,
                        revoked_at=asked_at if revoked else None,
                    )
                except (Temporary, NotFound, BadInput, Tampered) as error:
                    self._pace.failed(peer.server, error.retry_after_s if isinstance(error, Temporary) else None)
                    if self._keeper.key_of(remote.server, remote.kid) is None:
                        # What a withdrawn key signed counts for nothing, and nobody signs it anew.
                        await self._crossing.drop([user], "key_withdrawn", leave=False)
