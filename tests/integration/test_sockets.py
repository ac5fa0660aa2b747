"""Services asking each other on real Unix sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from colloque import sockets
from colloque.calls import MAX_LINE, Ask, decode_answer
from colloque.errors import BadInput, Final, Inconsistent, NotFound, Refused, ServiceUnavailable, Temporary
from colloque.sockets import Client, Server
from tests.waiting import until

ME = os.geteuid()


async def echo(word: str) -> dict[str, Any]:
    return {"word": word}


async def fail(kind: str) -> dict[str, Any]:
    raise {
        "refused": Refused("not_today"),
        "bad": BadInput("what?"),
        "temporary": Temporary("later", retry_after_s=3),
        "final": NotFound("gone"),
        "bug": KeyError("secret words"),
    }[kind]


async def hang() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


@pytest.fixture
async def server(tmp: Path) -> AsyncIterator[Server]:
    verbs = {"salles": {"echo": echo, "fail": fail, "hang": hang}, "annuaire": {"echo": echo}, "colloque": {}}
    made = Server(tmp / "s.sock", {"salles": ME, "annuaire": ME, "colloque": ME, "stranger": ME + 1}, verbs)
    await made.start()
    yield made
    await made.stop()


async def test_a_call_is_answered(server: Server, tmp: Path) -> None:
    assert await Client(tmp / "s.sock", "salles").call("echo", word="été 🩺") == {"word": "été 🩺"}


async def test_many_callers_at_once(server: Server, tmp: Path) -> None:
    client = Client(tmp / "s.sock", "salles")
    answers = await asyncio.gather(*(client.call("echo", word=str(n)) for n in range(sockets.PER_CALLER - 2)))
    assert [a["word"] for a in answers] == [str(n) for n in range(sockets.PER_CALLER - 2)]


@pytest.mark.parametrize(
    ("kind", "raised"), [("refused", Refused), ("bad", BadInput), ("temporary", Temporary), ("final", Final)]
)
async def test_errors_reach_the_caller_as_errors(server: Server, tmp: Path, kind: str, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        await Client(tmp / "s.sock", "salles").call("fail", kind=kind)


async def test_a_bug_is_temporary_and_its_words_stay_inside(server: Server, tmp: Path) -> None:
    with pytest.raises(Temporary) as caught:
        await Client(tmp / "s.sock", "salles").call("fail", kind="bug")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("caller", "verb", "reason"),
    [
        ("annuaire", "fail", "verb_unknown"),
        ("annuaire", "nothing", "verb_unknown"),
        ("colloque", "echo", "verb_unknown"),
        ("stranger", "echo", "caller_unknown"),
        ("nobody", "echo", "caller_unknown"),
    ],
)
async def test_who_may_ask_what(server: Server, tmp: Path, caller: str, verb: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        await Client(tmp / "s.sock", caller).call(verb, word="x")
    assert caught.value.reason == reason


@pytest.mark.parametrize("args", [{}, {"word": "x", "more": 1}, {"other": 1}])
async def test_wrong_arguments_are_bad_input(server: Server, tmp: Path, args: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        await Client(tmp / "s.sock", "salles").call("echo", **args)


async def test_another_system_user_is_not_heard(tmp: Path) -> None:
    """The kernel says who calls, whatever the caller claims: this process is not the user that `salles` runs as."""
    server = Server(tmp / "s.sock", {"salles": ME + 1}, {"salles": {"echo": echo}})
    await server.start()
    with pytest.raises(ServiceUnavailable):
        await Client(tmp / "s.sock", "salles").call("echo", word="x")
    await server.stop()


async def test_an_answer_that_is_no_json_is_a_bug(tmp: Path) -> None:
    async def odd() -> dict[str, Any]:
        return {"x": object()}

    server = Server(tmp / "s.sock", {"salles": ME}, {"salles": {"odd": odd}})
    await server.start()
    with pytest.raises(Temporary) as caught:
        await Client(tmp / "s.sock", "salles").call("odd")
    assert str(caught.value) == "internal error"
    await server.stop()


async def test_nobody_there_is_unavailable(tmp: Path) -> None:
    with pytest.raises(ServiceUnavailable):
        await Client(tmp / "none.sock", "salles").call("echo", word="x")


async def test_a_service_that_says_nothing_is_unavailable(server: Server, tmp: Path) -> None:
    with pytest.raises(ServiceUnavailable):
        await Client(tmp / "s.sock", "salles", timeout_s=0.2).call("hang")


async def test_a_verb_that_takes_too_long_is_cut(server: Server, tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "VERB_S", 0.1)
    with pytest.raises(Temporary) as caught:
        await Client(tmp / "s.sock", "salles").call("hang")
    assert not isinstance(caught.value, ServiceUnavailable)


async def test_a_verb_known_to_be_slow_has_its_own_time(tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "VERB_S", 0.05)
    done = asyncio.Event()

    async def import_(word: str) -> dict[str, Any]:
        asyncio.get_running_loop().call_later(0.3, done.set)
        await done.wait()
        return {"word": word}

    slow = Server(tmp / "slow.sock", {"colloque": ME}, {"colloque": {"import": import_}}, slow={"import": 10.0})
    await slow.start()
    try:
        assert await Client(tmp / "slow.sock", "colloque").call("import", word="x") == {"word": "x"}
    finally:
        await slow.stop()


async def test_several_asks_on_one_connection(server: Server, tmp: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(tmp / "s.sock")
    for number in range(3):
        writer.write(Ask(number, "salles", "echo", {"word": str(number)}).encode())
    for number in range(3):
        assert decode_answer(await reader.readline(), number) == {"word": str(number)}
    writer.close()


@pytest.mark.parametrize("line", [b"garbage\n", b"\n", b'{"id":1}\n', b"x" * (MAX_LINE + 10) + b"\n"])
async def test_garbage_is_answered_and_hurts_nobody(server: Server, tmp: Path, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(tmp / "s.sock")
    writer.write(line)
    answer = await asyncio.wait_for(reader.readline(), 10)
    with pytest.raises(BadInput):
        decode_answer(answer, int(answer.split(b":")[1].split(b",")[0]))
    writer.close()
    assert await Client(tmp / "s.sock", "salles").call("echo", word="x") == {"word": "x"}


async def test_silent_connections_are_bounded_and_end(
    server: Server, tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "IDLE_S", 3)  # the first of them is still there when the call is refused
    silent = [await asyncio.open_unix_connection(tmp / "s.sock") for _ in range(sockets.PER_CALLER + 3)]
    with pytest.raises(ServiceUnavailable):
        await Client(tmp / "s.sock", "salles").call("echo", word="x")

    async def heard() -> bool:
        try:
            return await Client(tmp / "s.sock", "salles").call("echo", word="x") == {"word": "x"}
        except ServiceUnavailable:
            return False

    await until(heard, "room again once the silent ones are cut", within=30)
    for _, writer in silent:
        writer.close()


async def test_a_caller_that_does_not_read_is_cut(tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "WRITE_S", 0.2)

    async def much() -> dict[str, Any]:
        return {"text": "x" * (MAX_LINE - 100)}

    server = Server(tmp / "s.sock", {"salles": ME}, {"salles": {"much": much, "echo": echo}})
    await server.start()
    deaf = socket.socket(socket.AF_UNIX)
    deaf.setblocking(False)
    deaf.connect(str(tmp / "s.sock"))
    asks = Ask(1, "salles", "much", {}).encode() * 30
    await asyncio.get_running_loop().sock_sendall(deaf, asks)

    async def cut() -> bool:
        return not server._tasks

    await until(cut, "the deaf caller cut off", within=10)
    assert await Client(tmp / "s.sock", "salles").call("echo", word="x") == {"word": "x"}
    deaf.close()
    await server.stop()


async def test_only_one_listens(server: Server, tmp: Path) -> None:
    second = Server(tmp / "s.sock", {"salles": ME}, {"salles": {}})
    with pytest.raises(Inconsistent):
        await second.start()
    await second.stop()
    assert await Client(tmp / "s.sock", "salles").call("echo", word="x") == {"word": "x"}


async def test_a_socket_left_by_a_crash_is_replaced_and_a_file_is_not(tmp: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp / "s.sock"))
    server = Server(tmp / "s.sock", {"salles": ME}, {"salles": {"echo": echo}})
    await server.start()
    assert await Client(tmp / "s.sock", "salles").call("echo", word="x") == {"word": "x"}
    await server.stop()
    assert not (tmp / "s.sock").exists()
    (tmp / "s.sock").write_text("mine")
    with pytest.raises(Inconsistent):
        await server.start()
    assert (tmp / "s.sock").read_text() == "mine"


@pytest.mark.parametrize(("uid", "mode"), [(ME, 0o600), (ME + 1, 0o660)])
async def test_the_file_s_rights_follow_the_callers(tmp: Path, uid: int, mode: int) -> None:
    server = Server(tmp / "s.sock", {"salles": uid}, {"salles": {}})
    await server.start()
    assert stat.S_IMODE((tmp / "s.sock").stat().st_mode) == mode
    await server.stop()


async def test_stopping_ends_calls_under_way(tmp: Path) -> None:
    server = Server(tmp / "s.sock", {"salles": ME}, {"salles": {"hang": hang}})
    await server.start()
    loop, reported = asyncio.get_running_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _, context: reported.append(context))
    call = asyncio.create_task(Client(tmp / "s.sock", "salles").call("hang"))

    async def under_way() -> bool:
        return bool(server._tasks)

    await until(under_way, "the call under way")
    await server.stop()
    with pytest.raises(ServiceUnavailable):
        await asyncio.wait_for(call, 5)
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert reported == []
