"""@salles' eraser as a process that kills itself: `python erasing_program.py CONFIG POINT`.

It goes on with whatever is under way, and ends by SIGKILL at the POINTth moment before or after something is changed:
at the homeserver, by the helper, in the database. It ends by itself when nothing is under way any more.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp

from colloque.book import read_secret
from colloque.clock import SystemClock
from colloque.config_load import load
from colloque.errors import ColloqueError
from colloque.matrix.api import MatrixApi
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.schema import open_database
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.store.tables import salles_upgrades
from tests.servers.leftovers_place import an_eraser

CHANGES = {
    "_admin": ("delete_report", "delete_room", "delete_media"),
    "_jobs": ("at_step", "noted", "add", "written", "forget"),
    "_handled": ("forget_room",),
    "_rooms": ("forget",),
    "_keys": ("destroy",),
}


async def main(path: Path, die_at: int) -> None:
    config, points = load(path), itertools.count(1)
    own, me = config.salles, config.bot("salles")

    def point() -> None:
        if next(points) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def deadly(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        async def both(*args: Any, **more: Any) -> Any:
            point()
            answer = await real(*args, **more)
            point()
            return answer

        setattr(owner, name, both)

    async def nothing(_room: str) -> None:
        """The crypto store is the test's own process's."""

    async with AsyncExitStack() as undo:
        session = await undo.enter_async_context(aiohttp.ClientSession())
        db = await open_database(own.database, salles_upgrades(), "colloque_salles")
        undo.push_async_callback(db.stop)
        api = MatrixApi(session, config.homeserver.url, read_secret(own.as_token).decode(), user=me)
        place: Any = SimpleNamespace(
            server=SimpleNamespace(url=config.homeserver.url),
            admin_token=read_secret(own.admin_token).decode(),
            db=db,
            jobs=Jobs(db),
            patients=PatientRooms(db),
            incidents=Incidents(db, SystemClock()),
            home=SimpleNamespace(forget_room_keys=nothing, api=api),
        )
        journal = Journal.open(path.parent / "killed.jsonl", SystemClock())
        undo.callback(journal.close)
        eraser = an_eraser(place, session, journal, config)
        for part, names in CHANGES.items():
            for name in names:
                deadly(getattr(eraser, part), name)
        deadly(eraser._cleaning._helper, "call")
        while await place.jobs.under_way():
            await eraser.go_on()
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
    except ColloqueError as error:
        sys.exit(f"{type(error).__name__}: {error}")
