"""The annuaire service, wired: the only place here that knows every class."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

from colloque.book import AttestationBook, read_secret
from colloque.bot import Bot
from colloque.bot_service import Parts, open_parts, post_incidents
from colloque.calls import JsonDict
from colloque.commands import Owner
from colloque.config import Config
from colloque.directory.file import DirectoryFile
from colloque.errors import BadIdentifier, NotFound
from colloque.identity import MssanteAddress, UserId, parse_user_id
from colloque.matrix.crosssign import signed_devices
from colloque.service import Service
from colloque.sockets import Client, Server
from colloque.store.schema import new_upgrades
from colloque_annuaire import texts
from colloque_annuaire.commands import Commands
from colloque_annuaire.flow import Enrolment, Rules
from colloque_annuaire.homes import Homes
from colloque_annuaire.refusals import Refusals
from colloque_annuaire.store import People, register_upgrades

RECONCILE_S = 300.0
"""Between two looks at the homeserver's list of accounts; new ones are told to us at once."""
GREET_S = 1.0
DIRECTORY_INCIDENT = "directory.missing"


class BridgeMailer:
    """The bridge's outbox, over its socket."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def send(self, *, key: str, to: MssanteAddress, subject: str, text: str) -> None:
        """Queue a mail; idempotent by `key`."""
        await self._client.call("send", key=key, to=to.value, subject=subject, text=text)


class AnnuaireService(Service):
    """Directory, attestations, home rooms."""

    def __init__(self, config: Config) -> None:
        super().__init__("annuaire", config, config.annuaire)

    async def open(self, stack: AsyncExitStack) -> None:
        """Connect everything, repair what a crash left, then listen."""
        config, own = self.config, self.config.annuaire
        upgrades = new_upgrades()
        register_upgrades(upgrades)
        parts = await open_parts(self, stack, config.bot("annuaire"), upgrades)
        people = People(parts.db)
        directory = DirectoryFile(own.directory)
        stack.callback(directory.close)
        snapshot_key = read_secret(config.secrets.snapshot)
        book = AttestationBook(own.snapshot, snapshot_key)
        enrolment = Enrolment(
            people=people,
            directory=directory,
            mailer=BridgeMailer(Client(config.socket("mssante"), "annuaire")),
            names=parts.admin,
            journal=parts.journal,
            clock=parts.clock,
            rules=Rules(
                code_life=timedelta(seconds=own.code_s),
                tries=own.code_tries,
                per_day=own.codes_per_day,
                valid_for=timedelta(days=own.attestation_days),
            ),
            secret=read_secret(config.secrets.identity),
            snapshot_path=own.snapshot,
            snapshot_key=snapshot_key,
        )
        homes = Homes(
            config=config,
            home=parts.home,
            rooms=parts.rooms,
            keys=parts.keys,
            people=people,
            journal=parts.journal,
            clock=parts.clock,
            has_signed_device=partial(_has_signed_device, parts),
        )
        refusals = Refusals(home=parts.home, homes=homes, people=people, journal=parts.journal, clock=parts.clock)
        await enrolment.settle()
        await homes.settle()
        commands = Commands(
            config=config,
            enrolment=enrolment,
            people=people,
            directory=directory,
            rooms=parts.rooms,
            clock=parts.clock,
        )
        bot = Bot(
            me=Owner.ANNUAIRE,
            home=parts.home,
            config=config,
            is_attested=lambda user: book.of(user, parts.clock.now()) is not None,
            handlers=commands.table,
            handled=parts.handled,
        )
        await self._listen(stack, people, homes, refusals, parts)
        self.check("directory", partial(_directory_problem, directory))
        self.spawn("sync", lambda: parts.home.run(bot.hear, self.stop, position=parts.handled))
        self.spawn("refusals", lambda: refusals.run(self.stop))
        self.spawn("accounts", self._every(RECONCILE_S, lambda: homes.reconcile(parts.admin.users())))
        self.spawn("greetings", self._every(GREET_S, homes.greet))
        self.spawn("alerts", self._every(GREET_S, partial(self._alerts, parts, homes, directory)))

    async def _listen(
        self, stack: AsyncExitStack, people: People, homes: Homes, refusals: Refusals, parts: Parts
    ) -> None:
        async def refused(acts: list[Any]) -> JsonDict:
            await refusals.note(act for act in acts if isinstance(act, dict))
            return {}

        async def account(user: str) -> JsonDict:
            try:
                known = parse_user_id(user)
            except BadIdentifier:
                return {}
            if homes.is_person(known) and known not in self._service_admins:
                await people.saw_account(known, parts.clock.now())
                self._new_accounts.put_nowait(known)
            return {}

        async def state() -> JsonDict:
            return {"problems": await self.problems()}

        self._new_accounts: asyncio.Queue[UserId] = asyncio.Queue()
        self._service_admins = {a.user async for a in parts.admin.users() if a.admin}
        server = Server(
            self.config.socket("annuaire"),
            self.config.sockets.uids,
            {"synapse": {"refused": refused, "account": account}, "colloque": {"state": state}},
        )
        await server.start()
        stack.push_async_callback(server.stop)
        self.spawn("new_accounts", lambda: self._welcome_accounts(homes))

    async def _welcome_accounts(self, homes: Homes) -> None:
        """Home rooms for accounts as they appear; those that a crash forgets are found by the reconciliation."""
        while not self.stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    user = await self._new_accounts.get()
                await homes.ensure(user)

    def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        async def loop() -> None:
            while not self.stop.is_set():
                await work()
                await self.pause(seconds)

        return loop

    async def _alerts(self, parts: Parts, homes: Homes, directory: DirectoryFile) -> None:
        if _directory_problem(directory):
            await parts.incidents.open(DIRECTORY_INCIDENT, texts.INCIDENT_NO_DIRECTORY)
        else:
            await parts.incidents.close(DIRECTORY_INCIDENT)
        await post_incidents(parts.home, parts.incidents, await homes.ensure_admin())


def _directory_problem(directory: DirectoryFile) -> str:
    try:
        directory.freshness()
    except NotFound:
        return "directory.missing"
    return ""


async def _has_signed_device(parts: Parts, user: UserId) -> bool:
    return bool(await signed_devices(parts.home.api, user))
