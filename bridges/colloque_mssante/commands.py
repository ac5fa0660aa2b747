"""The bridge's commands: what they answer. Who may use them where stands in `colloque.commands`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from colloque.bot import Handler, Reply
from colloque.commands import Call
from colloque.matrix.home import Incoming
from colloque.store.incidents import Incidents
from colloque_mssante import texts
from colloque_mssante.outbox import OPEN, Outbox
from colloque_mssante.store import Mailboxes
from colloque_mssante.watch import Watcher

_SENDS = 5


class Commands:
    """Handlers by command name. `wake` tells the sender of new work."""

    def __init__(
        self,
        *,
        watcher: Watcher,
        mailboxes: Mailboxes,
        outbox: Outbox,
        incidents: Incidents,
        wake: Callable[[], None],
    ) -> None:
        self._watcher = watcher
        self._mailboxes = mailboxes
        self._outbox = outbox
        self._wake = wake
        self._incidents = incidents
        self.table: Mapping[str, Handler] = {
            "boite etat": self.box_state,
            "envois": self.sends,
            "renvoyer": self.resend,
            "etat": self.state,
        }

    async def box_state(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!boite etat`."""
        lines = [
            (address.value, self._watcher.states[address])
            for address in await self._mailboxes.of(said.sender)
            if address in self._watcher.states
        ]
        await reply(texts.boxes(lines) if lines else texts.NO_BOX)

    async def sends(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!envois`: the person's last ones."""
        found = await self._outbox.last_of(said.sender, _SENDS)
        lines = [(send.made_at, ", ".join(send.recipients), send.state) for send in found]
        await reply(texts.sends(lines) if lines else texts.NO_SENDS)

    async def resend(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!renvoyer`, as a reply to the message in doubt or to what was said of it."""
        send = await self._outbox.of_event(said.reply_to) if said.reply_to is not None else None
        if send is None or send.owner != said.sender or send.room != said.room:
            await reply(texts.RESEND_WHAT)
        elif await self._outbox.again(send.key, asked_by=said.event):
            self._wake()
            await reply(texts.RESEND_DONE)
        else:
            await reply(texts.not_resendable(send.state))

    async def state(self, _call: Call, _said: Incoming, reply: Reply) -> None:
        """`!etat` in the admin room."""
        states = list(self._watcher.states.values())
        counts = await self._outbox.counts()
        await reply(
            texts.admin_state(
                boxes_ok=states.count("ok"),
                boxes_waiting=states.count("waiting") + states.count("starting"),
                boxes_stopped=states.count("refused") + states.count("tampered"),
                queue=sum(counts.get(state, 0) for state in OPEN),
                doubtful=counts.get("doubtful", 0),
                problems=[texts.incident(key) for key in await self._incidents.current()],
            )
        )
