"""What the benches of erasures share: a Synapse with rooms full of encrypted messages and files, and our eraser.

Rooms are made directly, and their archives proven directly: what is measured is the erasure alone.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from mautrix.util.async_db import Database
from yarl import URL

from colloque.clock import SystemClock
from colloque.errors import HomeRefused
from colloque.files import write_private
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.admin import Deletion, SynapseAdmin
from colloque.matrix.api import CLIENT, MatrixApi, path
from colloque.matrix.nio_home import NioHome
from colloque.rooms.keeping import Proof
from colloque.rooms.patient_room import PatientRoom
from colloque.store.handled import Handled
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque.store.schema import open_database
from colloque_demo.homeserver import Appservice, Homeserver
from colloque_salles.erasing.cleaning import Cleaning
from colloque_salles.erasing.erase import Eraser
from colloque_salles.erasing.own_stores import OwnStores
from colloque_salles.erasing.receipts import Signer
from colloque_salles.store.archive import Archives
from colloque_salles.store.copies import Copies
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.mail_threads import MailThreadRows
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.store.tables import salles_upgrades
from tests.servers.directs import erasing_directs
from tests.servers.dispatch import CONFIG
from tests.servers.postgres import PostgresServer, programs
from tests.waiting import until

SERVER = CONFIG.homeserver.server_name
EVENTS = 100
FILES = 5
FILE_BYTES = 20_000
OWNER, MEMBER = "anne", "bob"
A_ROOM_S = 10.0
"""More than an erasure takes; one that takes longer will never be done."""


@dataclass(frozen=True, slots=True)
class Full:
    """A room, and its files."""

    room: RoomId
    files: tuple[MxcUri, ...]


@dataclass
class Place:
    """Everything up."""

    folder: Path
    server: Homeserver
    admin: SynapseAdmin
    owner: MatrixApi
    member: MatrixApi
    db: Database
    eraser: Eraser
    postgres: PostgresServer | None
    patients: PatientRooms = field(init=False)
    jobs: Jobs = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.patients, self.jobs = PatientRooms(self.db), Jobs(self.db)

    async def fill(self, *, events: int = EVENTS, mark: str = "") -> Full:
        """A room of so many messages; the last ones share a file each. `mark`: a word that stands in all of them."""
        asked = {"preset": "private_chat", "name": f"Salon {mark}", "invite": [f"@{MEMBER}:{SERVER}"]}
        made = await self.owner.call("POST", path(CLIENT, "createRoom"), asked)
        room = RoomId(str(made["room_id"]))
        await self.member.call("POST", path(CLIENT, "join", room), {})
        files = []
        for number in range(events):
            event, share = await self._say(room, number, mark=mark, share=number >= events - FILES)
            await self.patients.heard(room, event, readable=True, files=tuple(share))
            files += share
        return Full(room, tuple(files))

    async def _say(self, room: RoomId, number: int, *, mark: str, share: bool) -> tuple[EventId, list[MxcUri]]:
        self.count += 1
        files = [await self.member.upload(mark.encode() + secrets.token_bytes(FILE_BYTES))] if share else []
        body = {
            "algorithm": "m.megolm.v1.aes-sha2",
            "ciphertext": mark + "x" * 600,
            "session_id": f"s{number // 50}",
            "sender_key": "k",
        }
        where = path(CLIENT, "rooms", room, "send", "m.room.encrypted", f"t{self.count}")
        return EventId(str((await self.member.call("PUT", where, body))["event_id"])), files

    async def follow(self, full: Full) -> None:
        """As a room of ours that is closed, and whose archive is proven."""
        now = SystemClock().now()
        room = PatientRoom(
            room=full.room,
            opener=UserId(f"@{OWNER}:{SERVER}"),
            members=(UserId(f"@{MEMBER}:{SERVER}"),),
            opened_at=now,
            last_activity=now,
        )
        await self.patients.add(room, f"Mot{self.count} Mot")
        await self.patients.closed(full.room, now, None)
        await Archives(self.db).prove(full.room, Proof.FILED)

    async def erase(self, rooms: Sequence[Full]) -> None:
        """As the service does, sweep after sweep, without the pause between two; until each has its receipt."""
        for full in rooms:
            kept = await self.patients.get(full.room)
            assert kept is not None
            await self.eraser.start(kept)

        async def done() -> bool:
            await self.eraser.go_on()
            return not await self.jobs.under_way()

        await until(done, "the receipts of all", within=60.0 + A_ROOM_S * len(rooms))

    async def delete(self, rooms: Sequence[Full]) -> None:
        """Synapse's own deletion, one after the other, and that of its media: nothing is looked for afterwards."""
        for full in rooms:
            job = await self.admin.delete_room(full.room)

            async def done(job: str = job) -> bool:
                return await self.admin.deletion(job) is Deletion.COMPLETE

            await until(done, "Synapse's deletion")
            for mxc in full.files:
                await self.admin.delete_media(mxc)


@asynccontextmanager
async def place(database: str) -> AsyncIterator[Place]:
    """`database`: `sqlite` or `postgres`, for Synapse and for @salles."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clq-bench-")))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        postgres = _postgres(stack) if database == "postgres" else None
        service = Appservice("salles", "salles", secrets.token_hex(16), secrets.token_hex(16))
        server = Homeserver(folder / "synapse", SERVER)
        arguments = None if postgres is None else await _arguments(postgres)
        server.configure(appservices=(service,), database=arguments)
        await asyncio.to_thread(server.start)
        stack.callback(server.stop)
        token = server.register("admin", secrets.token_urlsafe(), admin=True)
        admin = SynapseAdmin(http, server.url, token)
        url = f"sqlite:{folder}/salles.db" if postgres is None else await postgres.new_database()
        db = await open_database(url, salles_upgrades(), "salles")
        stack.push_async_callback(db.stop)
        home = await NioHome.open(
            session=http,
            base_url=server.url,
            user=UserId(f"@salles:{SERVER}"),
            token=service.as_token,
            state_dir=folder / "state",
            mark_dir=folder / "marks",
            identity_secret=secrets.token_bytes(32),
            pickle_key=secrets.token_hex(16),
            bots=frozenset(CONFIG.bots),
        )
        stack.callback(home.close)
        eraser = _eraser(folder, db, admin, home, http=http, url=server.url, token=token, database=url)
        owner, member = (
            MatrixApi(http, server.url, server.register(n, secrets.token_urlsafe())) for n in (OWNER, MEMBER)
        )
        yield Place(folder, server, admin, owner, member, db, eraser, postgres)


def _postgres(stack: AsyncExitStack) -> PostgresServer:
    bin_dir = programs()
    assert bin_dir is not None, "needs postgres"
    server = PostgresServer(bin_dir)
    stack.callback(server.remove)
    server.make()
    server.start()
    return server


async def _arguments(postgres: PostgresServer) -> dict[str, Any]:
    """Of a new database, as Synapse is told."""
    url = URL(await postgres.new_database())
    where = {"user": url.user, "host": url.host, "port": url.port, "dbname": url.path[1:]}
    return {"name": "psycopg2", "args": where | {"cp_min": 1, "cp_max": 5}}


def _eraser(
    folder: Path,
    db: Database,
    admin: SynapseAdmin,
    home: NioHome,
    *,
    http: aiohttp.ClientSession,
    url: str,
    token: str,
    database: str,
) -> Eraser:
    clock, key = SystemClock(), Ed25519PrivateKey.generate()
    # Without the helper, as Synapse's own deletion does without one.
    own = replace(CONFIG.salles, cleaner=None, database=database, state_dir=folder / "state")
    config = replace(CONFIG, salles=own)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(folder / "receipts.pem", pem)
    journal = Journal.open(folder / "journal.jsonl", clock)
    cleaning = Cleaning(
        config=config,
        admin=admin,
        patients=PatientRooms(db),
        jobs=Jobs(db),
        incidents=Incidents(db, clock),
        forget_keys=home.forget_room_keys,
        own=OwnStores(config.salles),
        clock=clock,
    )
    return Eraser(
        admin=admin,
        patients=PatientRooms(db),
        copies=Copies(db),
        mails=MailThreadRows(db),
        jobs=Jobs(db),
        rooms=Rooms(db),
        handled=Handled(db, clock),
        keys=RoomKeys(db),
        journal=journal,
        clock=clock,
        signer=Signer(folder / "receipts.pem", folder / "receipts"),
        store=home,
        still_served=partial(_still_served, home),
        cleaning=cleaning,
        directs=erasing_directs(
            session=http, url=url, token=token, db=db, journal=journal, cleaning=cleaning, config=config
        ),
        config=config,
    )


async def _still_served(home: NioHome, mxc: MxcUri) -> bool:
    """As the service looks."""
    try:
        await home.api.download(mxc)
    except HomeRefused as error:
        if error.status == 404:
            return False
        raise
    return True
