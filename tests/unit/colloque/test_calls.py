"""The line codec between services."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.calls import MAX_LINE, Ask, decode_answer, encode_error, encode_ok
from colloque.errors import BadInput, ColloqueError, Final, NotFound, Refused, ServiceUnavailable, Temporary

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.integers(), st.text(), st.text(), st.dictionaries(st.text(), json_values, max_size=4))
def test_an_ask_comes_back_as_it_was(number: int, caller: str, verb: str, args: dict[str, object]) -> None:
    ask = Ask(number, caller, verb, args)
    line = ask.encode()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert Ask.decode(line) == ask


@given(st.binary(max_size=200))
def test_garbage_is_bad_input(line: bytes) -> None:
    try:
        Ask.decode(line)
    except BadInput:
        return
    assert isinstance(json.loads(line), dict)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b'{"id":1,"caller":"a","verb":"b"}',
        b'{"id":true,"caller":"a","verb":"b","args":{}}',
        b'{"id":1,"caller":"a","verb":"b","args":[]}',
        b"[" * 100_000,
    ],
)
def test_a_malformed_ask_is_bad_input(line: bytes) -> None:
    with pytest.raises(BadInput):
        Ask.decode(line)


def test_a_value_comes_back() -> None:
    assert decode_answer(encode_ok(3, {"state": "queued"}), 3) == {"state": "queued"}


@pytest.mark.parametrize(
    ("sent", "kind", "code"),
    [
        (Refused("code_dead", "too often"), Refused, "code_dead"),
        (BadInput("what?"), BadInput, "input.bad"),
        (Temporary("later", retry_after_s=7.5), Temporary, "temporary"),
        (ServiceUnavailable("later"), Temporary, "temporary"),
        (NotFound("gone"), Final, "final"),
        (ColloqueError("?"), Final, "final"),
    ],
)
def test_an_error_comes_back_as_what_the_caller_may_do(sent: ColloqueError, kind: type[Exception], code: str) -> None:
    with pytest.raises(kind) as caught:
        decode_answer(encode_error(3, sent), 3)
    assert type(caught.value) is kind
    if isinstance(caught.value, Refused):
        assert caught.value.reason == code
    if isinstance(sent, Temporary) and isinstance(caught.value, Temporary):
        assert caught.value.retry_after_s == sent.retry_after_s
    assert str(sent) in str(caught.value)


@pytest.mark.parametrize("line", [b"", b"x", b"{}", b'{"id":4,"ok":{}}', b'{"id":3,"ok":1}', b'{"id":3,"error":1}'])
def test_no_answer_is_temporary(line: bytes) -> None:
    with pytest.raises(Temporary):
        decode_answer(line, 3)


@pytest.mark.parametrize("text", ["\ud800.pdf", "\udfff", "a\ud83d\x00\u2028é"])
def test_every_text_can_be_written(text: str) -> None:
    """Python's JSON reads half a pair of surrogates, and UTF-8 has no bytes for it."""
    came = Ask.decode(Ask(1, "a", "b", {"file": {text: text}}).encode()).args["file"]
    plain = text.replace("\ud800", "?").replace("\udfff", "?").replace("\ud83d", "?")
    assert came == {plain: plain}
    assert decode_answer(encode_ok(1, {"text": text}), 1) == {"text": plain}
    with pytest.raises(Final, match=re.escape(plain)):
        decode_answer(encode_error(1, ColloqueError(text)), 1)


def test_what_is_too_deep_or_too_big_for_json_is_bad_input() -> None:
    deep: dict[str, object] = {}
    for _ in range(10_000):
        deep = {"a": deep}
    for odd in (deep, 10**5_000):
        with pytest.raises(BadInput):
            Ask(1, "a", "b", {"odd": odd}).encode()


def test_lines_are_bounded() -> None:
    with pytest.raises(BadInput):
        Ask(1, "a", "b", {"text": "x" * MAX_LINE}).encode()
    with pytest.raises(BadInput):
        encode_ok(1, {"text": "x" * MAX_LINE})
