"""The service on a free port, and migrations on a database of the tests' choice."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from unittest import mock

import uvicorn
from alembic import command
from alembic.config import Config
from fastapi import FastAPI


@contextmanager
def serve(app: FastAPI) -> Iterator[str]:
    """Run the service in a thread. Yields its base URL."""
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
def alembic_on(database_url: str) -> Iterator[Config]:
    """Alembic's configuration, for this database whatever the environment says."""
    urls = {"DATABASE_URL": database_url, "DATABASE_URL_UNPOOLED": database_url}
    with mock.patch.dict(os.environ, urls):
        yield Config(toml_file="pyproject.toml")


def migrate(database_url: str) -> None:
    with alembic_on(database_url) as config:
        command.upgrade(config, "heads")
