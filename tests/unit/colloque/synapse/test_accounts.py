"""Who somebody is, as the module knows it: every kind of account, here and on other servers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from colloque.attestation import NO_RPPS, Attestation, Kind
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.identity import UserId
from colloque.policy.admission import Rights, Standing
from colloque.rooms.mark import ROOM_MARK
from colloque.snapshot import SnapshotWriter
from colloque.synapse.accounts import Accounts, Room
from colloque.synapse.settings import Settings
from tests.attested import KEY, NOW, SERVERS, held, user, whole

BOT, GHOST, STAFF = UserId("@annuaire:a.example"), UserId("@mss_1:a.example"), UserId("@admin:a.example")
THEIR_BOT = UserId("@annuaire:b.example")


class House:
    def __init__(self, folder: Path) -> None:
        self.clock = FrozenClock(NOW)
        settings = Settings(
            folder / "snapshot", folder / "key", folder / "s", frozenset({BOT}), "mss_", frozenset({STAFF})
        )
        self.writer = SnapshotWriter(folder / "snapshot", KEY)
        book = AttestationBook(folder / "snapshot", KEY)
        self.accounts = Accounts(settings, book, self.clock, lambda who: who.endswith(":a.example"))
        self.serial = 0

    def publish(self, *attested: Attestation, **more: Any) -> None:
        self.serial += 1
        self.writer.publish(whole(*attested, serial=self.serial, **({"servers": SERVERS} | more)))

    def standing(self, who: str) -> Standing:
        return self.accounts.standing(who)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_accounts_of_this_server(house: House) -> None:
    boss = held(1)
    house.publish(
        boss,
        held(2, frozen=True),
        held(3, kind=Kind.SUPERVISED, under=boss.rpps, professions=()),
        held(4, kind=Kind.STAFF, rpps=NO_RPPS),
        held(5, valid_until=NOW),
    )
    assert [house.standing(user(n)) for n in range(1, 7)] == [
        Standing.ATTESTED,
        Standing.FROZEN,
        Standing.SUPERVISED,
        Standing.STAFF,
        Standing.UNVERIFIED,
        Standing.UNVERIFIED,
    ]
    assert (house.standing(BOT), house.standing(GHOST)) == (Standing.SERVICE, Standing.SERVICE)
    assert house.standing(STAFF) is Standing.STAFF
    assert house.accounts.person(user(1)).rights == Rights(enters=True, opens=True)
    assert house.accounts.sponsor(house.accounts.person(user(3))) == user(1)
    house.publish(held(3, kind=Kind.SUPERVISED, under=boss.rpps, professions=()))
    assert house.standing(user(3)) is Standing.FROZEN, "nobody answers for them any more"


def test_accounts_of_other_servers(house: House) -> None:
    known, staff = held(1, "b.example"), held(2, "b.example", kind=Kind.STAFF)
    elsewhere = held(3, "c.example")
    house.publish(known, staff, elsewhere)
    assert house.standing(known.user) is Standing.REMOTE_ATTESTED
    assert house.standing(THEIR_BOT) is Standing.REMOTE_SERVICE
    assert house.standing(user(9, "b.example")) is Standing.REMOTE_UNKNOWN
    assert house.standing(staff.user) is Standing.REMOTE_UNKNOWN, "only professionals cross servers"
    assert house.standing(elsewhere.user) is Standing.REMOTE, "their server is not listed"
    assert house.standing("@mss_1:b.example") is Standing.REMOTE_GHOST, "the list says how their names begin"
    assert house.standing("@mss1:b.example") is Standing.REMOTE_UNKNOWN
    assert house.standing("@mss_1:c.example") is Standing.REMOTE
    house.clock.advance(days=1)
    assert {house.standing(u) for u in (known.user, THEIR_BOT)} == {Standing.REMOTE}, "the list is over"


def test_what_is_attested_ends_by_itself(house: House) -> None:
    house.publish(held(1))
    house.clock.advance(days=1)
    assert house.standing(user(1)) is Standing.UNVERIFIED
    assert house.accounts.was_attested(user(1), round((NOW + timedelta(hours=1)).timestamp() * 1000))
    assert not house.accounts.was_attested(user(1), round((NOW + timedelta(days=1)).timestamp() * 1000))
    assert not house.accounts.was_attested(user(2), 0)


def test_blocks(house: House) -> None:
    house.publish(held(1), held(2), blocks={user(1): frozenset({user(2)})})
    assert house.standing(user(1)) is Standing.ATTESTED
    assert house.accounts.refuses(user(1), user(2))
    assert house.accounts.refuses(user(1), BOT, user(2)), "whoever asks, or for whom a bot does"
    assert not house.accounts.refuses(user(2), user(1))
    assert not house.accounts.refuses(user(1), None)


@dataclass
class Mark:
    sender: str
    content: MappingProxyType[str, object]


@pytest.mark.parametrize(
    ("sender", "kind", "believed"),
    [
        (BOT, "patient", True),
        (GHOST, "mail", True),
        (GHOST, "home", False),
        (user(1), "home", False),
        (THEIR_BOT, "direct", True),
        (user(1, "b.example"), "direct", False),
        (UserId("@annuaire:c.example"), "direct", False),
        (BOT, 3, False),
    ],
)
def test_marks_are_believed_of_bots(house: House, sender: str, kind: Any, believed: bool) -> None:
    house.publish(held(1), held(1, "b.example"))
    house.standing(user(1))
    content: dict[str, object] = {"kind": kind, "owner": user(1)}
    state = {(ROOM_MARK, ""): Mark(sender, MappingProxyType(content))}
    assert house.accounts.room(state) == (Room(kind, user(1)) if believed else Room())
    assert house.accounts.room({}) == Room()
