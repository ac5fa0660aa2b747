"""What a bench finds, and when a goal counts as met."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Met = Literal[True, False, "undecided"]


@dataclass(frozen=True, slots=True)
class Goal:
    """Lower is better everywhere: `value <= most`."""

    most: float

    def judge(self, low: float, high: float) -> Met:
        """True or False only when the whole interval stands on one side."""
        if high <= self.most:
            return True
        return False if low > self.most else "undecided"

    def __str__(self) -> str:
        return f"<= {self.most:g}"


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table and of `.bench/results.json`."""

    name: str
    value: float
    unit: str
    peer: str
    """What it is measured against; empty when against nothing but the goal."""
    goal: str
    met: Met
    command: str
    interval: tuple[float, float]
    """95 % for a ratio; the least and the most of a few runs otherwise."""

    def as_json(self) -> dict[str, Any]:
        """The file's form."""
        return asdict(self)


def result(
    name: str, value: float, unit: str, goal: Goal, *, peer: str = "", interval: tuple[float, float] | None = None
) -> Result:
    """Judge and wrap up; rounded to what the measurement bears."""
    low, high = interval or (value, value)
    met = goal.judge(low, high)
    return Result(
        name, round(value, 3), unit, peer, str(goal), met, f"make bench ONLY={name}", (round(low, 3), round(high, 3))
    )
