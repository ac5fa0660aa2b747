"""In which order the servers that a domain names (DNS SRV) are tried: pure (RFC 2782)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SrvRecord:
    """One server. A lower `priority` is tried first; among equals, a heavier `weight` more often."""

    priority: int
    weight: int
    port: int
    target: str
    """Its name, without the final point; empty: the domain has no such service."""


def in_order(records: Collection[SrvRecord], draw: Callable[[int], int]) -> list[SrvRecord]:
    """Those that name a server, in the order of this time. `draw(n)` gives a number from 0 to `n`."""
    left = sorted((r for r in records if r.target), key=lambda r: (r.priority, r.weight))
    found = []
    while left:
        equals = [r for r in left if r.priority == left[0].priority]
        drawn = draw(sum(r.weight for r in equals))
        for record in equals:
            drawn -= record.weight
            if drawn <= 0:
                break
        left.remove(record)
        found.append(record)
    return found
