"""Errors of the client API become ours, and tell nothing that must not reach a log."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from colloque.errors import HomeRefused, HomeUnavailable
from colloque.files import free_port
from colloque.identity import MxcUri, UserId
from colloque.matrix.api import CLIENT, MatrixApi, path

SECRET_WORDS = "mot-du-patient"


async def answer(request: web.Request) -> web.StreamResponse:
    """Answers as the path asks: `/status/429`, `/echo`, `/notjson`, `/list`, `/cut`."""
    match request.path.split("/")[1:]:
        case ["status", "429"]:
            return web.json_response({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 1500}, status=429)
        case ["status", "4290"]:
            return web.Response(status=429, headers={"Retry-After": "7"})
        case ["status", code]:
            return web.json_response({"errcode": "M_FORBIDDEN", "error": SECRET_WORDS}, status=int(code))
        case ["text", code]:
            return web.Response(status=int(code), text=SECRET_WORDS)
        case ["notjson"]:
            return web.Response(text="<html>")
        case ["list"]:
            return web.json_response([])
        case ["cut"]:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        case _:
            return web.json_response(
                {
                    "method": request.method,
                    "path": request.rel_url.raw_path,
                    "query": dict(request.query),
                    "body": (await request.read()).decode(),
                    "authorization": request.headers["Authorization"],
                }
            )


@pytest.fixture
async def server() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    async with TestServer(app) as running:
        yield str(running.make_url("/"))


@pytest.fixture
async def api(server: str) -> AsyncIterator[MatrixApi]:
    async with aiohttp.ClientSession() as session:
        yield MatrixApi(session, server, "tok", user=UserId("@bot:example.org"), device="DEV")


async def test_a_call_names_user_and_device_and_keeps_the_path_encoded(api: MatrixApi) -> None:
    where = path(CLIENT, "rooms", "!r/oom:x", "send", "m.room.message", "$e.1+2")
    got = await api.call("PUT", where, {"a": "é"}, query={"q": "a b&c"})
    assert got["method"] == "PUT"
    assert got["path"] == "/_matrix/client/v3/rooms/%21r%2Foom%3Ax/send/m.room.message/%24e.1%2B2"
    assert got["query"] == {"q": "a b&c", "user_id": "@bot:example.org", "device_id": "DEV"}
    assert got["body"] == '{"a":"\\u00e9"}'
    assert got["authorization"] == "Bearer tok"


async def test_a_person_needs_no_user_in_the_query(server: str) -> None:
    async with aiohttp.ClientSession() as session:
        assert (await MatrixApi(session, server, "tok").call("GET", "/echo"))["query"] == {}


@pytest.mark.parametrize(("code", "delay"), [("429", 1.5), ("4290", 7.0), ("500", None), ("502", None), ("503", None)])
async def test_what_may_work_later_is_unavailable(api: MatrixApi, code: str, delay: float | None) -> None:
    with pytest.raises(HomeUnavailable) as error:
        await api.call("GET", f"/status/{code}")
    assert error.value.retry_after_s == delay
    assert SECRET_WORDS not in str(error.value)


@pytest.mark.parametrize("where", ["notjson", "list", "cut"])
async def test_a_broken_answer_is_unavailable(api: MatrixApi, where: str) -> None:
    with pytest.raises(HomeUnavailable):
        await api.call("GET", f"/{where}")


async def test_nobody_there_is_unavailable(server: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(HomeUnavailable):
            await MatrixApi(session, f"http://127.0.0.1:{free_port()}", "tok").call("GET", "/x", timeout_s=5)


@pytest.mark.parametrize(
    ("where", "status", "errcode"),
    [("status/403", 403, "M_FORBIDDEN"), ("status/404", 404, "M_FORBIDDEN"), ("text/400", 400, "M_UNKNOWN")],
)
async def test_a_refusal_tells_the_code_only(api: MatrixApi, where: str, status: int, errcode: str) -> None:
    with pytest.raises(HomeRefused) as error:
        await api.call("GET", f"/{where}")
    assert (error.value.status, error.value.errcode) == (status, errcode)
    assert SECRET_WORDS not in str(error.value)


async def test_media_paths(api: MatrixApi) -> None:
    raw = await api.download(MxcUri("mxc://example.org/abc"))
    assert b"/_matrix/client/v1/media/download/example.org/abc" in raw
