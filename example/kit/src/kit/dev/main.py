"""Run the API with reload, on DATABASE_URL or else on a PostgreSQL of the project's own."""

import argparse
import os
import signal
import socket
import subprocess
import sys
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

from dotenv import load_dotenv

from kit.database_url import is_local
from kit.dev.postgres import Server, forget_shell, until

UVICORN = "uvicorn app.main:app --http h11 --reload --reload-dir app --reload-dir kit/src"
GREETING = "\n  Docs  http://127.0.0.1:{}/docs{}\n  Data  {}"

received: list[int] = []  # signals, which must not interrupt a start or a stop


def main() -> None:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda number, _: received.append(number))
    try:
        load_dotenv(".env")
        load_dotenv(".env.example")  # it has the header of this project
    except UnicodeDecodeError:
        sys.exit("`.env` is not UTF-8: save it as UTF-8.")
    parser = argparse.ArgumentParser(prog="dev", description=__doc__)
    parser.add_argument("--port", type=int, default=os.environ.get("PORT", "8000"))
    port = parser.parse_args().port
    server, listening = prepare(port)
    with server or nullcontext():
        if server:
            use_only(server.url())
        url = import_module("app.settings").Settings.load().migration_url
        run("alembic upgrade head" if is_local(url) else "kit.migrations")
        data = server.url() if server else f"{url.query.get('host', url.host)}/{url.database}"
        header = os.environ.get("USER_ID_HEADER")
        user = f"\n  User  {header}: alice" if header else ""
        print(GREETING.format(port, user, data), flush=True)
        run(f"{UVICORN} --fd {listening} --timeout-graceful-shutdown 2", listening)


def prepare(port: int) -> tuple[Server | None, int]:
    """Exit if the service cannot run.

    Returns the PostgreSQL to run, unless DATABASE_URL names one, and the descriptor of a listening
    socket.
    """
    if not Path("app/main.py").exists():
        sys.exit("There is no app/main.py here: run this in the project's root folder.")
    sys.path.insert(0, str(Path.cwd()))
    server = None if os.environ.get("DATABASE_URL") else Server(Path(".postgres"))
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError):
        if server and not server.own():
            server.refuse()
        sys.exit(f"Port {port} cannot be used: stop what uses it, or choose another with --port.")
    # Connections inherit it from the listener. With `--reload`, asyncio does not set it: each
    # response would wait 40 ms for the client's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server, listener.detach()


def use_only(url: str) -> None:
    forget_shell()
    os.environ |= {"DATABASE_URL": url, "DATABASE_URL_UNPOOLED": url}


def run(command: str, *descriptors: int) -> None:
    """Run a Python module to its end. Exits if it fails, or if this process is to stop."""
    parent, module = os.getppid(), [sys.executable, "-m", *command.split()]
    process = subprocess.Popen(module, pass_fds=descriptors, start_new_session=True)
    # When this process ends, even if it is killed, this kills what is left of the command.
    script = ["/bin/sh", "-c", 'read -r _; kill -s KILL -- "-$0" 2>&-', str(process.pid)]
    with process, subprocess.Popen(script, stdin=subprocess.PIPE, start_new_session=True):
        until(lambda: process.poll() is not None or received or os.getppid() != parent)
        process.terminate()
        until(lambda: process.poll() is not None, seconds=5)
    if received or process.returncode:
        sys.exit(0 if signal.SIGINT in received else 1)
