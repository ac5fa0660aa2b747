"""The policy module in a real Synapse, attacked through plain HTTP."""

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

from colloque.files import write_private
from colloque.matrix.home import ROOM_MARK, RoomKind
from tests.conftest import check_own, own_homeserver
from tests.servers.house import Account, House
from tests.waiting import until


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="clq-mod-", dir="/tmp") as folder:
        made = House(Path(folder), own_homeserver(Path(folder) / "hs"))
        made.configure()
        await asyncio.to_thread(made.server.start)
        try:
            await asyncio.to_thread(check_own, made.server)
            await made.listen()
            yield made
        finally:
            await made.stop_listening()
            await asyncio.to_thread(made.server.stop)


async def reported(house: House, act: str, actor: Account, other: Account | None, reason: str) -> None:
    """Wait for the report of one refusal: within 5 s, in the agreed shape."""
    wanted = {"actor": actor.user, "other": other.user if other else "", "act": act, "reason": reason}

    async def seen() -> bool:
        return wanted in house.acts

    await until(seen, f"report of {act} {reason}", within=5)


async def joined(room: str, by: Account, who: Account) -> None:
    async def there() -> bool:
        return await by.membership(room, who) == "join"

    await until(there, "joined without having to accept", within=5)


# Who may do what


async def test_unverified_can_not_create_a_room_and_is_told_why(house: House) -> None:
    house.attest()
    nobody = await house.account()
    said = await nobody.create()
    assert (said.status, said.body["errcode"], said.code) == (403, "M_FORBIDDEN", "actor_unverified")
    await reported(house, "create_room", nobody, None, "actor_unverified")


async def test_unverified_can_not_invite_nor_be_invited(house: House) -> None:
    nobody, verified = await house.account(), await house.account()
    house.attest(verified, nobody)
    own = (await nobody.create()).body["room_id"]
    theirs = (await verified.create()).body["room_id"]
    house.attest(verified)
    assert (await nobody.invite(own, verified)).code == "actor_unverified"
    await reported(house, "invite", nobody, verified, "actor_unverified")
    assert (await verified.invite(theirs, nobody)).code == "other_unverified"
    await reported(house, "invite", verified, nobody, "other_unverified")
    assert await verified.membership(theirs, nobody) == "none"


async def test_unverified_invitee_of_a_new_room_stops_the_room(house: House) -> None:
    nobody, verified, friend = await house.account(), await house.account(), await house.account()
    house.attest(verified, friend)
    said = await verified.create(invite=[friend.user, nobody.user])
    assert (said.status, said.code) == (403, "other_unverified")
    await reported(house, "create_room", verified, nobody, "other_unverified")
    rooms = await verified.call("GET", "/joined_rooms")
    assert rooms.body["joined_rooms"] == []


async def test_unverified_can_not_be_slipped_in_through_initial_state(house: House) -> None:
    nobody, verified = await house.account(), await house.account()
    house.attest(verified)
    member = {"type": "m.room.member", "state_key": nobody.user, "content": {"membership": "invite"}}
    said = await verified.create(initial_state=[member])
    assert (said.status, said.code) == (403, "other_unverified")


async def test_verified_people_create_invite_and_join(house: House) -> None:
    one, two = await house.account(), await house.account()
    house.attest(one, two)
    room = (await one.create()).body["room_id"]
    assert (await one.invite(room, two)).status == 200
    assert await one.membership(room, two) == "invite", "only our bots' invitations are accepted for people"
    assert (await two.join(room)).status == 200


async def test_a_room_is_encrypted_whatever_was_asked(house: House) -> None:
    one = await house.account()
    house.attest(one)
    room = (await one.create()).body["room_id"]
    said = await one.call("GET", f"/rooms/{room}/state/m.room.encryption")
    assert said.body == {"algorithm": "m.megolm.v1.aes-sha2"}
    none = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "none"}}
    assert (await one.create(initial_state=[none])).code == "room_public"
    beside = none | {"state_key": "x"}
    room = (await one.create(initial_state=[beside])).body["room_id"]
    said = await one.call("GET", f"/rooms/{room}/state/m.room.encryption")
    assert said.body == {"algorithm": "m.megolm.v1.aes-sha2"}


@pytest.mark.parametrize(
    "body",
    [
        {"visibility": "public"},
        {"preset": "public_chat"},
        {"initial_state": [{"type": "m.room.join_rules", "content": {"join_rule": "public"}}]},
        {"initial_state": [{"type": "m.room.history_visibility", "content": {"history_visibility": "world_readable"}}]},
        {"initial_state": [{"type": "m.room.guest_access", "content": {"guest_access": "can_join"}}]},
    ],
)
async def test_no_room_is_open(house: House, body: dict[str, object]) -> None:
    one = await house.account()
    house.attest(one)
    assert (await one.create(**body)).code == "room_public"


async def test_no_invitation_by_mail_address(house: House) -> None:
    one = await house.account()
    house.attest(one)
    party = {"medium": "email", "address": "a@b.example", "id_server": "id.invalid", "id_access_token": "x"}
    assert (await one.create(invite_3pid=[party])).code == "third_party"
    await reported(house, "create_room", one, None, "third_party")
    room = (await one.create()).body["room_id"]
    said = await one.call("POST", f"/rooms/{room}/invite", party)
    assert (said.status, said.body["errcode"]) == (403, "M_FORBIDDEN"), "refused before any identity server is asked"


async def test_nobody_from_elsewhere(house: House) -> None:
    one = await house.account()
    house.attest(one)
    room = (await one.create()).body["room_id"]
    said = await one.call("POST", f"/rooms/{room}/invite", {"user_id": "@x:elsewhere.example"})
    assert (said.status, said.code) == (403, "remote")


async def test_unverified_can_not_join_what_was_opened_later(house: House) -> None:
    nobody, one = await house.account(), await house.account()
    house.attest(one)
    room = (await one.create()).body["room_id"]
    opened = await one.call("PUT", f"/rooms/{room}/state/m.room.join_rules", {"join_rule": "public"})
    assert opened.status == 200
    assert (await nobody.join(room)).code == "actor_unverified"
    await reported(house, "join", nobody, None, "actor_unverified")


async def test_an_expired_attestation_counts_for_nothing(house: House) -> None:
    one = await house.account()
    house.attest(one, days=-0.5)
    assert (await one.create()).code == "actor_unverified"


async def test_a_server_administrator_creates_no_room(house: House) -> None:
    root = await house.account(admin=True)
    house.attest()
    assert (await root.create()).code == "actor_unverified"


async def test_staff_has_the_admin_room_and_nothing_else(house: House) -> None:
    staff, verified, bot = await house.account(house.staff), await house.account(), await house.bot("annuaire")
    house.attest(verified)
    assert (await staff.create()).code == "actor_staff"
    theirs = (await verified.create()).body["room_id"]
    assert (await verified.invite(theirs, staff)).code == "other_staff"
    patient = await bot.marked_room(RoomKind.PATIENT, owner=staff.user)
    assert (await bot.invite(patient, staff)).code == "other_staff"
    admin = await bot.marked_room(RoomKind.ADMIN, invite=(staff,))
    await joined(admin, bot, staff)


async def test_the_user_directory_shows_only_verified_people(house: House) -> None:
    name = f"dir{secrets.token_hex(3)}"
    seeker, verified = await house.account(), await house.account(f"{name}v")
    hidden = await house.account(f"{name}h")
    house.attest(seeker, verified, hidden)
    # The directory shows people one shares a room with.
    room = (await seeker.create(invite=[verified.user, hidden.user])).body["room_id"]
    assert (await verified.join(room)).status == (await hidden.join(room)).status == 200

    async def found() -> set[str]:
        said = await seeker.call("POST", "/user_directory/search", {"search_term": name})
        return {entry["user_id"] for entry in said.body["results"]}

    async def both() -> bool:
        return await found() == {verified.user, hidden.user}

    await until(both, "both in the directory", within=10)
    house.attest(seeker, verified)
    assert await found() == {verified.user}


async def test_what_can_not_be_judged_is_refused_and_leaves_no_id_in_the_log(house: House) -> None:
    one = await house.account()
    house.attest(one)
    said = await one.create(initial_state=[{"type": "a"}])
    assert (said.status, said.code) == (403, "internal")
    await reported(house, "create_room", one, None, "internal")
    log = (house.folder / "hs" / "synapse.log").read_text()
    (line,) = [line for line in log.splitlines() if "colloque.decision_failed" in line]
    assert "act=create_room error=KeyError" in line
    assert one.user not in line


# The snapshot


async def test_a_replaced_snapshot_counts_at_once_and_a_damaged_one_not_at_all(house: House) -> None:
    one = await house.account()
    file = house.folder / "snapshot"
    house.attest()
    assert (await one.create()).status == 403
    house.attest(one)
    assert (await one.create()).status == 200
    mac, _, body = house.encoded().partition(b"\n")
    write_private(file, mac[::-1] + b"\n" + body)
    assert (await one.create()).status == 200, "the last good one stays in force"
    write_private(file, house.encoded())
    file.chmod(0o644)
    assert (await one.create()).status == 200, "a snapshot that others could have read or written is not taken"
    file.unlink()
    assert (await one.create()).status == 200
    house.attest()
    assert (await one.create()).status == 403


async def test_an_old_snapshot_does_not_come_back(house: House) -> None:
    one = await house.account()
    old = house.encoded(one)
    house.attest()
    assert (await one.create()).status == 403
    write_private(house.folder / "snapshot", old)
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
    deployed = YAML(typ="safe").load(Path("deploy/homeserver.d/colloque.yaml"))
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
