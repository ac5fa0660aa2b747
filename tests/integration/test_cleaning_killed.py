"""SIGKILL at every moment of an erasure: before and after each change, at the homeserver, the helper, the database."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from colloque.cli.main import main
from colloque.rooms.leftovers import EXPECTED
from tests.servers.leftovers_place import a_place

ROOT = Path(__file__).parents[2]


async def test_an_erasure_that_is_killed_everywhere_is_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_place(tmp_path) as place:
        filled = await place.fill(2)
        await place.follow(filled)
        kills, point, step = 0, 1, "delete"
        while (row := await place.row(filled.room)) is not None:
            # From the first point again at each step; at the same one, one point further.
            point, step = (1, row.step) if row.step != step else (point + 1 if kills else 1, step)
            child = [sys.executable, "-m", "tests.servers.erasing_program", str(place.layout.config), str(point)]
            done = await asyncio.to_thread(
                subprocess.run, child, cwd=ROOT, capture_output=True, timeout=60, check=False
            )
            assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()[-2000:]
            kills += done.returncode != 0
        assert kills > 30
        [receipt] = place.receipts()
        assert {left["why"] for left in receipt["residue"]} <= set(EXPECTED.values())
        assert "server_identifiers" not in receipt["out_of_reach"]
        assert receipt["files_deleted"] == 2
        assert set(place.scan(filled.known_by)) <= set(EXPECTED)
        receipts = place.layout.receipts
        key = receipts / "receipts.pub.pem"
        assert main(["receipt", "verify", str(receipts / "receipt-000001.json"), "--key", str(key)]) == 0
        printed = capsys.readouterr().out
        assert "left: 1 in push_rules: kept by members in their own account" in printed
