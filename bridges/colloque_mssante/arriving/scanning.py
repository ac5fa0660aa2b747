"""The antivirus in the bridge: attachments that arrive are scanned before anything of them is uploaded or opened.

An infected one is withheld: a text stands at its rank, under the transaction id that the file would have had. The mail
itself stays in its mailbox as it is.

New signatures may change a verdict between two attempts to show the same mail. That is harmless, because a rank names
the same part whatever the verdict: the homeserver answers a second event of that rank with the first one, so what was
shown before a crash stays as it was (like any mail that was scanned a minute earlier), and nothing is shown twice. The
ranks of cards are counted through the whole mail, and one document less would give the next one its rank: so a mail's
documents are opened all, where every file was clean, or none.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from colloque import logs
from colloque.clock import Clock
from colloque.config import AntivirusConfig
from colloque.errors import AntivirusUnavailable, Refused
from colloque.mail.clamd import Clamd, Clean, Infected, Unscanned, Verdict
from colloque.mail.documents import is_archive, is_cda
from colloque.mail.message import Attachment
from colloque.matrix.home import text
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_mssante.mapping.cards import Card, cards_of
from colloque_mssante.mapping.mapping import Draft
from colloque_mssante.texts import scanning as texts

INFECTED = "mail.infected"
"""The act's kind in the journal."""
_OLD = "mssante.antivirus.old"
_TRIES = 3
"""Failures of clamd on one file after which the file is to blame: it must not hold up a mailbox for ever."""
_REMEMBERED = 1000
"""Files whose failures are counted at most."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scanned:
    """A mail's attachments, and what was found in each."""

    files: tuple[Attachment, ...] = field(repr=False)
    verdicts: tuple[Verdict, ...]
    cards: tuple[Card, ...] = ()
    """The clinical documents they hold; none where a file is not clean."""

    @property
    def infected(self) -> int:
        """How many are withheld."""
        return sum(isinstance(verdict, Infected) for verdict in self.verdicts)

    def shown(self, drafts: Sequence[Draft], mailbox: str) -> list[Draft]:
        """`drafts` of the mail that arrived in `mailbox` (see `mapping.to_drafts`), without what is withheld."""
        by_rank = dict(enumerate(self.verdicts, 1))
        return [_shown(draft, by_rank.get(draft.rank, Clean()), mailbox) for draft in drafts]


def _shown(draft: Draft, verdict: Verdict, mailbox: str) -> Draft:
    if draft.file is None:
        return draft
    match verdict:
        case Infected(signature):
            words = texts.withheld(draft.file.name, signature, mailbox)
            return Draft(draft.rank, text(words) | draft.content)
        case Unscanned(reason):
            return replace(draft, content=draft.content | {"body": texts.unscanned(reason)})
    return draft


class Scanning:
    """One instance a process. Without a configuration everything passes, unscanned and unmarked."""

    def __init__(self, config: AntivirusConfig | None, *, incidents: Incidents, journal: Journal, clock: Clock) -> None:
        self._clamd = Clamd(config) if config is not None else None
        self._old_after = timedelta(days=config.signatures_days if config is not None else 0)
        self._incidents = incidents
        self._journal = journal
        self._clock = clock
        self._failures: Counter[bytes] = Counter()

    async def scan(self, files: Sequence[Attachment]) -> Scanned:
        """Of a mail's attachments, whole. Raises AntivirusUnavailable: the mail must wait.

        What a document holds encoded, where clamd does not look, is scanned by itself; it condemns what it came in.
        """
        verdicts = [await self._verdict(each.data) for each in files]
        if not files or not all(isinstance(verdict, Clean) for verdict in verdicts):
            return Scanned(tuple(files), tuple(verdicts))
        cards = await asyncio.to_thread(cards_of, files)
        for inner in [item for card in cards for item in card.files]:
            verdict = await self._verdict(inner.data)
            if isinstance(verdict, Infected):
                found = (verdict if is_archive(each) or is_cda(each) else Clean() for each in files)
                return Scanned(tuple(files), tuple(found))
        return Scanned(tuple(files), tuple(verdicts), cards)

    async def check(self, files: Sequence[Attachment]) -> None:
        """Files that are to leave. Raises Refused with what their writer reads, AntivirusUnavailable."""
        if self._clamd is not None and (await self.scan(files)).infected:
            raise Refused("infected", texts.NOT_SENT)

    async def problem(self) -> str:
        """For health. Signatures that are too old are told of in the admin room: clamd still serves."""
        if self._clamd is None:
            return ""
        try:
            version = await self._clamd.version()
        except AntivirusUnavailable as error:
            return error.code
        made = version.signatures_at
        if made is not None and self._clock.now() - made > self._old_after:
            await self._incidents.open(_OLD, texts.INCIDENT_OLD)
        else:
            await self._incidents.close(_OLD)
        return ""

    async def tell(self, scanned: Scanned, *, actor: str, room: str, ref: str) -> str:
        """Everything of the mail is shown: the journal and the admin room learn what was withheld, each once.

        `room` and `ref` are tokens of the room and the mail. The act for `told`; empty where nothing was withheld.
        """
        if not scanned.infected:
            return ""
        # An act, not a note: what a crash leaves open is found again by `ref` when the mail comes again.
        act = self._journal.begin(INFECTED, actor=actor, room=room, ref=ref, files=scanned.infected)
        await self._incidents.open(f"mssante.infected.{ref}", texts.INCIDENT_INFECTED)
        logs.event(logger, INFECTED, files=scanned.infected)
        return act

    async def told(self, act: str, ref: str) -> None:
        """The mail will not come again: the act ends, and its incident (told once, there is nothing to wait for)."""
        if act:
            await self._incidents.close(f"mssante.infected.{ref}")
            self._journal.end(act, "withheld")

    async def _verdict(self, data: bytes) -> Verdict:
        if self._clamd is None:
            return Clean()
        name = hashlib.sha256(data).digest()
        try:
            verdict = await self._clamd.scan(data)
        except AntivirusUnavailable as error:
            if not error.received:
                raise
            if len(self._failures) >= _REMEMBERED:
                self._failures.clear()
            self._failures[name] += 1
            if self._failures[name] < _TRIES:
                raise
            verdict = Unscanned("failed")
        else:
            self._failures.pop(name, None)
        if isinstance(verdict, Unscanned):
            logs.event(logger, "attachment.unscanned", reason=verdict.reason)
        return verdict
