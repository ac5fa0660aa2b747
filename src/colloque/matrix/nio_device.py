"""Opens an account's device: the store that may still be used or a new device, its keys on the server, its signature.

A lost or restored store, or a server that forgot the device, brings a new device of the same identity; the identity
itself is derived from a secret file and is never reset.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from colloque import logs
from colloque.errors import HomeRefused, Inconsistent
from colloque.identity import UserId, localpart
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.matrix.crosssign import Identity, ensure_identity
from colloque.matrix.devicemark import DeviceMark, new_device_id
from colloque.matrix.nio_keys import Keys
from colloque.matrix.nio_machine import Machine
from colloque.matrix.nio_store import CryptoStore, drop_store, stored_generation

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Device:
    """A device ready to read and write."""

    user: UserId
    api: MatrixApi
    store: CryptoStore
    machine: Machine
    keys: Keys


@dataclass(frozen=True, slots=True)
class Account:
    """Whose device, and where its secrets are kept."""

    session: aiohttp.ClientSession
    base_url: str
    user: UserId
    token: str
    state_dir: Path
    pickle_key: str


async def open_bot_device(account: Account, mark: DeviceMark, identity: Identity) -> Device:
    """The device of an appservice's bot: registered, created, signed; the bot's other devices are deleted.

    Raises Inconsistent (another identity on the server; the pickle secret is wrong), HomeUnavailable, HomeRefused.
    """
    await _register(account)
    as_user = MatrixApi(account.session, account.base_url, account.token, user=account.user)
    found = stored_generation(account.state_dir)
    if found is None or not mark.trusts(found):
        return await _new_bot_device(account, as_user, mark, identity)
    await as_user.call("PUT", path(CLIENT, "devices", found.device), {"display_name": "Colloque"})
    device = _load(account, found.device, mark, as_user)
    try:
        if await _server_knows(device):
            await ensure_identity(device.api, identity, found.device, fingerprint=device.machine.fingerprint)
            await _delete_others(device)
            return device
    except BaseException:
        device.store.close()
        raise
    device.store.close()
    logs.event(logger, "device.forgotten_by_server", level=logging.WARNING)
    return await _new_bot_device(account, as_user, mark, identity)


async def open_person_device(account: Account, device_id: str, identity: Identity | None) -> Device:
    """The device of somebody who logged in by password. Without `identity` it is not signed."""
    found = stored_generation(account.state_dir)
    if found is None or found.device != device_id:
        drop_store(account.state_dir)
    api = MatrixApi(account.session, account.base_url, account.token)
    device = _load(account, device_id, DeviceMark(account.state_dir / "mark.json"), api)
    try:
        await device.keys.publish(0, fallback=True)
        if identity is not None:
            await ensure_identity(api, identity, device_id, fingerprint=device.machine.fingerprint)
    except BaseException:
        device.store.close()
        raise
    return device


async def _new_bot_device(account: Account, as_user: MatrixApi, mark: DeviceMark, identity: Identity) -> Device:
    drop_store(account.state_dir)
    device_id = new_device_id()
    await as_user.call("PUT", path(CLIENT, "devices", device_id), {"display_name": "Colloque"})
    device = _load(account, device_id, mark, as_user)
    try:
        await device.keys.publish(0, fallback=True)
        await ensure_identity(device.api, identity, device_id, fingerprint=device.machine.fingerprint)
        await _delete_others(device)
    except BaseException:
        device.store.close()
        raise
    logs.event(logger, "device.new")
    return device


def _load(account: Account, device_id: str, mark: DeviceMark, api: MatrixApi) -> Device:
    if api.user is not None:
        api = MatrixApi(account.session, account.base_url, account.token, user=api.user, device=device_id)
    store = CryptoStore(account.state_dir, account.user, device_id, account.pickle_key, mark)
    try:
        with store.change():
            machine = Machine(account.user, store)
    except BaseException:
        store.close()
        raise
    return Device(account.user, api, store, machine, Keys(api, machine, store))


async def _register(account: Account) -> None:
    body = {"type": "m.login.application_service", "username": localpart(account.user), "inhibit_login": True}
    api = MatrixApi(account.session, account.base_url, account.token)
    try:
        await api.call("POST", path(CLIENT, "register"), body)
    except HomeRefused as error:
        if error.errcode != "M_USER_IN_USE":
            raise


async def _server_knows(device: Device) -> bool:
    """Whether the server has our keys; publishes them first when a crash came before that."""
    if not device.machine.account.shared:
        await device.keys.publish(0, fallback=True)
    body: JsonDict = {"device_keys": {device.user: []}}
    answer = await device.api.call("POST", path(CLIENT, "keys", "query"), body)
    name = device.store.device_id
    keys = answer.get("device_keys", {}).get(device.user, {}).get(name, {}).get("keys", {})
    return bool(keys.get(f"ed25519:{name}") == device.machine.fingerprint)


async def _delete_others(device: Device) -> None:
    """A bot has one device: older ones belong to stores that were lost or restored."""
    answer = await device.api.call("GET", path(CLIENT, "devices"))
    ids = [str(found["device_id"]) for found in answer["devices"]]
    if device.store.device_id not in ids:
        raise Inconsistent("the server does not list our device")
    for old in ids:
        if old != device.store.device_id:
            await device.api.call("DELETE", path(CLIENT, "devices", old), {})
