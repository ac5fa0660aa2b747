"""Mail workers and mailboxes that open by their holder's word: whoever of them dies, nobody is asked anything."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from colloque.identity import RoomId
from colloque.matrix.home import Incoming
from colloque_demo.people import Cast
from tests.servers.bridge import a_house
from tests.servers.bridge_workers import WORKERS, Staff
from tests.servers.postgres import PostgresServer
from tests.servers.psc import Psc, person
from tests.waiting import until

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
async def staff(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> AsyncIterator[Staff]:
    folder = tmp_path_factory.mktemp("workers")

    def psc(cast: Cast) -> Psc:
        people = [person(cast.author.rpps), person(cast.colleague.rpps, "Zoé", "PETIT")]
        return Psc(folder, people=people, access_s=10, refresh_s=900)

    async with a_house(folder, psc) as house:
        made = Staff(house, await postgres_server.new_database(), folder)
        made.prepare()
        made.main()
        for number in range(1, WORKERS + 1):
            made.worker(number)
        try:
            await made.well()
            yield made
        finally:
            made.stop()


def told(staff: Staff, home: RoomId) -> list[str]:
    """What the message about the mailbox read, each time."""
    heard = [h for _, h in staff.house.author.heard if isinstance(h, Incoming) and h.room == home]
    return [str(h.content.get("m.new_content", h.content)["body"]) for h in heard if h.msgtype == "m.notice"]


async def asked(staff: Staff) -> int:
    return list((await staff.house.psc.control())["calls"]).count("/ext/ciba/auth")


async def arrives(staff: Staff) -> None:
    mark = f"repère {secrets.token_hex(6)}"
    await staff.house.write("Avis", mark)
    await staff.house.mail(mark)


async def test_a_killed_worker_a_killed_bridge_and_an_upgrade_ask_nobody(staff: Staff) -> None:
    house = staff.house
    author = house.cast.author
    home = await house.home_room(house.author.user)

    async def reads(words: str) -> bool:
        return any(words in each for each in told(staff, home))

    async def closed() -> bool:  # its worker says so when it begins to read, whatever was told by then
        return bool(await staff.ask("SELECT state FROM mailbox WHERE address = $1", author.address.value) == "closed")

    await until(lambda: reads("est fermée"), "it is closed")
    await until(closed, "its worker found it closed")
    for port in (house.config.mssante.http.port, *staff.ports.values()):
        assert await staff.health(port) == {}, "a closed mailbox is no fault"
    await house.author.ask(home, "!boite ouvrir", "the number")
    await house.psc.answer(author.rpps.national, "approve")
    await until(lambda: reads("est ouverte depuis"), "it is open")
    await arrives(staff)
    before = (await asked(staff), told(staff, home))

    holder = await staff.holder(author)
    staff.workers[holder].kill()
    await arrives(staff)
    assert await staff.holder(author) != holder
    staff.worker(holder)
    staff.mains[0].kill()
    staff.mains[0].start()
    await staff.well()
    await arrives(staff)
    for process in (*staff.workers.values(), staff.mains[0]):  # as an upgrade does
        process.stop()
        process.start()
    await staff.well()
    await arrives(staff)
    assert (await asked(staff), told(staff, home)) == before
