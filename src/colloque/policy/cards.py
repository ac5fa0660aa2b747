"""When somebody's smart card was opposed and no other one serves, a new proof of identity is asked. Pure.

An opposed card was lost, stolen or withdrawn: whoever holds it may have proved themselves with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from colloque.clock import PARIS
from colloque.professional import Card

WITHIN = timedelta(days=7)
"""How long the old proof still holds once a new one is asked."""


def needs_proof(cards: Sequence[Card], proved_at: datetime, now: datetime, asked_at: datetime | None = None) -> bool:
    """A card was opposed since that proof, and none serves today. No card: nothing is known.

    Cards tell the day only. Opposed on the very day of the proof counts, unless the proof answered such a request:
    `asked_at` is when somebody was last asked.
    """
    since, today = proved_at.astimezone(PARIS).date(), now.astimezone(PARIS).date()
    answered = asked_at is not None and asked_at <= proved_at
    days = [card.opposed_on for card in cards if card.opposed_on is not None]
    opposed = any(day > since or (day == since and not answered) for day in days)
    return opposed and not any(_serves(card, today) for card in cards)


def _serves(card: Card, today: date) -> bool:
    begun = card.valid_from is None or card.valid_from <= today
    return card.opposed_on is None and begun and (card.valid_until is None or today <= card.valid_until)
