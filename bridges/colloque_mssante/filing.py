"""What the bridge leaves in a mailbox after a mail left it: a copy among the sent ones, and `\\Answered`.

Its owner finds there, in any other program, what they wrote here. The folder is searched first: a crash files nothing
twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta

from colloque import logs
from colloque.clock import Clock, monotonic
from colloque.config import MailServerConfig
from colloque.errors import BadInput, LoginRefused, MailRefused, Tampered, Temporary
from colloque.identity import MssanteAddress
from colloque.mail.access import Auth
from colloque.mail.imap_filing import ANSWERED, FilingClient
from colloque_mssante.credentials import Credentials, fingerprint
from colloque_mssante.outbox import Outbox, Send
from colloque_mssante.store_mails import Mails
from colloque_mssante.targets import Target

GIVE_UP = timedelta(days=7)
"""A copy that could not be filed for that long is given up: the mail itself left."""
_LOOK_S = 5.0
_IMAP_S = 30.0
_BACK_OFF_S = (5.0, 900.0)

logger = logging.getLogger(__name__)


class Filing:
    """One instance a process. One mailbox after the other: nobody waits for it."""

    def __init__(
        self, *, server: MailServerConfig, outbox: Outbox, mails: Mails, credentials: Credentials, clock: Clock
    ) -> None:
        self._server = server
        self._outbox = outbox
        self._mails = mails
        self._credentials = credentials
        self._clock = clock
        self._pauses: dict[MssanteAddress, tuple[float, float]] = {}
        """Until when (monotonic) a mailbox is left alone, and for how long the next time."""
        self._refused: dict[MssanteAddress, str] = {}
        """Credentials that the operator refused: not used again."""

    async def run(self) -> None:
        """File what is to be filed, for ever."""
        while True:
            await self.once()
            await asyncio.sleep(_LOOK_S)

    async def once(self) -> None:
        """One pass over every mailbox that has something to file."""
        waiting: dict[MssanteAddress, list[Send]] = {}
        for send in await self._outbox.to_file():
            if self._clock.now() - send.made_at > GIVE_UP or send.raw is None:
                logs.event(logger, "copy.given_up", level=logging.WARNING)
                await self._outbox.filed(send.key)
            else:
                waiting.setdefault(send.sender, []).append(send)
        for address, sends in waiting.items():
            auth = self._credentials.of(address)
            until, _ = self._pauses.get(address, (0.0, 0.0))
            if auth is not None and monotonic() >= until and self._refused.get(address) != fingerprint(auth):
                await self._visit(address, auth, sends)

    async def _visit(self, address: MssanteAddress, auth: Auth, sends: list[Send]) -> None:
        try:
            client = await FilingClient.connect(self._server, address.value, auth, timeout_s=_IMAP_S)
            try:
                folder = await client.sent_folder()
                for send in sends:
                    await self._file(client, folder, send)
            finally:
                await client.close()
            self._pauses.pop(address, None)
        except LoginRefused:
            self._refused[address] = fingerprint(auth)
        except (Temporary, Tampered) as error:
            _, pause = self._pauses.get(address, (0.0, _BACK_OFF_S[0]))
            self._pauses[address] = (monotonic() + pause, min(pause * 2, _BACK_OFF_S[1]))
            logs.event(logger, "copy.deferred", code=error.code)

    async def _file(self, client: FilingClient, folder: bytes | None, send: Send) -> None:
        assert send.raw is not None
        outcome = "no_folder"
        if folder is not None:
            with contextlib.suppress(BadInput):
                try:
                    fresh = await client.file(folder, send.raw, send.message_id, send.made_at)
                    outcome = "filed" if fresh else "known"
                except MailRefused as error:  # a full mailbox, say: the mail left all the same
                    outcome = error.enhanced or "refused"
        await self._answered(client, send)
        await self._outbox.filed(send.key)
        logs.event(logger, "copy.filed", outcome=outcome)

    async def _answered(self, client: FilingClient, send: Send) -> None:
        target = Target.load(send.target)
        if target is None or target.in_reply_to is None:
            return
        place = await self._mails.uid_of(send.sender, target.in_reply_to, send.thread)
        if place is not None:
            await client.flag(*place, ANSWERED)
