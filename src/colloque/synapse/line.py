"""One question to the annuaire service, over its socket. Blocking: called in threads."""

from __future__ import annotations

import socket
from pathlib import Path

from colloque.calls import MAX_LINE, Ask, JsonDict, decode_answer
from colloque.errors import ServiceUnavailable

TIMEOUT_S = 5.0


def ask(path: Path, question: Ask) -> JsonDict:
    """The answer. Raises ServiceUnavailable, and whatever the service answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(TIMEOUT_S)
            line.connect(str(path))
            line.sendall(question.encode())
            with line.makefile("rb") as answers:
                answer = answers.readline(MAX_LINE)
    except OSError as error:
        raise ServiceUnavailable(f"annuaire does not answer ({type(error).__name__})") from None
    return decode_answer(answer, question.id)
