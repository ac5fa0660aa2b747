"""Nobody unverified gets in: the module that every Synapse process loads. Runs on unmodified Synapse 1.163.

    modules:
      - module: colloque.synapse.module.ColloqueModule
        config: {snapshot: …, snapshot_key: …, socket: …, bots: […], ghost_prefix: mss_, staff: […]}

Every decision is `policy.admission`'s, over attestations in memory. Whatever goes wrong here refuses. Clients get
M_FORBIDDEN with the reason's code as `fr.colloque.code`; the person is told why by `@annuaire` (see `reports`).
Server administrators skip Synapse's invite and join callbacks: our bots must not be administrators, and no
administrator account takes part in rooms.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, Literal

from synapse.module_api import NOT_SPAM, EventBase, ModuleApi, Requester, StateMap, UserProfile
from synapse.module_api.errors import Codes, SynapseError
from synapse.module_api.errors import ConfigError as SynapseConfigError

from colloque.book import AttestationBook, read_secret
from colloque.clock import SystemClock
from colloque.errors import ConfigError
from colloque.policy.admission import (
    ALLOWED,
    MEGOLM,
    Allowed,
    Reason,
    Refused,
    RoomRequest,
    Standing,
    Verdict,
    may_create,
    may_invite,
    may_join,
)
from colloque.rooms.mark import ROOM_MARK
from colloque.synapse.accounts import Accounts
from colloque.synapse.autojoin import AutoJoin
from colloque.synapse.reports import Reports
from colloque.synapse.settings import Settings, parse

CODE_FIELD = "fr.colloque.code"
"""Where a refusal's code stands in the error that clients get."""

Answer = Literal["NOT_SPAM"] | tuple[Codes, dict[str, Any]]

logger = logging.getLogger(__name__)


class ColloqueModule:
    """Registers the callbacks. Raises Tampered at start when the key file is readable by others."""

    def __init__(self, config: Settings, api: ModuleApi) -> None:
        self._api = api
        book = AttestationBook(config.snapshot, read_secret(config.snapshot_key))
        self._accounts = Accounts(config, book, SystemClock(), api.is_mine)
        self._reports = Reports(api, config.socket)
        self._autojoin = AutoJoin(api, config, self._accounts)
        api.register_spam_checker_callbacks(
            user_may_create_room=self.user_may_create_room,
            user_may_invite=self.user_may_invite,
            federated_user_may_invite=self.federated_user_may_invite,
            user_may_join_room=self.user_may_join_room,
            check_username_for_spam=self.check_username_for_spam,
        )
        api.register_third_party_rules_callbacks(
            on_create_room=self.on_create_room,
            check_threepid_can_be_invited=self.check_threepid_can_be_invited,
        )
        api.register_account_validity_callbacks(
            on_user_registration=self.on_user_registration,
            on_user_login=self.on_user_login,
        )

    @staticmethod
    def parse_config(config: Mapping[str, Any]) -> Settings:
        """Called by Synapse first. Raises Synapse's own ConfigError, which names every problem."""
        try:
            return parse(config)
        except ConfigError as error:
            raise SynapseConfigError("; ".join(map(str, error.problems))) from None

    async def on_create_room(self, requester: Requester, config: dict[str, Any], is_admin: bool) -> None:
        """Encrypt what would not be; and ask the rule for administrators, whom Synapse would let through."""
        state = config.setdefault("initial_state", [])
        if isinstance(state, list) and not any(map(_sets_encryption, state)):
            state.append({"type": _ENCRYPTION, "state_key": "", "content": {"algorithm": MEGOLM}})
        if is_admin:
            answer = await self.user_may_create_room(requester.user.to_string(), config)
            if answer != NOT_SPAM:
                raise SynapseError(403, "You are not permitted to create rooms", answer[0], answer[1])

    async def user_may_create_room(self, user: str, room_config: dict[str, Any]) -> Answer:
        """Rooms created and upgraded by people of this server."""

        async def decide() -> Verdict:
            request = RoomRequest.read(room_config)
            invitees = {invitee: self._accounts.standing(invitee) for invitee in request.invitees}
            return may_create(self._accounts.standing(user), request, invitees)

        return await self._answer("create_room", user, "", decide())

    async def user_may_invite(self, inviter: str, invitee: str, room_id: str) -> Answer:
        """Invitations by people of this server, and those from elsewhere that came so far."""

        async def decide() -> Verdict:
            us, them = self._accounts.standing(inviter), self._accounts.standing(invitee)
            verdict = may_invite(us, them, await self._kind(room_id) if us is Standing.SERVICE else "")
            if us is Standing.SERVICE and them is not Standing.SERVICE and isinstance(verdict, Allowed):
                self._autojoin.expect(inviter, invitee, room_id)
            return verdict

        return await self._answer("invite", inviter, invitee, decide())

    async def federated_user_may_invite(self, event: EventBase) -> Answer:
        """Invitations from other servers: none, as long as no server is connected."""

        async def decide() -> Verdict:
            return Refused(Reason.REMOTE)

        return await self._answer("invite", event.sender, event.state_key or "", decide())

    async def user_may_join_room(self, user: str, room_id: str, is_invited: bool) -> Answer:  # noqa: ARG002
        """Joins by people of this server, invited or not."""

        async def decide() -> Verdict:
            who = self._accounts.standing(user)
            verdict = may_join(who, "")
            return verdict if isinstance(verdict, Allowed) else may_join(who, await self._kind(room_id))

        return await self._answer("join", user, "", decide())

    async def check_threepid_can_be_invited(self, _medium: str, _address: str, _state: StateMap[EventBase]) -> bool:
        """Nobody is invited by mail address or telephone.

        Asked before Synapse sends the address to an identity server (`user_may_send_3pid_invite` comes after); the
        inviter is not told to us here, so this refusal alone is not reported.
        """
        return False

    async def check_username_for_spam(self, user_profile: UserProfile, _requester: str) -> bool:
        """True hides an account from the user directory: all but verified people and our bots."""
        try:
            return self._accounts.standing(user_profile["user_id"]) not in {Standing.ATTESTED, Standing.SERVICE}
        except Exception as error:  # noqa: BLE001  fail closed
            _log_failure("directory", error)
            return True

    async def on_user_registration(self, user: str) -> None:
        """A new account needs its home room."""
        self._report_account(user)

    async def on_user_login(self, user: str, _provider_type: str | None, _provider_id: str | None) -> None:
        """Asked at every login: repairs what a crash left without a home room."""
        self._report_account(user)

    def _report_account(self, user: str) -> None:
        try:
            if self._accounts.standing(user) is not Standing.SERVICE:
                self._reports.account(user)
        except Exception as error:  # noqa: BLE001  a report must not break a login
            _log_failure("account", error)

    async def _kind(self, room_id: str) -> str:
        return self._accounts.room(await self._api.get_room_state(room_id, [(ROOM_MARK, "")])).kind

    async def _answer(self, act: str, actor: str, other: str, deciding: Awaitable[Verdict]) -> Answer:
        try:
            verdict = await deciding
        except Exception as error:  # noqa: BLE001  fail closed
            _log_failure(act, error)
            verdict = Refused(Reason.INTERNAL)
        if verdict == ALLOWED:
            return NOT_SPAM
        assert isinstance(verdict, Refused)
        self._reports.refused(actor, verdict.other or other, act, verdict.reason.value)
        return Codes.FORBIDDEN, {CODE_FIELD: verdict.reason.value}


_ENCRYPTION = "m.room.encryption"


def _sets_encryption(state: object) -> bool:
    return isinstance(state, dict) and state.get("type") == _ENCRYPTION and state.get("state_key", "") == ""


def _log_failure(act: str, error: Exception) -> None:
    """The type and the place only: words and arguments may hold ids."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    name = Path(place.filename).name
    logger.error("colloque.decision_failed act=%s error=%s at %s:%s", act, type(error).__name__, name, place.lineno)
