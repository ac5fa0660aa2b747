"""Logins and questions at Pro Santé Connect. Tokens go to whoever asks for them; none is kept here, none logged."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import timedelta

import aiohttp

from colloque.clock import Clock, monotonic
from colloque.config_psc import PscConfig
from colloque.errors import NotFound, Refused, Tampered
from colloque.identity import Rpps
from colloque.patience import patiently
from colloque.policy.jws import JsonDict, strict_json
from colloque.psc.authorize import ACR, SCOPE, Begun, Pending, begun
from colloque.psc.claims import Identity, No, identity
from colloque.psc.http_wire import TIMEOUT_S, PscClientRefused, PscUnavailable, Wire
from colloque.psc.id_token import Expected, Keys, UnknownKey, check, read_keys
from colloque.psc.tokens import Tokens, read_tokens

BUDGET_S = 15.0
"""How long what follows a used-up code (keys, userinfo) is tried again: the code can't be used twice."""
KEYS_KEEP_S = 3_600.0
"""A key that Pro Santé Connect withdrew is believed no longer than that."""
REFETCH_S = 60.0
"""Between two looks for a key that we don't know: tokens made up can't make us hammer."""
SLOWER_S = 5.0
"""What `slow_down` adds to the interval (OpenID Connect CIBA, 11)."""
INTERVAL_S = 5.0
"""When Pro Santé Connect names none (idem, 7.3)."""
INTERVAL_MAX_S = 60.0
CIBA_GRANT = "urn:openid:params:grant-type:ciba"

_REASONS = {
    "access_denied": No.DENIED,
    "expired_token": No.EXPIRED,
    "invalid_grant": No.GONE,
    "unknown_user_id": No.UNKNOWN_PERSON,
}


class Provider:
    """One instance for all callers: they share the keys.

    Everything raises PscUnavailable (try again), PscClientRefused (an operator must look), Tampered (an answer that
    is not to be believed), Refused (`claims.No`).
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        config: PscConfig,
        clock: Clock,
        *,
        test: bool = False,
        timeout_s: float = TIMEOUT_S,
        budget_s: float = BUDGET_S,
    ) -> None:
        """`test` admits fictive numbers. Raises ConfigError without readable trust anchors."""
        self._wire = Wire(http, config, timeout_s)
        self._config = config
        self._clock = clock
        self._test = test
        self._budget_s = budget_s
        self._keys: Keys = {}
        self._keys_at: float | None = None
        self._looked_again_at: float | None = None
        self._lock = asyncio.Lock()

    # in a browser

    def begin(self, redirect_uri: str) -> Begun:
        """A new login. What comes back goes to `authorize.code_of`, then to `finish` with the same `Begun`."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return begun(self._config, redirect_uri, state=state, nonce=nonce, verifier=verifier)

    async def finish(self, code: str, begun: Begun, redirect_uri: str) -> Identity:
        """Who logged in. A code is good for one try: after any error the person begins anew."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": begun.verifier,
        }
        status, told = await self._wire.post(self._config.token, form)
        if status != 200:
            raise _refusal(status, told)
        return (await self._who(told, begun.nonce))[0]

    # on the phone (CIBA, poll mode)

    async def start(self, rpps: Rpps, binding: str) -> Pending:
        """Ask on the professional's phone, which shows `binding` (two digits), as the asker's screen does.

        Raises NotFound where CIBA is not configured.
        """
        if self._config.ciba is None:
            raise NotFound("psc: ciba is not configured")
        form = {"scope": SCOPE, "login_hint": rpps.national, "binding_message": binding, "acr_values": ACR}
        asked_at = self._clock.now()
        status, told = await self._wire.post(self._config.ciba, form)
        if status != 200:
            raise _refusal(status, told)
        auth_req_id, life = told.get("auth_req_id"), _seconds(told, "expires_in", None)
        if not isinstance(auth_req_id, str) or not 0 < len(auth_req_id) <= 4096 or life is None:
            raise Tampered("psc: the answer to a question is not understood")
        interval = min(_seconds(told, "interval", INTERVAL_S) or 0.0, INTERVAL_MAX_S)
        return Pending(rpps, auth_req_id, asked_at + timedelta(seconds=min(life, 3600.0)), interval)

    async def poll(self, pending: Pending) -> Identity | Pending:
        """Who answered; or what to poll next, while nobody did. The answer is given once: keep it before anything."""
        told = await self._answer(pending)
        return told if isinstance(told, Pending) else (await self._who_answered(pending, told))[0]

    async def poll_tokens(self, pending: Pending) -> Tokens | Pending:
        """The same, for who is known already and needs what their approval opens."""
        asked_at = self._clock.now()
        told = await self._answer(pending)
        if isinstance(told, Pending):
            return told
        _, sub = await self._who_answered(pending, told)
        return read_tokens(told, sub, asked_at)

    async def _answer(self, pending: Pending) -> JsonDict | Pending:
        status, told = await self._wire.post(
            self._config.token, {"grant_type": CIBA_GRANT, "auth_req_id": pending.auth_req_id}
        )
        if status != 200:
            match told.get("error"):
                case "authorization_pending":
                    return pending
                case "slow_down":
                    return replace(pending, interval_s=min(pending.interval_s + SLOWER_S, INTERVAL_MAX_S))
            raise _refusal(status, told)
        return told

    async def _who_answered(self, pending: Pending, told: JsonDict) -> tuple[Identity, str]:
        who, sub = await self._who(told, None)
        if who.rpps != pending.rpps:
            raise Refused(No.OTHER_PERSON)
        return who, sub

    # a session that goes on

    async def renew(self, tokens: Tokens) -> Tokens:
        """The next ones: keep them at once (the old may be worth nothing now), and show them to nobody before `owner`.

        Refused: the session is over.
        """
        asked_at = self._clock.now()
        status, told = await self._wire.post(
            self._config.token, {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
        )
        if status != 200:
            raise _refusal(status, told)
        return read_tokens(told, tokens.sub, asked_at)

    async def owner(self, tokens: Tokens) -> Rpps:
        """Whose they are, asked anew. Raises Tampered where that is not who they were given to."""
        info = await self._userinfo(tokens.access)
        if info.get("sub") != tokens.sub:
            raise Tampered("psc: a renewed token is another person's")
        return identity(info, test=self._test).rpps

    # both

    async def _who(self, told: JsonDict, nonce: str | None) -> tuple[Identity, str]:
        """With the name (`sub`) that Pro Santé Connect gives them."""
        expected = Expected(self._config.issuer, self._config.client_id, nonce)
        token, access = told.get("id_token"), told.get("access_token")
        kind = told.get("token_type")
        if not isinstance(access, str) or not access.isprintable() or str(kind).lower() != "bearer":
            raise Tampered("psc: the answer holds no access token")
        claims = await self._checked(token, expected)
        info = await patiently(lambda: self._userinfo(access), for_s=self._budget_s)
        if info.get("sub") != claims["sub"]:
            raise Tampered("psc: the token and the person's data are of two people")
        return identity(info, test=self._test), str(claims["sub"])

    async def _checked(self, token: object, expected: Expected) -> JsonDict:
        keys = await self._known_keys()
        try:
            return check(token, keys, expected, self._clock.now())
        except UnknownKey:
            if not await self._look_again(keys):
                raise
        return check(token, self._keys, expected, self._clock.now())

    async def _known_keys(self) -> Keys:
        async with self._lock:
            if self._keys_at is None or monotonic() - self._keys_at > KEYS_KEEP_S:
                await patiently(self._fetch_keys, for_s=self._budget_s)
            return self._keys

    async def _look_again(self, seen: Keys) -> bool:
        """Fetch the keys once more for a name that is not among them. False when that was done a moment ago."""
        async with self._lock:
            if self._keys is not seen:
                return True
            if self._looked_again_at is not None and monotonic() - self._looked_again_at < REFETCH_S:
                return False
            self._looked_again_at = monotonic()
            await patiently(self._fetch_keys, for_s=self._budget_s)
            return True

    async def _fetch_keys(self) -> None:
        status, raw = await self._wire.get(self._config.jwks)
        if status != 200:
            raise Tampered(f"psc: the keys' place answers {status}")
        self._keys, self._keys_at = read_keys(raw), monotonic()

    async def _userinfo(self, access: str) -> JsonDict:
        status, raw = await self._wire.get(self._config.userinfo, bearer=access)
        if status != 200:
            raise Tampered(f"psc: userinfo answers {status}")
        return strict_json(raw)


def _refusal(status: int, told: JsonDict) -> Exception:
    error = told.get("error")
    if error in {"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_request"}:
        return PscClientRefused(f"psc refuses our service: {error}")
    if error in {"temporarily_unavailable", "server_error"}:
        return PscUnavailable(f"psc answers {status}")
    if not isinstance(error, str):
        return Tampered(f"psc answers {status} and does not say why")
    return Refused(_REASONS.get(error, No.FAILED))


def _seconds(told: JsonDict, name: str, default: float | None) -> float | None:
    value = told.get(name, default)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else default
