"""A homeserver with our module in it, its snapshot, its appservices, and a listener where the annuaire would be."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from colloque.attestation import Attestation, Method, Snapshot, snapshot
from colloque.files import write_private
from colloque.identity import Rpps, UserId, luhn_key
from colloque.matrix.home import RoomSpec, room_request
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.snapshot import SnapshotWriter
from colloque.sockets import Server
from colloque_demo.homeserver import Appservice, Homeserver
from tests.conftest import check_own, own_homeserver
from tests.waiting import until

KEY = b"k" * 32
WITHOUT_HELP = {"encryption_enabled_by_default_for_room_type": "off"}
"""The module must hold even where the homeserver's own setting was forgotten."""
BOTS = ("annuaire", "salles", "mssante")


@dataclass(frozen=True)
class Said:
    """An HTTP answer."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        """Our module's code in a refusal."""
        return str(self.body.get("fr.colloque.code", ""))


@dataclass
class Account:
    """Somebody logged in; an appservice names in every call the user it `asserted`."""

    house: House
    user: UserId
    token: str
    asserted: bool = False

    async def call(self, method: str, path: str, body: Any = None) -> Said:
        """One client API call under `/_matrix/client/v3`."""
        return await asyncio.to_thread(self._call, method, path, body)

    def _call(self, method: str, path: str, body: Any) -> Said:
        url = f"{self.house.server.url}/_matrix/client/v3{path}"
        if self.asserted:
            url += "?user_id=" + urllib.parse.quote(self.user)
        request = urllib.request.Request(
            url,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Said(answer.status, json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                return Said(error.code, json.load(error))

    async def create(self, **body: Any) -> Said:
        """Ask for a room."""
        return await self.call("POST", "/createRoom", {"preset": "private_chat"} | body)

    async def invite(self, room: str, other: Account) -> Said:
        """Invite."""
        return await self.call("POST", f"/rooms/{urllib.parse.quote(room)}/invite", {"user_id": other.user})

    async def join(self, room: str) -> Said:
        """Join."""
        return await self.call("POST", f"/rooms/{urllib.parse.quote(room)}/join", {})

    async def membership(self, room: str, other: Account) -> str:
        """Somebody's membership in a room this account is in."""
        said = await self.call("GET", f"/rooms/{urllib.parse.quote(room)}/state/m.room.member/{other.user}")
        return str(said.body.get("membership", "none"))

    async def marked_room(
        self, kind: RoomKind, *, owner: UserId | None = None, invite: tuple[Account, ...] = ()
    ) -> str:
        """A room as our bots make them."""
        said = await self.ask_room(kind, owner=owner, invite=invite)
        assert said.status == 200, said
        return str(said.body["room_id"])

    async def ask_room(self, kind: RoomKind, *, owner: UserId | None = None, invite: tuple[Account, ...] = ()) -> Said:
        """Ask for a room as our bots do."""
        mark = RoomMark(kind, secrets.token_hex(8), owner)
        spec = RoomSpec(name="Colloque", mark=mark, invite=tuple(a.user for a in invite))
        return await self.call("POST", "/createRoom", room_request(spec))

    async def state(self, room: str, type_: str, content: Any, key: str = "") -> Said:
        """Set a state event."""
        place = "/".join(map(urllib.parse.quote, (room, "state", type_, key)))
        return await self.call("PUT", f"/rooms/{place}", content)


@dataclass
class House:
    """The whole. `acts` and `accounts` are what the module reported."""

    folder: Path
    server: Homeserver
    acts: list[dict[str, str]] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    serial: int = 0
    listener: Server | None = None
    with_module: bool = True
    staff: str = "admin"
    extra: dict[str, Any] = field(default_factory=dict)
    """More of homeserver.yaml."""
    more_modules: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        write_private(self.folder / "snapshot.key", KEY)
        self.writer = SnapshotWriter(self.folder / "snapshot", KEY)
        self.services = tuple(
            Appservice(
                name, name, secrets.token_hex(16), secrets.token_hex(16), ghosts="mss_" if name == "mssante" else None
            )
            for name in BOTS
        )

    def configure(self) -> None:
        """Write homeserver.yaml."""
        module = {"module": "colloque.synapse.module.ColloqueModule", "config": self.module_config()}
        self.server.configure(
            appservices=self.services,
            modules=(module, *self.more_modules) if self.with_module else (),
            extra=WITHOUT_HELP | self.extra,
        )

    def module_config(self) -> dict[str, Any]:
        """The module's section."""
        return {
            "snapshot": str(self.folder / "snapshot"),
            "snapshot_key": str(self.folder / "snapshot.key"),
            "socket": str(self.folder / "annuaire.sock"),
            "bots": [f"@{name}:{self.server.server_name}" for name in BOTS],
            "ghost_prefix": "mss_",
            "staff": [f"@{self.staff}:{self.server.server_name}"],
        }

    async def listen(self) -> None:
        """Take reports as the annuaire service does."""

        async def refused(acts: list[dict[str, str]]) -> dict[str, Any]:
            self.acts.extend(acts)
            return {}

        async def account(user: str) -> dict[str, Any]:
            self.accounts.append(user)
            return {}

        uid = os.geteuid()
        verbs = {"synapse": {"refused": refused, "account": account}}
        self.listener = Server(self.folder / "annuaire.sock", {"synapse": uid}, verbs)
        await self.listener.start()

    async def stop_listening(self) -> None:
        """The annuaire service goes away."""
        if self.listener is not None:
            await self.listener.stop()
            self.listener = None

    async def account(self, name: str = "", *, admin: bool = False) -> Account:
        """A new account, not attested."""
        name = name or f"u{secrets.token_hex(4)}"
        token = await asyncio.to_thread(self.server.register, name, secrets.token_urlsafe(), admin=admin)
        return Account(self, UserId(f"@{name}:{self.server.server_name}"), token)

    async def bot(self, name: str, *, as_name: str = "") -> Account:
        """One of our bots, or a ghost of the bridge."""
        service = next(s for s in self.services if s.name == name)
        localpart = as_name or name
        account = Account(self, UserId(f"@{localpart}:{self.server.server_name}"), service.as_token, asserted=True)
        plain = Account(self, account.user, service.as_token)
        said = await plain.call(
            "POST", "/register", {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        )
        assert said.status == 200 or said.body["errcode"] == "M_USER_IN_USE", said
        return account

    def attest(self, *accounts: Account, days: float = 365) -> None:
        """Publish: exactly these are attested, as doctors."""
        self.publish(*(attestation(each.user, number, days=days) for number, each in enumerate(accounts)))

    def publish(self, *attested: Attestation, **more: Any) -> None:
        """Publish exactly this; `blocks` and `servers` as a snapshot has them."""
        self.writer.publish(self.whole(*attested, **more))

    def whole(self, *attested: Attestation, **more: Any) -> Snapshot:
        """A snapshot newer than the last."""
        self.serial += 1
        return snapshot(self.serial, datetime.now(UTC), attested, **more)


def attestation(user: UserId, number: int, *, days: float = 365, **more: Any) -> Attestation:
    """Of a doctor, unless `more` says otherwise."""
    now = datetime.now(UTC)
    digits = f"{8_000_000_000 + number:010d}"
    held = Attestation(
        user=user,
        rpps=Rpps(digits + luhn_key(digits)),
        name="Essai",
        method=Method.MAILBOX_CODE,
        issued_at=now - timedelta(days=1),
        valid_until=now + timedelta(days=days),
        professions=("10",),
        category="C",
    )
    return replace(held, **more)


@asynccontextmanager
async def running_house(extra: dict[str, Any] | None = None) -> AsyncIterator[House]:
    """Started, with somebody listening where the annuaire would be."""
    with tempfile.TemporaryDirectory(prefix="clq-mod-", dir="/tmp") as folder:
        made = House(Path(folder), own_homeserver(Path(folder) / "hs"), extra=extra or {})
        made.configure()
        await asyncio.to_thread(made.server.start)
        try:
            await asyncio.to_thread(check_own, made.server)
            await made.listen()
            yield made
        finally:
            await made.stop_listening()
            await asyncio.to_thread(made.server.stop)


async def reported(house: House, act: str, actor: Account, other: Account | None, reason: str) -> None:
    """Wait for the report of one refusal: within 5 s, in the agreed shape."""
    wanted = {"actor": actor.user, "other": other.user if other else "", "act": act, "reason": reason}

    async def seen() -> bool:
        return wanted in house.acts

    await until(seen, f"report of {act} {reason}", within=5)


async def joined(room: str, by: Account, who: Account) -> None:
    async def there() -> bool:
        return await by.membership(room, who) == "join"

    await until(there, "joined without having to accept", within=5)
