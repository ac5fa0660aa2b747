"""The bridge, Synapse and the operator killed; keys lost; a mailbox shut: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
from contextlib import closing

from colloque.files import write_private
from colloque.identity import EventId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming
from colloque_mssante.texts import mails as texts
from tests.servers.bridge_house import House
from tests.waiting import until


async def test_killed_at_any_moment_nothing_is_lost_or_doubled(house: House) -> None:
    asked: dict[str, str] = {}
    for number in range(4):
        mark = f"coup {number} {secrets.token_hex(4)}"
        asked[mark] = await house.write(f"Coupure {number}", mark)
        await asyncio.sleep(0.15 * number)  # the moment of the kill, not a wait for anything
        house.bridge.kill()
        house.bridge.start()
    replies = {}
    for mark in asked:
        shown = await house.mail(mark)
        replies[mark] = await house.author.say(shown.room, f"Réponse à {mark}", reply_to=shown.event)
        await asyncio.sleep(0.1 * len(replies))
        house.bridge.kill()
        house.bridge.start()
    for mark, reply in replies.items():

        async def ended(mark: str = mark, reply: EventId = reply) -> tuple[int, str] | None:
            """How many answers came, and what is known of them: settled, or (killed just before its text) in doubt."""
            state = _state(house, reply)  # before the count: what is known to have left is in the mailbox
            count = len(await house.answers_to(asked[mark]))
            return (count, state) if state in {"sent", "delivered"} or (not count and state == "doubtful") else None

        count, state = await until(ended, f"an end of {mark}")
        assert len(house.shown(mark)) == 1
        if state != "doubtful":
            assert count == 1
            assert await house.sign(reply) in {texts.SENT, texts.DELIVERED}
    assert await house.verified_journal()


def _state(house: House, reply: EventId) -> str:
    """What became of the mail that a message left in; empty while it is none."""
    with closing(sqlite3.connect(house.layout.state("mssante") / "mssante.db")) as db:
        row = db.execute("SELECT state FROM outbox WHERE event_id = ?", (reply,)).fetchone()
    return row[0] if row else ""


async def test_synapse_and_the_operator_killed(house: House) -> None:
    asked = {}
    for number, program in enumerate((house.kill_synapse, house.kill_operator)):
        mark = f"autour {number} {secrets.token_hex(4)}"
        asked[mark] = await house.write("Autour", mark)
        await program()
        shown = await house.mail(mark)
        reply = await house.author.say(shown.room, f"Réponse à {mark}", reply_to=shown.event)
        await program()
        assert await house.sign(reply) in {texts.SENT, texts.DELIVERED}
        assert len(house.shown(mark)) == 1
        assert len(await house.answers_to(asked[mark])) == 1


async def test_a_refused_login_stops_and_is_told_once(house: House) -> None:
    room = await house.home_room(house.author.user)
    admin = await house.admin_room()
    known = house.layout.secret("mailboxes.yaml")
    right = known.read_text()
    wrong = json.loads(right)
    wrong[house.cast.author.address.value]["password"] = "faux"
    write_private(known, json.dumps(wrong))
    told = await house.heard_in(room, "l'opérateur refuse l'accès", ignoring_case=True)
    house.bridge.kill()
    house.bridge.start()
    await house.well()
    await house.bot_said(admin, texts.INCIDENT_LOGIN)
    write_private(known, right)
    await house.write("Retour", "La boîte est rouverte")
    await house.mail("La boîte est rouverte")
    again = [h for _, h in house.author.heard if isinstance(h, Incoming) and h.room == room and h.body == told.body]
    assert len(again) == 1


async def test_ghosts_whose_keys_were_lost_get_new_devices_of_the_same_identity(house: House) -> None:
    await house.write("Avant", "Avant la perte")
    before = await house.mail("Avant la perte")
    old = await house.author.call("POST", path(CLIENT, "keys", "query"), {"device_keys": {before.sender: []}})
    assert house.bridge.stop() == 0
    with closing(sqlite3.connect(house.config.mssante.database.removeprefix("sqlite:"))) as db, db:
        assert db.execute("DELETE FROM ghost_device").rowcount
    house.bridge.start()
    await house.write("Après", "Après la perte")
    after = await house.mail("Après la perte")
    assert after.device_signed
    assert (after.sender, after.room) == (before.sender, before.room)
    new = await house.author.call("POST", path(CLIENT, "keys", "query"), {"device_keys": {before.sender: []}})
    assert new["master_keys"] == old["master_keys"]
    assert len(new["device_keys"][before.sender]) == 1
    assert new["device_keys"] != old["device_keys"]


async def test_a_clean_stop(house: House) -> None:
    assert house.bridge.stop() == 0
    house.bridge.start()
    await house.well()
