"""The scenario's own clients, judged by an independent one: what they say is trusted, their recovery key works."""

from pathlib import Path

import aiohttp
import pytest

from colloque.identity import MssanteAddress, Rpps, UserId, luhn_key
from colloque.matrix.api import CLIENT, path
from colloque.professional import Professional
from colloque_demo.clinician import Clinician, NotHeld
from colloque_demo.homeserver import Homeserver
from colloque_demo.people import Person
from colloque_demo.settings import password
from tests.conftest import JsFactory


def person(synapse: Homeserver, name: str) -> Person:
    rpps = Rpps("8990000000" + luhn_key("8990000000"))
    someone = Person(Professional(rpps, "MARTIN", "Anne"), MssanteAddress.parse("anne@x.mssante.test"), "")
    someone.user, someone.password = UserId(f"@{name}:{synapse.server_name}"), password()
    synapse.register(name, someone.password)
    return someone


async def test_the_recovery_key_verifies_another_session(synapse: Homeserver, tmp: Path, js: JsFactory):
    anne = person(synapse, "anne-recovery")
    async with aiohttp.ClientSession() as session:
        client = await Clinician.login(session, synapse.url, anne, tmp)
        try:
            phone = await js(synapse.url, anne.account, anne.password, verified=False)
            restored = await phone.call("restore", recoveryKey=anne.recovery_key)
            assert restored == {"ready": True}
            status = await phone.call("status", user=anne.account)
            own = (await client.call("GET", path(CLIENT, "account", "whoami")))["device_id"]
            assert status["devices"] == {own: True, phone.device: True}
        finally:
            await client.close()


async def test_both_ways_with_a_client_that_trusts_signed_devices_only(synapse: Homeserver, tmp: Path, js: JsFactory):
    anne, bruno = person(synapse, "anne-talks"), person(synapse, "bruno-talks")
    phone = await js(synapse.url, bruno.account, bruno.password)
    async with aiohttp.ClientSession() as session:
        client = await Clinician.login(session, synapse.url, anne, tmp)
        try:
            body = {"preset": "private_chat", "invite": [bruno.account]}
            room = (await client.call("POST", path(CLIENT, "createRoom"), body))["room_id"]
            await client.say(room, "Bonjour")
            assert await phone.invitation() == room
            await phone.call("join", room=room)
            heard = await phone.message(room, anne.account, "Bonjour")
            assert heard["shield"] == "NONE"
            asked = await phone.call("reply", room=room, event=heard["id"], text="Bonsoir")
            _, answer = await client.hear(lambda m: m.event == asked["id"], "the answer")
            assert (answer.body, answer.reply_to, answer.device_signed) == ("Bonsoir", heard["id"], True)
            with pytest.raises(NotHeld, match="a second answer"):
                await client.hear(
                    lambda m: m.reply_to == heard["id"] and m.event != asked["id"], "a second answer", timeout_s=0.5
                )
        finally:
            await client.close()
