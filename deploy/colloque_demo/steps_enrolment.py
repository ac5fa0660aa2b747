"""Step 2: home rooms, enrolment by a code sent to the directory's mailbox, and every way in which it is refused."""

from __future__ import annotations

import re
from email.message import EmailMessage

from colloque.identity import RoomId, luhn_key
from colloque.matrix.home import Incoming
from colloque_demo import texts
from colloque_demo.clinician import Clinician, hold, until
from colloque_demo.people import Person
from colloque_demo.settings import CODE_TRIES, SENDER
from colloque_demo.stage import Stage

_CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")


async def run(stage: Stage) -> None:
    """A and C become verified, U does not."""
    author, colleague, outsider = stage.author, stage.colleague, stage.outsider
    homes = {who.user: await stage.home_of(who) for who in (author, colleague, outsider)}
    stage.fact("each person is in one encrypted home room with the three bots")
    await _bad_key(stage, author, homes[author.user])
    await _too_many_tries(stage, author, homes[author.user])
    await _enrol(stage, author, homes[author.user], show=True)
    stage.fact(f"{author.person.short} is verified and bears the directory's name")
    await _enrol(stage, colleague, homes[colleague.user], show=False)
    stage.fact(f"{colleague.person.short} too")
    await _taken(stage, outsider, homes[outsider.user])
    await _one_answers(stage, author, homes[author.user])


async def _bad_key(stage: Stage, who: Clinician, home: RoomId) -> None:
    number = who.person.rpps.value
    wrong = number[:-1] + str((int(luhn_key(number[:-1])) + 1) % 10)
    line = f"!inscription {wrong}"
    stage.wrote(who, line)
    stage.answered(await _ask(stage, who, home, line))
    stage.fact("an RPPS number with a wrong key is refused")


async def _too_many_tries(stage: Stage, who: Clinician, home: RoomId) -> None:
    before = await who.display_name(who.user)
    right = await _code(stage, who, home, show=True)
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    for _ in range(CODE_TRIES):
        refused = await _ask(stage, who, home, f"!code {wrong}")
    stage.wrote(who, f"!code {wrong}")
    stage.answered(refused)
    refused = await _ask(stage, who, home, f"!code {right}")
    hold(await who.display_name(who.user) == before, "a dead code verified somebody")
    stage.fact(f"after {CODE_TRIES} wrong codes even the right one is refused")


async def _enrol(stage: Stage, who: Clinician, home: RoomId, *, show: bool) -> None:
    code = await _code(stage, who, home, show=False)
    answer = await _ask(stage, who, home, f"!code {code}")
    if show:
        stage.wrote(who, f"!code {code}")
        stage.answered(answer)
    name = who.person.professional.display_name

    async def named() -> bool | None:
        return await who.display_name(who.user) == name or None

    await until(named, "the directory's display name")


async def _taken(stage: Stage, who: Clinician, home: RoomId) -> None:
    """Somebody else's number: no code leaves, and the victim's mailbox stays as it was."""
    victim = stage.author.person
    before = len(await stage.mails(victim))
    line = f"!inscription {victim.rpps}"
    stage.wrote(who, line)
    stage.answered(await _ask(stage, who, home, line))
    await _ask(stage, who, home, "!code 000000")
    hold(len(await stage.mails(victim)) == before, "a code was mailed for a number that is taken")
    stage.fact("somebody else's RPPS number is refused, and no code leaves")


async def _one_answers(stage: Stage, who: Clinician, home: RoomId) -> None:
    """An unknown command. Each bot reads its lines in order: once all three have answered a later line, all is said."""
    line = await who.say(home, texts.UNKNOWN_COMMAND)
    stage.wrote(who, texts.UNKNOWN_COMMAND)
    owners = {"annuaire": "!aide", "salles": "!patients", "mssante": "!boite etat"}
    for service, command in owners.items():
        answer = await who.ask(home, command, command)
        expected = next(bot for bot in stage.stack.config.bots if bot.startswith(f"@{service}:"))
        hold(answer.sender == expected, f"{command} was not answered by {service}")
    answers = who.answers(line)
    hold(len(answers) == 1, f"an unknown command got {len(answers)} answers")
    stage.answered(answers[0])
    stage.fact("each command is answered by its own bot, an unknown one by exactly one")


async def _ask(stage: Stage, who: Clinician, home: RoomId, line: str) -> Incoming:
    """The answer, said by @annuaire, encrypted, on a device signed by its owner."""
    answer = await who.ask(home, line, line.split(maxsplit=1)[0])
    hold(answer.sender == stage.stack.config.bot("annuaire"), "another bot answered")
    hold(answer.encrypted and answer.device_signed, "the answer is not encrypted by a signed device")
    return answer


async def _code(stage: Stage, who: Clinician, home: RoomId, *, show: bool) -> str:
    """Ask for a code; the digits, read from the mail that came to the directory's mailbox for that number."""
    before = len(await stage.mails(who.person))
    line = f"!inscription {who.person.rpps}"
    answer = await _ask(stage, who, home, line)
    if show:
        stage.wrote(who, line)
        stage.answered(answer)

    async def arrived() -> EmailMessage | None:
        mails = await stage.mails(who.person)
        return mails[-1] if len(mails) > before else None

    mail = await until(arrived, "the mail with the code")
    if show:
        stage.display.said(f"{SENDER} → {who.person.address}", _body(mail))
    return _read(mail, who.person)


def _read(mail: EmailMessage, owner: Person) -> str:
    body = _body(mail)
    found = set(_CODE.findall(body))
    hold(len(found) == 1, "the mail holds no code")
    hold(SENDER in str(mail["From"]), "the code did not come from the service's own mailbox")
    hold(owner.account in body, "the mail does not say who asked")
    return str(found.pop())


def _body(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    hold(part is not None, "the mail has no text")
    assert part is not None
    return str(part.get_content())
