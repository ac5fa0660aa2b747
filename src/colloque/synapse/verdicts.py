"""From a verdict to what Synapse understands, and to the report. Whatever goes wrong refuses."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Literal

from synapse.module_api import NOT_SPAM
from synapse.module_api.errors import Codes, SynapseError

from colloque.policy.admission import ALLOWED, Reason, Refused, Verdict
from colloque.synapse.reports import Reports

CODE_FIELD = "fr.colloque.code"
"""Where a refusal's code stands in the error that clients get."""

Answer = Literal["NOT_SPAM"] | tuple[Codes, dict[str, Any]]

logger = logging.getLogger(__name__)


class Verdicts:
    """Answers and errors, each reported once it is a no."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    async def answer(self, act: str, actor: str, other: str, deciding: Awaitable[Verdict]) -> Answer:
        """What a spam checker's callback returns."""
        code = await self._refusal(act, actor, other, deciding)
        return NOT_SPAM if code is None else (Codes.FORBIDDEN, {CODE_FIELD: code})

    async def demand(self, act: str, actor: str, other: str, deciding: Awaitable[Verdict]) -> None:
        """What a third-party rule's callback raises: SynapseError 403."""
        code = await self._refusal(act, actor, other, deciding)
        if code is not None:
            raise forbidden(code)

    async def _refusal(self, act: str, actor: str, other: str, deciding: Awaitable[Verdict]) -> str | None:
        try:
            verdict = await deciding
        except Exception as error:  # noqa: BLE001  fail closed
            log_failure(act, error)
            verdict = Refused(Reason.INTERNAL)
        if verdict == ALLOWED:
            return None
        assert isinstance(verdict, Refused)
        self._reports.refused(actor, verdict.other or other, act, verdict.reason.value)
        return verdict.reason.value


def forbidden(code: str) -> SynapseError:
    """The error that clients and other servers get."""
    return SynapseError(403, "Refused by this server's admission rule", Codes.FORBIDDEN, {CODE_FIELD: code})


def log_failure(act: str, error: Exception) -> None:
    """The type and the place only: words and arguments may hold ids."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    name = Path(place.filename).name
    logger.error("colloque.decision_failed act=%s error=%s at %s:%s", act, type(error).__name__, name, place.lineno)
