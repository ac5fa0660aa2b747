"""Other servers, wired: what `app` needs to know of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colloque.attestation import Attestation, Change, Listed, Servers
from colloque.bot_service import Parts
from colloque.calls import JsonDict
from colloque.config import Config, FederationConfig
from colloque.directory.lookup import Directory
from colloque.errors import BadInput, ConfigError, HomeRefused, Problem
from colloque.federation.ed25519 import PrivateKey
from colloque.federation.http_client import Peers
from colloque.federation.http_list import ListSource
from colloque.federation.http_server import Api
from colloque.federation.keeper import Keeper
from colloque.federation.nonces import Nonces
from colloque.identity import UserId, digest
from colloque.matrix.home import text
from colloque.policy.exchange import Signer
from colloque.policy.federation_list import public_key
from colloque.service import Service
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.accounts.partners import Partners
from colloque_annuaire.federation.accounts import Accounts
from colloque_annuaire.federation.answers import Answers
from colloque_annuaire.federation.erasures import Erasures, salles_erases
from colloque_annuaire.federation.leaving import Leaving, SallesRooms
from colloque_annuaire.federation.meeting import Meetings
from colloque_annuaire.federation.people import Crossing
from colloque_annuaire.federation.teams import Teams
from colloque_annuaire.federation.telling import Telling
from colloque_annuaire.federation.upkeep import FederationUpkeep
from colloque_annuaire.finding.direct import Direct
from colloque_annuaire.store.federation import Abroad
from colloque_annuaire.store.federation_own import OwnAbroad
from colloque_annuaire.store.federation_returning import Returns
from colloque_annuaire.store.people import People
from colloque_annuaire.texts import federation as texts

PUSH_S = 1.0
RENEW_S = 60.0
LEAVE_S = 2.0


class Roster:
    """What the deciding processes must know: who of other servers is admitted, and which servers are listed."""

    def __init__(self, config: FederationConfig, parts: Parts, folder: Path) -> None:
        """Raises ConfigError without readable trust anchors."""
        self.abroad = Abroad(parts.db)
        self.keeper = Keeper(
            source=ListSource(parts.session, config.list_url, config.ca),
            folder=folder,
            authority={kid: public_key(key) for kid, key in config.authority.items()},
            clock=parts.clock,
        )
        self.keeper.load()
        self._clock = parts.clock
        self._edition = -1
        self._people: tuple[Attestation, ...] = ()

    async def published(self) -> Change:
        """A source of `Publication`."""
        if self.abroad.edition != self._edition:
            edition = self.abroad.edition
            self._people = tuple(remote.attestation for remote in await self.abroad.remotes())
            self._edition = edition
        listed = self.keeper.current
        if listed is None:
            return Change(attested=self._people)
        servers = tuple(
            Listed(name, entry.bots, entry.ghosts, entry.erases_until(self._clock.now()))
            for name, entry in sorted(listed.servers.items())
        )
        return Change(attested=self._people, servers=Servers(listed.version, listed.expires, servers))


@dataclass(frozen=True, slots=True)
class Federation:
    """The whole of it, running."""

    meetings: Meetings
    accounts: Accounts
    upkeep: FederationUpkeep
    teams: Teams
    erasures: Erasures

    async def take(self, acts: Sequence[Any]) -> list[Any]:
        """Keep those of the homeserver's refusals that are looked into here; the others come back."""
        return await self.meetings.note(acts)

    @property
    def verbs(self) -> Mapping[str, Callable[..., Awaitable[JsonDict]]]:
        """What the `colloque` command may ask."""

        async def federation_refresh() -> JsonDict:
            return {"turn": (await self.upkeep.refresh(ordered=True)).value}

        return {"federation_refresh": federation_refresh}

    @property
    def for_salles(self) -> Mapping[str, Callable[..., Awaitable[JsonDict]]]:
        """What `@salles` may ask."""
        return {"acquaint": self.teams.acquaint, "erase_elsewhere": self.erasures.ask}


async def open_federation(
    service: Service,
    stack: AsyncExitStack,
    *,
    config: Config,
    own: FederationConfig,
    parts: Parts,
    roster: Roster,
    people: People,
    directory: Directory,
    homes: Homes,
    direct: Direct,
    publish: Callable[[], Awaitable[None]],
    partners: Partners,
) -> Federation:
    """All of it, on the service's parts; its tasks run with the service's.

    Raises ConfigError (key or trust anchors), Tampered (rights of the key's file), Temporary (the address is taken).
    """
    key = _key(own)
    us = Signer(config.homeserver.server_name, own.kid, key.sign)
    keeper, abroad, known, returns = roster.keeper, roster.abroad, OwnAbroad(parts.db), Returns(parts.db)
    peers = Peers(http=parts.session, us=us, key_of=keeper.key_of, clock=parts.clock, ca=own.ca)
    crossing = Crossing(
        us=us,
        keeper=keeper,
        abroad=abroad,
        own=known,
        people=people,
        directory=directory,
        ages=config.annuaire.ages,
        journal=parts.journal,
        clock=parts.clock,
        publish=publish,
        test=config.test,
    )
    meetings = Meetings(
        keeper=keeper,
        peers=peers,
        crossing=crossing,
        abroad=abroad,
        own=known,
        home=parts.home,
        homes=homes,
        direct=direct,
        journal=parts.journal,
        clock=parts.clock,
    )
    accounts = Accounts(
        us=us,
        key=key,
        keeper=keeper,
        peers=peers,
        crossing=crossing,
        own=known,
        people=people,
        journal=parts.journal,
        clock=parts.clock,
        closed=_teller(parts, homes),
    )
    upkeep = FederationUpkeep(
        keeper=keeper,
        peers=peers,
        crossing=crossing,
        abroad=abroad,
        own=known,
        returns=returns,
        incidents=parts.incidents,
        journal=parts.journal,
        clock=parts.clock,
        publish=publish,
    )
    telling = Telling(
        keeper=keeper,
        peers=peers,
        crossing=crossing,
        own=known,
        returns=returns,
        journal=parts.journal,
        clock=parts.clock,
    )
    leaving = Leaving(abroad=abroad, rooms=SallesRooms(config), partners=partners, journal=parts.journal)
    await accounts.settle()
    await upkeep.follow()
    api = Api(us=us, key_of=keeper.key_of, nonces=Nonces(parts.db, parts.clock), clock=parts.clock)
    Answers(
        us=us.server, crossing=crossing, meetings=meetings, accounts=accounts, own=known, clock=parts.clock
    ).register(api)
    teams = Teams(
        us=us.server,
        keeper=keeper,
        peers=peers,
        crossing=crossing,
        abroad=abroad,
        meetings=meetings,
        clock=parts.clock,
    )
    teams.register(api)
    erasures = Erasures(us=us.server, keeper=keeper, peers=peers, clock=parts.clock, erase_copy=salles_erases(config))
    erasures.register(api)
    await api.serve(stack, own.listen)
    service.check("federation", lambda: keeper.health)

    async def renew() -> None:
        await upkeep.follow()
        await upkeep.renew()

    service.spawn("federation_list", _every(service, own.refresh_s, upkeep.look))
    service.spawn("federation_renewals", _every(service, RENEW_S, renew))
    service.spawn("federation_revocations", _every(service, PUSH_S, telling.push))
    service.spawn("federation_returns", _every(service, PUSH_S, telling.present_again))
    service.spawn("federation_leaving", _every(service, LEAVE_S, leaving.run_once))
    service.spawn("federation_meetings", lambda: meetings.run(service.stop))
    return Federation(meetings, accounts, upkeep, teams, erasures)


def _key(own: FederationConfig) -> PrivateKey:
    try:
        return PrivateKey.load(own.key)
    except OSError as error:
        raise ConfigError([Problem("annuaire.federation.key", f"{own.key}: {error.strerror}")]) from None
    except BadInput as error:
        raise ConfigError([Problem("annuaire.federation.key", str(error))]) from None


def _teller(parts: Parts, homes: Homes) -> Callable[[UserId, str], Awaitable[None]]:
    async def closed(user: UserId, organisation: str) -> None:
        key = f"federation.moved.{digest(user)}"
        await parts.incidents.open(key, texts.moved_away_admin(organisation))
        await parts.incidents.close(key)
        try:
            room = await homes.ensure(user)
            await parts.home.send(room, text(texts.moved_away(organisation)), txn=f"moved-{digest(user)}")
        except HomeRefused:
            return  # They left their home room; the admin room knows.

    return closed


def _every(service: Service, seconds: float, work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    async def loop() -> None:
        while not service.stop.is_set():
            await work()
            await service.pause(seconds)

    return loop
