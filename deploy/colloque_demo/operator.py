"""A sandbox MSSanté operator: IMAP and submission for a few mailboxes, on this machine only.

    python -m colloque_demo.operator --dir DIR --imap-port P --smtp-port P [--ready-file F]

DIR/accounts.json (mode 0600, written by whoever starts it, may be replaced at any time) holds
`{address: {"password": …, "token": …}}`. Port 0 takes any free port; F then tells: `{"imap", "smtp", "ca", "pid"}`.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import os
import signal
import ssl
import sys
from pathlib import Path

from colloque.errors import ConfigError
from colloque.files import write_private
from colloque_demo import operator_imap, operator_smtp
from colloque_demo.operator_store import Accounts, Maildirs
from colloque_demo.pki import make_pki


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. 78 when DIR can't be used, 75 when another operator holds it."""
    parser = argparse.ArgumentParser(prog="colloque_demo.operator", description="A sandbox MSSanté operator.")
    parser.add_argument("--dir", type=Path, required=True, help="accounts.json, certificates and mailboxes")
    parser.add_argument("--imap-port", type=int, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--ready-file", type=Path, help="written once both ports answer")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's own lines name people
    try:
        with (args.dir / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            asyncio.run(_serve(args.dir, args.imap_port, args.smtp_port, args.ready_file))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BlockingIOError:
        print("another operator uses this folder", file=sys.stderr)
        return os.EX_TEMPFAIL
    return 0


async def _serve(folder: Path, imap_port: int, smtp_port: int, ready_file: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    accounts = Accounts(folder / "accounts.json")
    maildirs = Maildirs(folder / "mail")
    pki = make_pki(folder / "pki")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(pki.cert, pki.key)
    imap = await operator_imap.serve(accounts, maildirs, folder / "mail", tls, imap_port)
    smtp = await operator_smtp.serve(accounts, maildirs, tls, smtp_port)
    if ready_file:
        ports = {name: server.sockets[0].getsockname()[1] for name, server in (("imap", imap), ("smtp", smtp))}
        write_private(ready_file, json.dumps({**ports, "ca": str(pki.ca), "pid": os.getpid()}))
    await stop.wait()
    imap.close()
    smtp.close()


if __name__ == "__main__":
    sys.exit(main())
