"""A configuration whose folders are a test's own."""

from __future__ import annotations

from pathlib import Path

SAMPLE = Path(__file__).parent.parent / "deploy/config.sample.yaml"


def configured(folder: Path) -> Path:
    """The sample configuration, its state and its sockets under `folder`; no service runs by it."""
    (folder / "annuaire").mkdir(mode=0o700)
    path = folder / "colloque.yaml"
    text = SAMPLE.read_text(encoding="utf-8").replace("/var/lib/colloque", str(folder))
    path.write_text(text.replace("/run/colloque", str(folder)), encoding="utf-8")
    return path
