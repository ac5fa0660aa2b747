"""What the bridge leaves in a mailbox: `\\Seen` on what was read, `\\Answered` on what was answered, and a copy of it.

Its owner finds there, in any other program, what they did here. The folder is searched first: a crash files nothing
twice. Who asked to be told that their mail was read is told, unless another program did.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from colloque import logs
from colloque.clock import Clock, monotonic
from colloque.config import MailServerConfig
from colloque.errors import BadInput, LoginRefused, MailDeferred, MailRefused, Tampered, Temporary
from colloque.identity import MssanteAddress, UserId
from colloque.mail.access import Way
from colloque.mail.imap import ANSWERED, SEEN
from colloque.mail.imap_filing import TOLD, FilingClient
from colloque_mssante.access.credentials import Credential, Credentials, fingerprint
from colloque_mssante.mailboxes.budget import Budget
from colloque_mssante.mailboxes.receipts import Receipts
from colloque_mssante.mapping.targets import Target
from colloque_mssante.rules.sends import ROOM, Send
from colloque_mssante.store.choices import OFF, Choices
from colloque_mssante.store.leases import Leases
from colloque_mssante.store.mails import Mails
from colloque_mssante.store.originals import Asked, Originals
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.reading import ReadMail, Reads

GIVE_UP = timedelta(days=7)
"""A copy that could not be filed, or a flag that could not be set, for that long is given up."""
_LOOK_FOR = timedelta(days=1)
"""How long a mail in doubt is looked for."""
_LOOK_S = 5.0
_IMAP_S = 30.0
_BACK_OFF_S = (5.0, 900.0)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Errand:
    """What one mailbox has to learn."""

    owner: UserId | None = None
    doubts: list[Send] = field(default_factory=list)
    originals: list[Asked] = field(default_factory=list)


class Filing:
    """One instance a process. One mailbox after the other: nobody waits for it.

    Big mails that are fetched once more wait in `folder`, without a name; one at a time stands in memory.
    """

    def __init__(
        self,
        *,
        server: MailServerConfig | Way,
        outbox: Outbox,
        mails: Mails,
        reads: Reads,
        receipts: Receipts,
        originals: Originals,
        budget: Budget,
        leases: Leases,
        credentials: Credentials,
        choices: Choices,
        folder: Path,
        clock: Clock,
        sent: Callable[[], None],
    ) -> None:
        self._server = server
        self._outbox = outbox
        self._mails = mails
        self._reads = reads
        self._receipts = receipts
        self._originals = originals
        self._budget = budget
        self._leases = leases
        self._visiting: MssanteAddress | None = None
        self._sent = sent
        self._credentials = credentials
        self._choices = choices
        self._folder = folder
        self._clock = clock
        self._pauses: dict[MssanteAddress, tuple[float, float]] = {}
        """Until when (monotonic) a mailbox is left alone, and for how long the next time."""
        self._looked: dict[str, tuple[float, float]] = {}
        """When (monotonic) a mail in doubt was last looked for, and how long it then rests."""
        self._refused: dict[MssanteAddress, str] = {}
        """Credentials that the operator refused: not used again."""

    async def run(self) -> None:
        """File what is to be filed, for ever."""
        while True:
            await self.once()
            await asyncio.sleep(_LOOK_S)

    async def once(self) -> None:
        """One pass over every mailbox that has something to learn."""
        for address, errand in (await self._errands()).items():
            auth = self._credentials.of(address, errand.owner or None)  # a shared one's is empty
            if errand.owner is not None and self._choices.closed(address, errand.owner) == OFF:
                continue
            if auth is not None and self._may_visit(address, auth):
                self._visiting = address
                try:
                    if self._leases.holds(address):
                        async with self._budget.connection():
                            await self._visit(address, auth, errand)
                finally:
                    self._visiting = None

    async def _errands(self) -> dict[MssanteAddress, _Errand]:
        waiting: defaultdict[MssanteAddress, _Errand] = defaultdict(_Errand)
        if lost := await self._outbox.unfilable(self._clock.now() - GIVE_UP):
            logs.event(logger, "copy.given_up", level=logging.WARNING, mails=lost)
        for address, owner in await self._outbox.unfiled():
            waiting[address].owner = owner
        if lost := await self._reads.give_up(self._clock.now() - GIVE_UP):
            logs.event(logger, "mail.read.given_up", level=logging.WARNING, mails=lost)
        for address, owner in await self._reads.waiting():
            waiting[address].owner = owner
        for send in await self._outbox.doubtful():
            if send.caller == ROOM and self._leases.holds(send.sender) and self._may_look(send):
                waiting[send.sender].doubts.append(send)
                waiting[send.sender].owner = send.owner
        await self._originals.sweep()
        for asked in await self._originals.asked():
            waiting[asked.mailbox].originals.append(asked)
            waiting[asked.mailbox].owner = asked.owner
        return waiting

    def busy(self, mailbox: MssanteAddress) -> bool:
        """Whether that mailbox is being told something."""
        return mailbox == self._visiting

    def _may_visit(self, address: MssanteAddress, auth: Credential) -> bool:
        until, _ = self._pauses.get(address, (0.0, 0.0))
        refused = self._refused.get(address) == fingerprint(auth)
        return monotonic() >= until and not refused and not self._credentials.waits(address)

    async def _visit(self, address: MssanteAddress, auth: Credential, errand: _Errand) -> None:
        try:
            async with self._budget.login():
                client = await self._credentials.open(FilingClient, self._server, address, auth, timeout_s=_IMAP_S)
            try:
                for asked in errand.originals:
                    raw = await client.again(asked.uidvalidity, asked.uid, self._folder)
                    await self._originals.found(asked.draft, raw)
                sends = await self._outbox.to_file(address)
                folder = await client.sent_folder() if sends or errand.doubts else None
                if folder is not None:
                    for send in errand.doubts:
                        await self._settle(client, folder, send)
                for send in sends:
                    await self._file(client, folder, send)
                # Last: where flags can't be set, copies are filed all the same.
                await self._mark(client, await self._reads.to_mark(address))
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
                await self._leases.check(send.sender)
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
            await self._reads.answered_here(send.sender, *place)
            await client.flag(place[0], [place[1]], ANSWERED)

    def _may_look(self, send: Send) -> bool:
        """Whether a mail in doubt is due to be looked for: at once, then less and less often, for a day."""
        age = self._clock.now() - send.made_at
        last, pause = self._looked.get(send.key, (-math.inf, 0.0))
        if age > _LOOK_FOR or monotonic() < last + pause:
            return False
        self._looked[send.key] = (monotonic(), min(max(pause * 2, _BACK_OFF_S[0]), _BACK_OFF_S[1]))
        return True

    async def _settle(self, client: FilingClient, folder: bytes, send: Send) -> None:
        """Some operators file themselves what they take: what stands among the sent mails did leave."""
        with contextlib.suppress(BadInput):
            if await client.holds(folder, send.message_id) and await self._outbox.found(send.key):
                self._looked.pop(send.key, None)
                logs.event(logger, "doubt.settled")
                self._sent()

    async def _mark(self, client: FilingClient, reads: list[ReadMail]) -> None:
        if not reads:
            return
        validity = (await client.examine()).uidvalidity
        now = [read for read in reads if read.uidvalidity == validity]
        flags = await client.flag(validity, [read.uid for read in now], SEEN) if now else {}
        for read in now:
            # Of a mail that is not there any more nobody can say whether its author was told already.
            if read.uid in flags and TOLD.lower() not in flags[read.uid]:
                await self._told(client, read)
            await self._reads.marked(read.id)
        logs.event(logger, "mail.read", mails=len(now))
        if len(now) < len(reads):
            raise MailDeferred("the mailbox began anew, and was not read since")

    async def _told(self, client: FilingClient, read: ReadMail) -> None:
        outcome = await self._receipts.tell(read)
        if outcome == "queued":
            self._sent()
            await client.flag(read.uidvalidity, [read.uid], TOLD)
        if outcome != "not_asked":
            logs.event(logger, "receipt", outcome=outcome)
