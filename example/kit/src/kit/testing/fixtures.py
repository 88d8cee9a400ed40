"""Fixtures. Every test makes users of its own: nothing is cleaned, and tests can run in parallel.

`tests/conftest.py` adds `environment` and `credentials`. Override there what is different in your
service.
"""

import os
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from importlib import import_module
from typing import Any
from unittest import mock
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import NullPool, create_engine, make_url, text

from kit.database_url import is_local, parse_url
from kit.dev.postgres import Server, forget_shell
from kit.migrations import pending
from kit.testing.servers import migrate, serve

pytest.register_assert_rewrite("kit.testing.invariants")


class UserClient(httpx2.Client):
    """A client of one user."""

    user_id: str


NewUser = Callable[[], UserClient]

# Tests speak plain HTTP; by default each client would read all certificates, for 20 ms.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def pytest_configure() -> None:
    """Before any test runs: the tests must not write into real data."""
    forget_shell()
    if given := os.environ.get("TEST_DATABASE_URL"):
        try:
            name = parse_url(given).database or ""
        except ValueError as error:
            pytest.exit(f"TEST_DATABASE_URL {error}.", 1)
        if "test" not in name:
            pytest.exit(f"TEST_DATABASE_URL: the database {name!r} has no 'test' in its name.", 1)


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Generator[None, Any, None]:
    """Without these fixtures every test would fail with the same error: stop after the first."""
    outcome = yield
    is_shared = fixturedef.scope == "session"  # a test file may have its own of the same name
    if outcome.excinfo and is_shared and fixturedef.argname in {"database_url", "app", "service"}:
        request.session.shouldstop = "Without the application no test can run: see the error above."


@pytest.fixture(scope="session")
def public_paths() -> set[str]:
    """The paths of routes that answer without knowing who is calling."""
    return {"/healthz", "/readyz"}


@pytest.fixture(scope="session")
def tested_by_hand() -> set[str]:
    """Collections, such as /api/v1/invoices, for which a sample body from OpenAPI is not valid."""
    return set()


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    with ExitStack() as running:
        url = os.environ.get("TEST_DATABASE_URL") or running.enter_context(Server()).url()
        if is_local(parse_url(url)):
            migrate(url)
        elif advice := pending(parse_url(url)):
            pytest.exit(f"TEST_DATABASE_URL is elsewhere: set DATABASE_URL to it. {advice}", 1)
        yield url


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
def app(database_url: str, environment: Mapping[str, str]) -> FastAPI:
    """The application. Beside DATABASE_URL, only `environment` in tests/conftest.py sets it up."""
    settings = import_module("app.settings").Settings
    inherited = {n: v for n, v in os.environ.items() if n.lower() not in settings.model_fields}
    given = {**environment, "DATABASE_URL": database_url}
    environ = mock.patch.dict(os.environ, inherited | given, clear=True)
    with environ, mock.patch.dict(settings.model_config, env_file=None):
        application: FastAPI = import_module("app.main").app
    return application


@pytest.fixture(scope="session")
def service(app: FastAPI) -> Iterator[str]:
    """The base URL of the running service."""
    with serve(app) as url:
        ready = httpx2.get(f"{url}/readyz", verify=NO_TLS)
        assert ready.is_success, ready.json()["detail"]
        yield url


@pytest.fixture
def new_user(service: str, credentials: Callable[[str], Mapping[str, str]]) -> Iterator[NewUser]:
    """Makes clients, each of a user who has nothing yet."""
    with ExitStack() as clients:

        def new() -> UserClient:
            user_id = f"user-{uuid4()}"
            client = UserClient(base_url=service, headers=credentials(user_id), verify=NO_TLS)
            client.user_id = user_id
            return clients.enter_context(client)

        yield new


@pytest.fixture
def alice(new_user: NewUser) -> UserClient:
    return new_user()


@pytest.fixture
def bob(new_user: NewUser) -> UserClient:
    return new_user()


@pytest.fixture
def nobody(service: str) -> Iterator[httpx2.Client]:
    """A client that does not say who it is."""
    with httpx2.Client(base_url=service, verify=NO_TLS) as client:
        yield client
