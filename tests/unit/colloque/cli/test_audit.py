"""`colloque audit verify`, as an operator runs it."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from colloque.cli.audit import register
from colloque.clock import FrozenClock
from colloque.store.journal import Journal


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(["audit", "verify", *words])
    code: int = args.run(args)
    return code


@pytest.fixture
def path(tmp_path: Path, clock: FrozenClock) -> Path:
    path = tmp_path / "annuaire.journal"
    journal = Journal.open(path, clock)
    journal.note("service.start")
    journal.begin("mail.send")
    journal.note("service.stop")
    journal.close()
    return path


def test_a_sound_journal(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(path)) == 0
    out = capsys.readouterr().out
    assert "holds, 3 entries, 1 open, head " in out
    head = out.split("head ")[1].split(";")[0]
    assert "--head" in out
    assert run(str(path), "--head", head) == 0
    assert "--head" not in capsys.readouterr().out


def test_a_service_may_be_writing_it(path: Path, clock: FrozenClock) -> None:
    journal = Journal.open(path, clock)
    assert run(str(path)) == 0
    journal.close()


def test_a_problem_names_the_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(path.read_bytes().replace(b"mail.send", b"mail.sent"))
    assert run(str(path)) == 1
    assert "DOES NOT HOLD, line 2" in capsys.readouterr().out


def test_a_cut_tail(path: Path, clock: FrozenClock, capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal.open(path, clock)
    head = journal.head
    journal.close()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert run(str(path)) == 0
    assert run(str(path), "--head", head) == 1
    assert "cut off" in capsys.readouterr().out


def test_the_worst_of_several_files_counts(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(path), str(tmp_path / "none"), str(path)) == 66
    said = capsys.readouterr()
    assert said.out.count("holds") == 2
    assert "can't be read" in said.err
    assert run(str(path), str(path), "--head", "0" * 64) == 64
