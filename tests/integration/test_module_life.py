"""The policy module in a real Synapse: snapshots, reports, people joined at once, and what it runs on."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from colloque import signed
from colloque.book import changes_of
from colloque.files import write_private
from colloque.rooms.mark import ROOM_MARK, RoomKind
from tests.conftest import check_own, own_homeserver
from tests.servers.house import KEY, Account, House, attestation, joined, reported, running_house
from tests.waiting import until


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    async with running_house() as made:
        yield made


# The snapshot


async def test_a_change_counts_at_once(house: House) -> None:
    one = await house.account()
    house.attest()
    assert (await one.create()).status == 403
    house.attest(one)
    assert (await one.create()).status == 200
    house.attest()
    assert (await one.create()).status == 403


async def test_what_can_not_be_believed_changes_nothing(house: House) -> None:
    one = await house.account()
    house.attest(one)
    assert (await one.create()).status == 200
    changes = changes_of(house.folder / "snapshot")
    lines = changes.read_bytes().splitlines(keepends=True)
    write_private(changes, b"".join([*lines[:-1], lines[-1].replace(b"Essai", b"Autre")]))
    assert (await one.create()).status == 200, "the last good state stays in force"
    write_private(changes, b"".join(lines))
    changes.chmod(0o644)
    assert (await one.create()).status == 200, "a file that others could have read or written is not taken"
    changes.unlink()
    assert (await one.create()).status == 200
    house.attest()
    assert (await one.create()).status == 403, "the writer repairs what it finds"


async def test_an_old_snapshot_does_not_come_back(house: House) -> None:
    one = await house.account()
    changes = changes_of(house.folder / "snapshot")
    house.attest(one)
    old = signed.encode(house.whole(attestation(one.user, 1)), KEY)
    kept = changes.read_bytes()
    house.attest(await house.account())
    assert (await one.create()).status == 403
    write_private(changes, kept)
    assert (await one.create()).status == 403, "changes can't be taken back"
    write_private(house.folder / "snapshot", old)
    changes.unlink()
    assert (await one.create()).status == 403
    assert (await one.create()).status == 403


# Reports


async def test_accounts_are_reported_when_made_and_at_login(house: House) -> None:
    one = await house.account()

    async def made() -> bool:
        return one.user in house.accounts

    await until(made, "account reported", within=5)
    house.accounts.clear()
    password = secrets.token_urlsafe()
    name = f"u{secrets.token_hex(4)}"
    await asyncio.to_thread(house.server.register, name, password)
    other = Account(house, f"@{name}:{house.server.server_name}", "")  # type: ignore[arg-type]

    async def told() -> bool:
        return other.user in house.accounts

    await until(told, "account reported", within=5)
    house.accounts.clear()
    said = await other.call(
        "POST",
        "/login",
        {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": password},
    )
    assert said.status == 200
    await until(told, "login reported", within=5)


async def test_our_own_bots_are_not_reported(house: House) -> None:
    await house.bot("mssante", as_name=f"mss_{secrets.token_hex(4)}")
    marker = await house.account()

    async def made() -> bool:
        return marker.user in house.accounts

    await until(made, "the account after them reported", within=5)
    assert not [user for user in house.accounts if user.startswith("@mss")]


async def test_reports_wait_for_a_service_that_is_down(house: House) -> None:
    house.attest()
    nobody = await house.account()
    await house.stop_listening()
    for _ in range(3):
        assert (await nobody.create()).status == 403
    await house.listen()
    await reported(house, "create_room", nobody, None, "actor_unverified")
    same = [act for act in house.acts if act["actor"] == nobody.user]
    assert len(same) == 1, "what is repeated while nobody listens is told once"


# Joining at once


async def test_people_are_joined_to_their_home_room(house: House) -> None:
    nobody, bot = await house.account(), await house.bot("annuaire")
    house.attest()
    room = await bot.marked_room(RoomKind.HOME, owner=nobody.user, invite=(nobody,))
    await joined(room, bot, nobody)
    later = await bot.marked_room(RoomKind.HOME, owner=nobody.user)
    assert (await bot.invite(later, nobody)).status == 200
    await joined(later, bot, nobody)


async def test_the_owner_is_joined_to_mail_by_a_ghost(house: House) -> None:
    owner, ghost = await house.account(), await house.bot("mssante", as_name=f"mss_{secrets.token_hex(4)}")
    house.attest(owner)
    room = await ghost.marked_room(RoomKind.MAIL, owner=owner.user, invite=(owner,))
    await joined(room, ghost, owner)


async def test_of_a_patient_room_only_the_opener_is_joined(house: House) -> None:
    owner, guest, bot = await house.account(), await house.account(), await house.bot("salles")
    house.attest(owner, guest)
    room = await bot.marked_room(RoomKind.PATIENT, owner=owner.user, invite=(guest, owner))
    await joined(room, bot, owner)
    assert await bot.membership(room, guest) == "invite"


async def test_a_person_s_mark_is_not_believed(house: House) -> None:
    forger, victim = await house.account(), await house.account()
    house.attest(forger, victim)
    content = {"kind": "home", "key": "x", "owner": victim.user}
    mark = {"type": ROOM_MARK, "state_key": "", "content": content}
    room = (await forger.create(initial_state=[mark], invite=[victim.user])).body["room_id"]
    house.attest(forger)
    assert (await victim.join(room)).code == "actor_unverified", "not a home room"
    assert await forger.membership(room, victim) == "invite"


async def test_a_bot_s_invitation_to_a_person_s_marked_room_is_not_accepted(house: House) -> None:
    person, victim, bot = await house.account(), await house.account(), await house.bot("annuaire")
    house.attest(person, victim)
    mark = {"type": ROOM_MARK, "state_key": "", "content": {"kind": "home", "key": "x"}}
    body = {"initial_state": [mark], "invite": [bot.user], "power_level_content_override": {"invite": 0}}
    room = (await person.create(**body)).body["room_id"]
    assert (await bot.join(room)).status == 200
    assert (await bot.invite(room, victim)).status == 200
    # A true home room, joined afterwards, shows that the module has had its turn.
    home = await bot.marked_room(RoomKind.HOME, owner=victim.user, invite=(victim,))
    await joined(home, bot, victim)
    assert await bot.membership(room, victim) == "invite"
    house.attest(person)
    assert (await bot.invite(room, await house.account())).code == "other_unverified"


async def test_a_ghost_makes_no_home_room(house: House) -> None:
    nobody, ghost = await house.account(), await house.bot("mssante", as_name=f"mss_{secrets.token_hex(4)}")
    house.attest()
    room = await ghost.marked_room(RoomKind.HOME, owner=nobody.user)
    assert (await ghost.invite(room, nobody)).code == "other_unverified"


async def test_an_invitation_left_by_a_killed_server_is_taken_up_at_the_next_start() -> None:
    with tempfile.TemporaryDirectory(prefix="clq-kill-", dir="/tmp") as folder:
        made = House(Path(folder), own_homeserver(Path(folder) / "hs"), with_module=False)
        made.configure()
        try:
            await asyncio.to_thread(made.server.start)
            nobody, bot = await made.account(), await made.bot("annuaire")
            room = await bot.marked_room(RoomKind.HOME, owner=nobody.user, invite=(nobody,))
            assert await bot.membership(room, nobody) == "invite"
            await asyncio.to_thread(made.server.kill)
            made.with_module = True
            made.configure()
            await asyncio.to_thread(made.server.start)
            await joined(room, bot, nobody)
        finally:
            await asyncio.to_thread(made.server.stop)


# What it runs on


def test_a_wrong_configuration_stops_synapse_with_every_problem_named(tmp: Path) -> None:
    made = House(tmp, own_homeserver(tmp / "hs"))
    bad = made.module_config() | {"socket": "relative", "bots": [], "extra": 1}
    made.server.configure(modules=({"module": "colloque.synapse.module.ColloqueModule", "config": bad},))
    with pytest.raises(RuntimeError) as caught:
        made.server.start()
    for word in ("socket", "bots", "extra"):
        assert word in str(caught.value)


def test_synapse_takes_the_settings_that_operators_copy(tmp: Path) -> None:
    deployed = YAML(typ="safe").load(Path(__file__).parents[2] / "deploy" / "homeserver.d" / "colloque.yaml")
    server = own_homeserver(tmp / "hs")
    server.configure(extra={k: v for k, v in deployed.items() if k not in {"modules", "app_service_config_files"}})
    server.start()
    try:
        check_own(server)
        token = server.register("one", secrets.token_urlsafe())
        with pytest.raises(RuntimeError, match="403"):
            server.call(
                "PUT",
                f"/_matrix/client/v3/profile/@one:{server.server_name}/displayname",
                {"displayname": "Dr Quelqu'un"},
                token,
            )
    finally:
        server.stop()


def test_a_key_that_others_can_read_stops_synapse(tmp: Path) -> None:
    made = House(tmp, own_homeserver(tmp / "hs"))
    made.configure()
    (tmp / "snapshot.key").chmod(0o644)
    with pytest.raises(RuntimeError, match="mode must be 0600"):
        made.server.start()


def test_the_module_needs_nothing_but_synapse() -> None:
    """Everything it loads is Synapse's, the standard library's, or ours on the two lowest floors."""
    code = """
import sys
import synapse.module_api, synapse.module_api.errors
before = set(sys.modules)
import colloque.synapse.module
new = {name for name in set(sys.modules) - before}
foreign = {n for n in new if n.partition(".")[0] not in sys.stdlib_module_names | {"colloque"}}
assert not foreign, foreign
above = {"config", "reading", "logs", "sockets", "service", "files", "store", "matrix", "directory", "bot", "cli"}
assert not {n for n in new if n.startswith("colloque.") and n.split(".")[1] in above}, new
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", code], check=False, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
