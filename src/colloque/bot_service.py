"""What the two syncing bots' services share: database, journal, account, admin calls, sockets and alerts."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
from mautrix.util.async_db import Database, UpgradeTable

from colloque.book import read_secret
from colloque.clock import Clock, SystemClock
from colloque.errors import HomeRefused
from colloque.identity import RoomId, UserId
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.home import Home, text
from colloque.matrix.nio_home import NioHome
from colloque.service import Service
from colloque.store.handled import Handled
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque.store.schema import open_database

_TOTAL_TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a syncing bot stands on."""

    clock: Clock
    db: Database
    journal: Journal
    handled: Handled
    incidents: Incidents
    rooms: Rooms
    keys: RoomKeys
    home: NioHome
    admin: SynapseAdmin
    session: aiohttp.ClientSession


async def open_parts(service: Service, stack: AsyncExitStack, user: UserId, upgrades: UpgradeTable) -> Parts:
    """Open all of it; closed in the reverse order by `stack`.

    Raises Temporary when the homeserver or the database can't be reached yet, ConfigError, Tampered, Inconsistent.
    """
    config, own = service.config, service.own
    clock = SystemClock()
    own.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    own.device_marks.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = await open_database(own.database, upgrades, f"colloque_{service.name}")
    stack.push_async_callback(db.stop)
    journal = Journal.open(own.state_dir / "journal.jsonl", clock)
    stack.callback(journal.close)
    timeout = aiohttp.ClientTimeout(total=_TOTAL_TIMEOUT_S)
    session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
    home = await NioHome.open(
        session=session,
        base_url=config.homeserver.url,
        user=user,
        token=read_secret(own.as_token).decode(),
        state_dir=own.state_dir,
        mark_dir=own.device_marks,
        identity_secret=read_secret(config.secrets.identity),
        pickle_key=read_secret(config.secrets.pickle).decode(),
        bots=frozenset(config.bots),
    )
    stack.callback(home.close)
    service.check("journal", lambda: "journal.broken" if journal.problem else "")
    service.check("homeserver", lambda: home.problem)
    return Parts(
        clock=clock,
        db=db,
        journal=journal,
        handled=Handled(db, clock),
        incidents=Incidents(db, clock),
        rooms=Rooms(db),
        keys=RoomKeys(db),
        home=home,
        admin=SynapseAdmin(session, config.homeserver.url, read_secret(own.admin_token).decode()),
        session=session,
    )


async def post_incidents(home: Home, incidents: Incidents, admin_room: RoomId) -> None:
    """Tell the admin room of each incident once. Raises HomeUnavailable: what was not told stays."""
    for incident in await incidents.unposted():
        try:
            await home.send(admin_room, text(incident.text), txn=incident.txn)
        except HomeRefused:
            return
        await incidents.posted(incident.key)
