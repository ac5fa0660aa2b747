"""So many acts at once, then evenly so many in a time. In memory: a restart allows the first ones again."""

from __future__ import annotations

from colloque.clock import monotonic


class Drip:
    """One instance for all acts of a kind."""

    def __init__(self, most: int, per_s: float) -> None:
        self._most, self._rate = float(most), most / per_s
        self._left, self._at = float(most), monotonic()

    @property
    def empty(self) -> bool:
        """Nothing may be done now."""
        now = monotonic()
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left < 1

    def take(self) -> bool:
        """True when one more may be done now: it counts."""
        if self.empty:
            return False
        self._left -= 1
        return True
