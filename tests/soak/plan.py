"""What a batch does and when, from a seed alone: the same seed makes the same batch."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate

ACT_EVERY_S = (0.3, 1.5)
"""Between two acts."""
BURST = 6
BURST_S = 0.3
"""So many acts more just before each kill: it strikes while several are under way, each at another point."""


class Kind(StrEnum):
    """What is done, and where its one effect must show."""

    MAIL = "mail"
    """A correspondent sends a mail; it must stand once in the clinician's conversation."""
    REPLY = "reply"
    """The clinician answers in Matrix; one mail must reach the correspondent."""
    COMMAND = "command"
    """The clinician types a command; one answer must come."""
    FILE = "file"
    """A correspondent sends a mail with a file; its text and the file must stand once in the conversation."""
    ROOM = "room"
    """The clinician opens a patient room: one answer, one room, and at its end one word that it is erased."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What is done, and how often is killed."""

    kinds: tuple[Kind, ...]
    """Drawn with equal chances."""
    once: Kind | None
    """Done once a batch."""
    kills_a_batch: int
    rest_s: tuple[float, float]
    """Between two kills: some strike a house that is well again, some one that is still getting up."""


HOUSE = Rhythm((Kind.MAIL, Kind.REPLY, Kind.COMMAND), Kind.ROOM, kills_a_batch=3, rest_s=(4.0, 9.0))
BRIDGE = Rhythm((Kind.MAIL, Kind.FILE, Kind.REPLY, Kind.REPLY), None, kills_a_batch=10, rest_s=(1.5, 5.0))


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


def make_batch(
    seed: int, number: int, *, kills: int, victims: tuple[str, ...], people: int, rhythm: Rhythm = HOUSE
) -> Batch:
    """Batch `number` of the run `seed`."""
    draw = random.Random(f"{seed}/{number}")
    blows = [Kill(draw.choice(victims), at) for at in _times(draw, rhythm.rest_s, count=kills)]
    end = (blows[-1].at_s if blows else 0.0) + 2.0
    times = [at for at in _times(draw, ACT_EVERY_S, count=1 + round(end / ACT_EVERY_S[0])) if at < end]
    times += [blow.at_s - draw.uniform(0, BURST_S) for blow in blows for _ in range(BURST)]
    acts = [
        Act(f"soak{seed}x{number}x{rank}y", draw.choice(rhythm.kinds), draw.randrange(people), at)
        for rank, at in enumerate(sorted(times))
    ]
    if rhythm.once is not None:
        # One room a batch, say: it lives for about that long, so a later batch's kills strike while it ends.
        chosen = draw.randrange(len(acts))
        acts[chosen] = replace(acts[chosen], kind=rhythm.once)
    return Batch(number, tuple(acts), tuple(blows))


def _times(draw: random.Random, between: tuple[float, float], *, count: int) -> list[float]:
    return list(accumulate(draw.uniform(*between) for _ in range(count)))


def batches(
    seed: int, *, kills: int, victims: tuple[str, ...], people: int, begin: int = 0, rhythm: Rhythm = HOUSE
) -> list[Batch]:
    """All batches from number `begin` on that together hold `kills` kills."""
    whole, rest = divmod(kills, rhythm.kills_a_batch)
    sizes = [rhythm.kills_a_batch] * whole + ([rest] if rest else [])
    return [
        make_batch(seed, number, kills=size, victims=victims, people=people, rhythm=rhythm)
        for number, size in enumerate(sizes)
        if number >= begin
    ]
