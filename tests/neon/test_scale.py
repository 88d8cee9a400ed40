"""Instances behind a balancer and a pooler, replaced one by one under load, by docs/scale.md."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from signal import SIGTERM
from threading import Event
from uuid import uuid4

import httpx2
import pytest

from hooks.rendering import ROOT
from tests.documents import section, steps
from tests.neon import pgbouncer
from tests.neon.certificates import Authority, Certificate
from tests.neon.postgres import Postgres
from tests.neon.programs import PGBOUNCER, find, until
from tests.neon.service import HEADER, TASKS
from tests.projects import Project, passable_folder
from tests.servers import NO_TLS, free_port

HAPROXY = find("haproxy")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("neon"),
    pytest.mark.skipif(not HAPROXY, reason="needs HAProxy: apt-get install haproxy"),
]

PAGE = (ROOT / "docs/scale.md").read_text("utf-8")
(CONFIGURATION,) = re.findall(r"(?ms)^```haproxy\n(.*?)^```$", PAGE)
(LIMITS,) = re.findall(r"(?ms)^```ini\n(.*?)^```$", PAGE)
SERVERS = dict(re.findall(r"^ +server (\w+) (\S+)", CONFIGURATION, re.MULTILINE))
TAKE_OUT, PUT_BACK = (step.text for step in steps(section(PAGE, "Replace an instance")))
ADMIN = "/run/haproxy/admin.sock"
# Few machines have socat: this sends what it is given to the socket, too.
SOCAT = f"""
socat() {{ {shlex.quote(sys.executable)} -c '
import socket, sys
with socket.socket(socket.AF_UNIX) as admin:
    admin.connect(sys.argv[1])
    admin.sendall(sys.stdin.buffer.read())
    print(admin.recv(9999).decode())
' "$2"; }}
"""
USERS = 12


class Instance:
    """One process of the service, started as the image starts it."""

    def __init__(self, project: Project, url: str) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        host, _, port = self.address.partition(":")
        settings = {"DATABASE_URL": url, "USER_ID_HEADER": HEADER, "HOST": host, "PORT": port}
        path = f"{project.environment['UV_PROJECT_ENVIRONMENT']}/bin:{os.environ['PATH']}"
        self._environment = {**project.environment, **settings, "PATH": path}
        self._root = project.root
        *_, last = (project.root / "Dockerfile").read_text("utf-8").splitlines()
        self._command = json.loads(last.removeprefix("CMD "))

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, cwd=self._root, env=self._environment, stderr=subprocess.DEVNULL
        )

    def is_ready(self) -> bool:
        with suppress(httpx2.TransportError):
            return httpx2.get(f"http://{self.address}/readyz", verify=NO_TLS).is_success
        return False

    def stop(self) -> None:
        self._process.send_signal(SIGTERM)
        assert self._process.wait(timeout=30) == -SIGTERM


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with passable_folder() as home:
        yield home


@pytest.fixture(scope="module")
def pooled(
    home: Path, server: Postgres, database: str, certificate: Certificate, authority: Authority
) -> Iterator[str]:
    """The database's URL through a PgBouncer with the limits of the page."""
    if not PGBOUNCER:
        pytest.skip("needs PgBouncer: apt-get install pgbouncer")
    authorities = authority.certificate
    with pgbouncer.running(home / "pooler", server, certificate, authorities, LIMITS) as port:
        yield server.url(database, port=port, sslmode="require")


@pytest.fixture(scope="module")
def instances(project: Project, pooled: str) -> Iterator[list[Instance]]:
    with ExitStack() as stack:
        started = [Instance(project, pooled) for _ in SERVERS]
        for instance in started:
            instance.start()
            stack.callback(instance.stop)
        until(lambda: all(map(Instance.is_ready, started)))
        yield started


@contextmanager
def balancer(instances: list[Instance], folder: Path) -> Iterator[str]:
    """HAProxy with the configuration of the page, at addresses of the test's own."""
    address = f"127.0.0.1:{free_port()}"
    text = CONFIGURATION.replace("bind :80", f"bind {address}")
    text = text.replace(ADMIN, str(folder / "admin.sock"))
    for place, instance in zip(SERVERS.values(), instances, strict=True):
        text = text.replace(place, instance.address)
    (folder / "haproxy.cfg").write_text(text, "utf-8")
    (folder / "admin.sock").unlink(missing_ok=True)  # the last one's
    process = subprocess.Popen([str(HAPROXY), "-db", "-f", folder / "haproxy.cfg"])
    try:
        until((folder / "admin.sock").exists)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def shell(script: str, folder: Path, **variables: str) -> None:
    script = script.replace(ADMIN, str(folder / "admin.sock"))
    environment = {**os.environ, **variables}
    subprocess.run(["bash", "-euc", f"{SOCAT}\n{script}"], env=environment, check=True, timeout=60)


def replace_all(instances: list[Instance], folder: Path) -> None:
    for name, instance in zip(SERVERS, instances, strict=True):
        where = {"SERVER": name, "ADDRESS": instance.address}
        shell(TAKE_OUT, folder, **where)
        instance.stop()
        instance.start()
        shell(PUT_BACK, folder, **where)


async def work(client: httpx2.AsyncClient, user: str, done: Event) -> int:
    """Create, toggle and get tasks until all is done, and return how many."""
    headers, count = {HEADER: user}, 0
    while not done.is_set():
        created = await client.post(TASKS, headers=headers, json={"title": user})
        assert created.status_code == 201, created.text
        path = f"{TASKS}/{created.json()['id']}"
        for answer in (
            await client.post(f"{path}/toggle", headers=headers),
            await client.get(path, headers=headers),
        ):
            assert answer.status_code == 200, answer.text
            assert answer.json()["completed"] is True
        count += 1
    return count


async def replace_under_load(url: str, instances: list[Instance], folder: Path) -> dict[str, int]:
    """Return how many tasks each user has."""
    done, users = Event(), [f"user-{uuid4()}" for _ in range(USERS)]
    async with (
        httpx2.AsyncClient(base_url=url, verify=NO_TLS, timeout=40) as client,
        asyncio.TaskGroup() as group,
    ):
        working = [group.create_task(work(client, user, done)) for user in users]
        try:
            await asyncio.to_thread(replace_all, instances, folder)
        finally:
            done.set()
    return {user: task.result() for user, task in zip(users, working, strict=True)}


def test_instances_are_replaced_under_load_without_a_failed_request(
    instances: list[Instance], server: Postgres, database: str, home: Path
) -> None:
    with balancer(instances, home) as url:
        counts = asyncio.run(replace_under_load(url, instances, home))
    with server.session(database) as session:
        session.execute("SELECT user_id, count(*) FROM task WHERE completed GROUP BY user_id")
        assert dict(session.fetchall()) == counts
    assert min(counts.values()) > 10
    assert server.connections(database) <= 20


def test_a_request_that_cannot_be_sent_goes_to_another_instance(
    instances: list[Instance], home: Path
) -> None:
    with balancer(instances, home) as url, httpx2.Client(base_url=url, verify=NO_TLS) as client:
        instances[0].stop()
        answers = {client.get(TASKS, headers={HEADER: "alice"}).status_code for _ in range(20)}
        instances[0].start()
        until(instances[0].is_ready)
    assert answers == {200}
