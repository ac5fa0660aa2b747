"""Administrators: the first two, the others, the last; kills between steps; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colloque.attestation import NO_RPPS, Kind, Method
from colloque.errors import BadInput, Refused
from colloque.identity import UserId
from colloque.policy.staff import NoStaff
from colloque.store.journal import Journal
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.kinds.staff import EXISTS, UNKNOWN
from colloque_annuaire.store.entry import Links
from colloque_annuaire.store.people import People
from colloque_annuaire.store.staff import StaffRows
from colloque_annuaire.texts import staff as texts
from tests.servers.dispatch import SERVER
from tests.servers.killing import dies, killed_after
from tests.servers.ward import Ward, a_ward  # noqa: F401 - a fixture
from tests.servers.ward_parts import Hall, user

NAMES = ["zoe.durand", "Paul Petit"]
ZOE, PAUL, LEA = (UserId(f"@{name}:{SERVER}") for name in ("zoe.durand", "paul.petit", "lea.roux"))
STEPS = [
    (Journal, "begin"), (Journal, "end"), (StaffRows, "begin_first"), (StaffRows, "first_done"), (Hall, "create"),
    (People, "saw_account"), (People, "attest"), (Publication, "snapshot"), (Hall, "set_display_name"),
    (Hall, "let_into_admin"), (Links, "make"),
]  # fmt: skip
ALL = 24


def secret(said: str) -> str:
    return said.partition("?l=")[2].split()[0]


async def test_the_first_two_are_made_once(ward: Ward) -> None:
    told = (await ward.staff.bootstrap(NAMES))["accounts"]
    assert [each["user"] for each in told] == [ZOE, PAUL]
    assert await ward.links.of(secret(told[0]["link"]), ward.clock.now()) == ZOE
    held = ward.book.of(ZOE, ward.clock.now() + timedelta(days=3000))
    assert held is not None
    assert (held.kind, held.method, held.rpps) == (Kind.STAFF, Method.BOOTSTRAP, NO_RPPS)
    assert ward.server.made[ZOE] == held.name == "Zoe DURAND · administration"
    assert ward.rights.administrators() == {ZOE, PAUL}
    assert ward.rights.administers(ZOE)
    assert not ward.rights.is_verified(ZOE)
    assert ward.server.let_in == [ZOE, PAUL]
    assert [entry["outcome"] for entry in ward.entries("staff.add")] == ["", "added", "", "added"]
    await ward.restart()
    for names in (NAMES, ["a.b", "c.d"]):
        with pytest.raises(Refused) as no:
            await ward.staff.bootstrap(names)
        assert no.value.reason == EXISTS


@pytest.mark.parametrize("names", [[], ["a.b"], ["a.b", "A B"], ["a.b", "c.d", "e.f"], ["a.b", "x"], "a.b c.d", [1, 2]])
async def test_what_does_not_name_two_makes_nobody(ward: Ward, names: object) -> None:
    with pytest.raises(BadInput):
        await ward.staff.bootstrap(names)
    assert ward.server.made == {}


async def test_where_the_configuration_names_administrators_there_is_nothing_to_bootstrap(ward: Ward) -> None:
    ward.named = (user(1),)
    await ward.restart()
    with pytest.raises(Refused) as no:
        await ward.staff.bootstrap(NAMES)
    assert no.value.reason == EXISTS
    assert (await ward.staff.listed())["accounts"] == [{"user": user(1), "name": "", "named": True}]
    assert await ward.tell(1, f"!administrateur retirer {user(1)}") == texts.may_not(NoStaff.NAMED)


@pytest.mark.parametrize("survived", range(ALL + 1))
async def test_killed_at_any_line_the_operator_asks_again(
    ward: Ward, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed_after(STEPS, survived, monkeypatch) as left:
        killed = await dies(lambda: ward.staff.bootstrap(NAMES))
        assert killed == (survived < ALL)
        assert killed or left() == 0, "every step was tried"
    await ward.restart()
    if killed:
        again = await ward.staff.bootstrap(NAMES)
        assert [each["user"] for each in again["accounts"]] == [ZOE, PAUL]
    assert list(ward.server.made) == [ZOE, PAUL]
    assert ward.rights.administrators() == {ZOE, PAUL}
    assert ward.journal.open_intents() == ()


async def test_a_begun_bootstrap_goes_on_with_its_names_only(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    with killed_after([(Hall, "let_into_admin")], 0, monkeypatch):
        assert await dies(lambda: ward.staff.bootstrap(NAMES))
    await ward.restart()
    with pytest.raises(Refused):
        await ward.staff.bootstrap(["zoe.durand", "lea.roux"])
    assert len((await ward.staff.bootstrap(NAMES))["accounts"]) == 2


async def test_two_make_a_third(ward: Ward) -> None:
    await ward.staff.bootstrap(NAMES)
    assert await ward.tell(ZOE, "!administrateur ajouter") == texts.WHO_TO_ADD
    assert await ward.tell(PAUL, "!administrateur ajouter lea.roux oui") == texts.may_not(NoStaff.NOTHING_ASKED)
    assert "deuxième administrateur" in await ward.tell(ZOE, "!administrateur ajouter Léa Roux")
    assert await ward.tell(ZOE, "!administrateur ajouter lea.roux oui") == texts.may_not(NoStaff.SAME_PERSON)
    ward.clock.advance(minutes=61)
    assert await ward.tell(PAUL, "!administrateur ajouter lea.roux oui") == texts.may_not(NoStaff.NOTHING_ASKED)
    await ward.tell(ZOE, "!administrateur ajouter lea.roux")
    done = await ward.tell(PAUL, "!administrateur ajouter lea.roux oui", "$done")
    assert await ward.links.of(secret(done), ward.clock.now()) == LEA
    assert ward.rights.administrators() == {ZOE, PAUL, LEA}
    assert LEA in await ward.tell(PAUL, "!administrateur ajouter lea.roux oui", "$done"), "heard again"
    assert await ward.tell(PAUL, "!administrateur ajouter lea.roux oui") == texts.may_not(NoStaff.NOTHING_ASKED)
    assert await ward.tell(PAUL, "!administrateur ajouter lea.roux") == texts.may_not(NoStaff.ALREADY)
    assert "Lea ROUX" in await ward.tell(PAUL, "!administrateurs")
    ward.url = ""
    await ward.restart()
    await ward.tell(ZOE, "!administrateur ajouter marc.noir")
    assert "colloque admin access" in await ward.tell(PAUL, "!administrateur ajouter marc.noir oui")


async def test_the_last_one_stays(ward: Ward) -> None:
    await ward.staff.bootstrap(NAMES)
    assert await ward.tell(ZOE, "!administrateur retirer") == texts.WHO_TO_REMOVE
    assert await ward.tell(ZOE, f"!administrateur retirer {user(1)}") == texts.may_not(NoStaff.NOT_STAFF)
    assert "n'administre plus" in await ward.tell(ZOE, f"!administrateur retirer {PAUL}")
    assert ward.rights.administrators() == {ZOE}
    assert not ward.rights.administers(PAUL)
    await ward.closing.run_once()
    assert {act for act, who in ward.server.acts if who == PAUL} >= {"lock", "close"}
    assert await ward.tell(ZOE, f"!administrateur retirer {ZOE}") == texts.may_not(NoStaff.LAST)


async def test_whoever_was_removed_can_be_made_an_administrator_again(ward: Ward) -> None:
    await ward.staff.bootstrap([*NAMES])
    await ward.tell(ZOE, "!administrateur ajouter lea.roux")
    await ward.tell(PAUL, "!administrateur ajouter lea.roux oui")
    await ward.tell(ZOE, f"!administrateur retirer {LEA}")
    await ward.closing.run_once()
    ward.clock.advance(seconds=1)
    await ward.tell(ZOE, "!administrateur ajouter lea.roux")
    assert LEA in await ward.tell(PAUL, "!administrateur ajouter lea.roux oui")
    await ward.closing.run_once()
    assert ("unlock", LEA) in ward.server.acts
    assert ward.rights.administers(LEA)


async def test_a_way_back_in_is_told_to_the_administrators(ward: Ward) -> None:
    await ward.staff.bootstrap(NAMES)
    for nobody in (user(1), "zoe", "@zoe:elsewhere.test"):
        with pytest.raises(Refused) as no:
            await ward.staff.access(nobody)
        assert no.value.reason == UNKNOWN
    [told] = (await ward.staff.access(ZOE))["accounts"]
    assert await ward.links.of(secret(told["link"]), ward.clock.now()) == ZOE
    [incident] = await ward.incidents.unposted()
    assert incident.text == texts.ACCESS_GIVEN
    assert len(ward.entries("staff.access")) == 1
    ward.url = ""
    await ward.restart()
    [told] = (await ward.staff.access(ZOE))["accounts"]
    assert len(told["password"].split("-")) == 4
