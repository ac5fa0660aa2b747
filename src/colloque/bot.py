"""What every bot does with what it hears: who answers, who may, and what happens when something breaks.

Each bot hears every line; exactly one answers. Handlers may be called again for the same event (after a crash, or
while something is unavailable): every reply's transaction is derived from the event, so nobody reads it twice.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from colloque import texts
from colloque.clock import PARIS
from colloque.commands import COMMANDS, Call, Command, Owner, Right, Unknown, parse
from colloque.config import Config
from colloque.errors import HomeRefused, HomeUnavailable, Temporary
from colloque.identity import EventId, RoomId, UserId, digest, localpart, server_of
from colloque.logs import event as log_event
from colloque.logs import reference
from colloque.matrix.home import Echo, Heard, Home, Incoming, MemberChange, Read, Unreadable, text, without_quote
from colloque.patience import patiently
from colloque.rooms.mark import RoomKind, RoomMark

RETRY_S = 20.0
"""How long a handler is tried again while something other than the homeserver is unavailable."""
SPEAKER = {
    RoomKind.HOME: Owner.ANNUAIRE,
    RoomKind.ADMIN: Owner.ANNUAIRE,
    RoomKind.PATIENT: Owner.SALLES,
    RoomKind.MAIL: Owner.MSSANTE,
}
"""The one bot that speaks for all in a room: unknown commands, devices to sign."""
_LISTENED = frozenset({RoomKind.PATIENT, RoomKind.MAIL})
_PLAIN_BY_NATURE = frozenset({"m.reaction", "m.room.redaction"})
_SAID = frozenset({"m.room.message", "m.sticker", "m.poll.start", "org.matrix.msc3381.poll.start"})
"""Types by which a person says something; the rest (calls, verification) is between programs."""
_FILES = frozenset({"m.file", "m.image", "m.video", "m.audio"})
logger = logging.getLogger(__name__)


class Reply(Protocol):
    """Answers the person, as a rich reply to their message."""

    async def __call__(self, body: str, html: str | None = None) -> EventId:
        """Raises HomeUnavailable, HomeRefused."""
        ...


class Memory(Protocol):
    """What was handled already (`colloque.store.handled.Handled`)."""

    async def seen(self, event: EventId) -> bool:
        """True when it was marked."""
        ...

    async def mark(self, event: EventId, room: RoomId) -> None:
        """Mark it, durably."""
        ...


Handler = Callable[[Call, Incoming, Reply], Awaitable[None]]
Listener = Callable[[Incoming, Reply], Awaitable[None]]
Answers = Callable[[Incoming, Reply], Awaitable[bool]]


class Bot:
    """The dispatcher of one bot. `handlers` are by command name; all that the bot must answer have to be there.

    `listen` gets what is no command in patient and mail rooms: encrypted events from signed devices (edits and files
    too), and reactions and redactions, which Matrix never encrypts. `answers` gets the texts that are no command in a
    home room where this bot speaks: True says that it had asked something, and that this settles it.
    """

    def __init__(
        self,
        *,
        me: Owner,
        home: Home,
        config: Config,
        is_attested: Callable[[UserId], bool],
        administers: Callable[[UserId], bool],
        handlers: Mapping[str, Handler],
        handled: Memory,
        listen: Listener | None = None,
        answers: Answers | None = None,
    ) -> None:
        missing = {c.name for c in COMMANDS if c.owner is me or c.everyone} - set(handlers)
        if missing:
            raise ValueError(f"@{me} has no handler for: {', '.join(sorted(missing))}")
        self._me = me
        self._home = home
        self._config = config
        self._is_attested = is_attested
        self._administers = administers
        self._handlers = handlers
        self._handled = handled
        self._listen = listen
        self._answers_to = answers

    async def hear(self, heard: Heard) -> None:
        """Answer if it is ours to answer. While the homeserver is away it waits for it, however long.

        Raises only when the database does not answer: then nothing was marked, and the event comes again.
        """
        if isinstance(heard, MemberChange | Echo | Read) or self._is_ours(heard.sender):
            return
        try:
            await patiently(lambda: self._once(heard), for_s=math.inf)
        except HomeRefused as error:
            # We were removed, or the room is gone: nobody is left to be told.
            log_event(logger, "bot.refused", level=logging.WARNING, errcode=error.errcode)

    async def _once(self, heard: Incoming | Unreadable) -> None:
        mark = await self._home.mark_of(heard.room)
        if mark is None or not self._concerns(heard.sender, mark) or await self._handled.seen(heard.event):
            return
        try:
            await patiently(lambda: self._dispatch(heard, mark.kind), for_s=RETRY_S)
        except HomeUnavailable:
            raise
        except Temporary as error:
            log_event(logger, "bot.unavailable", level=logging.WARNING, code=error.code)
            # Raises while it could not be marked: whoever is told "later" writes again, and this must not be taken too.
            await self._handled.seen(heard.event)
            await self._reply(heard, "later")(texts.TRY_LATER)
        except Exception:
            told = reference()
            logger.exception("bot.handler_failed reference=%s", told)
            await self._reply(heard, "failed")(texts.failed(told))
        await self._handled.mark(heard.event, heard.room)

    async def _dispatch(self, heard: Incoming | Unreadable, kind: RoomKind) -> None:
        if isinstance(heard, Unreadable):
            await self._reply(heard)(texts.UNREADABLE)
        elif heard.type in _PLAIN_BY_NATURE:
            await self._other(heard, kind)
        elif heard.type not in _SAID and not heard.device_signed:
            return
        elif not heard.encrypted:
            await self._speak(heard, kind, texts.NOT_ENCRYPTED)
        elif not heard.device_signed:
            await self._ask_to_sign(heard, kind)
        else:
            await self._trusted(heard, kind)

    async def _trusted(self, message: Incoming, kind: RoomKind) -> None:
        is_text = message.type == "m.room.message" and message.msgtype == "m.text" and not _is_edit(message)
        match parse(without_quote(message.body)) if is_text else None:
            case Call() as call:
                await self._command(call, message, kind)
            case _ if is_text and await self._settles(message, kind):
                pass
            case Unknown(near=near):
                await self._speak(message, kind, texts.unknown_command(near))
            case _ if kind in _LISTENED:
                await self._other(message, kind)
            case _ if is_text or message.msgtype in _FILES:
                await self._speak(message, kind, texts.ONLY_COMMANDS)

    async def _command(self, call: Call, message: Incoming, kind: RoomKind) -> None:
        command = call.command
        if kind.value not in command.rooms:
            await self._speak(message, kind, texts.wrong_room(command))
        elif self._answers(command):
            reply = self._reply(message)
            if command.right is Right.ATTESTED and not self._is_attested(message.sender):
                await reply(texts.NOT_ATTESTED)
            else:
                await self._handlers[command.name](call, message, reply)

    async def _other(self, message: Incoming, kind: RoomKind) -> None:
        if self._listen is not None and kind in _LISTENED:
            await self._listen(message, self._reply(message))

    async def _settles(self, message: Incoming, kind: RoomKind) -> bool:
        if self._answers_to is None or kind is not RoomKind.HOME or SPEAKER[kind] is not self._me:
            return False
        return await self._answers_to(message, self._reply(message))

    async def _speak(self, message: Incoming, kind: RoomKind, body: str) -> None:
        if SPEAKER[kind] is self._me:
            await self._reply(message)(body)

    async def _ask_to_sign(self, message: Incoming, kind: RoomKind) -> None:
        """Tell what to tap, in a way that this device can read: once a device and day."""
        if SPEAKER[kind] is not self._me:
            return
        day = message.sent_at.astimezone(PARIS).date().isoformat()
        once = EventId(f"unsigned-{digest(f'{message.sender} {message.device} {day}')}")
        if await self._handled.seen(once):
            return
        await self._home.send_to_all_devices(message.room, text(texts.UNSIGNED_DEVICE), txn=f"{self._me}.{once}")
        await self._handled.mark(once, message.room)

    def _reply(self, to: Incoming | Unreadable, about: str = "") -> Reply:
        count = 0

        async def reply(body: str, html: str | None = None) -> EventId:
            nonlocal count
            count += 1
            content = text(body, html=html, reply_to=to.event)
            return await self._home.send(to.room, content, txn=f"{self._me}.{to.event}.{about}{count}")

        return reply

    def _answers(self, command: Command) -> bool:
        return command.owner is self._me or command.everyone

    def _concerns(self, sender: UserId, mark: RoomMark) -> bool:
        if mark.kind is RoomKind.DIRECT:
            return False
        if mark.kind is RoomKind.ADMIN:
            return self._administers(sender)
        return mark.kind is not RoomKind.HOME or mark.owner in {None, sender}

    def _is_ours(self, user: UserId) -> bool:
        if server_of(user) != self._config.homeserver.server_name:
            return False
        return user in self._config.bots or localpart(user).startswith(self._config.mssante.ghost_prefix)


def _is_edit(message: Incoming) -> bool:
    relates = message.content.get("m.relates_to")
    return isinstance(relates, dict) and relates.get("rel_type") == "m.replace"
