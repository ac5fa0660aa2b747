"""Step 6: everything is well, nothing was doubled, and what must be untouched is."""

from __future__ import annotations

import asyncio
from functools import partial

from colloque.identity import UserId
from colloque.rooms.mark import ROOM_MARK
from colloque_demo import steps_mail
from colloque_demo.clinician import hold, until
from colloque_demo.settings import SERVICES
from colloque_demo.stack import Stack
from colloque_demo.stage import Stage


async def run(stage: Stage) -> None:
    """Raises NotHeld."""
    stack = stage.stack
    await steps_mail.check_once(stage)
    stage.fact("one mail in, one message; one reply, one mail out")
    for program in stack.supervisor.programs():
        await stage.until_well(program.name)
    stage.fact("every program is well by its own account")
    for service in SERVICES:
        for journal in stack.layout.state(service).glob("journal*"):
            code, said = await stack.colloque("audit", "verify", str(journal))
            hold(code == 0, f"a journal does not hold: {said}")
    stage.fact("the journals' chains hold")
    for person in stack.cast.clinicians:
        devices = await asyncio.to_thread(stack.admin, "GET", "v2", "users", person.account, "devices")
        hold(devices["total"] == 0, "an account that must be untouched has a device")
        await until(partial(_has_room, stack, person.account, "home"), "a home room for everybody", 60.0)
    stage.fact(f"{len(stack.cast.clinicians)} accounts stand ready, untouched, each with its home room")


async def admin_room(stack: Stack) -> str:
    """The administrators' room, found as the server knows it. Raises NotHeld."""
    return await until(partial(_has_room, stack, stack.cast.admin.account, "admin"), "the admin room", 60.0)


async def _has_room(stack: Stack, user: UserId, kind: str) -> str | None:
    """A room of that kind that the account is in."""
    return await asyncio.to_thread(_find_room, stack, user, kind)


def _find_room(stack: Stack, user: UserId, kind: str) -> str | None:
    for room in stack.admin("GET", "v1", "users", user, "joined_rooms")["joined_rooms"]:
        for event in stack.admin("GET", "v1", "rooms", room, "state")["state"]:
            if event["type"] == ROOM_MARK and event["content"].get("kind") == kind:
                return str(room)
    return None
