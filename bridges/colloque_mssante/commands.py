"""The bridge's commands: what they answer. Who may use them where stands in `colloque.commands`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call
from colloque.matrix.home import Incoming
from colloque.numbers import day_in_paris
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.rules.sends import OPEN
from colloque_mssante.rules.teams import Teams
from colloque_mssante.sharing.handled import Handled
from colloque_mssante.store.choices import OFF, PAUSED, Choices
from colloque_mssante.store.mailboxes import Mailboxes
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.texts import boxes as texts_boxes
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import teams as texts_teams

_SENDS = 5
_OLDEST = timedelta(days=366)
"""How old the mails may be that `!boite connecter` shows on request."""


class Commands:
    """Handlers by command name. `wake` tells the sender of new work, `look` its readers that one opened or closed."""

    def __init__(
        self,
        *,
        mailboxes: Mailboxes,
        credentials: Credentials,
        choices: Choices,
        teams: Teams,
        handled: Handled,
        outbox: Outbox,
        incidents: Incidents,
        journal: Journal,
        clock: Clock,
        wake: Callable[[], None],
        look: Callable[[], Awaitable[None]],
    ) -> None:
        self._mailboxes = mailboxes
        self._look = look
        self._credentials = credentials
        self._choices = choices
        self._teams = teams
        self._handled = handled
        self._journal = journal
        self._clock = clock
        self._outbox = outbox
        self._wake = wake
        self._incidents = incidents
        self.table: Mapping[str, Handler] = {
            "boite etat": self.box_state,
            "boite connecter": self.box_open,
            "boite pause": self.box_pause,
            "boite deconnecter": self.box_off,
            "envois": self.sends,
            "renvoyer": self.resend,
            "etat": self.state,
        }

    async def box_state(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!boite etat`."""
        lines: list[tuple[str, str, datetime | None]] = []
        states = await self._mailboxes.states()
        for box in await self._choices.of(said.sender):
            if box.closed:
                lines.append((box.address.value, box.closed, box.at))
            elif box.address in states:
                lines.append((box.address.value, states[box.address], None))
        words = [texts_boxes.boxes(lines)] if lines else []
        for mailbox in self._teams.of(said.sender):
            state = texts_boxes.state_of(states.get(mailbox, ""))
            words.append(texts_teams.shared(mailbox.value, state, await self._handled.waiting(mailbox)))
        await reply("\n".join(words) or texts.NO_BOX)

    async def box_open(self, call: Call, said: Incoming, reply: Reply) -> None:
        """`!boite connecter`, with a day where older mails are wanted."""
        before = await self._choices.of(said.sender)
        if not before:
            await reply(texts.NO_BOX)
            return
        since, today = None, self._clock.now()
        if call.rest:
            since = day_in_paris(call.rest, today)
            if since is None or not timedelta() <= today - since <= _OLDEST:
                await reply(texts_boxes.OPEN_HOW)
                return
        states = await self._mailboxes.states()
        if since is None and all(states.get(box.address) == "ok" for box in before):
            await reply(texts_boxes.OPEN_ALREADY)
            return
        after = await self._choices.open(said.sender, since)
        await self._look()
        self._journal.note("mailbox.opened", actor=said.sender)
        resumed = {box.address: box.at for box in before if box.closed == PAUSED and since is None}
        said_so = texts_boxes.opened([(box.address.value, box.since, resumed.get(box.address)) for box in after])
        shut = any(self._credentials.waits(box.address) for box in after)
        await reply(f"{said_so}\n{texts_boxes.TO_OPEN}" if shut else said_so)

    async def box_pause(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!boite pause`."""
        await self._close(said, reply, PAUSED)

    async def box_off(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!boite deconnecter`."""
        await self._close(said, reply, OFF)

    async def _close(self, said: Incoming, reply: Reply, how: str) -> None:
        boxes = await self._choices.close(said.sender, how)
        await self._look()
        for box in boxes if how == OFF else ():
            await self._outbox.hurry(box.address)  # what still waits ends now, and its writers read so
        self._wake()
        if boxes:
            self._journal.note("mailbox.paused" if how == PAUSED else "mailbox.closed", actor=said.sender)
        await reply(texts_boxes.closed([box.address.value for box in boxes], how) if boxes else texts.NO_BOX)

    async def sends(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!envois`: the person's last ones."""
        found = await self._outbox.last_of(said.sender, _SENDS)
        lines = [
            (send.made_at, ", ".join(send.recipients), texts.state_word(send.state, send.status)) for send in found
        ]
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
            await reply(texts.not_resendable(send.state, send.status))

    async def state(self, _call: Call, _said: Incoming, reply: Reply) -> None:
        """`!etat` in the admin room."""
        states = list((await self._mailboxes.states()).values())
        counts = await self._outbox.counts()
        await reply(
            texts.admin_state(
                boxes_ok=states.count("ok"),
                boxes_waiting=sum(state in {"waiting", "starting", "unscanned"} for state in states),
                boxes_stopped=states.count("refused") + states.count("tampered"),
                queue=sum(counts.get(state, 0) for state in OPEN),
                doubtful=counts.get("doubtful", 0),
                problems=[texts.incident(key) for key in await self._incidents.current()],
            )
            + texts_boxes.unopened(states.count("closed"))
        )
