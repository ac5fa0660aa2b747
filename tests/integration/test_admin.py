"""The admin calls on a real Synapse."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import aiohttp
import pytest

from colloque.errors import HomeRefused
from colloque.identity import MxcUri, RoomId, UserId
from colloque.matrix import admin
from colloque.matrix.admin import Deletion, SynapseAdmin
from colloque.matrix.api import CLIENT, MatrixApi, path
from colloque_demo.homeserver import Homeserver
from tests.waiting import until


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def account(synapse: Homeserver, *, is_admin: bool = False) -> tuple[UserId, str]:
    name = f"u{secrets.token_hex(4)}"
    token = synapse.register(name, secrets.token_urlsafe(), admin=is_admin)
    return UserId(f"@{name}:{synapse.server_name}"), token


async def test_accounts(synapse: Homeserver, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    me, token = account(synapse, is_admin=True)
    calls = SynapseAdmin(session, synapse.url, token)
    made = {account(synapse)[0] for _ in range(5)}
    monkeypatch.setattr(admin, "_PAGE", 2)
    listed = [a async for a in calls.users()]
    assert len({a.user for a in listed}) == len(listed)
    assert made <= {a.user for a in listed if not a.admin}
    assert me in {a.user for a in listed if a.admin}
    someone = made.pop()
    await calls.set_display_name(someone, "Dr Camille Périer")
    assert await calls.display_name(someone) == "Dr Camille Périer"
    assert len(await calls.sessions(someone)) == 1
    nobody = UserId(f"@nobody:{synapse.server_name}")
    with pytest.raises(HomeRefused):
        await calls.set_display_name(nobody, "x")
    assert nobody not in {a.user async for a in calls.users()}


async def test_a_person_is_refused(synapse: Homeserver, session: aiohttp.ClientSession) -> None:
    user, token = account(synapse)
    with pytest.raises(HomeRefused) as error:
        await SynapseAdmin(session, synapse.url, token).set_display_name(user, "x")
    assert error.value.status == 403


async def test_a_room_and_its_media_end(synapse: Homeserver, session: aiohttp.ClientSession) -> None:
    calls = SynapseAdmin(session, synapse.url, account(synapse, is_admin=True)[1])
    owner, token = account(synapse)
    api = MatrixApi(session, synapse.url, token)
    room = RoomId((await api.call("POST", path(CLIENT, "createRoom"), {}))["room_id"])
    media = await api.upload(secrets.token_bytes(3000))
    kept = await api.upload(b"kept")
    details = await calls.room(room)
    assert details is not None
    assert details["joined_members"] == 1
    guest, _ = account(synapse)
    await api.call("POST", path(CLIENT, "rooms", room, "invite"), {"user_id": guest})
    assert await calls.memberships(room) == {owner: "join", guest: "invite"}
    assert await calls.memberships(RoomId("!unknown")) == {}
    assert await calls.deletions(room) == {}
    assert await calls.deletion("unknown") is None
    delete_id = await calls.delete_room(room)

    async def done() -> bool:
        return await calls.deletion(delete_id) is Deletion.COMPLETE

    await until(done, "the deletion")
    assert await calls.deletions(room) == {delete_id: Deletion.COMPLETE}
    assert await calls.room(room) is None
    assert await calls.media_uploader(media) == owner
    await calls.delete_media(media)
    await calls.delete_media(media)
    assert await calls.media_uploader(media) is None
    assert await calls.media_uploader(kept) == owner
    assert await api.download(kept) == b"kept"
    with pytest.raises(HomeRefused) as gone:
        await api.download(media)
    assert gone.value.status == 404


@pytest.mark.parametrize("address", ["mxc://only", "https://x/y", "mxc://a/b/c", "mxc:///b/", ""])
async def test_what_is_no_media_address_reaches_no_server(session: aiohttp.ClientSession, address: str) -> None:
    with pytest.raises(HomeRefused):
        await SynapseAdmin(session, "http://nowhere.invalid", "x").delete_media(MxcUri(address))


async def test_accounts_are_made_locked_and_signed_out(synapse: Homeserver, session: aiohttp.ClientSession) -> None:
    calls = SynapseAdmin(session, synapse.url, account(synapse, is_admin=True)[1])
    made = UserId(f"@made{secrets.token_hex(4)}:{synapse.server_name}")
    assert not await calls.exists(made)
    for _ in range(2):
        await calls.create(made, "Zoé DURAND")
    assert await calls.exists(made)
    assert await calls.display_name(made) == "Zoé DURAND"
    assert await calls.sessions(made) == ()
    nobody = UserId(f"@nobody:{synapse.server_name}")
    for call in (calls.lock(nobody, locked=True), calls.sessions(nobody)):
        with pytest.raises(HomeRefused) as error:
            await call
        assert error.value.status == 404
    name, password = f"u{secrets.token_hex(4)}", secrets.token_urlsafe()
    synapse.register(name, password)
    user = UserId(f"@{name}:{synapse.server_name}")
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": password}
    logged_in = synapse.call("POST", f"{CLIENT}/login", body | {"initial_device_display_name": "Téléphone"})
    theirs = MatrixApi(session, synapse.url, logged_in["access_token"])
    await theirs.call("GET", path(CLIENT, "account", "whoami"))
    found = await calls.sessions(user)
    assert len(found) == 2, "the registration's session, and this one"
    assert "Téléphone" in {s.name for s in found}
    await calls.lock(user, locked=True)
    with pytest.raises(RuntimeError):
        synapse.call("POST", f"{CLIENT}/login", body)
    with pytest.raises(HomeRefused):
        await theirs.call("GET", path(CLIENT, "account", "whoami"))
    await calls.close_sessions(user, [s.device for s in found])
    await calls.close_sessions(user, ["UNKNOWN"])
    await calls.lock(user, locked=False)
    assert await calls.sessions(user) == ()
    with pytest.raises(HomeRefused):
        await theirs.call("GET", path(CLIENT, "account", "whoami"))
    synapse.call("POST", f"{CLIENT}/login", body)

    async def used() -> bool:
        return any(a.user == user and a.last_seen and a.created for a in [a async for a in calls.users()])

    await until(used, "when the account was last used")


def test_nothing_else_can_be_called() -> None:
    public = {name for name in vars(SynapseAdmin) if not name.startswith("_")}
    assert public == {
        "close_sessions", "create", "delete_media", "delete_report", "delete_room", "deletion", "deletions",
        "display_name", "exists", "lock", "media_uploader", "memberships", "reports",
        "room", "rooms_of", "sessions", "set_display_name", "state", "stored_event", "users",
    }  # fmt: skip
