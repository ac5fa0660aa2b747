"""Logins, and confirmations of what is grave (another encryption identity), by one-time passwords.

The annuaire service made the password and is asked whether it is right: while it does not answer nobody logs in, and
whoever is logged in stays so. Synapse's own passwords are off (`password_config.localdb_enabled: false`).
"""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import Any

from synapse.module_api import ModuleApi

from colloque.calls import Ask
from colloque.errors import ColloqueError
from colloque.policy.admission import Standing
from colloque.synapse.accounts import Accounts
from colloque.synapse.line import ask

logger = logging.getLogger(__name__)

PASSWORD = "m.login.password"  # noqa: S105  a type of login, no secret
_LONGEST = 200
"""Of a password that is worth asking about, in characters."""


class Logins:
    """Registers the check with every Synapse process that answers logins."""

    def __init__(self, api: ModuleApi, accounts: Accounts, socket: Path) -> None:
        self._api = api
        self._accounts = accounts
        self._socket = socket
        self._numbers = itertools.count(1)
        api.register_password_auth_provider_callbacks(auth_checkers={(PASSWORD, ("password",)): self.check})

    async def check(self, username: str, _login_type: str, given: dict[str, Any]) -> tuple[str, None] | None:
        """The account, when the password is right; None when this check does not let it in."""
        password = given.get("password")
        user = self._api.get_qualified_user_id(username)
        if not isinstance(password, str) or not 0 < len(password) <= _LONGEST:
            return None
        if not self._accounts.is_mine(user) or self._accounts.standing(user) is Standing.SERVICE:
            return None
        question = Ask(next(self._numbers), "synapse", "login", {"user": user, "password": password})
        try:
            answer = await self._api.defer_to_thread(ask, self._socket, question)
        except ColloqueError as error:
            logger.warning("colloque.login_unasked code=%s", error.code)
            return None
        return (user, None) if answer.get("ok") is True else None
