"""A patient room is archived, then erased, with every service as a process: a tap, a delivery and time, a reason."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import pytest

from colloque.errors import HomeRefused
from colloque.identity import MxcUri
from colloque.matrix.home import Incoming
from colloque.rooms.keeping import Proof
from colloque.rooms.leftovers import EXPECTED
from tests.pdfa import faults, text_of
from tests.servers.patient_ward import Ward, a_ward
from tests.waiting import until


@pytest.fixture(scope="module")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    async with a_ward(tmp_path_factory.mktemp("ward")) as ward:
        yield ward


async def test_an_opposition_closes_the_room_which_is_archived_then_erased_on_a_tap(ward: Ward) -> None:
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    since = len(ward.colleague.heard)
    data = secrets.token_bytes(3000)
    share = await ward.author.home.upload_encrypted(data, "photo de plaie.jpg", "image/jpeg")
    await ward.author.send(room, share)
    await ward.colleague.ask(room, "!patient copie", "the copy's answer")
    _, copy = await ward.colleague.hear(
        lambda m: m.room == ward.other_home and m.msgtype == "m.file", "the copy", since=since
    )
    picture = await ward.author.home.state(room, "m.room.avatar")
    assert picture is not None
    await ward.colleague.say(room, "!patient opposition")
    await ward.says(ward.author, "opposition du patient", room=room)
    await ward.says(ward.author, "Salon fermé", room=room)
    with pytest.raises(HomeRefused):
        await ward.author.say(room, "encore")
    sent = await ward.says(ward.author, "partent vers", room=ward.home)
    (mail,) = await until(ward.archives, "the archive in the mailbox")
    files = {part.get_filename(): part.get_payload(decode=True) for part in mail.iter_attachments()}
    assert files.pop("photo de plaie.jpg") == data
    (pdf,) = files.values()
    assert isinstance(pdf, bytes)
    assert faults(pdf) == []
    assert hashlib.sha256(data).hexdigest() in text_of(pdf)
    assert "opposition" in text_of(pdf)
    assert await ward.lives(room)
    await ward.files(sent)
    receipt = await ward.erased(sent)
    with pytest.raises(HomeRefused):
        await ward.colleague.home.download(copy.content)
    for mxc in (picture["url"], share["file"]["url"]):
        with pytest.raises(HomeRefused):
            await ward.author.api.download(MxcUri(mxc))
    assert receipt["archived"] == Proof.FILED
    assert {left["why"] for left in receipt["residue"]} <= {*EXPECTED.values()}
    assert "server_identifiers" not in receipt["out_of_reach"]
    assert "plaie" not in "".join(h.body for _, h in ward.author.heard if isinstance(h, Incoming) and h.room != room)


async def test_a_referent_who_says_nothing_has_the_time_to(ward: Ward) -> None:
    """The operator's delivery report, a reminder, and days that are seconds here: then the room may be erased."""
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    since = len(ward.author.heard)
    await ward.colleague.say(room, "vu ce matin")
    await ward.author.say(room, "!patient terminer")
    sent = await ward.says(ward.author, "partent vers", room=ward.home, since=since)
    await ward.says(ward.author, "sont-ils classés", room=ward.home, since=since)
    assert await ward.lives(room)
    assert (await ward.erased(sent))["archived"] == Proof.DELIVERED
    shown = [m.body for _, m in ward.author.heard if isinstance(m, Incoming) and m.room != ward.home]
    assert not any("à classer" in body for body in shown), "an archive is not for Matrix"
    bridge = sqlite3.connect(ward.house.config.mssante.database.removeprefix("sqlite:"))
    with closing(bridge):
        rows = bridge.execute("SELECT raw, state FROM outbox WHERE caller = 'salles'").fetchall()
    assert rows
    assert all(raw is None for raw, _ in rows), "the bridge keeps none of the words"


async def test_nothing_leaves_where_nothing_is_to_be_kept(ward: Ward) -> None:
    mails = len(await ward.archives())
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    since = len(ward.author.heard)
    await ward.author.say(room, "pardon, mauvais salon")
    await ward.author.say(room, "!patient terminer")
    announced = await ward.says(ward.author, "ne rien garder", room=ward.home, since=since)
    await ward.tap(ward.author, announced, "🚫")
    why = await ward.says(ward.author, "pourquoi ne rien garder", room=ward.home, since=since)
    await ward.tap(ward.author, why, "3️⃣")
    assert (await ward.erased(announced))["archived"] == Proof.MISTAKE
    assert len(await ward.archives()) == mails
