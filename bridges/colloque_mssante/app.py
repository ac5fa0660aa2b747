"""The bridge, wired: the only place here that knows every class."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from colloque.book import AttestationBook, read_secret
from colloque.bot import Bot, Reply
from colloque.bot_service import Parts, open_parts
from colloque.calls import JsonDict
from colloque.commands import Owner
from colloque.config import Config
from colloque.directory.open import open_directory
from colloque.identity import UserId
from colloque.mail.revocation_check import Revocation
from colloque.matrix.home import Incoming
from colloque.rights import Rights
from colloque.service import Service
from colloque.sockets import Server, Verb
from colloque.store.schema import new_upgrades
from colloque_mssante.budget import Budget
from colloque_mssante.commands import Commands
from colloque_mssante.conversations import Conversations
from colloque_mssante.credentials import Credentials
from colloque_mssante.crypto import Accounts
from colloque_mssante.daily import DailyList
from colloque_mssante.ghosts import Ghosts
from colloque_mssante.keeping import open_keeping
from colloque_mssante.known import Known, open_known
from colloque_mssante.listener import Listener
from colloque_mssante.notices import Notices
from colloque_mssante.opening_parts import open_opening, open_sessions
from colloque_mssante.outbox import Outbox
from colloque_mssante.quiet import Quiet
from colloque_mssante.receiving import open_receiving
from colloque_mssante.scanning import Scanning
from colloque_mssante.sender import Sender, stuck_since
from colloque_mssante.service_mail import ServiceMail
from colloque_mssante.sharing import open_sharing
from colloque_mssante.store_documents import Documents
from colloque_mssante.store_mails import Mails
from colloque_mssante.tables import register_upgrades
from colloque_mssante.telling import Telling
from colloque_mssante.watch import Watcher
from colloque_mssante.writing import open_writing

UNREACHABLE_S = 60.0
"""A mailbox out of reach for that long makes the service unhealthy."""
_POST_S = 1.0
_LISTS_S = 60.0


class MssanteService(Service):
    """Mailboxes on one side, encrypted rooms on the other."""

    def __init__(self, config: Config) -> None:
        super().__init__("mssante", config, config.mssante)

    async def open(self, stack: AsyncExitStack) -> None:
        """Connect everything, settle what a crash left, then listen."""
        config, own = self.config, self.config.mssante
        upgrades = new_upgrades()
        register_upgrades(upgrades)
        parts = await open_parts(self, stack, config.bot("mssante"), upgrades)
        directory = open_directory(config.annuaire.directory, parts.clock)
        stack.callback(directory.close)
        book = AttestationBook(config.annuaire.snapshot, read_secret(config.secrets.snapshot))
        sessions = open_sessions(config, directory, book, parts.clock)
        credentials = Credentials(own.mailboxes, Revocation(own.state_dir / "revocation", parts.clock), sessions)
        rights = Rights(config.admin.users, book, parts.clock)
        accounts = self._accounts(parts, secret := read_secret(config.secrets.identity))
        ghosts = Ghosts(parts.db, accounts, parts.admin, secret, self._ghost)
        outbox, mails = Outbox(parts.db, parts.clock), Mails(parts.db, parts.clock)
        known = await open_known(parts, book, directory, credentials)
        notices = Notices(parts.db, parts.rooms, parts.home)
        budget = Budget(own.budget)
        sender = Sender(
            server=own.smtp,
            home=parts.home,
            outbox=outbox,
            budget=budget,
            credentials=credentials,
            incidents=parts.incidents,
            journal=parts.journal,
            keys=parts.keys,
            clock=parts.clock,
        )
        conversations = Conversations(
            db=parts.db,
            home=parts.home,
            ghosts=ghosts,
            directory=directory,
            rooms=parts.rooms,
            keys=parts.keys,
            journal=parts.journal,
            secret=secret,
            whitelisted=directory.whitelisted,
            teams=known.teams,
            authors=known.authors,
        )
        documents = Documents(parts.db)
        quiet = Quiet(home=parts.home, directory=directory, ghosts=ghosts, mails=mails, documents=documents)
        scanning = Scanning(own.antivirus, incidents=parts.incidents, journal=parts.journal, clock=parts.clock)
        writing = open_writing(
            config=config,
            parts=parts,
            known=known,
            conversations=conversations,
            ghosts=ghosts,
            mails=mails,
            outbox=outbox,
            scanning=scanning,
            secret=secret,
            sent=sender.wake,
        )
        sharing = open_sharing(
            config=config,
            parts=parts,
            known=known,
            rights=rights,
            conversations=conversations,
            notices=notices,
            is_ours=self._is_ours,
        )
        keeping = open_keeping(
            config=own,
            parts=parts,
            known=known,
            handled=sharing.handled,
            budget=budget,
            mails=mails,
            outbox=outbox,
            secret=secret,
            sent=sender.wake,
        )
        inbound, watcher = open_receiving(
            config=own,
            parts=parts,
            known=known,
            budget=budget,
            conversations=conversations,
            ghosts=ghosts,
            mails=mails,
            outbox=outbox,
            scanning=scanning,
            quiet=quiet,
            elsewhere=keeping.elsewhere,
            notices=notices,
            changed=sender.wake,
        )
        commands = Commands(
            watcher=watcher,
            credentials=credentials,
            choices=known.choices,
            teams=known.teams,
            handled=sharing.handled,
            outbox=outbox,
            incidents=parts.incidents,
            journal=parts.journal,
            clock=parts.clock,
            wake=sender.wake,
        )

        opening = await open_opening(parts=parts, known=known, outbox=outbox, states=watcher.states, opened=sender.wake)

        async def listen(said: Incoming, _reply: Reply) -> None:
            await listener.answer(said)

        bot = Bot(
            me=Owner.MSSANTE,
            home=parts.home,
            config=config,
            is_attested=rights.is_verified,
            administers=rights.administers,
            handlers={**commands.table, **writing.commands.table, **sharing.table, **opening.words.table},
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
            reading=keeping.reading,
            quiet=quiet,
            handled=sharing.handled,
            team_rooms=sharing.rooms,
            opening=opening.words,
            is_ours=self._is_ours,
        )
        mail = ServiceMail(
            config=own,
            directory=directory,
            whitelisted=directory.whitelisted,
            outbox=outbox,
            clock=parts.clock,
            secret=secret,
            wake=sender.wake,
        )
        await sender.settle()
        await inbound.settle()
        await self._listen(stack, mail)
        self._add_checks(parts, outbox, watcher, known)
        self.check("antivirus", scanning.problem)
        self.spawn("sync", lambda: parts.home.run(listener.hear, self.stop, position=parts.handled, receipts=True))
        self.spawn("reading", partial(self._until_stopped, keeping.reading.run))
        self.spawn("drafts", partial(self._until_stopped, writing.leaving.run))
        self.spawn("outbox", partial(self._until_stopped, sender.run))
        self.spawn("copies", partial(self._until_stopped, keeping.filing.run))
        self.spawn("mailboxes", partial(self._until_stopped, watcher.run))
        self.spawn("openings", partial(self._until_stopped, opening.run))
        self.spawn("teams", partial(self._until_stopped, sharing.rooms.run))
        telling = Telling(parts=parts, notices=notices, outbox=outbox, watcher=watcher, registry=self.registry)
        self.spawn("alerts", partial(self._again, telling.once, _POST_S))
        daily = DailyList(home=parts.home, directory=directory, documents=documents, clock=parts.clock)
        self.spawn("lists", partial(self._again, daily.once, _LISTS_S))

    def _accounts(self, parts: Parts, secret: bytes) -> Accounts:
        config, own = self.config, self.config.mssante
        accounts = Accounts(
            db=parts.db,
            http=parts.session,
            url=config.homeserver.url,
            token=read_secret(own.as_token).decode(),
            identity_secret=secret,
            pickle_secret=read_secret(config.secrets.pickle),
            is_ghost=self._is_ghost,
        )
        parts.home.on_devices_changed = accounts.devices_changed
        return accounts

    async def _listen(self, stack: AsyncExitStack, mail: ServiceMail) -> None:
        async def state() -> JsonDict:
            return {"problems": await self.problems()}

        verbs: dict[str, dict[str, Verb]] = {
            "annuaire": {"send": partial(mail.send, "annuaire")},
            "salles": {"send": partial(mail.send, "salles")},
            "colloque": {"state": state},
        }
        server = Server(self.config.socket("mssante"), self.config.sockets.uids, verbs)
        await server.start()
        stack.push_async_callback(server.stop)

    def _add_checks(self, parts: Parts, outbox: Outbox, watcher: Watcher, known: Known) -> None:
        async def stuck() -> str:
            return "outbox.stuck" if stuck_since(await outbox.oldest_waiting(), parts.clock.now()) else ""

        self.check("outbox", stuck)
        self.check("mailboxes", lambda: "mailbox.unreachable" if watcher.unreachable(UNREACHABLE_S) else "")
        self.check("credentials", lambda: known.credentials.problem)
        if (sessions := known.credentials.sessions) is not None:
            self.check("keeper", lambda: sessions.problem)
        self.check("attestations", lambda: "attestations.unusable" if known.book.problem else "")

    async def _again(self, work: Callable[[], Awaitable[None]], pause_s: float) -> None:
        while not self.stop.is_set():
            await work()
            await self.pause(pause_s)

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

    def _ghost(self, name: str) -> UserId:
        return UserId(f"@{self.config.mssante.ghost_prefix}{name}:{self.config.homeserver.server_name}")

    def _is_ours(self, user: UserId) -> bool:
        return user in self.config.bots or self._is_ghost(user)

    def _is_ghost(self, user: UserId) -> bool:
        return user.startswith(f"@{self.config.mssante.ghost_prefix}") and user.endswith(
            f":{self.config.homeserver.server_name}"
        )
