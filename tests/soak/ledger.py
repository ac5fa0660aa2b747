"""What was done and what came of it. Each act must show exactly once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from colloque.files import write_private


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one batch. Each list holds the acts' keys."""

    batch: int
    kills: int
    acts: int
    lost: Sequence[str]
    doubled: Sequence[str]
    in_doubt: Sequence[str]
    """The house itself said that it can't know whether the mail left."""


def judge(batch: int, kills: int, keys: Iterable[str], seen: Mapping[str, int], doubted: Iterable[str]) -> Verdict:
    """`seen`: how often each key showed where it must show."""
    known = tuple(keys)
    unsure = set(doubted)
    doubled = [k for k in known if seen.get(k, 0) > 1]
    missing = [k for k in known if not seen.get(k)]
    return Verdict(
        batch,
        kills,
        len(known),
        lost=[k for k in missing if k not in unsure],
        doubled=doubled,
        in_doubt=[k for k in known if k in unsure],
    )


@dataclass
class Ledger:
    """The run so far, on disk after each batch: a run that was cut short goes on with the next batch."""

    path: Path
    plan: dict[str, Any]
    """What the run was asked to do; another plan starts afresh."""
    verdicts: list[Verdict] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path, plan: dict[str, Any]) -> Ledger:
        """Take up an unfinished run of the same plan, or begin one."""
        ledger = cls(path, plan)
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["plan"] == plan:
                ledger.verdicts = [Verdict(*one) for one in kept["verdicts"]]
        return ledger

    def add(self, verdict: Verdict) -> None:
        """Note a finished batch, durably."""
        self.verdicts.append(verdict)
        self.path.parent.mkdir(exist_ok=True)
        kept = {"plan": self.plan, "verdicts": [astuple(v) for v in self.verdicts]}
        write_private(self.path, json.dumps(kept, indent=1) + "\n")

    def close(self) -> None:
        """The run is over: the next one begins afresh."""
        self.path.unlink(missing_ok=True)

    def totals(self) -> Counter[str]:
        """kills, acts, lost, doubled, in_doubt."""
        count: Counter[str] = Counter()
        for verdict in self.verdicts:
            count.update(kills=verdict.kills, acts=verdict.acts, lost=len(verdict.lost))
            count.update(doubled=len(verdict.doubled), in_doubt=len(verdict.in_doubt))
        return count
