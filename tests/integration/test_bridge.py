"""The bridge as a process, between a real Synapse (with our module) and the sandbox operator; killed on the way."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import aiohttp
import pytest

from colloque.attestation import Attestation, Method, snapshot
from colloque.audit import verify_lines
from colloque.book import read_secret
from colloque.clock import SystemClock
from colloque.config import Config
from colloque.errors import Refused
from colloque.files import write_private
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import CLIENT, MatrixApi, path
from colloque.matrix.crosssign import Identity, Seeds
from colloque.matrix.home import Heard, Incoming, RoomSpec, text
from colloque.matrix.nio_home import NioHome
from colloque.rooms.mark import ADMIN_KEY, RoomKind, RoomMark, home_key
from colloque.sockets import Client
from colloque_demo import settings, stack
from colloque_demo.clinician import Clinician
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_demo.people import Cast, Person
from colloque_demo.pki import make_pki
from colloque_mssante import texts
from tests.clients.mailbox import MailProgram, text_of
from tests.conftest import JsFactory
from tests.waiting import until

WAIT_S = 30.0


@dataclass
class Process:
    """One program, started, killed and started again."""

    command: list[str]
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.running = subprocess.Popen(self.command, stdout=out, stderr=out)

    def kill(self) -> None:
        assert self.running is not None
        self.running.kill()
        self.running.wait(20)

    def stop(self) -> int:
        assert self.running is not None
        if self.running.poll() is None:
            self.running.send_signal(signal.SIGTERM)
        return self.running.wait(20)


class Place:
    """Where a reading stands; begun anew each time."""

    def __init__(self) -> None:
        self.token: str | None = None

    async def position(self) -> str | None:
        return self.token

    async def save_position(self, token: str) -> None:
        self.token = token


@asynccontextmanager
async def listening(home: NioHome) -> AsyncIterator[list[Heard]]:
    """Everything an account hears meanwhile."""
    heard: list[Heard] = []
    stop = asyncio.Event()

    async def take(one: Heard) -> None:
        heard.append(one)

    task = asyncio.create_task(home.run(take, stop, position=Place()))
    yield heard
    stop.set()
    await task


@dataclass
class Device:
    """One more device of somebody."""

    home: NioHome
    heard: list[Heard]

    def saw(self, words: str) -> list[Incoming]:
        return [h for h in self.heard if isinstance(h, Incoming) and words in h.body]

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
    overheard: list[Heard]
    serial: int = 0
    mails: dict[str, object] = field(default_factory=dict)

    def attest(self, *people: Person, days: int = 365) -> None:
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
            )
            for p in people
        ]
        encoded = snapshot(self.serial, now, entries).encode(read_secret(self.config.secrets.snapshot))
        write_private(self.config.annuaire.snapshot, encoded)

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

    async def heard_file(self, name: str) -> Incoming:
        _, found = await self.author.hear(lambda m: m.content.get("filename") == name, name, timeout_s=WAIT_S)
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
            return any(isinstance(h, Incoming) and h.room == room and h.body == words for h in self.overheard)

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
            home.close()

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

    async def mail(self, body: str) -> Incoming:
        _, found = await self.author.hear(
            lambda m: m.sender.startswith(f"@{settings.GHOSTS}") and body in m.body,
            f"the mail {body}",
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


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    layout = Layout(tmp_path_factory.mktemp("bridge") / "house")
    layout.open()
    async with AsyncExitStack() as undo:
        undo.callback(layout.close)
        book = await stack.prepare(layout)
        ports = settings.Ports.choose()
        settings.make_secrets(layout)
        pki = make_pki(layout.mail / "pki")
        server = Homeserver(layout.synapse, settings.SERVER_NAME, ports.synapse)
        config = settings.write_config(layout, ports, server.url, pki.ca)
        stack._write_mailboxes(layout, book.cast)
        await asyncio.to_thread(stack._configure, server, layout, ports, config)
        operator = Process(list(stack._operator(layout, ports).command), layout.logs / "operator.log")
        operator.start()
        undo.callback(operator.stop)
        await asyncio.to_thread(server.start)
        undo.callback(server.stop)
        await asyncio.to_thread(stack._register, server, layout, book.cast)
        session = await undo.enter_async_context(aiohttp.ClientSession())
        folder = tmp_path_factory.mktemp("author")
        author = await Clinician.login(session, server.url, book.cast.author, folder)
        undo.push_async_callback(author.close)
        annuaire = await NioHome.open(
            session=session,
            base_url=server.url,
            user=config.bot("annuaire"),
            token=read_secret(config.annuaire.as_token).decode(),
            state_dir=layout.state("annuaire"),
            mark_dir=layout.marks,
            identity_secret=read_secret(config.secrets.identity),
            pickle_key=read_secret(config.secrets.pickle).decode(),
            bots=frozenset(config.bots),
        )
        undo.callback(annuaire.close)
        bridge = Process(
            [sys.executable, "-m", "colloque_mssante", "--config", str(layout.config)], layout.logs / "b.log"
        )
        overheard = await undo.enter_async_context(listening(annuaire))
        made = House(layout, config, server, book.cast, bridge, operator, session, annuaire, author, overheard)
        made.mails = {
            "imap": {"host": "localhost", "port": ports.imap},
            "smtp": {"host": "localhost", "port": ports.smtp},
            "ca": str(pki.ca),
        }
        made.attest(book.cast.author)
        bridge.start()
        undo.callback(bridge.stop)
        await made.well()
        yield made


async def test_a_mail_comes_in_and_the_reply_goes_out(house: House) -> None:
    asked = await house.write("Avis", "Bonjour, que pensez-vous de ce dossier ?")
    shown = await house.mail("que pensez-vous")
    assert shown.encrypted
    assert shown.device_signed
    assert shown.body.splitlines()[0] == texts.MAIL_TITLE
    assert "Objet : Avis" in shown.body
    name = await house.author.display_name(shown.sender)
    assert name == house.cast.correspondent.professional.display_name + " · MSSanté"
    assert (await house.author.members(shown.room))[house.author.user] == "join"
    reply = await house.author.say(shown.room, "Avis favorable.", reply_to=shown.event)
    assert await house.sign(reply) in {texts.SENT, texts.DELIVERED}
    [received] = await house.answers_to(asked)
    assert text_of(received).strip() == "Avis favorable."
    own = house.cast.author
    [sender] = received["From"].addresses
    assert sender.addr_spec == own.address.value
    assert sender.display_name.startswith("_".join(own.professional.full_name.split()))
    assert [a.addr_spec for a in received["To"].addresses] == [house.cast.correspondent.address.value]
    assert received["Subject"] == "Re: Avis"
    assert str(received["References"]).split() == [asked]
    assert received["X-MSS-NIL"] == house.config.mssante.nil
    assert reply[1:9] not in str(received["Message-ID"])

    async def delivered() -> bool:
        marks = [h for _, h in house.author.heard if isinstance(h, Incoming) and h.type == "m.reaction"]
        return any(
            m.content["m.relates_to"] == {"rel_type": "m.annotation", "event_id": reply, "key": texts.DELIVERED}
            for m in marks
        )

    await until(delivered, "the delivery report shown as a sign")
    assert len([h for _, h in house.author.heard if isinstance(h, Incoming) and "Delivery" in h.body]) == 0


async def test_the_answer_to_a_reply_names_it(house: House) -> None:
    asked = await house.write("Suite", "Premier message de la suite")
    shown = await house.mail("Premier message de la suite")
    reply = await house.author.say(shown.room, "Et après ?", reply_to=shown.event)
    await house.sign(reply)
    [received] = await house.answers_to(asked)
    await house.write("Re: Suite", "Rien de plus", in_reply_to=str(received["Message-ID"]).strip())
    later = await house.mail("Rien de plus")
    assert later.room == shown.room
    assert later.reply_to == reply


async def test_files_pass_both_ways(house: House) -> None:
    data = secrets.token_bytes(40_000)
    asked = await house.write_file("Document", "Voici le document", "compte-rendu.pdf", data)
    await house.mail("Voici le document")
    shown = await house.heard_file("compte-rendu.pdf")
    assert shown.body == texts.FILE_TITLE
    assert shown.sender.startswith(f"@{settings.GHOSTS}")
    assert await house.author.home.download(shown.content) == data
    content = await house.author.home.upload_encrypted(data[::-1], "réponse.bin", "application/octet-stream")
    reply = await house.author.send(
        shown.room, content | {"m.relates_to": {"m.in_reply_to": {"event_id": shown.event}}}
    )
    await house.sign(reply)
    [received] = await house.answers_to(asked)
    [part] = list(received.iter_attachments())
    assert part.get_filename() == "réponse.bin"
    assert part.get_payload(decode=True) == data[::-1]


async def test_only_a_reply_leaves(house: House) -> None:
    asked = await house.write("Rien", "Message auquel rien ne répond")
    shown = await house.mail("auquel rien ne répond")
    before = len(await house.inbox(house.cast.correspondent))
    plain = await house.author.say(shown.room, "Je parle tout seul.")
    assert (await house.author.answer(plain, "a plain line")).body == texts.NOT_A_REPLY
    on_own = await house.author.say(shown.room, "Sur ma propre ligne.", reply_to=plain)
    assert (await house.author.answer(on_own, "a reply to oneself")).body == texts.NOT_ITS_MAIL
    edit = {
        **text("* autre"),
        "m.new_content": text("autre"),
        "m.relates_to": {"rel_type": "m.replace", "event_id": plain},
    }
    edited = await house.author.send(shown.room, edit)
    assert (await house.author.answer(edited, "an edit")).body == texts.EDITED
    place = {"msgtype": "m.location", "body": "ici", "geo_uri": "geo:48,2"}
    located = await house.author.send(
        shown.room, place | {"m.relates_to": {"m.in_reply_to": {"event_id": shown.event}}}
    )
    assert (await house.author.answer(located, "a location")).body == texts.NOT_SENDABLE
    command = await house.author.say(shown.room, "!envois", reply_to=shown.event)
    assert (await house.author.answer(command, "a command")).body.startswith("Vos derniers envois")
    box = await house.author.say(shown.room, "!boite etat")
    assert "relevée en continu" in (await house.author.answer(box, "the mailbox's state")).body
    assert not await house.answers_to(asked)
    assert len(await house.inbox(house.cast.correspondent)) == before


async def test_a_code_leaves_once_and_is_not_shown(house: House) -> None:
    client = Client(house.config.socket("mssante"), "annuaire")
    key, to = f"code-{secrets.token_hex(8)}", house.cast.author.address.value
    for _ in range(2):
        answer = await client.call("send", key=key, to=to, subject="Code", text=f"Votre code : {key}")
        assert answer["state"] in {"queued", "data", "sent", "delivered"}

    async def received() -> list[EmailMessage]:
        return [m for m in await house.inbox(house.cast.author) if key in text_of(m)]

    [code] = await until(received, "the code in the mailbox")
    assert code["X-MSS-NIL"] == house.config.mssante.nil
    await house.write("Après", f"Après le code {key[-6:]}")
    await house.mail(f"Après le code {key[-6:]}")
    assert len(await received()) == 1
    assert not house.shown(key)
    for address in ("personne@medecin.mssante.test", "quelquun@exemple.test"):
        with pytest.raises(Refused, match="recipient_unknown"):
            await client.call("send", key=key + "x", to=address, subject="Code", text="x")


async def test_killed_at_any_moment_nothing_is_lost_or_doubled(house: House) -> None:
    asked: dict[str, str] = {}
    for number in range(4):
        mark = f"coup {number} {secrets.token_hex(4)}"
        asked[mark] = await house.write(f"Coupure {number}", mark)
        await asyncio.sleep(0.15 * number)  # the moment of the kill, not a wait for anything
        house.bridge.kill()
        house.bridge.start()
    replies = {}
    for mark in asked:
        shown = await house.mail(mark)
        replies[mark] = await house.author.say(shown.room, f"Réponse à {mark}", reply_to=shown.event)
        await asyncio.sleep(0.1 * len(replies))
        house.bridge.kill()
        house.bridge.start()
    for mark, reply in replies.items():
        assert await house.sign(reply) in {texts.SENT, texts.DELIVERED}
        assert len(house.shown(mark)) == 1
        assert len(await house.answers_to(asked[mark])) == 1
    assert await house.verified_journal()


async def test_synapse_and_the_operator_killed(house: House) -> None:
    asked = {}
    for number, program in enumerate((house.kill_synapse, house.kill_operator)):
        mark = f"autour {number} {secrets.token_hex(4)}"
        asked[mark] = await house.write("Autour", mark)
        await program()
        shown = await house.mail(mark)
        reply = await house.author.say(shown.room, f"Réponse à {mark}", reply_to=shown.event)
        await program()
        assert await house.sign(reply) in {texts.SENT, texts.DELIVERED}
        assert len(house.shown(mark)) == 1
        assert len(await house.answers_to(asked[mark])) == 1


async def test_a_new_signed_device_reads_the_next_mail_and_an_unsigned_one_is_told(house: House) -> None:
    person = house.cast.colleague
    seeds = Seeds(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))
    identity = Identity(person.account, seeds)
    house.attest(house.cast.author, person)
    async with house.device(person, identity) as first:
        await house.write("Un", "Pour le premier appareil", to=person)
        shown = await first.wait_for("Pour le premier appareil")
        async with house.device(person, identity) as second, house.device(person, None) as unsigned:
            await house.write("Deux", "Pour les deux appareils", to=person)
            assert (await second.wait_for("Pour les deux appareils")).device_signed
            await first.wait_for("Pour les deux appareils")
            before = len(await house.inbox(house.cast.correspondent))
            said = await unsigned.home.send(shown.room, text("Oui", reply_to=shown.event), txn=secrets.token_hex(8))
            told = await unsigned.wait_for("cet appareil n'est pas encore validé")
            assert told.reply_to == said
            assert not unsigned.saw("Pour les deux appareils")
            assert len(await house.inbox(house.cast.correspondent)) == before
    house.attest(house.cast.author)


async def test_an_independent_client_trusts_ghost_and_bot(house: House, js: JsFactory) -> None:
    person = house.cast.clinicians[0]
    client = await js(house.server.url, person.account, person.password)
    house.attest(house.cast.author, person)
    asked = await house.write("Tiers", "Lisible par un autre logiciel", to=person)
    shown = await client.expect(lambda r: r["event"] == "message" and "Lisible par" in (r["body"] or ""))
    assert shown["from"].startswith(f"@{settings.GHOSTS}")
    assert (shown["encrypted"], shown["shield"]) == (True, "NONE")
    await client.call("send", room=shown["room"], text="Sans réponse à rien")
    told = await client.message(shown["room"], house.config.bot("mssante"), "Rien n'est parti")
    assert told["shield"] == "NONE"
    await client.call("reply", room=shown["room"], event=shown["id"], text="Écrit d'un autre logiciel")

    async def received() -> list[EmailMessage]:
        return await house.answers_to(asked)

    [answer] = await until(received, "the answer in the mailbox")
    assert text_of(answer).strip() == "Écrit d'un autre logiciel"
    assert await client.call("unreadable") == []
    house.attest(house.cast.author)


async def test_who_is_no_longer_attested_sends_nothing(house: House) -> None:
    asked = await house.write("Fin", "Avant la fin")
    shown = await house.mail("Avant la fin")
    house.attest()
    reply = await house.author.say(shown.room, "Trop tard", reply_to=shown.event)
    assert (await house.author.answer(reply, "a reply without attestation")).body == texts.NOT_ATTESTED
    await house.write("Fin", "Pendant ce temps")
    house.attest(house.cast.author)
    await house.mail("Pendant ce temps")
    assert not await house.answers_to(asked)


async def test_a_refused_login_stops_and_is_told_once(house: House) -> None:
    room = await house.home_room(house.author.user)
    admin = await house.admin_room()
    known = house.layout.secret("mailboxes.yaml")
    right = known.read_text()
    wrong = json.loads(right)
    wrong[house.cast.author.address.value]["password"] = "faux"
    write_private(known, json.dumps(wrong))
    told = await house.heard_in(room, "l'opérateur refuse l'accès", ignoring_case=True)
    house.bridge.kill()
    house.bridge.start()
    await house.well()
    await house.bot_said(admin, texts.INCIDENT_LOGIN)
    write_private(known, right)
    await house.write("Retour", "La boîte est rouverte")
    await house.mail("La boîte est rouverte")
    again = [h for _, h in house.author.heard if isinstance(h, Incoming) and h.room == room and h.body == told.body]
    assert len(again) == 1


async def test_nothing_personal_in_logs_and_public_state(house: House) -> None:
    patient = "DUPONT-CANARI"
    await house.write(f"CR {patient} Marie 12/03/1950", f"Patiente {patient}, née le 12/03/1950")
    shown = await house.mail(patient)
    token = read_secret(house.config.annuaire.admin_token).decode()
    where = path("/_synapse/admin/v1", "rooms", shown.room, "state")
    public = json.dumps(await asyncio.to_thread(house.server.call, "GET", where, token=token), ensure_ascii=False)
    assert "fr.colloque.room" in public
    assert patient not in public
    assert house.cast.correspondent.address.value not in public
    assert patient not in shown.body.splitlines()[0]
    logs = house.bridge.log.read_text()
    for word in (patient, house.cast.correspondent.address.value, house.cast.author.address.value, shown.room):
        assert word not in logs
    assert "Traceback" not in logs


async def test_ghosts_whose_keys_were_lost_get_new_devices_of_the_same_identity(house: House) -> None:
    await house.write("Avant", "Avant la perte")
    before = await house.mail("Avant la perte")
    old = await house.author.call("POST", path(CLIENT, "keys", "query"), {"device_keys": {before.sender: []}})
    assert house.bridge.stop() == 0
    with closing(sqlite3.connect(house.config.mssante.database.removeprefix("sqlite:"))) as db, db:
        assert db.execute("DELETE FROM ghost_device").rowcount
    house.bridge.start()
    await house.write("Après", "Après la perte")
    after = await house.mail("Après la perte")
    assert after.device_signed
    assert (after.sender, after.room) == (before.sender, before.room)
    new = await house.author.call("POST", path(CLIENT, "keys", "query"), {"device_keys": {before.sender: []}})
    assert new["master_keys"] == old["master_keys"]
    assert len(new["device_keys"][before.sender]) == 1
    assert new["device_keys"] != old["device_keys"]


async def test_metrics_tell_counts_by_state(house: House) -> None:
    async def told() -> bool:
        async with house.session.get(f"http://127.0.0.1:{house.config.mssante.http.port}/metrics") as answer:
            page = await answer.text()
        assert house.cast.author.address.value not in page
        return 'colloque_mailboxes{state="ok"} 1.0' in page and "colloque_outbox_mails{" in page

    await until(told, "the metrics")


async def test_a_clean_stop(house: House) -> None:
    assert house.bridge.stop() == 0
    house.bridge.start()
    await house.well()
