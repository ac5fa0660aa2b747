"""Keys: their files, their signatures, and the secret that two of them share."""

from __future__ import annotations

from pathlib import Path

import nacl.bindings
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from colloque.errors import BadInput, Tampered
from colloque.federation.ed25519 import PrivateKey, _montgomery, verify
from colloque.files import write_private

KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()


def test_a_key_comes_back_from_its_file(tmp_path: Path) -> None:
    write_private(tmp_path / "key.pem", KEY.pem())
    assert PrivateKey.load(tmp_path / "key.pem").public == KEY.public
    (tmp_path / "key.pem").chmod(0o640)
    with pytest.raises(Tampered):
        PrivateKey.load(tmp_path / "key.pem")


def test_what_is_no_such_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    curve = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"", b"key", curve):
        write_private(path, content)
        with pytest.raises(BadInput):
            PrivateKey.load(path)
    with pytest.raises(FileNotFoundError):
        PrivateKey.load(tmp_path / "none.pem")


def test_a_signature_is_one_keys_over_one_message() -> None:
    signature = KEY.sign(b"message")
    assert verify(KEY.public, signature, b"message")
    assert not verify(OTHER.public, signature, b"message")
    assert not verify(KEY.public, signature, b"Message")
    assert not verify(KEY.public, signature[:-1], b"message")
    assert not verify(b"short", signature, b"message")


def test_two_keys_share_one_secret_and_others_do_not() -> None:
    assert KEY.shared(OTHER.public) == OTHER.shared(KEY.public)
    assert KEY.shared(OTHER.public) != KEY.shared(PrivateKey.generate().public)


def test_the_montgomery_form_is_libsodiums() -> None:
    for _ in range(20):
        key = PrivateKey.generate()
        assert _montgomery(key.public) == nacl.bindings.crypto_sign_ed25519_pk_to_curve25519(key.public)


@pytest.mark.parametrize("public", [b"\x01" + bytes(31), bytes(32)])
def test_a_key_of_small_order_shares_nothing(public: bytes) -> None:
    with pytest.raises(Tampered):
        KEY.shared(public)
