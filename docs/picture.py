"""Draws `docs/demo.svg` from a real run of the demo (`make picture`). Dialogues are shortened, nothing is made up."""

import asyncio
import io
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from colloque_demo.__main__ import Demo
from colloque_demo.layout import Layout
from colloque_demo.report import Display
from colloque_demo.scenario import STEPS

WIDTH = 116
TARGET = Path(__file__).with_name("demo.svg")
_TITLE = re.compile(r"\s*[\d.]+s (\d\.|   Synapse)")
_FACT = re.compile(r"\s*[\d.]+s   (✓|✗)")
_SPEECH = re.compile(r"\s*[\d.]+s\s+\S.*│ (?=.*(!\w|vérifi|MSSanté|Inviter|ouvert|réduis|ferme|fermé))")


def main() -> int:
    """The demo's exit code; the picture is replaced only when every step held."""
    console = Console(record=True, width=400, highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="clq-") as folder:
        layout = Layout(Path(folder) / "demo")
        layout.open()
        code = asyncio.run(Demo(layout, Display(len(STEPS), console), once=True).run())
    if code == 0:
        _draw(console.export_text(styles=True).splitlines())
    return code


def _draw(lines: list[str]) -> None:
    picture = Console(record=True, width=WIDTH, file=io.StringIO())
    picture.print(Text("$ make demo", style="bold"))
    for line in lines:
        text = Text.from_ansi(line)
        if any(wanted.search(text.plain) for wanted in (_TITLE, _FACT, _SPEECH)):
            text.truncate(WIDTH, overflow="ellipsis")
            picture.print(text)
    svg = picture.export_svg(title="Colloque")
    # The fonts that the library would fetch from elsewhere: a reader's own monospace does.
    TARGET.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
