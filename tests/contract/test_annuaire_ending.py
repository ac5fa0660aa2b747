"""Access ends whole, and comes back whole, killed before any step; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colloque.commands import Call, parse
from colloque.identity import EventId, RoomId
from colloque.matrix.home import Incoming
from colloque.policy.ending import End
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.life.ending import AGAIN_S, AT_ONCE
from colloque_annuaire.life.revoking import Revoking
from colloque_annuaire.rules import pace
from colloque_annuaire.store.ending import Endings, Step
from colloque_annuaire.store.results import DirectRooms
from tests.servers.killing import dies, killed_after
from tests.servers.verification import ADMIN, House, Server, a_house, user  # noqa: F401 - a fixture

STEPS = [
    (Journal, "begin"), (Journal, "end"), (Endings, "begin"), (Endings, "go_on"), (Publication, "snapshot"),
    (Server, "lock"), (Server, "close_sessions"), (Server, "evict"), (Server, "send"), (Incidents, "open"),
]  # fmt: skip
ALL = 16


async def pair(house: House, one: int, other: int) -> None:
    rooms = DirectRooms(house.endings._db)
    kept = await rooms.begin(f"pair-{one}-{other}", user(one), user(other), house.clock.now())
    await rooms.created(kept.mark, RoomId(f"!d{one}{other}"))
    await rooms.ready(kept.mark)


@pytest.mark.parametrize("survived", range(ALL + 1))
async def test_killed_at_any_line_somebody_is_out_and_all_is_told_once(
    house: House, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pair(house, 3, 4)
    await pair(house, 5, 3)

    async def go() -> None:
        await house.closing.end(user(3), End.ADMIN)
        await house.closing.run_once()

    with killed_after(STEPS, survived, monkeypatch) as left:
        killed = await dies(go)
        assert killed == (survived < ALL)
        assert killed or left() == 0, "every step was tried"
    await house.restart()
    # The administrator's command is heard again.
    await go()
    await go()
    assert not house.snapshot()[user(3)].is_valid(house.clock.now())
    acts = [act for act, who in house.server.acts if who == user(3)]
    assert sorted(set(acts)) == ["close", "evict revoked", "lock"]
    assert acts.index("lock") < acts.index("close") < acts.index("evict revoked")
    assert [len(house.server.told(n)) for n in (3, 4, 5, 6)] == [0, 1, 1, 0]
    assert "n'a plus accès à Colloque" in house.server.told(4)[0]
    assert len([i for i in await house.incidents.unposted() if i.key.startswith("ended.")]) == 1
    assert house.journal.open_intents() == ()
    ending = await house.endings.of(user(3))
    assert ending is not None
    assert ending.step is Step.ENDED


async def test_whoever_is_stuck_in_a_room_is_an_incident_and_holds_nobody_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = pace.monotonic()
    # Moved by hand: on a slow disk the pause would be over too early.
    monkeypatch.setattr(pace, "monotonic", lambda: now)
    house.server.stuck = 1
    await house.closing.end(user(3), End.ADMIN)
    await house.closing.run_once()
    assert "endings.stuck" not in await house.incidents.current()
    house.clock.advance(seconds=61)
    await house.closing.run_once()
    assert "endings.stuck" in await house.incidents.current()
    tried = len(house.server.acts)
    await house.closing.run_once()
    assert len(house.server.acts) == tried, "tried again, but not at once"
    # Whom the others wait for is not the one who is stuck.
    await house.closing.end(user(4), End.GONE)
    house.server.stuck = 0
    await house.closing.run_once()
    assert house.server.acts[-1] == ("evict gone", user(4))
    assert "endings.stuck" in await house.incidents.current()
    now += AGAIN_S[0]
    await house.closing.run_once()
    assert "endings.stuck" not in await house.incidents.current(), "the one who was stuck is out"


async def test_revocations_go_before_all_whom_a_directory_has_lost(house: House) -> None:
    for number in range(AT_ONCE + 2):
        await house.closing.end(user(number), End.GONE)
    house.clock.advance(seconds=1)
    await house.closing.end(user(29), End.ADMIN)
    await house.closing.run_once()
    assert house.server.acts[0] == ("lock", user(29))
    assert len(await house.endings.under_way()) == 2
    await house.closing.run_once()
    assert await house.endings.under_way() == []


async def test_what_comes_back_is_what_held_last(house: House) -> None:
    first = house.snapshot()[user(3)].valid_until
    await house.closing.end(user(3), End.GONE)
    await house.closing.run_once()
    await house.closing.end(user(3), End.ADMIN)
    await house.closing.run_once()
    await house.closing.give_back(user(3), actor=ADMIN)
    assert house.snapshot()[user(3)].valid_until == first, "ended twice, given back whole"
    await house.closing.run_once()
    # Proved again after an end, and revoked before anybody looked.
    await house.closing.end(user(3), End.GONE)
    await house.closing.run_once()
    house.clock.advance(days=9)
    await house.attest(3)
    await house.closing.end(user(3), End.ADMIN)
    await house.closing.run_once()
    house.bring()
    await house.closing.give_back(user(3), actor=ADMIN)
    assert house.snapshot()[user(3)].valid_until == house.clock.now() + timedelta(days=365)


async def test_somebody_revoked_stays_published_as_ended_for_as_long_as_it_lasts(house: House) -> None:
    await house.closing.end(user(3), End.ADMIN)
    await house.closing.run_once()
    house.clock.advance(days=200)
    await house.restart()
    await house.publication.snapshot()
    assert user(3) in house.snapshot()
    assert not house.snapshot()[user(3)].is_valid(house.clock.now())


async def test_what_was_taken_away_is_given_back(house: House) -> None:
    before = house.snapshot()[user(3)]
    await house.closing.end(user(3), End.ADMIN)
    await house.closing.run_once()
    assert await house.endings.barred(user(3), before.rpps)
    assert await house.endings.barred(user(9), before.rpps), "nor may another account have the number"
    assert "L'accès est rendu" in await house.closing.give_back(user(3), actor=ADMIN)
    assert house.snapshot()[user(3)] == before
    await house.restart()
    await house.closing.run_once()
    assert [act for act, _ in house.server.acts][-1] == "unlock"
    assert "vous est rendu" in house.server.told(3)[-1]
    assert not await house.endings.barred(user(3), before.rpps)
    assert "rien à rétablir" in await house.closing.give_back(user(3), actor=ADMIN)
    # Not listed any more: a new proof is asked.
    await house.closing.end(user(3), End.ADMIN)
    await house.closing.run_once()
    house.clock.advance(days=1)
    house.bring(without=(3,))
    assert "prouver son identité" in await house.closing.give_back(user(3), actor=ADMIN)
    assert not house.snapshot()[user(3)].is_valid(house.clock.now())


async def test_a_lesser_end_does_not_undo_a_revocation(house: House) -> None:
    await house.closing.end(user(3), End.ADMIN)
    await house.closing.run_once()
    await house.closing.end(user(3), End.GONE)
    ending = await house.endings.of(user(3))
    assert ending is not None
    assert ending.why is End.ADMIN
    await house.closing.end(user(4), End.UNUSED)
    await house.closing.run_once()
    await house.closing.end(user(4), End.FHIR)
    await house.closing.run_once()
    assert [a for a, who in house.server.acts if who == user(4)] == ["evict unused", "lock", "evict inactive"]


async def typed(house: House, words: str) -> str:
    said: list[str] = []

    async def reply(body: str, html: str | None = None) -> EventId:
        said.append(body)
        return EventId("$r")

    call = parse(words)
    assert isinstance(call, Call)
    message = Incoming(
        RoomId("!admin"),
        EventId("$1"),
        ADMIN,
        house.clock.now(),
        "m.room.message",
        {},
        encrypted=True,
        device_signed=True,
    )
    commands = Revoking(
        closing=house.closing,
        people=house.people,
        homes=house.server,  # type: ignore[arg-type]
        journal=house.journal,
    )
    await commands.table[call.command.name](call, message, reply)
    return said[0]


async def test_an_administrator_revokes_and_restores_by_word(house: House) -> None:
    for known in (user(3), ADMIN):
        await house.people.saw_account(known)
    assert "pourquoi en un mot" in await typed(house, "!revoquer")
    assert "Aucune personne" in await typed(house, "!revoquer @p99:h.test depart")
    assert "Aucune personne" in await typed(house, "!revoquer Nom depart")
    assert "propre accès" in await typed(house, f"!revoquer {ADMIN} depart oui")
    assert "en un mot" in await typed(house, "!revoquer @p3:h.test parce que")
    asked = await typed(house, "!révoquer @p3:h.test départ")
    assert "NOM3" in asked
    assert asked.endswith("!revoquer @p3:h.test depart oui")
    assert house.snapshot()[user(3)].is_valid(house.clock.now()), "nothing before the yes"
    assert "C'est fait" in await typed(house, "!revoquer @p3:h.test depart oui")
    assert not house.snapshot()[user(3)].is_valid(house.clock.now())
    assert house.acts("person.revoke_ordered") == [("note", "")]
    assert "rendu" in await typed(house, "!retablir @p3:h.test")
    assert "de quel compte" in await typed(house, "!retablir")
