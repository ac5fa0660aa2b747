"""People of several servers share a patient room only once each of their servers knows all of them.

A homeserver refuses the membership of somebody whom it does not know; of a room with such a person it never gets the
state, and whoever of its people joins reads nothing there. @annuaire has the other servers look at them first.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from colloque.attestation import Attestation
from colloque.errors import Temporary
from colloque.identity import server_of
from colloque.logs import event as log_event
from colloque.sockets import Client
from colloque_salles.texts import acquainting as says

log = logging.getLogger(__name__)


class Acquainting:
    """One instance a service. `client` reaches @annuaire's socket."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def refused(self, people: Sequence[Attestation]) -> str:
        """Why these can't share a room now, in words; empty when they can. Asks nobody about people of one server."""
        if len({server_of(held.user) for held in people}) < 2:
            return ""
        try:
            told = await self._client.call("acquaint", members=[held.user for held in people])
        except Temporary as error:  # not waited for here: everybody else's words would wait, too
            log_event(log, "acquainting.deferred", code=error.code)
            return says.LATER
        lines = [
            says.unknown(held.name, [other.name for other in people if server_of(other.user) == server])
            for server, strangers in told["unknown"].items()
            for held in people
            if held.user in strangers
        ]
        return "\n".join([says.NOT_TOGETHER, *lines]) if lines else ""
