"""What a batch of the rooms' soak does and when, from a seed alone: rooms and how each of them ends, and kills."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from tests.soak.plan import Kill

KILLS_A_BATCH = 10
ROOMS_A_BATCH = 10
REST_S = (1.5, 5.0)
"""Between two kills: some strike a house that is well again, some one that is still getting up."""
TAIL_S = 25.0
"""The last kills of a batch come when its last rooms are open: so many seconds lie between the two."""
SMALL, BIG = 2_000, 70_000
"""Bytes of a file; two big ones need two mails (see `rooms_world.MAIL_LIMIT`)."""


class End(StrEnum):
    """What closes the room."""

    COMMAND = "terminer"
    OPPOSITION = "opposition"
    EXPIRY = "expiry"


class Way(StrEnum):
    """What comes of its archive."""

    FILED = "filed"
    """Its referent finds it in their mailbox, and says that it is in the record."""
    WAIVED = "waived"
    """They want nothing kept, and say why."""
    DELIVERED = "delivered"
    """They say nothing: the delivery and time prove it."""
    SILENT = "silent"
    """Nobody ever writes there, not even a command."""


@dataclass(frozen=True, slots=True)
class Story:
    """One room, from its opening to its receipt. `key` is in what is said there and nowhere else."""

    key: str
    end: End
    way: Way
    who: int
    """Number of the clinician who opens it; the next one is their colleague."""
    at_s: float
    """Since the batch began."""
    files: tuple[int, ...] = ()
    """Their sizes."""
    reason: int = 0
    """Which of the reasons for keeping nothing."""


@dataclass(frozen=True, slots=True)
class RoomsBatch:
    """Both lists in the order of time."""

    number: int
    stories: tuple[Story, ...]
    kills: tuple[Kill, ...]


def make_stories(key: str, draw: random.Random, *, count: int, people: int, within_s: float) -> tuple[Story, ...]:
    """Rooms that begin at random times; every pair of end and way comes as often as any other."""
    kinds = [(end, way) for end in End for way in Way if way is not Way.SILENT or end is End.EXPIRY]
    draw.shuffle(kinds)
    times = sorted(draw.uniform(0, within_s) for _ in range(count))
    stories = []
    for rank, at in enumerate(times):
        end, way = kinds[rank % len(kinds)]
        files = () if way is Way.SILENT else tuple(draw.choice((SMALL, BIG)) for _ in range(draw.randint(0, 2)))
        stories.append(Story(f"{key}x{rank}y", end, way, draw.randrange(people), at, files, draw.randint(1, 3)))
    return tuple(stories)


def rooms_batches(seed: int, *, kills: int, victims: tuple[str, ...], people: int) -> list[RoomsBatch]:
    """All batches that together hold `kills` kills."""
    whole, rest = divmod(kills, KILLS_A_BATCH)
    sizes = [KILLS_A_BATCH] * whole + ([rest] if rest else [])
    found = []
    for number, size in enumerate(sizes):
        draw = random.Random(f"rooms/{seed}/{number}")
        times = list(accumulate(draw.uniform(*REST_S) for _ in range(size)))
        # Half of them strike while rooms open and are written in, half while they end.
        blows = [Kill(draw.choice(victims), at + (TAIL_S if rank >= size // 2 else 0)) for rank, at in enumerate(times)]
        stories = make_stories(
            f"room{seed}x{number}", draw, count=ROOMS_A_BATCH, people=people, within_s=times[size // 2]
        )
        found.append(RoomsBatch(number, stories, tuple(blows)))
    return found
