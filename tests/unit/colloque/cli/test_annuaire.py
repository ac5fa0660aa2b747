"""`colloque annuaire …` as an operator types it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from colloque.cli.main import main
from colloque.directory.build import only_one
from colloque.directory.file import DirectoryFile
from tests.configured import configured
from tests.extracts import mailbox, mailbox_file, people_file, person, rpps, whitelist_xml


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    files.mkdir()
    people_file(files, [person(1), person(1, town="METZ"), person(2), person(3, id="89900000090")])
    mailbox_file(files, [mailbox("anne@x.test", 1), mailbox("accueil@x.test")])
    (files / "list.xml").write_text(whitelist_xml("x.test", end="2099-01-01T00:00:00+01:00"), encoding="utf-8")
    return files


@pytest.fixture
def target(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "d.sqlite"
    assert main(["annuaire", "import", str(folder), "--target", str(path)]) == 0
    capsys.readouterr()
    return path


def test_an_import_tells_what_it_did(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annuaire", "import", str(folder), "--target", str(tmp_path / "d.sqlite")]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 people, 3 activities, 2 mailboxes, 1 white-listed domains\n")
    assert "rows kept out, identifier.key: 1" in out
    assert "(utf-8, 4 rows, made 2026-03-01 06:30)" in out
    assert err == "", "no bar where nobody looks"


def test_an_import_reports_as_json(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["annuaire", "import", str(folder), "--json", "--target", str(tmp_path / "d.sqlite")]
    assert main(argv) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["people"], report["rejected"], report["forced"]) == (2, {"identifier.key": 1}, False)
    assert {f["kind"]: f["made_at"] for f in report["files"]}["people"] == "2026-03-01T05:30:00+00:00"


def test_a_refused_import_says_why_and_leaves_with_65(
    target: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = target.read_bytes()
    people_file(folder, [person(1)])
    argv = ["annuaire", "import", str(folder), "--target", str(target)]
    assert main(argv) == 65
    assert capsys.readouterr().err == "1 people instead of 2: a fall of 50.0 %\n"
    assert main([*argv, "--json"]) == 65
    assert json.loads(capsys.readouterr().out)["refused"] == "people.fall"
    assert target.read_bytes() == before
    assert main([*argv, "--force"]) == 0
    assert DirectoryFile(target).freshness().people == 1


def test_a_second_import_at_the_same_time_leaves_with_75(
    target: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with only_one(target):
        assert main(["annuaire", "import", str(folder), "--target", str(target)]) == 75
    assert "another import" in capsys.readouterr().err


def test_a_terminal_gets_a_progress_bar(tmp_path: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "colloque.cli.main", "annuaire", "import", str(folder)]
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*command, "--target", str(tmp_path / "d.sqlite")],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=os.environ | {"TERM": "xterm"},
            timeout=60,
            check=True,
        )
        shown = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "\u2501" in shown
    assert done.stdout.decode().startswith("2 people")


def test_status_tells_dates_and_counts(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annuaire", "status", "--target", str(target)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 people, 2 mailboxes, imported ")
    assert "STALE" in out.splitlines()[0]
    assert "  people: made 2026-03-01 06:30\n" in out
    assert "white-list: valid until 2099-01-01 00:00" in out
    assert main(["annuaire", "status", "--json", "--target", str(target)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["made_at"] == facts["parts"]["mailboxes"] == "2026-03-01T05:30:00+00:00"


def test_status_before_an_import_is_a_no(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annuaire", "status", "--target", str(tmp_path / "none.sqlite")]) == 1
    assert capsys.readouterr().err == "no directory was imported yet\n"


def test_a_damaged_directory_is_our_own_fault(target: Path) -> None:
    target.write_bytes(b"garbage " * 999)
    assert main(["annuaire", "status", "--target", str(target)]) == 70


@pytest.mark.parametrize("who", [rpps(1), f"8{rpps(1)}", "ANNE@x.test"])
def test_a_person_is_shown_whole(target: Path, capsys: pytest.CaptureFixture[str], who: str) -> None:
    assert main(["annuaire", "show", who, "--target", str(target)]) == 0
    out = capsys.readouterr().out
    assert f"{rpps(1)} Dr Hélène NOM1\n" in out
    assert "54000 NANCY\n" in out
    assert "54000 METZ\n" in out
    assert "PER anne@x.test (CHU)\n" in out


def test_a_services_mailbox_is_shown(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annuaire", "show", "accueil@x.test", "--target", str(target)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "ORG accueil@x.test (CHU)"


@pytest.mark.parametrize(
    ("who", "code"), [(rpps(9), 1), ("nobody@x.test", 1), ("89900000090", 65), ("12", 65), ("a@b@c", 65)]
)
def test_who_is_not_listed_or_malformed(target: Path, who: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annuaire", "show", who, "--target", str(target)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert who not in err


def test_a_sample_is_written_and_can_be_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["annuaire", "sample", "--people", "50", "--out", str(tmp_path / "s"), "--made-at", "202603010630"]
    assert main(argv) == 0
    assert capsys.readouterr().out.startswith("50 people (and 0 under an ADELI number)")
    assert (tmp_path / "s/PS_LibreAcces_Personne_activite_202603010630.txt").exists()
    assert main(["annuaire", "sample", "--people", "50", "--out", str(tmp_path / "t"), "--seed", "2"]) == 0
    assert main(["annuaire", "import", str(tmp_path / "t"), "--target", str(tmp_path / "d.sqlite")]) == 0
    assert main(["annuaire", "sample", "--people", "0", "--out", str(tmp_path / "u")]) == 65


def test_the_configuration_names_the_target(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And in test mode fictive identifiers are admitted."""
    config = configured(tmp_path)
    config.write_text(config.read_text(encoding="utf-8").replace("mode: production", "mode: test"), encoding="utf-8")
    assert main(["annuaire", "import", str(folder), "--config", str(config)]) == 0
    assert DirectoryFile(tmp_path / "annuaire/directory.sqlite").freshness().people == 3
    assert main(["annuaire", "show", "89900000090", "--config", str(config)]) == 0
    config.write_text("mode: nothing", encoding="utf-8")
    assert main(["annuaire", "status", "--config", str(config)]) == 78


def test_people_are_found_and_paged(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annuaire", "find", "nom1", "helene", "--target", str(target)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].split()[1] == rpps(1)
    assert (
        main(
            ["annuaire", "find", "--near", "nancy", "--limit", "1", "--offset", "1", "--json", "--target", str(target)]
        )
        == 0
    )
    page = json.loads(capsys.readouterr().out)
    assert (page["total"], len(page["matches"])) == (2, 1)
    assert page["matches"][0]["rpps"] == rpps(2)


@pytest.mark.parametrize(
    ("words", "code"),
    [(["zzzzqqqq"], 1), ([], 65), (["x", "--near", "qqqqzzzz"], 65), (["x", "--profession", "qqqq"], 65)],
)
def test_what_is_not_found_or_not_understood(target: Path, words: list[str], code: int) -> None:
    assert main(["annuaire", "find", *words, "--target", str(target)]) == code


def test_a_person_is_shown_as_json(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annuaire", "show", "anne@x.test", "--json", "--target", str(target)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["mailbox"] == {
        "address": "anne@x.test",
        "kind": "PER",
        "structure": "CHU",
        "rpps": rpps(1),
        "adeli": None,
        "whitelisted": True,
    }
    assert [a["town"] for a in told["person"]["activities"]] == ["NANCY", "METZ"]
    assert told["person"]["mailboxes"][0]["address"] == "anne@x.test"


def test_two_days_are_compared(tmp_path: Path, target: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people_file(folder, [person(1), person(4), person(2, town="TOUL")])
    mailbox_file(folder, [mailbox("anne@x.test", 1), mailbox("bureau@x.test")])
    assert main(["annuaire", "diff", str(target), str(folder)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert set(out[:-1]) == {
        *(f"~ person {rpps(1)}", f"~ person {rpps(2)}", f"+ person {rpps(4)}"),
        *("- mailbox accueil@x.test", "+ mailbox bureau@x.test"),
    }
    assert out[-1] == "mailbox.added 1, mailbox.gone 1, person.added 1, person.changed 2"
    assert main(["annuaire", "diff", str(target), str(target), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"counts": {}, "changes": []}
    (tmp_path / "none.sqlite").write_bytes(b"SQLite format 3\0" + b"x" * 100)
    assert main(["annuaire", "diff", str(target), str(tmp_path / "none.sqlite")]) == 65


def test_the_configuration_is_found_or_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLLOQUE_CONFIG", raising=False)
    assert main(["annuaire", "status"]) == 78
    assert "COLLOQUE_CONFIG" in capsys.readouterr().err
    monkeypatch.setenv("COLLOQUE_CONFIG", str(tmp_path / "mine.yaml"))
    assert main(["annuaire", "status"]) == 78
    assert "mine.yaml" in capsys.readouterr().err
