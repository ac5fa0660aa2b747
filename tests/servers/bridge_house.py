"""What stands around the bridge in its tests, and what they do there: write mails, read what came, kill programs."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import aiohttp

from colloque.attestation import Attestation, Method, snapshot
from colloque.audit import verify_lines
from colloque.book import read_secret
from colloque.clock import SystemClock
from colloque.config import Config
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import CLIENT, MatrixApi, path
from colloque.matrix.crosssign import Identity
from colloque.matrix.home import Incoming, RoomSpec
from colloque.matrix.nio_home import NioHome
from colloque.rooms.mark import ADMIN_KEY, RoomKind, RoomMark, home_key
from colloque.snapshot import SnapshotWriter
from colloque_demo import settings
from colloque_demo.clinician import Clinician
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_demo.people import Cast, Person
from tests.clients.mailbox import MailProgram
from tests.servers.nio import Ear, listening
from tests.servers.process import Process
from tests.servers.psc import Psc
from tests.waiting import until

WAIT_S = 60.0


@dataclass
class Device:
    """One more device of somebody."""

    home: NioHome
    heard: Ear

    def saw(self, words: str) -> list[Incoming]:
        return [m for m in self.heard.messages() if words in m.body]

    async def wait_for(self, words: str) -> Incoming:
        async def seen() -> list[Incoming]:
            return self.saw(words)

        return (await until(seen, words))[0]


@dataclass
class House:
    """Everything but the annuaire and salles services: the test stands in for them."""

    layout: Layout
    config: Config
    server: Homeserver
    cast: Cast
    bridge: Process
    operator: Process
    session: aiohttp.ClientSession
    annuaire: NioHome
    author: Clinician
    overheard: Ear
    serial: int = 0
    mails: dict[str, object] = field(default_factory=dict)
    patient: MailProgram = field(init=False)
    """A patient's own mail program."""
    shared: MailProgram = field(init=False)
    """An organisation's mailbox, whose password the bridge has."""
    psc: Psc = field(init=False)
    """Where mailboxes open by their holders' sessions: Pro Santé Connect, and who keeps these."""
    keeper: Process = field(init=False)

    def attest(self, *people: Person, days: int = 365, professions: tuple[str, ...] = ()) -> None:
        """Exactly these are attested; `professions`: the codes of what all of them exercise, as civilians."""
        self.serial += 1
        now = SystemClock().now()
        entries = [
            Attestation(
                user=p.account,
                rpps=p.rpps,
                name=p.professional.display_name,
                method=Method.MAILBOX_CODE,
                issued_at=now,
                valid_until=now + timedelta(days=days),
                professions=professions,
                category="C" if professions else "",
            )
            for p in people
        ]
        writer = SnapshotWriter(self.config.annuaire.snapshot, read_secret(self.config.secrets.snapshot))
        writer.publish(snapshot(self.serial, now, entries))

    def box(self, person: Person) -> MailProgram:
        return MailProgram(self.mails, person.address.value, person.mail_password)

    async def inbox(self, person: Person) -> list[EmailMessage]:
        return await asyncio.to_thread(self.box(person).inbox)

    async def write(self, subject: str, body: str, *, to: Person | None = None, in_reply_to: str = "") -> str:
        """B writes to A (or `to`); the Message-ID."""
        message_id = f"<{secrets.token_hex(8)}@{self.cast.correspondent.address.domain}>"
        box, address = self.box(self.cast.correspondent), (to or self.cast.author).address.value
        await asyncio.to_thread(box.write, address, subject, body, message_id=message_id, in_reply_to=in_reply_to)
        return message_id

    async def write_file(self, subject: str, body: str, name: str, data: bytes) -> str:
        """The same with an attachment."""
        mail, to = EmailMessage(), self.cast.author.address.value
        mail["From"], mail["To"], mail["Subject"] = self.cast.correspondent.address.value, to, subject
        mail["Message-ID"] = f"<{secrets.token_hex(8)}@{self.cast.correspondent.address.domain}>"
        mail.set_content(body)
        mail.add_attachment(data, maintype="application", subtype="pdf", filename=name)
        await asyncio.to_thread(self.box(self.cast.correspondent).send, mail, to)
        return str(mail["Message-ID"])

    async def heard_file(self, name: str, *, since: int = 0) -> Incoming:
        """A file, heard after `since` other things."""
        _, found = await self.author.hear(
            lambda m: m.content.get("filename") == name, name, since=since, timeout_s=WAIT_S
        )
        return found

    async def heard_in(self, room: RoomId, words: str, *, ignoring_case: bool = False) -> Incoming:
        def wanted(m: Incoming) -> bool:
            body = m.body.lower() if ignoring_case else m.body
            return m.room == room and words in body

        _, found = await self.author.hear(wanted, words, timeout_s=WAIT_S)
        return found

    async def bot_said(self, room: RoomId, words: str) -> None:
        """@annuaire, who is in the admin room, reads it there."""

        async def said() -> bool:
            return any(m.room == room and m.body == words for m in self.overheard.messages())

        await until(said, words)

    async def home_room(self, user: UserId) -> RoomId:
        mark = RoomMark(RoomKind.HOME, home_key(user), owner=user)
        return await self._room(RoomSpec(name="Colloque", mark=mark, invite=(user, self.config.bot("mssante"))))

    async def admin_room(self) -> RoomId:
        mark = RoomMark(RoomKind.ADMIN, ADMIN_KEY)
        return await self._room(RoomSpec(name="Administration", mark=mark, invite=(self.config.bot("mssante"),)))

    async def _room(self, spec: RoomSpec) -> RoomId:
        room = await self.annuaire.create_room(spec)

        async def joined() -> bool:
            members = await self.annuaire.members(room)
            return all(members.get(user) == "join" for user in spec.invite)

        await until(joined, "everybody in the room")
        return room

    async def kill_synapse(self) -> None:
        await asyncio.to_thread(self.server.kill)
        await asyncio.to_thread(self.server.start)

    async def kill_operator(self) -> None:
        self.operator.kill()
        self.operator.start()

        async def answers() -> bool:
            try:
                await self.inbox(self.cast.correspondent)
            except OSError:
                return False
            return True

        await until(answers, "the operator")

    async def verified_journal(self) -> bool:
        journal = self.config.mssante.state_dir / "journal.jsonl"
        return verify_lines(journal.read_bytes().splitlines(keepends=True)).ok

    @asynccontextmanager
    async def device(self, person: Person, identity: Identity | None) -> AsyncIterator[Device]:
        """Somebody's further device, signed by `identity` or not."""
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": person.account},
            "password": person.password,
        }
        answer = await MatrixApi(self.session, self.server.url, "").call("POST", path(CLIENT, "login"), body)
        with tempfile.TemporaryDirectory() as folder:
            home = await NioHome.open_person(
                session=self.session,
                base_url=self.server.url,
                user=person.account,
                token=answer["access_token"],
                device_id=answer["device_id"],
                state_dir=Path(folder),
                identity=identity,
                pickle_key=secrets.token_hex(32),
                bots=frozenset(),
            )
            async with listening(home) as heard:
                yield Device(home, heard)

    async def well(self) -> None:
        url = f"http://127.0.0.1:{self.config.mssante.http.port}/health"
        end = asyncio.get_running_loop().time() + WAIT_S
        while True:
            assert self.bridge.running is not None
            assert self.bridge.running.poll() is None, self.bridge.log.read_text()[-3000:]
            try:
                async with self.session.get(url) as answer:
                    if answer.status == 200:
                        return
                    last = await answer.text()
            except aiohttp.ClientError as error:
                last = repr(error)
            assert asyncio.get_running_loop().time() < end, last + self.bridge.log.read_text()[-3000:]
            await asyncio.sleep(0.1)

    def shown(self, body: str) -> list[Incoming]:
        """What A saw that holds `body`, from ghosts."""
        ghost = f"@{settings.GHOSTS}"
        return [
            h for _, h in self.author.heard if isinstance(h, Incoming) and h.sender.startswith(ghost) and body in h.body
        ]

    async def mail(self, body: str, *, since: int = 0) -> Incoming:
        _, found = await self.author.hear(
            lambda m: m.sender.startswith(f"@{settings.GHOSTS}") and body in m.body,
            f"the mail {body}",
            since=since,
            timeout_s=WAIT_S,
        )
        return found

    async def sign(self, event: EventId) -> str:
        """The key of the first reaction to an event."""
        _, mark = await self.author.hear(
            lambda m: m.type == "m.reaction" and m.content["m.relates_to"].get("event_id") == event,
            "a sign",
            timeout_s=WAIT_S,
        )
        return str(mark.content["m.relates_to"]["key"])

    async def answers_to(self, message_id: str) -> list[EmailMessage]:
        """Mails in B's mailbox that answer one of B's."""
        return [m for m in await self.inbox(self.cast.correspondent) if str(m["In-Reply-To"]).strip() == message_id]
