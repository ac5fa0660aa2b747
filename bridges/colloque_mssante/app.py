"""The bridge, wired: the only place here that knows every class."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import aiohttp
from mautrix.crypto import PgCryptoStore
from mautrix.util.async_db import Database

from colloque.book import AttestationBook, read_secret
from colloque.bot import Bot, Reply
from colloque.bot_service import post_incidents
from colloque.calls import JsonDict
from colloque.clock import Clock, SystemClock
from colloque.commands import Owner
from colloque.config import Config
from colloque.directory.file import DirectoryFile
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import UserId
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.api import MatrixApi
from colloque.matrix.devicemark import DeviceMark
from colloque.matrix.home import ADMIN_KEY, Incoming
from colloque.service import Service
from colloque.sockets import Server, Verb
from colloque.store.handled import Handled
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque.store.schema import new_upgrades, open_database
from colloque_mssante.appservice import Appservice, homeserver_answers, ping
from colloque_mssante.commands import Commands
from colloque_mssante.credentials import Credentials
from colloque_mssante.crypto import Accounts
from colloque_mssante.ghosts import Ghosts
from colloque_mssante.home import BridgeHome
from colloque_mssante.inbound import Inbound
from colloque_mssante.inbox import Inbox
from colloque_mssante.listener import Listener
from colloque_mssante.notices import Notices
from colloque_mssante.outbound import Outbound
from colloque_mssante.outbox import Outbox
from colloque_mssante.sender import Sender, stuck_since
from colloque_mssante.service_mail import ServiceMail
from colloque_mssante.store import Mailboxes, Mails, Uploads
from colloque_mssante.tables import register_upgrades
from colloque_mssante.watch import Watcher

APPSERVICE_ID = "colloque-mssante"
"""As in the registration file."""
UNREACHABLE_S = 60.0
"""A mailbox out of reach for that long makes the service unhealthy."""
_HTTP_S = 90.0
_POST_S = 1.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What everything else stands on."""

    clock: Clock
    db: Database
    journal: Journal
    incidents: Incidents
    rooms: Rooms
    keys: RoomKeys
    secret: bytes
    http: aiohttp.ClientSession
    accounts: Accounts
    home: BridgeHome
    ghosts: Ghosts
    book: AttestationBook
    directory: DirectoryFile
    credentials: Credentials


class MssanteService(Service):
    """Mailboxes on one side, encrypted rooms on the other."""

    def __init__(self, config: Config) -> None:
        super().__init__("mssante", config, config.mssante)

    async def open(self, stack: AsyncExitStack) -> None:
        """Connect everything, settle what a crash left, then listen."""
        config, own = self.config, self.config.mssante
        ground = await self._ground(stack)
        outbox = Outbox(ground.db, ground.clock)
        mails, mailboxes = Mails(ground.db, ground.clock), Mailboxes(ground.db, ground.clock)
        notices = Notices(ground.db, ground.rooms, ground.home)
        sender = Sender(
            server=own.smtp,
            home=ground.home,
            outbox=outbox,
            credentials=ground.credentials,
            incidents=ground.incidents,
            journal=ground.journal,
            keys=ground.keys,
            clock=ground.clock,
        )
        inbound = Inbound(
            home=ground.home,
            ghosts=ground.ghosts,
            directory=ground.directory,
            mails=mails,
            uploads=Uploads(ground.db),
            outbox=outbox,
            rooms=ground.rooms,
            keys=ground.keys,
            journal=ground.journal,
            secret=ground.secret,
            changed=sender.wake,
        )
        outbound = Outbound(
            config=own,
            home=ground.home,
            book=ground.book,
            directory=ground.directory,
            whitelisted=ground.directory.whitelisted,
            credentials=ground.credentials,
            mails=mails,
            outbox=outbox,
            keys=ground.keys,
            clock=ground.clock,
            secret=ground.secret,
            wake=sender.wake,
        )
        watcher = Watcher(
            config=own,
            book=ground.book,
            directory=ground.directory,
            credentials=ground.credentials,
            mailboxes=mailboxes,
            inbound=inbound,
            incidents=ground.incidents,
            notices=notices,
            journal=ground.journal,
            clock=ground.clock,
        )
        commands = Commands(
            watcher=watcher, mailboxes=mailboxes, outbox=outbox, incidents=ground.incidents, wake=sender.wake
        )

        async def listen(said: Incoming, _reply: Reply) -> None:
            await listener.answer(said)

        bot = Bot(
            me=Owner.MSSANTE,
            home=ground.home,
            config=config,
            is_attested=lambda user: ground.book.of(user, ground.clock.now()) is not None,
            handlers=commands.table,
            handled=Handled(ground.db, ground.clock),
            listen=listen,
        )
        listener = Listener(accounts=ground.accounts, home=ground.home, bot=bot, inbound=inbound, outbound=outbound)
        inbox = Inbox(ground.db, ground.clock, listener.handle, listener.give_up)
        mail = ServiceMail(
            config=own,
            directory=ground.directory,
            whitelisted=ground.directory.whitelisted,
            outbox=outbox,
            clock=ground.clock,
            secret=ground.secret,
            wake=sender.wake,
        )
        await sender.settle()
        await inbound.settle()
        await self._listen(stack, ground, inbox, listener, mail)
        self._checks_of(ground, outbox, watcher)
        self.spawn("inbox", partial(self._until_stopped, inbox.run))
        self.spawn("outbox", partial(self._until_stopped, sender.run))
        self.spawn("mailboxes", partial(self._until_stopped, watcher.run))
        self.spawn("alerts", partial(self._alerts, ground, notices))

    async def _ground(self, stack: AsyncExitStack) -> Ground:
        config, own, clock = self.config, self.config.mssante, SystemClock()
        for folder in (own.state_dir, own.device_marks):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        credentials = Credentials(own.mailboxes)
        upgrades = new_upgrades()
        register_upgrades(upgrades)
        db = await open_database(own.database, upgrades, "colloque_mssante")
        stack.push_async_callback(db.stop)
        await PgCryptoStore.upgrade_table.upgrade(db)
        journal = Journal.open(own.state_dir / "journal.jsonl", clock)
        stack.callback(journal.close)
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_HTTP_S)))
        secret = read_secret(config.secrets.identity)
        user = config.bot("mssante")
        prefix, server = f"@{own.ghost_prefix}", f":{config.homeserver.server_name}"

        def is_ours(other: UserId) -> bool:
            return other == user or (other.startswith(prefix) and other.endswith(server))

        accounts = Accounts(
            db=db,
            http=http,
            url=config.homeserver.url,
            token=read_secret(own.as_token).decode(),
            identity_secret=secret,
            pickle_key=read_secret(config.secrets.pickle).decode(),
            mark=DeviceMark(own.device_marks / "mssante.json"),
            is_ours=is_ours,
        )
        await accounts.open()
        rooms = Rooms(db)
        admin = SynapseAdmin(http, config.homeserver.url, read_secret(own.admin_token).decode())
        directory = DirectoryFile(config.annuaire.directory)
        stack.callback(directory.close)
        return Ground(
            clock=clock,
            db=db,
            journal=journal,
            incidents=Incidents(db, clock),
            rooms=rooms,
            keys=RoomKeys(db),
            secret=secret,
            http=http,
            accounts=accounts,
            home=BridgeHome(await accounts.get(user), accounts, rooms, frozenset(config.bots)),
            ghosts=Ghosts(db, accounts, admin, secret=secret, prefix=own.ghost_prefix, server=server[1:]),
            book=AttestationBook(config.annuaire.snapshot, read_secret(config.secrets.snapshot)),
            directory=directory,
            credentials=credentials,
        )

    async def _listen(
        self, stack: AsyncExitStack, ground: Ground, inbox: Inbox, listener: Listener, mail: ServiceMail
    ) -> None:
        """Open the port and the socket; ask Synapse for what waited."""
        config, own = self.config, self.config.mssante

        async def take(events: list[JsonDict]) -> None:
            await listener.arrived(events)
            await inbox.add(events)

        async def state() -> JsonDict:
            return {"problems": await self.problems()}

        port = Appservice(read_secret(own.hs_token).decode(), ground.accounts, take, ground.accounts.is_ours)
        await port.start(own.appservice)
        stack.push_async_callback(port.stop)
        await ground.home.learn_rooms()
        await ping(ground.home.account.api, APPSERVICE_ID)
        verbs: dict[str, dict[str, Verb]] = {
            "annuaire": {"send": partial(mail.send, "annuaire")},
            "salles": {"send": partial(mail.send, "salles")},
            "colloque": {"state": state},
        }
        server = Server(config.socket("mssante"), config.sockets.uids, verbs)
        await server.start()
        stack.push_async_callback(server.stop)

    def _checks_of(self, ground: Ground, outbox: Outbox, watcher: Watcher) -> None:
        async def stuck() -> str:
            return "outbox.stuck" if stuck_since(await outbox.oldest_waiting(), ground.clock.now()) else ""

        self.check("journal", lambda: "journal.broken" if ground.journal.problem else "")
        self.check("homeserver", partial(_answers, ground.home.account.api))
        self.check("outbox", stuck)
        self.check("mailboxes", lambda: "mailbox.unreachable" if watcher.unreachable(UNREACHABLE_S) else "")
        self.check("credentials", lambda: ground.credentials.problem)
        self.check("attestations", lambda: "attestations.unusable" if ground.book.problem else "")

    async def _alerts(self, ground: Ground, notices: Notices) -> None:
        """Incidents to the admin room, notices to home rooms, each once."""
        while not self.stop.is_set():
            await notices.post()
            admin_room = await ground.rooms.get(ADMIN_KEY)
            if admin_room is not None:
                await post_incidents(ground.home, ground.incidents, admin_room.room)
            await self.pause(_POST_S)

    async def _until_stopped(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run what runs for ever, until the service is told to stop."""
        working = asyncio.ensure_future(work())
        stopping = asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
        finally:
            for future in (working, stopping):
                future.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)


async def _answers(api: MatrixApi) -> str:
    try:
        await homeserver_answers(api)
    except (HomeUnavailable, HomeRefused) as error:
        return error.code
    return ""
