"""The origin of a web page, and the browser that shows it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.servers import end, in_thread

Act = Callable[[str, str], str]
"""What a POST to a path does with its body, and answers."""

CHROMIUM = (
    "chromium",
    "--headless",
    "--no-sandbox",  # which root cannot have
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-gpu",
    "--no-first-run",
)


class Origin(ThreadingHTTPServer):
    """Serves the files of its folder."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.act: Act = lambda _path, _body: ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(SimpleHTTPRequestHandler):
    server: Origin

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        answer = self.server.act(self.path, body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[Origin]:
    origin = Origin(folder)
    with in_thread(origin):
        yield origin


@contextmanager
def browsing(url: str) -> Iterator[Path]:
    """Show the page in Chromium, which is new and has this folder."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        process = subprocess.Popen(
            [*CHROMIUM, f"--user-data-dir={folder}", url],
            env={**os.environ, "HOME": name, "TMPDIR": name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield folder
        finally:
            end(process)
