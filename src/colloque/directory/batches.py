"""Questions with more values than one statement should hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from colloque.directory.engine import Rows

_MOST = 500


def many(rows: Rows, sql: str, values: Iterable[object], *also: object) -> Iterator[tuple[Any, ...]]:
    """The rows of a question that ends in `IN`, for any number of values; `also` stand before them in the SQL."""
    left = iter(values)
    while some := list(islice(left, _MOST)):
        yield from rows(f"{sql} ({', '.join('?' * len(some))})", (*also, *some))
