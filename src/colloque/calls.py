"""How our services ask each other, on one line of JSON each way. Pure; standard library only.

    ask     {"id": 7, "caller": "salles", "verb": "send", "args": {…}}
    answer  {"id": 7, "ok": {…}}  or  {"id": 7, "error": {"kind", "code", "message", "retry_after_s"?}}

`kind` says what the caller may do about an error (`temporary`, `refused`, `bad_input`, `final`), `code` is the
error's stable code (a rule's reason for `refused`). Lines end with a newline and hold at most MAX_LINE bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from colloque.errors import BadInput, ColloqueError, Final, Refused, Temporary

MAX_LINE = 256 * 1024
"""Bytes in one line, newline included: room for a long text, never for a file."""

JsonDict = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: `caller` asks for `verb` with `args`; `id` comes back in the answer."""

    id: int
    caller: str
    verb: str
    args: JsonDict

    def encode(self) -> bytes:
        """The line. Raises BadInput when it would be too long, or too deep; texts of any kind can be written."""
        return _line({"id": self.id, "caller": self.caller, "verb": self.verb, "args": self.args})

    @classmethod
    def decode(cls, line: bytes) -> Ask:
        """Raises BadInput."""
        raw = _object(line)
        number, caller, verb, args = raw.get("id"), raw.get("caller"), raw.get("verb"), raw.get("args")
        if type(number) is not int or not isinstance(caller, str) or not isinstance(verb, str):
            raise BadInput("a call needs id, caller and verb")
        if not isinstance(args, dict):
            raise BadInput("a call's args must be an object")
        return cls(number, caller, verb, args)


def encode_ok(number: int, value: JsonDict) -> bytes:
    """The line that answers with a value. Raises BadInput when it would be too long."""
    return _line({"id": number, "ok": value})


def encode_error(number: int, error: ColloqueError) -> bytes:
    """The line that answers with an error. Messages of our errors never hold personal data."""
    body: JsonDict = {"kind": "final", "code": error.code, "message": str(error)[:500]}
    match error:
        case Refused():
            body |= {"kind": "refused", "code": error.reason}
        case BadInput():
            body |= {"kind": "bad_input"}
        case Temporary():
            body |= {"kind": "temporary", "retry_after_s": error.retry_after_s}
    return _line({"id": number, "error": body})


def decode_answer(line: bytes, number: int) -> JsonDict:
    """The value answered to ask `number`.

    Raises the error that was answered (Temporary, Refused, BadInput or Final), or Temporary when the line is no
    answer to that ask: the call may have been done, repeating it is safe only with verbs that say so.
    """
    try:
        raw = _object(line)
    except BadInput:
        raise Temporary("the answer can't be read") from None
    if raw.get("id") != number:
        raise Temporary("the answer belongs to another call")
    value, error = raw.get("ok"), raw.get("error")
    if isinstance(value, dict):
        return value
    if not isinstance(error, dict):
        raise Temporary("the answer holds neither a value nor an error")
    raise _rebuilt(error)


def _rebuilt(raw: JsonDict) -> ColloqueError:
    code, message = str(raw.get("code", "")), str(raw.get("message", ""))
    match raw.get("kind"):
        case "refused":
            return Refused(code, message)
        case "bad_input":
            return BadInput(message)
        case "final":
            return Final(f"{code}: {message}")
        case _:
            wait = raw.get("retry_after_s")
            return Temporary(message, float(wait) if isinstance(wait, int | float) else None)


def _line(value: JsonDict) -> bytes:
    try:
        # Half a pair of surrogates, which JSON may hold, is no character: it arrives as a question mark.
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"
    except (ValueError, RecursionError):
        raise BadInput("a call that can't be written as JSON") from None
    if len(line) > MAX_LINE:
        raise BadInput(f"a call holds at most {MAX_LINE} bytes")
    return line


def _object(line: bytes) -> JsonDict:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        raise BadInput("not a line of JSON") from None
    if not isinstance(raw, dict):
        raise BadInput("not a JSON object")
    return raw
