"""The bridge, wired: the only place here that knows every class."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from colloque.book import AttestationBook, read_secret
from colloque.bot_service import Parts, open_parts
from colloque.calls import JsonDict
from colloque.config import Config
from colloque.directory.open import open_directory
from colloque.identity import UserId
from colloque.mail.revocation_check import Revocation
from colloque.mailer import WITH_FILES_S
from colloque.rights import Rights
from colloque.service import Service
from colloque.sockets import Server, Verb
from colloque.store.schema import new_upgrades
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.access.known import open_known
from colloque_mssante.access.notices import Notices
from colloque_mssante.access.opening_parts import open_opening, open_sessions
from colloque_mssante.arriving.daily import DailyList
from colloque_mssante.arriving.quiet import Quiet
from colloque_mssante.arriving.receiving import open_receiving
from colloque_mssante.arriving.scanning import Scanning
from colloque_mssante.arriving.unshown import Unshown
from colloque_mssante.checks import add_checks
from colloque_mssante.ends.lasting import open_lasting
from colloque_mssante.guests.hosting import open_hosting
from colloque_mssante.hearing import open_hearing
from colloque_mssante.leaving.service_mail import ServiceMail
from colloque_mssante.leaving.states import States
from colloque_mssante.leaving.writing import open_writing
from colloque_mssante.mailboxes.elsewhere import There
from colloque_mssante.mailboxes.ending import Ending
from colloque_mssante.mailboxes.mailing import Bells, open_mail_half
from colloque_mssante.mailboxes.reading import Reading
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.people.crypto import Accounts
from colloque_mssante.people.ghosts import Ghosts
from colloque_mssante.rules.weights import Weights
from colloque_mssante.sharing.sharing import open_sharing
from colloque_mssante.store.absences import Absences
from colloque_mssante.store.documents import Documents
from colloque_mssante.store.guests import Guests
from colloque_mssante.store.mailboxes import Mailboxes
from colloque_mssante.store.mails import Mails
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.reading import Reads
from colloque_mssante.store.tables import register_upgrades
from colloque_mssante.store.untold import Untold
from colloque_mssante.telling import Telling

_POST_S = 1.0
_UNSHOWN_S = 10.0
_LISTS_S = 60.0
_LASTING_S = 2.0


class MssanteService(Service):
    """Mailboxes on one side, encrypted rooms on the other."""

    def __init__(self, config: Config) -> None:
        super().__init__("mssante", config, config.mssante)

    async def open(self, stack: AsyncExitStack) -> None:
        """Connect everything, settle what a crash left, then listen."""
        config, own = self.config, self.config.mssante
        upgrades = new_upgrades()
        register_upgrades(upgrades)
        ending = Ending(self)
        slot = await ending.slot(stack, own.database, own.state_dir, 0)
        async with slot.door():
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
        mailboxes = Mailboxes(parts.db, parts.clock)
        known = await open_known(parts.db, parts.clock, book, directory, credentials, service=own.sender)
        notices = Notices(parts.db, parts.rooms, parts.home)
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
            guests=Guests(parts.db, parts.clock),
        )
        documents, reads = Documents(parts.db), Reads(parts.db, parts.clock)
        quiet = Quiet(home=parts.home, directory=directory, ghosts=ghosts, mails=mails, documents=documents)
        scanning = Scanning(own.antivirus, incidents=parts.incidents, journal=parts.journal, clock=parts.clock)
        sharing = open_sharing(
            config=config,
            parts=parts,
            known=known,
            rights=rights,
            conversations=conversations,
            mails=mails,
            notices=notices,
            absences=(absences := Absences(parts.db, parts.clock)),
            is_ours=self._is_ours,
        )
        states = States(home=parts.home, untold=Untold(parts.db, parts.clock), handled=sharing.handled)
        there = There(home=parts.home, reads=reads)
        reading = Reading(home=parts.home, reads=reads, mails=mails)
        weights = Weights()
        inbound, delivery = open_receiving(
            parts=parts,
            weights=weights,
            known=known,
            conversations=conversations,
            ghosts=ghosts,
            mails=mails,
            mailboxes=mailboxes,
            outbox=outbox,
            scanning=scanning,
            quiet=quiet,
            notices=notices,
            changed=states.wake,
        )
        half = ending.half = (
            None
            if own.workers
            else open_mail_half(
                config=own,
                folder=own.state_dir,
                weights=weights,
                db=parts.db,
                journal=parts.journal,
                known=known,
                clock=parts.clock,
                bells=Bells(fetched=delivery.wake, moved=states.wake, noted=there.wake),
                name="bridge",
            )
        )
        wake = half.sender.wake if half is not None else _by_themselves
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
            sent=wake,
        )
        meeting = open_hosting(
            parts=parts,
            known=known,
            conversations=conversations,
            ghosts=ghosts,
            writing=writing,
            notices=notices,
        )
        lasting = open_lasting(
            config=config,
            parts=parts,
            teams=known.teams,
            conversations=conversations,
            mails=mails,
            notices=notices,
            locks=writing.locks,
            is_ours=self._is_ours,
        )
        opening = await open_opening(parts=parts, known=known, outbox=outbox, states=mailboxes.states, opened=wake)
        listener = open_hearing(
            config=config,
            parts=parts,
            rights=rights,
            accounts=accounts,
            known=known,
            mailboxes=mailboxes,
            outbox=outbox,
            conversations=conversations,
            writing=writing,
            sharing=sharing,
            meeting=meeting,
            lasting=lasting,
            quiet=quiet,
            reading=reading,
            opening=opening.words,
            is_ours=self._is_ours,
            wake=wake,
            look=half.watcher.look if half is not None else _soon,
        )
        mail = ServiceMail(
            config=own,
            directory=directory,
            whitelisted=directory.whitelisted,
            outbox=outbox,
            clock=parts.clock,
            secret=secret,
            wake=wake,
            fetch=parts.home.download,
            scan=scanning.check,
        )
        if half is not None:
            await half.settle()
        await inbound.settle()
        await self._listen(stack, mail, absences)
        add_checks(self, parts, outbox, mailboxes, known)
        self.check("antivirus", scanning.problem)
        self.spawn("sync", lambda: parts.home.run(listener.hear, self.stop, position=parts.handled, receipts=True))
        for name, work in {
            "reading": reading.run,
            "drafts": writing.leaving.run,
            "states": states.run,
            "elsewhere": there.run,
            "inbox": delivery.run,
            "openings": opening.run,
            "guests": meeting.hosting.run,
            "teams": sharing.rooms.run,
            **(half.works if half is not None else {}),
        }.items():
            self.spawn_endless(name, work)
        telling = Telling(parts=parts, notices=notices, outbox=outbox, mailboxes=mailboxes, registry=self.registry)
        daily = DailyList(home=parts.home, directory=directory, documents=documents, clock=parts.clock)
        often = {
            "alerts": (telling.once, _POST_S),
            "unshown": (Unshown(parts.db, known.teams, parts.incidents, parts.clock).once, _UNSHOWN_S),
            "lists": (daily.once, _LISTS_S),
            "threads": (lasting.once, _LASTING_S),
        }
        for name, (once, pause_s) in often.items():
            self.spawn(name, partial(self._again, once, pause_s))

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

    async def _listen(self, stack: AsyncExitStack, mail: ServiceMail, absences: Absences) -> None:
        async def state() -> JsonDict:
            return {"problems": await self.problems()}

        verbs: dict[str, dict[str, Verb]] = {
            "annuaire": mail.verbs("annuaire"),
            "salles": {**mail.verbs("salles"), "away": absences.told},
            "colloque": {"state": state},
        }
        server = Server(self.config.socket("mssante"), self.config.sockets.uids, verbs, slow={"send": WITH_FILES_S})
        await server.start()
        stack.push_async_callback(server.stop)

    async def _again(self, work: Callable[[], Awaitable[None]], pause_s: float) -> None:
        while not self.stop.is_set():
            await work()
            await self.pause(pause_s)

    def _ghost(self, name: str) -> UserId:
        return UserId(f"@{self.config.mssante.ghost_prefix}{name}:{self.config.homeserver.server_name}")

    def _is_ours(self, user: UserId) -> bool:
        return user in self.config.bots or self._is_ghost(user)

    def _is_ghost(self, user: UserId) -> bool:
        return user.startswith(f"@{self.config.mssante.ghost_prefix}") and user.endswith(
            f":{self.config.homeserver.server_name}"
        )


def _by_themselves() -> None:
    """Workers look into the tables each second."""


async def _soon() -> None:
    """Workers learn of a mailbox that opened or closed within seconds; what they read till then is not kept."""
