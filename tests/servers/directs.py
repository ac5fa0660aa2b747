"""What erases conversations of two people, on parts that a test has."""

from __future__ import annotations

from datetime import timedelta

import aiohttp
from mautrix.util.async_db import Database

from colloque.clock import SystemClock
from colloque.config import Config
from colloque.identity import RoomId
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.admin_history import SynapseHistory
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.erasing.cleaning import Cleaning
from colloque_salles.erasing.direct import DirectErasing
from colloque_salles.erasing.direct_files import Uploads
from colloque_salles.erasing.unheard import Listing
from colloque_salles.store.direct import DirectRooms
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.rooms import PatientRooms


async def made_by_nobody(room: RoomId) -> None:
    """Where no @annuaire runs that could forget it."""


def erasing_directs(
    *,
    session: aiohttp.ClientSession,
    url: str,
    token: str,
    db: Database,
    journal: Journal,
    cleaning: Cleaning,
    config: Config,
    spare: timedelta = timedelta(days=1),
) -> DirectErasing:
    """On a real homeserver and database."""
    admin, name = SynapseAdmin(session, url, token), config.homeserver.server_name
    history, directs, jobs = SynapseHistory(session, url, token, name), DirectRooms(db), Jobs(db)
    uploads = Uploads(
        admin=admin,
        history=history,
        directs=directs,
        patients=PatientRooms(db),
        rooms=Rooms(db),
        jobs=jobs,
        clock=SystemClock(),
        me=config.bot("salles"),
        spare=spare,
        notice=timedelta(days=7),
    )
    return DirectErasing(
        admin=admin,
        history=history,
        directs=directs,
        uploads=uploads,
        jobs=jobs,
        listing=Listing(session, url, token),
        keys=RoomKeys(db),
        journal=journal,
        clock=SystemClock(),
        cleaning=cleaning,
        forget=made_by_nobody,
    )
