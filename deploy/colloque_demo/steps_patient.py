"""Step 5: a patient room from opening to receipt. Its lifetime runs while other steps go on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from colloque.clock import monotonic
from colloque.errors import HomeRefused
from colloque.identity import MxcUri, RoomId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import reaction
from colloque.patience import patiently
from colloque.rooms.mark import RoomKind
from colloque_demo import texts
from colloque_demo.clinician import PATIENCE_S, Clinician, NotHeld, hold, until
from colloque_demo.settings import IDLE_S, LINGER_S, NOTICE_S
from colloque_demo.stack import receipts_key
from colloque_demo.stage import Stage

_SLACK_S = 30.0
"""How late a warning, a closing or an erasure may come, on a busy machine or after a restart."""


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """A patient room in which the last word has been said."""

    room: RoomId
    file: MxcUri
    last_word: float
    """When (`monotonic`)."""
    heard: int
    """How much A had heard by then."""
    receipts: frozenset[Path]
    """Receipts of other rooms."""


async def open_room(stage: Stage) -> OpenRoom:
    """A opens the room; A writes before C is in; both write; a file is shared."""
    author, colleague = stage.author, stage.colleague
    before = set(await author.joined_rooms())
    receipts = _receipts(stage)
    line = f"!patient ouvrir {colleague.user}"
    answer = await author.ask(await stage.home_of(author), line, "!patient ouvrir")
    stage.wrote(author, line)
    stage.answered(answer)
    hold(answer.sender == stage.stack.config.bot("salles"), "another bot opened the room")
    room = await until(lambda: _new_room(stage, author, before), "the patient room")
    encryption = await author.state(room, "m.room.encryption")
    history = await author.state(room, "m.room.history_visibility")
    hold(encryption["content"]["algorithm"] == "m.megolm.v1.aes-sha2", "the patient room is not encrypted")
    hold(history["content"]["history_visibility"] == "invited", "the history is not `invited`")
    await colleague.membership(room, "invite", "the invitation to the patient room", PATIENCE_S)
    await author.say(room, texts.PATIENT_FIRST)
    stage.wrote(author, texts.PATIENT_FIRST)
    await colleague.call("POST", path(CLIENT, "rooms", room, "join"), {})
    await _reads(colleague, author, room, texts.PATIENT_FIRST)
    stage.fact("what was written after the invitation is read on accepting it")
    await colleague.say(room, texts.PATIENT_SECOND)
    stage.wrote(colleague, texts.PATIENT_SECOND)
    await _reads(author, colleague, room, texts.PATIENT_SECOND)
    file = await _share(stage, room)
    return OpenRoom(room, file, monotonic(), len(author.heard), receipts)


async def end_room(stage: Stage, opened: OpenRoom) -> None:
    """Warned, closed, archived, erased; the file answers 404; the receipt holds."""
    author, room = stage.author, opened.room
    bot = stage.stack.config.bot("salles")
    seen = []
    for what, after in (("the warning", IDLE_S - NOTICE_S), ("the closing", IDLE_S)):
        deadline = opened.last_word + after + _SLACK_S
        at, message = await author.hear(
            lambda m: m.room == room and m.sender == bot and m.type == "m.room.message" and m.event not in seen,
            what,
            since=opened.heard,
            timeout_s=deadline - monotonic(),
        )
        seen.append(message.event)
        stage.answered(message)
        early = opened.last_word + after - at
        hold(early < 2.0, f"{what} came {early:.1f} s too early")
        stage.fact(f"{what} came {at - opened.last_word:.0f} s after the last message")
    await _cannot_write(stage, room)
    await _filed(stage, opened)
    await _erased(stage, opened)
    receipt = await until(lambda: _new_receipt(stage, opened), "the receipt", PATIENCE_S)
    await _verify(stage, receipt)


async def _new_room(stage: Stage, who: Clinician, before: set[RoomId]) -> RoomId | None:
    for room in set(await who.joined_rooms()) - before:
        if await stage.kind_of(who, room) is RoomKind.PATIENT:
            return room
    return None


async def _reads(reader: Clinician, writer: Clinician, room: RoomId, body: str) -> None:
    await reader.hear(
        lambda m: (m.room, m.sender, m.body) == (room, writer.user, body) and m.encrypted and m.device_signed,
        "a colleague's message",
        timeout_s=PATIENCE_S,
    )


async def _share(stage: Stage, room: RoomId) -> MxcUri:
    author, colleague = stage.author, stage.colleague
    data = texts.FILE_BODY.encode()
    content = await author.home.upload_encrypted(data, texts.FILE_NAME, "text/plain")
    event = await author.send(room, content)
    _, shared = await colleague.hear(lambda m: m.event == event, "the file", timeout_s=PATIENCE_S)
    hold(await colleague.home.download(shared.content) == data, "the file is not what was shared")
    file = MxcUri(shared.content["file"]["url"])
    stored = await patiently(lambda: colleague.api.download(file), for_s=PATIENCE_S)
    hold(data[:40] not in stored, "the server holds the file in clear")
    stage.fact(f"an encrypted file of {len(data)} bytes is shared and opened; the server holds only ciphertext")
    return file


async def _cannot_write(stage: Stage, room: RoomId) -> None:
    """The room is closed, or on a slow machine already gone: refused either way."""
    try:
        await stage.author.say(room, texts.PATIENT_TOO_LATE)
    except HomeRefused as error:
        hold(error.status in {403, 404}, f"writing was refused, but with {error}")
    else:
        raise NotHeld("somebody could write in a closed room")
    stage.fact("nobody can write any more")


async def _filed(stage: Stage, opened: OpenRoom) -> None:
    """The conversation is in A's own mailbox, with the file; A says that it is in the record."""
    author, bot = stage.author, stage.stack.config.bot("salles")
    _, sent = await author.hear(
        lambda m: m.sender == bot and texts.FILED in m.body, "the archive", since=opened.heard, timeout_s=PATIENCE_S
    )
    stage.answered(sent)

    async def arrived() -> EmailMessage | None:
        mails = await stage.mails(author.person)
        return next((mail for mail in mails if texts.ARCHIVE in str(mail["Subject"])), None)

    mail = await until(arrived, "the archive in the mailbox", PATIENCE_S)
    files = {part.get_filename(): part.get_payload(decode=True) for part in mail.iter_attachments()}
    hold(files.pop(texts.FILE_NAME) == texts.FILE_BODY.encode(), "the file is not what was shared")
    [pdf] = files.values()
    hold(isinstance(pdf, bytes) and pdf.startswith(b"%PDF-1.4"), "the conversation is no PDF/A-1")
    end, answer = monotonic() + PATIENCE_S, sent
    while texts.NOTED not in answer.body:  # the bridge may learn a moment later that the mail has left, and says so
        since = len(author.heard)
        txn = f"filed-{answer.event}"
        await author.home.send(answer.room, reaction(answer.event, texts.FILED), txn=txn, type_="m.reaction")
        _, answer = await author.hear(
            lambda m: m.sender == bot and (texts.NOTED in m.body or texts.FILE_LATER in m.body),
            "the tap",
            since=since,
            timeout_s=end - monotonic(),
        )
    stage.answered(answer)
    stage.fact("A's own mailbox has the conversation as PDF/A with the file; a tap says that they are in the record")


async def _erased(stage: Stage, opened: OpenRoom) -> None:
    limit = LINGER_S + _SLACK_S
    for who in (stage.author, stage.colleague):

        async def out(who: Clinician = who) -> bool | None:
            return opened.room not in await who.joined_rooms() or None

        await until(out, f"{who.person.short} is out of the room", limit)

    async def gone() -> bool | None:
        try:
            await asyncio.to_thread(stage.stack.admin, "GET", "v1", "rooms", opened.room)
        except RuntimeError as error:
            return True if ": 404 " in str(error) else None
        return None

    async def no_file() -> bool | None:
        try:
            await patiently(lambda: stage.author.api.download(opened.file), for_s=PATIENCE_S)
        except HomeRefused as error:
            return error.status == 404 or None
        return None

    await until(gone, "the room is gone from the server", limit)
    await until(no_file, "the file answers 404", limit)
    stage.fact("both clients are out, the server no longer knows the room, and the file answers 404")


def _receipts(stage: Stage) -> frozenset[Path]:
    return frozenset(stage.stack.config.salles.receipts.glob("*.json"))


async def _new_receipt(stage: Stage, opened: OpenRoom) -> Path | None:
    found = _receipts(stage) - opened.receipts
    hold(len(found) < 2, "one room got several receipts")
    return next(iter(found), None)


async def _verify(stage: Stage, receipt: Path) -> None:
    """With the command that the establishment uses; and a receipt changed by one word must not pass."""
    key = receipts_key(stage.stack.config)
    code, said = await stage.stack.colloque("receipt", "verify", str(receipt), "--key", str(key))
    hold(code == 0, f"the receipt does not hold: {said}")
    stage.display.said("colloque receipt verify", said)
    forged = stage.stack.layout.root / "forged-receipt.json"
    await asyncio.to_thread(_forge, receipt, forged)
    code, _ = await stage.stack.colloque("receipt", "verify", str(forged), "--key", str(key))
    await asyncio.to_thread(forged.unlink)
    hold(code != 0, "a forged receipt passes")
    stage.fact("the receipt holds; changed by one digit it does not")


def _forge(receipt: Path, forged: Path) -> None:
    text = receipt.read_text(encoding="utf-8")
    changed = text.replace('"serial": 1', '"serial": 2', 1)
    hold(changed != text, "the receipt has no serial number")
    forged.write_text(changed, encoding="utf-8")
