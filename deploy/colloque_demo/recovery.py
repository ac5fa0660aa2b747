"""A person's cross-signing keys, kept on the server under a recovery key, as every Matrix client does it.

Whoever has the password and this key can log in elsewhere and verify that new session.
Source: Matrix client-server API, "Secrets" (m.secret_storage.v1.aes-hmac-sha2).
"""

from __future__ import annotations

import secrets
from typing import Any

from mautrix.crypto.ssss.key import Key

from colloque.identity import UserId
from colloque.matrix.api import CLIENT, MatrixApi, path
from colloque.matrix.crosssign import Seeds

_DEFAULT_KEY = "m.secret_storage.default_key"


async def store(api: MatrixApi, user: UserId, seeds: Seeds) -> str:
    """Encrypt the three private keys into the account's data; the recovery key, in groups of four characters.

    Raises HomeUnavailable, HomeRefused. Written in an order in which a crash leaves nothing half usable: the
    default key is named last.
    """
    key = Key.generate()
    key.id = secrets.token_hex(16)
    named = {
        "m.cross_signing.master": seeds.master,
        "m.cross_signing.self_signing": seeds.self_signing,
        "m.cross_signing.user_signing": seeds.user_signing,
    }
    await _put(api, user, f"m.secret_storage.key.{key.id}", key.metadata.serialize())
    for name, seed in named.items():
        sealed = key.encrypt(name, seed)  # encoded as base64 by it, as the secret is written
        await _put(api, user, name, {"encrypted": {key.id: sealed.serialize()}})
    await _put(api, user, _DEFAULT_KEY, {"key": key.id})
    return key.recovery_key


async def _put(api: MatrixApi, user: UserId, type_: str, content: Any) -> None:
    await api.call("PUT", path(CLIENT, "user", user, "account_data", type_), content)
