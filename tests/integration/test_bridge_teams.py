"""A mailbox that a team shares: one room for all of them, each act somebody's, and out on the day they leave."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage

import pytest

from colloque.identity import RoomId, UserId
from colloque.matrix.home import Incoming
from colloque_demo.clinician import Clinician
from colloque_demo.people import Person
from colloque_mssante.texts import teams as texts
from colloque_mssante.texts import writing as words
from tests.clients.mailbox import text_of
from tests.servers.bridge_house import WAIT_S, House
from tests.servers.bridge_writing import gathering, notice, strike, tap
from tests.waiting import until


@dataclass
class Team:
    """The author and a colleague, an administrator, and the rooms they type in."""

    house: House
    colleague: Clinician
    admin: Clinician
    office: RoomId
    home: RoomId

    async def order(self, line: str) -> str:
        return (await self.admin.ask(self.office, line, line)).body

    async def comes(self, body: str, *readers: Clinician) -> list[Incoming]:
        """The correspondent writes to the shared mailbox; as each of the readers sees it."""
        box, address = self.house.box(self.house.cast.correspondent), self.house.shared.address
        message_id = f"<{secrets.token_hex(8)}@{self.house.cast.correspondent.address.domain}>"
        await asyncio.to_thread(box.write, address, "Demande", body, message_id=message_id)
        return [(await reader.hear(lambda m: body in m.body, body, timeout_s=WAIT_S))[1] for reader in readers]

    async def member(self, room: RoomId, user: UserId, wanted: str) -> None:
        async def so() -> bool:
            return (await self.house.author.home.members(room)).get(user) == wanted

        await until(so, f"membership {wanted}")

    async def noted(self, reader: Clinician, mail: Incoming, start: str) -> Incoming:
        """The bot's note under a mail, once it begins so."""

        def wanted(m: Incoming) -> bool:
            new = m.content.get("m.new_content", m.content)
            return m.room == mail.room and new.get("body", "").startswith(start)

        return (await reader.hear(wanted, start, timeout_s=WAIT_S))[1]


@pytest.fixture(scope="module")
async def team(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Team]:
    async def login(person: Person) -> Clinician:
        return await Clinician.login(house.session, house.server.url, person, tmp_path_factory.mktemp("person"))

    colleague, admin = await login(house.cast.clinicians[2]), await login(house.cast.admin)
    house.attest(house.cast.author, colleague.person)
    office = await house.admin_room()
    await house.annuaire.invite(office, admin.user)

    async def joined() -> bool:
        return (await house.annuaire.members(office)).get(admin.user) == "join"

    await until(joined, "the administrator in their room")
    made = Team(house, colleague, admin, office, await house.home_room(house.author.user))
    for user in (house.author.user, colleague.user):

        async def added(user: UserId = user) -> bool:  # once the bridge has read who is verified
            return texts.added(house.shared.address, user) in await made.order(
                f"!equipe ajouter {house.shared.address} {user}"
            )

        await until(added, "a member of the team")
    yield made
    for user in (house.author.user, colleague.user):
        await made.order(f"!equipe retirer {house.shared.address} {user}")
    house.attest(house.cast.author)
    await admin.close()
    await colleague.close()


async def test_each_answers_in_the_name_of_all(team: Team) -> None:
    house, tag = team.house, secrets.token_hex(4)
    mine, theirs = await team.comes(f"question {tag}", house.author, team.colleague)
    assert (mine.room, mine.event) == (theirs.room, theirs.event)
    name = await house.author.home.state(mine.room, "m.room.name")
    assert name is not None
    structure = name["name"].rpartition(" · pour ")[2]
    mark = await house.author.home.state(mine.room, "fr.colloque.room")
    assert mark is not None
    assert "owner" not in mark
    await team.colleague.say(mine.room, f"réponse {tag}", reply_to=mine.event)

    async def arrived() -> list[EmailMessage]:
        return [m for m in await house.inbox(house.cast.correspondent) if f"réponse {tag}" in text_of(m)]

    [mail] = await until(arrived, "the answer")
    [sender] = mail["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (structure, house.shared.address)
    writer = team.colleague.person.professional.full_name
    assert text_of(mail).replace("\r\n", "\n").strip() == f"réponse {tag}\n\n— {writer}, pour {structure}"
    note = await team.noted(house.author, mine, f"{texts.HANDLED} Message traité par {writer} le ")
    assert note.reply_to == mine.event


async def test_a_mail_is_dealt_with_once_and_may_be_taken_back(team: Team) -> None:
    house, tag = team.house, secrets.token_hex(4)
    before = await _waiting(team) + 1
    [mail] = await team.comes(f"à traiter {tag}", house.author)
    me, other = house.cast.author.professional.full_name, team.colleague.person.professional.full_name

    async def counted() -> bool:
        return await _waiting(team) == before

    await until(counted, "one more is to be dealt with")
    sign = await tap(house, mail.room, mail.event, texts.HANDLED)
    await team.noted(team.colleague, mail, f"{texts.HANDLED} Message traité par {me} le ")
    assert await _waiting(team) == before - 1
    asked = await team.colleague.say(mail.room, "!traité", reply_to=mail.event)
    assert (await team.colleague.answer(asked, "a refusal")).body.startswith(f"Déjà traité par {me}")
    await strike(house, mail.room, sign)
    await team.noted(team.colleague, mail, f"{texts.UNHANDLED} Message de nouveau à traiter ({me}")
    assert await _waiting(team) == before
    await team.colleague.say(mail.room, "!traité", reply_to=mail.event)
    await team.noted(house.author, mail, f"{texts.HANDLED} Message traité par {other} le ")


async def test_nobody_touches_a_colleagues_draft(team: Team) -> None:
    house, tag = team.house, secrets.token_hex(4)
    async with gathering(house, 3600.0):
        [mail] = await team.comes(f"avis {tag}", house.author)
        since = len(house.author.heard)
        await house.author.say(mail.room, f"brouillon {tag}", reply_to=mail.event)
        waiting = await notice(house, mail.room, "✉️ Partira à", since=since)
        said = await team.colleague.say(mail.room, "ajout", reply_to=waiting.event)
        assert (await team.colleague.answer(said, "a refusal")).body == texts.NOT_YOURS
        content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": waiting.event, "key": words.SEND_NOW}}
        heard = len(team.colleague.heard)
        await team.colleague.home.send(mail.room, content, txn=secrets.token_hex(8), type_="m.reaction")
        await team.colleague.hear(lambda m: m.body == texts.NOT_YOURS, "a refusal", since=heard)
        await tap(house, mail.room, waiting.event, words.CANCEL)
        await notice(house, mail.room, words.CANCELLED, since=since)
    assert not [m for m in await house.inbox(house.cast.correspondent) if tag in text_of(m) and "ajout" in text_of(m)]


async def test_who_leaves_the_team_leaves_its_rooms_and_may_stand_in(team: Team) -> None:
    house, tag = team.house, secrets.token_hex(4)
    [mail] = await team.comes(f"avant {tag}", house.author)
    user = team.colleague.user
    gone = await team.order(f"!equipe retirer {house.shared.address} {user}")
    assert gone == texts.removed(house.shared.address, user, last=False)
    await team.member(mail.room, user, "leave")
    said = (await house.author.ask(team.home, f"!absence 3 jours {user}", "away")).body
    assert said.startswith(f"{team.colleague.person.professional.full_name} vous remplace jusqu'au ")
    await team.member(mail.room, user, "join")
    told = await team.admin.hear(lambda m: "se fait remplacer par" in m.body, "the administrators", timeout_s=WAIT_S)
    assert house.shared.address in told[1].body
    assert f"• {user}, remplace {house.author.user} jusqu'au" in await team.order(f"!equipe {house.shared.address}")
    await team.comes(f"pendant {tag}", house.author, team.colleague)
    assert (await house.author.ask(team.home, "!absence fin", "back")).body == texts.AWAY_BACK
    await team.member(mail.room, user, "leave")
    # Who is no longer verified is out at once, whatever the list says.
    await team.order(f"!equipe ajouter {house.shared.address} {user}")
    await team.member(mail.room, user, "join")
    house.attest(house.cast.author)
    await team.member(mail.room, user, "leave")
    house.attest(house.cast.author, team.colleague.person)
    await team.member(mail.room, user, "join")


async def test_orders_that_make_no_sense_change_nothing(team: Team) -> None:
    house = team.house
    own = house.cast.author.address.value
    assert await team.order("!equipe ajouter") == texts.TEAM_HOW
    assert await team.order(f"!equipe ajouter {own} {team.colleague.user}") == texts.TEAM_NOT_SHARED
    outsider = house.cast.outsider.account
    assert await team.order(f"!equipe ajouter {house.shared.address} {outsider}") == texts.TEAM_NOT_VERIFIED
    assert await team.order(f"!equipe retirer {house.shared.address} {outsider}") == texts.TEAM_NOT_IN
    for line, expected in (
        ("!absence", texts.AWAY_HOW),
        ("!absence 3 jours", texts.AWAY_HOW),
        (f"!absence 3 jours {house.author.user}", texts.AWAY_SELF),
        (f"!absence 3 jours {outsider}", texts.AWAY_UNVERIFIED),
        ("!absence fin", texts.AWAY_NOBODY),
    ):
        assert (await house.author.ask(team.home, line, line)).body == expected, line


async def _waiting(team: Team) -> int:
    """Mails of the shared mailbox that nobody dealt with, as its members are told."""
    said = (await team.house.author.ask(team.home, "!boite etat", "the mailboxes")).body
    [line] = [one for one in said.splitlines() if team.house.shared.address in one]
    assert "relevée en continu" in line
    found = re.search(r"(\d+) messages? à traiter", line)
    return int(found[1]) if found else 0


async def test_a_patient_who_writes_to_a_team_reads_a_team(team: Team) -> None:
    house, tag = team.house, secrets.token_hex(4)
    message_id = f"<{tag}@patient.mssante.test>"
    await asyncio.to_thread(house.patient.write, house.shared.address, "Rendez-vous", tag, message_id=message_id)
    _, shown = await house.author.hear(lambda m: tag in m.body, tag, timeout_s=WAIT_S)
    name = await house.author.home.state(shown.room, "m.room.name")
    assert name is not None
    assert name["name"].startswith("Patient 1 · lu par le patient · pour ")
    await team.member(shown.room, team.colleague.user, "join")
