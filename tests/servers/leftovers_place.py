"""Where a room is erased: a homeserver on SQLite or PostgreSQL, @salles' own parts, the helper as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psycopg2
from ruamel.yaml import YAML

from colloque.book import read_secret
from colloque.clock import SystemClock
from colloque.config import Config
from colloque.config_load import load
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.nio_home import NioHome
from colloque.store.handled import Handled
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque.store.schema import open_database
from colloque_demo import settings
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_salles.app import still_served
from colloque_salles.erasing.cleaning import Cleaning
from colloque_salles.erasing.erase import Eraser
from colloque_salles.erasing.own_stores import OwnStores
from colloque_salles.erasing.receipts import Signer
from colloque_salles.store.copies import Copies
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.mail_threads import MailThreadRows
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.store.tables import salles_upgrades
from tests.servers.directs import erasing_directs
from tests.servers.leftovers import Place

ROLES = Path(__file__).parents[2] / "deploy/cleaner-roles.sql"
EXTRA = {
    "enable_authenticated_media": False,  # files are given to nobody in particular too
    "alias_creation_rules": [{"action": "allow"}],
    "encryption_enabled_by_default_for_room_type": "off",
    "rc_reports": {"per_second": 10_000, "burst_count": 10_000},  # every room that is filled has been reported
}


def as_role(url: str, role: str) -> str:
    """The database's address for another of its roles."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}@{parts.hostname}:{parts.port}").geturl()


@asynccontextmanager
async def a_place(root: Path, postgres: str | None = None) -> AsyncIterator[Place]:
    """One with the helper running. `postgres`: address of an empty database, for Synapse."""
    layout = Layout(root / "place")
    layout.open()
    async with AsyncExitStack() as undo:
        undo.callback(layout.close)
        settings.make_secrets(layout)
        ports = settings.Ports.choose()
        server = Homeserver(layout.synapse, settings.SERVER_NAME, ports.synapse)
        layout.secret("ca.pem").write_text("")
        settings.write_config(layout, ports, server.url, layout.secret("ca.pem"))
        database = postgres or f"sqlite:{server.folder / 'homeserver.db'}"
        server.configure(
            appservices=settings.appservices(layout), extra=EXTRA, database=_database(postgres) if postgres else None
        )
        await asyncio.to_thread(server.start)
        undo.callback(server.stop)
        config = with_helper(layout, server, postgres)
        place = Place(layout, server, database, config)
        await place.settle()  # a table that Synapse drops meanwhile would fail the granting
        if postgres:
            with closing(psycopg2.connect(postgres)) as db:
                db.cursor().execute(ROLES.read_text(encoding="utf-8"))
                db.commit()
        session = await undo.enter_async_context(aiohttp.ClientSession())
        place.session = session
        await _open(place, session, undo)
        place.helper.start()
        undo.callback(place.helper.stop)
        yield place


def with_helper(layout: Layout, server: Homeserver, postgres: str | None = None) -> Config:
    """Write the helper's section into the configuration."""
    database = postgres or f"sqlite:{server.folder / 'homeserver.db'}"
    raw = YAML().load(layout.config.read_text(encoding="utf-8"))
    raw["salles"]["cleaner"] = {
        "database": as_role(database, "colloque_cleaner") if postgres else database,
        "reader": as_role(database, "colloque_reader") if postgres else database,
        "media": str(server.folder / "media"),
        "state_dir": str(layout.state("cleaner")),
    }
    with layout.config.open("w", encoding="utf-8") as out:
        YAML().dump(raw, out)
    return load(layout.config)


def _database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    args = {"user": parts.username, "host": parts.hostname, "port": parts.port, "dbname": parts.path.lstrip("/")}
    return {"name": "psycopg2", "args": args | {"cp_min": 2, "cp_max": 5}}


async def _open(place: Place, session: aiohttp.ClientSession, undo: AsyncExitStack) -> None:
    """@salles' own parts, as its service wires them."""
    config, own, clock = place.config, place.config.salles, SystemClock()
    own.state_dir.mkdir(parents=True, exist_ok=True)
    own.device_marks.mkdir(parents=True, exist_ok=True)
    place.db = await open_database(own.database, salles_upgrades(), "colloque_salles")
    undo.push_async_callback(place.db.stop)
    place.home = await NioHome.open(
        session=session,
        base_url=place.server.url,
        user=config.bot("salles"),
        token=read_secret(own.as_token).decode(),
        state_dir=own.state_dir,
        mark_dir=own.device_marks,
        identity_secret=read_secret(config.secrets.identity),
        pickle_key=read_secret(config.secrets.pickle).decode(),
        bots=frozenset(config.bots),
    )
    undo.callback(place.home.close)
    journal = Journal.open(own.state_dir / "journal.jsonl", clock)
    undo.callback(journal.close)
    place.jobs, place.patients = Jobs(place.db), PatientRooms(place.db)
    place.incidents = Incidents(place.db, clock)
    place.eraser = an_eraser(place, session, journal, config)
    without = replace(config, salles=replace(config.salles, cleaner=None))
    place.alone = an_eraser(place, session, journal, without)


def an_eraser(place: Place, session: aiohttp.ClientSession, journal: Journal, config: Config) -> Eraser:
    """The eraser with this configuration."""
    admin = SynapseAdmin(session, place.server.url, place.admin_token)
    cleaning = Cleaning(
        config=config,
        admin=admin,
        patients=place.patients,
        jobs=place.jobs,
        incidents=place.incidents,
        forget_keys=place.home.forget_room_keys,
        own=OwnStores(config.salles),
        clock=SystemClock(),
        retry_s=1,
    )

    return Eraser(
        admin=admin,
        patients=place.patients,
        copies=Copies(place.db),
        mails=MailThreadRows(place.db),
        jobs=place.jobs,
        rooms=Rooms(place.db),
        handled=Handled(place.db, SystemClock()),
        keys=RoomKeys(place.db),
        journal=journal,
        clock=SystemClock(),
        signer=Signer(config.salles.receipt_key, config.salles.receipts),
        store=place.home,
        still_served=partial(still_served, place.home.api),
        cleaning=cleaning,
        directs=erasing_directs(
            session=session,
            url=place.server.url,
            token=place.admin_token,
            db=place.db,
            journal=journal,
            cleaning=cleaning,
            config=config,
        ),
        config=config,
    )
