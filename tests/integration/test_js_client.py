"""The independent client itself: two sessions talk encrypted on a real Synapse, and what must not be read is not."""

from __future__ import annotations

import secrets
import signal
from pathlib import Path

import pytest

from colloque_demo.homeserver import Homeserver
from tests.clients.jsclient import JsClient, JsError
from tests.conftest import JsFactory, own_homeserver
from tests.waiting import until


def account(synapse: Homeserver) -> tuple[str, str, str]:
    name, password = f"u{secrets.token_hex(4)}", secrets.token_urlsafe()
    synapse.register(name, password)
    return synapse.url, name, password


async def meet(inviter: JsClient, guest: JsClient) -> str:
    room: str = (await inviter.call("createRoom", invite=[guest.user]))["room"]
    assert await guest.invitation() == room
    await guest.call("join", room=room)
    await inviter.expect(lambda r: r["event"] == "member" and r["user"] == guest.user and r["membership"] == "join")

    async def known() -> bool:
        return (await guest.call("status", user=inviter.user))["devices"].get(inviter.device, False)

    # The SDK refuses for good a key that comes before it knows its sender's signature.
    await until(known, "the guest knows the inviter's session, signed")
    return room


async def test_two_verified_sessions_exchange_text_replies_reactions_and_files(
    synapse: Homeserver, js: JsFactory
) -> None:
    anne, bruno = await js(*account(synapse)), await js(*account(synapse))
    room = await meet(anne, bruno)

    sent = await anne.call("send", room=room, text="Bonjour")
    heard = await bruno.message(room, anne.user, "Bonjour")
    assert (heard["id"], heard["encrypted"], heard["shield"]) == (sent["id"], True, "NONE")

    await bruno.call("reply", room=room, event=heard["id"], text="Bonsoir")
    answer = await anne.message(room, bruno.user, "Bonsoir")
    assert answer["relates"] == {"m.in_reply_to": {"event_id": sent["id"]}}
    assert answer["shield"] == "NONE"

    await anne.call("react", room=room, event=answer["id"], key="✅")
    mark = await bruno.expect(lambda r: r["event"] == "message" and r["type"] == "m.reaction")
    assert mark["relates"] == {"rel_type": "m.annotation", "event_id": answer["id"], "key": "✅"}

    data = secrets.token_bytes(5000)
    await anne.send_file(room, "lettre.pdf", "application/pdf", data)
    letter = await bruno.expect(lambda r: r["event"] == "message" and r["msgtype"] == "m.file")
    assert await bruno.download(letter) == data
    assert await bruno.call("unreadable") == []


async def test_a_session_that_is_not_verified_is_neither_read_nor_written_to(
    synapse: Homeserver, js: JsFactory
) -> None:
    anne = await js(*account(synapse))
    careless = await js(*account(synapse), verified=False)
    room = await meet(anne, careless)

    sent = await anne.call("send", room=room, text="secret")
    unread = await careless.expect(lambda r: r["event"] == "utd")
    assert unread["id"] == sent["id"]

    await careless.call("send", room=room, text="unsigned")
    refused = await anne.expect(lambda r: r["event"] == "utd")
    assert refused["from"] == careless.user
    assert [e["id"] for e in await anne.call("unreadable", room=room)] == [refused["id"]]


async def test_a_new_session_is_verified_by_the_recovery_key(synapse: Homeserver, js: JsFactory) -> None:
    login = account(synapse)
    phone = await js(*login, verified=False)
    key = (await phone.call("bootstrap"))["recoveryKey"]
    tablet = await js(*login, verified=False)

    async def seen(signed: bool) -> bool:
        devices = (await phone.call("status", user=phone.user))["devices"]
        return devices == {phone.device: True, tablet.device: signed}

    await until(lambda: seen(False), "the phone sees the tablet, unsigned")
    assert await tablet.call("restore", recoveryKey=key) == {"ready": True}
    await until(lambda: seen(True), "the phone sees the tablet's signature")


async def test_a_gap_in_what_the_server_sends_is_filled(synapse: Homeserver, js: JsFactory) -> None:
    anne = await js(*account(synapse))
    bruno = await JsClient().start(*account(synapse), history=1)
    try:
        await bruno.call("bootstrap")
        room = await meet(anne, bruno)
        bruno.signal(signal.SIGSTOP)
        texts = [f"number {n}" for n in range(8)]
        for text in texts:
            await anne.call("send", room=room, text=text)
        bruno.signal(signal.SIGCONT)
        for text in texts:
            await bruno.message(room, anne.user, text)
    finally:
        await bruno.stop()


async def test_a_refusal_of_the_server_reaches_the_caller(synapse: Homeserver, js: JsFactory) -> None:
    anne = await js(*account(synapse))
    with pytest.raises(JsError) as refused:
        await anne.call("join", room="!nowhere:elsewhere.example")
    assert refused.value.status in {403, 404}
    with pytest.raises(JsError, match="unknown command"):
        await anne.call("dance")


async def test_a_transaction_sent_again_after_the_server_was_killed_shows_once(tmp: Path, js: JsFactory) -> None:
    server = own_homeserver(tmp)
    server.configure()
    server.start()
    try:
        anne, bruno = await js(*account(server)), await js(*account(server))
        room = await meet(anne, bruno)
        await anne.call("send", room=room, text="before", txn="t0")
        server.kill()
        with pytest.raises(JsError) as away:
            await anne.call("send", room=room, text="while away", txn="t1")
        assert away.value.status is None
        server.start()

        async def accepted() -> bool:
            try:
                await anne.call("send", room=room, text="while away", txn="t1")
            except JsError:
                return False
            return True

        await until(accepted, "the server takes the message")
        again = await anne.call("send", room=room, text="after", txn="t2")
        for text in ("while away", "after"):
            await bruno.message(room, anne.user, text)
        heard = [r["body"] for r in bruno.reports if r["event"] == "message"]
        assert sorted(heard) == ["after", "before", "while away"]
        assert again["id"].startswith("$")
    finally:
        server.stop()
