"""People are told of new sessions and of a replaced encryption identity; `!sessions` shows and closes their sessions.

Who must be looked at is written down when the homeserver announces it, before its position is saved: a crash only
delays what is told.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call, digits, fold
from colloque.errors import HomeRefused
from colloque.identity import UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.admin import Session
from colloque.matrix.home import Home, Incoming, text
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.store.sessions import KnownSessions, NewIdentity
from colloque_annuaire.texts import sessions as texts

log = logging.getLogger(__name__)

PROOF_S = 900.0
"""A replaced identity for which nobody has proved anything in that time before is told to the administrators too."""
_CLOSE = frozenset({"fermer", "close", "ferme"})


class Server(Protocol):
    """What the homeserver knows of an account's sessions (`colloque.matrix.admin.SynapseAdmin`)."""

    async def sessions(self, user: UserId) -> tuple[Session, ...]:
        """Every session. Raises HomeUnavailable, HomeRefused."""
        ...

    async def close_sessions(self, user: UserId, devices: Sequence[str]) -> None:
        """End these: their tokens no longer count."""
        ...


Masters = Callable[[UserId], Awaitable[str | None]]
"""The public master key of an account's encryption identity; None when it has none."""
Proved = Callable[[UserId, datetime], Awaitable[bool]]
"""Whether somebody has proved since then that the account is theirs."""


class Sessions:
    """One instance a service."""

    def __init__(
        self,
        *,
        known: KnownSessions,
        server: Server,
        masters: Masters,
        home: Home,
        homes: Homes,
        incidents: Incidents,
        journal: Journal,
        clock: Clock,
        proved: Proved,
    ) -> None:
        self._known = known
        self._server = server
        self._masters = masters
        self._proved = proved
        self._home = home
        self._homes = homes
        self._incidents = incidents
        self._journal = journal
        self._clock = clock

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"sessions": self.command}

    async def changed(self, users: Sequence[UserId] | None) -> None:
        """Devices or identities of these may be different. (None, "anybody's": what was missed is announced again.)"""
        mine = [user for user in users or () if self._homes.is_person(user)]
        if mine:
            await self._known.look_at(mine)

    async def run_once(self) -> None:
        """Look at all accounts that may have changed, then tell who was not told. Raises HomeUnavailable."""
        for user in await self._known.to_look_at():
            try:
                devices = {session.device: session.name for session in await self._server.sessions(user)}
                master = await self._masters(user)
            except HomeRefused as error:
                # No such account any more.
                log_event(log, "sessions.refused", level=logging.WARNING, code=error.errcode)
                devices, master = {}, None
            if await self._known.looked(user, devices, master, self._clock.now()):
                self._journal.note("person.identity_replaced", actor=user)
        for new in await self._known.untold_sessions():
            await self._tell(
                new.user, texts.new_session(new.name, new.at), f"session-{digest(f'{new.user} {new.device}')}"
            )
            await self._known.session_told(new)
        for replaced in await self._known.untold_identities():
            await self._tell_identity(replaced)
            await self._known.identity_told(replaced)

    async def _tell_identity(self, new: NewIdentity) -> None:
        ref = digest(f"{new.user} {new.master}")
        if not await self._proved(new.user, new.at - timedelta(seconds=PROOF_S)):
            key = f"identity.unproved.{ref}"
            await self._incidents.open(key, texts.UNPROVED)
            await self._incidents.close(key)
        await self._tell(new.user, texts.new_identity(new.at), f"identity-{ref}", everywhere=True)

    async def _tell(self, user: UserId, said: str, txn: str, *, everywhere: bool = False) -> None:
        """`everywhere`: on devices that the present identity has not signed, too: the person's, or a thief's."""
        send = self._home.send_to_all_devices if everywhere else self._home.send
        try:
            await send(await self._homes.ensure(user), text(said), txn=txn)
        except HomeRefused as error:
            log_event(log, "sessions.not_told", level=logging.WARNING, code=error.errcode)

    async def command(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!sessions`, `!sessions fermer`, `!sessions fermer N`."""
        # The session that types is never closed: so whoever closes the others keeps theirs.
        found = await self._server.sessions(message.sender)
        others = [session for session in found if session.device != message.device]
        if not any(fold(word) in _CLOSE for word in call.words):
            await reply(texts.listing([s for s in found if s.device == message.device], others))
            return
        typed = digits(" ".join(word for word in call.words if fold(word) not in _CLOSE))
        chosen = others if not typed else others[int(typed[:4]) - 1 : int(typed[:4])] if int(typed[:4]) > 0 else []
        if not chosen:
            await reply(texts.NOTHING_TO_CLOSE if not typed else texts.NO_SUCH_SESSION)
            return
        act = self._journal.begin("person.close_sessions", actor=message.sender, ref=digest(message.event))
        await self._server.close_sessions(message.sender, [session.device for session in chosen])
        self._journal.end(act, "closed", count=len(chosen))
        await reply(texts.closed(len(chosen)))

    async def settle(self) -> None:
        """At start: an interrupted closing is done again when its command is heard again."""
        for intent in self._journal.open_intents():
            if intent.kind == "person.close_sessions":
                self._journal.end(intent.act, "interrupted")
