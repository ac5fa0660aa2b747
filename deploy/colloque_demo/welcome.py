"""How to take part: what the demo says once it is ready."""

from __future__ import annotations

from colloque_demo.stack import Stack


def text(stack: Stack) -> str:
    """The first account that nobody has used, and what to do with it."""
    person = stack.cast.clinicians[0]
    return (
        "Log in with any Matrix client (Element, Cinny, nheko…):\n"
        f"  homeserver  {stack.server.url}\n"
        f"  user        {person.account}\n"
        f"  password    {person.password}\n"
        "Set up the recovery key that the client proposes: only verified devices are talked to.\n"
        "Then, in the room “Colloque”:\n"
        f"  !inscription {person.rpps}\n"
        "The code goes to that person's MSSanté mailbox; read it with\n"
        f"  {stack.inbox_command} {person.address}\n"
        f"More accounts, mailboxes and addresses: {stack.layout.access}\n"
        "Ctrl-C stops everything."
    )
