"""Erasures across servers: `@salles` asks others through us, and is asked through us. We hold the keys and the list.

`POST /_colloque/v1/erasures` `{"room", "ref"}` gets `{"state": "under_way"}` or `{"state": "erased", "receipt"}`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from colloque.calls import JsonDict
from colloque.clock import Clock
from colloque.config import Config
from colloque.errors import BadInput, NotFound, Refused, Tampered, Temporary
from colloque.federation.ed25519 import verify
from colloque.federation.http_client import Peers
from colloque.federation.http_server import Api, Limit
from colloque.federation.keeper import Keeper
from colloque.policy.federation import Entry
from colloque.policy.jws import canonical
from colloque.rooms.erasure import AskedBy
from colloque.rooms.supplement import ERASED, MAX_BYTES, UNANSWERED, check_copy
from colloque.sockets import Client

ERASURES = "erasures"
LIMIT = Limit(1200, 3600)
"""Each copy is asked for until its receipt is there; a room of which nothing is known costs a receipt, too."""
UNDER_WAY, NOT_LISTED, INVALID = "under_way", "not_listed", "receipt_invalid"
"""Outcomes of asking, beside `erased`, `unanswered`, and the codes of a refusal that the other server signed."""


class Erasures:
    """One instance a service."""

    def __init__(
        self,
        *,
        us: str,
        keeper: Keeper,
        peers: Peers,
        clock: Clock,
        erase_copy: Callable[[str, str, str], Awaitable[JsonDict]],
    ) -> None:
        """`erase_copy(server, room, ref)`: our own `@salles`."""
        self._us = us
        self._keeper = keeper
        self._peers = peers
        self._clock = clock
        self._erase_copy = erase_copy

    def register(self, api: Api) -> None:
        """The question."""
        api.add(ERASURES, self.asked, LIMIT)

    async def asked(self, server: str, body: JsonDict) -> JsonDict:
        """Another server, whose signature holds, asks about a room of its own."""
        room, ref = body.get("room"), body.get("ref")
        if not isinstance(room, str) or not isinstance(ref, str):
            raise BadInput("room, ref: must name a room, and the token that stands for it")
        return await self._erase_copy(server, room, ref)

    async def ask(self, server: str, room: str, ref: str) -> JsonDict:
        """`@salles` has another server asked: `{"outcome", "receipt"?}`, a receipt that holds."""
        entry = self._keeper.entry(server)
        if entry is None:
            return {"outcome": NOT_LISTED}
        try:
            answer = await self._peers.ask(entry, ERASURES, {"room": room, "ref": ref})
        except Temporary:
            return {"outcome": UNANSWERED}
        except Refused as error:
            return {"outcome": f"refused.{error.reason}"[:64]}
        except (NotFound, BadInput) as error:
            return {"outcome": f"refused.{error.code}"[:64]}
        return self._outcome(answer, entry, AskedBy(self._us, ref))

    def _outcome(self, answer: JsonDict, entry: Entry, asked: AskedBy) -> JsonDict:
        receipt = answer.get("receipt")
        if answer.get("state") != "erased":
            return {"outcome": UNDER_WAY}
        try:
            if not isinstance(receipt, dict) or len(canonical(receipt)) > MAX_BYTES:
                raise Tampered("not a receipt")
            check_copy(receipt, asked, entry, self._clock.now(), verify)
        except Tampered:
            return {"outcome": INVALID}
        return {"outcome": ERASED, "receipt": receipt}


def salles_erases(config: Config) -> Callable[[str, str, str], Awaitable[JsonDict]]:
    """Our `@salles`, over its socket."""
    client = Client(config.socket("salles"), "annuaire")

    async def erase_copy(server: str, room: str, ref: str) -> JsonDict:
        return await client.call("erase_copy", server=server, room=room, ref=ref)

    return erase_copy
