"""Reading page by page: what stands behind an empty page is read, and nothing for ever."""

from __future__ import annotations

import pytest

from colloque.matrix.api import JsonDict
from colloque.matrix.pages import pages


@pytest.mark.parametrize(
    ("answers", "begin", "read"),
    [
        ({None: (["a"], "1"), "1": (["b"], None)}, None, ["a", "b"]),
        ({None: ([], "1"), "1": ([], "2"), "2": (["b"], None)}, None, ["b"]),
        ({None: (["a"], "1"), "1": ([], "1")}, None, ["a"]),
        ({"5": (["a"], "4"), "4": (["b"], "5")}, "5", ["a", "b"]),
        ({None: ([], None)}, None, []),
    ],
)
async def test_to_the_end_and_no_further(
    answers: dict[str | None, tuple[list[str], str | None]], begin: str | None, read: list[str]
) -> None:
    asked: list[str | None] = []

    async def ask(token: str | None) -> JsonDict:
        asked.append(token)
        chunk, end = answers[token]
        return {"chunk": chunk} | ({} if end is None else {"end": end})

    assert [each async for page in pages(ask, begin) for each in page["chunk"]] == read
    assert asked == list(answers), "each page once"
