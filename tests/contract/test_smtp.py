"""One suite for every submission server: the sandbox operator, and Debian's Postfix where it is installed."""

from __future__ import annotations

import secrets

import pytest

from colloque.errors import BadInput, LoginRefused, MailRefused
from colloque.mail.access import Auth, Password, XOAuth2
from colloque.mail.message import Party
from colloque.mail.parse import parse_mail
from colloque.mail.smtp import NOTIFY_ALL, Submitted, submit
from tests.servers.mail_suites import Step, inbox, operator_of, send, written
from tests.servers.operator import Operator, address


@pytest.fixture(params=["sandbox", pytest.param("postfix", marks=[pytest.mark.postfix, pytest.mark.dovecot])])
def operator(request: pytest.FixtureRequest) -> Operator:
    return operator_of(request.getfixturevalue(request.param))


# --- what goes well ---


async def test_a_mail_arrives_as_it_was_written(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()
    step = Step()
    data = written(operator, sender, to, size=3_000_000)
    assert await send(operator, sender, to, data=data, step=step) == Submitted(dsn=False, reply_code=250)
    assert step.calls == 1
    (mail,) = await inbox(operator, to, 1)
    sent = parse_mail(data)
    assert (mail.text, mail.subject, mail.sender) == (
        "Bonjour\n.\n..point\nfin",
        "Résultats",
        Party("Dr Éloïse", sender),
    )
    assert mail.attachments == sent.attachments
    assert mail.message_id == sent.message_id


async def test_a_token_logs_in_and_every_recipient_gets_it(operator: Operator):
    sender, one, two = operator.fresh(), operator.fresh(), operator.fresh()
    await send(operator, sender, one, two, auth=operator.token(sender))
    assert len(await inbox(operator, one, 1)) == len(await inbox(operator, two, 1)) == 1


async def test_a_delivery_report_names_our_envelope(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()
    envid = secrets.token_hex(20)
    data = written(operator, sender, to)
    assert (await send(operator, sender, to, data=data, envid=envid, notify=NOTIFY_ALL)).dsn
    (mail,) = await inbox(operator, sender, 1)
    assert mail.automatic
    assert mail.report is not None
    assert mail.report.kind in {"delivered", "relayed"}
    assert (mail.report.envid, mail.report.recipient) == (envid, to)
    assert mail.report.original_message_id == parse_mail(data).message_id


async def test_no_report_unless_asked(operator: Operator):
    sender, to, last = operator.fresh(), operator.fresh(), operator.fresh()
    await send(operator, sender, to)
    await send(operator, sender, to, notify="FAILURE")
    await send(operator, last, sender)  # comes after anything the two could have caused
    await inbox(operator, to, 2)
    (mail,) = await inbox(operator, sender, 1)
    assert mail.report is None


async def test_a_report_leaves_under_no_address(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()
    auth, data = operator.password(sender), written(operator, sender, to)
    await send(operator, "", to, login=sender, auth=auth, data=data, notify="NEVER")
    (mail,) = await inbox(operator, to, 1)
    assert mail.automatic


# --- what is refused, with nothing sent ---


@pytest.mark.parametrize("auth", [Password("wrong"), XOAuth2("wrong")])
async def test_a_bad_secret_is_refused_for_good(operator: Operator, auth: Auth):
    step = Step()
    with pytest.raises(LoginRefused):
        await send(operator, operator.fresh(), address("box0"), auth=auth, step=step)
    assert step.calls == 0


async def test_another_sender_is_refused(operator: Operator):
    me, other, step = operator.fresh(), operator.fresh(), Step()
    with pytest.raises(MailRefused) as caught:
        await send(operator, other, me, auth=operator.password(me), login=me, step=step)
    assert (caught.value.status, step.calls) == (553, 0)
    assert other not in str(caught.value)


@pytest.mark.parametrize("unknown", [address("nobody"), "somebody@elsewhere.example"])
async def test_one_unknown_recipient_stops_the_mail_for_all(operator: Operator, unknown: str):
    sender, to, step = operator.fresh(), operator.fresh(), Step()
    with pytest.raises(MailRefused) as caught:
        await send(operator, sender, to, unknown, step=step)
    assert caught.value.status in {550, 554}
    assert caught.value.enhanced.startswith("5.")
    assert step.calls == 0
    await send(operator, sender, to)
    assert len(await inbox(operator, to, 1)) == 1


async def test_too_big_is_known_before_anything_is_sent(operator: Operator):
    step = Step()
    sender = operator.fresh()
    data = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 600_000
    with pytest.raises(MailRefused) as caught:
        await send(operator, sender, sender, data=data, step=step)
    assert (caught.value.status, step.calls) == (552, 0)


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        ("recipients", ()),
        ("recipients", ("a@b.example>\r\nRCPT TO:<c@d.example",)),
        ("sender", "é@b.example"),
        ("envid", "a b"),
        ("notify", "SOON"),
        ("data", b"Subject: x\n\nbare\n"),
        ("data", b"Subject: x\r\n\r\nno end"),
    ],
)
async def test_what_can_not_stand_in_a_command_is_refused_here(operator: Operator, wrong: str, value: object):
    good = {"sender": "a@b.example", "recipients": ("c@d.example",), "data": b"\r\n", "envid": None, "notify": None}
    with pytest.raises(BadInput):
        await submit(operator.smtp, "a", Password("x"), **{**good, wrong: value}, before_data=Step(), timeout_s=1.0)


async def test_what_before_data_raises_ends_it(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()

    def fail() -> None:
        raise OSError("our disk is full")

    with pytest.raises(OSError, match="our disk is full"):
        await send(operator, sender, to, step=Step(fail))
    await send(operator, sender, to)
    assert len(await inbox(operator, to, 1)) == 1
