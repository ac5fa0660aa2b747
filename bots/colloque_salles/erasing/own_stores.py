"""Our own stores under the same look: the service's database and its crypto store must not name an erased room."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from colloque.config_service import ServiceConfig
from colloque.identity import MxcUri, RoomId
from colloque_salles.cleaner.scanning import look
from colloque_salles.cleaner.synapse_db import open_db
from colloque_salles.store.jobs import DROPPED_LAST

DATABASE, KEYS = "salles_database", "salles_keys"
"""How these stores are called in a receipt."""


class OwnStores:
    """Blocking: for a thread."""

    def __init__(self, own: ServiceConfig) -> None:
        self._database = own.database
        self._keys = own.state_dir / "crypto.sqlite"

    def look(self, room: RoomId, events: Sequence[str], files: Sequence[MxcUri]) -> dict[str, int]:
        """How many rows name the room, by store; what the erasure's last step drops is passed over."""
        known = {str(room): [*events, *files]}
        with closing(open_db(self._database)) as db:
            rows = sum(look(known, db, without=DROPPED_LAST).found[room].values())
        with closing(open_db(f"sqlite:{self._keys}")) as db:
            keys = sum(look(known, db).found[room].values())
        return {place: count for place, count in ((DATABASE, rows), (KEYS, keys)) if count}
