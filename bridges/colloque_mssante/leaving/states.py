"""What rooms show of mails on their way out. It follows the stored state: the next pass repairs what a crash left."""

from __future__ import annotations

import logging

from colloque import logs
from colloque.errors import HomeRefused, Temporary
from colloque.identity import EventId, digest
from colloque.matrix.home import Home, reaction, text
from colloque_mssante.mapping.targets import Target
from colloque_mssante.rules.bell import Bell
from colloque_mssante.rules.sends import Send
from colloque_mssante.sharing.handled import Handled
from colloque_mssante.store.untold import Failure, Untold
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import refusals as texts_refusals
from colloque_mssante.texts import writing as texts_writing

_LOOK_S = 1.0

logger = logging.getLogger(__name__)


class States:
    """One instance a process."""

    def __init__(self, *, home: Home, untold: Untold, handled: Handled) -> None:
        self._home = home
        self._untold = untold
        self._handled = handled
        self._news = Bell()

    def wake(self) -> None:
        """A state changed."""
        self._news.ring()

    async def run(self) -> None:
        """Show every state, for ever."""
        while True:
            self._news.hush()
            await self.once()
            await self._handle()
            await self._news.heard(_LOOK_S)

    async def _handle(self) -> None:
        """An answer that left a shared mailbox deals with what it answers."""
        for send in await self._untold.to_handle():
            target = Target.load(send.target)
            try:
                if target is not None and target.in_reply_to is not None:
                    await self._handled.by_answer(send, target.in_reply_to)
            except Temporary as error:
                logs.event(logger, "handled.deferred", code=error.code)
                return
            await self._untold.handled(send.key)

    async def once(self) -> None:
        """Show each writer the state of their mail: a sign on their message, or words under it."""
        for send in (*await self._untold.to_tell(), *await self._untold.held()):
            try:
                await self._tell(send)
            except Temporary as error:
                logs.event(logger, "state.deferred", code=error.code)
                return
            except HomeRefused as error:
                # The room is gone: nobody is left to be told.
                logs.event(logger, "state.refused", code=error.errcode)
                await self._untold.told(send.key, send.state, EventId(""))
        for failure in await self._untold.failures():
            try:
                by = await self._tell_failure(failure)
            except Temporary as error:
                logs.event(logger, "state.deferred", code=error.code)
                return
            except HomeRefused as error:
                logs.event(logger, "state.refused", code=error.errcode)
                by = EventId("")
            await self._untold.told_failure(failure, by)

    async def _tell(self, send: Send) -> None:
        assert send.room is not None
        assert send.event is not None
        txn = digest(f"{send.key} {send.state} {send.status} {send.tries}")
        sign = _SIGNS.get(send.state)
        if sign is not None:
            by = await self._home.send(send.room, reaction(send.event, sign), txn=txn, type_="m.reaction")
        else:
            by = await self._home.send(send.room, text(_words(send), reply_to=send.event), txn=txn)
        await self._untold.told(send.key, send.state, by)

    async def _tell_failure(self, failure: Failure) -> EventId:
        send = failure.send
        assert send.room is not None
        words = texts_refusals.failed_at(failure.recipient, failure.status)
        txn = digest(f"{send.key} failed at {failure.recipient}")
        return await self._home.send(send.room, text(words, reply_to=send.event), txn=txn)


_SIGNS = {
    "queued": texts.DEFERRED,
    "sent": texts.SENT,
    "delivered": texts.DELIVERED,
    "read": texts.READ,
    "deferred": texts.DEFERRED,
}


def _words(send: Send) -> str:
    match send.state, send.status:
        case "doubtful", _:
            return texts.doubtful()
        case "failed", status:
            return texts.failed(status)
        case _, "login":
            return texts.login_refused()
        case _, "withdrawn":
            return texts_writing.WITHDRAWN
        case _, status:
            return texts.refused(status)
