"""A patient room with the service as a process, a real Synapse and its module: opened by taps, held, copied, erased."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from yarl import URL

from colloque.book import read_secret
from colloque.cli.main import main
from colloque.errors import HomeRefused
from colloque.identity import MxcUri
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import RoomSpec, edit, text
from colloque.rooms.mark import ADMIN_KEY, HOLD, RoomKind, RoomMark
from colloque_salles.erasing.receipts import PUBLIC_NAME
from colloque_salles.texts import archive as texts_archive
from colloque_salles.texts import rooms as texts
from tests.pdfa import faults, text_of
from tests.servers.nginx import proxy
from tests.servers.patient_ward import Ward, a_ward, link_in
from tests.waiting import until


@pytest.fixture(scope="module")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    async with a_ward(tmp_path_factory.mktemp("ward")) as ward:
        yield ward


async def test_three_taps_open_a_room(ward: Ward) -> None:
    door = await ward.says(ward.author, "touchez 🩺", room=ward.home)
    await ward.tap(ward.author, door, "🩺")
    offer = await ward.says(ward.author, "avec qui", room=ward.home)
    assert f"1️⃣ {ward.house.cast.colleague.professional.display_name}" in offer.body
    await ward.tap(ward.author, offer, "1️⃣")
    await ward.tap(ward.author, offer, "✅")
    said = await ward.says(ward.author, "ouvert avec", room=ward.home)
    room = link_in(said.body)
    await ward.colleague.membership(room, "invite", "the invitation")
    avatar = await ward.author.home.state(room, "m.room.avatar")
    assert avatar is not None
    assert (await ward.author.api.download(MxcUri(avatar["url"]))).startswith(b"\x89PNG")
    first = await ward.says(ward.author, "appelez le 15", room=room)
    await ward.tap(ward.author, first, "🤝")
    noted = await ward.says(ward.author, "consentement recueilli", room=room)
    assert ward.house.cast.author.professional.full_name.split()[-1] in noted.body


async def test_a_copy_holds_what_was_said_in_the_end(ward: Ward) -> None:
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    tag = secrets.token_hex(4)
    wrong = await ward.author.say(room, f"faux {tag}")
    await ward.author.send(room, edit(wrong, text(f"juste {tag}")))
    gone = await ward.colleague.say(room, f"retire {tag}")
    await ward.colleague.call("PUT", path(CLIENT, "rooms", room, "redact", gone, tag), {})
    data = secrets.token_bytes(2000)
    await ward.colleague.send(
        room, await ward.colleague.home.upload_encrypted(data, f"cr {tag}.bin", "application/octet-stream")
    )
    await ward.author.hear(lambda m: m.content.get("filename") == f"cr {tag}.bin", "the file")
    asked = await ward.colleague.say(room, "!patient copie")
    answered = await ward.colleague.answer(asked, "the copy")
    assert answered.body == texts_archive.COPYING
    _, shared = await ward.colleague.hear(lambda m: m.room == ward.other_home and m.msgtype == "m.file", "the PDF")
    pdf = await ward.colleague.home.download(shared.content)
    assert faults(pdf) == []
    printed = text_of(pdf)
    assert f"juste{tag}" in printed
    assert f"faux{tag}" not in printed
    assert f"retire{tag}" not in printed
    assert "messageretiréparsonauteur" in printed
    assert hashlib.sha256(data).hexdigest() in printed
    assert ward.house.cast.author.rpps.value in printed
    assert "illisibles0" in printed


async def test_a_held_room_is_neither_ended_nor_emptied(ward: Ward) -> None:
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    event = await ward.author.say(room, "à garder")
    await ward.colleague.say(room, "!patient suspendre-effacement expertise")
    await ward.says(ward.author, "a suspendu l'effacement", room=room)
    assert await ward.author.home.state(room, HOLD) is not None
    with pytest.raises(HomeRefused):
        await ward.author.call("PUT", path(CLIENT, "rooms", room, "redact", event, "r1"), {})
    said = await ward.author.ask(room, "!patient terminer", "the end")
    assert "ne peut pas être terminé" in said.body
    ward.salles.kill()
    ward.salles.start()
    await ward.author.ask(room, "!patient reprendre-effacement", "the hold's end")
    await ward.says(ward.author, "a pris fin", room=room)

    async def free() -> bool:
        try:
            await ward.author.call("PUT", path(CLIENT, "rooms", room, "redact", event, "r2"), {})
        except HomeRefused:
            return False
        return True

    await until(free, "what may be withdrawn again")


async def test_a_colleague_comes_in_later_once_what_the_patient_knows_is_noted(ward: Ward) -> None:
    cast = ward.house.cast
    third = cast.clinicians[0]
    room = await ward.opened(f"!patient ouvrir 1 jour {cast.colleague.professional.family_name}")
    ward.house.attest(cast.author, cast.colleague, third, professions=("10",))
    since = len(ward.author.heard)
    await ward.colleague.say(room, f"!patient inviter {third.professional.family_name}")
    asked = await ward.says(ward.author, "au-delà de l'équipe", room=room, since=since)
    assert third.account not in await ward.author.members(room)
    await ward.tap(ward.author, asked, "🤝")
    said = await ward.says(ward.author, "est invité dans ce salon", room=room, since=since)
    assert "consentement recueilli" in said.body
    assert (await ward.author.members(room))[third.account] == "invite"


@pytest.mark.nginx
async def test_the_shipped_proxy_erases_nothing_while_a_room_is_held(ward: Ward, tmp_path: Path) -> None:
    """What Synapse does without asking our module: purging history, deleting files. All else goes through."""
    config = ward.house.config
    token = {"Authorization": f"Bearer {read_secret(config.salles.admin_token).decode()}"}
    synapse = URL(ward.house.server.url).port
    room = await ward.opened(f"!patient ouvrir 1 jour {ward.house.cast.colleague.professional.family_name}")
    event = await ward.author.say(room, "à garder")
    assert synapse is not None
    admin = "/_synapse/admin"
    erasing = (
        ("POST", f"{admin}/v1/purge_history/{quote(room)}"),
        ("POST", f"{admin}/v1/purge_history/{quote(room)}/{quote(event)}"),
        ("POST", f"{admin}/v1/%70urge_history/{quote(room, safe='')}"),
        ("POST", f"//{admin}/./v1/purge_history/{quote(room)}"),
        ("POST", f"{admin}/v1/purge_media_cache?before_ts=1"),
        ("DELETE", f"{admin}/v1/media/{config.homeserver.server_name}/nothing"),
        ("POST", f"{admin}/v1/media/delete?before_ts=1&size_gt=99999999"),
        ("DELETE", f"{admin}/v1/users/{quote(ward.bot)}/media?limit=1&from=9999"),
        ("POST", f"{admin}/v1/room/{quote(room)}/media/quarantine"),
    )
    free = (
        ("GET", f"{admin}/v2/users/{quote(ward.bot)}"),
        ("GET", f"{admin}/v1/users/{quote(ward.bot)}/media"),
        ("GET", "/_matrix/client/versions"),
    )

    async with proxy(tmp_path, synapse=synapse, salles=config.salles.http.port) as url:

        async def asked(method: str, where: str) -> int:
            there = URL(url + where, encoded=True)
            async with ward.house.session.request(method, there, headers=token, json={}) as answer:
                return answer.status

        await ward.colleague.say(room, "!patient suspendre-effacement expertise")
        await ward.says(ward.author, "a suspendu l'effacement", room=room)
        assert [await asked(*each) for each in erasing] == [403] * len(erasing)
        assert [await asked(*each) for each in free] == [200] * len(free)
        assert await asked("DELETE", f"{admin}/v2/rooms/{quote(room)}") == 403, "by Synapse, which asks our module"
        ward.salles.kill()
        assert [await asked(*each) for each in erasing] == [500] * len(erasing), "nobody knows"
        assert await asked(*free[0]) == 200
        ward.salles.start()
        await ward.house.well()
        await ward.author.ask(room, "!patient reprendre-effacement", "the hold's end")
        await ward.says(ward.author, "a pris fin", room=room)

        async def allowed() -> bool:
            return await asked("DELETE", erasing[5][1]) == 404

        await until(allowed, "Synapse itself answers")
        assert await asked("GET", "/_synapse/metrics") == 404


async def test_the_admin_room_is_shown_the_head_of_the_receipts(ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    """After a room was erased; with what it reads there, an administrator sees that no receipt is missing."""
    name = ward.house.cast.colleague.professional.family_name
    patient = await ward.opened(f"!patient ouvrir 1 jour {name}")
    since = len(ward.author.heard)
    await ward.colleague.say(patient, "!patient opposition")
    await ward.says(ward.author, "est effacé. Reçu", room=ward.home, since=since)
    salles = ward.house.config.salles
    mark = RoomMark(RoomKind.ADMIN, ADMIN_KEY)
    room = await ward.house._room(RoomSpec("Administration", mark, invite=(ward.bot,)))

    async def shown() -> list[str]:
        said = [m.body for m in ward.house.overheard.messages() if m.room == room]
        return [words.split("empreinte ")[1].split()[0] for words in said if "Reçus d'effacement" in words]

    await until(shown, "the head")
    [head] = await shown()
    serial = int(head.partition(":")[0])
    receipts = [str(salles.receipts / f"receipt-{number:06d}.json") for number in range(1, serial + 1)]
    key = str(salles.receipts / PUBLIC_NAME)
    assert main(["receipt", "verify", *receipts, "--key", key, "--anchor", head]) == 0
    assert f"nothing up to receipt {serial} was cut off" in capsys.readouterr().out
    cut = f"{serial + 1}:{'0' * 64}"
    assert main(["receipt", "verify", *receipts, "--key", key, "--anchor", cut]) == 1


async def test_who_stands_in_for_the_referent_ends_the_room(ward: Ward) -> None:
    """`!absence`, which the bridge's bot takes, is known to @salles from its socket."""
    cast = ward.house.cast
    room = await ward.opened(f"!patient ouvrir 1 jour {cast.colleague.professional.family_name}")
    refused = await ward.colleague.ask(room, "!patient terminer", "the end")
    assert refused.body == texts.NOT_THE_OPENER
    away = await ward.author.ask(ward.home, f"!absence 3 jours {cast.colleague.account}", "the absence")
    assert "salons patients" in away.body

    async def ended() -> bool:
        said = await ward.colleague.ask(room, "!patient terminer", "the end")
        return said.body in {texts.ending(), texts.ALREADY_CLOSED}

    await until(ended, "the stand-in ends the room")
    announced = await ward.says(ward.colleague, "à la place de son référent", room=ward.other_home)
    assert cast.colleague.address.value in announced.body
    await ward.author.ask(ward.home, "!absence fin", "their return")
