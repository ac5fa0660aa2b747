"""Files that people share: whatever they say of one, it is opened, or refused by its reason."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nio.crypto import encrypt_attachment

from colloque.errors import BadInput, Tampered
from colloque.identity import MxcUri
from colloque.matrix.nio_home import NioHome

SEALED, KEYS = encrypt_attachment(b"radio")
FILE = {**KEYS, "url": "mxc://h.test/1"}
ODD: list[Any] = [None, 7, [], {}, "", True, ["mxc://h.test/1"], "https://h.test/1", "mxc://h.test/../1", "é", "\ud800"]


async def download(content: Any) -> bytes:
    async def stored(mxc: MxcUri) -> bytes:
        assert mxc == FILE["url"]
        return bytes(SEALED)

    home = SimpleNamespace(api=SimpleNamespace(download=stored))
    return await NioHome.download(cast("NioHome", home), content)


def changed(where: str, value: Any) -> dict[str, Any]:
    first, _, second = where.partition(".")
    return {"file": {**FILE, first: {**FILE[first], second: value} if second else value}}


async def test_a_good_one_is_opened() -> None:
    assert await download({"file": FILE}) == b"radio"


@pytest.mark.parametrize("value", ODD)
async def test_what_has_no_address_is_asked_for_nowhere(value: Any) -> None:
    with pytest.raises(BadInput):
        await download(changed("url", value))


@pytest.mark.parametrize("where", ["key", "hashes", "iv", "key.k", "hashes.sha256"])
@pytest.mark.parametrize("value", ODD)
async def test_what_cannot_be_opened_is_refused(where: str, value: Any) -> None:
    with pytest.raises(Tampered if isinstance(value, str) and where not in {"key", "hashes"} else BadInput):
        await download(changed(where, value))


@settings(deadline=None)
@given(st.sampled_from(["iv", "key.k", "hashes.sha256"]), st.text(max_size=60))
async def test_no_text_breaks_it(where: str, value: str) -> None:
    with contextlib.suppress(Tampered):
        found = await download(changed(where, value))
        # The digest is the ciphertext's: under another good key or counter, it opens to something else.
        assert where != "hashes.sha256" or found == b"radio"


@pytest.mark.parametrize("content", [{}, {"file": []}, {"file": "x"}, {"file": None}])
async def test_what_shares_no_file(content: Any) -> None:
    with pytest.raises(BadInput):
        await download(content)
