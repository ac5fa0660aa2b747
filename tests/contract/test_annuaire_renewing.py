"""Renewals are asked for once each, through restarts and outages; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colloque.errors import HomeUnavailable
from colloque_annuaire.life.renewing import Renewing
from colloque_annuaire.store.renewing import Renewals
from tests.servers.sides import Side, Sides


def renewing(side: Side) -> Renewing:
    return Renewing(
        people=side.people,
        renewals=Renewals(side.db),
        home=side.rooms,  # type: ignore[arg-type]
        homes=side.rooms,  # type: ignore[arg-type]
        clock=side.clock,
    )


async def test_somebody_is_asked_in_time_and_stops_being_asked(sides: Sides) -> None:
    a = sides.a
    held = await a.attest(1)
    await renewing(a).run_once()
    assert a.rooms.told(a.user(1)) == []
    for days in (335, 1, 22, 6, 1):
        sides.clock.advance(days=days)
        await renewing(a).run_once()
        await renewing(a).run_once()
    told = a.rooms.told(a.user(1))
    assert [line.splitlines()[0] for line in told] == [
        f"La vérification de votre identité prend fin le {held.valid_until:%d/%m/%Y}.",
        f"La vérification de votre identité prend fin le {held.valid_until:%d/%m/%Y}.",
        "La vérification de votre identité prend fin demain.",
        "La vérification de votre identité a pris fin.",
    ]
    assert all(f"!inscription {held.rpps}" in line for line in told)
    await a.attest(1)
    sides.clock.advance(days=1)
    await renewing(a).run_once()
    assert len(a.rooms.told(a.user(1))) == 4


async def test_an_outage_only_delays_it(sides: Sides) -> None:
    a = sides.a
    await a.attest(1)
    sides.clock.advance(days=340)
    a.rooms.errors.append(HomeUnavailable())
    with pytest.raises(HomeUnavailable):
        await renewing(a).run_once()
    await a.stop()
    await a.start()
    sides.clock.advance(seconds=timedelta(hours=1).total_seconds())
    await renewing(a).run_once()
    assert len(a.rooms.told(a.user(1))) == 1
