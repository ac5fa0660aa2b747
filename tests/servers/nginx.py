"""Debian's nginx with the configuration that we ship, on ports of its own."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from colloque.files import free_port

PROGRAM = Path("/usr/sbin/nginx")
SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx"

CONFIG = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/http.conf;
    server {{
        listen 127.0.0.1:{port};
        include {shipped}/server.conf;
    }}
}}
"""


@asynccontextmanager
async def proxy(folder: Path, *, synapse: int, salles: int) -> AsyncIterator[str]:
    """In front of that Synapse and that @salles (their ports); its address."""
    port = free_port()
    shipped = (SHIPPED / "http.conf").read_text(encoding="utf-8")
    ported = re.sub(r"127\.0\.0\.1:8008", f"127.0.0.1:{synapse}", shipped)
    ported = re.sub(r"127\.0\.0\.1:9102", f"127.0.0.1:{salles}", ported)
    assert ported.count("127.0.0.1") == 2
    (folder / "http.conf").write_text(ported, encoding="utf-8")
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=port, shipped=SHIPPED), encoding="utf-8")
    with (folder / "out").open("ab") as out:
        process = subprocess.Popen([PROGRAM, "-c", folder / "nginx.conf"], stdout=out, stderr=out)  # noqa: ASYNC220
    try:
        await asyncio.to_thread(_answers, process, port, folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)


def _answers(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    end = time.monotonic() + 20
    while True:
        assert process.poll() is None, (folder / "out").read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < end, (folder / "out").read_text()
        time.sleep(0.05)
