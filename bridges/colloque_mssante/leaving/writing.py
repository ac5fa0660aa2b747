"""Writing mails, wired: what `app` needs to know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from colloque.bot_service import Parts
from colloque.config import Config
from colloque.sockets import Client
from colloque_mssante.access.known import Known
from colloque_mssante.arriving.scanning import Scanning
from colloque_mssante.leaving.commands import WritingCommands
from colloque_mssante.leaving.composing import Composer
from colloque_mssante.leaving.gathering import Gathering
from colloque_mssante.leaving.leaving import Leaving
from colloque_mssante.leaving.outbound import Outbound
from colloque_mssante.leaving.whereto import WhereTo
from colloque_mssante.mapping.drafts import RoomLocks
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.mapping.threads import Threads
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.people.ghosts import Ghosts
from colloque_mssante.store.mails import Mails
from colloque_mssante.store.originals import Originals
from colloque_mssante.store.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Writing:
    """From what people do in mail rooms to mails in the outbox."""

    gathering: Gathering
    where_to: WhereTo
    drafts: Drafts
    locks: RoomLocks
    outbound: Outbound
    leaving: Leaving
    commands: WritingCommands


def open_writing(
    *,
    config: Config,
    parts: Parts,
    known: Known,
    conversations: Conversations,
    ghosts: Ghosts,
    mails: Mails,
    outbox: Outbox,
    scanning: Scanning,
    secret: bytes,
    sent: Callable[[], None],
) -> Writing:
    """All of it, on the service's parts. `sent` is called when a mail stands in the outbox."""
    drafts, threads = Drafts(parts.db, parts.clock), Threads(parts.db, parts.clock)
    locks = RoomLocks()
    hold = timedelta(seconds=config.mssante.gather_s)
    composer = Composer(
        config=config.mssante,
        home=parts.home,
        authors=known.authors,
        directory=known.directory,
        conversations=conversations,
        whitelisted=known.directory.whitelisted,
        scanning=scanning,
        originals=(originals := Originals(parts.db)),
        keys=parts.keys,
        clock=parts.clock,
        secret=secret,
    )
    where_to = WhereTo(
        conversations=conversations,
        composer=composer,
        authors=known.authors,
        mails=mails,
        outbox=outbox,
        threads=threads,
        whitelisted=known.directory.whitelisted,
        clock=parts.clock,
    )
    leaving = Leaving(
        db=parts.db,
        home=parts.home,
        drafts=drafts,
        threads=threads,
        outbox=outbox,
        composer=composer,
        authors=known.authors,
        conversations=conversations,
        clock=parts.clock,
        locks=locks,
        has_heard=parts.home.has_heard,
        hold=hold,
        sent=sent,
    )
    gathering = Gathering(composer=composer, where_to=where_to, drafts=drafts, clock=parts.clock, hold=hold)
    outbound = Outbound(
        home=parts.home,
        composer=composer,
        where_to=where_to,
        drafts=drafts,
        outbox=outbox,
        clock=parts.clock,
        locks=locks,
        gathering=gathering,
        show=leaving.show,
        wake=leaving.wake,
    )
    commands = WritingCommands(
        annuaire=Client(config.socket("annuaire"), "mssante"),
        directory=known.directory,
        whitelisted=known.directory.whitelisted,
        authors=known.authors,
        teams=known.teams,
        conversations=conversations,
        ghosts=ghosts,
        drafts=drafts,
        mails=mails,
        originals=originals,
        where_to=where_to,
        outbound=outbound,
        clock=parts.clock,
        wake=leaving.wake,
    )
    return Writing(gathering, where_to, drafts, locks, outbound, leaving, commands)
