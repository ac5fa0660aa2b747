"""What every user of the directory may ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from colloque.identity import MssanteAddress, Rpps
from colloque.professional import Mailbox, Professional


@dataclass(frozen=True, slots=True)
class Freshness:
    """Of which moment the directory speaks, and how much it holds."""

    made_at: datetime
    """The extraction's own time (from its file name), aware UTC."""
    imported_at: datetime
    people: int
    mailboxes: int


class Directory(Protocol):
    """Read access to the directory. Never guesses: every address and activity is returned."""

    def by_rpps(self, rpps: Rpps) -> Professional | None:
        """The person, whole; None when the directory does not list them."""
        ...

    def by_mssante(self, address: MssanteAddress) -> Mailbox | None:
        """The mailbox with that address (its `rpps` leads to the person); None when not listed."""
        ...

    def freshness(self) -> Freshness:
        """Raises NotFound when nothing was imported yet."""
        ...
