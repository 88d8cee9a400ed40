"""The application is where every ASGI server looks for it."""

import os

import pytest

from tests.contract.conftest import HEADER
from tests.projects import UV, Project
from tests.servers import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="gunicorn needs POSIX"),
    pytest.mark.xdist_group("contract"),
]

COMMANDS = {
    "fastapi": ("--with fastapi-cli fastapi dev --port {port}"),
    "gunicorn": (
        "--with gunicorn --with uvicorn-worker"
        " gunicorn -k uvicorn_worker.UvicornWorker -b 127.0.0.1:{port} app.main:app"
    ),
    "hypercorn": "--with hypercorn hypercorn -b 127.0.0.1:{port} app.main:app",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_a_server_serves_it(project: Project, database_url: str, command: str) -> None:
    environment = {**project.environment, "DATABASE_URL": database_url, "USER_ID_HEADER": HEADER}
    run = [UV, "run", "--no-sync", *command.split()]
    with running(run, project.root, environment, HEADER) as server:
        server.add("alice", command)
        assert command in server.tasks("alice")
        assert server.tasks("bob") == []
