"""How an import stands in the journal: codes and numbers only, whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from colloque.audit import Fact
from colloque.identity import contains_ins

KIND = "directory.import"
"""The kind of its acts."""


def file_code(text: str) -> str:
    """A file's name or a reason as the journal takes it: a code; `other` for whatever else somebody may call a file."""
    code = text.lower()
    plain = code.isascii() and code.replace("_", "").replace(".", "").replace("-", "").isalnum()
    return code if plain and len(code) <= 64 and not contains_ins(code) else "other"


def intent(names: list[str], *, forced: bool, source: str) -> dict[str, Fact]:
    """What is about to be imported."""
    files: dict[str, Fact] = {f"file_{n}": file_code(name) for n, name in enumerate(names, 1)}
    return files | {"forced": forced, "source": source}


def outcome(report: Mapping[str, Any]) -> dict[str, Fact]:
    """What a report says (an `ImportReport` as JSON)."""
    facts: dict[str, Fact] = {name: report[name] for name in ("people", "activities", "mailboxes", "domains")}
    facts["rejected"] = sum(report["rejected"].values())
    facts["forced"] = report["forced"]
    return facts | {f"read_{n}": file_code(file["name"]) for n, file in enumerate(report["files"], 1)}
