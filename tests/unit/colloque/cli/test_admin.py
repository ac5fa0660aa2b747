"""`colloque admin` where no service answers: nothing is left behind, nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.cli.exits import DATA, LATER, USAGE
from colloque.cli.main import main
from tests.configured import configured


@pytest.mark.parametrize("words", [["bootstrap", "zoe.durand", "paul.petit"], ["access", "@zoe.durand:h.test"]])
def test_ways_in_are_written_to_a_new_file_or_not_asked_for(
    tmp: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["admin", *words, "--config", str(configured(tmp)), "--out"]
    kept = tmp / "kept"
    kept.write_text("mine")
    assert main([*command, str(kept)]) == DATA
    assert kept.read_text() == "mine"
    assert main([*command, str(tmp / "new")]) == LATER
    assert not (tmp / "new").exists()
    assert main([*command, "-"]) == LATER
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "words", [["bootstrap", "a.b", "--out", "x"], ["bootstrap", "a.b", "c.d"], ["access", "@a:b"], ["access"], []]
)
def test_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["admin", *words])
    assert caught.value.code == USAGE
