"""Mailboxes that teams share, wired: what `app` needs to know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from colloque.bot import Handler
from colloque.bot_service import Parts
from colloque.config import Config
from colloque.identity import UserId
from colloque.rights import Rights
from colloque.sockets import Client
from colloque_mssante.access.known import Known
from colloque_mssante.access.notices import Notices
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.sharing.commands import TeamCommands
from colloque_mssante.sharing.handled import Handled
from colloque_mssante.sharing.team_rooms import TeamRooms
from colloque_mssante.store.absences import Absences
from colloque_mssante.store.mails import Mails


@dataclass(frozen=True, slots=True)
class Sharing:
    """Who dealt with what (`handled`), who is in which room (`rooms`), and the commands."""

    handled: Handled
    rooms: TeamRooms
    table: Mapping[str, Handler]


def open_sharing(
    *,
    config: Config,
    parts: Parts,
    known: Known,
    rights: Rights,
    conversations: Conversations,
    mails: Mails,
    notices: Notices,
    absences: Absences,
    is_ours: Callable[[UserId], bool],
) -> Sharing:
    """All of it, on the service's parts. `is_ours` tells bots and ghosts from people."""
    handled = Handled(
        db=parts.db, home=parts.home, mails=mails, authors=known.authors, journal=parts.journal, clock=parts.clock
    )
    rooms = TeamRooms(
        home=parts.home,
        conversations=conversations,
        teams=known.teams,
        keys=parts.keys,
        journal=parts.journal,
        is_ours=is_ours,
    )
    commands = TeamCommands(
        teams=known.teams,
        absences=absences,
        authors=known.authors,
        book=known.book,
        directory=known.directory,
        credentials=known.credentials,
        rights=rights,
        annuaire=Client(config.socket("annuaire"), "mssante"),
        notices=notices,
        incidents=parts.incidents,
        journal=parts.journal,
        clock=parts.clock,
    )
    return Sharing(handled, rooms, {**commands.table, **handled.table})
