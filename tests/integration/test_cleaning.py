"""What Synapse's own deletion leaves goes, on SQLite and on PostgreSQL, with the helper as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from colloque.errors import HomeRefused, Inconsistent, Refused, Temporary
from colloque.matrix.admin import SynapseAdmin
from colloque.rooms.leftovers import EXPECTED, LEFTOVERS, Key, Leftover
from colloque.sockets import Client
from colloque_salles.app import still_served
from colloque_salles.cleaner.synapse_db import open_db
from tests.servers.leftovers import Place
from tests.servers.leftovers_place import a_place
from tests.servers.postgres import PostgresServer
from tests.servers.process import Process

LEFT_BY_SYNAPSE = {
    *("current_state_delta_stream", "device_inbox", "event_reports", "room_alias_servers", "room_reports"),
    *("room_tags_revisions", "sliding_sync_connection_room_configs", "sliding_sync_connection_streams", "threads"),
}
"""What the rooms of these tests have there, and Synapse does not delete: they prove nothing if these are empty."""


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    url = None
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = await server.new_database()
    async with a_place(tmp_path_factory.mktemp(request.param), url) as made:
        yield made


async def test_nothing_is_left_outside_the_closed_list(place: Place) -> None:
    filled, other = await place.fill(), await place.fill(2)
    await place.counted(other)
    before, beside = place.scan(filled.known_by), place.lasting([other.room])
    assert set(before) >= LEFT_BY_SYNAPSE | {"media", "account_data", "push_rules"}
    await place.follow(filled)
    receipt = (await place.erased(filled))[-1]
    after = place.scan(filled.known_by)
    assert set(after) <= set(EXPECTED)
    assert {"account_data", "push_rules"} <= set(after)
    counted = {left["name"]: (left["count"], left["why"]) for left in receipt["residue"]}
    assert counted == {table: (count, EXPECTED[table]) for table, count in after.items()}
    assert "server_identifiers" not in receipt["out_of_reach"]
    assert place.lasting([other.room]) == beside


async def test_messages_still_come_after_a_restart(place: Place) -> None:
    """The streams of Synapse go on where they were, although their last rows are gone."""
    filled, other = await place.fill(2), await place.fill(2)
    since = place.call("GET", "/_matrix/client/v3/sync?timeout=0", token=place.bob)["next_batch"]
    await place.follow(filled)
    await place.erased(filled)
    later = place.call("GET", f"/_matrix/client/v3/sync?timeout=0&since={since}", token=place.bob)["next_batch"]
    await asyncio.to_thread(place.server.stop)
    await asyncio.to_thread(place.server.start)
    path = f"/_matrix/client/v3/rooms/{other.room}/send/m.room.message/after"
    event = place.call("PUT", path, {"msgtype": "m.text", "body": "après"})["event_id"]
    news = place.call("GET", f"/_matrix/client/v3/sync?timeout=0&since={later}", token=place.bob)
    timeline = news["rooms"]["join"][other.room]["timeline"]["events"]
    assert event in {each["event_id"] for each in timeline}


async def test_a_row_where_no_rule_expects_one_is_found_and_told(place: Place) -> None:
    filled = await place.fill(2)
    place.plant(
        "CREATE TABLE IF NOT EXISTS forgotten_corner (note TEXT)",
        f'INSERT INTO forgotten_corner VALUES (\'{{"seen": ["{filled.events[3]}"]}}\')',
    )
    if place.database.startswith("postgres"):
        place.plant("GRANT SELECT ON forgotten_corner TO colloque_reader")
    await place.follow(filled)
    receipt = (await place.erased(filled))[-1]
    assert {"name": "forgotten_corner", "count": 1, "why": "unexpected"} in receipt["residue"]
    told = [incident.text for incident in await place.incidents.unposted()]
    assert any("forgotten_corner" in text for text in told)
    assert not any(identifier in text for text in told for identifier in filled.known_by)
    place.plant("DROP TABLE forgotten_corner")


async def test_one_scan_serves_many_rooms(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "colloque_salles")
    rooms = [await place.fill(1) for _ in range(4)]
    for filled in rooms:
        await place.follow(filled)
    before = len(place.helper.log.read_text())
    await place.erased(*rooms)
    looks = [line for line in place.helper.log.read_text()[before:].splitlines() if "cleaner.looked" in line]
    assert any("rooms=4" in line for line in looks), (looks, caplog.messages)
    for filled in rooms:
        assert set(place.scan(filled.known_by)) <= set(EXPECTED)


class _Dying:
    """Writes a step down; the process ends before it, then, done again, after it. The helper dies with it."""

    def __init__(self, write: Any, name: str, died: list[tuple[str, str]], helper: Process) -> None:
        self._write, self._name, self._died, self._helper = write, name, died, helper
        self._again = False

    async def __call__(self, *args: Any, **kwargs: Any) -> None:
        self._again = not self._again
        if not self._again:
            await self._write(*args, **kwargs)
        self._died.append((self._name, "before" if self._again else "after"))
        self._helper.kill()
        self._helper.start()
        raise Temporary("killed")


async def test_killed_between_any_two_steps_it_is_repaired_by_going_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice at each: when its work is done and not yet written down, and when it has just been."""
    filled, died = await place.fill(2), []
    for name in ("at_step", "noted", "add", "forget"):
        monkeypatch.setattr(place.jobs, name, _Dying(getattr(place.jobs, name), name, died, place.helper))
    await place.follow(filled)
    receipts = len(place.receipts())
    await place.erased(filled)
    assert died == [
        *((name, when) for name in ("at_step",) * 3 for when in ("before", "after")),  # files, verify, clean
        *((name, when) for name in ("noted",) * 2 for when in ("before", "after")),  # scan, receipt
        *((name, when) for name in ("add", "forget") for when in ("before", "after")),
    ]
    assert len(place.receipts()) == receipts + 1
    assert set(place.scan(filled.known_by)) <= set(EXPECTED)
    assert "server_identifiers" not in place.receipts()[-1]["out_of_reach"]


async def test_another_schema_is_refused_told_and_counted(place: Place) -> None:
    filled = await place.fill(2)
    await place.follow(filled)
    place.plant("UPDATE schema_version SET version = 95")
    try:
        receipt = (await place.erased(filled))[-1]
    finally:
        place.plant("UPDATE schema_version SET version = 94")
    reasons = {left["name"]: left["why"] for left in receipt["residue"]}
    assert {table for table, why in reasons.items() if why == "schema_not_reviewed"} >= LEFT_BY_SYNAPSE - {
        "event_reports",  # deleted through Synapse's own API
        "room_alias_servers",  # the alias is not known: Synapse's tables were not read
    }
    assert "server_identifiers" in receipt["out_of_reach"]
    assert "erasure.schema" in await place.incidents.current()
    assert any("95" in incident.text for incident in await place.incidents.unposted())
    other = await place.fill(1)
    await place.follow(other)
    await place.erased(other)
    assert "erasure.schema" not in await place.incidents.current()


async def test_a_room_that_lives_is_not_cleaned(place: Place) -> None:
    filled = await place.fill(1)
    its = {leftover.table for leftover in LEFTOVERS} | {"media"}  # all else goes on changing: the room lives

    def held() -> dict[str, int]:
        return {table: count for table, count in place.scan(filled.known_by).items() if table in its}

    before = held()
    assert before
    client = Client(place.config.socket("cleaner"), "salles")
    with pytest.raises(Refused, match=r"room\.lives"):
        await client.call("clean", room=filled.room)
    assert held() == before
    with pytest.raises(Refused, match="verb_unknown"):
        await Client(place.config.socket("cleaner"), "annuaire").call("clean", room=filled.room)


async def test_copies_of_other_servers_files_go(place: Place) -> None:
    filled = await place.fill(1)
    media = place.server.folder / "media"
    for folder in ("remote_content", "remote_thumbnail"):
        (media / folder / "far.test/ab/cd").mkdir(parents=True, exist_ok=True)
    (media / "remote_content/far.test/ab/cd/efghijklmnop").write_bytes(b"x")
    (media / "remote_thumbnail/far.test/ab/cd/efghijklmnop").mkdir()
    (media / "remote_thumbnail/far.test/ab/cd/efghijklmnop/32-32-image-png").write_bytes(b"x")
    (media / "remote_content/far.test/ab/cd/another").write_bytes(b"x")
    place.plant(
        "INSERT INTO remote_media_cache (media_origin, media_id, media_type, created_ts, upload_name, media_length, "
        "filesystem_id, last_access_ts) VALUES ('far.test', 'QqQqQqQqQqQqQqQqQqQqQqQq', 'x', 1, 'x', 1, "
        "'abcdefghijklmnop', 1), ('far.test', 'RrRrRrRrRrRrRrRrRrRrRrRr', 'x', 1, 'x', 1, 'abcdanother', 1)"
    )
    await place.patients.heard(filled.room, filled.events[0], readable=True, files=(REMOTE,))  # type: ignore[arg-type]
    await place.follow(filled)
    receipt = (await place.erased(filled))[-1]
    assert {"name": "kept_files", "count": 1, "why": "on_another_server"} in receipt["residue"]
    assert place.scan(["QqQqQqQqQqQqQqQqQqQqQqQq", "abcdefghijklmnop"]) == {}
    assert not (media / "remote_thumbnail/far.test/ab/cd/efghijklmnop").exists()
    assert place.scan(["RrRrRrRrRrRrRrRrRrRrRrRr"]) == {"remote_media_cache": 1}
    assert (media / "remote_content/far.test/ab/cd/another").exists()


REMOTE = "mxc://far.test/QqQqQqQqQqQqQqQqQqQqQqQq"


async def test_the_deleting_role_touches_no_other_table(place: Place) -> None:
    own = place.config.salles.cleaner
    assert own is not None
    listed = {leftover.table for leftover in LEFTOVERS}
    reader = open_db(own.reader)
    cleaner = open_db(own.database, deletes=True)
    others = [table.name for table in reader.tables() if table.name not in listed]
    assert len(others) > 80
    for table in others:
        with pytest.raises(Inconsistent):
            cleaner.delete(Leftover(table, Key.ROOM, "{id} = 'x'"), ["x"])
    for table in listed:
        assert cleaner.delete(Leftover(table, Key.ROOM, "{id} = 'x'"), ["y"]) == 0
    for account in (reader, cleaner):
        for statement in ("UPDATE users SET admin = 1", "CREATE TABLE mine (x TEXT)", "INSERT INTO threads VALUES (1)"):
            with pytest.raises(Exception, match=r"refuses|right|can't be used"):
                account.select(statement)
        account.close()


async def test_a_table_that_the_reader_may_not_see_is_told(place: Place) -> None:
    filled = await place.fill(1)
    place.plant("CREATE TABLE hidden (x TEXT)")
    await place.follow(filled)
    receipt = (await place.erased(filled))[-1]
    place.plant("DROP TABLE hidden")
    unseen = [left["name"] for left in receipt["residue"] if left["why"] == "not_readable"]
    assert unseen == (["hidden"] if place.database.startswith("postgres") else [])  # SQLite has no roles


async def test_without_a_helper_the_receipt_says_so(place: Place) -> None:
    filled = await place.fill(1)
    assert place.scan(filled.known_by)["event_reports"] == 1
    await place.follow(filled)
    receipt = (await place.erased(filled, by=place.alone))[-1]
    assert "server_identifiers" in receipt["out_of_reach"]
    assert receipt["residue"] == []
    left = set(place.scan(filled.known_by))
    assert {"threads", "device_inbox"} <= left
    assert "event_reports" not in left, "what people wrote goes through Synapse's own API"


@pytest.mark.parametrize("step", ["delete", "files", "verify", "receipt", "forget"])
async def test_a_job_of_the_version_before_goes_on(place: Place, step: str) -> None:
    filled = await place.fill(1)
    await place.follow(filled)
    receipts = len(place.receipts())
    if step != "delete":
        while (row := await place.row(filled.room)) is not None and row.step == "delete":
            with contextlib.suppress(HomeRefused):  # asked again before Synapse has begun
                await place.alone._delete(row)
            await asyncio.sleep(0.1)
        if step == "forget":
            row = await place.row(filled.room)
            assert row is not None
            await place.alone._receipt(row)
        await place.jobs.at_step(filled.room, step)
    await place.erased(filled)
    assert len(place.receipts()) == receipts + 1
    looked = "server_identifiers" not in place.receipts()[-1]["out_of_reach"]
    assert looked == (step == "delete"), "what was not noted in time is not proven"
    if step in {"files", "verify"}:
        # The room's own id is enough for all but the alias, which nobody noted.
        assert set(place.scan(filled.known_by)) <= {*EXPECTED, "room_alias_servers"}


async def test_a_file_is_asked_for_by_an_account_and_by_nobody(place: Place) -> None:
    mxc, admin = place.upload(), SynapseAdmin(place.session, place.server.url, place.admin_token)
    assert await place.home.api.download(mxc) == await place.home.api.download_as_nobody(mxc)
    assert await still_served(place.home.api, mxc)
    await admin.delete_media(mxc)
    for ask in (place.home.api.download, place.home.api.download_as_nobody):
        with pytest.raises(HomeRefused):
            await ask(mxc)
    assert not await still_served(place.home.api, mxc)
