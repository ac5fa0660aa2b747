"""Before people of several servers share a room, each of their servers knows all of them.

Otherwise the homeserver of one refuses another's membership: it can't build the room, whose state would be false, and
its people read nothing there. @salles asks before it makes or widens such a room; each other server is asked to look
at whom it does not know yet, as in any first contact: it presents one of its own members, and judges by its own copy
of the directory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from colloque.calls import JsonDict
from colloque.clock import Clock
from colloque.errors import BadIdentifier, BadInput, NotFound, Refused, Temporary
from colloque.federation.http_client import Peers
from colloque.federation.http_server import Api, Limit
from colloque.federation.keeper import Keeper
from colloque.identity import UserId, parse_user_id, server_of
from colloque_annuaire.federation.meeting import Meetings
from colloque_annuaire.federation.people import Crossing
from colloque_annuaire.rules.federation_outcome import Met
from colloque_annuaire.store.federation import Abroad

TEAM = "team"
MOST = 40
"""People in one question."""
PATIENCE_S = 15.0
"""A clinician waits for it."""
_LIMIT = Limit(60, 60)


class Teams:
    """One instance a service."""

    def __init__(
        self,
        *,
        us: str,
        keeper: Keeper,
        peers: Peers,
        crossing: Crossing,
        abroad: Abroad,
        meetings: Meetings,
        clock: Clock,
    ) -> None:
        """`us` is this server's name."""
        self._us = us
        self._keeper = keeper
        self._peers = peers
        self._crossing = crossing
        self._abroad = abroad
        self._meetings = meetings
        self._clock = clock

    def register(self, api: Api) -> None:
        """Answer other servers."""
        api.add(TEAM, self.answer, _LIMIT)

    async def acquaint(self, members: list[str]) -> JsonDict:
        """For @salles: `{"unknown": {server: [user, …]}}`, whom each other server of `members` can't admit.

        Raises BadInput, Temporary (a server does not answer in time, so nobody knows).
        """
        team = _users(members)
        others = sorted({server_of(user) for user in team} - {self._us})
        try:
            async with asyncio.timeout(PATIENCE_S):
                answers = await asyncio.gather(*(self._ask(server, team) for server in others))
        except TimeoutError:
            raise Temporary("another server takes too long to look at a team") from None
        return {"unknown": {server: sorted(who) for server, who in zip(others, answers, strict=True) if who}}

    async def _ask(self, server: str, team: Sequence[UserId]) -> Collection[UserId]:
        strangers = {user for user in team if server_of(user) != server}
        peer = await self._keeper.find(server)
        if peer is None:
            return strangers
        try:
            told = await self._peers.ask(peer, TEAM, {"members": list(team)})
        except (Refused, NotFound, BadInput):  # it has no such question, or does not want this team
            return strangers
        said = told.get("unknown")
        return strangers & set(said) if isinstance(said, list) else strangers

    async def answer(self, server: str, body: JsonDict) -> JsonDict:
        """`{"members"}`, of a team of theirs and ours: `{"unknown": [user, …]}`. Raises BadInput, Refused."""
        raw = body.get("members")
        if not isinstance(raw, list) or not all(isinstance(each, str) for each in raw):
            raise BadInput("members: must be accounts")
        team = _users(raw)
        if not any(server_of(user) == server for user in team):
            raise BadInput("members: must name one of the asker's own")
        own = [user for user in team if server_of(user) == self._us and await self._crossing.attested(user)]
        if not own:
            raise Refused("none_of_ours")
        others = [user for user in team if server_of(user) != self._us]
        known: Mapping[UserId, bool] = dict(
            zip(others, await asyncio.gather(*(self._knows(own[0], user) for user in others)), strict=True)
        )
        return {"unknown": [user for user in others if not known[user]]}

    async def _knows(self, own: UserId, other: UserId) -> bool:
        remote = await self._abroad.remote(other)
        if remote is not None and remote.attestation.is_valid(self._clock.now()):
            return True
        return (await self._meetings.meet(own, other)).met is Met.KNOWN


def _users(raw: Sequence[str]) -> list[UserId]:
    if not 0 < len(raw) <= MOST:
        raise BadInput(f"members: must be 1 to {MOST} accounts")
    try:
        return [parse_user_id(user) for user in dict.fromkeys(raw)]
    except BadIdentifier:
        raise BadInput("members: must be accounts") from None
