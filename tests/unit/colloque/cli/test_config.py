"""`colloque config check`, and the sample that documents every setting."""

from __future__ import annotations

import dataclasses
import itertools
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from colloque.cli.main import main
from colloque.config import Config
from colloque.config_load import load
from colloque.identity import MssanteAddress

SAMPLE = Path(__file__).parents[4] / "deploy/config.sample.yaml"
TEXT = SAMPLE.read_text(encoding="utf-8")
NAMED = ("sockets.uids.", "annuaire.federation.authority.")
"""Sections whose keys are the operator's own."""


def keys(cls: type, prefix: str = "") -> Iterator[str]:
    """Every setting of the model, dotted."""
    hints = typing.get_type_hints(cls)
    for spec in dataclasses.fields(cls):
        kind = next(iter(typing.get_args(hints[spec.name])), hints[spec.name])  # `X | None` counts as X
        yield prefix + spec.name
        if dataclasses.is_dataclass(kind) and kind is not MssanteAddress:
            yield from keys(kind, f"{prefix}{spec.name}.")  # type: ignore[arg-type]


def settings(data: dict[str, object], prefix: str = "") -> Iterator[str]:
    for name, value in data.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from settings(value, f"{prefix}{name}.")


def test_the_sample_loads() -> None:
    config = load(SAMPLE)
    assert config.mode == "production"
    assert not config.test


def test_the_sample_shows_every_setting_and_no_other() -> None:
    shown = set(settings(YAML(typ="safe").load(TEXT)))
    model = set(keys(Config))
    assert model - shown == set()
    assert {name for name in shown - model if not name.startswith(NAMED)} == set()


def test_the_sample_explains_every_setting() -> None:
    lines = TEXT.splitlines()
    bare = [
        line
        for before, line in itertools.pairwise(lines)
        if re.match(r"\s*[a-z_0-9]+:", line) and not before.lstrip().startswith("# ")
    ]
    assert bare == []


def test_a_setting_said_to_have_a_default_has_that_one() -> None:
    """Leave out every setting whose comment tells a default: the configuration is the same."""
    lines = TEXT.splitlines()
    kept, told = [], 0
    for before, line in zip(["", *lines], lines, strict=False):
        if "efault" in before and before.lstrip().startswith("#") and re.match(r"\s*[a-z_]+:", line):
            told += 1
        else:
            kept.append(line)
    assert told >= 15
    from colloque.config_load import read

    assert read(YAML(typ="safe").load("\n".join(kept)), base=SAMPLE.parent) == load(SAMPLE)


def test_a_sound_file_is_ok(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(SAMPLE)]) == 0
    assert capsys.readouterr().out == "ok\n"


def test_every_problem_is_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = TEXT.replace("mode: production", "mode: prod").replace("code_tries: 3", "code_tries: three")
    text = text.replace("  server_name: matrix.example.org\n", "").replace("sweep_s: 60", "sweeps: 60")
    path = tmp_path / "colloque.yaml"
    path.write_text(text, encoding="utf-8")
    assert main(["config", "check", str(path)]) == 78
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "mode",
        "homeserver.server_name",
        "annuaire.code_tries",
        "salles.sweeps",
    ]


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("late_h", "168", "annuaire.late_h"),
        ("stale_days", "2", "annuaire.late_h"),
        ("grace_days", "0", "annuaire.grace_days"),
    ],
)
def test_ages_and_graces_that_make_no_sense_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, value: str, named: str
) -> None:
    path = tmp_path / "colloque.yaml"
    path.write_text(re.sub(rf"(?m)^  {setting}: .*$", f"  {setting}: {value}", TEXT), encoding="utf-8")
    assert main(["config", "check", str(path)]) == 78
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == [named]


@pytest.mark.parametrize("content", [b"", b"a: [", b"\xff\xfe", b"- a\n"])
def test_what_is_no_configuration_leaves_with_78(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "colloque.yaml"
    path.write_bytes(content)
    assert main(["config", "check", str(path)]) == 78


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """The sample with its secret files in place."""
    path = tmp_path / "colloque.yaml"
    path.write_text(TEXT.replace("/etc/colloque", str(tmp_path)), encoding="utf-8")
    named = re.findall(rf"{tmp_path}/\S+", path.read_text(encoding="utf-8"))
    for name in named:
        file = Path(name)
        file.parent.mkdir(exist_ok=True)
        file.write_text("x", encoding="utf-8")
        file.chmod(0o600)
    assert len(set(named)) == 19
    return path


def test_files_in_place_are_ok(local: Path) -> None:
    assert main(["config", "check", "--files", str(local)]) == 0


def test_missing_empty_and_readable_secrets_are_all_named(local: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secrets = local.parent / "secrets"
    (secrets / "identity").unlink()
    (secrets / "pickle").write_text("", encoding="utf-8")
    (secrets / "snapshot").chmod(0o640)
    (secrets / "mailboxes.yaml").chmod(0o604)
    (secrets / "receipt.pem").unlink()
    (secrets / "receipt.pem").mkdir()
    assert main(["config", "check", str(local)]) == 0, "only looked at when asked"
    assert main(["config", "check", "--files", str(local)]) == 78
    err = capsys.readouterr().err
    assert {line.partition(":")[0]: line.rpartition(": ")[2] for line in err.splitlines()} == {
        "secrets.identity": "No such file or directory",
        "secrets.pickle": "is empty",
        "secrets.snapshot": "its mode is 0640 and must be 0600 (only its owner may read it)",
        "salles.receipt_key": "is not a file",
        "mssante.mailboxes": "its mode is 0604 and must be 0600 (only its owner may read it)",
    }


def test_trust_anchors_may_be_read_by_all_but_must_exist(local: Path, capsys: pytest.CaptureFixture[str]) -> None:
    anchors = local.parent / "igc-sante.pem"
    anchors.chmod(0o644)
    assert main(["config", "check", "--files", str(local)]) == 0
    anchors.unlink()
    assert main(["config", "check", "--files", str(local)]) == 78
    assert "mssante.imap.ca" in capsys.readouterr().err


def without_fhir(text: str) -> str:
    return re.sub(r"(?ms)^  fhir:\n.*?(?=^\S|^  \S)", "", text)


def test_the_fhir_section_may_be_left_out(local: Path) -> None:
    text = local.read_text(encoding="utf-8")
    local.write_text(without_fhir(text), encoding="utf-8")
    assert load(local).annuaire.fhir is None
    local.write_text(without_fhir(text).replace("\n  code_s:", "\n  fhir:\n  code_s:"), encoding="utf-8")
    assert load(local).annuaire.fhir is None, "an empty section is none"
    local.write_text(text.replace("    key: ", "    keys: "), encoding="utf-8")
    assert main(["config", "check", str(local)]) == 78
    local.write_text(re.sub(r"(?m)^    ca: .*fhir-ca.*\n", "", text), encoding="utf-8")
    fhir = load(local).annuaire.fhir
    assert fhir is not None
    assert fhir.ca is None


def test_the_fhir_keys_file_is_looked_at(local: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (local.parent / "secrets" / "fhir.key").chmod(0o644)
    (local.parent / "fhir-ca.pem").unlink()
    assert main(["config", "check", "--files", str(local)]) == 78
    err = capsys.readouterr().err
    assert {line.partition(":")[0] for line in err.splitlines()} == {"annuaire.fhir.key", "annuaire.fhir.ca"}


@pytest.mark.parametrize(
    ("url", "mode", "code"),
    [
        ("http://fhir.example/fhir/v2", "production", 78),
        ("http://127.0.0.1:8080/fhir/v2", "production", 78),
        ("http://127.0.0.1:8080/fhir/v2", "test", 0),
        ("http://fhir.example/fhir/v2", "test", 78),
        ("fhir.example/fhir/v2", "test", 78),
        ("https://fhir.example/fhir/v2", "production", 0),
    ],
)
def test_the_fhir_key_never_travels_in_clear(local: Path, url: str, mode: str, code: int) -> None:
    text = local.read_text(encoding="utf-8").replace("mode: production", f"mode: {mode}")
    local.write_text(
        text.replace("https://gateway.api.esante.gouv.fr/fhir/v2\n    #", url + "\n    #"), encoding="utf-8"
    )
    assert main(["config", "check", str(local)]) == code
