"""Accounts that nobody uses: warned a month before, closed, reopened by a new proof; on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from colloque.attestation import NO_RPPS, Attestation, Kind, Method
from colloque.errors import ServiceUnavailable
from colloque.identity import EventId, MssanteAddress, UserId
from colloque.matrix.admin import Account
from colloque_annuaire.life.unused import Unused
from tests.servers.dispatch import CONFIG
from tests.servers.verification import ADMIN, House, a_house, user  # noqa: F401 - a fixture

LIMIT = timedelta(days=CONFIG.annuaire.inactive_days)
"""As configured: as long as an attestation holds."""


class Users:
    """When accounts were made and last used."""

    def __init__(self, made: datetime) -> None:
        self.made = made
        self.seen: dict[UserId, datetime | None] = {}

    async def users(self) -> AsyncIterator[Account]:
        for who, at in self.seen.items():
            yield Account(who, "", admin=who == ADMIN, last_seen=at, created=self.made)


class Mails:
    def __init__(self) -> None:
        self.sent: dict[str, str] = {}
        self.down = False

    async def send(self, *, key: str, to: MssanteAddress, subject: str, text: str) -> None:
        if self.down:
            raise ServiceUnavailable("mssante does not answer")
        self.sent.setdefault(key, text)


class Year:
    """A house in which time passes, looked at as often as the service does in days."""

    def __init__(self, house: House) -> None:
        self.house, self.users, self.mails = house, Users(house.clock.now()), Mails()
        self.named: set[UserId] = set()
        self.unused = Unused(
            people=house.people,
            endings=house.endings,
            closing=house.closing,
            directory=house.directory,
            server=self.users,
            mailer=self.mails,
            home=house.server,
            homes=house.server,  # type: ignore[arg-type]
            clock=house.clock,
            limit=LIMIT,
            administers=self.named.__contains__,
        )

    async def day(self, days: int) -> None:
        self.house.clock.advance(days=days)
        await self.unused.run_once()
        await self.house.closing.run_once()

    def acts(self, number: int) -> list[str]:
        return [act for act, who in self.house.server.acts if who == user(number)]


@pytest.fixture
def year(house: House) -> Year:
    return Year(house)


async def test_warned_a_month_before_then_closed_and_reopened_by_a_proof(house: House, year: Year) -> None:
    assert house.snapshot()[user(3)].valid_until - house.clock.now() == LIMIT, "it ends no later than the limit"
    year.users.seen = dict.fromkeys([user(3), user(4), ADMIN], house.clock.now())
    house.clock.advance(days=334)
    year.users.seen[user(4)] = house.clock.now()
    year.mails.down = True
    with pytest.raises(ServiceUnavailable):
        await year.day(1)
    year.mails.down = False
    await year.day(0)
    await year.day(0)
    assert len(house.server.told(3)) == 1
    assert "fermé dans 30 jours" in house.server.told(3)[0]
    assert len(year.mails.sent) == 1
    assert house.server.told(4) == []
    await year.day(29)
    assert year.acts(3) == []
    await year.day(2)
    assert year.acts(3) == ["close", "evict unused"]
    assert not house.snapshot()[user(3)].is_valid(house.clock.now())
    assert year.acts(4) == []
    # Closed is closed: neither warned nor closed again.
    await year.day(400)
    assert len(house.server.told(3)) == 1
    assert year.acts(3) == ["close", "evict unused"]
    assert year.house.snapshot()[user(3)].user == user(3), "still published as ended"
    await house.attest(3)
    await house.closing.run_once()
    assert await house.endings.of(user(3)) is None
    assert "vous est rendu" in house.server.told(3)[-1]
    await year.day(1)
    assert len(house.server.told(3)) == 2, "used again: the proof counts as a use"


async def test_whoever_comes_back_in_time_keeps_the_account(house: House, year: Year) -> None:
    year.users.seen = {user(3): house.clock.now()}
    await year.day(340)
    house.clock.advance(days=5)
    # The session was closed again before anybody looked: the login is what is left of it.
    year.users.seen[user(3)] = None
    await house.people.saw_account(user(3), house.clock.now())
    await year.day(60)
    assert year.acts(3) == []
    assert await house.endings.warned() == {}
    await year.day(280)
    assert len(house.server.told(3)) == 2, "warned anew, a year later"


async def test_an_account_that_was_never_verified_is_closed_too(house: House, year: Year) -> None:
    stranger = UserId("@stranger:h.test")
    year.users.seen = {stranger: None}
    await year.day(336)
    await year.day(31)
    assert [act for act, who in house.server.acts if who == stranger] == ["close", "evict unused"]
    assert year.mails.sent == {}


async def test_administrators_are_never_closed(house: House, year: Year) -> None:
    now = house.clock.now()
    staff = UserId("@admin.un:h.test")
    held = Attestation(staff, NO_RPPS, "Un", Method.BOOTSTRAP, now, now + LIMIT, kind=Kind.STAFF)
    await house.people.attest(held, EventId("$staff"))
    year.named.add(user(5))
    year.users.seen = dict.fromkeys([staff, user(5), ADMIN], now)
    await year.day(340)
    await year.day(60)
    assert house.server.acts == []
    assert house.server.sent == {}
