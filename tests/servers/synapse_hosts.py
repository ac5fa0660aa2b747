"""Starts Synapse with a hosts table of its own: `python synapse_hosts.py TABLE.json -c homeserver.yaml`.

Servers of a federation know each other by name; these names belong to nobody (`.test`), and /etc/hosts is root's.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.internet import _resolver


def main() -> None:
    """Patch name resolution, then run Synapse's own main."""
    table: dict[str, str] = json.loads(Path(sys.argv.pop(1)).read_text(encoding="utf-8"))
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return real(table.get(name, name), *args, **kwargs)

    socket.getaddrinfo = getaddrinfo
    # Twisted took its own reference when it was imported: the default of an argument.
    make: Any = _resolver.GAIResolver.__init__
    make.__defaults__ = tuple(getaddrinfo if default is real else default for default in make.__defaults__)
    from synapse.app.homeserver import main as run

    run()


if __name__ == "__main__":
    main()
