"""The database is full, read-only or lets nobody in: a 503 meanwhile, and no restart afterwards."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from secrets import token_hex
from signal import SIGTERM

import httpx2
import psycopg2
import pytest

from tests.neon.postgres import CONNECTIONS, OWNER, Postgres
from tests.neon.programs import until
from tests.neon.service import TASKS, Service, assert_stored_once, serve, writing
from tests.projects import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("neon")]

POOL = 4
RECENT = 3 * POOL  # answers: no connection of the pool is older
SETTINGS = {"DATABASE_POOL_SIZE": str(POOL), "DATABASE_STATEMENT_TIMEOUT": "2"}
TASK = {"title": "Buy milk"}


@pytest.fixture(scope="module")
def service(project: Project, url: str) -> Iterator[Service]:
    with serve(project, url, **SETTINGS) as service:
        yield service


@pytest.fixture(scope="module")
def pooled(project: Project, server: Postgres, database: str, bouncer: int) -> Iterator[Service]:
    url = server.url(database, port=bouncer, sslmode="require")
    with serve(project, url, **SETTINGS) as service:
        yield service


def assert_unavailable(answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "1"), answer.text
    assert answer.json()["code"] == "unavailable"


def assert_an_outage(service: Service, limit: AbstractContextManager[object]) -> None:
    """Under load: while the limit holds, and no longer."""

    def recent(status: int) -> int:
        return [*answers.values()][-RECENT:].count(status)

    with service.user() as alice, writing(service) as answers:
        until(lambda: recent(201) > POOL)
        with limit:
            until(lambda: not recent(201))
            assert_unavailable(alice.post(TASKS, json=TASK))
            assert_unavailable(alice.get("/readyz"))
            assert alice.get("/healthz").status_code == 200
        until(lambda: recent(201) > POOL)
        assert alice.get(TASKS).json()["items"] == []
        assert alice.get("/readyz").status_code == 200
    assert set(answers.values()) == {201, 503}
    assert_stored_once(service, answers)


@contextmanager
def no_connections_of_the_role(server: Postgres, database: str) -> Iterator[None]:
    with server.session() as session:
        session.execute(f"ALTER ROLE {OWNER} CONNECTION LIMIT 0")
        try:
            server.terminate_connections(database)
            yield
        finally:
            session.execute(f"ALTER ROLE {OWNER} CONNECTION LIMIT -1")


@pytest.mark.parametrize("way", ["service", "pooled"])
def test_a_role_that_may_not_connect_again_is_an_outage(
    request: pytest.FixtureRequest, server: Postgres, database: str, way: str
) -> None:
    limit = no_connections_of_the_role(server, database)
    assert_an_outage(request.getfixturevalue(way), limit)


def take_all(url: str, others: ExitStack) -> None:
    """Connect until that is refused."""
    with suppress(psycopg2.OperationalError):
        while True:
            others.enter_context(closing(psycopg2.connect(url)))


@contextmanager
def no_connection_left(server: Postgres, database: str) -> Iterator[None]:
    """All are taken but a superuser's. One that ends only now would be the service's again."""
    with ExitStack() as others:

        def taken() -> bool:
            server.terminate_connections(database)
            take_all(server.url("postgres"), others)
            return server.connections(database) == 0 and server.connections() == CONNECTIONS

        until(taken)
        yield


def test_a_server_that_has_no_connection_left_is_an_outage(
    service: Service, server: Postgres, database: str
) -> None:
    assert_an_outage(service, no_connection_left(server, database))


def test_a_pooler_that_takes_no_more_clients_is_an_outage(
    project: Project, server: Postgres, database: str, bouncer: int
) -> None:
    url = server.url(database, port=bouncer, sslmode="require")
    with serve(project, url, **SETTINGS) as service, service.user() as alice:
        with ExitStack() as others:
            take_all(url, others)
            assert_unavailable(alice.post(TASKS, json=TASK))
            assert_unavailable(alice.get("/readyz"))
            assert alice.get("/healthz").status_code == 200
        assert alice.post(TASKS, json=TASK).status_code == 201


@contextmanager
def read_only(server: Postgres) -> Iterator[None]:
    with server.session() as session:
        session.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        session.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            session.execute("ALTER SYSTEM RESET default_transaction_read_only")
            session.execute("SELECT pg_reload_conf()")


def test_a_read_only_database_is_an_outage_for_what_changes_something(
    service: Service, server: Postgres
) -> None:
    assert_an_outage(service, read_only(server))
    with service.user() as alice, read_only(server):
        until(lambda: alice.post(TASKS, json=TASK).status_code == 503)
        assert alice.get(TASKS).status_code == 200


@contextmanager
def shutting_down(server: Postgres, database: str) -> Iterator[None]:
    """First it lets no new session in (57P03), then it ends those that it has (57P01)."""
    with server.session() as session:
        server.signal(SIGTERM)
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database]
        )
        yield
        server.stop()
    server.start()


def test_a_server_that_shuts_down_is_an_outage(
    service: Service, server: Postgres, database: str
) -> None:
    assert_an_outage(service, shutting_down(server, database))


def test_a_full_disk_is_an_outage_for_what_needs_room(
    service: Service, server: Postgres, database: str
) -> None:
    large = {"title": "Buy milk", "description": token_hex(750)}
    with service.user() as alice:
        tasks = [alice.post(TASKS, json=large).raise_for_status().json()]
        with server.full_disk(database):
            while (answer := alice.post(TASKS, json=large)).status_code == 201:
                tasks.append(answer.json())
            assert_unavailable(answer)
            assert alice.get(TASKS).json()["items"] == tasks[::-1]
            assert alice.delete(f"{TASKS}/{tasks.pop()['id']}").status_code == 204
            assert alice.get("/readyz").status_code == 200
        tasks.append(alice.post(TASKS, json=large).raise_for_status().json())
        assert alice.get(TASKS).json()["items"] == tasks[::-1]
    assert "could not extend file" in service.log.read_text("utf-8")
