"""What was refused, and who has an account, told to the annuaire service without ever making Synapse wait.

Reports wait in memory, bounded; a thread sends them to the service's socket within half a second. While the service is
down they are kept and tried again. They survive its restart, not Synapse's: a lost one costs an explanation, never
a protection (clients were told no at once), and an account is reported again at its next login.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from colloque.calls import Ask, JsonDict
from colloque.errors import BadInput, ColloqueError
from colloque.synapse.line import ask

if TYPE_CHECKING:
    from synapse.module_api import ModuleApi

DELAY_S = 0.2
"""From an act to its report: several refusals in a row make one call."""
RETRY_S = (0.25, 2.0)
"""First and longest wait while the annuaire service does not answer."""
BATCH = 50
QUEUE_MAX = 2000
PER_ACTOR_MAX = 100
"""One account that tries everything can't push out the reports about others."""

Act = tuple[str, str, str, str]
"""actor, other, act, reason."""

logger = logging.getLogger(__name__)


class Queue:
    """Reports not delivered yet, in order, each once. Safe between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._acts: dict[Act, None] = {}
        self._accounts: dict[str, None] = {}
        self._by_actor: Counter[str] = Counter()
        self._number = 0

    def add_act(self, act: Act) -> None:
        """Keep, unless there is no room."""
        with self._lock:
            full = len(self._acts) >= QUEUE_MAX or self._by_actor[act[0]] >= PER_ACTOR_MAX
            if act not in self._acts and not full:
                self._acts[act] = None
                self._by_actor[act[0]] += 1

    def add_account(self, user: str) -> None:
        """Keep, unless there is no room."""
        with self._lock:
            if len(self._accounts) < QUEUE_MAX:
                self._accounts[user] = None

    def __len__(self) -> int:
        with self._lock:
            return len(self._acts) + len(self._accounts)

    def deliver(self) -> None:
        """Send what waits, accounts first (their home room is where refusals are told). Blocking.

        Raises ServiceUnavailable and whatever the service answers; what was not delivered stays.
        """
        with self._lock:
            accounts, acts = list(self._accounts), list(self._acts)
        for user in accounts:
            self._call("account", {"user": user})
            with self._lock:
                self._accounts.pop(user, None)
        for start in range(0, len(acts), BATCH):
            batch = acts[start : start + BATCH]
            keys = ("actor", "other", "act", "reason")
            self._call("refused", {"acts": [dict(zip(keys, act, strict=True)) for act in batch]})
            with self._lock:
                for act in batch:
                    del self._acts[act]
                    self._by_actor[act[0]] -= 1
                self._by_actor = +self._by_actor

    def _call(self, verb: str, args: JsonDict) -> None:
        self._number += 1
        try:
            ask(self._path, Ask(self._number, "synapse", verb, args))
        except BadInput:
            # The same report would be refused again for ever; the refusal itself was already applied.
            logger.error("colloque.report_not_understood verb=%s", verb)  # noqa: TRY400  the error's words are foreign


class Reports:
    """The queue, and the background task that empties it."""

    def __init__(self, api: ModuleApi, path: Path) -> None:
        self._api = api
        self._queue = Queue(path)
        self._running = False

    def refused(self, actor: str, other: str, act: str, reason: str) -> None:
        """`actor` was refused an act, which concerned `other` ("" when nobody)."""
        self._queue.add_act((actor, other, act, reason))
        self._wake()

    def account(self, user: str) -> None:
        """An account was made, or somebody logged in."""
        self._queue.add_account(user)
        self._wake()

    def _wake(self) -> None:
        if not self._running:
            self._running = True
            self._api.delayed_background_call(DELAY_S * 1000, self._run, desc="colloque_reports")

    async def _run(self) -> None:
        wait, told = RETRY_S[0], False
        try:
            while len(self._queue):
                try:
                    await self._api.defer_to_thread(self._queue.deliver)
                    wait, told = RETRY_S[0], False
                except ColloqueError as error:
                    if not told:
                        logger.warning("colloque.reports_wait code=%s", error.code)
                    told = True
                    await self._api.sleep(wait)
                    wait = min(wait * 2, RETRY_S[1])
        finally:
            self._running = False
