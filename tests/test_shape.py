"""The tree's own rules: what no tool checks is checked here."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from colloque.config_load import load

ROOT = Path(__file__).parent.parent
SHIPPED = ("src", "bots", "bridges", "deploy")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {c["id"]: c for c in PYPROJECT["tool"]["importlinter"]["contracts"]}


def ours(*suffixes: str) -> list[Path]:
    """Files of the project (git's, and new ones not ignored) with one of these endings; all, when none is named."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=30).stdout.decode()
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [p for p in paths if p.is_file() and (not suffixes or p.suffix in suffixes)]


def shipped() -> list[Path]:
    """The Python files that get installed."""
    return [p for p in ours(".py") if p.relative_to(ROOT).parts[0] in SHIPPED]


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def inside(name: str, floor: list[str]) -> bool:
    return any(name == each or name.startswith(each + ".") for each in floor)


def test_files_are_short() -> None:
    lengths = {short(p): len(p.read_text(encoding="utf-8").splitlines()) for p in ours(".py", ".mjs", ".sh")}
    assert {name: lines for name, lines in lengths.items() if lines >= 300} == {}


def test_no_file_names_an_index_or_a_home() -> None:
    # Spelled so that this file names none either. Locks would say where each file was downloaded.
    named = re.compile(r"np[m]js\.|py[p]i\.|python[h]osted|debia[n]\.org/|/roo[t]/|/hom[e]/[a-z]")
    texts = {short(p): p.read_bytes().decode(errors="replace") for p in ours() if p != Path(__file__)}
    assert {name: found[0] for name, text in texts.items() if (found := named.search(text))} == {}


def test_every_module_of_the_core_stands_on_a_floor() -> None:
    pure = [m for floor in ("floor-0", "floor-1", "floor-2") for m in CONTRACTS[floor]["source_modules"]]
    above = CONTRACTS["floor-1"]["forbidden_modules"]
    names = {module(p) for p in shipped() if p.parts[len(ROOT.parts)] == "src" and p.name != "__init__.py"}
    assert {name for name in names if not inside(name, pure) and not inside(name, above)} == set()


def test_the_lower_floors_need_the_standard_library_only() -> None:
    bare = [m for m in CONTRACTS["bare"]["source_modules"] if m != "colloque.synapse"]
    names = [module(p) for p in shipped() if inside(module(p), bare)]
    assert "colloque.policy.admission" in names
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); import {', '.join(names)}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_synapses_module_uses_nothing_but_its_api() -> None:
    used = {name for p in (ROOT / "src/colloque/synapse").glob("*.py") for name in imports(p)}
    assert "synapse.module_api" in used
    foreign = {name for name in used if name.split(".")[0] not in {*sys.stdlib_module_names, "colloque"}}
    assert {name for name in foreign if not inside(name, ["synapse.module_api"])} == set()


def test_only_the_clock_asks_the_time() -> None:
    asks = re.compile(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.(time|monotonic|perf_counter)(_ns)?)\(")
    files = [p for p in shipped() if p.name != "clock.py" and "colloque_demo" not in p.parts]
    assert {short(p): found[0] for p in files if (found := asks.search(p.read_text(encoding="utf-8")))} == {}


def spoken(path: Path) -> Iterator[str]:
    """The string constants of a file that are not docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


def test_what_users_read_stands_in_texts() -> None:
    addressed = re.compile(r"\b(vous|votre|vos|veuillez)\b", re.IGNORECASE)
    table = ROOT / "src/colloque/command_table.py"  # the commands' own names and help are one table
    files = [p for p in shipped() if not p.name.startswith("texts") and p.parent.name != "texts" and p != table]
    assert {short(p): text for p in files for text in spoken(p) if addressed.search(text)} == {}


def test_the_sample_configuration_loads() -> None:
    assert len(load(ROOT / "deploy/config.sample.yaml").bots) == 3


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_commands_that_a_page_names_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^ {4}|^)make ([a-z]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets
    links = {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    assert {link for link in links if not (ROOT / link).exists()} == set()


@pytest.mark.parametrize(("lock", "extras"), [("demo", ["apps", "demo"]), ("dev", ["apps", "demo", "dev"])])
def test_the_locks_hold_what_the_project_asks_for(lock: str, extras: list[str]) -> None:
    text = (ROOT / f"requirements/{lock}.txt").read_text(encoding="utf-8")
    pinned = {canonicalize_name(n): v for n, v in re.findall(r"^([a-zA-Z0-9_.-]+)==([^ \\;]+)", text, re.MULTILINE)}
    optional = PYPROJECT["project"]["optional-dependencies"]
    for asked in (Requirement(line) for extra in extras for line in optional[extra]):
        assert asked.specifier.contains(pinned[canonicalize_name(asked.name)]), f"{asked}: run `make lock`"
    assert text.count("==") <= text.count("--hash=sha256:")
