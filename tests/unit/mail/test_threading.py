"""Answers name what they answer, and find their thread by that alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.mail.parse import parse_mail
from colloque.mail.threading import REFERENCES_LIMIT, bounded, forward_subject, parents, reply_headers, reply_subject

IDS = st.integers(0, 30).map(lambda n: f"<{n}@x>")


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Avis", "Re: Avis"),
        ("Re: Avis", "Re: Avis"),
        ("RE: re : Rép: Avis", "Re: Avis"),
        ("Re[2]: Avis", "Re: Avis"),
        ("Re\u00a0: Avis", "Re: Avis"),
        ("TR: Avis", "Re: TR: Avis"),
        ("Fwd: Re: Avis", "Re: Fwd: Re: Avis"),
        ("Repos demandé", "Re: Repos demandé"),
        ("", "Re: "),
    ],
)
def test_the_subject_of_an_answer(subject: str, expected: str):
    assert reply_subject(subject) == expected
    assert reply_subject(expected) == expected


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Avis", "TR: Avis"),
        ("Tr : Fwd: Avis", "TR: Avis"),
        ("Re: Avis", "TR: Re: Avis"),
        ("Trauma", "TR: Trauma"),
        ("", "TR: "),
    ],
)
def test_the_subject_of_what_is_forwarded(subject: str, expected: str):
    assert forward_subject(subject) == expected


def test_the_headers_of_an_answer():
    assert reply_headers("<b@x>", ("<a@x>",)) == ("<b@x>", ("<a@x>", "<b@x>"))
    assert reply_headers("<b@x>", ()) == ("<b@x>", ("<b@x>",))
    assert reply_headers(None, ("<a@x>",)) == (None, ("<a@x>",))
    assert reply_headers(None, ()) == (None, ())


@given(st.lists(IDS, max_size=60))
def test_references_are_bounded_and_keep_root_and_last(references: list[str]):
    kept = bounded(references)
    assert len(kept) <= REFERENCES_LIMIT
    assert len(set(kept)) == len(kept)
    if references:
        assert kept[0] == references[0]
        assert references[-1] in kept


def test_parents_come_nearest_first_and_once():
    mail = replace(parse_mail(b"\r\n"), in_reply_to="<d@x>", references=("<a@x>", "<b@x>", "<d@x>", "<c@x>"))
    assert parents(mail) == ("<d@x>", "<c@x>", "<b@x>", "<a@x>")
    assert parents(replace(mail, in_reply_to=None, references=())) == ()
