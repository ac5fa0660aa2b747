"""The word of somebody whose access is taken away before it has verified anybody counts no more; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from colloque.attestation import Method
from colloque.identity import EventId, UserId
from colloque.policy.ending import End
from colloque.professional import Activity
from colloque.store.journal import Journal
from colloque_annuaire.proving.attesting import Attesting
from colloque_annuaire.store.proofs import Proofs
from colloque_annuaire.store.vouching import Stage, Vouches
from colloque_annuaire.texts import vouching as texts_vouching
from tests.servers.annuaire import rpps
from tests.servers.dispatch import SERVER
from tests.servers.killing import dies, killed_after
from tests.servers.verification import Server
from tests.servers.ward import Ward, a_ward  # noqa: F401 - a fixture
from tests.servers.ward_parts import user

CLAIM = EventId("$claim")
STEPS = [
    (Attesting, "withdraw"), (Proofs, "drop_ref"), (Server, "send"), (Journal, "note"), (Vouches, "withdraw"),
]  # fmt: skip
ALL = 5


async def claim(ward: Ward, event: str = "$claim") -> str:
    await ward.people.saw_account(user(1))
    return await ward.vouching.claim(user(1), rpps(1), EventId(event))


async def words(ward: Ward) -> list[UserId]:
    return [each.voucher for each in await Vouches(ward.db).of(CLAIM)]


async def stage(ward: Ward) -> Stage | None:
    kept = await Vouches(ward.db).claim_by(CLAIM)
    return kept.stage if kept is not None else None


async def two_exercises(ward: Ward) -> None:
    """The claimant must still say which, when two have vouched."""
    person = ward.directory.people[0]
    ward.directory.people[0] = replace(person, activities=(*person.activities, Activity("21", "Pharmacien", "C")))
    await claim(ward)
    for n in (2, 3):
        await ward.tell(n, f"!garant {user(1)} oui")
    assert await stage(ward) is Stage.ASKED


@pytest.mark.parametrize("why", [End.ADMIN, End.FHIR])
async def test_revoked_before_the_second_spoke(ward: Ward, why: End) -> None:
    await ward.attest(2, 3, 4)
    await claim(ward)
    await ward.tell(2, f"!garant {user(1)} oui")
    await ward.closing.end(user(2), why)
    assert "encore la parole" in await ward.tell(3, f"!garant {user(1)} oui"), "the first word is gone"
    assert await ward.people.attestation_of(user(1)) is None
    assert "deuxième" in await ward.tell(4, f"!garant {user(1)} oui")
    attested = await ward.people.attestation_of(user(1))
    assert attested is not None
    assert [v.voucher for v in await Vouches(ward.db).behind(user(1))] == [user(3), user(4)]
    await ward.vouching.run_once()
    assert ward.entries("person.vouch_in_doubt") == [], "no attestation rests on that word"
    [entry] = ward.entries("person.vouch_withdrawn")
    assert entry["actor"] == user(2)
    assert not [said for said in ward.told(2) if "êtes porté garant" in said]


async def test_given_back_the_word_must_be_given_again(ward: Ward) -> None:
    await ward.attest(2, 3)
    await claim(ward)
    await ward.tell(2, f"!garant {user(1)} oui")
    await ward.closing.end(user(2), End.ADMIN)
    await ward.vouching.run_once()
    await ward.closing.give_back(user(2), actor=user(9))
    await ward.closing.run_once()
    assert "encore la parole" in await ward.tell(3, f"!garant {user(1)} oui")
    assert "deuxième" in await ward.tell(2, f"!garant {user(1)} oui")


async def test_an_access_that_ended_otherwise_leaves_the_word(ward: Ward) -> None:
    await ward.attest(2, 3)
    await claim(ward)
    await ward.tell(2, f"!garant {user(1)} oui")
    await ward.closing.end(user(2), End.UNUSED)
    assert "deuxième" in await ward.tell(3, f"!garant {user(1)} oui")


async def test_revoked_while_the_directory_is_too_old_to_verify_anybody(ward: Ward) -> None:
    await ward.attest(2, 3, 4)
    await claim(ward)
    ward.directory.old = timedelta(days=9)
    for n in (2, 3):
        await ward.tell(n, f"!garant {user(1)} oui")
    assert await stage(ward) is Stage.READY
    await ward.closing.end(user(3), End.ADMIN)
    ward.directory.old = timedelta(0)
    await ward.vouching.run_once()
    assert await ward.people.attestation_of(user(1)) is None
    assert (await words(ward), await stage(ward)) == ([user(2)], Stage.OPEN)
    assert ward.told(1) == [], "they had not been told of anything yet"
    assert "deuxième" in await ward.tell(4, f"!garant {user(1)} oui")
    assert await ward.people.attestation_of(user(1)) is not None


async def test_revoked_before_the_claimant_said_which_exercise(ward: Ward) -> None:
    await ward.attest(2, 3, 4)
    await two_exercises(ward)
    await ward.closing.end(user(2), End.ADMIN)
    assert "encore un confrère" in await claim(ward, "$again")
    assert await ward.attesting.choose(user(1), 2) is None, "nothing is asked any more"
    assert "encore un confrère" in ward.told(1)[-1]
    assert "deuxième" in await ward.tell(4, f"!garant {user(1)} oui")
    assert "Identité vérifiée" in str(await ward.attesting.choose(user(1), 2))


async def test_an_attestation_that_stands_is_reported_and_left(ward: Ward) -> None:
    """Verified, and killed before the claim says so: what follows is the administrators' to decide."""
    await ward.attest(2, 3)
    await two_exercises(ward)
    await ward.attesting.choose(user(1), 2)
    await ward.closing.end(user(2), End.ADMIN)
    assert await stage(ward) is Stage.ASKED
    await ward.vouching.run_once()
    assert (await words(ward), await stage(ward)) == ([user(2), user(3)], Stage.DONE)
    assert len(ward.entries("person.vouch_in_doubt")) == 1


async def test_a_claim_ends_with_the_access_of_whoever_had_the_account_made(ward: Ward) -> None:
    await ward.attest(2, 3, 4)
    await ward.tell(2, f"!garant {rpps(1)} oui")
    made = UserId(f"@anne.nom1:{SERVER}")
    await ward.closing.end(user(2), End.ADMIN)
    assert await ward.tell(3, f"!garant {made} oui") == texts_vouching.NO_CLAIM
    said = await ward.tell(3, f"!garant {rpps(1)} oui", "$other")
    assert "notée" in said
    [other] = [account for account in ward.server.made if account != made]
    assert other in said, "nobody who had the first link is in the account that the second one hands over"
    assert await ward.tell(4, f"!garant {made} oui") == texts_vouching.NO_CLAIM
    assert "deuxième" in await ward.tell(4, f"!garant {other} oui")
    held = await ward.people.attestation_of(other)
    assert held is not None
    assert held.method is Method.VOUCHED


async def test_another_colleague_brings_them_in_before_anybody_tried_the_first_account(ward: Ward) -> None:
    await ward.attest(2, 3)
    await ward.tell(2, f"!garant {rpps(1)} oui")
    await ward.closing.end(user(2), End.ADMIN)
    assert "notée" in await ward.tell(3, f"!garant {rpps(1)} oui")
    assert len(ward.server.made) == 2


@pytest.mark.parametrize("survived", range(ALL + 1))
async def test_killed_at_any_line_the_word_goes_and_they_are_told_once(
    ward: Ward, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ward.attest(2, 3)
    await two_exercises(ward)
    await ward.closing.end(user(2), End.ADMIN)
    before = len(ward.told(1))
    with killed_after(STEPS, survived, monkeypatch) as left:
        killed = await dies(ward.vouching.run_once)
        assert killed == (survived < ALL)
        assert killed or left() == 0, "every step was tried"
    await ward.restart()
    for _ in range(2):
        await ward.vouching.run_once()
    assert (await words(ward), await stage(ward)) == ([user(3)], Stage.OPEN)
    assert await ward.attesting.choose(user(1), 2) is None
    assert len(ward.told(1)) == before + 1
