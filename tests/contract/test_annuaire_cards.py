"""An opposed card asks for a new proof, once, through kills; on both databases."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from colloque.identity import Adeli, EventId, Rpps, UserId
from colloque.professional import Card
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.life.opposed_cards import OpposedCards
from colloque_annuaire.life.renewing import Renewing
from colloque_annuaire.store.renewing import Renewals
from tests.servers.annuaire import rpps
from tests.servers.side_parts import Fresh
from tests.servers.sides import Side, Sides


class Stopped(BaseException):
    """As `kill -9`."""


class Names:
    async def set_display_name(self, user: UserId, name: str) -> None:
        pass


class WithCards(Fresh):
    """Everybody has a card; some were opposed."""

    opposed: dict[Rpps, date]

    def cards(self, number: Rpps | Adeli) -> tuple[Card, ...]:
        assert isinstance(number, Rpps)
        return (Card("1", "CPS", None, None, self.opposed.get(number)),)


def opposed_cards(side: Side, directory: WithCards, folder: Path) -> OpposedCards:
    publication = Publication(
        people=side.people, names=Names(), clock=side.clock, path=folder / "snapshot", key=b"k" * 32
    )
    return OpposedCards(
        db=side.db,
        people=side.people,
        directory=directory,
        publication=publication,
        home=side.rooms,  # type: ignore[arg-type]
        homes=side.rooms,  # type: ignore[arg-type]
        journal=side.journal,
        clock=side.clock,
    )


async def until(side: Side, n: int) -> timedelta:
    held = await side.people.attestation_of(side.user(n))
    assert held is not None
    return held.valid_until - side.clock.now()


@pytest.mark.parametrize("killed", ["", "snapshot", "send"])
async def test_a_new_proof_is_asked_once(
    sides: Sides, tmp_path: Path, killed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = sides.a
    await a.attest(1)
    await a.attest(2)
    directory = WithCards(sides.clock)
    directory.opposed = {}
    sides.clock.advance(days=60)
    await opposed_cards(a, directory, tmp_path).run_once()
    assert a.rooms.told(a.user(1)) == []
    directory.opposed = {rpps(1): sides.clock.now().date()}
    if killed:

        async def stopped(*args: Any, **more: Any) -> None:
            raise Stopped

        with monkeypatch.context() as broken:
            broken.setattr(Publication if killed == "snapshot" else a.rooms, killed, stopped)
            with pytest.raises(Stopped):
                await opposed_cards(a, directory, tmp_path).run_once()
        await a.stop()
        await a.start()
    flow = opposed_cards(a, directory, tmp_path)
    await flow.run_once()
    sides.clock.advance(hours=6)  # A new edition, to this directory.
    await flow.run_once()
    assert await until(a, 1) == timedelta(days=7) - timedelta(hours=6)
    assert await until(a, 2) > timedelta(days=300)
    assert len(a.rooms.told(a.user(1))) == 1
    assert "mise en opposition" in a.rooms.told(a.user(1))[0]
    assert a.rooms.told(a.user(2)) == []
    renewing = Renewing(
        people=a.people,
        renewals=Renewals(a.db),
        home=a.rooms,  # type: ignore[arg-type]
        homes=a.rooms,  # type: ignore[arg-type]
        clock=sides.clock,
    )
    await renewing.run_once()
    assert len(a.rooms.told(a.user(1))) == 1, "the usual request would say it again"
    await a.people.attest(await a.attest(1), EventId("$again"))
    sides.clock.advance(days=1)
    await flow.run_once()
    assert await until(a, 1) > timedelta(days=300), "a proof of the same day or later counts"
