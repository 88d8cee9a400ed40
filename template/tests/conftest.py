"""A real PostgreSQL, its schema by the migrations, and a real server in front of it.

Every test makes users of its own, so that nothing is cleaned and tests can run in parallel.
"""

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import mock
from uuid import uuid4

import httpx2
import pytest
import uvicorn
from alembic import command
from alembic.config import Config
from devtools.postgres import Server
from fastapi import FastAPI
from sqlalchemy import NullPool, create_engine, make_url, text

from app.database_url import parse_url
from app.main import create_app
from app.settings import Settings

MIGRATIONS = Path(__file__).parents[1] / "app" / "migrations"

# Tests speak plain HTTP; by default each client would read all certificates, for 20 ms.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

NewUser = Callable[[], httpx2.Client]
Process = tuple[subprocess.Popen[bytes], str]


def pytest_configure() -> None:
    """Before any test runs: what they write into must not be somebody's data."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        try:
            name = parse_url(given).database or ""
        except ValueError as error:
            pytest.exit(f"TEST_DATABASE_URL {error}.", 1)
        if "test" not in name:
            pytest.exit(f"TEST_DATABASE_URL: the database {name!r} has no 'test' in its name.", 1)


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if given := os.environ.get("TEST_DATABASE_URL"):
        migrate(given)
        yield given
    else:
        with Server(tmp_path_factory.mktemp("postgres"), durable=False) as server:
            migrate(server.url())
            yield server.url()


@pytest.fixture
def empty_database(database_url: str) -> Iterator[str]:
    """Another database on the same server, with nothing in it."""
    url = make_url(database_url)
    name = f"{url.database}_{uuid4().hex}"
    admin = create_engine(parse_url(url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def settings(database_url: str) -> Settings:
    return make_settings(database_url)


@pytest.fixture(scope="session")
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture(scope="session")
def service(app: FastAPI) -> Iterator[str]:
    """The base URL of the running service."""
    with serve(app) as url:
        yield url


@pytest.fixture
def new_user(service: str) -> Iterator[NewUser]:
    """Makes clients, each of a user who has no task yet."""
    clients: list[httpx2.Client] = []

    def new() -> httpx2.Client:
        clients.append(client_of(f"user-{uuid4()}", service))
        return clients[-1]

    yield new
    for client in clients:
        client.close()


@pytest.fixture
def alice(new_user: NewUser) -> httpx2.Client:
    return new_user()


@pytest.fixture
def bob(new_user: NewUser) -> httpx2.Client:
    return new_user()


@pytest.fixture
def nobody(service: str) -> Iterator[httpx2.Client]:
    """A client that does not say who it is."""
    with httpx2.Client(base_url=service, verify=NO_TLS) as client:
        yield client


def client_of(user_id: str, service: str) -> httpx2.Client:
    return httpx2.Client(base_url=service, headers={"X-User-ID": user_id}, verify=NO_TLS)


def make_settings(database_url: str, **others: Any) -> Settings:
    """Settings of these values alone: no environment and no `.env` has a say."""
    with mock.patch.dict(os.environ, clear=True):
        values = {"database_url": database_url, "user_id_header": "X-User-ID", **others}
        return Settings(_env_file=None, **values)


@contextmanager
def serve(app: FastAPI) -> Iterator[str]:
    """Runs the app on a free port, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.005)
        assert thread.is_alive(), "the service does not start"
    (listener,) = server.servers[0].sockets
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def serve_in_process(database_url: str, log: Path, **environment: str) -> Iterator[Process]:
    """Runs the service as production does: a process of its own that logs to `log`."""
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--fd", str(listener.fileno()), "app.main:app"],
            env={**os.environ, "DATABASE_URL": database_url, "USER_ID_HEADER": "X-User-ID"}
            | environment,
            cwd=MIGRATIONS.parents[1],
            pass_fds=[listener.fileno()],
            stderr=output,
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        httpx2.get(f"{url}/healthz", timeout=30, verify=NO_TLS)
        yield process, url
    finally:
        process.terminate()
        process.wait()


def migrate(database_url: str, revision: str = "heads") -> None:
    with alembic_on(database_url) as config:
        command.upgrade(config, revision)


@contextmanager
def alembic_on(database_url: str) -> Iterator[Config]:
    """Alembic's configuration, bound to this database whatever the environment says."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    urls = {"DATABASE_URL": database_url, "DATABASE_URL_UNPOOLED": database_url}
    with mock.patch.dict(os.environ, urls):
        yield config
