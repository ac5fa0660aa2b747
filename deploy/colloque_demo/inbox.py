"""`python -m colloque_demo.inbox ADDRESS [--dir .demo]`: the newest mail of a mailbox of the running demo."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from colloque_demo.layout import Layout
from colloque_demo.mailbox import Postman


def main(argv: Sequence[str] | None = None) -> int:
    """Print it; 1 when there is none, 69 when no demo runs there."""
    parser = argparse.ArgumentParser(prog="colloque_demo.inbox", description=__doc__)
    parser.add_argument("address", help="one of the demo's mailboxes")
    parser.add_argument("--dir", type=Path, default=Path(".demo"))
    args = parser.parse_args(argv)
    try:
        known = json.loads(Layout(args.dir).access.read_text(encoding="utf-8"))["mail"]
    except FileNotFoundError:
        print(f"no demo is ready in {args.dir}", file=sys.stderr)
        return 69
    passwords = {box["address"]: box["password"] for box in known["mailboxes"]}
    if args.address not in passwords:
        print("no such mailbox; there are:", *passwords, sep="\n  ", file=sys.stderr)
        return 1
    postman = Postman(known["imap"]["port"], known["smtp"]["port"], Path(known["ca"]), known["imap"]["host"])
    mails = postman.mails(args.address, passwords[args.address])
    if not mails:
        print("the mailbox is empty", file=sys.stderr)
        return 1
    body = mails[-1].get_body(("plain",))
    print(f"{mails[-1]['From']} · {mails[-1]['Subject']}\n\n{body.get_content() if body else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
