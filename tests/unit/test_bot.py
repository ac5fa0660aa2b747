"""Who answers what: the dispatcher's rules, with a home that writes down what it is told to send.

The same dispatcher runs on real homes and a real Synapse in tests/integration/test_bots_together.py.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from colloque import texts
from colloque.bot import Bot, Reply
from colloque.commands import COMMANDS, Owner
from colloque.errors import HomeRefused, HomeUnavailable, Inconsistent, ServiceUnavailable, Temporary
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import Heard, Incoming, MemberChange, Unreadable
from tests.servers.dispatch import (
    ADMIN,
    ADMINS,
    ALICE,
    CONFIG,
    DIRECT,
    HOME,
    MAIL,
    NOON,
    PATIENT,
    SERVER,
    STRANGE,
    House,
    Marks,
    Recorder,
    said,
)


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(
    ("typed", "room", "owner", "name"),
    [
        ("!inscription 10101010101", HOME, Owner.ANNUAIRE, "inscription"),
        ("! Patient  OUVRIR @b", HOME, Owner.SALLES, "patient ouvrir"),
        ("!envois", HOME, Owner.MSSANTE, "envois"),
        ("!patient terminer", PATIENT, Owner.SALLES, "patient terminer"),
        ("!renvoyer", MAIL, Owner.MSSANTE, "renvoyer"),
        ("> <@b:x> citation\n> suite\n\n!aide", HOME, Owner.ANNUAIRE, "aide"),
    ],
)
async def test_a_command_is_answered_by_its_owner_alone(
    house: House, typed: str, room: RoomId, owner: Owner, name: str
) -> None:
    assert await house.hear(said(typed, room)) == {owner: ["fait"]}
    assert [(o, n) for o, n, _ in house.called] == [(owner, name)]
    assert not house.listened


@pytest.mark.parametrize(
    ("typed", "room", "owner", "part"),
    [
        ("bonjour", HOME, Owner.ANNUAIRE, "!aide"),
        ("!inscritpion 1", HOME, Owner.ANNUAIRE, "!inscription"),
        ("!zzzzzz", HOME, Owner.ANNUAIRE, "!aide"),
        ("!zzzzzz", PATIENT, Owner.SALLES, "!aide"),
        ("!zzzzzz", MAIL, Owner.MSSANTE, "!aide"),
        ("!code 123456", PATIENT, Owner.SALLES, "Colloque"),
        ("!renvoyer", HOME, Owner.ANNUAIRE, "correspondance"),
        ("!etat", HOME, Owner.ANNUAIRE, "administration"),
    ],
)
async def test_what_nobody_owns_is_answered_by_the_rooms_speaker(
    house: House, typed: str, room: RoomId, owner: Owner, part: str
) -> None:
    [(who, [body])] = (await house.hear(said(typed, room))).items()
    assert who is owner
    assert part in body
    assert not house.called


async def test_what_was_typed_is_never_repeated_in_the_answer(house: House) -> None:
    [[body]] = (await house.hear(said("!patient Durand Martine"))).values()
    assert "Durand" not in body


async def test_what_the_speaker_had_asked_may_be_answered_without_a_command(house: House) -> None:
    house.awaited = {"oui", "!oui"}
    assert await house.hear(said("oui")) == {Owner.ANNUAIRE: ["c'est noté"]}
    assert await house.hear(said("!oui")) == {Owner.ANNUAIRE: ["c'est noté"] * 2}
    assert (await house.hear(said("non")))[Owner.ANNUAIRE][2:] == [texts.ONLY_COMMANDS]
    assert Owner.MSSANTE not in await house.hear(said("oui", MAIL))
    await house.hear(said("oui", sender=UserId(f"@bob:{SERVER}")))
    assert len(house.homes[Owner.ANNUAIRE].said) == 3


async def test_the_answer_is_a_reply_whose_transaction_comes_from_the_event(house: House) -> None:
    message = said("!aide")
    await house.hear(message)
    [(txn, (room, content))] = house.homes[Owner.ANNUAIRE].sent.items()
    assert room == HOME
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": message.event}}
    assert message.event in txn


async def test_an_event_heard_twice_is_answered_once(house: House) -> None:
    message = said("!aide")
    await house.hear(message)
    await house.hear(message)
    assert len(house.called) == 1
    # After a crash between answer and mark it is handled again, with the same transaction.
    house.handled[Owner.ANNUAIRE].marked.clear()
    assert await house.hear(message) == {Owner.ANNUAIRE: ["fait"]}
    assert len(house.called) == 2


async def test_admins_alone_are_answered_in_the_admin_room_by_every_bot(house: House) -> None:
    assert await house.hear(said("!etat", ADMINS)) == {}
    assert await house.hear(said("!etat", ADMINS, ADMIN)) == {owner: ["fait"] for owner in Owner}
    assert [name for _, name, _ in house.called] == ["etat"] * 3


async def test_rights(house: House) -> None:
    house.attested.clear()
    answer = await house.hear(said("!patient ouvrir @b"))
    assert answer == {Owner.SALLES: [texts.NOT_ATTESTED]}
    await house.hear(said("!inscription 1"))
    assert house.called == [(Owner.ANNUAIRE, "inscription", "1")]


@pytest.mark.parametrize(
    "heard",
    [
        said("!aide", sender=CONFIG.bots[1]),
        said("!aide", sender=UserId(f"@{CONFIG.mssante.ghost_prefix}ab12:{SERVER}")),
        said("!aide", STRANGE),
        said("!aide", DIRECT),
        said("!aide", HOME, UserId(f"@bob:{SERVER}")),
        said("!aide", content={"msgtype": "m.notice", "body": "!aide"}),
        said("* !aide", content={"msgtype": "m.text", "body": "!aide", "m.relates_to": {"rel_type": "m.replace"}}),
        said("", type="m.reaction", content={}, encrypted=False, device_signed=False),
        said("", type="m.room.redaction", content={}, encrypted=False, device_signed=False),
        said("", type="m.call.notify", content={}, encrypted=False, device_signed=False),
        MemberChange(HOME, ALICE, ALICE, "join"),
    ],
    ids=lambda h: f"{getattr(h, 'type', 'member')} {h.room}",
)
async def test_what_nobody_answers(house: House, heard: Heard) -> None:
    assert await house.hear(heard) == {}
    assert not house.called
    assert not house.listened


async def test_a_prefix_on_another_server_is_nobody_of_ours(house: House) -> None:
    stranger = UserId(f"@{CONFIG.mssante.ghost_prefix}ab12:elsewhere.example")
    await house.hear(said("!patient salon", PATIENT, stranger))
    assert await house.hear(said("!patient salon", PATIENT, stranger)) == {Owner.SALLES: [texts.NOT_ATTESTED] * 2}


@pytest.mark.parametrize(
    "heard",
    [
        said("Bonjour, voici", MAIL),
        said("le scanner", PATIENT),
        said("scan.pdf", MAIL, content={"msgtype": "m.file", "body": "!scan.pdf", "file": {}}),
        said("!aide", MAIL, content={"msgtype": "m.text", "body": "!x", "m.relates_to": {"rel_type": "m.replace"}}),
        said("", MAIL, type="m.reaction", content={}, encrypted=False, device_signed=False),
    ],
    ids=lambda h: f"{h.type} {h.body}",
)
async def test_what_is_no_command_goes_to_whoever_listens(house: House, heard: Incoming) -> None:
    assert await house.hear(heard) == {}
    assert house.listened == [(owner, heard) for owner in Owner]


@pytest.mark.parametrize(("room", "owner"), [(HOME, Owner.ANNUAIRE), (PATIENT, Owner.SALLES), (MAIL, Owner.MSSANTE)])
async def test_an_unsigned_device_is_told_once_a_day_and_not_obeyed(house: House, room: RoomId, owner: Owner) -> None:
    def unsigned(**changes: Any) -> Incoming:
        return said("!aide", room, **({"device_signed": False} | changes))

    assert await house.hear(unsigned()) == {owner: [texts.UNSIGNED_DEVICE]}
    await house.hear(unsigned(sent_at=NOON + timedelta(hours=1)))
    assert len(house.homes[owner].to_all) == 1
    # A new day in Paris, and another device.
    await house.hear(unsigned(sent_at=NOON + timedelta(hours=11)))
    await house.hear(unsigned(device="LAPTOP"))
    assert len(house.homes[owner].to_all) == 3
    assert not house.called
    assert not house.listened


async def test_a_message_in_clear_is_not_obeyed(house: House) -> None:
    heard = said("!aide", encrypted=False, device_signed=False)
    assert await house.hear(heard) == {Owner.ANNUAIRE: [texts.NOT_ENCRYPTED]}
    assert not house.called


async def test_an_unreadable_message_is_asked_for_again_once(house: House) -> None:
    heard = Unreadable(PATIENT, EventId("$u"), ALICE, NOON)
    await house.bots[Owner.SALLES].hear(heard)
    await house.bots[Owner.SALLES].hear(heard)
    assert house.homes[Owner.SALLES].said == [texts.UNREADABLE]


async def test_an_old_message_is_still_answered(house: House) -> None:
    assert await house.hear(said("!aide", sent_at=NOON - timedelta(days=3))) == {Owner.ANNUAIRE: ["fait"]}


async def test_a_broken_handler_is_apologised_for(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(reply: Reply) -> None:
        raise Inconsistent("rows")

    house.do = broken
    [[body]] = (await house.hear(said("!aide"))).values()
    reference = body.split()[-1]
    assert len(reference) == 8
    assert reference in caplog.text
    house.do = lambda reply: reply("fait")
    assert (await house.hear(said("!aide")))[Owner.ANNUAIRE][-1] == "fait"


async def test_a_service_that_comes_back_is_waited_for(house: House) -> None:
    failures = [ServiceUnavailable(), ServiceUnavailable()]

    async def shaky(reply: Reply) -> None:
        await reply("un instant")
        if failures:
            raise failures.pop()
        await reply("fait")

    house.do = shaky
    assert await house.hear(said("!aide")) == {Owner.ANNUAIRE: ["un instant", "fait"]}


async def test_a_service_that_stays_away_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colloque.bot.RETRY_S", 0.0)

    async def away(reply: Reply) -> None:
        raise ServiceUnavailable

    house.do = away
    assert await house.hear(said("!aide")) == {Owner.ANNUAIRE: [texts.TRY_LATER]}


async def test_what_comes_again_is_not_told_to_be_tried_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colloque.bot.RETRY_S", 0.0)
    failures = [Temporary("the database is away")]

    async def shaky(reply: Reply) -> None:
        if failures:
            raise failures.pop()
        await reply("fait")

    house.do = shaky
    house.handled[Owner.ANNUAIRE].answers = [None, Temporary("still away")]
    assert await house.hear(said("!aide")) == {Owner.ANNUAIRE: ["fait"]}


async def test_a_homeserver_that_is_away_is_waited_for_however_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colloque.bot.RETRY_S", 0.0)
    house.homes[Owner.ANNUAIRE].errors = [HomeUnavailable() for _ in range(3)]
    assert await house.hear(said("!aide")) == {Owner.ANNUAIRE: ["fait"]}


async def test_a_room_that_is_gone_stops_nothing(house: House) -> None:
    house.homes[Owner.ANNUAIRE].errors = [HomeRefused(403, "M_FORBIDDEN") for _ in range(2)]
    assert await house.hear(said("!aide")) == {}
    assert await house.hear(said("!aide")) == {Owner.ANNUAIRE: ["fait"]}


def test_a_bot_without_one_of_its_handlers_is_refused() -> None:
    with pytest.raises(ValueError, match="patient ouvrir"):
        Bot(
            me=Owner.SALLES,
            home=Recorder(),
            config=CONFIG,
            is_attested=lambda _user: True,
            administers=lambda _user: True,
            handlers={},
            handled=Marks(),
        )


def test_no_text_of_ours_is_longer_than_a_phone_shows() -> None:
    fixed = [value for name, value in vars(texts).items() if name.isupper() and isinstance(value, str)]
    every = [*fixed, texts.failed("0a1b2c3d"), *(texts.wrong_room(c) for c in COMMANDS), texts.unknown_command(None)]
    assert len(every) > 15
    for body in every:
        assert len(body.splitlines()[0]) <= 100
        assert len(body) <= 350
