"""The bridge's side of the keeper: who has a Pro Santé Connect session, and the token of one at each login."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from colloque import logs
from colloque.calls import JsonDict
from colloque.clock import from_millis, monotonic
from colloque.directory.lookup import Directory
from colloque.errors import Final, Inconsistent, MailDeferred, NotFound, Refused, ServiceUnavailable, Temporary
from colloque.identity import MssanteAddress, Rpps, UserId
from colloque.mail.access import XOAuth2
from colloque.professional import MailboxKind
from colloque.sockets import Client
from colloque_mssante.access.token_keeper import CLOSED, digest_of

LOOK_S = 1.0
AWAY_S = 60.0
"""When the keeper was silent for that long, no session counts any more: nobody knows whether it goes on."""
AWAY = "keeper.unavailable"

logger = logging.getLogger(__name__)


class MailboxClosed(MailDeferred):
    """Its holder has no Pro Santé Connect session now: it opens when they approve."""

    code = "mailbox.closed"


@dataclass(frozen=True, slots=True)
class OnApproval:
    """What opens a mailbox: a session of its holder's. The keeper has its token, and shows it at each login."""

    rpps: Rpps
    session: str | None
    """Which one: another is another credential. Empty while there is none; None before the keeper ever answered."""

    mechanism = "XOAUTH2"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on somebody's phone, or what became of one."""

    id: str
    binding: str
    """Two digits, shown here and there."""
    until: datetime
    reason: str = ""
    """Why it opened nothing (`psc.claims.No`); empty while nobody answered."""


class Sessions:
    """One instance a process. `update` is called again and again."""

    def __init__(
        self, keeper: Client, directory: Directory, domains: Collection[str], holds: Callable[[UserId, Rpps], bool]
    ) -> None:
        """`domains`: those whose PER mailboxes open so. `holds`: is that account verified as that number's today?"""
        self._keeper = keeper
        self._directory = directory
        self._domains = frozenset(domains)
        self._holds = holds
        self._open: dict[Rpps, str] | None = None
        self._questions: dict[Rpps, Asked] = {}
        self._heard_at = monotonic()
        self.problem = ""
        """What is wrong with the keeper or with what it asks, as a code."""
        self.version = 0
        """Grows with every session that begins or ends."""

    @property
    def known(self) -> bool:
        """False before the keeper ever answered, and while it has been silent for too long."""
        return self._open is not None

    def opens(self, address: MssanteAddress, user: UserId | None) -> OnApproval | None:
        """What opens a mailbox, where that is a session: never for another `user` than its holder.

        Raises Temporary while the directory can't say whose it is.
        """
        if address.domain not in self._domains:
            return None
        try:
            box = self._directory.by_mssante(address)
        except (NotFound, Inconsistent) as error:
            raise Temporary("the directory does not say whose the mailbox is") from error
        if box is None or box.kind is not MailboxKind.PER or box.rpps is None:
            return None
        if user is not None and not self._holds(user, box.rpps):
            return None
        return OnApproval(box.rpps, None if self._open is None else self._open.get(box.rpps, ""))

    def of(self, rpps: Rpps) -> str:
        """Somebody's session; empty when they have none."""
        return (self._open or {}).get(rpps, "")

    def question(self, rpps: Rpps) -> Asked | None:
        """What somebody's phone was asked last, as far as it was not forgotten."""
        return self._questions.get(rpps)

    async def run(self) -> None:
        """Follow the keeper, for ever."""
        while True:
            await self.update()
            await asyncio.sleep(LOOK_S)

    async def update(self) -> None:
        """Learn what changed. Whether the keeper answers stands in `problem`."""
        try:
            told = await self._call("state")
            found = {Rpps(rpps): str(session) for rpps, session in told["sessions"].items()}
            self._questions = {Rpps(rpps): _asked(raw) for rpps, raw in told["questions"].items()}
            self.problem = str(told["problem"])
            self._heard_at = monotonic()
        except (Temporary, Refused) as error:
            if self.problem != AWAY:
                logs.event(logger, AWAY, level=logging.WARNING, code=error.code)
            self.problem = AWAY
            if self._open is None or monotonic() - self._heard_at < AWAY_S:
                return
            found = None
        if found != self._open:
            self._open = found
            self.version += 1

    async def token(self, auth: OnApproval, *, refused: XOAuth2 | None = None) -> XOAuth2:
        """What to show a mail server now; another than the one that was `refused`. Raises MailboxClosed, Temporary."""
        if auth.session is None:
            raise ServiceUnavailable("the keeper was not heard yet")
        digest = digest_of(refused.token) if refused is not None else ""
        try:
            found = await self._call("token", rpps=auth.rpps.value, refused=digest)
        except Refused as no:
            if no.reason != CLOSED:
                raise ServiceUnavailable("the keeper does not hear us") from None
            raise MailboxClosed("its holder has no session") from None
        return XOAuth2(str(found["token"]))

    async def ask(self, rpps: Rpps) -> Asked:
        """Put the question on somebody's phone, once. Raises Refused (`psc.claims.No`), Temporary."""
        found = self._questions[rpps] = _asked(await self._call("ask", rpps=rpps.value))
        return found

    async def keep_only(self, wanted: Collection[Rpps]) -> None:
        """Let go of everybody else's. Raises Temporary."""
        for rpps in {*(self._open or {}), *self._questions} - set(wanted):
            await self._call("drop", rpps=rpps.value)

    async def _call(self, verb: str, **args: object) -> JsonDict:
        """What only an operator can mend (our name at Pro Santé Connect, say) stands in `problem`: it may be mended."""
        try:
            return await self._keeper.call(verb, **args)
        except Final as error:
            raise ServiceUnavailable(f"the keeper can't do it ({error.code})") from None


def _asked(raw: JsonDict) -> Asked:
    return Asked(str(raw["id"]), str(raw["binding"]), from_millis(int(raw["until"])), str(raw["reason"]))
