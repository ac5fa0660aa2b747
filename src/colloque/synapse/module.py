"""Nobody unverified gets in: the module that every Synapse process loads. Runs on unmodified Synapse 1.163.

    modules:
      - module: colloque.synapse.module.ColloqueModule
        config: {snapshot: …, snapshot_key: …, socket: …, bots: […], ghost_prefix: mss_, staff: […]}

Every decision is `policy.admission`'s, over attestations in memory. Whatever goes wrong here refuses. Clients get
M_FORBIDDEN with the reason's code as `fr.colloque.code`; the person is told why by `@annuaire` (see `reports`).

Which callback sees what (Synapse 1.163.2): invitations and joins of ours are asked about before anything is made, but
not those of server administrators; `check_event_allowed` sees every event made here, administrators' too, and templates
for other servers' memberships, but nothing that comes from elsewhere; `check_event_for_spam` sees all that comes from
elsewhere, and of ours everything but memberships. Together they leave nothing out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from synapse.module_api import NOT_SPAM, EventBase, ModuleApi, Requester, RoomAlias, StateMap, UserProfile
from synapse.module_api.errors import ConfigError as SynapseConfigError
from synapse.module_api.errors import SynapseError

from colloque.book import AttestationBook, read_secret
from colloque.clock import SystemClock
from colloque.errors import ConfigError
from colloque.policy.admission import Allowed, Reason, Refused, Standing, Verdict, may_create, may_join
from colloque.policy.room_request import ENCRYPTION, GUESTS, MEGOLM, RoomRequest
from colloque.synapse.accounts import Accounts
from colloque.synapse.autojoin import AutoJoin
from colloque.synapse.holds import Holds
from colloque.synapse.inbound import Inbound
from colloque.synapse.inspection import Inspection
from colloque.synapse.judge import Judge
from colloque.synapse.logins import Logins
from colloque.synapse.reports import Reports
from colloque.synapse.settings import Settings, parse
from colloque.synapse.touches import guard_event_checks, whitelist
from colloque.synapse.verdicts import Answer, Verdicts, log_failure

_CLOSED: tuple[dict[str, Any], ...] = (
    {"type": ENCRYPTION, "state_key": "", "content": {"algorithm": MEGOLM}},
    # Synapse's own preset for private rooms lets guests in.
    {"type": GUESTS, "state_key": "", "content": {"guest_access": "forbidden"}},
)
FOLLOW_S = 1.0
"""Between two looks at the snapshot's files where nothing is being decided: so a server that was removed is cut off."""


class ColloqueModule:
    """Registers the callbacks. Raises Tampered at start when the key file is readable by others."""

    def __init__(self, config: Settings, api: ModuleApi) -> None:
        self._api = api
        self._clock = SystemClock()
        self._book = AttestationBook(config.snapshot, read_secret(config.snapshot_key))
        self._whitelist = whitelist(api)
        self._accounts = Accounts(config, self._book, self._clock, api.is_mine)
        self._reports = Reports(api, config.socket)
        self._verdicts = Verdicts(self._reports)
        holds = Holds(api, self._accounts, self._clock)
        self._judge = Judge(api, self._accounts, holds)
        self._autojoin = AutoJoin(api, config, self._accounts, self._judge)
        inspection = Inspection(api, self._accounts, self._reports)
        inbound = Inbound(self._accounts, self._judge, self._verdicts, self._reports, inspection.entered)
        api.register_spam_checker_callbacks(
            user_may_create_room=self.user_may_create_room,
            user_may_invite=self.user_may_invite,
            user_may_send_3pid_invite=self.user_may_send_3pid_invite,
            user_may_join_room=self.user_may_join_room,
            user_may_create_room_alias=self.user_may_create_room_alias,
            user_may_publish_room=self.user_may_publish_room,
            federated_user_may_invite=inbound.federated_user_may_invite,
            check_event_for_spam=inbound.check_event_for_spam,
            check_username_for_spam=self.check_username_for_spam,
        )
        api.register_third_party_rules_callbacks(
            on_create_room=self.on_create_room,
            check_event_allowed=self.check_event_allowed,
            check_can_shutdown_room=holds.may_shut_down,
            check_threepid_can_be_invited=self.check_threepid_can_be_invited,
            check_visibility_can_be_modified=self.check_visibility_can_be_modified,
        )
        api.register_account_validity_callbacks(
            on_user_registration=self.on_user_registration,
            on_user_login=self.on_user_login,
        )
        self._logins = Logins(api, self._accounts, config.socket)
        guard_event_checks(api, self.check_event_allowed)
        self._follow()
        api.looping_background_call(self._follow, FOLLOW_S * 1000, desc="colloque_follow", run_on_all_instances=True)

    @staticmethod
    def parse_config(config: Mapping[str, Any]) -> Settings:
        """Called by Synapse first. Raises Synapse's own ConfigError, which names every problem."""
        try:
            return parse(config)
        except ConfigError as error:
            raise SynapseConfigError("; ".join(map(str, error.problems))) from None

    def _follow(self) -> None:
        """Take in what was published; exactly the listed servers, while the list is in force, may talk to us."""
        self._book.refresh()
        now: datetime = self._clock.now()
        wanted = {name for name in self._book.state.listed if self._book.is_listed(name, now)}
        for name in self._whitelist.keys() - wanted:
            del self._whitelist[name]
        for name in wanted:
            self._whitelist[name] = True

    # Rooms

    async def on_create_room(self, requester: Requester, config: dict[str, Any], is_admin: bool) -> None:
        """Close what was not said; and ask the rule for administrators, whom Synapse would let through."""
        state = config.setdefault("initial_state", [])
        if isinstance(state, list):
            said = {(s.get("type"), s.get("state_key", "")) for s in state if isinstance(s, dict)}
            state += [s for s in _CLOSED if (s["type"], "") not in said]
        if is_admin:
            answer = await self.user_may_create_room(requester.user.to_string(), config)
            if answer != NOT_SPAM:
                raise SynapseError(403, "You are not permitted to create rooms", answer[0], answer[1])

    async def user_may_create_room(self, user: str, room_config: dict[str, Any]) -> Answer:
        """Rooms created and upgraded by people of this server."""

        async def decide() -> Verdict:
            request = RoomRequest.read(room_config)
            actor = self._accounts.person(user)
            # A bot creates for the owner; nobody else's word on the owner counts.
            asks = request.owner if actor.standing is Standing.SERVICE else user
            concerned = {*request.invitees, *([request.owner] if request.owner else [])}
            return may_create(
                actor,
                request,
                {each: self._accounts.person(each) for each in concerned},
                lambda each: self._accounts.refuses(each, asks),
            )

        return await self._verdicts.answer("create_room", user, "", decide())

    async def check_event_allowed(
        self, event: EventBase, state: StateMap[EventBase]
    ) -> tuple[bool, dict[str, Any] | None]:
        """State events made here, and templates of memberships. Raises SynapseError where the answer is no."""
        if event.is_state():
            member = event.type == "m.room.member"
            act = str(event.content.get("membership", "change")) if member else "change"
            other = (event.get_state_key() or "") if member and event.get_state_key() != event.sender else ""
            await self._verdicts.demand(act, event.sender, other, self._judge.state_event(event, state))
        return True, None

    async def user_may_create_room_alias(self, user: str, _alias: RoomAlias) -> Answer:
        """Addresses of rooms: none."""
        return await self._verdicts.answer("alias", user, "", _no(Reason.ALIAS))

    async def user_may_publish_room(self, user: str, _room_id: str) -> Answer:
        """The public list of rooms: empty."""
        return await self._verdicts.answer("publish", user, "", _no(Reason.ROOM_PUBLIC))

    async def check_visibility_can_be_modified(self, _room: str, _state: StateMap[EventBase], visibility: str) -> bool:
        """The same, by whatever other way."""
        return visibility != "public"

    # Invitations and joins

    async def user_may_invite(self, inviter: str, invitee: str, room_id: str) -> Answer:
        """Invitations by people of this server. (Those from elsewhere were judged as such, just before.)"""
        if not self._accounts.is_mine(inviter):
            return NOT_SPAM

        async def decide() -> Verdict:
            verdict = await self._judge.invite(inviter, invitee, room_id, None)
            us, them = self._accounts.standing(inviter), self._accounts.standing(invitee)
            if us is Standing.SERVICE and them is not Standing.SERVICE and isinstance(verdict, Allowed):
                self._autojoin.expect(inviter, invitee, room_id)
            return verdict

        return await self._verdicts.answer("invite", inviter, invitee, decide())

    async def user_may_join_room(self, user: str, room_id: str, is_invited: bool) -> Answer:
        """Joins by people of this server, invited or not."""

        async def decide() -> Verdict:
            inside, room = await self._judge.room(room_id)
            if not inside:
                # Of a room elsewhere we know that the invitation was fit; the inspection looks at the rest.
                return may_join(self._accounts.person(user), "") if is_invited else Refused(Reason.NOT_INVITED)
            return await self._judge.join(user, room, room_id, None)

        return await self._verdicts.answer("join", user, "", decide())

    async def check_threepid_can_be_invited(self, _medium: str, _address: str, _state: StateMap[EventBase]) -> bool:
        """Nobody is invited by mail address or telephone.

        Asked before Synapse sends the address to an identity server; the inviter is not told to us here, so this
        refusal alone is not reported.
        """
        return False

    async def user_may_send_3pid_invite(self, inviter: str, _medium: str, _address: str, _room_id: str) -> Answer:
        """The same, where Synapse asks here first."""
        return await self._verdicts.answer("third_party", inviter, "", _no(Reason.THIRD_PARTY))

    # Accounts

    async def check_username_for_spam(self, user_profile: UserProfile, _requester: str) -> bool:
        """True hides an account from the user directory: all but verified people and our bots."""
        shown = {Standing.SERVICE, Standing.ATTESTED, Standing.SUPERVISED, Standing.FROZEN, Standing.REMOTE_ATTESTED}
        try:
            return self._accounts.standing(user_profile["user_id"]) not in shown
        except Exception as error:  # noqa: BLE001  fail closed
            log_failure("directory", error)
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
            log_failure("account", error)


async def _no(reason: Reason) -> Verdict:
    return Refused(reason)
