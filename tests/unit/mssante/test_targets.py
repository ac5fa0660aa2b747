"""Who an answer goes to: the author alone, and everybody else only when that is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.identity import MssanteAddress, RoomId, UserId
from colloque.mail.message import Party
from colloque_mssante.mapping.targets import Target, answer, answer_all, answers_to, follow
from colloque_mssante.store.mails import StoredMail

BOX = MssanteAddress("a@medecin.mssante.test")
AUTHOR = Party("Dr B", "b@cabinet.mssante.test")
OTHER, OUTSIDE = Party("", "c@medecin.mssante.test"), Party("X", "x@exemple.test")
MAIL = StoredMail(
    id="k",
    mailbox=BOX,
    owner=UserId("@a:h.test"),
    message_id="<1@x>",
    references=("<0@x>",),
    subject="Avis",
    author=AUTHOR,
    room=RoomId("!r"),
    thread="t",
    to=(Party("", BOX.value), OTHER),
    cc=(Party("", "d@cabinet.mssante.test"), OUTSIDE),
    listed=True,
    who="rpps:1",
)


def whitelisted(domain: str) -> bool:
    return domain.endswith(".mssante.test")


def test_an_answer_goes_to_the_author_alone_from_where_the_mail_came_to() -> None:
    assert answer(MAIL, whitelisted) == Target(
        sender=BOX,
        to=(AUTHOR,),
        thread="t",
        subject="Re: Avis",
        in_reply_to="<1@x>",
        references=("<0@x>", "<1@x>"),
        listed=True,
        who="rpps:1",
    )


@pytest.mark.parametrize(
    ("reply_to", "to", "followed", "ignored"),
    [
        ((), AUTHOR, False, ()),
        ((Party("", AUTHOR.address),), AUTHOR, False, ()),
        ((OTHER,), OTHER, True, ()),
        ((OTHER, OTHER), OTHER, True, ()),
        ((OTHER, AUTHOR), OTHER, True, ()),
        ((OUTSIDE,), AUTHOR, False, (OUTSIDE.address,)),
        ((OTHER, OUTSIDE), AUTHOR, False, (OTHER.address, OUTSIDE.address)),
        ((Party("", "rien"),), AUTHOR, False, ("rien",)),
    ],
)
def test_another_address_is_followed_only_inside_mssante(
    reply_to: tuple[Party, ...], to: Party, followed: bool, ignored: tuple[str, ...]
) -> None:
    answers = answers_to(AUTHOR, reply_to, whitelisted)
    assert (answers.to, answers.followed, answers.ignored) == (to, followed, ignored)
    target = answer(replace(MAIL, reply_to=reply_to), whitelisted)
    assert target.to == (to,)
    assert (target.listed, target.who) == ((False, "") if followed else (True, "rpps:1"))


def test_an_answer_to_all_leaves_out_oneself_and_who_is_not_of_mssante() -> None:
    target = answer_all(MAIL, whitelisted)
    assert target.everyone
    assert target.to == (AUTHOR, OTHER)
    assert (target.listed, target.who) == (True, "rpps:1"), "of the author, who stands first"
    assert [p.address for p in target.cc] == ["d@cabinet.mssante.test"]
    assert target.left_out == (OUTSIDE.address,)


def test_a_further_mail_goes_to_the_same_people_in_the_same_thread() -> None:
    before = replace(answer(MAIL, whitelisted), thread="")
    after = follow(before, "<ours@x>", "d")
    assert (after.to, after.sender, after.thread, after.subject) == (before.to, BOX, "d", "Re: Avis")
    assert after.in_reply_to == "<ours@x>"
    assert after.references == ("<0@x>", "<1@x>", "<ours@x>")


@given(st.text(), st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=3), st.booleans())
def test_a_target_comes_back_as_it_was_stored(subject: str, to: list[tuple[str, str]], everyone: bool) -> None:
    parties = tuple(Party(*p) for p in to)
    target = Target(BOX, parties, subject=subject, everyone=everyone, left_out=("x",), who=subject)
    assert Target.load(target.dump()) == target
    assert Target.load("") is None
