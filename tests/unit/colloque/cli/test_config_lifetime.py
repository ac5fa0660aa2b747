"""`salles.lifetime`: times that fit each other; each that does not is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.config_load import load
from colloque.errors import ConfigError
from tests.unit.colloque.cli.test_config_psc import changed


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("notice_s", "2592000", "must be shorter than idle_s"),
        ("reminder_s", "604800", "must be shorter than notice_s"),
        ("hold_s", "604800", "must be longer than notice_s"),
        ("archive_wait_s", "0", "must be above 0"),
        ("archive_late_s", "0", "must be above 0"),
        ("many_share", "1.5", "must be above 0, and 1 at most"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, name: str, value: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(changed(tmp_path, (rf"(?m)^    {name}: .*$", f"    {name}: {value}"), section="salles"))
    assert any(str(each).startswith(f"salles.lifetime.{name}: {problem}") for each in refused.value.problems)


def test_no_reminder_is_fine(tmp_path: Path) -> None:
    own = load(changed(tmp_path, (r"(?m)^    reminder_s: .*$", "    reminder_s: 0"), section="salles")).salles
    assert own.lifetime.reminder_s == 0


@pytest.mark.parametrize("name", ["keep_s", "round_s"])
def test_conversations_live_for_some_time(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(changed(tmp_path, (rf"(?m)^    {name}: .*$", f"    {name}: 0"), section="salles"))
    assert [str(each) for each in refused.value.problems] == [f"salles.direct.{name}: must be above 0"]


def test_they_live_ninety_days_where_nothing_is_said(tmp_path: Path) -> None:
    lines = r"(?m)^  direct:\n(    .*\n)+"
    assert load(changed(tmp_path, (lines, ""), section="salles")).salles.direct.keep_s == 90 * 86400
