"""The annuaire service, wired: the only place here that knows every class."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from colloque.book import AttestationBook, read_secret
from colloque.bot import Bot
from colloque.bot_service import Parts, open_parts
from colloque.calls import JsonDict
from colloque.commands import Owner
from colloque.config import Config
from colloque.directory.open import open_directory
from colloque.errors import BadIdentifier
from colloque.identity import UserId, parse_user_id
from colloque.matrix.crosssign import has_signed_device
from colloque.rights import Rights
from colloque.service import Service
from colloque.sockets import Server
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.commands import Commands
from colloque_annuaire.directory.freshness import Gauges
from colloque_annuaire.directory.upkeep import LOOK_S, Upkeep
from colloque_annuaire.entering.coming_in import open_entry
from colloque_annuaire.federation.federation import Federation, Roster, open_federation
from colloque_annuaire.finding.desk import Desk, open_desk
from colloque_annuaire.kinds.kinds import Kinds, open_kinds
from colloque_annuaire.life.life import Life, open_life
from colloque_annuaire.proving.ciba import POLL_S
from colloque_annuaire.proving.proving import ask_others, open_proving
from colloque_annuaire.refusals import Refusals
from colloque_annuaire.store.blocks import Blocks
from colloque_annuaire.store.people import People
from colloque_annuaire.store.tables import annuaire_upgrades

RECONCILE_S = 300.0
"""Between two looks at the homeserver's list of accounts; new ones are told to us at once."""
GREET_S = 1.0
ASK_S = 300.0
"""Between two tries to ask other servers that did not answer at somebody's enrolment."""
TIDY_S = 60.0
"""Between two looks at direct rooms that were left half made; the first look is at the start."""


class AnnuaireService(Service):
    """Directory, attestations, home rooms."""

    def __init__(self, config: Config) -> None:
        super().__init__("annuaire", config, config.annuaire)
        self._gauges = Gauges(self.registry)

    async def open(self, stack: AsyncExitStack) -> None:
        """Connect everything, repair what a crash left, then listen."""
        config, own = self.config, self.config.annuaire
        parts = await open_parts(self, stack, config.bot("annuaire"), annuaire_upgrades())
        people = People(parts.db)
        directory = open_directory(own.directory, parts.clock)
        stack.callback(directory.close)
        snapshot_key = read_secret(config.secrets.snapshot)
        book = AttestationBook(own.snapshot, snapshot_key)
        rights = Rights(config.admin.users, book, parts.clock)
        abroad = own.federation
        roster = Roster(abroad, parts, own.state_dir) if abroad is not None else None
        blocks = Blocks(parts.db)
        publication = Publication(
            people=people,
            names=parts.admin,
            clock=parts.clock,
            path=own.snapshot,
            key=snapshot_key,
            directory=directory,
            also=[blocks.published, *([roster.published] if roster is not None else [])],
        )
        homes = Homes(
            config=config,
            home=parts.home,
            rooms=parts.rooms,
            keys=parts.keys,
            people=people,
            journal=parts.journal,
            clock=parts.clock,
            has_signed_device=partial(has_signed_device, parts.home.api),
            rights=rights,
        )
        proving = open_proving(
            config=config, parts=parts, people=people, directory=directory, publication=publication, homes=homes
        )
        refusals = Refusals(
            home=parts.home,
            homes=homes,
            people=people,
            journal=parts.journal,
            incidents=parts.incidents,
            clock=parts.clock,
        )
        life = open_life(
            config=config,
            parts=parts,
            people=people,
            directory=directory,
            publication=publication,
            homes=homes,
            mailer=proving.mailer,
            book=book,
            rights=rights,
        )
        parts.home.on_devices_changed = life.sessions.changed
        upkeep = Upkeep(
            config=config,
            parts=parts,
            directory=directory,
            people=people,
            publication=publication,
            homes=homes,
            gauges=self._gauges,
            end=life.closing.end,
            bar_of=life.closing.bar_of,
        )
        stack.push_async_callback(upkeep.importing.close)
        await proving.settle()
        await homes.settle()
        await life.settle()
        await upkeep.settle()
        desk = open_desk(
            stack,
            config=config,
            parts=parts,
            directory=directory,
            ages=own.ages,
            people=people,
            homes=homes,
            book=book,
        )
        await desk.direct.settle()
        kinds = open_kinds(
            config=config,
            parts=parts,
            people=people,
            blocks=blocks,
            directory=directory,
            publication=publication,
            book=book,
            homes=homes,
            proving=proving,
            desk=desk,
            life=life,
            rights=rights,
        )
        await kinds.settle()
        commands = Commands(
            config=config,
            proving=proving,
            people=people,
            rights=rights,
            directory=directory,
            rooms=parts.rooms,
            clock=parts.clock,
            desk=desk,
            upkeep=upkeep,
            more={**life.commands, **kinds.commands},
        )
        bot = Bot(
            me=Owner.ANNUAIRE,
            home=parts.home,
            config=config,
            is_attested=rights.is_verified,
            administers=rights.administers,
            handlers=commands.table,
            handled=parts.handled,
            answers=kinds.answers,
        )
        federation = None
        if abroad is not None and roster is not None:
            federation = await open_federation(
                self,
                stack,
                config=config,
                own=abroad,
                parts=parts,
                roster=roster,
                people=people,
                directory=directory,
                homes=homes,
                direct=desk.direct,
                publish=publication.snapshot,
                partners=life.partners,
            )
            again = await ask_others(
                proving, federation.accounts, parts=parts, people=people, publication=publication, homes=homes
            )
            self.spawn("second_accounts", self._every(ASK_S, again))
        await open_entry(
            stack,
            config=config,
            parts=parts,
            people=people,
            directory=directory,
            proving=proving,
            coming_in=life.coming_in,
            homes=homes,
        )
        await self._listen(
            stack,
            federation,
            desk=desk,
            people=people,
            homes=homes,
            life=life,
            kinds=kinds,
            refusals=refusals,
            parts=parts,
            upkeep=upkeep,
        )
        upkeep.check(self)
        self.spawn("sync", lambda: parts.home.run(bot.hear, self.stop, position=parts.handled))
        self.spawn("refusals", lambda: refusals.run(self.stop))
        self.spawn("accounts", self._every(RECONCILE_S, lambda: homes.reconcile(parts.admin.users())))
        self.spawn("greetings", self._every(GREET_S, homes.greet))
        for name, (seconds, work) in {**life.rounds, **kinds.rounds}.items():
            self.spawn(name, self._every(seconds, work))
        if proving.ciba is not None:
            self.spawn("ciba", self._every(POLL_S, proving.ciba.run_once))
        self.spawn("proofs", self._every(TIDY_S, proving.tidy))
        self.spawn("desk", self._every(TIDY_S, desk.tidy))
        self.spawn("directory", self._every(LOOK_S, upkeep.look))
        self.spawn("alerts", self._every(GREET_S, partial(homes.alert, parts.incidents)))

    async def _listen(
        self,
        stack: AsyncExitStack,
        federation: Federation | None,
        *,
        desk: Desk,
        people: People,
        homes: Homes,
        life: Life,
        kinds: Kinds,
        refusals: Refusals,
        parts: Parts,
        upkeep: Upkeep,
    ) -> None:
        async def refused(acts: list[Any]) -> JsonDict:
            rest = await federation.take(acts) if federation is not None else acts
            await refusals.note(act for act in rest if isinstance(act, dict))
            return {}

        async def account(user: str) -> JsonDict:
            try:
                known = parse_user_id(user)
            except BadIdentifier:
                return {}
            if homes.is_person(known) and known not in self._service_admins:
                await people.saw_account(known, parts.clock.now())
                self._new_accounts.put_nowait(known)
                await life.sessions.changed([known])
            return {}

        async def state() -> JsonDict:
            return {"problems": await self.problems()}

        self._new_accounts: asyncio.Queue[UserId] = asyncio.Queue()
        self._service_admins = {a.user async for a in parts.admin.users() if a.admin}
        elsewhere, theirs = (federation.verbs, federation.for_salles) if federation is not None else ({}, {})
        server = Server(
            self.config.socket("annuaire"),
            self.config.sockets.uids,
            {
                "synapse": {"refused": refused, "account": account, "login": life.logins.login},
                "mssante": {"result": desk.result},
                "salles": {"forget_direct": desk.forget_direct, **theirs},
                "colloque": {"state": state, **upkeep.verbs, **life.verbs, **kinds.verbs, **elsewhere},
            },
            slow=upkeep.slow,
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
