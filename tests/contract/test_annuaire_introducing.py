"""An account for somebody who can't come in alone: made by one colleague, verified with a second; on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from colloque.attestation import Method
from colloque.identity import EventId, UserId
from colloque.policy.ending import End
from colloque.policy.vouching import NoVouch
from colloque.store.journal import Journal
from colloque_annuaire.rules.enrol import No
from colloque_annuaire.rules.results import Listed, today
from colloque_annuaire.store.entry import Links
from colloque_annuaire.store.people import People
from colloque_annuaire.store.vouching import Vouches
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import vouching as texts_vouching
from tests.servers.annuaire import rpps
from tests.servers.dispatch import SERVER
from tests.servers.killing import dies, killed_after
from tests.servers.ward import Ward, a_ward  # noqa: F401 - a fixture
from tests.servers.ward_parts import Hall, user

NEW = UserId(f"@anne.nom1:{SERVER}")
STEPS = [
    (Journal, "begin"), (Journal, "end"), (Hall, "create"), (People, "saw_account"), (Vouches, "put"),
    (Vouches, "go_on"), (Vouches, "vouch"), (Links, "make"),
]  # fmt: skip
ALL = 12


def secret(said: str) -> str:
    return said.partition("?l=")[2].split()[0]


async def test_a_colleague_makes_the_account_and_a_second_one_vouches(ward: Ward) -> None:
    await ward.attest(2, 3)
    question = await ward.tell(2, f"!garant {rpps(1)}")
    assert question.startswith("Faire un compte pour cette personne")
    assert f"Dr Anne NOM1\nMédecin, Cardiologie\nNANCY\nRPPS {rpps(1)}" in question
    assert ward.server.made == {}
    said = await ward.tell(2, "oui")
    assert await ward.links.of(secret(said), ward.clock.now()) == NEW
    assert ward.server.made == {NEW: texts_vouching.UNVERIFIED}, "nobody takes it for the person's"
    assert await ward.people.attestation_of(NEW) is None
    assert "encore un confrère" in (await ward.vouching.claim(NEW, rpps(1), EventId("$own"))).split("\n")[0]
    # The second one knows the account from the person, not from us.
    refused = await ward.tell(3, f"!garant {rpps(1)} oui")
    assert refused == texts_vouching.ASK_FOR_THE_ACCOUNT
    assert NEW not in refused
    assert "notée" in await ward.tell(2, f"!garant {rpps(1)} oui"), "a new link, the same word"
    assert await ward.links.of(secret(said), ward.clock.now()) is None
    assert "deuxième" in await ward.tell(3, f"!garant {NEW} oui")
    held = await ward.people.attestation_of(NEW)
    assert held is not None
    assert (held.method, held.rpps) == (Method.VOUCHED, rpps(1))
    assert ward.server.names[NEW] == held.name
    assert await ward.tell(3, f"!garant {rpps(1)} oui") == texts_vouching.HAS_ACCOUNT


async def test_who_is_meant_may_be_a_result_and_must_be_somebody_who_may_come_in(ward: Ward) -> None:
    await ward.attest(2)
    await ward.results.number(user(2), today(ward.clock.now()), EventId("$page"), [Listed(rpps(1))])
    assert "Anne NOM1" in await ward.tell(2, "!garant 1")
    assert await ward.tell(2, "!garant 9") == texts_vouching.WHO
    assert await ward.tell(2, f"!garant {rpps(2)} oui") == texts_vouching.HAS_ACCOUNT
    assert await ward.tell(2, f"!garant {rpps(77)} oui") == texts.refusal(No.UNKNOWN)
    await ward.attest(4)
    await ward.closing.end(user(4), End.ADMIN)
    assert await ward.tell(2, f"!garant {rpps(4)} oui") == texts_vouching.HAS_ACCOUNT
    odd = replace(ward.directory.people[4].activities[0], profession_code="999")
    ward.directory.people[4] = replace(ward.directory.people[4], activities=(odd,))
    assert "n'est pas de celles" in await ward.tell(2, f"!garant {rpps(5)} oui")
    await ward.attest(3, method=Method.VOUCHED)
    assert await ward.tell(3, f"!garant {rpps(1)} oui") == texts_vouching.may_not(NoVouch.VOUCHED)
    assert ward.server.made == {}
    ward.url = ""
    await ward.restart()
    assert "chez votre administrateur" in await ward.tell(2, f"!garant {rpps(1)} oui")


async def test_whoever_got_an_earlier_link_is_never_in_the_persons_account(ward: Ward) -> None:
    await ward.attest(2, 3, 4)
    await ward.tell(2, f"!garant {rpps(1)} oui")
    ward.clock.advance(days=8)
    await ward.vouching.tidy()
    again = await ward.tell(3, f"!garant {rpps(1)} oui")
    other = await ward.links.of(secret(again), ward.clock.now())
    assert other is not None
    assert other != NEW
    assert await ward.accounts.of_professional(rpps(1), "Anne", "NOM1", "Dr Anne NOM1") not in {NEW, other}
    assert await ward.tell(4, f"!garant {NEW} oui") == texts_vouching.NO_CLAIM


@pytest.mark.parametrize("survived", range(ALL + 1))
async def test_killed_at_any_line_one_account_and_one_word(
    ward: Ward, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ward.attest(2, 3)
    with killed_after(STEPS, survived, monkeypatch) as left:
        killed = await dies(lambda: ward.tell(2, f"!garant {rpps(1)} oui", "$one"))
        assert killed == (survived < ALL)
        assert killed or left() == 0, "every step was tried"
    await ward.restart()
    said = await ward.tell(2, f"!garant {rpps(1)} oui", "$one")
    assert await ward.links.of(secret(said), ward.clock.now()) == NEW
    assert list(ward.server.made) == [NEW]
    claim = await Vouches(ward.db).claim_of(NEW, ward.clock.now().replace(year=2025))
    assert claim is not None
    assert [each.voucher for each in await Vouches(ward.db).of(claim.ref)] == [user(2)]
    assert ward.journal.open_intents() == ()
