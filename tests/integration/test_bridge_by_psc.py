"""Mailboxes that open by their holder's word: a real Synapse, bridge, keeper, OpenID provider and operator."""

from __future__ import annotations

import asyncio
import re
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from colloque.identity import EventId, RoomId
from colloque.matrix.home import Incoming, reaction
from colloque.sockets import Client
from colloque_demo.people import Cast, Person
from colloque_mssante.texts import opening as texts
from tests.files_read import contents
from tests.servers.bridge import open_house
from tests.servers.bridge_house import House
from tests.servers.psc import Psc, person
from tests.waiting import until


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    def psc(cast: Cast) -> Psc:
        people = [person(cast.author.rpps), person(cast.colleague.rpps, "Zoé", "PETIT")]
        # Short lives: renewed again and again while the tests go on, and soon over when the provider says so.
        return Psc(tmp_path_factory.mktemp("psc"), people=people, access_s=10, refresh_s=900)

    async with open_house(tmp_path_factory.mktemp("bridge"), psc) as made:
        yield made


@pytest.fixture(scope="module")
async def home(place: House) -> RoomId:
    return await place.home_room(place.author.user)


class Notice:
    """What the home room's message about a closure reads."""

    def __init__(self, place: House, home: RoomId) -> None:
        self.place, self.home = place, home

    def versions(self) -> list[tuple[EventId, str]]:
        """Every state that was shown: whose message, and what it read then."""
        heard = [h for _, h in self.place.author.heard if isinstance(h, Incoming) and h.room == self.home]
        found = []
        for one in heard:
            edited = one.content.get("m.new_content")
            if one.msgtype == "m.notice" and "MSSanté" in one.body:
                about = one.content["m.relates_to"]["event_id"] if edited else one.event
                found.append((EventId(about), str((edited or one.content)["body"])))
        return found

    async def reads(self, words: str, *, since: int = 0) -> tuple[EventId, str]:
        async def seen() -> tuple[EventId, str] | None:
            return next(((of, body) for of, body in self.versions()[since:] if words in body), None)

        return await until(seen, f"the home room reads: {words}")

    @property
    def now(self) -> int:
        return len(self.versions())


@pytest.fixture
def notice(place: House, home: RoomId) -> Notice:
    return Notice(place, home)


@pytest.fixture
async def closed(place: House, notice: Notice) -> EventId:
    """The message that says so, of a mailbox that is closed."""
    await place.psc.control(ciba={}, fail=0)
    since = 0
    if notice.versions() and "est fermée" not in notice.versions()[-1][1]:
        since = notice.now
        await place.psc.end(place.author.person.rpps.national)
    await notice.reads("est fermée", since=since)
    return [of for of, body in notice.versions() if "est fermée" in body][-1]


async def approved(place: House, *, who: Person | None = None) -> str:
    """The number that the phone showed."""
    national = (who or place.author.person).rpps.national

    async def asked() -> str:
        return next((q["binding"] for q in await place.psc.questions() if q["national"] == national), "")

    number = await until(asked, "a question on the phone")
    await place.psc.answer(national, "approve")
    return number


async def opened(place: House, notice: Notice) -> None:
    since = notice.now
    await place.author.say(notice.home, "!boite ouvrir")
    await approved(place)
    await notice.reads("est ouverte depuis", since=since)


async def _is_shut(place: House, notice: Notice) -> bool:
    """Whoever reads the mailbox says so by itself, when its connection has ended."""
    return "fermée : votre e-CPS l'ouvre" in (await place.author.ask(notice.home, "!boite etat", "the state")).body


async def questions_so_far(place: House) -> int:
    return list((await place.psc.control())["calls"]).count("/ext/ciba/auth")


async def test_a_tap_opens_and_tells_what_had_come(place: House, notice: Notice, closed: EventId) -> None:
    tag, since = secrets.token_hex(4), notice.now
    await until(lambda: _is_shut(place, notice), "the state")
    for n in range(2):
        await place.write("Avis", f"avant {n} {tag}")
    assert await questions_so_far(place) == 0, "nobody is asked before they do something"
    await place.author.home.send(notice.home, reaction(closed, texts.OPEN_SIGN), txn=tag, type_="m.reaction")
    about, words = await notice.reads("Validez le nombre", since=since)
    assert about == closed
    assert f"Validez le nombre {await approved(place)} " in words
    about, words = await notice.reads("est ouverte depuis", since=since)
    assert about == closed, "one message, edited"
    assert "2 messages MSSanté" in words
    for n in range(2):
        await place.mail(f"avant {n} {tag}")
    assert "relevée en continu" in (await place.author.ask(notice.home, "!boite etat", "the state")).body
    await place.well()


async def test_a_killed_bridge_asks_nobody(place: House, notice: Notice, closed: EventId) -> None:
    await opened(place, notice)
    asked, shown, tag = await questions_so_far(place), notice.now, secrets.token_hex(4)
    place.bridge.kill()
    await place.write("Avis", f"pendant {tag}")
    place.bridge.start()
    await place.well()
    await place.mail(f"pendant {tag}")
    await place.write("Avis", f"ensuite {tag}")
    await place.mail(f"ensuite {tag}")
    assert (await questions_so_far(place), notice.now) == (asked, shown)


async def test_a_bridge_killed_while_the_phone_asks_goes_on_with_the_same_question(
    place: House, notice: Notice, closed: EventId
) -> None:
    since = notice.now
    said = await place.author.say(notice.home, "!boite ouvrir")
    number = re.search(r"nombre (\d\d)", (await place.author.answer(said, "the number")).body)
    assert number is not None
    asked = await questions_so_far(place)
    place.bridge.kill()
    place.bridge.start()
    await place.well()
    assert await approved(place) == number[1]
    await notice.reads("est ouverte depuis", since=since)
    assert await questions_so_far(place) == asked


async def test_what_is_written_while_it_is_closed_leaves_when_it_opens(
    place: House, notice: Notice, closed: EventId
) -> None:
    await opened(place, notice)
    tag = secrets.token_hex(4)
    message_id = await place.write("Avis", f"question {tag}")
    mail = await place.mail(f"question {tag}")
    since = notice.now
    await place.psc.end(place.author.person.rpps.national)
    about, _ = await notice.reads("est fermée depuis", since=since)
    assert about != closed, "another closure, another message"
    said = await place.author.say(mail.room, f"réponse {tag}", reply_to=mail.event)
    told = (await place.author.answer(said, "that it waits")).body
    assert place.author.person.address.value in told
    assert await place.answers_to(message_id) == []
    await place.write("Avis", f"entretemps {tag}")
    number = await approved(place)
    assert f"Validez le nombre {number} " in told
    _, words = await notice.reads("est ouverte depuis", since=since)
    assert "1 message MSSanté depuis sa fermeture" in words
    await place.mail(f"entretemps {tag}")

    async def left() -> bool:
        return len(await place.answers_to(message_id)) == 1

    await until(left, "the answer leaves")


@pytest.mark.parametrize(("how", "why"), [("deny", "refusé"), ("approve", "autre personne")])
async def test_a_no_and_somebody_elses_yes_open_nothing(
    place: House, notice: Notice, closed: EventId, how: str, why: str
) -> None:
    since, national = notice.now, place.author.person.rpps.national
    await place.author.ask(notice.home, "!boite ouvrir", "the number")
    other = place.cast.colleague.rpps.national if how == "approve" else None
    await place.psc.answer(national, how, by=other)
    about, words = await notice.reads("reste fermée", since=since)
    assert (about, why in words) == (closed, True)
    await until(lambda: _is_shut(place, notice), "the state")
    await opened(place, notice)


async def test_a_killed_keeper_is_told_of_once_and_asks_nobody_by_itself(
    place: House, notice: Notice, closed: EventId
) -> None:
    await opened(place, notice)
    asked, since = await questions_so_far(place), notice.now
    place.keeper.kill()
    place.keeper.start()
    await notice.reads("est fermée depuis", since=since)
    await place.well()
    tag = secrets.token_hex(4)
    await place.write("Avis", f"fermé {tag}")
    assert (await questions_so_far(place), notice.now) == (asked, since + 1)
    await opened(place, notice)
    await place.mail(f"fermé {tag}")


async def test_a_second_keeper_does_not_start(place: House) -> None:
    second = await asyncio.create_subprocess_exec(*place.keeper.command, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(second.communicate(), 60)
    assert second.returncode == 1
    assert b"another process listens" in said


async def test_tokens_are_nowhere_but_in_the_keepers_memory(place: House, notice: Notice, closed: EventId) -> None:
    await opened(place, notice)
    keeper = Client(place.config.socket("keeper"), "mssante")
    token = (await keeper.call("token", rpps=place.author.person.rpps.value))["token"]
    issued = {one.encode() for one in (await place.psc.control())["issued"]}
    assert token.encode() in issued
    for process in (place.keeper, place.bridge):
        assert process.running is not None
        own = Path(f"/proc/{process.running.pid}")
        for name in ("environ", "cmdline"):
            assert not any(one in (own / name).read_bytes() for one in issued)
        assert re.search(r"Max core file size +0 +0 ", (own / "limits").read_text())
    files = {file: any(one in data for one in issued) for file, data in contents(place.layout.root.parent)}
    assert place.layout.logs / "keeper.log" in files
    assert [file.name for file, holds in files.items() if holds] == []


async def test_what_the_bridge_does_is_no_activity_of_its_holder(place: House) -> None:
    """Theirs: a colleague who has no app open, and whose phone was asked at an hour that they chose."""
    colleague = place.cast.colleague
    place.attest(place.cast.author, colleague)
    await place.home_room(colleague.account)
    token = place.layout.secret("mssante.admin_token").read_text()

    def last_seen() -> object:
        return place.server.call("GET", f"/_synapse/admin/v2/users/{colleague.account}", None, token)["last_seen_ts"]

    def stored(table: str, column: str, value: str) -> int:
        with closing(sqlite3.connect(place.layout.state("mssante") / "mssante.db")) as db:
            return int(db.execute(f"SELECT COUNT(*) FROM {table} WHERE {column} = ?", [value]).fetchone()[0])

    async def known() -> bool:
        return await asyncio.to_thread(stored, "opening", "owner", colleague.account) == 1

    async def shown() -> bool:
        return await asyncio.to_thread(stored, "mail", "mailbox", colleague.address.value) == 1

    before = await asyncio.to_thread(last_seen)
    await until(known, "the bridge knows them")
    await Client(place.config.socket("keeper"), "mssante").call("ask", rpps=colleague.rpps.value)
    await approved(place, who=colleague)
    await place.write("Avis", "sans témoin", to=colleague)
    await until(shown, "their mail is in its room")
    assert await asyncio.to_thread(last_seen) == before
    assert await asyncio.to_thread(place.box(colleague).flagged, "SEEN") == []
