"""Asks mailboxes whether they have the mails of threads that are to end. Read-only; one mailbox after the other.

A mailbox that can't be asked is asked again, less and less often: until it has answered, nothing ends.
"""

from __future__ import annotations

import asyncio
import logging

from colloque import logs
from colloque.clock import monotonic
from colloque.config import MailServerConfig
from colloque.errors import LoginRefused, Tampered, Temporary
from colloque.identity import MssanteAddress
from colloque.mail.access import Way
from colloque.mail.imap_finding import FindingClient
from colloque_mssante.access.credentials import Credential, Credentials, fingerprint
from colloque_mssante.mailboxes.budget import Budget
from colloque_mssante.store.choices import OFF, Choices
from colloque_mssante.store.leases import Leases
from colloque_mssante.store.presence import Seeking, Wanted

_LOOK_S = 5.0
_IMAP_S = 60.0
_BACK_OFF_S = (5.0, 3600.0)

logger = logging.getLogger(__name__)


class Presence:
    """One instance a process."""

    def __init__(
        self,
        *,
        server: MailServerConfig | Way,
        seeking: Seeking,
        budget: Budget,
        leases: Leases,
        credentials: Credentials,
        choices: Choices,
    ) -> None:
        self._server = server
        self._seeking = seeking
        self._budget = budget
        self._leases = leases
        self._credentials = credentials
        self._choices = choices
        self._visiting: MssanteAddress | None = None
        self._pauses: dict[MssanteAddress, tuple[float, float]] = {}
        """Until when (monotonic) a mailbox is left alone, and for how long the next time."""
        self._refused: dict[MssanteAddress, str] = {}
        """Credentials that the operator refused: not used again."""

    def busy(self, mailbox: MssanteAddress) -> bool:
        """Whether that mailbox is being asked."""
        return mailbox == self._visiting

    async def run(self) -> None:
        """Ask what is to be asked, for ever."""
        while True:
            await self.once()
            await asyncio.sleep(_LOOK_S)

    async def once(self) -> None:
        """One pass over every mailbox that is to be asked; one that fails holds up no other."""
        for address, owner in await self._seeking.waiting():
            if not self._leases.holds(address) or (owner and self._choices.closed(address, owner) == OFF):
                continue
            self._visiting = address
            try:
                auth = self._credentials.of(address, owner or None)  # a shared one's is empty
                if auth is not None and self._may_visit(address, auth):
                    async with self._budget.connection():
                        await self._visit(address, auth, await self._seeking.wanted(address, owner))
            except Temporary as error:
                logs.event(logger, "originals.deferred", code=error.code)
            finally:
                self._visiting = None

    def _may_visit(self, address: MssanteAddress, auth: Credential) -> bool:
        until, _ = self._pauses.get(address, (0.0, 0.0))
        refused = self._refused.get(address) == fingerprint(auth)
        return monotonic() >= until and not refused and not self._credentials.waits(address)

    async def _visit(self, address: MssanteAddress, auth: Credential, mails: list[Wanted]) -> None:
        try:
            async with self._budget.login():
                client = await self._credentials.open(FindingClient, self._server, address, auth, timeout_s=_IMAP_S)
            try:
                standing = await client.standing([wanted.sought for wanted in mails])
            finally:
                await client.close()
        except LoginRefused:
            self._refused[address] = fingerprint(auth)
            return
        except (Temporary, Tampered) as error:
            _, pause = self._pauses.get(address, (0.0, _BACK_OFF_S[0]))
            self._pauses[address] = (monotonic() + pause, min(pause * 2, _BACK_OFF_S[1]))
            logs.event(logger, "originals.deferred", code=error.code)
            return
        self._pauses.pop(address, None)
        for wanted, found in zip(mails, standing, strict=True):
            await self._seeking.answered(wanted, found=found)
        logs.event(logger, "originals.looked_for", mails=len(mails), missing=standing.count(False))
