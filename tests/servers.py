"""The development server as its users know it: a process that speaks HTTP."""

import os
import random
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx2
import psutil

# By default each client would read all certificates, for 20 ms.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    url: str
    user_id_header: str

    def tasks(self, user: str) -> list[str]:
        headers = {self.user_id_header: user}
        answer = httpx2.get(f"{self.url}/api/v1/tasks", headers=headers, verify=NO_TLS)
        assert answer.status_code == 200, answer.text
        return [task["title"] for task in answer.json()["items"]]

    def add(self, user: str, title: str) -> None:
        tasks, task = f"{self.url}/api/v1/tasks", {"title": title}
        headers = {self.user_id_header: user}
        answer = httpx2.post(tasks, headers=headers, json=task, verify=NO_TLS)
        assert answer.status_code == 201, answer.text

    def signal(self, number: signal.Signals) -> int:
        """Send it to the process group, as a terminal does, and return the exit code."""
        os.killpg(self.process.pid, number)
        return self.process.wait(timeout=30)

    def is_ready(self) -> bool:
        """Wait until it answers, or has ended, or has had two minutes."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx2.TransportError):
                if httpx2.get(f"{self.url}/readyz", verify=NO_TLS).status_code == 200:
                    return True
            time.sleep(0.1)
        return False


def free_port() -> int:
    """Outside the range of clients' own ports: none of them takes it while a server restarts."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@contextmanager
def running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], user_id_header: str
) -> Iterator[Server]:
    """Run `command`, where `{port}` is a free one, until the server that it starts is ready."""
    port = free_port()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            [part.replace("{port}", str(port)) for part in command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = Server(process, f"http://127.0.0.1:{port}", user_id_header)
        try:
            if not server.is_ready():
                log.seek(0)
                raise AssertionError(log.read())
            yield server
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End its process group. It gets the time to stop what it has started outside of the group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 30
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
            while time.monotonic() < deadline:
                process.poll()
                os.killpg(process.pid, 0)  # until nobody is left
                time.sleep(0.05)
    process.wait()


@contextmanager
def in_thread(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serve meanwhile."""
    with server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def left_over(*folders: Path) -> list[psutil.Process]:
    """Processes that name one of the folders in their environment, arguments or own folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            said = [process.cwd(), *process.cmdline(), *process.environ().values()]
            if any(str(folder) in text for folder in folders for text in said):
                found.append(process)
    return found
