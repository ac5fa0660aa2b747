"""The one error tree. Each class has a stable `code`; temporary and final failures are different types.

    ColloqueError
    ├── BadInput                 somebody typed or sent something we can't accept
    │   └── BadIdentifier        an RPPS, FINESS, INS, address… that is malformed
    ├── ConfigError              the configuration is wrong; every problem at once (exit 78)
    ├── Refused                  a rule says no; `code` tells which
    ├── Temporary                try again, after `retry_after_s` where it is known
    │   ├── HomeUnavailable      the homeserver does not answer, or asks us to wait
    │   ├── ServiceUnavailable   another service of ours does not answer
    │   ├── NoRoom               the disk takes no more
    │   ├── AntivirusUnavailable clamd can't be reached, or failed on what it was handed
    │   └── MailDeferred         SMTP 4xx, IMAP connection lost, operator full
    └── Final                    trying again changes nothing
        ├── HomeRefused          the homeserver said no (4xx)
        ├── NotFound             the thing asked for does not exist (any more)
        ├── LoginRefused         credentials refused: never retried by itself
        ├── MailRefused          SMTP 5xx
        ├── MailInDoubt          the answer to DATA was lost: sent or not, unknown
        ├── Tampered             a signature, digest or chain does not hold
        └── Inconsistent         our own data contradict themselves

Messages never hold a patient, a subject, a text, an address or a token: they reach logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ColloqueError(Exception):
    """Root of every error we raise on purpose."""

    code = "colloque.error"


class BadInput(ColloqueError):
    """Input refused; nothing was changed."""

    code = "input.bad"


class BadIdentifier(BadInput):
    """An identifier is malformed. The message never repeats the identifier."""

    code = "input.identifier"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration: where (dotted path) and what."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ConfigError(ColloqueError):
    """A configuration can't be used. `problems` names all of them."""

    code = "config.bad"
    exit_code = 78

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class Refused(ColloqueError):
    """A rule said no. `reason` is the rule's stable code."""

    code = "refused"

    def __init__(self, reason: str, message: str = "") -> None:
        self.reason = reason
        super().__init__(message or reason)


class Temporary(ColloqueError):
    """Trying again later may work; `retry_after_s` (seconds) when the other side said when."""

    code = "temporary"

    def __init__(self, message: str = "", retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message or self.code)


class HomeUnavailable(Temporary):
    """The homeserver can't be reached, is overloaded, or rate-limits us."""

    code = "home.unavailable"


class ServiceUnavailable(Temporary):
    """Another of our services did not answer on its socket."""

    code = "service.unavailable"


class AntivirusUnavailable(Temporary):
    """clamd gave no verdict. `received`: it was reached, so that the file itself may be why."""

    code = "antivirus.unreachable"

    def __init__(self, message: str, *, received: bool) -> None:
        self.received = received
        super().__init__(message)


class NoRoom(Temporary):
    """The disk takes no more, or refuses: what was to be kept is still where it came from."""

    code = "disk.no_room"


class MailDeferred(Temporary):
    """The mail operator asked us to wait, or the connection was lost before anything was accepted."""

    code = "mail.deferred"


class Final(ColloqueError):
    """Trying the same thing again can't help."""

    code = "final"


class HomeRefused(Final):
    """The homeserver refused (4xx). `errcode` is the Matrix error code, `status` the HTTP status."""

    code = "home.refused"

    def __init__(self, status: int, errcode: str, message: str = "") -> None:
        self.status = status
        self.errcode = errcode
        super().__init__(message or f"{status} {errcode}")


class NotFound(Final):
    """What was asked for does not exist."""

    code = "not_found"


class LoginRefused(Final):
    """Credentials were refused. A mailbox whose login is refused is stopped, never hammered."""

    code = "login.refused"


class MailRefused(Final):
    """The operator refused a mail for good (SMTP 5xx). `status` is the reply code, e.g. 550."""

    code = "mail.refused"

    def __init__(self, status: int, enhanced: str = "") -> None:
        self.status = status
        self.enhanced = enhanced
        super().__init__(f"{status} {enhanced}".strip())


class MailInDoubt(Final):
    """The answer to DATA was lost: the mail may have left. Never resent by itself."""

    code = "mail.in_doubt"


class Tampered(Final):
    """A signature, a digest or a chain does not hold."""

    code = "tampered"


class Inconsistent(Final):
    """Our own records contradict each other; an operator must look."""

    code = "inconsistent"
