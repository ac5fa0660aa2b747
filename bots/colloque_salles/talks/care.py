"""Conversations of two people, wired: what `app` needs to know of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from colloque.book import AttestationBook, read_secret
from colloque.bot import Handler
from colloque.bot_service import Parts
from colloque.config import Config
from colloque.identity import RoomId
from colloque.matrix.admin_history import SynapseHistory
from colloque.sockets import Client
from colloque_salles.erasing.cleaning import Cleaning
from colloque_salles.erasing.direct import DirectErasing
from colloque_salles.erasing.direct_files import Uploads
from colloque_salles.erasing.unheard import Listing
from colloque_salles.store.direct import DirectRooms
from colloque_salles.store.direct_rounds import DirectRoundRow
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.talks.holds import DirectHolds
from colloque_salles.talks.rounds import DirectRounds


@dataclass(frozen=True, slots=True)
class Directs:
    """One instance a service."""

    row: DirectRoundRow
    erasing: DirectErasing
    rounds: DirectRounds
    holds: DirectHolds

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return self.holds.table

    async def once(self) -> None:
        """One look at what is due."""
        await self.holds.once()
        await self.rounds.once()


def open_directs(
    *, config: Config, parts: Parts, patients: PatientRooms, jobs: Jobs, book: AttestationBook, cleaning: Cleaning
) -> Directs:
    """All of it, on the service's parts."""
    own, terms = config.salles, config.salles.lifetime
    every, notice = timedelta(seconds=own.direct.round_s), timedelta(seconds=terms.notice_s)
    token = read_secret(own.admin_token).decode()
    history = SynapseHistory(parts.session, config.homeserver.url, token, config.homeserver.server_name)
    store, row = DirectRooms(parts.db), DirectRoundRow(parts.db)
    uploads = Uploads(
        admin=parts.admin,
        history=history,
        directs=store,
        patients=patients,
        rooms=parts.rooms,
        jobs=jobs,
        clock=parts.clock,
        me=config.bot("salles"),
        spare=every,
        notice=notice,
    )
    erasing = DirectErasing(
        admin=parts.admin,
        history=history,
        directs=store,
        uploads=uploads,
        jobs=jobs,
        listing=Listing(parts.session, config.homeserver.url, token),
        keys=parts.keys,
        journal=parts.journal,
        clock=parts.clock,
        cleaning=cleaning,
        forget=partial(_forget, Client(config.socket("annuaire"), "salles")),
    )
    rounds = DirectRounds(
        home=parts.home,
        admin=parts.admin,
        history=history,
        directs=store,
        row=row,
        erasing=erasing,
        rooms=parts.rooms,
        incidents=parts.incidents,
        book=book,
        clock=parts.clock,
        annuaire=config.bot("annuaire"),
        keep=timedelta(seconds=own.direct.keep_s),
        every=every,
        notice=notice,
        many_share=terms.many_share,
    )
    holds = DirectHolds(
        home=parts.home,
        history=history,
        directs=store,
        rounds=rounds,
        rooms=parts.rooms,
        book=book,
        keys=parts.keys,
        journal=parts.journal,
        clock=parts.clock,
        lasts=timedelta(seconds=terms.hold_s),
        notice=notice,
    )
    return Directs(row, erasing, rounds, holds)


async def _forget(annuaire: Client, room: RoomId) -> None:
    await annuaire.call("forget_direct", room=room)
