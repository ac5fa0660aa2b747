"""How long @salles waits between two sweeps."""

from __future__ import annotations

import asyncio

import pytest

from colloque_salles import app
from tests.servers.dispatch import CONFIG


async def test_what_was_put_off_is_not_left_for_the_whole_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "LOOK_S", 0.01)
    answers = iter([False, False, True])
    async with asyncio.timeout(CONFIG.salles.sweep_s / 2):
        await app.SallesService(CONFIG)._until_next(lambda: next(answers))
    assert list(answers) == []


async def test_it_ends_when_the_service_does(monkeypatch: pytest.MonkeyPatch) -> None:
    service = app.SallesService(CONFIG)
    service.stop.set()
    async with asyncio.timeout(CONFIG.salles.sweep_s / 2):
        await service._until_next(lambda: False)
