"""Many mailboxes, many processes: one dies, one is frozen and wakes, one stands by. Nothing is lost, nothing twice."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator

import pytest

from colloque.files import free_port
from colloque.matrix.home import Incoming
from colloque_demo import settings
from colloque_demo.clinician import Clinician
from colloque_demo.people import Person
from colloque_mssante.texts import mails as texts
from tests.clients.mailbox import text_of
from tests.servers.bridge import a_house
from tests.servers.bridge_workers import WORKERS, Staff
from tests.servers.postgres import PostgresServer
from tests.waiting import until

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
async def staff(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> AsyncIterator[Staff]:
    folder = tmp_path_factory.mktemp("workers")
    async with a_house(folder) as house:
        made = Staff(house, await postgres_server.new_database(), folder)
        made.prepare()
        people = [house.cast.author, house.cast.colleague, *house.cast.clinicians]
        house.attest(*people)
        made.main()
        for number in range(1, WORKERS + 1):
            made.worker(number)
        for person in people[1:]:
            (folder / person.account[1:]).mkdir()
            reader = await Clinician.login(house.session, house.server.url, person, folder / person.account[1:])
            made.readers[person.account] = reader
        made.readers[house.cast.author.account] = house.author
        try:
            await made.well()
            await made.all_held(people)
            yield made
        finally:
            for reader in made.readers.values():
                if reader is not house.author:
                    await reader.close()
            made.stop()


def everybody(staff: Staff) -> list[Person]:
    cast = staff.house.cast
    return [cast.author, cast.colleague, *cast.clinicians]


def shown(reader: Clinician, mark: str) -> list[Incoming]:
    ghost = f"@{settings.GHOSTS}"
    said = [h for _, h in reader.heard if isinstance(h, Incoming)]
    return [m for m in said if m.sender.startswith(ghost) and mark in m.body]


async def arrived(reader: Clinician, mark: str, within: float = 60.0) -> Incoming:
    async def found() -> list[Incoming]:
        return shown(reader, mark)

    return (await until(found, f"the mail {mark}", within=within))[0]


async def answers(staff: Staff, mark: str) -> int:
    inbox = await staff.house.inbox(staff.house.cast.correspondent)
    return sum(mark in text_of(mail) for mail in inbox)


async def answered(staff: Staff, mark: str) -> None:
    async def found() -> int:
        return await answers(staff, mark)

    await until(found, f"the answer {mark}")


def new_mark() -> str:
    return f"repère {secrets.token_hex(6)}"


async def conversation(staff: Staff) -> Incoming:
    """A mail that the author can answer."""
    mark = new_mark()
    await staff.house.write("Début", mark)
    return await arrived(staff.house.author, mark)


async def test_mails_come_in_and_go_out_by_every_worker(staff: Staff) -> None:
    people, marks = everybody(staff), {}

    async def shared() -> bool:
        """One that gives some of its mailboxes to another leaves them to nobody for a moment."""
        return {await staff.holder(person) for person in people} == set(range(1, WORKERS + 1))

    await until(shared, "each worker has its share")
    for person in people:
        marks[person.account] = new_mark()
        await staff.house.write("Partout", marks[person.account], to=person)
    for account, mark in marks.items():
        came = await arrived(staff.readers[account], mark)
        reader = staff.readers[account]
        await reader.say(came.room, f"Réponse {mark}", reply_to=came.event)
    for account, mark in marks.items():
        await answered(staff, f"Réponse {mark}")
        assert await answers(staff, f"Réponse {mark}") == 1
        assert len(shown(staff.readers[account], mark)) == 1
    for port in (staff.house.config.mssante.http.port, *staff.ports.values()):
        assert await staff.health(port) == {}

    async def dealt_with() -> bool:
        """Reports of what was sent come in a moment later."""
        return await staff.ask("SELECT COUNT(*) FROM inbox") == 0

    await until(dealt_with, "nothing waits")


async def test_a_big_mail_comes_by_way_of_the_workers_own_folder(staff: Staff) -> None:
    name = f"{secrets.token_hex(6)}.pdf"
    await staff.house.write_file("Gros", new_mark(), name, secrets.token_bytes(3 << 20))
    await staff.house.heard_file(name)
    mark = new_mark()
    await staff.house.write("Derrière", mark)
    await arrived(staff.house.author, mark)
    assert await staff.health(staff.house.config.mssante.http.port) == {}


async def test_a_killed_workers_mailboxes_move_in_seconds(staff: Staff) -> None:
    author = staff.house.cast.author
    before = await staff.holder(author)
    staff.workers[before].kill()
    marks = [new_mark() for _ in range(3)]
    for mark in marks:
        await staff.house.write("Reprise", mark)
    for mark in marks:
        await arrived(staff.house.author, mark, within=25)
    assert await staff.holder(author) not in {0, before}
    assert await staff.health(staff.house.config.mssante.http.port) == {"workers": "worker.missing"}
    staff.worker(before)
    await staff.all_held(everybody(staff))

    async def back() -> bool:
        return await staff.holder(author) == before

    await until(back, "it has its share again")
    mark = new_mark()
    await staff.house.write("Rendue", mark)
    await arrived(staff.house.author, mark)
    assert [len(shown(staff.house.author, each)) for each in (*marks, mark)] == [1] * 4
    assert staff.journals_hold()


@pytest.mark.parametrize("where", ["data-to-note", "data-noted"])
async def test_who_was_frozen_when_a_mail_was_to_leave_sends_nothing_twice(staff: Staff, where: str) -> None:
    """Before its last look it sends nothing any more; after it, what it sends is in doubt until it says so."""
    house, mark = staff.house, new_mark()
    came = await conversation(staff)
    number = await staff.holder(house.cast.author)
    staff.workers[number].stop()
    frozen = staff.worker(number, stop_at=where)
    await staff.all_held(everybody(staff))

    async def back() -> bool:
        return await staff.holder(house.cast.author) == number

    await until(back, "it has its share again")
    answer = await house.author.say(came.room, mark, reply_to=came.event)

    async def taken() -> bool:
        return await staff.holder(house.cast.author) not in {0, number}

    await until(taken, "another took over")
    other = new_mark()
    await house.write("Pendant", other)
    await arrived(house.author, other)
    if where == "data-to-note":
        await answered(staff, mark)
    else:

        async def doubtful() -> bool:
            found = await staff.ask("SELECT state FROM outbox ORDER BY seq DESC LIMIT 1")
            return bool(found == "doubtful")

        await until(doubtful, "the mail is in doubt")
        assert await answers(staff, mark) == 0
    assert frozen.running is not None
    frozen.running.send_signal(signal.SIGCONT)
    await answered(staff, mark)
    assert await house.sign(answer) in {texts.SENT, texts.DELIVERED}
    await until(back, "it has its share again")
    last = new_mark()
    await house.write("Après", last)
    await arrived(house.author, last)
    assert await answers(staff, mark) == 1
    assert [len(shown(house.author, each)) for each in (other, last)] == [1, 1]


async def test_the_one_that_stands_by_takes_over(staff: Staff) -> None:
    house, port = staff.house, free_port()
    [first] = staff.mains
    staff.main(port=port)

    async def stands_by() -> bool:
        return await staff.health(port) == {"service": "standby"}

    await until(stands_by, "it stands by")
    marks = [new_mark() for _ in range(4)]
    for mark in marks[:2]:
        await house.write("Relève", mark)
    first.kill()
    for mark in marks[2:]:
        await house.write("Relève", mark)
    await staff.well(port, within=25)
    came = [await arrived(house.author, mark) for mark in marks]
    answer = await house.author.say(came[-1].room, f"Merci {marks[-1]}", reply_to=came[-1].event)
    assert await house.sign(answer) in {texts.SENT, texts.DELIVERED}
    assert [len(shown(house.author, mark)) for mark in marks] == [1] * 4
    assert staff.journals_hold()


async def test_who_loses_its_place_ends_at_once(staff: Staff) -> None:
    """PostgreSQL ended its connection: another may have the place by now."""
    main = staff.mains[-1]
    assert main.running is not None
    await staff.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 0 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    assert await asyncio.to_thread(main.running.wait, 10) == 1
    staff.main()
    await staff.well()
    mark = new_mark()
    await staff.house.write("Encore", mark)
    await arrived(staff.house.author, mark)
    assert len(shown(staff.house.author, mark)) == 1
