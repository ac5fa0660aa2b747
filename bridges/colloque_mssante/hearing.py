"""Hearing what people say, wired: commands and mail rooms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from colloque.bot import Bot, Reply
from colloque.bot_service import Parts
from colloque.commands import Owner
from colloque.config import Config
from colloque.identity import UserId
from colloque.matrix.home import Incoming
from colloque.rights import Rights
from colloque_mssante.access.known import Known
from colloque_mssante.access.opening_words import OpeningWords
from colloque_mssante.arriving.quiet import Quiet
from colloque_mssante.commands import Commands
from colloque_mssante.ends.lasting import Lasting
from colloque_mssante.guests.hosting import Meeting
from colloque_mssante.leaving.writing import Writing
from colloque_mssante.listener import Listener
from colloque_mssante.mailboxes.reading import Reading
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.people.crypto import Accounts
from colloque_mssante.sharing.sharing import Sharing
from colloque_mssante.store.mailboxes import Mailboxes
from colloque_mssante.store.outbox import Outbox


def open_hearing(
    *,
    config: Config,
    parts: Parts,
    rights: Rights,
    accounts: Accounts,
    known: Known,
    mailboxes: Mailboxes,
    outbox: Outbox,
    conversations: Conversations,
    writing: Writing,
    sharing: Sharing,
    meeting: Meeting,
    lasting: Lasting,
    quiet: Quiet,
    reading: Reading,
    opening: OpeningWords,
    is_ours: Callable[[UserId], bool],
    wake: Callable[[], None],
    look: Callable[[], Awaitable[None]],
) -> Listener:
    """All of it, on the service's parts. `wake`: something changed in the outbox; `look`: in what is to be read."""
    commands = Commands(
        mailboxes=mailboxes,
        credentials=known.credentials,
        choices=known.choices,
        teams=known.teams,
        handled=sharing.handled,
        outbox=outbox,
        incidents=parts.incidents,
        journal=parts.journal,
        clock=parts.clock,
        wake=wake,
        look=look,
    )

    async def listen(said: Incoming, _reply: Reply) -> None:
        await listener.answer(said)

    bot = Bot(
        me=Owner.MSSANTE,
        home=parts.home,
        config=config,
        is_attested=rights.is_verified,
        administers=rights.administers,
        handlers={
            **commands.table,
            **writing.commands.table,
            **sharing.table,
            **meeting.table,
            **lasting.table,
            **opening.table,
        },
        handled=parts.handled,
        listen=listen,
    )
    listener = Listener(
        accounts=accounts,
        home=parts.home,
        rooms=parts.rooms,
        bot=bot,
        conversations=conversations,
        outbound=writing.outbound,
        reading=reading,
        quiet=quiet,
        handled=sharing.handled,
        team_rooms=sharing.rooms,
        hosting=meeting.hosting,
        talk=meeting.talk,
        life=lasting.rooms,
        opening=opening,
        is_ours=is_ours,
    )
    return listener
