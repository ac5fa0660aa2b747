"""What a batch does and when, from a seed alone: the same seed makes the same batch."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import StrEnum

ACT_EVERY_S = (0.3, 1.5)
"""Between two acts."""
KILL_AFTER_S = 1.2
"""A kill follows an act by at most this: it strikes while something is under way."""
REST_S = (4.0, 9.0)
"""Between two kills: some strike a house that is well again, some one that is still getting up."""
KILLS_A_BATCH = 3


class Kind(StrEnum):
    """What is done, and where its one effect must show."""

    MAIL = "mail"
    """A correspondent sends a mail; it must stand once in the clinician's conversation."""
    REPLY = "reply"
    """The clinician answers in Matrix; one mail must reach the correspondent."""
    COMMAND = "command"
    """The clinician types a command; one answer must come."""
    ROOM = "room"
    """The clinician opens a patient room: one answer, one room, and at its end one word that it is erased."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done. `key` is in its text and nowhere else."""

    key: str
    kind: Kind
    who: int
    """Number of the clinician."""
    at_s: float
    """Since the batch began."""


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL to the process of that name."""

    victim: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Batch:
    """Both lists in the order of time."""

    number: int
    acts: tuple[Act, ...]
    kills: tuple[Kill, ...]


def make_batch(seed: int, number: int, *, kills: int, victims: tuple[str, ...], people: int) -> Batch:
    """Batch `number` of the run `seed`."""
    draw = random.Random(f"{seed}/{number}")
    times = []
    at = 0.0
    for _ in range(kills):
        at += draw.uniform(*REST_S)
        times.append(at)
    end = (times[-1] if times else 0.0) + 2.0
    acts: list[Act] = []
    at = draw.uniform(*ACT_EVERY_S)
    while at < end:
        key = f"soak{seed}x{number}x{len(acts)}y"
        acts.append(Act(key, draw.choice([Kind.MAIL, Kind.REPLY, Kind.COMMAND]), draw.randrange(people), at))
        at += draw.uniform(*ACT_EVERY_S)
    # One room a batch: it lives for about that long, so a later batch's kills strike while it ends.
    chosen = draw.randrange(len(acts))
    acts[chosen] = replace(acts[chosen], kind=Kind.ROOM)
    return Batch(number, tuple(acts), tuple(_strike(draw, t, acts, victims) for t in times))


def _strike(draw: random.Random, at: float, acts: list[Act], victims: tuple[str, ...]) -> Kill:
    begun = max((a.at_s for a in acts if a.at_s <= at), default=at)
    return Kill(draw.choice(victims), begun + draw.uniform(0, KILL_AFTER_S))


def batches(seed: int, *, kills: int, victims: tuple[str, ...], people: int, begin: int = 0) -> list[Batch]:
    """All batches from number `begin` on that together hold `kills` kills."""
    sizes = [KILLS_A_BATCH] * (kills // KILLS_A_BATCH) + ([kills % KILLS_A_BATCH] if kills % KILLS_A_BATCH else [])
    return [
        make_batch(seed, number, kills=size, victims=victims, people=people)
        for number, size in enumerate(sizes)
        if number >= begin
    ]
