"""What somebody of a mail room writes, changes, withdraws or taps, and what it does to their drafts.

Nothing is attached to a thread by guess: a message that names none is asked about, and nothing leaves before.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from colloque import logs
from colloque.clock import Clock
from colloque.errors import HomeRefused, Refused
from colloque.identity import EventId, RoomId, digest
from colloque.matrix.home import Home, Incoming, text
from colloque.taps import is_sign, looks_like_number
from colloque_mssante.leaving.composing import Composer
from colloque_mssante.leaving.gathering import By, Gathering
from colloque_mssante.leaving.recalling import Recalling
from colloque_mssante.leaving.whereto import WhereTo
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping import mapping, showing
from colloque_mssante.mapping.drafts import Draft, Line, RoomLocks
from colloque_mssante.mapping.mapping import Changed, No, Struck, Tap, Written
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import teams as texts_teams
from colloque_mssante.texts import writing as texts_writing

logger = logging.getLogger(__name__)


class Outbound:
    """One instance a process. `show`: bring a room's notices up to date."""

    def __init__(
        self,
        *,
        home: Home,
        composer: Composer,
        where_to: WhereTo,
        drafts: Drafts,
        outbox: Outbox,
        clock: Clock,
        locks: RoomLocks,
        gathering: Gathering,
        show: Callable[[RoomId], Awaitable[None]],
        wake: Callable[[], None],
    ) -> None:
        self._home = home
        self._composer = composer
        self._where_to = where_to
        self._drafts = drafts
        self._recalling = Recalling(drafts=drafts, outbox=outbox, where_to=where_to, gathering=gathering)
        self._clock = clock
        self._gathering = gathering
        self._show = show
        self._wake = wake
        self._locks = locks

    async def hear(self, said: Incoming, *, may: bool) -> None:
        """Take in one thing done in a mail room (commands apart: they are the bot's), by who may or not. Repeatable.

        Raises HomeUnavailable and other Temporary errors: nothing has left then.
        """
        meant = mapping.to_meant(said)
        if isinstance(meant, No):
            await self._not_for_mail(said, meant)
            return
        try:
            async with self._locks[said.room]:
                await self._take(said, meant, may=may)
        except Refused as refusal:
            logs.event(logger, "message.refused", reason=refusal.reason)
            await self._say(said, str(refusal), about=_about(meant, said.event))
        self._wake()

    async def _not_for_mail(self, said: Incoming, no: No) -> None:
        if no is not No.SILENT and _unsigned(said):
            await self._say_unsigned(said)  # a command, too: the bot hears none from such a device
        elif no in mapping.SAID:
            await self._say(said, mapping.SAID[no])

    async def _take(self, said: Incoming, meant: Written | Changed | Tap | Struck, *, may: bool) -> None:
        if isinstance(meant, Tap | Struck):  # Matrix encrypts neither
            if may:
                await (self._tapped(said, meant) if isinstance(meant, Tap) else self._struck(said, meant))
            return
        if _unsigned(said):
            await self._say_unsigned(said)
            return
        if not may:
            raise Refused("not_owner", texts.NOT_OWNER)
        if not said.encrypted:
            raise Refused("cleartext", texts.CLEARTEXT)
        self._composer.check_writer(said.sender)
        if await self._drafts.knows(said.event):
            return
        await (self._changed(said, meant.line) if isinstance(meant, Changed) else self._written(said, meant))

    # messages

    async def _written(self, said: Incoming, meant: Written) -> None:
        draft = await self._draft_named(said.room, meant.answers) if meant.answers else None
        if draft is not None:
            _check_own(draft, said)
            await self._to_draft(draft, meant.line)
        elif meant.answers or meant.root:
            target = await self._where_to.named(said.room, said.sender, meant.answers, meant.root)
            await self._gathering.to_target(By.of(said), target, meant.line)
        else:
            await self._loose(said, meant.line)

    async def _of_notice(self, room: RoomId, event: EventId) -> Draft | None:
        found = await self._drafts.of_notice(event)
        if found is None:
            await self._show(room)
            found = await self._drafts.of_notice(event)
        return found

    async def _draft_named(self, room: RoomId, event: EventId) -> Draft | None:
        """The draft that an event stands for: the bot's message about it, or one of its messages still to leave."""
        draft = await self._of_notice(room, event)
        if draft is None:
            own = await self._drafts.of_line(event)
            draft = own if own is not None and own.state in states.LIVE else None
        return draft

    async def _to_draft(self, draft: Draft, line: Line) -> None:
        """An answer to the bot's message about a draft: a number where it asks, else one more message of it."""
        if draft.state == states.ASKING and looks_like_number(line.words):
            await self._choose(draft, line.words, by=line.event)
        elif draft.state in states.LIVE:
            await self._gathering.add(draft, line)
        else:
            raise Refused("not_its_mail", texts.NOT_ITS_MAIL)

    async def _loose(self, said: Incoming, line: Line) -> None:
        """A message that names nothing: for the draft that such messages were said to be for, or to be asked about."""
        for draft in await self._drafts.live(said.room, said.sender):
            if draft.state == states.ASKING and looks_like_number(line.words):
                await self._choose(draft, line.words, by=line.event)
                return
            if draft.loose:
                await self._gathering.add(draft, line)
                return
        await self._gathering.ask(By.of(said), line, loose=True)

    # choices

    async def _tapped(self, said: Incoming, tap: Tap) -> None:
        draft = await self._of_notice(said.room, tap.on)
        if draft is None:
            if is_sign(tap.key, texts_writing.TO_ALL):
                await self.answer_all(said, tap.on)
            return
        _check_own(draft, said)
        if await self._drafts.knows(said.event):
            return  # heard again: it answers nothing that was asked since
        if is_sign(tap.key, texts_writing.CANCEL):
            await self._cancel(draft)
        elif is_sign(tap.key, texts_writing.SEND_NOW):
            if draft.state in {states.WAITING, states.CONFIRMING}:
                async with self._drafts.answered(draft, said.event):
                    await self._drafts.change(draft, state=states.WAITING, next_at=self._clock.now())
        elif draft.state == states.ASKING:
            await self._choose(draft, tap.key, by=said.event)

    async def _cancel(self, draft: Draft) -> None:
        if draft.state in states.LIVE:
            await self._drafts.end(draft, states.CANCELLED)
        elif draft.state == states.GONE:
            await self._recalling.take_back(draft)

    async def _choose(self, draft: Draft, said: str, *, by: EventId) -> None:
        """A number or a keycap; `by` is the message or the reaction that says it."""
        option = showing.chosen(draft, said)
        if option is None:
            raise Refused("not_a_number", texts_writing.NOT_A_NUMBER)
        target = option.target
        if option.join:
            into = await self._drafts.get(option.join)
            if into is None or into.state != states.WAITING:
                raise Refused("draft_gone", texts_writing.JOINED_TOO_LATE)
            async with self._drafts.answered(draft, by):
                await self._drafts.merge(draft, into, next_at=self._clock.now() + self._gathering.hold)
            return
        if target is None:
            pairs = await self._where_to.pairs(draft.room, draft.owner)
            if not pairs:
                raise Refused("no_address", texts_writing.NO_ADDRESS)
            async with self._drafts.answered(draft, by):
                await self._drafts.change(draft, options=pairs)
            return
        self._composer.check(draft.owner, target)
        state = states.WAITING if await self._drafts.lines(draft.id) else states.OPEN
        until = self._clock.now() + (self._gathering.hold if state == states.WAITING else showing.PATIENCE)
        async with self._drafts.answered(draft, by):
            if option.remember:
                await self._where_to.remember(draft.room, draft.owner, target)
            await self._drafts.change(draft, state=state, target=target, options=(), next_at=until)

    async def answer_all(self, said: Incoming, mail: EventId) -> None:
        """Begin an answer to everybody who got a mail: listed, and nothing leaves unconfirmed. Raises Refused."""
        target = await self._where_to.everyone(said.room, said.sender, mail)
        self._composer.check(said.sender, target)
        await self._drafts.begin(self._gathering.draft(By.of(said), states.OPEN, target), None)
        self._wake()

    # second thoughts

    async def _changed(self, said: Incoming, line: Line) -> None:
        draft = await self._drafts.of_line(line.event)
        if draft is None:
            return
        _check_own(draft, said)
        empty = not line.words.strip() and line.file is None
        if draft.state == states.GONE:
            await (self._recalling.take_back(draft) if empty else self._recalling.change(draft, By.of(said), line))
        elif draft.state in states.LIVE and empty:
            await self._drafts.strike(line.event)
            raise Refused("edited_away", texts_writing.EDITED_AWAY)
        elif draft.state in states.LIVE:
            async with self._drafts.answered(draft, said.event):
                await self._drafts.reword(line)

    async def _struck(self, said: Incoming, struck: Struck) -> None:
        draft = await self._drafts.of_line(struck.what)
        if draft is None:
            return
        _check_own(draft, said)
        if draft.state in states.LIVE:
            await self._drafts.strike(struck.what)
        elif draft.state == states.GONE:
            await self._recalling.take_back(draft)

    # words

    async def unreadable(self, room: RoomId, event: EventId) -> None:
        """A message that could not be decrypted: its writer must know that nothing left."""
        await self._home.send_to_all_devices(
            room, text(texts.UNREADABLE, reply_to=event), txn=_txn(event, "unreadable")
        )

    async def failed(self, said: Incoming) -> None:
        """Something broke on our side: its writer must know that nothing left."""
        try:
            await self._say(said, texts.FAILED)
        except HomeRefused as error:
            logs.event(logger, "reply.untold", level=logging.WARNING, errcode=error.errcode)

    async def _say(self, said: Incoming, words: str, *, about: EventId | None = None) -> None:
        await self._home.send(said.room, text(words, reply_to=about or said.event), txn=_txn(said.event, "said"))

    async def _say_unsigned(self, said: Incoming) -> None:
        note = text(texts.UNSIGNED_DEVICE, reply_to=said.event)
        await self._home.send_to_all_devices(said.room, note, txn=_txn(said.event, "unsigned"))


def _unsigned(said: Incoming) -> bool:
    return said.encrypted and not said.device_signed


def _check_own(draft: Draft, said: Incoming) -> None:
    """Of several people in a room, each writes their own mails."""
    if draft.owner != said.sender:
        raise Refused("not_yours", texts_teams.NOT_YOURS)


def _about(meant: Written | Changed | Tap | Struck, event: EventId) -> EventId:
    """The message that an answer is tied to: reactions and withdrawals can't be answered themselves."""
    match meant:
        case Tap(on=on):
            return on
        case Struck(what=what):
            return what
    return event


def _txn(event: EventId, use: str) -> str:
    return digest(f"{event} {use}")
