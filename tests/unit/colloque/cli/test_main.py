"""The command line's frame: usage, help, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from colloque import __version__
from colloque.cli.exits import CODES
from colloque.cli.main import main
from colloque.errors import BadInput, ConfigError, Inconsistent, NotFound, Problem, Temporary


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["nothing"],
        ["annuaire"],
        ["annuaire", "import"],
        ["annuaire", "find", "x", "--limit", "0"],
        ["annuaire", "find", "x", "--limit", "many"],
        ["annuaire", "diff", "x"],
        ["annuaire", "import", "x", "--target", "a", "--config", "b"],
        ["annuaire", "sample", "--people", "many", "--out", "x"],
        ["annuaire", "sample", "--people", "5", "--out", "x", "--made-at", "yesterday"],
        ["annuaire", "show", "--target", "x"],
        ["config", "check"],
        ["audit"],
        ["receipt", "verify", "x"],
    ],
)
def test_wrong_usage_leaves_with_64(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 64
    assert "usage: colloque" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--help"], ["annuaire", "--help"], ["annuaire", "import", "--help"]])
def test_help_is_no_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 0
    assert "usage: colloque" in capsys.readouterr().out


def test_help_names_commands_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = " ".join(capsys.readouterr().out.split())
    for word in ("annuaire", "config", "audit", "receipt", "64 wrong usage", "78 there is no configuration"):
        assert word in out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"colloque {__version__}\n"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BadInput("bad"), 65, "bad\n"),
        (NotFound("none"), 1, "none\n"),
        (Temporary("later"), 75, "later\n"),
        (Inconsistent("broken"), 70, "broken\n"),
        (ConfigError([Problem("a.b", "x"), Problem("c", "y")]), 78, "a.b: x\nc: y\n"),
        (PermissionError(13, "Permission denied", "/x"), 74, "/x: Permission denied\n"),
        (OSError(28, "No space left on device"), 74, "input/output: No space left on device\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_every_error_has_its_exit_code(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_args: object) -> int:
        raise error

    monkeypatch.setattr("colloque.cli.config.run", fail)
    assert main(["config", "check", "x"]) == code
    assert capsys.readouterr().err == said
    assert code in CODES


def test_the_console_script_passes_the_code_on(tmp_path: Path) -> None:
    script = Path(sys.executable).parent / "colloque"
    done = subprocess.run(
        [script, "config", "check", tmp_path / "none.yaml"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 78
    assert done.stderr.endswith("can't be read (No such file or directory)\n")
