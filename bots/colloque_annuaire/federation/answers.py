"""What other servers may ask of ours. Each question names one account or one number; none is answered with a list."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from colloque.clock import Clock, from_millis
from colloque.errors import BadIdentifier, BadInput, Refused
from colloque.federation.http_server import Api, Limit
from colloque.identity import UserId, parse_user_id, server_of
from colloque.policy.exchange import WINDOW
from colloque.policy.jws import JsonDict
from colloque_annuaire.federation.accounts import Accounts
from colloque_annuaire.federation.meeting import Meetings
from colloque_annuaire.federation.people import NOT_ATTESTED, REVOKED, Crossing
from colloque_annuaire.store.federation_own import OwnAbroad

ATTESTATION, REVOCATIONS, RETURNED = "attestation", "revocations", "returned"
ACCOUNT, MOVE = "account", "move"
MAX_REVOKED = 100
"""Accounts in one push."""

_LIMITS = {
    # A server of 25,000 people who each meet somebody new every other day asks about 10 times a minute.
    ATTESTATION: Limit(120, 60),
    REVOCATIONS: Limit(120, 60),
    RETURNED: Limit(120, 60),
    # One question an enrolment: an establishment's first morning, not a walk through the directory.
    ACCOUNT: Limit(500, 3600),
    MOVE: Limit(60, 3600),
}


class Answers:
    """One method a question; `server` is whose signature the request bears."""

    def __init__(
        self, *, us: str, crossing: Crossing, meetings: Meetings, accounts: Accounts, own: OwnAbroad, clock: Clock
    ) -> None:
        self._us = us
        self._crossing = crossing
        self._accounts = accounts
        self._own = own
        self._meetings = meetings
        self._clock = clock

    def register(self, api: Api) -> None:
        """All of them."""
        for name, answer in (
            (ATTESTATION, self.attestation),
            (REVOCATIONS, self.revocations),
            (RETURNED, self.returned),
            (ACCOUNT, self.account),
            (MOVE, self.move),
        ):
            api.add(name, answer, _LIMITS[name])

    async def attestation(self, server: str, body: JsonDict) -> JsonDict:
        """`{"user", "presented"}`: ours, against theirs. Both sides then know both people.

        Without `presented` only for somebody whom that server knows already: it asks whether they still are attested.
        """
        user = _own(body.get("user"), self._us)
        if body.get("presented") is None:
            if not await self._own.was_given(user, server):
                raise Refused("asker_missing")
        else:
            await self._meet(server, user, _signed(body["presented"], "presented"))
        return {"attestation": await self._crossing.present(user, server)}

    async def _meet(self, server: str, user: UserId, presented: str) -> None:
        with self._crossing.exchange(server):
            try:
                checked = await self._crossing.check(presented, server)
                attested = await self._crossing.attested(user) is not None
                if attested:
                    theirs, new = await self._crossing.take(checked)
                    if new:
                        await self._meetings.note_met(user, theirs.user)
            except Refused as error:
                raise Refused(f"asker.{error.reason}") from None
        if not attested:
            raise Refused(NOT_ATTESTED)

    async def revocations(self, server: str, body: JsonDict) -> JsonDict:
        """`{"revoked": [{"user", "at"}]}`: people of that server who are attested there no more."""
        entries = body.get("revoked")
        if not isinstance(entries, list) or len(entries) > MAX_REVOKED:
            raise BadInput(f"revoked: must be a list of at most {MAX_REVOKED}")
        latest = self._clock.now() + WINDOW
        by_time: dict[datetime, list[UserId]] = {}
        for user, at in [_revoked(each, server) for each in entries]:
            # A clock far ahead would keep the person out for ever.
            by_time.setdefault(min(at, latest), []).append(user)
        for at, users in by_time.items():
            await self._crossing.drop(users, REVOKED, leave=True, revoked_at=at)
        return {}

    async def returned(self, server: str, body: JsonDict) -> JsonDict:
        """`{"attestation"}`: one of theirs whom we knew is attested there again."""
        await self._crossing.readmit(_signed(body.get("attestation"), "attestation"), server)
        return {}

    async def account(self, server: str, body: JsonDict) -> JsonDict:
        """`{"day", "asker_kid", "asked_kid", "digest"}`: has the professional behind that digest an account here?"""
        today = self._clock.now().date()
        try:
            day = date.fromisoformat(str(body.get("day")))
        except ValueError:
            raise BadInput("day: must be a date") from None
        if abs(day - today) > timedelta(days=1):
            raise BadInput("day: must be today")
        held = await self._accounts.holds(
            server,
            day,
            asker_kid=str(body.get("asker_kid")),
            asked_kid=str(body.get("asked_kid")),
            digest=str(body.get("digest")),
        )
        return {"account": held}

    async def move(self, server: str, body: JsonDict) -> JsonDict:
        """`{"attestation"}`: somebody of ours has proved themselves there, and has their account there from now on."""
        closed = await self._accounts.moved_away(_signed(body.get("attestation"), "attestation"), server)
        return {"closed": closed}


def _signed(raw: object, name: str) -> str:
    if not isinstance(raw, str):
        raise BadInput(f"{name}: must be a signed attestation")
    return raw


def _own(raw: object, us: str) -> UserId:
    try:
        user = parse_user_id(raw) if isinstance(raw, str) else None
    except BadIdentifier:
        user = None
    if user is None or server_of(user) != us:
        raise BadInput("user: must be one of this server's accounts")
    return user


def _revoked(raw: object, server: str) -> tuple[UserId, datetime]:
    try:
        if not isinstance(raw, dict) or type(raw.get("at")) is not int:
            raise BadInput("revoked: must name user and time")
        user, at = parse_user_id(str(raw.get("user"))), from_millis(raw["at"])
    except (BadIdentifier, ValueError, OverflowError, OSError):
        raise BadInput("revoked: must name user and time") from None
    if server_of(user) != server:
        raise BadInput("revoked: only a person's own server revokes them")
    return user, at
