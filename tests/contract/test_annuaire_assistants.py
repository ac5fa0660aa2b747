"""People under a named professional: invited, renewed and ended by them, killed anywhere; on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from colloque.attestation import Kind, Method
from colloque.book import AttestationBook
from colloque.commands import Call, parse
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import Incoming
from colloque.policy.ending import End
from colloque_annuaire.accounts.accounts import Accounts
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.entering.coming_in import ComingIn
from colloque_annuaire.finding.confirming import Confirming
from colloque_annuaire.kinds.assistants import Assistants
from colloque_annuaire.kinds.assistants_told import AssistantsTold
from colloque_annuaire.store.asking import Asking
from colloque_annuaire.store.assistants import AssistantRows
from colloque_annuaire.store.entry import Links, Passes
from colloque_annuaire.store.entry_sessions import Visits
from colloque_annuaire.store.people import People
from colloque_annuaire.store.results import Results
from tests.servers.killing import dies, killed_after
from tests.servers.verification import KEY, House, Server, a_house, user  # noqa: F401 - a fixture

ZOE = UserId("@zoe.durand:h.test")
SPONSOR = user(3)


class Homeserver:
    def __init__(self) -> None:
        self.made: dict[UserId, str] = {}

    async def exists(self, who: UserId) -> bool:
        return who in self.made

    async def create(self, who: UserId, name: str) -> None:
        self.made[who] = name


class Desk:
    """The commands, for one life of the service."""

    def __init__(self, house: House, homeserver: Homeserver, url: str = "https://c.test") -> None:
        db = house.endings._db
        accounts = Accounts(db=db, people=house.people, server=homeserver, journal=house.journal, server_name="h.test")
        self.house = house
        self.links = Links(db)
        self.book = AttestationBook(house.tmp / "snapshot", KEY)
        house.publication = Publication(
            people=house.people,
            names=house.server,
            clock=house.clock,
            path=house.tmp / "snapshot",
            key=KEY,
            directory=house.directory,
        )
        self.confirming = Confirming(asking=Asking(db), results=Results(db), book=self.book, clock=house.clock)
        self.assistants = Assistants(
            rows=AssistantRows(db),
            people=house.people,
            coming_in=ComingIn(accounts, self.links, Passes(db), Visits(db), house.clock, url),
            closing=house.closing,
            publication=house.publication,
            book=self.book,
            confirming=self.confirming,
            journal=house.journal,
            clock=house.clock,
            valid_for=timedelta(days=90),
        )
        self.confirming.serve(self.assistants.table)
        self.told = AssistantsTold(
            rows=AssistantRows(db),
            people=house.people,
            home=house.server,
            homes=house.server,  # type: ignore[arg-type]
            clock=house.clock,
        )

    async def types(self, words: str, who: UserId = SPONSOR, event: str = "") -> str:
        said: list[str] = []

        async def reply(body: str, html: str | None = None) -> EventId:
            said.append(body)
            return EventId("$r")

        call = parse(words)
        now = self.house.clock.now()
        mark = EventId(event or f"${words} {now}")
        content = {"msgtype": "m.text", "body": words}
        message = Incoming(RoomId("!r"), mark, who, now, "m.room.message", content, True, device_signed=True)
        if isinstance(call, Call):
            await self.assistants.table[call.command.name](call, message, reply)
        else:
            assert await self.confirming.answers(message, reply), words
        return said[0]


@pytest.fixture
async def desk(house: House) -> Desk:
    made = Desk(house, Homeserver())
    await house.publication.snapshot()
    return made


async def test_from_the_invitation_to_the_end(desk: Desk) -> None:
    house = desk.house
    said = await desk.types("!assistant inviter Zoé Durand, secrétaire oui")
    assert f"{ZOE}" in said
    secret = said.partition("?l=")[2].split()[0]
    assert await desk.links.of(secret, house.clock.now()) == ZOE
    held = house.snapshot()[ZOE]
    assert (held.kind, held.method) == (Kind.SUPERVISED, Method.SPONSORED)
    assert held.under == house.snapshot()[user(3)].rpps
    assert held.name == "Zoé DURAND · secrétaire · avec Dr Hélène NOM3"
    assert await house.people.holder_of(held.rpps) == user(3), "the number stays the professional's"
    assert "1. Zoé DURAND (secrétaire) – jusqu'au" in await desk.types("!assistants")
    again = await desk.types("!assistant acces 1")
    assert await desk.links.of(secret, house.clock.now()) is None, "the link before is dead"
    assert "?l=" in again
    house.clock.advance(days=77)
    await desk.told.run_once()
    await desk.told.run_once()
    assert len(house.server.told(3)) == 1
    assert "va prendre fin" in house.server.told(3)[0]
    house.clock.advance(days=12)
    await desk.told.run_once()
    assert len(house.server.told(3)) == 2
    assert "vaut jusqu'au" in await desk.types("!assistant prolonger 1")
    assert house.snapshot()[ZOE].is_valid(house.clock.now() + timedelta(days=89))
    await desk.told.run_once()
    assert len(house.server.told(3)) == 2
    assert "n'a plus accès" in await desk.types("!assistant terminer 1 oui")
    await house.closing.run_once()
    assert not house.snapshot()[ZOE].is_valid(house.clock.now())
    assert {act for act, who in house.server.acts if who == ZOE} == {"lock", "close", "evict sponsor"}
    assert "a pris fin" in await desk.types("!assistant acces 1")
    house.clock.advance(seconds=1)
    assert "vaut jusqu'au" in await desk.types("!assistant prolonger 1")
    await house.closing.run_once()
    assert ("unlock", ZOE) in house.server.acts


async def test_nothing_is_made_nor_ended_before_a_yes(desk: Desk) -> None:
    house = desk.house
    asked = await desk.types("!assistant inviter Zoé Durand, secrétaire")
    assert "Zoé DURAND (secrétaire)" in asked
    assert await AssistantRows(house.endings._db).all() == []
    for _ in range(2):
        assert f"{ZOE}" in await desk.types("Oui", event="$yes")
    assert len(await AssistantRows(house.endings._db).all()) == 1
    assert "Kim O (" in await desk.types("!assistant inviter Kim O"), "a name, not a yes"
    house.clock.advance(seconds=1)
    assert "Mettre fin" in await desk.types("!assistant terminer 1")
    assert house.snapshot()[ZOE].is_valid(house.clock.now())
    assert "n'a plus accès" in await desk.types("oui")
    assert not house.snapshot()[ZOE].is_valid(house.clock.now())


async def test_both_are_told_once_when_the_professional_is_not_verified_any_more(desk: Desk) -> None:
    house = desk.house
    await desk.types("!assistant inviter Zoé Durand oui")
    await desk.told.run_once()
    assert house.server.told(3) == []

    def zoe() -> list[str]:
        return [c["body"] for room, c in house.server.sent.values() if room == f"!{ZOE}"]

    await house.closing.end(user(3), End.UNUSED)
    for _ in range(2):
        await desk.told.run_once()
        await house.restart()
        desk = Desk(house, Homeserver())
    assert [len(zoe()), len(house.server.told(3))] == [1, 1]
    assert "est suspendu" in zoe()[0]
    assert "NOM3" not in zoe()[0].split("\n")[0]
    house.clock.advance(seconds=1)
    await house.attest(3)
    house.clock.advance(days=77)
    await desk.told.run_once()
    assert "va prendre fin" in house.server.told(3)[-1], "verified again, they are asked in time"


async def test_nobody_else_answers_for_them_and_an_administrators_word_stands(desk: Desk) -> None:
    house = desk.house
    await desk.types("!assistant inviter Zoé Durand oui")
    assert "Dites de qui" in await desk.types("!assistant terminer 1", user(4))
    assert "Personne ne travaille" in await desk.types("!assistants", user(4))
    assert "Seul un professionnel" in await desk.types("!assistant inviter A B", ZOE)
    assert "Seul un professionnel" in await desk.types("!assistant prolonger 1", user(99))
    await house.closing.end(ZOE, End.ADMIN)
    assert "lui seul peut" in await desk.types("!assistant prolonger 1")
    held = house.snapshot()[user(3)]
    assert not await house.endings.barred(user(3), held.rpps), "their professional is not barred with them"
    await house.closing.end(user(3), End.ADMIN)
    assert "Seul un professionnel" in await desk.types("!assistant inviter A B")


@pytest.mark.parametrize("typed", ["!assistant inviter", "!assistant inviter Zoé", f"!assistant inviter {'x' * 41} B"])
async def test_what_names_nobody_makes_nobody(desk: Desk, typed: str) -> None:
    assert "Dites qui vous invitez" in await desk.types(typed)
    assert await AssistantRows(desk.house.endings._db).all() == []


async def test_ten_at_a_time(desk: Desk) -> None:
    for n in range(10):
        assert "prêt" in await desk.types(f"!assistant inviter Zoé Durand{'abcdefghij'[n]} oui")
    assert "le plus possible" in await desk.types("!assistant inviter Zoé Encore oui")
    await desk.types("!assistant terminer 4 oui")
    assert "11. " not in await desk.types("!assistants")
    assert "prêt" in await desk.types("!assistant inviter Zoé Encore oui")
    assert "11. Zoé ENCORE" in await desk.types("!assistants"), "numbers are not given again"


async def test_without_a_page_no_link(house: House) -> None:
    desk = Desk(house, Homeserver(), url="")
    await house.publication.snapshot()
    assert "chez votre administrateur" in await desk.types("!assistant inviter Zoé Durand oui")


STEPS: list[tuple[Any, str]] = [
    (AssistantRows, "add"),
    (Homeserver, "create"),
    (AssistantRows, "made"),
    (People, "attest"),
    (Publication, "snapshot"),
    (Server, "set_display_name"),
    (Links, "make"),
]


@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_anywhere_makes_one_account_and_one_person(
    house: House, step: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    homeserver = Homeserver()
    desk = Desk(house, homeserver)
    await house.publication.snapshot()
    with killed_after([step], 0, monkeypatch):
        assert await dies(lambda: desk.types("!assistant inviter Zoé Durand oui", event="$one"))
    await house.restart()
    after = Desk(house, homeserver)
    await after.assistants.settle()
    for _ in range(2):
        assert f"{ZOE}" in await after.types("!assistant inviter Zoé Durand oui", event="$one")
    assert list(homeserver.made) == [ZOE]
    assert house.snapshot()[ZOE].is_valid(house.clock.now())
    assert house.server.names[ZOE].startswith("Zoé DURAND")
    assert len(await AssistantRows(house.endings._db).all()) == 1
