"""Rooms that both ends of mail share, wired: what `app` needs to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from colloque.bot import Handler
from colloque.bot_service import Parts
from colloque.identity import server_of
from colloque_mssante.access.known import Known
from colloque_mssante.access.notices import Notices
from colloque_mssante.guests.commands import GuestCommands
from colloque_mssante.guests.guests import Hosting
from colloque_mssante.guests.hints import Hints
from colloque_mssante.guests.succession import Succession
from colloque_mssante.guests.talk import Talk
from colloque_mssante.leaving.writing import Writing
from colloque_mssante.mapping.store_talk import Sayings
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.people.ghosts import Ghosts
from colloque_mssante.people.neighbours import Neighbours
from colloque_mssante.store.guests import Guests, Moves


@dataclass(frozen=True, slots=True)
class Meeting:
    """Who is in the room (`hosting`), what they say there (`talk`), and the commands."""

    hosting: Hosting
    talk: Talk
    table: Mapping[str, Handler]


def open_hosting(
    *,
    parts: Parts,
    known: Known,
    conversations: Conversations,
    ghosts: Ghosts,
    writing: Writing,
    notices: Notices,
) -> Meeting:
    """All of it, on the service's parts."""
    guests, sayings = Guests(parts.db, parts.clock), Sayings(parts.db, parts.clock)
    talk = Talk(
        home=parts.home,
        guests=guests,
        sayings=sayings,
        has_heard=parts.home.has_heard,
        gathering=writing.gathering,
        where_to=writing.where_to,
        authors=known.authors,
        drafts=writing.drafts,
        locks=writing.locks,
        clock=parts.clock,
        show=writing.leaving.show,
        wake=writing.leaving.wake,
    )
    neighbours = Neighbours(known.book, known.directory, parts.clock, server_of(parts.home.user))
    hosting = Hosting(
        home=parts.home,
        guests=guests,
        talk=talk,
        hints=Hints(parts.home, guests, neighbours),
        succession=Succession(
            home=parts.home, conversations=conversations, drafts=writing.drafts, moves=Moves(parts.db)
        ),
        neighbours=neighbours,
        sayings=sayings,
        conversations=conversations,
        ghosts=ghosts,
        authors=known.authors,
        book=known.book,
        directory=known.directory,
        notices=notices,
        keys=parts.keys,
        journal=parts.journal,
        clock=parts.clock,
    )
    return Meeting(hosting, talk, GuestCommands(hosting=hosting, talk=talk, guests=guests, authors=known.authors).table)
