"""The files of a room are asked about some at a time; what fails is raised, and nothing goes on unwatched."""

from __future__ import annotations

import asyncio

import pytest

from colloque.errors import HomeUnavailable
from colloque.identity import MxcUri
from colloque_salles.erasing.manifests import AT_ONCE, several

FILES = [MxcUri(f"mxc://h.test/{number}") for number in range(3 * AT_ONCE + 1)]


async def test_each_is_asked_about_once_and_some_at_a_time() -> None:
    now = most = 0

    async def ask(mxc: MxcUri) -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return mxc[-1]

    assert await several(FILES, ask) == [mxc[-1] for mxc in FILES]
    assert most == AT_ONCE
    assert await several([], ask) == []


async def test_a_failure_is_raised_once_its_neighbours_are_done() -> None:
    asked: list[MxcUri] = []

    async def ask(mxc: MxcUri) -> None:
        if mxc == FILES[1]:
            raise HomeUnavailable("away")
        await asyncio.sleep(0)
        asked.append(mxc)

    with pytest.raises(HomeUnavailable):
        await several(FILES, ask)
    assert asked == [FILES[0], *FILES[2:AT_ONCE]]
