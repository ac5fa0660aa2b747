"""A correspondent who changes from an ADELI to an RPPS number stays who they are, in the same room."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from colloque.identity import Adeli
from colloque_demo.people import Person
from tests.servers.bridge_house import House

OLD = Adeli("990000015")


async def test_a_move_from_adeli_to_rpps_keeps_ghost_and_room(house: House) -> None:
    writer = house.cast.mailboxes[-1]
    place, number = house.layout.directory, writer.rpps
    replaced(
        place,
        (
            "UPDATE people SET national = ?, rpps = NULL, adeli = ? WHERE rpps = ?",
            OLD.national,
            OLD.value,
            number.value,
        ),
        (
            "UPDATE mailbox SET national = ?, rpps = NULL, adeli = ? WHERE rpps = ?",
            OLD.national,
            OLD.value,
            number.value,
        ),
    )
    before = await heard(house, writer, "Sous mon ancien numéro")
    name = await house.author.display_name(before.sender)
    assert name == writer.professional.display_name + " · MSSanté"
    replaced(
        place,
        ("UPDATE people SET national = ?, rpps = ? WHERE adeli = ?", number.national, number.value, OLD.value),
        (
            "UPDATE mailbox SET national = ?, rpps = ?, adeli = NULL WHERE adeli = ?",
            number.national,
            number.value,
            OLD.value,
        ),
        ("INSERT INTO move VALUES (?, ?)", OLD.value, number.value),
    )
    after = await heard(house, writer, "Sous mon numéro RPPS")
    assert (after.room, after.sender) == (before.room, before.sender)


def replaced(directory: Path, *statements: tuple[str, ...]) -> None:
    """Another directory in place of it, as an import does it."""
    aside = directory.with_name(f".{directory.name}.test")
    shutil.copyfile(directory, aside)
    with closing(sqlite3.connect(aside)) as db, db:
        for statement, *values in statements:
            assert db.execute(statement, values).rowcount == 1
    aside.replace(directory)


async def heard(house: House, writer: Person, body: str):
    message_id = f"<{secrets.token_hex(8)}@{writer.address.domain}>"
    to = house.cast.author.address.value
    await asyncio.to_thread(house.box(writer).write, to, "Avis", body, message_id=message_id, in_reply_to="")
    return await house.mail(body)
