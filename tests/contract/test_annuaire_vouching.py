"""Two colleagues vouch: who, for whom, how often, kills between steps; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from colloque.attestation import Attestation, Kind, Method
from colloque.errors import ServiceUnavailable
from colloque.identity import EventId, MssanteAddress
from colloque.policy.ending import End
from colloque.policy.vouching import NoVouch
from colloque.professional import Activity, Mailbox, MailboxKind
from colloque.store.journal import Journal
from colloque_annuaire.proving.attesting import Attesting
from colloque_annuaire.proving.flow import Enrolment, Rules
from colloque_annuaire.rules.enrol import No
from colloque_annuaire.rules.results import today
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.people import People
from colloque_annuaire.store.proofs import Proof
from colloque_annuaire.store.results import Question
from colloque_annuaire.store.vouching import Stage, Vouches
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import vouching as texts_vouching
from tests.servers.annuaire import rpps
from tests.servers.killing import dies, killed_after
from tests.servers.verification import Server
from tests.servers.ward import Ward, a_ward  # noqa: F401 - a fixture
from tests.servers.ward_parts import Mails, user

STEPS = [
    (Journal, "begin"), (Journal, "end"), (Vouches, "put"), (Vouches, "go_on"), (Vouches, "vouch"), (Mails, "send"),
    (People, "attest"), (Attesting, "take"), (Server, "send"),
]  # fmt: skip
ALL = 20


async def claim(ward: Ward, n: int, event: str = "$claim") -> str:
    await ward.people.saw_account(user(n))
    return await ward.vouching.claim(user(n), rpps(n), EventId(event))


async def held(ward: Ward, n: int) -> Attestation:
    found = await ward.people.attestation_of(user(n))
    assert found is not None
    return found


def mailbox(ward: Ward, n: int) -> None:
    box = Mailbox(MssanteAddress(f"nom{n}@m.mssante.test"), MailboxKind.PER, "", rpps(n))
    ward.directory.people[n - 1] = replace(ward.directory.people[n - 1], mailboxes=(box,))


async def test_the_word_of_two_colleagues_verifies_for_a_limited_time(ward: Ward) -> None:
    await ward.attest(2, 3, 4)
    asked = await claim(ward, 1)
    assert f"!garant {user(1)}" in asked
    assert "deux confrères" in asked.split("\n")[0]
    question = await ward.tell(2, f"!garant {user(1)}")
    assert question.split("\n")[0] == "Connaissez-vous cette personne ?"
    assert f"Dr Anne NOM1\nMédecin, Cardiologie\nNANCY\nRPPS {rpps(1)}\nCompte : {user(1)}" in question
    assert await ward.tell(3, "oui") == "", "nobody asked them"
    assert "encore la parole" in await ward.tell(2, "Oui !")
    assert "encore un confrère" in (await claim(ward, 1, "$again")).split("\n")[0], "the claim stands"
    assert await ward.people.attestation_of(user(1)) is None
    mention = {"m.mentions": {"user_ids": [user(1)]}}
    assert "deuxième" in await ward.tell(3, "!garant Anne oui", **mention)
    attested = await held(ward, 1)
    assert (attested.method, attested.valid_until - attested.issued_at) == (Method.VOUCHED, timedelta(days=90))
    assert ward.book.of(user(1), ward.clock.now()) == replace(attested, professions=("10",), category="C")
    assert [len(ward.told(n)) for n in (1, 2, 3, 4)] == [1, 1, 1, 0]
    assert "Identité vérifiée" in ward.told(1)[0]
    assert "NOM1" not in ward.told(2)[0].split("\n")[0]
    assert [v.rpps for v in await Vouches(ward.db).behind(user(1))] == [rpps(2), rpps(3)]
    [entry] = ward.entries("person.vouched")
    assert {entry["facts"]["by_1"], entry["facts"]["by_2"]} == {rpps(2).value, rpps(3).value}
    assert await ward.tell(4, f"!garant {user(1)}") == texts_vouching.ALREADY_VERIFIED
    assert await ward.tell(1, f"!garant {user(4)}") == texts_vouching.NO_CLAIM
    # What rests on a word supports no other, and a stronger proof ends it.
    await claim(ward, 5, "$five")
    assert await ward.tell(1, f"!garant {user(5)} oui") == texts_vouching.may_not(NoVouch.VOUCHED)
    await ward.attesting.take(Proof(user(1), rpps(1), Method.PSC, EventId("$psc")))
    assert await Vouches(ward.db).behind(user(1)) == []


async def test_whose_word_does_not_count(ward: Ward) -> None:
    await ward.attest(2, 3, 4)
    await ward.attest(6, kind=Kind.SUPERVISED, method=Method.SPONSORED, rpps=rpps(2), under=rpps(2))
    student = replace(ward.directory.people[2].activities[0], category_code="E")
    ward.directory.people[2] = replace(ward.directory.people[2], activities=(student,))
    ward.clock.advance(seconds=1)
    await ward.publication.snapshot()
    assert await ward.tell(2, "!garant") == texts_vouching.WHO
    assert await ward.tell(2, f"!garant {user(1)}") == texts_vouching.NO_CLAIM
    await claim(ward, 1)
    assert await ward.tell(3, f"!garant {user(1)}") == texts_vouching.may_not(NoVouch.STUDENT)
    assert await ward.tell(6, f"!garant {user(1)}") == texts_vouching.may_not(NoVouch.KIND)
    for _ in range(2):
        assert "encore la parole" in await ward.tell(2, f"!garant {user(1)} oui"), "one person's word counts once"
    assert await ward.people.attestation_of(user(1)) is None
    ward.clock.advance(days=8)
    assert await ward.tell(4, f"!garant {user(1)} oui") == texts_vouching.NO_CLAIM
    await ward.vouching.tidy()
    assert "deux confrères" in await claim(ward, 1, "$later"), "it begins anew"


async def test_one_professional_vouches_for_few(ward: Ward) -> None:
    await ward.attest(7)
    for n in range(1, 6):
        await claim(ward, n, f"$c{n}")
        assert "notée" in await ward.tell(7, f"!garant {user(n)} oui")
    await claim(ward, 6, "$c6")
    assert await ward.tell(7, f"!garant {user(6)} oui") == texts_vouching.may_not(NoVouch.TOO_MANY)
    ward.clock.advance(days=31)
    await claim(ward, 6, "$d6")
    assert "notée" in await ward.tell(7, f"!garant {user(6)} oui")


async def test_who_may_not_ask(ward: Ward) -> None:
    await ward.attest(1, 2)
    assert await claim(ward, 1) == texts.refusal(No.ALREADY)
    assert await ward.vouching.claim(user(3), rpps(2), EventId("$3")) == texts.refusal(No.TAKEN)
    assert await ward.vouching.claim(user(1), rpps(3), EventId("$4")) == texts.refusal(No.OTHER_RPPS)
    assert await ward.vouching.claim(user(3), rpps(77), EventId("$5")) == texts.refusal(No.UNKNOWN)
    await Endings(ward.db).begin(user(2), End.ADMIN, ward.clock.now())
    assert await ward.vouching.claim(user(3), rpps(2), EventId("$6")) == texts.refusal(No.BARRED)
    for n in range(5):
        await ward.vouching.claim(user(3), rpps(3 + n % 2), EventId(f"$n{n}"))
    assert await ward.vouching.claim(user(3), rpps(5), EventId("$n9")) == texts_vouching.TOO_MANY
    ward.directory.old = timedelta(days=9)
    assert "trop ancien" in await ward.vouching.claim(user(4), rpps(4), EventId("$old"))


async def test_whoever_has_no_mailbox_is_told_of_vouchers_when_they_enrol(ward: Ward) -> None:
    flow = Enrolment(
        people=ward.people,
        directory=ward.directory,
        mailer=ward.mails,
        attesting=ward.attesting,
        journal=ward.journal,
        clock=ward.clock,
        rules=Rules(code_life=timedelta(minutes=15), tries=3, per_day=5, ages=ward.vouching._at.config.annuaire.ages),
        secret=b"s" * 32,
    )
    assert await flow.ask(user(1), rpps(1), EventId("$1"), None) == texts.refusal(No.NO_MAILBOX)
    flow.connect(ward.vouching.claim)
    assert f"!garant {user(1)}" in await flow.ask(user(1), rpps(1), EventId("$1"), None)
    mailbox(ward, 2)
    assert "Un code" in await flow.ask(user(2), rpps(2), EventId("$2"), None)


async def test_listed_mailboxes_are_told_before_anybody_can_vouch(ward: Ward) -> None:
    await ward.attest(2, 3)
    mailbox(ward, 1)
    ward.mails.away = True
    with pytest.raises(ServiceUnavailable):
        await claim(ward, 1)
    with pytest.raises(ServiceUnavailable):
        await ward.tell(2, f"!garant {user(1)} oui")
    await ward.vouching.run_once()
    assert await Vouches(ward.db).of(EventId("$claim")) == []
    ward.mails.away = False
    assert "boîte MSSanté" in await claim(ward, 1, "$retyped")
    [(to, mail)] = ward.mails.sent.values()
    assert to == "nom1@m.mssante.test"
    assert user(1) in mail
    for n in (2, 3):
        await ward.tell(n, f"!garant {user(1)} oui")
    assert (await held(ward, 1)).method is Method.VOUCHED
    assert len(ward.mails.sent) == 1


async def test_of_several_exercises_the_person_still_says_which(ward: Ward) -> None:
    await ward.attest(2, 3)
    person = ward.directory.people[0]
    ward.directory.people[0] = replace(person, activities=(*person.activities, Activity("21", "Pharmacien", "C")))
    await claim(ward, 1)
    for n in (2, 3):
        await ward.tell(n, f"!garant {user(1)} oui")
    assert "plusieurs exercices" in ward.told(1)[0]
    assert ward.told(2) == []
    ward.clock.advance(hours=2)  # The proof is forgotten, the words are not.
    await ward.attesting.tidy()
    assert await ward.attesting.choose(user(1), 2) is None
    assert "plusieurs exercices" in await claim(ward, 1, "$again")
    assert "Identité vérifiée" in str(await ward.attesting.choose(user(1), 2))
    await ward.vouching.run_once()
    assert [len(ward.told(n)) for n in (2, 3)] == [1, 1]


async def test_a_stronger_proof_is_not_replaced_by_a_word(ward: Ward) -> None:
    await ward.attest(2, 3)
    await claim(ward, 1)
    await ward.tell(2, f"!garant {user(1)} oui")
    await ward.attesting.take(Proof(user(1), rpps(1), Method.MAILBOX_CODE, EventId("$code")))
    await ward.tell(3, f"!garant {user(1)} oui")
    assert (await held(ward, 1)).method is Method.MAILBOX_CODE
    assert await claim(ward, 1, "$again") == texts.refusal(No.ALREADY)


async def test_a_yes_answers_the_newest_question(ward: Ward) -> None:
    await ward.attest(2)
    await claim(ward, 1)
    await ward.tell(2, f"!garant {user(1)}")
    ward.clock.advance(seconds=1)
    await ward.results.ask(user(2), Question(today(ward.clock.now()), 1, ward.clock.now()))
    assert await ward.tell(2, "oui") == "", "it is !contacter's"
    ward.clock.advance(seconds=1)
    await ward.tell(2, f"!garant {user(1)}")
    ward.clock.advance(minutes=11)
    assert await ward.tell(2, "oui") == "", "too late"


@pytest.mark.parametrize("survived", range(ALL + 1))
async def test_killed_at_any_line_all_is_done_and_told_once(
    ward: Ward, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ward.attest(2, 3)
    mailbox(ward, 1)

    async def go() -> None:
        await claim(ward, 1)
        for n in (2, 3):
            await ward.tell(n, f"!garant {user(1)} oui", f"$word{n}")

    with killed_after(STEPS, survived, monkeypatch) as left:
        killed = await dies(go)
        assert killed or left() == 0, "every step was tried"
        assert killed == (survived < ALL)
    await ward.restart()
    await go()
    await ward.vouching.run_once()
    assert (await held(ward, 1)).method is Method.VOUCHED
    assert [len(ward.told(n)) for n in (1, 2, 3)] == [1, 1, 1]
    assert len(ward.mails.sent) == 1
    assert ward.journal.open_intents() == ()
    kept = await Vouches(ward.db).claim_by(EventId("$claim"))
    assert kept is not None
    assert kept.stage is Stage.DONE


async def test_administrators_learn_whose_word_is_in_doubt(ward: Ward) -> None:
    await ward.attest(2, 3)
    await claim(ward, 1)
    for n in (2, 3):
        await ward.tell(n, f"!garant {user(1)} oui")
    await Endings(ward.db).begin(user(2), End.GONE, ward.clock.now())
    await ward.vouching.run_once()
    assert [i for i in await ward.incidents.unposted() if i.key.startswith("vouch.")] == []
    await Endings(ward.db).begin(user(2), End.ADMIN, ward.clock.now())
    for _ in range(2):
        await ward.vouching.run_once()
    assert len([i for i in await ward.incidents.unposted() if i.key.startswith("vouch.")]) == 1
    assert (await held(ward, 1)).is_valid(ward.clock.now()), "nothing else happens"
