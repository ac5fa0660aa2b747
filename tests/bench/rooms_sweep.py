"""What the sweep over patient rooms costs, and how late a room ends: 10,000 open rooms, on SQLite and on PostgreSQL.

The rooms stand in the services' real database, the sweep is the service's own. What it tells the homeserver is written
down, not sent: 10,000 rooms on a Synapse take an hour to make. For the lag the clock is ours: it moves by what each
sweep really took, by what calls of the homeserver and erasures take on a busy one, and by the pause between sweeps.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import PARIS, FrozenClock, monotonic, to_millis
from colloque.identity import EventId, RoomId
from colloque.rooms.keeping import Proof
from colloque.store.schema import open_database, transaction
from colloque_salles.store.rooms import Kept
from colloque_salles.store.tables import salles_upgrades
from tests.bench.result import Goal, Result, result
from tests.servers.postgres import PostgresServer, programs
from tests.servers.salles_server import ANNE, BOB, Erasing, Server
from tests.servers.salles_ward import DAY, RULE, Ward

ROOMS = 10_000
WAITING = 2_000
"""Closed rooms beside them, whose archives nothing has proven yet: a week of ends."""
BEGIN = datetime(2026, 3, 18, 6, 0, tzinfo=UTC)
"""Before people come, on a day on which 30-day rooms end: a month before, people worked."""
ROUNDS = 20
HOURS = 14
"""A working day, from before it to after it."""
SWEEP_S = 60.0
"""As configured where nothing else is said."""
CALL_S = 0.25
"""A state event or an encrypted message on a busy Synapse."""
ERASE_S = 3.0
"""A room's erasure there."""
SEED = 20260302


class Busy(Server):
    """A homeserver whose calls take time."""

    def __init__(self, clock: FrozenClock) -> None:
        super().__init__()
        self._clock = clock

    async def send(self, room: RoomId, content: dict[str, Any], *, txn: str, type_: str = "m.room.message") -> EventId:
        """Takes its time."""
        self._clock.advance(seconds=CALL_S)
        return await super().send(room, content, txn=txn, type_=type_)

    async def set_state(self, room: RoomId, type_: str, content: dict[str, Any], state_key: str = "") -> EventId:
        """Takes its time."""
        self._clock.advance(seconds=CALL_S)
        return await super().set_state(room, type_, content, state_key)


class Slow(Erasing):
    """Erasures that take time, in the sweep's own."""

    def __init__(self, clock: FrozenClock, db: Database) -> None:
        super().__init__()
        self._clock, self._db = clock, db

    async def start(self, kept: Kept) -> None:
        """The whole of it."""
        self._clock.advance(seconds=ERASE_S)
        await self._db.execute("DELETE FROM patient_room WHERE room = $1", kept.room.room)


class Wide(Ward):
    """The ward's services, on rooms by the thousand."""

    def __init__(self, folder: Path, db: Database) -> None:
        self.clock = FrozenClock(BEGIN)
        super().__init__(folder, db, self.clock)
        home, eraser = Busy(self.clock), Slow(self.clock, db)
        for service in (self.sweep, self.holding):
            service._home = home
        self.sweep._eraser = eraser  # type: ignore[assignment]

    async def fill(self) -> None:
        """As sweeps that were never late left them."""
        draw = random.Random(SEED)
        rows = [_row(draw, number) for number in range(ROOMS)]
        rows += [_closed(draw, ROOMS + number) for number in range(WAITING)]
        names = list(rows[0])
        places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
        statement = f"INSERT INTO patient_room ({', '.join(names)}) VALUES ({places})"
        async with transaction(self.db) as conn:
            for row in rows:
                await conn.execute(statement, *row.values())


def _spoken(draw: random.Random, days: float) -> datetime:
    """When somebody last wrote, at most that long ago: on working days, in working hours."""
    while True:
        at = BEGIN - timedelta(days=draw.uniform(0, days))
        local = at.astimezone(PARIS)
        if local.weekday() < 5 and 8 <= local.hour < 19:
            return at


def _row(draw: random.Random, number: int) -> dict[str, object]:
    own = draw.randint(10, 80) * DAY if draw.random() < 0.1 else None
    rule = RULE if own is None else RULE.lasting(own)
    spoken = _spoken(draw, rule.idle / DAY)
    fate = draw.random()
    prolonged = spoken + 45 * DAY if fate < 0.03 else None
    held = BEGIN + draw.uniform(10, 90) * DAY if 0.03 <= fate < 0.05 else None
    due = max(spoken + rule.idle, prolonged or spoken)
    warned = held is None and due - rule.notice <= BEGIN
    reminded = warned and due - rule.reminder <= BEGIN
    return {
        "room": f"!room{number}:h.test",
        "words": f"Mot{number} Mot",
        "opener": ANNE,
        "members": json.dumps([ANNE, BOB]),
        "state": "warned" if warned else "open",
        "opened_at": to_millis(spoken - 3 * DAY),
        "last_activity": to_millis(spoken),
        "warned_for": to_millis(due) if warned else None,
        "warned_at": to_millis(due - rule.notice) if warned else None,
        "reminded_at": to_millis(due - rule.reminder) if reminded else None,
        "prolonged_until": to_millis(prolonged) if prolonged else None,
        "held_until": to_millis(held) if held else None,
        "own_idle": int(own.total_seconds()) if own else None,
        "closed_at": None,
        "close_heard": False,
    }


def _closed(draw: random.Random, number: int) -> dict[str, object]:
    at = _spoken(draw, 7)
    warned = at - RULE.notice
    return _row(draw, number) | {
        "state": "closed",
        "last_activity": to_millis(at - RULE.idle),
        "warned_for": to_millis(at),
        "warned_at": to_millis(warned),
        "reminded_at": to_millis(at - RULE.reminder),
        "prolonged_until": None,
        "held_until": None,
        "own_idle": None,
        "closed_at": to_millis(at),
        "close_heard": True,
    }


@asynccontextmanager
async def _wide(name: str) -> AsyncIterator[Wide]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clq-bench-")))
        url = f"sqlite:{folder}/salles.db"
        if name == "postgres":
            bin_dir = programs()
            assert bin_dir is not None, "needs postgres"
            server = PostgresServer(bin_dir)
            stack.callback(server.remove)
            server.make()
            server.start()
            url = await server.new_database()
        db = await open_database(url, salles_upgrades(), "salles")
        stack.push_async_callback(db.stop)
        wide = Wide(folder, db)
        await wide.fill()
        yield wide


def once(name: str) -> Callable[[], Awaitable[Result]]:
    """One sweep that finds nothing due."""

    async def run() -> Result:
        async with _wide(name) as wide:
            await wide.sweep.once()
            took = []
            for _ in range(ROUNDS):
                began = monotonic()
                await wide.sweep.once()
                took.append(monotonic() - began)
        print(f"{name}: {ROOMS} open rooms and {WAITING} closed ones; load {os.getloadavg()[0]:.1f}")
        interval = (min(took), max(took))
        unit = f"s, one sweep, {ROOMS} open rooms, nothing due"
        return result(f"rooms-sweep-{name}", statistics.median(took), unit, Goal(1.0), interval=interval)

    return run


def lag(name: str) -> Callable[[], Awaitable[Result]]:
    """From the promised end to the closing, over a working day in the middle of the house's life."""

    async def run() -> Result:
        async with _wide(name) as wide:
            clock, sweeps, slowest = wide.clock, 0, 0.0
            while clock.now() < BEGIN + timedelta(hours=HOURS):
                await _prove(wide)
                before, began = clock.now(), monotonic()
                await wide.sweep.once()
                clock.advance(seconds=monotonic() - began)
                slowest = max(slowest, (clock.now() - before).total_seconds())
                sweeps += 1
                clock.advance(seconds=SWEEP_S)
            rows: list[Any] = await wide.db.fetch(
                "SELECT warned_for, closed_at FROM patient_room WHERE closed_at > $1", to_millis(BEGIN)
            )
        late = [(row["closed_at"] - row["warned_for"]) / 1000 for row in rows]
        p95 = statistics.quantiles(late, n=20, method="inclusive")[-1]
        print(
            f"{name}: {len(late)} rooms ended in {HOURS} h and {sweeps} sweeps; p50 {statistics.median(late):.0f} s, "
            f"latest {max(late):.0f} s; longest sweep {slowest:.0f} s"
        )
        return result(f"rooms-lag-{name}", p95, "s from the promised end to the closing, p95", Goal(300))

    return run


async def _prove(wide: Wide) -> None:
    """What time alone proves."""
    week_ago = to_millis(wide.clock.now() - 7 * DAY)
    await wide.db.execute(
        "UPDATE patient_room SET archived = $2 WHERE state = 'closed' AND archived = '' AND closed_at <= $1",
        week_ago,
        Proof.DELIVERED.value,
    )
