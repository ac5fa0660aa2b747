"""A correspondent with an account comes into the room where their mails stand: both write there, everything once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming, reaction
from colloque_demo.clinician import Clinician
from colloque_mssante.texts import guests as texts
from tests.clients.mailbox import text_of
from tests.servers.bridge_house import WAIT_S, House
from tests.waiting import until


@dataclass
class Two:
    """The author, whose room it was, and the guest; both have a mailbox that the bridge reads."""

    house: House
    guest: Clinician
    room: RoomId
    mail: Incoming
    """The guest's first mail, as the author's client shows it."""

    def saw(self, who: Clinician, words: str) -> list[Incoming]:
        heard = [h for _, h in who.heard if isinstance(h, Incoming)]
        return [m for m in heard if words in m.body]

    async def hears(self, who: Clinician, words: str) -> Incoming:
        return (await who.hear(lambda m: words in m.body, words, timeout_s=WAIT_S))[1]

    async def mails(self, to: Clinician, words: str) -> list[str]:
        return [m["Message-ID"] for m in await self.house.inbox(to.person) if words in text_of(m)]

    async def writes(self, writer: Clinician, reader: Clinician, words: str, *, in_reply_to: str = "") -> str:
        """From their own mail program."""
        box, to = self.house.box(writer.person), reader.person.address.value
        message_id = f"<{secrets.token_hex(8)}@{writer.person.address.domain}>"
        await asyncio.to_thread(box.write, to, "Avis", words, message_id=message_id, in_reply_to=in_reply_to)
        return message_id

    async def is_member(self, user: UserId, wanted: str | None) -> None:
        async def so() -> bool:
            return (await self.house.author.home.members(self.room)).get(user) == wanted

        await until(so, f"membership {wanted}")


@pytest.fixture(scope="module")
async def two(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    guest = await Clinician.login(
        house.session, house.server.url, house.cast.clinicians[3], tmp_path_factory.mktemp("guest")
    )
    house.attest(house.cast.author, guest.person)
    home = await house.home_room(guest.user)
    tag = secrets.token_hex(4)
    box, address = house.box(guest.person), house.cast.author.address.value
    message_id = f"<{secrets.token_hex(8)}@{guest.person.address.domain}>"
    await asyncio.to_thread(box.write, address, "Avis", f"première question {tag}", message_id=message_id)
    mail = await house.mail(f"première question {tag}")
    made = Two(house, guest, mail.room, mail)
    name = guest.person.professional.full_name
    await made.writes(house.author, guest, f"avant {tag}")
    before = await made.hears(guest, f"avant {tag}")
    assert before.room != mail.room
    await made.hears(house.author, texts.hint(name))
    answer = await house.author.ask(made.room, "!inviter", "an invitation")
    assert answer.body == texts.invited(name)
    proposal = await made.hears(guest, "vous propose d'échanger directement")
    assert proposal.room == home
    await made.is_member(guest.user, "invite")
    await guest.call("POST", path(CLIENT, "rooms", made.room, "join"), {})
    await made.hears(guest, texts.joined(name))
    link = f"https://matrix.to/#/{made.room}"
    moved = await made.hears(guest, texts.moved(house.cast.author.professional.full_name, link))
    assert moved.room == before.room
    state = await guest.home.state(made.room, "m.room.name")
    assert state == {"name": texts.room_name(name, house.cast.author.professional.full_name)}
    yield made
    house.attest(house.cast.author)
    await made.is_member(guest.user, "leave")
    await guest.close()


async def test_it_arrives_at_once_and_is_no_mail(two: Two) -> None:
    house, tag = two.house, secrets.token_hex(4)
    asked = await house.author.say(two.room, f"question {tag}")
    heard = await two.hears(two.guest, f"question {tag}")
    assert (heard.event, heard.sender) == (asked, house.author.user)
    await two.guest.say(two.room, f"réponse {tag}", reply_to=asked)
    await two.hears(house.author, f"réponse {tag}")
    # After a kill as before it; what comes by mail comes after what would have left.
    await asyncio.to_thread(house.bridge.kill)
    house.bridge.start()
    await house.well()
    await house.author.say(two.room, f"encore {tag}")
    await two.hears(two.guest, f"encore {tag}")
    await two.writes(two.guest, house.author, f"par mail {tag}")
    await two.hears(house.author, f"par mail {tag}")
    for words in ("question", "réponse", "encore"):
        assert await two.mails(two.guest, f"{words} {tag}") == []
        assert await two.mails(house.author, f"{words} {tag}") == []


async def test_both_ways_by_mail_too_in_one_thread_and_once(two: Two) -> None:
    house, tag = two.house, secrets.token_hex(4)
    author, guest = house.author, two.guest
    event = await author.say(two.room, f"question {tag}", reply_to=two.mail.event)
    await two.hears(guest, f"question {tag}")
    await author.say(two.room, "!envoyer-par-mail", reply_to=event)

    async def arrived() -> list[str]:
        return await two.mails(guest, f"question {tag}")

    [first] = await until(arrived, "the mail")
    reply = await guest.say(two.room, f"réponse {tag}", reply_to=event)
    await guest.home.send(two.room, reaction(reply, texts.BY_MAIL), txn=secrets.token_hex(8), type_="m.reaction")

    async def answered() -> list[str]:
        return [m["In-Reply-To"] for m in await house.inbox(author.person) if f"réponse {tag}" in text_of(m)]

    assert await until(answered, "the answer") == [first]
    # What both write from their own mail programs is shown, in the same thread, to both; nothing was shown twice.
    await two.writes(author, guest, f"de chez moi {tag}", in_reply_to=first)
    await two.writes(guest, author, f"du cabinet {tag}", in_reply_to=first)
    mine, theirs = await two.hears(author, f"de chez moi {tag}"), await two.hears(author, f"du cabinet {tag}")
    assert mine.sender != theirs.sender
    for words in ("de chez moi", "du cabinet"):
        await two.hears(guest, f"{words} {tag}")
    number = next(line for line in two.mail.body.splitlines() if "fil " in line).split("fil ")[1].split()[0]
    for shown in (mine, theirs):
        assert shown.room == two.room
        assert f"fil {number}" in shown.body
    for who, theirs_in_matrix in ((author, "réponse"), (guest, "question")):
        for words in ("question", "réponse", "de chez moi", "du cabinet"):  # a client does not hear its own words
            shown_times = 0 if words in {"question", "réponse"} - {theirs_in_matrix} else 1
            assert len(two.saw(who, f"{words} {tag}")) == shown_times, words


async def test_the_guest_answers_what_came_by_mail(two: Two) -> None:
    """A mail of the author's, shown to the guest: its answer leaves from the guest's mailbox, to the author alone."""
    house, tag = two.house, secrets.token_hex(4)
    message_id = await two.writes(house.author, two.guest, f"à vous {tag}")
    shown = await two.hears(two.guest, f"à vous {tag}")
    assert shown.room == two.room
    event = await two.guest.say(two.room, f"à moi {tag}", reply_to=shown.event)
    await two.guest.say(two.room, "!envoyer-par-mail", reply_to=event)

    async def answered() -> list[tuple[str, str, str]]:
        return [
            (m["In-Reply-To"], m["From"].addresses[0].addr_spec, m["To"].addresses[0].addr_spec)
            for m in await house.inbox(house.author.person)
            if f"à moi {tag}" in text_of(m)
        ]

    addresses = (two.guest.person.address.value, house.author.person.address.value)
    assert await until(answered, "the answer") == [(message_id, *addresses)]


async def test_each_reads_for_themselves(two: Two) -> None:
    """A mail that came to the guest is not marked as read because the author read it."""
    house, tag = two.house, secrets.token_hex(4)
    await two.writes(house.author, two.guest, f"à lire {tag}")
    shown = await two.hears(house.author, f"à lire {tag}")
    await _read(house.author, two.room, shown.event)
    other = await two.writes(two.guest, house.author, f"lu {tag}")
    seen = await two.hears(house.author, f"lu {tag}")
    await _read(house.author, two.room, seen.event)

    async def marked() -> bool:
        found = await asyncio.to_thread(house.box(house.author.person).flagged, "SEEN")
        return any(m["Message-ID"] == other for m in found)

    await until(marked, "the flag of the author's own mail")
    flagged = await asyncio.to_thread(house.box(two.guest.person).flagged, "SEEN")
    assert not [m for m in flagged if f"à lire {tag}" in text_of(m)]


async def test_whoever_is_no_longer_verified_is_out_and_mail_is_mail_again(two: Two) -> None:
    house, tag = two.house, secrets.token_hex(4)
    house.attest(house.cast.author)
    await two.is_member(two.guest.user, "leave")
    await two.hears(house.author, "n'est plus dans ce salon")
    event = await house.author.say(two.room, f"par mail {tag}", reply_to=two.mail.event)

    async def arrived() -> list[str]:
        return await two.mails(two.guest, f"par mail {tag}")

    assert len(await until(arrived, "the mail")) == 1
    assert not [m for m in two.saw(two.guest, f"par mail {tag}") if m.event == event]


async def _read(who: Clinician, room: RoomId, event: EventId) -> None:
    await who.call("POST", path(CLIENT, "rooms", room, "receipt", "m.read", event), {})
