"""Threads of mails end in their rooms, on a real Synapse, Postfix and Dovecot: what stays, what is gone with proof."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator

import pytest

from colloque.cli.main import main
from colloque.errors import HomeRefused
from colloque.identity import EventId, MxcUri
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import reaction
from colloque_mssante.texts import ends as texts
from colloque_salles.erasing.receipts import PUBLIC_NAME
from tests.clients.mailbox import text_of
from tests.servers.threads_place import Place, a_place
from tests.waiting import until

pytestmark = [pytest.mark.dovecot, pytest.mark.postfix]


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with a_place(tmp_path_factory.mktemp("threads")) as place:
        yield place


async def test_a_thread_ends_and_its_mails_stay_in_their_mailbox(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    house, author, tag = place.house, place.house.author, secrets.token_hex(4)
    first = await house.write_file(f"Genou {tag}", f"ci-joint {tag}", f"cr {tag}.bin", secrets.token_bytes(9000))
    mail = await house.mail(f"ci-joint {tag}")
    file = await house.heard_file(f"cr {tag}.bin")
    room = mail.room
    await place.says("Ici, les messages s'effacent")
    listed = await author.ask(room, "!envois", "a list that stands in no thread")
    own = await author.home.upload_encrypted(secrets.token_bytes(3000), f"radio {tag}.bin", "application/octet-stream")
    relation = {"m.relates_to": {"m.in_reply_to": {"event_id": mail.event}}}
    sent = await author.send(room, own | relation)
    tap = await author.home.send(room, reaction(mail.event, "👍"), txn=secrets.token_hex(8), type_="m.reaction")
    # Of such an event, Matrix keeps a part when it is withdrawn.
    odd = {"join_rule": "invite", "m.relates_to": {"m.in_reply_to": {"event_id": mail.event}}}
    where = path(CLIENT, "rooms", room, "send", "m.room.join_rules", secrets.token_hex(8))
    stubborn = EventId((await author.call("PUT", where, odd))["event_id"])
    await until(lambda: _answered(place, first), "the answer")
    await until(lambda: _filed(place, first), "its copy")
    # Another thread, whose mail its owner deletes; one that they keep.
    lost = await house.write(f"Hanche {tag}", f"perdu {tag}")
    lost_mail = await house.mail(f"perdu {tag}")
    await house.write(f"Coude {tag}", f"gardé {tag}")
    held_mail = await house.mail(f"gardé {tag}")
    said = await author.answer(
        await author.say(room, "!fil garder expertise", reply_to=held_mail.event), "what is kept"
    )
    assert "est gardé jusqu'au" in said.body
    _delete(place, lost)
    before = place.box.inbox()
    files = [MxcUri(file.content["file"]["url"]), MxcUri(own["file"]["url"])]
    for mxc in files:
        await author.api.download(mxc)
        assert mxc in place.kept()

    await place.age()
    ended = await place.says("a pris fin ici")
    stays = await place.says("reste ici au-delà")
    assert ended.room == stays.room == room
    receipt = place.receipts()[-1]
    raw = json.loads(receipt.read_text())
    assert f"n° {raw['serial']}." in ended.body
    for event in (mail.event, file.event, sent, tap, listed.event):
        assert await place.content(room, event) == {}
    assert await place.content(room, stubborn) == {"join_rule": "invite"}
    for event in (lost_mail.event, held_mail.event, stays.event):
        assert await place.content(room, event) != {}
    for mxc in files:
        with pytest.raises(HomeRefused) as gone:
            await author.api.download(mxc)
        assert gone.value.status == 404
    assert (raw["kind"], raw["files_deleted"], raw["before"]["files"]) == ("mail", 2, 2)
    assert raw["before"]["events"] >= 4
    assert raw["proven"] == ["texts_withdrawn", "known_files_gone"]
    assert raw["undecryptable"] == 0
    assert "server_identifiers" not in raw["out_of_reach"]
    # What Synapse still holds of it is counted, and when it goes is said.
    [left] = [r for r in raw["residue"] if r["name"] == "event_json"]
    assert (left["why"], left["count"]) == ("dropped_in_7_days", raw["before"]["events"])
    assert place.stored(mail.event) != {}
    key = str(house.config.salles.receipts / PUBLIC_NAME)
    assert main(["receipt", "verify", *map(str, place.receipts()), "--key", key]) == 0
    assert "each mail of the thread was in its mailbox" in capsys.readouterr().out
    # The bridge keeps no word of it, and the mailbox all.
    assert f"Hanche {tag}" in place.kept()
    for word in (f"Genou {tag}", first, mail.event, *files):
        assert word not in place.kept()
    assert [str(m["Message-ID"]) for m in place.box.inbox()] == [str(m["Message-ID"]) for m in before]


async def _answered(place: Place, message_id: str) -> bool:
    return bool(await place.house.answers_to(message_id))


async def _filed(place: Place, message_id: str) -> bool:
    return any(str(m["In-Reply-To"]) == message_id for m in place.box.inbox("Sent"))


def _delete(place: Place, message_id: str) -> None:
    with place.box._opened() as imap:
        imap.select("INBOX")
        _, found = imap.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"')
        imap.uid("STORE", found[0].decode(), "+FLAGS", "(\\Deleted)")
        imap.expunge()


async def test_what_ended_is_not_shown_again_and_an_answer_to_it_begins_a_thread(place: Place) -> None:
    house, tag = place.house, secrets.token_hex(4)
    await place.age(3600)
    first = await house.write(f"Dos {tag}", f"une fois {tag}")
    mail = await house.mail(f"une fois {tag}")
    since, receipts = len(house.author.heard), len(place.receipts())

    async def linked() -> bool:  # what a stop leaves half shown is looked at again an hour later
        return mail.event in place.kept()

    await until(linked, "the mail is known by its event")
    await place.age()

    async def begun() -> bool:
        return await place.content(mail.room, mail.event) == {}

    await until(begun, "its end to begin")
    house.bridge.kill()
    house.bridge.start()
    await place.says("a pris fin ici", since=since)
    assert len(place.receipts()) == receipts + 1
    await place.age(3600)
    since = len(house.author.heard)
    await house.write(f"Re: Dos {tag}", f"suite {tag}", in_reply_to=first)
    answer = await house.mail(f"suite {tag}", since=since)
    assert answer.room == mail.room
    assert "m.relates_to" not in answer.content
    number = int(mail.body.partition("fil ")[2].split()[0].strip(".,;:)"))
    assert f"fil {number}" not in answer.body
    assert len(house.shown(f"une fois {tag}")) == 1
    assert any(tag in text_of(m) for m in place.box.inbox())


async def test_a_room_that_is_kept_loses_nothing(place: Place) -> None:
    house, tag = place.house, secrets.token_hex(4)
    await place.age(3600)
    await house.write(f"Main {tag}", f"à garder {tag}")
    mail = await house.mail(f"à garder {tag}")
    said = await house.author.ask(mail.room, "!fil garder expertise", "what is kept")
    assert "Ce salon et tous ses fils" in said.body
    since = len(house.author.heard)
    await place.age()
    await place.says("Ici, les messages s'effacent", since=since)
    other = await house.write(f"Pied {tag}", f"encore {tag}")
    await house.mail(f"encore {tag}", since=since)
    with pytest.raises(HomeRefused):
        await house.author.home.redact(mail.room, mail.event, txn=secrets.token_hex(8))
    assert await place.content(mail.room, mail.event) != {}
    since = len(house.author.heard)
    said = await house.author.ask(mail.room, "!fil ne plus garder", "its end")
    assert said.body == texts.released(None)
    await place.says("a pris fin ici", since=since)

    async def gone() -> bool:
        return await place.content(mail.room, mail.event) == {}

    await until(gone, "its end")
    assert other in [str(m["Message-ID"]) for m in place.box.inbox()]
