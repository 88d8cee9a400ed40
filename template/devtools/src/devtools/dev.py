"""Run the API with reload, on DATABASE_URL or else on a PostgreSQL of the project's own."""

import argparse
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import NoReturn

from dotenv import dotenv_values

from devtools.banner import banner
from devtools.errors import DevtoolsError
from devtools.leash import Leash, run
from devtools.locks import make_folder, try_lock, until
from devtools.postgres import PROJECT_DATA, Server

HOST = "127.0.0.1"
PATIENCE = 3  # seconds for an earlier `dev` that is about to end
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    if "UV_RUN_RECURSION_DEPTH" in os.environ:
        Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    parser = argparse.ArgumentParser(prog="dev", description=__doc__)
    parser.add_argument("--port", help="by default PORT from the environment, else 8000")
    try:
        return _dev(parser.parse_args().port)
    except (DevtoolsError, OSError) as error:
        print(f"dev: {error}", file=sys.stderr)
        return 1


def _stop(number: int, _: FrameType | None) -> NoReturn:
    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # a second one must not stop the cleanup
    raise SystemExit(0 if number == signal.SIGINT else 128 + number)


def _end_with(parent: int) -> None:
    """`uv run` stays as the parent; when it is killed, nobody else tells."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def _dev(port_option: str | None) -> int:
    if not Path("app/main.py").is_file():
        raise DevtoolsError("There is no app/main.py here: run this in the project's root folder.")
    settings = read_settings()
    port = parse_port(port_option or settings.get("PORT", "8000"))
    # The example has the header that was chosen for this project.
    example = dotenv_values(".env.example").get("USER_ID_HEADER")
    header = settings.get("USER_ID_HEADER") or example or "X-User-ID"
    with only_one(port), _server(settings) as server:
        url = server.url() if server else settings["DATABASE_URL"]
        environment = {**os.environ, "USER_ID_HEADER": header}
        if server:
            environment |= {"DATABASE_URL": url, "DATABASE_URL_UNPOOLED": url}
        _migrate(environment)
        greeting = banner(f"http://{HOST}:{port}", header, url, server.home if server else None)
        return _serve(port, environment, server, greeting)


def read_settings() -> dict[str, str]:
    """The environment over `.env`, as the application itself reads them."""
    settings: dict[str, str] = {}
    for source in (dotenv_values(".env"), os.environ):
        settings |= {name.upper(): value for name, value in source.items() if value}
    return settings


def parse_port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise DevtoolsError(f"{text!r} is not a port: give a number from 1 to 65535.")
    return int(text)


@contextmanager
def only_one(port: int) -> Iterator[None]:
    """Refuse to be the second `dev` of a project, or the second server on a port."""
    path = make_folder(PROJECT_DATA) / "dev.lock"
    holder = f"process {os.getpid()}, http://{HOST}:{port}"
    lock = until(lambda: try_lock(path, holder), PATIENCE)
    if lock is None:
        raise DevtoolsError(f"This project's dev runs already ({path.read_text()}): stop it first.")
    with lock:
        until(lambda: not _refusal(port), PATIENCE)
        if reason := _refusal(port):
            other = max(8000, (port + 1) % 2**16)
            raise DevtoolsError(f"Port {port} cannot be used ({reason}): try --port {other}.")
        yield


def _refusal(port: int) -> str | None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except OSError as error:
            return error.strerror
    return None


@contextmanager
def _server(settings: Mapping[str, str]) -> Iterator[Server | None]:
    """The project's own PostgreSQL, unless there is a DATABASE_URL."""
    if "DATABASE_URL" in settings:
        yield None
    else:
        with Server(PROJECT_DATA) as server:
            yield server


def _migrate(environment: Mapping[str, str]) -> None:
    code, output = run([sys.executable, "-m", "alembic", "upgrade", "head"], env=environment)
    if code:
        print(output, file=sys.stderr)
        raise DevtoolsError("The migrations failed: repair what is reported above.")


def _serve(port: int, environment: Mapping[str, str], server: Server | None, greeting: str) -> int:
    uvicorn = [sys.executable, "-m", "uvicorn", "app.main:app", "--reload", "--reload-dir", "app"]
    options = ["--host", HOST, "--port", str(port), "--timeout-graceful-shutdown", "2"]
    with Leash([*uvicorn, *options], env=environment) as api:
        while (code := api.process.poll()) is None:
            if server and server.has_ended():
                raise DevtoolsError(f"PostgreSQL has ended: see {server.home}/postgres.log.")
            if greeting and _answers(port):
                print(greeting, flush=True)
                greeting = ""
            time.sleep(0.2)
    return code


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0
