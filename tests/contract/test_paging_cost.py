"""A page costs the same however deep it is, by the plan of the statement that is really sent."""

from collections.abc import Iterator
from typing import Any

import httpx2
import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver's name

from tests.contract.conftest import HEADER
from tests.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

TASKS = "/api/v1/tasks"
FILL = """
    INSERT INTO task (user_id, id, title, description, completed)
    SELECT owner, uuidv7(make_interval(secs => -n)), 'task ' || n, repeat('x', 100), n % 2 = 0
    FROM (SELECT 'whale' AS owner, n FROM generate_series(1, 100000) n
          UNION ALL SELECT 'minnow-' || n % 1000, n FROM generate_series(1, 50000) n) AS tasks;
    INSERT INTO task (user_id, id, title, description, completed)
    SELECT 'idle', uuidv7(make_interval(secs => -n)), 'task ' || n, '', false
    FROM generate_series(1, 100000) n
"""
NEWEST_FIRST = """
    SELECT id::text FROM task WHERE user_id = 'whale' AND completed = ANY (%s)
    ORDER BY id DESC OFFSET %s
"""
BY_COMPLETED = "ix_task_user_id_completed_id"


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Connection]:
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(FILL)
        cursor.execute("ANALYZE task")
    yield connection
    connection.close()


def first(database: Connection, statement: str, *values: object) -> Any:
    with database.cursor() as cursor:
        cursor.execute(statement, values or None)
        (value,) = cursor.fetchone() or (None,)
        return value


def after(database: Connection, depth: int, completed: list[bool]) -> dict[str, str]:
    """The cursor after so many tasks."""
    return {"cursor": first(database, NEWEST_FIRST, completed, depth - 1)} if depth else {}


def sent(database: Connection, service: Server, user: str = "whale", **query: str) -> str:
    """The statement that one request for a page makes the service send, as PostgreSQL saw it."""
    response = httpx2.get(service.url + TASKS, params=query, headers={HEADER: user})
    assert response.status_code == 200
    last = """
        SELECT query FROM pg_stat_activity
        WHERE application_name = 'app' AND query LIKE '%FROM task%' ORDER BY query_start DESC
    """
    return str(first(database, last))


def explained(database: Connection, statement: str) -> dict[str, Any]:
    """What it takes, in the role and for the user that the statement itself begins by setting."""
    scope, separator, select = statement.partition("; ")
    assert first(database, f"{scope}{separator}SELECT current_user::text") == "app_rls"
    explain = f"{scope}{separator}EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {select}"
    plan: dict[str, Any] = first(database, explain)[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


@pytest.mark.parametrize("depth", [0, 1, 50_000, 99_900, 99_999])
def test_a_page_is_one_scan_of_the_primary_key(
    database: Connection, service: Server, depth: int
) -> None:
    cursor = after(database, depth, [True, False])
    scan = assert_one_scan(explained(database, sent(database, service, **cursor)), "pk_task")
    assert scan["Actual Rows"] == min(51, 100_000 - depth)


@pytest.mark.parametrize("depth", [0, 1, 25_000, 49_999])
@pytest.mark.parametrize("completed", ["true", "false"])
def test_a_page_by_completed_is_one_scan_of_its_index(
    database: Connection, service: Server, completed: str, depth: int
) -> None:
    cursor = after(database, depth, [completed == "true"])
    plan = explained(database, sent(database, service, completed=completed, **cursor))
    scan = assert_one_scan(plan, BY_COMPLETED)
    assert "completed =" in scan["Index Cond"]
    assert scan["Actual Rows"] == min(51, 50_000 - depth)


def test_a_page_by_completed_costs_no_more_where_no_task_matches(
    database: Connection, service: Server
) -> None:
    statement = sent(database, service, user="idle", completed="true")
    scan = assert_one_scan(explained(database, statement), BY_COMPLETED)
    assert scan["Actual Rows"] == 0


def assert_one_scan(plan: dict[str, Any], index: str) -> dict[str, Any]:
    """From an owner's newest task on, and no row is read in vain."""
    *above, scan = nodes(plan)
    assert {node["Node Type"] for node in above} <= {"Limit", "Result"}
    assert (scan["Node Type"], scan["Scan Direction"]) == ("Index Scan", "Backward")
    assert scan["Index Name"] == index
    assert "user_id" in scan["Index Cond"]
    assert "id <" in scan["Index Cond"]
    assert scan.get("Rows Removed by Filter", 0) == 0
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 100
    return scan
