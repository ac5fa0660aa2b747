"""Encrypted files, read back with matrix-nio's receiving half."""

from __future__ import annotations

import secrets

import pytest
from nio.crypto import decrypt_attachment

from colloque.identity import MxcUri
from colloque_mssante.mapping.attachments import new_keys, seal

MXC = MxcUri("mxc://h.test/1")


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100_000])
def test_a_sealed_file_opens(size: int) -> None:
    data = secrets.token_bytes(size)
    sealed, file = seal(data, new_keys(), MXC)
    assert (file["url"], file["v"]) == (MXC, "v2")
    opened = decrypt_attachment(sealed, file["key"]["k"], file["hashes"]["sha256"], file["iv"])
    assert bytes(opened) == data
    assert size < 16 or sealed != data


def test_the_same_keys_give_the_same_bytes_and_other_keys_others() -> None:
    keys = new_keys()
    assert seal(b"x" * 50, keys, MXC) == seal(b"x" * 50, keys, MXC)
    assert seal(b"x" * 50, new_keys(), MXC)[0] != seal(b"x" * 50, keys, MXC)[0]
