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
          UNION ALL SELECT 'minnow-' || n % 1000, n FROM generate_series(1, 50000) n) AS tasks
"""


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Connection]:
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(FILL)
        cursor.execute("ANALYZE task")
    yield connection
    connection.close()


def first(database: Connection, statement: str) -> Any:  # noqa: ANN401 - a value of any column
    with database.cursor() as cursor:
        cursor.execute(statement)
        (value,) = cursor.fetchone() or (None,)
        return value


def sent(database: Connection, service: Server, **query: str) -> str:
    """The statement that one request for a page makes the service send, as PostgreSQL saw it."""
    response = httpx2.get(service.url + TASKS, params=query, headers={HEADER: "whale"})
    assert response.status_code == 200
    last = """
        SELECT query FROM pg_stat_activity
        WHERE application_name = 'app' AND query LIKE '%FROM task%' ORDER BY query_start DESC
    """
    return str(first(database, last))


def explained(database: Connection, statement: str) -> dict[str, Any]:
    """What it takes, in the role and for the user that the statement itself begins by setting."""
    scope, separator, select = statement.partition("; ")
    assert "set_config('role', 'app_user', true)" in scope
    explain = f"{scope}{separator}EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {select}"
    plan: dict[str, Any] = first(database, explain)[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


@pytest.mark.parametrize("depth", [0, 1, 50_000, 99_900, 99_999])
def test_a_page_is_one_scan_of_the_primary_key(
    database: Connection, service: Server, depth: int
) -> None:
    newest_first = "SELECT id::text FROM task WHERE user_id = 'whale' ORDER BY id DESC"
    cursor = {"cursor": first(database, f"{newest_first} OFFSET {depth - 1}")} if depth else {}
    plan = explained(database, sent(database, service, **cursor))

    *above, scan = nodes(plan)
    assert {node["Node Type"] for node in above} <= {"Limit", "Result"}
    assert (scan["Node Type"], scan["Scan Direction"]) == ("Index Scan", "Backward")
    assert scan["Index Name"] == "pk_task"
    assert "user_id" in scan["Index Cond"]
    assert "id <" in scan["Index Cond"]
    assert scan["Actual Rows"] == min(51, 100_000 - depth)
    assert scan.get("Rows Removed by Filter", 0) == 0
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 100
