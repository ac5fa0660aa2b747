"""From a proof to an attestation: exercises, one account in the federation, kills between steps; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from colloque.attestation import Attestation, Kind, Method
from colloque.book import AttestationBook
from colloque.directory.lookup import AgeRules
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import Incoming
from colloque.policy.ending import End
from colloque.policy.professions import Trade
from colloque.professional import Activity
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.proving.attesting import Attesting, Validity
from colloque_annuaire.proving.proving import Proving
from colloque_annuaire.proving.second_accounts import SecondAccounts
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.proofs import Proof, Proofs
from tests.servers.annuaire import rpps
from tests.servers.sides import Side, Sides, acts

PHARMACIST = Activity("21", "Pharmacien", "C", town="METZ")


class Stopped(BaseException):
    """As `kill -9`."""


class Names:
    async def set_display_name(self, user: UserId, name: str) -> None:
        pass


def attesting(side: Side) -> Attesting:
    made = Attesting(
        people=side.people,
        proofs=Proofs(side.db),
        directory=side.directory,
        publication=publication(side),
        journal=side.journal,
        clock=side.clock,
        ages=AgeRules(),
        validity=Validity(timedelta(days=365), timedelta(days=90)),
        barred=Endings(side.db).barred,
    )
    made.connect(side.accounts)
    return made


def publication(side: Side) -> Publication:
    return Publication(
        people=side.people,
        names=Names(),
        clock=side.clock,
        path=side.folder / "snapshot",
        key=b"k" * 32,
        directory=side.directory,
    )


def second(side: Side) -> SecondAccounts:
    return SecondAccounts(
        people=side.people,
        proofs=Proofs(side.db),
        others=side.accounts,
        publication=publication(side),
        home=side.rooms,  # type: ignore[arg-type]
        homes=side.rooms,  # type: ignore[arg-type]
        incidents=side.incidents,
        journal=side.journal,
        clock=side.clock,
    )


def proof(side: Side, n: int, ref: str = "$proof", method: Method = Method.PSC) -> Proof:
    return Proof(side.user(n), rpps(n), method, EventId(ref))


def two_exercises(side: Side, n: int) -> None:
    side.directory.people[n - 1] = replace(
        side.directory.people[n - 1], activities=(*side.directory.people[n - 1].activities, PHARMACIST)
    )


async def published(side: Side, n: int) -> Attestation:
    await publication(side).snapshot()
    book = AttestationBook(side.folder / "snapshot", b"k" * 32)
    book.refresh()
    return book.state.by_user[side.user(n)]


async def test_a_proof_attests_once_whatever_often_it_is_taken(sides: Sides) -> None:
    a = sides.a
    first = await attesting(a).take(proof(a, 1))
    assert "Identité vérifiée" in first
    sides.clock.advance(days=1)
    assert await attesting(a).take(proof(a, 1)) == first
    held = await a.people.attestation_of(a.user(1))
    assert held is not None
    assert (held.method, held.valid_until - held.issued_at) == (Method.PSC, timedelta(days=365))
    assert [act for act in acts(sides) if act[0] == "person.attest"] == [
        ("person.attest", ""),
        ("person.attest", "attested"),
    ]
    assert "deux confrères" not in await attesting(a).take(proof(a, 2, "$v", Method.VOUCHED))
    vouched = await a.people.attestation_of(a.user(2))
    assert vouched is not None
    assert vouched.valid_until - vouched.issued_at == timedelta(days=90)


async def test_of_several_exercises_the_person_says_which_and_is_not_verified_before(sides: Sides) -> None:
    a = sides.a
    two_exercises(a, 1)
    flow = attesting(a)
    asked = await flow.take(proof(a, 1))
    assert "1. Médecin – NANCY\n2. Pharmacien – METZ" in asked
    assert await a.people.attestation_of(a.user(1)) is None
    assert await flow.take(proof(a, 1)) == asked
    assert await flow.choose(a.user(1), 3) == asked
    assert await flow.choose(a.user(2), 1) is None
    again = attesting(a)  # after a restart
    assert "Identité vérifiée" in str(await again.choose(a.user(1), 2))
    assert await again.choose(a.user(1), 1) is None, "nothing is asked any more"
    assert ((await published(a, 1)).professions, (await published(a, 1)).category) == (("21",), "C")
    # A renewal asks nothing while the exercise is still there, and asks when it is not.
    assert "Identité vérifiée" in await again.take(proof(a, 1, "$renewed"))
    doctor, nurse = a.directory.people[0].activities[0], replace(PHARMACIST, profession_code="60")
    a.directory.people[0] = replace(a.directory.people[0], activities=(doctor, nurse))
    assert (await published(a, 1)).professions == ()
    assert "2. Infirmier" in await again.take(proof(a, 1, "$later"))
    a.directory.people[0] = replace(a.directory.people[0], activities=(doctor,))
    assert "Identité vérifiée" in await again.take(proof(a, 1, "$one"))
    assert (await published(a, 1)).professions == ("10",)


async def test_an_unanswered_proof_counts_for_an_hour(sides: Sides) -> None:
    a = sides.a
    two_exercises(a, 1)
    flow = attesting(a)
    await flow.take(proof(a, 1))
    sides.clock.advance(minutes=61)
    assert await flow.choose(a.user(1), 1) is None
    assert await flow.move(a.user(1)) is None
    await flow.tidy()
    assert not await flow.known(EventId("$proof"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.directory.people.pop(0), "ne connaît pas ce numéro"),
        (lambda s: setattr(s.directory, "old", timedelta(days=8)), "suspendue"),
    ],
)
async def test_who_is_not_in_a_fresh_directory_is_not_attested(
    sides: Sides, change: Callable[[Side], object], said: str
) -> None:
    change(sides.a)
    assert said in await attesting(sides.a).take(proof(sides.a, 1))
    assert await sides.a.people.attestation_of(sides.a.user(1)) is None


async def test_accounts_and_people_stay_bound_to_each_other(sides: Sides) -> None:
    a = sides.a
    flow = attesting(a)
    await flow.take(proof(a, 1))
    thief = replace(proof(a, 1, "$2"), user=a.user(5))
    assert "a déjà un compte" in await flow.take(thief)
    assert "autre numéro RPPS" in await flow.take(replace(proof(a, 2, "$3"), user=a.user(1)))
    await a.attest(3)
    await Endings(a.db).begin(a.user(3), End.ADMIN, sides.clock.now())
    assert "a été retiré" in await flow.take(proof(a, 3, "$4"))
    assert "a été retiré" in await flow.take(replace(proof(a, 3, "$4b"), user=a.user(7)))
    secretary = Attestation(
        a.user(6), rpps(4), "Secrétaire", Method.SPONSORED, sides.clock.now(), sides.clock.now(), Kind.SUPERVISED
    )
    await a.people.attest(replace(secretary, under=rpps(4)), EventId("$5"))
    assert "n'est pas celui d'un professionnel" in await flow.take(replace(proof(a, 4, "$6"), user=a.user(6)))
    assert "Identité vérifiée" in await flow.take(proof(a, 4, "$7")), "those under a number don't hold it"


async def test_an_account_elsewhere_is_offered_or_moved(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await b.attest(2)
    flow = attesting(a)
    offered = await flow.take(proof(a, 2))
    assert "déjà un compte Colloque" in offered
    assert await a.people.attestation_of(a.user(2)) is None
    sides.clock.advance(seconds=1)
    moved = str(await attesting(a).move(a.user(2)))
    assert "Identité vérifiée" in moved
    assert "est fermé" in moved
    assert b.closed == [b.user(2)]
    held = await b.people.attestation_of(b.user(2))
    assert held is not None
    assert not held.is_valid(sides.clock.now())
    assert await Proofs(a.db).unasked() == []


async def test_who_did_not_answer_is_asked_later_and_a_second_account_begins_nothing(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await b.attest(2)
    await b.stop()
    assert "Identité vérifiée" in await attesting(a).take(proof(a, 2))
    await second(a).run_once()
    assert [q.server for q in await Proofs(a.db).unasked()] == ["chu-b.test"]
    await b.start()
    await second(a).run_once()
    await second(a).run_once()
    assert (await published(a, 2)).frozen
    assert len(a.rooms.told(a.user(2))) == 1
    assert "un professionnel n'en a qu'un" in a.rooms.told(a.user(2))[0]
    assert "déjà un compte" in await attesting(a).take(proof(a, 2, "$again"))
    sides.clock.advance(seconds=1)
    assert "est fermé" in str(await attesting(a).move(a.user(2)))
    assert not (await published(a, 2)).frozen


async def test_a_move_that_the_other_server_missed_is_made_later(sides: Sides) -> None:
    a, b = sides.a, sides.b
    await b.attest(2)
    flow = attesting(a)
    await flow.take(proof(a, 2))
    sides.clock.advance(seconds=1)
    asked = a.accounts.elsewhere

    async def then_down(*args: Any, **more: Any) -> Any:
        found = await asked(*args, **more)
        await b.stop()
        return found

    a.accounts.elsewhere = then_down  # type: ignore[method-assign]
    assert "ne répond pas" in str(await flow.move(a.user(2)))
    a.accounts.elsewhere = asked  # type: ignore[method-assign]
    await b.start()
    await second(a).run_once()
    assert b.closed == [b.user(2)]
    assert await Proofs(a.db).unasked() == []
    assert "est fermé" in a.rooms.told(a.user(2))[0]


@pytest.mark.parametrize("step", ["put", "attest", "publish", "ask_later"])
async def test_a_kill_at_any_step_loses_no_proof(sides: Sides, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a = sides.a
    where = {"put": Proofs, "attest": type(a.people), "publish": Publication, "ask_later": Proofs}[step]
    name = {"publish": "snapshot"}.get(step, step)

    async def killed(*args: Any, **more: Any) -> None:
        raise Stopped

    with monkeypatch.context() as broken:
        broken.setattr(where, name, killed)
        with pytest.raises(Stopped):
            await attesting(a).take(proof(a, 1))
    await a.stop()
    await a.start()
    await attesting(a).settle()
    assert "Identité vérifiée" in await attesting(a).take(proof(a, 1))
    assert (await published(a, 1)).professions == ("10",)
    assert not [i for i in a.journal.open_intents() if i.kind == "person.attest"]


@pytest.mark.parametrize(
    ("typed", "settles"), [("2", True), (" 2 ", True), ("deux", False), ("123", False), ("9", True)]
)
async def test_a_bare_number_answers_the_question_and_nothing_else(sides: Sides, typed: str, settles: bool) -> None:
    a = sides.a
    two_exercises(a, 1)
    flow = attesting(a)
    proving = Proving(flow, None, None, None, None)  # type: ignore[arg-type]
    said: list[str] = []

    async def reply(body: str, html: str | None = None) -> EventId:
        said.append(body)
        return EventId("$r")

    now = sides.clock.now()
    message = Incoming(
        RoomId("!r"), EventId("$2"), a.user(1), now, "m.room.message", {"body": typed}, True, device_signed=True
    )
    assert not await proving.answers(message, reply), "nothing was asked yet"
    await flow.take(proof(a, 1))
    assert await proving.answers(message, reply) is settles
    assert len(said) == settles


def test_an_exercise_is_a_profession_and_a_status() -> None:
    assert Trade("10", "E") != Trade("10", "C")
