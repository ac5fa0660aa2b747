"""Plays the scenario: each step real, seen from outside, timed, and written down whatever happens."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from colloque.clock import monotonic
from colloque.identity import UserId
from colloque_demo import steps_enrolment, steps_mail, steps_patient, steps_refusal, steps_settled
from colloque_demo.clinician import Clinician
from colloque_demo.mailbox import Postman
from colloque_demo.report import Display, Report, StepResult
from colloque_demo.settings import IDLE_S
from colloque_demo.stack import Stack
from colloque_demo.stage import Stage

STEPS = {
    "directory": "1. A synthetic directory is generated and imported",
    "enrolment": "2. Home rooms, and a verified identity",
    "refusals": "3. Whoever is not verified is refused by the server",
    "mail": "4. A colleague's MSSanté mail, and the reply",
    "patient room": "5. A patient room, from opening to receipt",
    "settled": "6. All is well, nothing doubled",
}
"""By name, in the report's order; the stack itself is started between the first and the second."""


class StepFailed(Exception):
    """A step did not hold; it is in the report."""


@dataclass
class Script:
    """Writes each step's outcome into the report. A step may come in several parts."""

    display: Display
    report: Report
    _facts: dict[str, list[str]] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)

    @asynccontextmanager
    async def part(self, name: str, *, more: str = "", last: bool = True) -> AsyncIterator[list[str]]:
        """One part of a step; yields the list that its facts go to. Raises StepFailed when anything goes wrong."""
        self.display.title(f"{STEPS[name]}{more}")
        facts = self._facts.setdefault(name, [])
        began = monotonic()
        try:
            yield facts
        except Exception as error:
            self._seconds[name] = self._seconds.get(name, 0.0) + monotonic() - began
            why = _why(error)
            self.display.failed(why)
            self._write(name, ok=False, detail="; ".join([*facts, f"FAILED: {why}"]))
            raise StepFailed(name) from error
        self._seconds[name] = self._seconds.get(name, 0.0) + monotonic() - began
        if last:
            self._write(name, ok=True, detail="; ".join(facts))
            self.display.done()

    def close(self) -> None:
        """Name the steps that never came to an end: without them nothing has held."""
        written = {step.name for step in self.report.steps}
        for name in STEPS:
            if name not in written:
                self._write(name, ok=False, detail="not run to its end: an earlier step failed")
        order = list(STEPS)
        self.report.steps.sort(key=lambda step: order.index(step.name))

    def _write(self, name: str, *, ok: bool, detail: str) -> None:
        self.report.steps.append(StepResult(name, ok, round(self._seconds.get(name, 0.0), 2), detail))


async def play(stack: Stack, script: Script) -> None:
    """Steps 2 to 6. Raises StepFailed."""
    cast = stack.cast
    async with aiohttp.ClientSession() as session:
        people: dict[UserId, Clinician] = {}
        try:
            async with script.part("enrolment") as facts:
                for person in (cast.author, cast.colleague, cast.outsider):
                    own = stack.layout.client(person.account)
                    people[person.account] = await Clinician.login(session, stack.server.url, person, own)
                facts.append("three people logged in and made an identity")
                stage = Stage(
                    stack,
                    script.display,
                    _postman(stack),
                    people[cast.author.account],
                    people[cast.colleague.account],
                    people[cast.outsider.account],
                )
                await _perform(steps_enrolment.run, stage, facts)
            await _rest(stage, script)
        finally:
            for who in people.values():
                await who.close()


async def _rest(stage: Stage, script: Script) -> None:
    aging = f" (opened; its {IDLE_S} s run while the next steps go on)"
    async with script.part("patient room", more=aging, last=False) as facts:
        stage.facts = facts
        opened = await steps_patient.open_room(stage)
    async with script.part("refusals") as facts:
        await _perform(steps_refusal.run, stage, facts)
    async with script.part("mail") as facts:
        await _perform(steps_mail.run, stage, facts)
    async with script.part("patient room", more=" (its end)") as facts:
        stage.facts = facts
        await steps_patient.end_room(stage, opened)
    async with script.part("settled") as facts:
        await _perform(steps_settled.run, stage, facts)


async def _perform(act: Callable[[Stage], Awaitable[None]], stage: Stage, facts: list[str]) -> None:
    stage.facts = facts
    await act(stage)


def _postman(stack: Stack) -> Postman:
    mssante = stack.config.mssante
    return Postman(mssante.imap.port, mssante.smtp.port, mssante.imap.ca)


def _why(error: Exception) -> str:
    """What failed and where, for whoever has to repair it. The demo's people are made up: nothing to hide."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"
