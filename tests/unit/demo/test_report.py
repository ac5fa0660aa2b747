"""The report, and how a failing step is written down."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from colloque_demo.report import Display, Report, StepResult
from colloque_demo.scenario import STEPS, Script, StepFailed


@pytest.fixture
def script() -> Script:
    return Script(Display(len(STEPS), Console(file=io.StringIO(), width=100)), Report())


def printed(script: Script) -> str:
    return script.display.console.file.getvalue()  # type: ignore[attr-defined]


async def test_a_step_in_two_parts_is_one_line_of_the_report(script: Script):
    async with script.part("patient room", last=False) as facts:
        facts.append("opened")
    assert script.report.steps == []
    async with script.part("patient room") as facts:
        facts.append("erased")
    [step] = script.report.steps
    assert (step.name, step.ok, step.detail) == ("patient room", True, "opened; erased")


async def test_a_failing_step_says_why_and_the_rest_is_named(script: Script):
    async with script.part("directory"):
        pass

    async def enrolment() -> None:
        async with script.part("enrolment") as facts:
            facts.append("home rooms stand")
            raise ValueError("no code came")

    with pytest.raises(StepFailed):
        await enrolment()
    script.close()
    assert [step.name for step in script.report.steps] == list(STEPS)
    assert [step.ok for step in script.report.steps] == [True] + [False] * (len(STEPS) - 1)
    failed = script.report.steps[1]
    assert "home rooms stand" in failed.detail
    assert "no code came" in failed.detail
    assert "no code came" in printed(script)
    assert not script.report.ok


async def test_all_steps_held(script: Script, tmp: Path):
    for name in STEPS:
        async with script.part(name):
            pass
    script.close()
    script.report.ready_s, script.report.memory_mib = 61.5, 700.0
    script.report.write(tmp / "report.json")
    found = json.loads((tmp / "report.json").read_text())
    assert found["ok"] is True
    assert [set(step) for step in found["steps"]] == [{"name", "ok", "seconds", "detail"}] * len(STEPS)
    assert found["ready_s"] == 61.5
    assert "matrix-synapse" in found["versions"]


def test_no_steps_is_not_a_success():
    assert not Report().ok
    assert not Report([StepResult("x", ok=False, seconds=1, detail="")]).ok


def test_plain_lines_where_there_is_no_terminal(script: Script):
    with script.display.shown():
        script.display.title("1. [bold]")
        script.display.said("@annuaire", "Bonjour [red]\nVotre code")
    lines = printed(script).splitlines()
    assert "\x1b" not in printed(script)
    assert lines[0].endswith("1. [bold]")
    assert lines[1].endswith("@annuaire │ Bonjour [red]")
    assert lines[2].endswith("│ Votre code")
